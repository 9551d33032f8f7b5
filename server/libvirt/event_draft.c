/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/libvirt/event_draft.h"

#include "server/core/event_text.h"
#include "server/core/kind.h"
#include "server/core/operation.h"
#include "server/libvirt/internal.h"

#include <string.h>

void vg_draft_begin(struct vg_event_draft *d, void *host, enum vg_event_object object,
                    const char *name, const char *key)
{
    d->host = host;
    d->w = (struct vg_json){0};
    d->source = (struct vg_event_source){
        .host = d->host->name, .object = object, .name = name, .uuid = key, .id = -1};
    vg_event_begin(&d->w, &d->source);
}

void vg_draft_domain(struct vg_event_draft *d, void *host, virDomainPtr dom,
                     enum vg_event_object object, const char *name)
{
    d->host = host;
    d->w = (struct vg_json){0};
    d->uuid[0] = '\0';
    virDomainGetUUIDString(dom, d->uuid);
    d->source = (struct vg_event_source){
        .host = d->host->name,
        .object = object,
        .name = name,
        .domain = virDomainGetName(dom),
        .uuid = d->uuid,
        .id = (int)virDomainGetID(dom), /* -1: inactive */
    };
    vg_event_begin(&d->w, &d->source);
}

void vg_event_invalidate(struct vg_host *host, enum vg_event_object object)
{
    if (object != VG_EVENT_QEMU_MONITOR)
        vg_answer_cache_invalidate(host->cache, vg_kind_of_event(object));
}

void vg_draft_publish(struct vg_event_draft *d)
{
    vg_event_invalidate(d->host, d->source.object);
    atomic_fetch_add_explicit(&d->host->events, 1, memory_order_relaxed);
    vg_event_publish(&d->source, &d->w);
    vg_json_free(&d->w);
}

void vg_event_connection(struct vg_host *host, const char *name, const char *reason)
{
    struct vg_event_draft d;
    /* "opened", "reset": events before it may have been missed */
    if (strcmp(name, "closed") != 0)
        vg_operations_missed_events(host);
    vg_documents_forget(host->documents, NULL);
    vg_draft_begin(&d, host, VG_EVENT_CONNECTION, name, NULL);
    if (reason)
        vg_json_string(&d.w, "reason", reason);
    vg_draft_publish(&d);
}

void vg_event_autostart_changed(struct vg_request *rq, virDomainPtr dom, bool autostart)
{
    struct vg_event_draft d;

    vg_draft_domain(&d, rq->host, dom, VG_EVENT_DOMAIN, "autostart-change");
    vg_json_bool(&d.w, "autostart", autostart);
    vg_draft_publish(&d);
}

void vg_event_object_autostart_changed(struct vg_request *rq, enum vg_kind kind,
                                       const char *name, const char *uuid, bool autostart)
{
    static const char *const keys[VG_KINDS] = {[VG_KIND_NETWORK] = "network",
                                               [VG_KIND_STORAGE_POOL] = "storagePool",
                                               [VG_KIND_NODE_DEVICE] = "nodeDevice"};
    struct vg_event_draft d;

    vg_draft_begin(&d, rq->host, vg_kind_info(kind)->event, "autostart-change",
                   uuid ? uuid : name);
    vg_json_begin_object(&d.w, keys[kind]);
    vg_json_string(&d.w, "name", name);
    if (uuid)
        vg_json_string(&d.w, "uuid", uuid);
    vg_json_end_object(&d.w);
    vg_json_bool(&d.w, "autostart", autostart);
    vg_draft_publish(&d);
}

/* `event` is about the restore point that `key` names. */
static void tell_restore_point(struct vg_request *rq, virDomainPtr dom, const char *event,
                               const char *type, const char *key, const char *name)
{
    struct vg_event_draft d;

    vg_draft_domain(&d, rq->host, dom, VG_EVENT_DOMAIN, event);
    vg_json_string(&d.w, "type", type);
    vg_json_string(&d.w, key, name);
    vg_draft_publish(&d);
}

void vg_event_snapshot_changed(struct vg_request *rq, virDomainPtr dom, const char *type,
                               const char *snapshot)
{
    tell_restore_point(rq, dom, "snapshot-change", type, "snapshot", snapshot);
}

void vg_event_checkpoint_changed(struct vg_request *rq, virDomainPtr dom,
                                 const char *type, const char *checkpoint)
{
    tell_restore_point(rq, dom, "checkpoint-change", type, "checkpoint", checkpoint);
}
