/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libvirt's events: every event id of a host's event connection, as JSON into the ring.
 */
#pragma once

#include "server/core/event.h"

#include <libvirt/libvirt.h>

struct vg_host;

/* One registered callback. */
struct vg_event_handle {
    int (*deregister)(virConnectPtr conn, int callback);
    int callback;
};

struct vg_event_handles {
    struct vg_event_handle v[64];
    unsigned int n;
    bool covering; /* domains' lifecycle and metadata: without them nothing is kept */
};

/* Registers for all that the driver supports. It blocks as any libvirt call does. */
void vg_events_register(struct vg_host *host, virConnectPtr conn,
                        struct vg_event_handles *ret);

/* Also on a broken connection: it is not freed as long as callbacks hold it. */
void vg_events_deregister(virConnectPtr conn, struct vg_event_handles *handles);

/* Tells the watchers what became of the host's event connection: "opened", "closed",
 * "reset". `reason` may be NULL. */
void vg_event_connection(struct vg_host *host, const char *name, const char *reason);

/* ---- between virt_event*.c -----------------------------------------------------------
 */

/* An event in the making, on libvirt's event loop: nothing here may block. */
struct vg_event_draft {
    struct vg_host *host;
    struct vg_event_source source;
    struct vg_json w;
    char uuid[VIR_UUID_STRING_BUFLEN];
};

/* Names the domain, and opens the event's JSON. */
void vg_draft_domain(struct vg_event_draft *draft, void *host, virDomainPtr dom,
                     enum vg_event_object object, const char *name);
void vg_draft_publish(struct vg_event_draft *draft);
/* Answers about the host's domains that are kept in memory are given no more. Publishing
 * does so for what is of a domain; whoever tells anybody of an event before calls this
 * first. */
void vg_event_invalidate(struct vg_host *host);

/* A row for each event id; ended by one without a callback. */
struct vg_domain_event {
    int id; /* virDomainEventID */
    virConnectDomainEventGenericCallback callback;
};
extern const struct vg_domain_event vg_domain_events[];
