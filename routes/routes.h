/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All route tables, one line a file.
 */
#pragma once

#include "virtgate/route.h"

extern const struct vg_route vg_routes_system[];
extern const struct vg_route vg_routes_docs[];
extern const struct vg_route vg_routes_host[];
extern const struct vg_route vg_routes_metrics[];
extern const struct vg_route vg_routes_connection[];
extern const struct vg_route vg_routes_domain[];
extern const struct vg_route vg_routes_domain_config[];
extern const struct vg_route vg_routes_domain_create[];
extern const struct vg_route vg_routes_domain_power[];
extern const struct vg_route vg_routes_domain_agent[];
extern const struct vg_route vg_routes_domain_agent_users[];
extern const struct vg_route vg_routes_domain_input[];
extern const struct vg_route vg_routes_domain_monitor[];
extern const struct vg_route vg_routes_domain_screenshot[];
extern const struct vg_route vg_routes_domain_console[];
extern const struct vg_route vg_routes_domain_device[];
extern const struct vg_route vg_routes_domain_disk[];
extern const struct vg_route vg_routes_domain_blockjob[];
extern const struct vg_route vg_routes_domain_peek[];
extern const struct vg_route vg_routes_domain_interface[];
extern const struct vg_route vg_routes_domain_stats[];
extern const struct vg_route vg_routes_event[];
extern const struct vg_route vg_routes_domain_save[];
extern const struct vg_route vg_routes_domain_job[];
extern const struct vg_route vg_routes_domain_migration[];
extern const struct vg_route vg_routes_domain_snapshot[];
extern const struct vg_route vg_routes_domain_checkpoint[];
extern const struct vg_route vg_routes_domain_backup[];
extern const struct vg_route vg_routes_operation[];
extern const struct vg_route vg_routes_ticket[];
extern const struct vg_route vg_routes_domain_vcpu[];
extern const struct vg_route vg_routes_domain_cpu_stats[];
extern const struct vg_route vg_routes_domain_iothread[];
extern const struct vg_route vg_routes_domain_memory[];
extern const struct vg_route vg_routes_domain_tuning[];
extern const struct vg_route vg_routes_domain_metadata[];
extern const struct vg_route vg_routes_domain_security[];
extern const struct vg_route vg_routes_domain_guest_info[];
extern const struct vg_route vg_routes_domain_control[];
