/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libvirt's events: every event id of a host's event connection, as JSON into the ring.
 */
#pragma once

#include <libvirt/libvirt.h>
#include <stdbool.h>

struct vg_host;

/* One registered callback. */
struct vg_event_handle {
    int (*deregister)(virConnectPtr conn, int callback);
    int callback;
};

struct vg_event_handles {
    struct vg_event_handle v[64];
    unsigned int n;
    /* The kinds, bits 1 << enum vg_kind, whose events that cover what is kept of them
     * arrive: the lifecycle, and domains' metadata. */
    unsigned int covered;
};

/* Registers for all that the driver supports. It blocks as any libvirt call does. */
void vg_events_register(struct vg_host *host, virConnectPtr conn,
                        struct vg_event_handles *ret);

/* Also on a broken connection: it is not freed as long as callbacks hold it. */
void vg_events_deregister(virConnectPtr conn, struct vg_event_handles *handles);

/* The events of domains: a row for each event id, in libvirt/event_domain.c; ended by one
 * without a callback. */
struct vg_domain_event {
    int id; /* virDomainEventID */
    virConnectDomainEventGenericCallback callback;
};
extern const struct vg_domain_event vg_domain_events[];
