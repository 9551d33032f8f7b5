/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The body of a request, piece by piece, within its limits.
 */
#include "server/http/internal.h"

#include <string.h>

/* Twice as much each time, but no more than what may come. */
static size_t room_for(const struct vg_http_call *call, size_t needed)
{
    size_t size = call->body_size ? call->body_size : 1024;

    while (size < needed)
        size *= 2;
    return size < call->body_limit + 1 ? size : call->body_limit + 1;
}

/* The body with room for so much; what is secret is wiped where it was. NULL: out of
 * memory. */
static char *enlarge(struct vg_request *rq, size_t size)
{
    if (!vg_route_takes_secret(rq->route) || !rq->body)
        return realloc(rq->body, size);
    char *body = malloc(size);
    if (!body)
        return NULL;
    memcpy(body, rq->body, rq->body_length + 1);
    explicit_bzero(rq->body, rq->body_length);
    free(rq->body);
    return body;
}

static int grow_body(struct vg_http_call *call, size_t needed)
{
    struct vg_request *rq = call->rq;
    size_t size = room_for(call, needed);

    if (!vg_http_limit_take_body(call, size - call->body_size)) {
        vg_error_set(&rq->error, VG_E_OVERLOADED,
                     "The bodies of all requests, or those of this token, take all the "
                     "memory that is for them (body-memory, body-memory-per-token); try "
                     "again shortly");
        return -1;
    }
    call->body_size = size;
    char *body = enlarge(rq, size);
    if (!body)
        return vg_error_set_memory(&rq->error);
    rq->body = body;
    return 0;
}

bool vg_http_must_wipe(const struct vg_http_call *call)
{
    return !call->close && call->rq->route && vg_route_takes_secret(call->rq->route);
}

void vg_http_wipe(const struct vg_http_call *call, const char *data, size_t n)
{
    if (call->rq->route && vg_route_takes_secret(call->rq->route))
        explicit_bzero((char *)(uintptr_t)data, n);
}

int vg_http_take_body(struct vg_http_call *call, const char *data, size_t n)
{
    struct vg_request *rq = call->rq;

    if (rq->body_length + n > call->body_limit) {
        call->close = true;
        return vg_http_fail_size(call);
    }
    if (rq->body_length + n + 1 > call->body_size &&
        grow_body(call, rq->body_length + n + 1) < 0)
        return -1;
    memcpy(rq->body + rq->body_length, data, n);
    rq->body_length += n;
    rq->body[rq->body_length] = '\0';
    return 0;
}

void vg_http_release_body(struct vg_http_call *call)
{
    vg_http_limit_give_body(call, call->body_size);
    call->body_size = 0;
}
