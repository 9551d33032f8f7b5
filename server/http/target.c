/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Forms of a request's target that are not a path (RFC 9112, 3.2).
 */
#include "server/http/internal.h"

#include <string.h>
#include <strings.h>

void vg_http_take_prefix(struct vg_http_call *call)
{
    struct vg_request *rq = call->rq;
    const char *below = vg_path_below_prefix(rq->target);

    if (below == rq->target || strcmp(rq->target, "*") == 0)
        return;
    rq->outside = !below;
    if (!below)
        return;
    bool bare = *below != '/'; /* the prefix alone is the root, too */
    rq->target[0] = '/';
    memmove(rq->target + bare, below, strlen(below) + 1);
    rq->path_length = strcspn(rq->target, "?");
}

/* The length of "http://" or "https://"; 0: the target does not begin with it. */
static size_t scheme_length(const char *target)
{
    return strncasecmp(target, "http://", 7) == 0    ? 7
           : strncasecmp(target, "https://", 8) == 0 ? 8
                                                     : 0;
}

/* What stands for no path at all: of OPTIONS, the server. */
static void replace_empty_path(struct vg_request *rq, char *rest)
{
    if (*rest == '\0')
        memcpy(rq->target, rq->method == VG_OPTIONS ? "*" : "/", 2);
    else if (*rest == '?') {
        rq->target[0] = '/';
        memmove(rq->target + 1, rest, strlen(rest) + 1);
    } else
        memmove(rq->target, rest, strlen(rest) + 1);
}

int vg_http_take_authority(struct vg_http_call *call)
{
    struct vg_request *rq = call->rq;
    size_t scheme = scheme_length(rq->target);

    if (scheme == 0)
        return 0;
    char *authority = rq->target + scheme;
    size_t n = strcspn(authority, "/?#");
    call->headers.authority = strndup(authority, n);
    if (!call->headers.authority)
        return vg_error_set_memory(&rq->error);
    call->headers.host = call->headers.authority;
    replace_empty_path(rq, authority + n);
    rq->path_length = strcspn(rq->target, "?");
    return 0;
}
