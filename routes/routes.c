/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The list of route tables: the whole API.
 */
#include "routes/routes.h"

#include <stddef.h>

/* clang-format off */
const struct vg_route *const vg_route_tables[] = {
    vg_routes_system,
    vg_routes_docs,
    vg_routes_host,
    vg_routes_metrics,
    vg_routes_connection,
    vg_routes_domain,
    vg_routes_domain_config,
    vg_routes_domain_create,
    vg_routes_domain_power,
    vg_routes_domain_agent,
    vg_routes_domain_agent_users,
    vg_routes_domain_input,
    vg_routes_domain_monitor,
    vg_routes_domain_screenshot,
    vg_routes_domain_console,
    vg_routes_domain_device,
    vg_routes_domain_disk,
    vg_routes_domain_blockjob,
    vg_routes_domain_peek,
    vg_routes_domain_interface,
    vg_routes_domain_stats,
    vg_routes_domain_vcpu,
    vg_routes_domain_cpu_stats,
    vg_routes_domain_iothread,
    vg_routes_domain_memory,
    vg_routes_domain_tuning,
    vg_routes_domain_metadata,
    vg_routes_domain_security,
    vg_routes_domain_guest_info,
    vg_routes_domain_control,
    vg_routes_event,
    vg_routes_domain_save,
    vg_routes_domain_job,
    vg_routes_domain_migration,
    vg_routes_domain_snapshot,
    vg_routes_domain_checkpoint,
    vg_routes_domain_backup,
    vg_routes_operation,
    vg_routes_ticket,
    NULL,
};
/* clang-format on */
