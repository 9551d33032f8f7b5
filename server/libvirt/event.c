/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Registering for events, and those that are not of domains. See libvirt/event.h.
 * Callbacks run on libvirt's event loop: they invalidate what is in memory, then publish,
 * so that whoever hears of an event never reads what was before it.
 */
#include "server/libvirt/event.h"

#include "server/core/kind.h"
#include "server/libvirt/event_draft.h"
#include "server/libvirt/internal.h"
#include "server/base/log.h"

#include <libvirt/libvirt-qemu.h>
#include <libvirt/virterror.h>
#include <string.h>

/* Of a lifecycle event, for the object's `lastEvent`, too. */
static void write_type(struct vg_event_draft *d, const struct vg_enum *names, int type)
{
    const struct vg_enum_value *named = vg_enum_find(names, type);

    d->source.type = named ? named->name : NULL;
    vg_json_enum(&d->w, "type", names, type);
}

/* ---- networks ---------------------------------------------------------------------- */

static void begin_network(struct vg_event_draft *d, struct vg_host *host,
                          virNetworkPtr net, const char *event)
{
    d->uuid[0] = '\0';
    virNetworkGetUUIDString(net, d->uuid);
    vg_draft_begin(d, host, VG_EVENT_NETWORK, event, d->uuid);
    vg_json_begin_object(&d->w, "network");
    vg_json_string(&d->w, "name", virNetworkGetName(net));
    vg_json_string(&d->w, "uuid", d->uuid);
    vg_json_end_object(&d->w);
}

#if LIBVIR_CHECK_VERSION(9, 8, 0)
static void on_network_metadata(virConnectPtr conn, virNetworkPtr net, int type,
                                const char *uri, void *host)
{
    struct vg_event_draft d;
    (void)conn;
    begin_network(&d, host, net, "metadata-change");
    vg_json_enum(&d.w, "type", &vg_enum_virNetworkMetadataType, type);
    vg_json_string(&d.w, "uri", uri);
    vg_draft_publish(&d);
}
#endif

static void on_network(virConnectPtr conn, virNetworkPtr net, int type, int detail,
                       void *host)
{
    struct vg_event_draft d;
    (void)conn;
    (void)detail; /* libvirt: always 0 */
    begin_network(&d, host, net, "lifecycle");
    write_type(&d, &vg_enum_virNetworkEventLifecycleType, type);
    vg_draft_publish(&d);
}

/* ---- storage pools ----------------------------------------------------------------- */

static void begin_pool(struct vg_event_draft *d, void *host, virStoragePoolPtr pool,
                       const char *name)
{
    d->uuid[0] = '\0';
    virStoragePoolGetUUIDString(pool, d->uuid);
    vg_draft_begin(d, host, VG_EVENT_STORAGE_POOL, name, d->uuid);
    vg_json_begin_object(&d->w, "storagePool");
    vg_json_string(&d->w, "name", virStoragePoolGetName(pool));
    vg_json_string(&d->w, "uuid", d->uuid);
    vg_json_end_object(&d->w);
}

static void on_pool(virConnectPtr conn, virStoragePoolPtr pool, int type, int detail,
                    void *host)
{
    struct vg_event_draft d;
    (void)conn;
    (void)detail;
    begin_pool(&d, host, pool, "lifecycle");
    if (type != VIR_STORAGE_POOL_EVENT_STOPPED && type != VIR_STORAGE_POOL_EVENT_DEFINED)
        vg_failures_forget(d.host->object_failures, VG_KIND_STORAGE_POOL, d.uuid);
    write_type(&d, &vg_enum_virStoragePoolEventLifecycleType, type);
    vg_draft_publish(&d);
}

static void on_pool_refresh(virConnectPtr conn, virStoragePoolPtr pool, void *host)
{
    struct vg_event_draft d;
    (void)conn;
    begin_pool(&d, host, pool, "refresh");
    vg_draft_publish(&d);
}

/* ---- node devices ------------------------------------------------------------------ */

static void begin_device(struct vg_event_draft *d, void *host, virNodeDevicePtr dev,
                         const char *name)
{
    vg_draft_begin(d, host, VG_EVENT_NODE_DEVICE, name, virNodeDeviceGetName(dev));
    vg_json_begin_object(&d->w, "nodeDevice");
    vg_json_string(&d->w, "name", virNodeDeviceGetName(dev));
    vg_json_end_object(&d->w);
}

static void on_device(virConnectPtr conn, virNodeDevicePtr dev, int type, int detail,
                      void *host)
{
    struct vg_event_draft d;
    (void)conn;
    (void)detail;
    begin_device(&d, host, dev, "lifecycle");
    write_type(&d, &vg_enum_virNodeDeviceEventLifecycleType, type);
    vg_draft_publish(&d);
}

static void on_device_update(virConnectPtr conn, virNodeDevicePtr dev, void *host)
{
    struct vg_event_draft d;
    (void)conn;
    begin_device(&d, host, dev, "update");
    vg_draft_publish(&d);
}

/* ---- secrets ----------------------------------------------------------------------- */

static void begin_secret(struct vg_event_draft *d, void *host, virSecretPtr secret,
                         const char *name)
{
    d->uuid[0] = '\0';
    virSecretGetUUIDString(secret, d->uuid);
    vg_draft_begin(d, host, VG_EVENT_SECRET, name, d->uuid);
    vg_json_begin_object(&d->w, "secret");
    vg_json_string(&d->w, "uuid", d->uuid);
    vg_json_enum(&d->w, "usageType", &vg_enum_virSecretUsageType,
                 virSecretGetUsageType(secret));
    vg_json_string(&d->w, "usageId", virSecretGetUsageID(secret));
    vg_json_end_object(&d->w);
}

static void on_secret(virConnectPtr conn, virSecretPtr secret, int type, int detail,
                      void *host)
{
    struct vg_event_draft d;
    (void)conn;
    (void)detail;
    begin_secret(&d, host, secret, "lifecycle");
    write_type(&d, &vg_enum_virSecretEventLifecycleType, type);
    vg_draft_publish(&d);
}

static void on_secret_value(virConnectPtr conn, virSecretPtr secret, void *host)
{
    struct vg_event_draft d;
    (void)conn;
    begin_secret(&d, host, secret, "value-changed");
    vg_draft_publish(&d);
}

/* ---- the QEMU monitor -------------------------------------------------------------- */

static void on_monitor(virConnectPtr conn, virDomainPtr dom, const char *event,
                       long long seconds, unsigned int micros, const char *details,
                       void *host)
{
    struct vg_event_draft d;
    json_t *data = details ? json_loads(details, 0, NULL) : NULL;
    (void)conn;

    vg_draft_domain(&d, host, dom, VG_EVENT_QEMU_MONITOR, "monitor");
    d.source.monitor = event;
    vg_json_string(&d.w, "name", event);
    vg_json_int(&d.w, "seconds", seconds);
    vg_json_int(&d.w, "microseconds", micros);
    if (data)
        vg_json_value(&d.w, "data", data);
    else
        vg_json_null(&d.w, "data");
    vg_draft_publish(&d);
    json_decref(data);
}

/* ---- registering ------------------------------------------------------------------- */

static void add_handle(struct vg_event_handles *handles, int callback,
                       int (*deregister)(virConnectPtr conn, int callback))
{
    if (callback >= 0)
        handles->v[handles->n++] = (struct vg_event_handle){deregister, callback};
}

/* The same of events that cover what is kept of a kind. */
static void add_lifecycle(struct vg_event_handles *handles, enum vg_kind kind,
                          int callback,
                          int (*deregister)(virConnectPtr conn, int callback))
{
    add_handle(handles, callback, deregister);
    handles->covered |= callback >= 0 ? 1U << kind : 0;
}

static void register_domains(struct vg_host *host, virConnectPtr conn,
                             struct vg_event_handles *handles)
{
    bool covered = true;

    for (const struct vg_domain_event *e = vg_domain_events; e->callback; e++) {
        int callback =
            virConnectDomainEventRegisterAny(conn, NULL, e->id, e->callback, host, NULL);
        add_handle(handles, callback, virConnectDomainEventDeregisterAny);
        if (e->id == VIR_DOMAIN_EVENT_ID_LIFECYCLE ||
            e->id == VIR_DOMAIN_EVENT_ID_METADATA_CHANGE)
            covered = covered && callback >= 0;
    }
    handles->covered |= covered ? 1U << VG_KIND_DOMAIN : 0;
    int monitor = virConnectDomainQemuMonitorEventRegister(conn, NULL, NULL, on_monitor,
                                                           host, NULL, 0);
    add_handle(handles, monitor, virConnectDomainQemuMonitorEventDeregister);
}

static void register_others(struct vg_host *host, virConnectPtr conn,
                            struct vg_event_handles *handles)
{
    add_lifecycle(handles, VG_KIND_NETWORK,
                  virConnectNetworkEventRegisterAny(
                      conn, NULL, VIR_NETWORK_EVENT_ID_LIFECYCLE,
                      VIR_NETWORK_EVENT_CALLBACK(on_network), host, NULL),
                  virConnectNetworkEventDeregisterAny);
#if LIBVIR_CHECK_VERSION(9, 8, 0)
    add_handle(handles,
               virConnectNetworkEventRegisterAny(
                   conn, NULL, VIR_NETWORK_EVENT_ID_METADATA_CHANGE,
                   VIR_NETWORK_EVENT_CALLBACK(on_network_metadata), host, NULL),
               virConnectNetworkEventDeregisterAny);
#endif
    add_lifecycle(handles, VG_KIND_STORAGE_POOL,
                  virConnectStoragePoolEventRegisterAny(
                      conn, NULL, VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE,
                      VIR_STORAGE_POOL_EVENT_CALLBACK(on_pool), host, NULL),
                  virConnectStoragePoolEventDeregisterAny);
    add_handle(handles,
               virConnectStoragePoolEventRegisterAny(
                   conn, NULL, VIR_STORAGE_POOL_EVENT_ID_REFRESH,
                   VIR_STORAGE_POOL_EVENT_CALLBACK(on_pool_refresh), host, NULL),
               virConnectStoragePoolEventDeregisterAny);
    add_lifecycle(handles, VG_KIND_NODE_DEVICE,
                  virConnectNodeDeviceEventRegisterAny(
                      conn, NULL, VIR_NODE_DEVICE_EVENT_ID_LIFECYCLE,
                      VIR_NODE_DEVICE_EVENT_CALLBACK(on_device), host, NULL),
                  virConnectNodeDeviceEventDeregisterAny);
    add_handle(handles,
               virConnectNodeDeviceEventRegisterAny(
                   conn, NULL, VIR_NODE_DEVICE_EVENT_ID_UPDATE,
                   VIR_NODE_DEVICE_EVENT_CALLBACK(on_device_update), host, NULL),
               virConnectNodeDeviceEventDeregisterAny);
    add_lifecycle(handles, VG_KIND_SECRET,
                  virConnectSecretEventRegisterAny(
                      conn, NULL, VIR_SECRET_EVENT_ID_LIFECYCLE,
                      VIR_SECRET_EVENT_CALLBACK(on_secret), host, NULL),
                  virConnectSecretEventDeregisterAny);
    add_handle(handles,
               virConnectSecretEventRegisterAny(
                   conn, NULL, VIR_SECRET_EVENT_ID_VALUE_CHANGED,
                   VIR_SECRET_EVENT_CALLBACK(on_secret_value), host, NULL),
               virConnectSecretEventDeregisterAny);
}

/* What a driver does not support it refuses, which is no fault. */
void vg_events_register(struct vg_host *host, virConnectPtr conn,
                        struct vg_event_handles *handles)
{
    *handles = (struct vg_event_handles){0};
    register_domains(host, conn, handles);
    register_others(host, conn, handles);
    virResetLastError();
    vg_log(VG_LOG_DEBUG, "event", "%s: registered for %u kinds of events", host->name,
           handles->n);
}

void vg_events_deregister(virConnectPtr conn, struct vg_event_handles *handles)
{
    while (handles->n) {
        const struct vg_event_handle *h = &handles->v[--handles->n];
        h->deregister(conn, h->callback);
    }
    handles->covered = 0;
    virResetLastError();
}
