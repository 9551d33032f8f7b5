/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The list of route tables: the whole API.
 */
#include "routes/routes.h"

#include <stddef.h>

const struct vg_route *const vg_route_tables[] = {
    vg_routes_system,          vg_routes_host,
    vg_routes_connection,      vg_routes_domain,
    vg_routes_domain_power,    vg_routes_domain_stats,
    vg_routes_domain_vcpu,     vg_routes_domain_cpu_stats,
    vg_routes_domain_iothread, vg_routes_domain_memory,
    vg_routes_domain_tuning,   vg_routes_domain_metadata,
    vg_routes_domain_security, vg_routes_domain_guest_info,
    vg_routes_domain_control,  NULL,
};
