/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See http/upload.h. The stream's lock is what the network thread and whoever answers
 * have in common: `status` and `response` of the call are written under it.
 */
#include "server/http/upload.h"

#include "server/core/body_stream.h"
#include "server/http/conn.h"
#include "server/http/past.h"
#include "server/http/session.h"

/* How long a client may go on after its answer. */
#define GOODBYE_SECONDS 5

static void suspend(void *data)
{
    const struct vg_http_call *call = data;
    MHD_suspend_connection(call->connection);
}

static void resume(void *data)
{
    const struct vg_http_call *call = data;
    MHD_resume_connection(call->connection);
}

static void end_session(void *data)
{
    vg_body_stream_break(data, VG_E_UNAUTHORIZED, VG_SESSION_OVER);
}

int vg_http_upload_begin(struct vg_http_call *call)
{
    const struct vg_http_headers *h = &call->headers;
    const struct vg_body_source source = {suspend, resume, call};
    const struct vg_body_fields fields = {h->content_range, h->content_digest,
                                          h->repr_digest};

    call->rq->stream = vg_body_stream_new(
        &source, h->transfer_encoding ? -1 : (int64_t)call->announced, &fields);
    if (!call->rq->stream)
        return vg_error_set_memory(&call->rq->error);
    vg_http_session_begin(&call->session, call, end_session, call->rq->stream);
    vg_body_stream_hold(call->rq->stream);
    return 0;
}

static enum MHD_Result send_answer(struct vg_http_call *call)
{
    if (!call->response)
        return MHD_NO; /* it was sent in the middle of the body */
    enum MHD_Result rc =
        MHD_queue_response(call->connection, (unsigned int)call->status, call->response);
    vg_http_release_response(call);
    return rc;
}

/* Of a chunked body, what libmicrohttpd lets through. */
static enum MHD_Result check_chunk(struct vg_http_call *call, const char *fault)
{
    if (call->headers.transfer_encoding && fault)
        vg_body_stream_break(call->rq->stream, VG_E_BAD_REQUEST, fault);
    return MHD_YES;
}

static enum MHD_Result receive(struct vg_http_call *call, const char *data, size_t *size)
{
    (void)check_chunk(call, vg_mhd_find_chunk_fault(data));
    *size -= vg_body_stream_put(call->rq->stream, data, *size);
    if (!*size && !vg_http_is_tls(call->connection))
        (void)vg_body_stream_hand_over(call->rq->stream, call->conn->fd);
    return MHD_YES;
}

enum MHD_Result vg_http_upload_step(struct vg_http_call *call, const char *data,
                                    size_t *size)
{
    struct vg_body_stream *stream = call->rq->stream;

    if (vg_body_stream_is_answered(stream))
        return send_answer(call);
    if (*size)
        return receive(call, data, size);
    if (!call->receiving) {
        call->receiving = true;
        return MHD_YES; /* the body may come */
    }
    (void)check_chunk(call, vg_mhd_find_trailer_fault(call->connection));
    return vg_body_stream_end(stream) ? MHD_YES : send_answer(call);
}

/* ---- answers ------------------------------------------------------------------------
 */

void vg_http_upload_answer(struct vg_request *rq, struct vg_reply *reply, bool closing)
{
    struct vg_body_stream *stream = rq->stream;
    struct vg_http_call *call = rq->done_data; /* where the client has not gone */

    switch (vg_body_stream_lock_answer(stream)) {
    case VG_ANSWER_NOBODY:
        vg_reply_clear(reply);
        break;
    case VG_ANSWER_IN_TURN:
        if (!call->receiving && vg_http_has_body(&call->headers))
            call->close = call->conn->lingers = true;
        vg_http_build_response(call, reply, reply->allow, closing);
        break;
    case VG_ANSWER_MEANWHILE:
        call->conn->lingers = true;
        vg_http_answer_past(call, reply);
        vg_http_set_deadline(call->conn, GOODBYE_SECONDS);
        break;
    }
    vg_body_stream_unlock(stream);
}

void vg_http_upload_end(struct vg_http_call *call)
{
    if (call->rq->stream)
        vg_body_stream_leave(call->rq->stream);
}
