/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a handler that subscribes gives to the HTTP side.
 */
#pragma once

#include "server/core/event.h"

struct vg_subscription {
    void (*close)(struct vg_subscription *subscription); /* vg_subscription_free() */
    struct vg_subscriber *subscriber;                    /* owned */
    bool reset; /* begins by telling that something was missed */
    uint64_t after;
    bool poll; /* one answer, not a stream */
    unsigned int limit;
    int64_t due_ns; /* when a poll is answered at the latest */
};

/* Accepts NULL. */
void vg_subscription_free(struct vg_subscription *subscription);
