/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The MAC addresses of the guests that the caller may see, for what a network tells by
 * MAC address alone: its leases, its fixed addresses.
 */
#pragma once

#include "virtgate/request.h"

struct vg_seen_macs {
    json_t *set; /* owned; its keys, in lower case; NULL: the caller sees all guests */
};

/* Asks the host for the guests of the caller's scope and their documents; nothing for who
 * sees all. -1: the request's error is set. */
int vg_seen_macs_read(struct vg_request *rq, struct vg_seen_macs *ret);
/* Whether the caller may see what has this address; NULL, none, is nobody's. */
bool vg_seen_macs_have(const struct vg_seen_macs *macs, const char *mac);

static inline void vg_seen_macs_clean(struct vg_seen_macs *macs)
{
    json_decref(macs->set);
}
#define vg_auto_seen_macs __attribute__((cleanup(vg_seen_macs_clean))) struct vg_seen_macs
