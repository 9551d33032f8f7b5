/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The list of route tables, the whole API, and the classes of objects.
 */
#include "routes/routes.h"

#include <stddef.h>

#define LIST_TABLE(name) vg_routes_##name,

const struct vg_route *const vg_route_tables[] = {VG_ROUTE_TABLES(LIST_TABLE) NULL};

#define LIST_CLASS(kind, name) [VG_KIND_##kind] = &vg_##name##_class,

const struct vg_object_class *const vg_object_classes[VG_KINDS] = {
    VG_OBJECT_CLASSES(LIST_CLASS)};
