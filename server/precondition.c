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

/* What a client may have read before it changes a configuration: the default view, or the
 * document with the flags that a change is made from. */
static const struct {
    struct vg_pair query[2];
    unsigned int n;
} forms[] = {
    {.n = 0},
    {{{"view", "config"}}, 1},
    {{{"view", "config"}, {"flags", "inactive"}}, 2},
    {{{"view", "config"}, {"flags", "secure"}}, 2},
    {{{"view", "config"}, {"flags", "inactive,secure"}}, 2},
};

/* Whether the header names the tag of one form. 1: yes; 0: no; -1: not known, the
 * request's error is set. */
static int matches(struct vg_request *rq, size_t form)
{
    char tag[20];
    struct vg_pair query[2];
    struct vg_request read = {
        .method = VG_GET,
        .method_name = "GET",
        .target = rq->target,
        .path_length = rq->path_length,
        .n_segments = rq->n_segments,
        .first_segment = rq->first_segment,
        .query = query,
        .n_query = forms[form].n,
        .by = rq->by,
        .role = rq->role,
        .host = rq->host,
        .prefix = rq->prefix,
        .route = rq->read_route,
        .lease = rq->lease,
        .watched = rq->watched, /* borrowed */
    };
    memcpy(query, forms[form].query, sizeof(query));
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
    vg_reply_prepare(&reply);
    snprintf(tag, sizeof(tag), "\"%016" PRIx64, exists ? reply.body->hash : 0);
    vg_reply_clear(&reply);
    if (strcmp(rq->if_match, "*") == 0)
        return 1; /* of what is not there, the change says what is wrong */
    return exists && strstr(rq->if_match, tag);
}

int vg_precondition_check(struct vg_request *rq)
{
    if (!rq->if_match)
        return 0;
    if (!rq->read_route)
        return fail(rq);
    size_t n = rq->route->flags & VG_CONFIG ? sizeof(forms) / sizeof(forms[0]) : 1;
    for (size_t i = 0; i < n; i++) {
        int found = matches(rq, i);
        if (found)
            return found < 0 ? -1 : 0;
    }
    return fail(rq);
}
