/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The list of route tables: the whole API.
 */
#include "routes/routes.h"

#include <stddef.h>

const struct vg_route *const vg_route_tables[] = {
    vg_routes_system,       vg_routes_host,
    vg_routes_metrics,      vg_routes_connection,
    vg_routes_domain,       vg_routes_domain_power,
    vg_routes_domain_stats, NULL,
};
