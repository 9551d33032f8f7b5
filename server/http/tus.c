/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/http/tus.h"

#include "server/core/tus.h"
#include "server/http/header.h"

#include <string.h>
#include <strings.h>

/* OPTIONS has no row, so there the path is looked at. */
bool vg_http_is_below_uploads(const struct vg_request *rq)
{
    unsigned int first =
        rq->n_segments > 2 && strcmp(rq->segments[0], "hosts") == 0 ? 2 : 0;
    return rq->n_segments > first && strcmp(rq->segments[first], "uploads") == 0;
}

static bool is_resumable(const struct vg_request *rq)
{
    return rq->route ? rq->route->resumable
                     : rq->method == VG_OPTIONS && vg_http_is_below_uploads(rq);
}

void vg_http_tus_override(struct vg_http_call *call)
{
    const char *wanted = call->headers.method_override;
    struct vg_request *rq = call->rq;

    if (!wanted || rq->method != VG_POST || !vg_http_is_below_uploads(rq))
        return;
    if (strcasecmp(wanted, "PATCH") == 0)
        rq->method = VG_PATCH;
    else if (strcasecmp(wanted, "DELETE") == 0)
        rq->method = VG_DELETE;
}

int vg_http_tus_check(struct vg_http_call *call)
{
    const struct vg_http_headers *h = &call->headers;
    struct vg_request *rq = call->rq;

    if (!rq->route->resumable)
        return 0;
    bool read = rq->method == VG_GET || rq->method == VG_HEAD;
    if (h->tus_resumable ? strcmp(h->tus_resumable, VG_TUS_VERSION) != 0 : !read) {
        vg_error_set(&rq->error, VG_E_TUS_VERSION,
                     "Tus-Resumable is %s%.20s; " VG_TUS_VERSION " is spoken here",
                     h->tus_resumable ? "" : "missing",
                     h->tus_resumable ? h->tus_resumable : "");
        return -1;
    }
    const struct vg_tus_fields fields = {.length = h->upload_length,
                                         .defer_length = h->upload_defer_length,
                                         .offset = h->upload_offset,
                                         .metadata = h->upload_metadata,
                                         .checksum = h->upload_checksum};
    return vg_tus_set_fields(rq, &fields);
}

void vg_http_tus_answer(const struct vg_http_call *call, const struct vg_reply *reply,
                        struct MHD_Response **response)
{
    if (!is_resumable(call->rq))
        return;
    vg_http_add_header(response, "Tus-Resumable", VG_TUS_VERSION);
    if (call->rq->method != VG_OPTIONS && reply->status != 412)
        return;
    vg_http_add_header(response, "Tus-Version", VG_TUS_VERSION);
    vg_http_add_header(response, "Tus-Extension", VG_TUS_EXTENSIONS);
    vg_http_add_header(response, "Tus-Checksum-Algorithm", VG_TUS_CHECKSUMS);
}
