/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Events of domains: one callback for each shape that libvirt gives them, in the order of
 * virDomainEventID. They run on libvirt's event loop.
 */
#include "server/libvirt/event.h"
#include "server/libvirt/event_draft.h"
#include "server/libvirt/internal.h"
#include "server/libvirt/operation_event.h"
#include "virtgate/params.h"

static const char *event_name(int id)
{
    return vg_enum_find(&vg_enum_virDomainEventID, id)->name;
}

/* Whether such an event may change what is remembered of the domain's document. */
static bool changes_document(int id)
{
    switch (id) {
    case VIR_DOMAIN_EVENT_ID_LIFECYCLE:
    case VIR_DOMAIN_EVENT_ID_METADATA_CHANGE:
    case VIR_DOMAIN_EVENT_ID_DEVICE_ADDED:
    case VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED:
    case VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE:
        return true;
#if LIBVIR_CHECK_VERSION(11, 2, 0)
    case VIR_DOMAIN_EVENT_ID_NIC_MAC_CHANGE:
        return true;
#endif
    default:
        return false;
    }
}

static void begin(struct vg_event_draft *draft, void *host, virDomainPtr dom, int id)
{
    unsigned char uuid[VIR_UUID_BUFLEN];
    struct vg_host *of = host;

    if (changes_document(id) && virDomainGetUUID(dom, uuid) == 0)
        vg_documents_forget(of->documents, uuid);
    vg_draft_domain(draft, host, dom, VG_EVENT_DOMAIN, event_name(id));
}

/* ---- lifecycle --------------------------------------------------------------------- */

/* The names of a type's details. */
static const struct vg_enum *const lifecycle_details[] = {
    [VIR_DOMAIN_EVENT_DEFINED] = &vg_enum_virDomainEventDefinedDetailType,
    [VIR_DOMAIN_EVENT_UNDEFINED] = &vg_enum_virDomainEventUndefinedDetailType,
    [VIR_DOMAIN_EVENT_STARTED] = &vg_enum_virDomainEventStartedDetailType,
    [VIR_DOMAIN_EVENT_SUSPENDED] = &vg_enum_virDomainEventSuspendedDetailType,
    [VIR_DOMAIN_EVENT_RESUMED] = &vg_enum_virDomainEventResumedDetailType,
    [VIR_DOMAIN_EVENT_STOPPED] = &vg_enum_virDomainEventStoppedDetailType,
    [VIR_DOMAIN_EVENT_SHUTDOWN] = &vg_enum_virDomainEventShutdownDetailType,
    [VIR_DOMAIN_EVENT_PMSUSPENDED] = &vg_enum_virDomainEventPMSuspendedDetailType,
    [VIR_DOMAIN_EVENT_CRASHED] = &vg_enum_virDomainEventCrashedDetailType,
};

static int on_lifecycle(virConnectPtr conn, virDomainPtr dom, int type, int detail,
                        void *host)
{
    const size_t n = sizeof(lifecycle_details) / sizeof(lifecycle_details[0]);
    struct vg_event_draft d;
    (void)conn;

    vg_event_invalidate(host, VG_EVENT_DOMAIN);
    vg_operations_on_lifecycle(host, dom, type);
    begin(&d, host, dom, VIR_DOMAIN_EVENT_ID_LIFECYCLE);
    const struct vg_enum_value *named = vg_enum_find(&vg_enum_virDomainEventType, type);
    d.source.type = named ? named->name : NULL;
    vg_json_enum(&d.w, "type", &vg_enum_virDomainEventType, type);
    if (type >= 0 && (size_t)type < n && lifecycle_details[type])
        vg_json_enum(&d.w, "detail", lifecycle_details[type], detail);
    else
        vg_json_int(&d.w, "detail", detail);
    vg_draft_publish(&d);
    return 0;
}

/* ---- those that say no more than that they happened -------------------------------- */

static void on_plain(void *host, virDomainPtr dom, int id)
{
    struct vg_event_draft d;
    begin(&d, host, dom, id);
    vg_draft_publish(&d);
}

static void on_reboot(virConnectPtr conn, virDomainPtr dom, void *host)
{
    (void)conn;
    on_plain(host, dom, VIR_DOMAIN_EVENT_ID_REBOOT);
}

static void on_control_error(virConnectPtr conn, virDomainPtr dom, void *host)
{
    (void)conn;
    on_plain(host, dom, VIR_DOMAIN_EVENT_ID_CONTROL_ERROR);
}

/* libvirt reserves `reason` and passes 0. */
static void on_pmwakeup(virConnectPtr conn, virDomainPtr dom, int reason, void *host)
{
    (void)conn;
    (void)reason;
    on_plain(host, dom, VIR_DOMAIN_EVENT_ID_PMWAKEUP);
}

static void on_pmsuspend(virConnectPtr conn, virDomainPtr dom, int reason, void *host)
{
    (void)conn;
    (void)reason;
    on_plain(host, dom, VIR_DOMAIN_EVENT_ID_PMSUSPEND);
}

static void on_pmsuspend_disk(virConnectPtr conn, virDomainPtr dom, int reason,
                              void *host)
{
    (void)conn;
    (void)reason;
    on_plain(host, dom, VIR_DOMAIN_EVENT_ID_PMSUSPEND_DISK);
}

/* ---- clock, watchdog, memory ------------------------------------------------------- */

static void on_rtc_change(virConnectPtr conn, virDomainPtr dom, long long offset,
                          void *host)
{
    struct vg_event_draft d;
    (void)conn;
    begin(&d, host, dom, VIR_DOMAIN_EVENT_ID_RTC_CHANGE);
    vg_json_int(&d.w, "utcOffsetSeconds", offset);
    vg_draft_publish(&d);
}

static void on_watchdog(virConnectPtr conn, virDomainPtr dom, int action, void *host)
{
    struct vg_event_draft d;
    (void)conn;
    begin(&d, host, dom, VIR_DOMAIN_EVENT_ID_WATCHDOG);
    vg_json_enum(&d.w, "action", &vg_enum_virDomainEventWatchdogAction, action);
    vg_draft_publish(&d);
}

static void on_balloon_change(virConnectPtr conn, virDomainPtr dom,
                              unsigned long long actual, void *host)
{
    struct vg_event_draft d;
    (void)conn;
    begin(&d, host, dom, VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE);
    vg_json_uint(&d.w, "actualKiB", actual);
    vg_draft_publish(&d);
}

static void write_flags(struct vg_json *w, const char *key, const struct vg_enum *names,
                        unsigned int flags)
{
    vg_json_begin_array(w, key);
    for (unsigned int bit = 1; bit; bit <<= 1)
        if (flags & bit)
            vg_json_enum(w, NULL, names, bit);
    vg_json_end_array(w);
}

static void on_memory_failure(virConnectPtr conn, virDomainPtr dom, int recipient,
                              int action, unsigned int flags, void *host)
{
    struct vg_event_draft d;
    (void)conn;
    begin(&d, host, dom, VIR_DOMAIN_EVENT_ID_MEMORY_FAILURE);
    vg_json_enum(&d.w, "recipient", &vg_enum_virDomainMemoryFailureRecipientType,
                 recipient);
    vg_json_enum(&d.w, "action", &vg_enum_virDomainMemoryFailureActionType, action);
    write_flags(&d.w, "flags", &vg_enum_virDomainMemoryFailureFlags, flags);
    vg_draft_publish(&d);
}

static void on_memory_device_size(virConnectPtr conn, virDomainPtr dom, const char *alias,
                                  unsigned long long size, void *host)
{
    struct vg_event_draft d;
    (void)conn;
    begin(&d, host, dom, VIR_DOMAIN_EVENT_ID_MEMORY_DEVICE_SIZE_CHANGE);
    vg_json_string(&d.w, "alias", alias);
    vg_json_uint(&d.w, "sizeKiB", size);
    vg_draft_publish(&d);
}

#if LIBVIR_CHECK_VERSION(11, 2, 0)
static void on_nic_mac_change(virConnectPtr conn, virDomainPtr dom, const char *alias,
                              const char *old_mac, const char *new_mac, void *host)
{
    struct vg_event_draft d;
    (void)conn;
    begin(&d, host, dom, VIR_DOMAIN_EVENT_ID_NIC_MAC_CHANGE);
    vg_json_string(&d.w, "alias", alias);
    vg_json_string(&d.w, "oldMac", old_mac);
    vg_json_string(&d.w, "newMac", new_mac);
    vg_draft_publish(&d);
}
#endif

/* ---- disks ------------------------------------------------------------------------- */

static void on_io_error(virConnectPtr conn, virDomainPtr dom, const char *path,
                        const char *alias, int action, void *host)
{
    struct vg_event_draft d;
    (void)conn;
    begin(&d, host, dom, VIR_DOMAIN_EVENT_ID_IO_ERROR);
    vg_json_string(&d.w, "path", path);
    vg_json_string(&d.w, "alias", alias);
    vg_json_enum(&d.w, "action", &vg_enum_virDomainEventIOErrorAction, action);
    vg_draft_publish(&d);
}

static void on_io_error_reason(virConnectPtr conn, virDomainPtr dom, const char *path,
                               const char *alias, int action, const char *reason,
                               void *host)
{
    struct vg_event_draft d;
    (void)conn;
    begin(&d, host, dom, VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON);
    vg_json_string(&d.w, "path", path);
    vg_json_string(&d.w, "alias", alias);
    vg_json_enum(&d.w, "action", &vg_enum_virDomainEventIOErrorAction, action);
    vg_json_string(&d.w, "reason", reason);
    vg_draft_publish(&d);
}

/* `key`: what `disk` is, its path in the older of the two events, its target in the newer
 * one. */
static void on_job(void *host, virDomainPtr dom, int id, const char *key,
                   const char *disk, int type, int status)
{
    struct vg_event_draft d;
    begin(&d, host, dom, id);
    vg_json_string(&d.w, key, disk);
    vg_json_enum(&d.w, "type", &vg_enum_virDomainBlockJobType, type);
    vg_json_enum(&d.w, "status", &vg_enum_virConnectDomainEventBlockJobStatus, status);
    vg_draft_publish(&d);
}

static void on_block_job(virConnectPtr conn, virDomainPtr dom, const char *path, int type,
                         int status, void *host)
{
    (void)conn;
    on_job(host, dom, VIR_DOMAIN_EVENT_ID_BLOCK_JOB, "path", path, type, status);
}

static void on_block_job_2(virConnectPtr conn, virDomainPtr dom, const char *disk,
                           int type, int status, void *host)
{
    (void)conn;
    vg_event_invalidate(host, VG_EVENT_DOMAIN);
    vg_operations_on_block_job(host, dom, disk, type, status);
    on_job(host, dom, VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2, "disk", disk, type, status);
}

static void on_disk_change(virConnectPtr conn, virDomainPtr dom, const char *old_path,
                           const char *new_path, const char *alias, int reason,
                           void *host)
{
    struct vg_event_draft d;
    (void)conn;
    begin(&d, host, dom, VIR_DOMAIN_EVENT_ID_DISK_CHANGE);
    vg_json_string(&d.w, "oldPath", old_path);
    vg_json_string(&d.w, "newPath", new_path);
    vg_json_string(&d.w, "alias", alias);
    vg_json_enum(&d.w, "reason", &vg_enum_virConnectDomainEventDiskChangeReason, reason);
    vg_draft_publish(&d);
}

static void on_tray_change(virConnectPtr conn, virDomainPtr dom, const char *alias,
                           int reason, void *host)
{
    struct vg_event_draft d;
    (void)conn;
    begin(&d, host, dom, VIR_DOMAIN_EVENT_ID_TRAY_CHANGE);
    vg_json_string(&d.w, "alias", alias);
    vg_json_enum(&d.w, "reason", &vg_enum_virDomainEventTrayChangeReason, reason);
    vg_draft_publish(&d);
}

static void on_block_threshold(virConnectPtr conn, virDomainPtr dom, const char *disk,
                               const char *path, unsigned long long threshold,
                               unsigned long long excess, void *host)
{
    struct vg_event_draft d;
    (void)conn;
    begin(&d, host, dom, VIR_DOMAIN_EVENT_ID_BLOCK_THRESHOLD);
    vg_json_string(&d.w, "disk", disk);
    vg_json_string(&d.w, "path", path);
    vg_json_uint(&d.w, "thresholdBytes", threshold);
    vg_json_uint(&d.w, "excessBytes", excess);
    vg_draft_publish(&d);
}

/* ---- devices ----------------------------------------------------------------------- */

static void on_device(void *host, virDomainPtr dom, int id, const char *alias)
{
    struct vg_event_draft d;
    begin(&d, host, dom, id);
    vg_json_string(&d.w, "alias", alias);
    vg_draft_publish(&d);
}

static void on_device_removed(virConnectPtr conn, virDomainPtr dom, const char *alias,
                              void *host)
{
    (void)conn;
    on_device(host, dom, VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, alias);
}

static void on_device_added(virConnectPtr conn, virDomainPtr dom, const char *alias,
                            void *host)
{
    (void)conn;
    on_device(host, dom, VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, alias);
}

static void on_device_removal_failed(virConnectPtr conn, virDomainPtr dom,
                                     const char *alias, void *host)
{
    (void)conn;
    on_device(host, dom, VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED, alias);
}

/* ---- graphics ---------------------------------------------------------------------- */

static void write_address(struct vg_json *w, const char *key,
                          const virDomainEventGraphicsAddress *address)
{
    if (!address) {
        vg_json_null(w, key);
        return;
    }
    vg_json_begin_object(w, key);
    vg_json_enum(w, "family", &vg_enum_virDomainEventGraphicsAddressType,
                 address->family);
    vg_json_string(w, "node", address->node);
    vg_json_string(w, "service", address->service);
    vg_json_end_object(w);
}

static void on_graphics(virConnectPtr conn, virDomainPtr dom, int phase,
                        const virDomainEventGraphicsAddress *local,
                        const virDomainEventGraphicsAddress *remote,
                        const char *auth_scheme,
                        const virDomainEventGraphicsSubject *subject, void *host)
{
    struct vg_event_draft d;
    (void)conn;
    begin(&d, host, dom, VIR_DOMAIN_EVENT_ID_GRAPHICS);
    vg_json_enum(&d.w, "phase", &vg_enum_virDomainEventGraphicsPhase, phase);
    write_address(&d.w, "local", local);
    write_address(&d.w, "remote", remote);
    vg_json_string(&d.w, "authScheme", auth_scheme);
    vg_json_begin_array(&d.w, "subject");
    for (int i = 0; subject && i < subject->nidentity; i++) {
        vg_json_begin_object(&d.w, NULL);
        vg_json_string(&d.w, "type", subject->identities[i].type);
        vg_json_string(&d.w, "name", subject->identities[i].name);
        vg_json_end_object(&d.w);
    }
    vg_json_end_array(&d.w);
    vg_draft_publish(&d);
}

/* ---- agent, metadata, tunables, jobs ----------------------------------------------- */

static void on_agent_lifecycle(virConnectPtr conn, virDomainPtr dom, int state,
                               int reason, void *host)
{
    struct vg_event_draft d;
    (void)conn;
    begin(&d, host, dom, VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE);
    vg_json_enum(&d.w, "state", &vg_enum_virConnectDomainEventAgentLifecycleState, state);
    vg_json_enum(&d.w, "reason", &vg_enum_virConnectDomainEventAgentLifecycleReason,
                 reason);
    vg_draft_publish(&d);
}

static void on_metadata_change(virConnectPtr conn, virDomainPtr dom, int type,
                               const char *uri, void *host)
{
    struct vg_event_draft d;
    (void)conn;
    begin(&d, host, dom, VIR_DOMAIN_EVENT_ID_METADATA_CHANGE);
    vg_json_enum(&d.w, "type", &vg_enum_virDomainMetadataType, type);
    vg_json_string(&d.w, "uri", uri);
    vg_draft_publish(&d);
}

static void on_migration_iteration(virConnectPtr conn, virDomainPtr dom, int iteration,
                                   void *host)
{
    struct vg_event_draft d;
    (void)conn;
    begin(&d, host, dom, VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION);
    vg_json_int(&d.w, "iteration", iteration);
    vg_draft_publish(&d);
}

static void on_params(void *host, virDomainPtr dom, int id,
                      const virTypedParameter *params, int n)
{
    struct vg_event_draft d;
    json_t *tree = vg_params_to_json(params, n);
    begin(&d, host, dom, id);
    vg_json_value(&d.w, "params", tree);
    vg_draft_publish(&d);
    json_decref(tree);
}

static void on_tunable(virConnectPtr conn, virDomainPtr dom, virTypedParameterPtr params,
                       int n, void *host)
{
    (void)conn;
    on_params(host, dom, VIR_DOMAIN_EVENT_ID_TUNABLE, params, n);
}

static void on_job_completed(virConnectPtr conn, virDomainPtr dom,
                             virTypedParameterPtr params, int n, void *host)
{
    (void)conn;
    vg_event_invalidate(host, VG_EVENT_DOMAIN);
    vg_operations_on_job(host, dom, params, n);
    on_params(host, dom, VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, params, n);
}

#define ROW(id, callback)                                                                \
    {                                                                                    \
        VIR_DOMAIN_EVENT_ID_##id, VIR_DOMAIN_EVENT_CALLBACK(callback)                    \
    }

const struct vg_domain_event vg_domain_events[] = {
    ROW(LIFECYCLE, on_lifecycle),
    ROW(REBOOT, on_reboot),
    ROW(RTC_CHANGE, on_rtc_change),
    ROW(WATCHDOG, on_watchdog),
    ROW(IO_ERROR, on_io_error),
    ROW(GRAPHICS, on_graphics),
    ROW(IO_ERROR_REASON, on_io_error_reason),
    ROW(CONTROL_ERROR, on_control_error),
    ROW(BLOCK_JOB, on_block_job),
    ROW(DISK_CHANGE, on_disk_change),
    ROW(TRAY_CHANGE, on_tray_change),
    ROW(PMWAKEUP, on_pmwakeup),
    ROW(PMSUSPEND, on_pmsuspend),
    ROW(BALLOON_CHANGE, on_balloon_change),
    ROW(PMSUSPEND_DISK, on_pmsuspend_disk),
    ROW(DEVICE_REMOVED, on_device_removed),
    ROW(BLOCK_JOB_2, on_block_job_2),
    ROW(TUNABLE, on_tunable),
    ROW(AGENT_LIFECYCLE, on_agent_lifecycle),
    ROW(DEVICE_ADDED, on_device_added),
    ROW(MIGRATION_ITERATION, on_migration_iteration),
    ROW(JOB_COMPLETED, on_job_completed),
    ROW(DEVICE_REMOVAL_FAILED, on_device_removal_failed),
    ROW(METADATA_CHANGE, on_metadata_change),
    ROW(BLOCK_THRESHOLD, on_block_threshold),
    ROW(MEMORY_FAILURE, on_memory_failure),
    ROW(MEMORY_DEVICE_SIZE_CHANGE, on_memory_device_size),
#if LIBVIR_CHECK_VERSION(11, 2, 0)
    ROW(NIC_MAC_CHANGE, on_nic_mac_change),
#endif
    {0, NULL},
};
