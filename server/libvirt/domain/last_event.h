/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The newest event of each of some domains, from the ring of events: no call to the host.
 */
#pragma once

#include "server/core/event.h"
#include "server/libvirt/domain/data.h"

struct vg_last_events {
    struct vg_last_event *v; /* sorted by UUID; owned */
    size_t n, left;          /* domains; those of which no event was found yet */
    const struct vg_request *rq;
};

void vg_last_events_clear(struct vg_last_events *events);
#define vg_auto_last_events VG_CLEANUP(vg_last_events_clear) struct vg_last_events

/* Finds those of the request's host, of these domains. -1: the request's error is set. */
int vg_last_events_find(struct vg_last_events *events, struct vg_request *rq,
                        const struct vg_domain_data *domains, size_t n);

/* That of a domain; NULL: none is kept. Borrowed. */
const struct vg_event *vg_last_event_of(const struct vg_last_events *events,
                                        const unsigned char *uuid);
