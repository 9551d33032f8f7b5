/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The list of route tables, the whole API, and the classes of objects.
 */
#include "routes/routes.h"

#include <stddef.h>

#define LIST_TABLE(name) vg_routes_##name,

const struct vg_route *const vg_route_tables[] = {VG_ROUTE_TABLES(LIST_TABLE) NULL};

const struct vg_object_class *const vg_object_classes[VG_KINDS] = {
    [VG_KIND_NETWORK] = &vg_network_class,
    [VG_KIND_NETWORK_PORT] = &vg_network_port_class,
    [VG_KIND_STORAGE_POOL] = &vg_storage_pool_class,
    [VG_KIND_NWFILTER] = &vg_nwfilter_class,
    [VG_KIND_NWFILTER_BINDING] = &vg_nwfilter_binding_class,
    [VG_KIND_NODE_DEVICE] = &vg_node_device_class,
    [VG_KIND_INTERFACE] = &vg_interface_class,
    [VG_KIND_VOLUME] = &vg_volume_class,
    [VG_KIND_SECRET] = &vg_secret_class,
};
