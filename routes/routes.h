/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All route tables, one line a file.
 */
#pragma once

#include "virtgate/route.h"

extern const struct vg_route vg_routes_system[];
extern const struct vg_route vg_routes_host[];
extern const struct vg_route vg_routes_metrics[];
extern const struct vg_route vg_routes_connection[];
extern const struct vg_route vg_routes_domain[];
extern const struct vg_route vg_routes_domain_power[];
extern const struct vg_route vg_routes_domain_stats[];
