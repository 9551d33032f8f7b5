/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * From a reply to the wire: entity tags and conditional requests (RFC 9110), compression,
 * the header fields every answer has; and the access line.
 */
#include "server/http_internal.h"

#include "virtgate/cleanup.h"
#include "virtgate/log.h"

#include <stdio.h>
#include <string.h>

/* An answer without one of its fields (Content-Encoding, say) is another answer: without
 * memory for it, it is not sent. */
static void add_header(struct MHD_Response **response, const char *name,
                       const char *value)
{
    if (!*response || !value ||
        MHD_add_response_header(*response, name, value) == MHD_YES)
        return;
    MHD_destroy_response(*response);
    *response = NULL;
}

/* If-None-Match: a list of tags or the wildcard; weak comparison, so W/ does not matter.
 */
static bool tag_listed(const char *list, const char *tag)
{
    if (strcmp(list, "*") == 0)
        return true;
    const char *at = strstr(list, tag); /* the tag has its quotes */
    return at != NULL;
}

static void free_body(void *data)
{
    vg_body_unref(data);
}

/* The bytes to send: plain, compressed, or none. Takes the reply's body. */
static struct MHD_Response *make_entity(struct vg_reply *reply, bool gzip)
{
    struct vg_body *body = vg_take(&reply->body);
    if (!body)
        return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    const char *data = gzip ? body->gzip : body->data;
    size_t length = gzip ? body->gzip_length : body->length;
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback_cls(
            length, (void *)(uintptr_t)data, free_body, body);
    if (!response)
        vg_body_unref(body);
    return response;
}

static void add_cors(struct vg_http_call *call, struct MHD_Response **response)
{
    if (!call->origin)
        return;
    add_header(response, "Access-Control-Allow-Origin", call->origin);
    add_header(response, "Access-Control-Expose-Headers",
               "ETag, Link, Location, Retry-After, X-Request-Id");
    if (call->rq->method == VG_OPTIONS) {
        add_header(response, "Access-Control-Allow-Methods",
                   "GET, HEAD, PUT, PATCH, POST, DELETE");
        add_header(
            response, "Access-Control-Allow-Headers",
            "Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, "
            "Prefer, X-Request-Id");
        add_header(response, "Access-Control-Max-Age", "600");
    }
}

static void add_common(struct vg_http_call *call, const struct vg_reply *reply,
                       struct MHD_Response **response)
{
    add_header(response, "X-Request-Id", call->rq->id);
    add_header(response, "Location", reply->location);
    add_header(response, "Link", reply->link);
    if (reply->retry_after) {
        char text[16];
        snprintf(text, sizeof(text), "%u", reply->retry_after);
        add_header(response, "Retry-After", text);
    }
    if (reply->status == 401)
        add_header(response, "WWW-Authenticate", "Bearer realm=\"virtgate\"");
    add_cors(call, response);
}

/* "0123456789abcdef", "0123456789abcdef-gz" with the quotes */
static void write_etag(char *ret, uint64_t hash, bool gzip)
{
    static const char digits[] = "0123456789abcdef";
    const char *end = gzip ? "-gz\"" : "\"";

    *ret++ = '"';
    for (int shift = 60; shift >= 0; shift -= 4)
        *ret++ = digits[hash >> shift & 15];
    memcpy(ret, end, strlen(end) + 1);
}

void vg_http_build_response(struct vg_http_call *call, struct vg_reply *reply,
                            const char *allow, bool closing)
{
    struct vg_request *rq = call->rq;
    bool read = rq->method == VG_GET || rq->method == VG_HEAD;
    unsigned int flags = rq->route ? rq->route->flags : 0;
    char etag[32] = "";

    vg_reply_prepare(reply, call->gzip);
    bool gzip = call->gzip && reply->body && reply->body->gzip;
    /* metrics are never twice the same */
    if (reply->status == 200 && read && reply->body && !(flags & VG_GIVES_METRICS))
        write_etag(etag, reply->body->hash, gzip);
    if (etag[0] && call->etag_wanted && tag_listed(call->etag_wanted, etag)) {
        vg_body_unref(vg_take(&reply->body));
        reply->status = 304;
        reply->type = NULL;
    }
    bool entity = reply->body != NULL;
    bool reply_varies = gzip || (entity && vg_body_compresses(reply->body));
    struct MHD_Response *response = make_entity(reply, gzip && entity);
    if (response) {
        add_header(&response, "Content-Type", reply->type);
        if (gzip && entity)
            add_header(&response, "Content-Encoding", "gzip");
        if (etag[0])
            add_header(&response, "ETag", etag);
        if (read && reply->status == 200 && entity &&
            (call->origin || flags & (VG_GIVES_XML | VG_GIVES_METRICS) || reply_varies))
            add_header(&response, "Vary", "Accept, Accept-Encoding, Origin");
        add_header(&response, "Cache-Control", "no-cache");
        add_header(&response, "X-Content-Type-Options", "nosniff");
        add_header(&response, "Allow", allow);
        add_common(call, reply, &response);
        if (closing || call->close)
            add_header(&response, "Connection", "close");
    }
    call->status = reply->status;
    call->response = response;
    vg_reply_clear(reply);
}

/* ---- the access line --------------------------------------------------------------- */

void vg_http_log_access(const struct vg_http_call *call)
{
    const struct vg_request *rq = call->rq;

    if (!call->begun || !vg_log_enabled(VG_LOG_INFO, "access"))
        return;
    /* not the query: a client may have put a secret there by mistake */
    vg_autofree char *path = strndup(rq->target, rq->path_length);
    const struct vg_log_field fields[] = {
        VG_LOG_TEXT("method", rq->method_name),
        VG_LOG_TEXT("path", path),
        VG_LOG_NUMBER("status", call->status),
        VG_LOG_NUMBER("durationUs", (vg_now_ns() - rq->start_ns) / 1000),
        VG_LOG_TEXT("host", vg_host_name(rq)),
        VG_LOG_TEXT("principal", rq->principal[0] ? rq->principal : "-"),
        VG_LOG_TEXT("requestId", rq->id),
        VG_LOG_TEXT("traceparent", call->traceparent),
    };
    vg_log_fields(VG_LOG_INFO, "access", "request", fields,
                  sizeof(fields) / sizeof(fields[0]));
}
