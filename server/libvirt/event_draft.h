/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An event in the making, from libvirt's callback to the ring.
 */
#pragma once

#include "server/core/event.h"
#include "virtgate/kind.h"

#include <libvirt/libvirt.h>

struct vg_host;

/* An event in the making, on libvirt's event loop: nothing here may block. */
struct vg_event_draft {
    struct vg_host *host;
    struct vg_event_source source;
    struct vg_json w;
    char uuid[VIR_UUID_STRING_BUFLEN];
};

/* Begins the event's JSON; the caller adds the members of its object to `w`. `key` is the
 * object's UUID, or its name where it has none, and lives until the event is published;
 * NULL: the event is about no object. */
void vg_draft_begin(struct vg_event_draft *draft, void *host, enum vg_event_object object,
                    const char *name, const char *key);
/* The same of a domain, which it names. */
void vg_draft_domain(struct vg_event_draft *draft, void *host, virDomainPtr dom,
                     enum vg_event_object object, const char *name);
void vg_draft_publish(struct vg_event_draft *draft);
/* Invalidates the answers in memory about objects of that kind; VG_EVENT_CONNECTION:
 * about all. Publishing an event does it. Whoever tells of an event before it is
 * published calls this first. */
void vg_event_invalidate(struct vg_host *host, enum vg_event_object object);

/* Tells subscribers that the gateway has changed whether an object of that kind starts
 * with its host, of which libvirt has no event. `uuid` NULL: the kind has none. */
void vg_event_object_autostart_changed(struct vg_request *rq, enum vg_kind kind,
                                       const char *name, const char *uuid,
                                       bool autostart);

/* Tells the subscribers what became of the host's event connection: "opened", "closed",
 * "reset". `reason` may be NULL. */
void vg_event_connection(struct vg_host *host, const char *name, const char *reason);
