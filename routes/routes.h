/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All route tables, by what follows vg_routes_ in their names: a new file adds its own
 * here.
 */
#pragma once

#include "virtgate/object_class.h"
#include "virtgate/route.h"

/* clang-format off */
#define VG_ROUTE_TABLES(X) \
    X(system) X(docs) X(host) X(metrics) X(event) X(operation) X(session) X(ticket) X(whoami) \
    X(connection) X(cpu) X(node) X(numa) X(admin) X(admin_server) X(admin_client) \
    X(domain) X(domain_config) X(domain_create) X(domain_power) X(domain_agent) \
    X(domain_agent_users) X(domain_input) X(domain_monitor) X(domain_screenshot) \
    X(domain_console) X(domain_device) X(domain_cdrom) X(domain_disk) X(domain_blockjob) X(domain_peek) \
    X(domain_interface) X(domain_stats) X(domain_history) X(domain_vcpu) X(domain_cpu_stats) \
    X(domain_iothread) X(domain_memory) X(domain_tuning) X(domain_metadata) \
    X(domain_security) X(domain_guest_info) X(domain_control) X(domain_save) X(domain_job) \
    X(domain_migration) X(domain_snapshot) X(domain_checkpoint) X(domain_backup) X(domain_backup_content) \
    X(network) X(network_create) X(network_dhcp) X(network_port) X(network_metadata) \
    X(storage_pool) X(volume) X(content) X(download) X(upload) \
    X(node_device) X(node_device_assign) X(interface) X(interface_change) \
    X(nwfilter) X(nwfilter_binding) X(secret)
/* clang-format on */

#define VG_DECLARE_TABLE(name) extern const struct vg_route vg_routes_##name[];
VG_ROUTE_TABLES(VG_DECLARE_TABLE)

/* The classes of objects (object_class.h), by kind and by what stands between vg_ and
 * _class in their names; each is in the file of its list. */
/* clang-format off */
#define VG_OBJECT_CLASSES(X) \
    X(NETWORK, network) X(NETWORK_PORT, network_port) \
    X(STORAGE_POOL, storage_pool) X(VOLUME, volume) \
    X(NODE_DEVICE, node_device) X(INTERFACE, interface) \
    X(NWFILTER, nwfilter) X(NWFILTER_BINDING, nwfilter_binding) \
    X(SECRET, secret)
/* clang-format on */

#define VG_DECLARE_CLASS(kind, name)                                                     \
    extern const struct vg_object_class vg_##name##_class;
VG_OBJECT_CLASSES(VG_DECLARE_CLASS)
