/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The list of route tables: the whole API.
 */
#include "routes/routes.h"

#include <stddef.h>

#define LIST_TABLE(name) vg_routes_##name,

const struct vg_route *const vg_route_tables[] = {VG_ROUTE_TABLES(LIST_TABLE) NULL};
