/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Answers of /hosts/-/... in memory, as they were joined: one may be given out as long as
 * each host's part of it may.
 */
#pragma once

#include "server/core/request.h"
#include "virtgate/reply.h"

/* One host's part: what was read, and when. */
struct vg_joined_part {
    struct vg_host *host;
    struct vg_reading reading;
};

/* Answers a read of all hosts from memory. False: it is not there. Any thread, does not
 * block. */
bool vg_joined_find(const struct vg_request *rq, struct vg_reply *ret);

/* Keeps an answer. Takes over the malloc'd parts: those of every host that the caller
 * sees. */
void vg_joined_keep(const struct vg_request *rq, struct vg_joined_part *parts_steal,
                    size_t n, const struct vg_reply *reply);

/* When there are no more requests. */
void vg_joined_free(void);
