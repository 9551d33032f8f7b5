/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The representation that If-Match means is GET's at the same path, or, for an action, at
 * the object's. It is read by the worker that then makes the change.
 */
#include "server/precondition.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int fail(struct vg_request *rq)
{
    vg_error_set(&rq->error, VG_E_PRECONDITION_FAILED,
                 "It has changed since it was read (If-Match); read it again");
    return -1;
}

int vg_precondition_check(struct vg_request *rq)
{
    char tag[20];

    if (!rq->if_match)
        return 0;
    if (!rq->read_route)
        return fail(rq);
    struct vg_request read = {
        .method = VG_GET,
        .method_name = "GET",
        .target = rq->target,
        .path_length = rq->path_length,
        .n_segments = rq->n_segments,
        .first_segment = rq->first_segment,
        .by = rq->by,
        .role = rq->role,
        .host = rq->host,
        .prefix = rq->prefix,
        .route = rq->read_route,
        .lease = rq->lease,
        .watched = rq->watched, /* borrowed */
    };
    memcpy(read.segments, rq->segments, sizeof(read.segments));
    struct vg_reply reply = read.route->handler(&read);
    if (reply.status >= 500) { /* not known: not changed */
        vg_reply_clear(&reply);
        rq->error = read.error;
        if (!rq->error.status)
            vg_error_set(&rq->error, VG_E_INTERNAL, "Out of memory");
        return -1;
    }
    vg_error_clear(&read.error);
    bool exists = reply.status == 200;
    vg_reply_prepare(&reply, false);
    snprintf(tag, sizeof(tag), "\"%016" PRIx64, exists ? reply.body->hash : 0);
    vg_reply_clear(&reply);
    if (!exists)
        return strcmp(rq->if_match, "*") == 0
                   ? 0
                   : fail(rq); /* the change says what is wrong */
    return strcmp(rq->if_match, "*") == 0 || strstr(rq->if_match, tag) ? 0 : fail(rq);
}
