/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/http/ticket.h"

#include <string.h>

/* By the headers that only a browser can set. `same-origin` is also right where a proxy
 * has changed the Host, but it is not sent by pages that came without TLS. */
static bool is_own_page(const struct vg_http_headers *h)
{
    return (h->fetch_site && strcmp(h->fetch_site, "same-origin") == 0) ||
           (h->origin && vg_http_is_own_origin(h->origin, h->host));
}

void vg_http_note_page(struct vg_http_call *call, const struct vg_config *config)
{
    const struct vg_http_headers *h = &call->headers;

    if (!h->origin && !h->fetch_site)
        return;
    if (is_own_page(h))
        call->rq->page = "";
    else if (h->origin)
        call->rq->page = vg_http_find_origin(h->origin, config);
}

const char *vg_http_ticket_of(const struct vg_http_call *call)
{
    struct vg_request *rq = call->rq;

    if (rq->method != VG_GET || !rq->route || !vg_route_gives_session(rq->route))
        return NULL;
    for (unsigned int i = 0; i < rq->n_query; i++) {
        if (strcmp(rq->query[i].key, "ticket") == 0) {
            rq->target[rq->path_length] = '\0';
            return rq->query[i].value;
        }
    }
    return NULL;
}
