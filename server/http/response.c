/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * From a reply to the wire: entity tags and conditional requests (RFC 9110), compression,
 * the header fields every answer has; and the access line.
 */
#include "server/core/content.h"
#include "server/core/entity_tag.h"
#include "server/core/event.h"
#include "server/core/tus.h"
#include "server/http/header.h"
#include "server/http/internal.h"
#include "server/http/tus.h"
#include "server/http/websocket.h"

#include "virtgate/cleanup.h"
#include "server/base/log.h"

#include <stdio.h>
#include <string.h>

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

static void free_counted(void *data)
{
    vg_http_limit_sent(data);
    vg_body_unref(data);
}

static void add_cors(const struct vg_http_call *call, struct MHD_Response **response)
{
    if (!call->origin)
        return;
    vg_http_add_header(response, "Access-Control-Allow-Origin", call->origin);
    vg_http_add_header(
        response, "Access-Control-Expose-Headers",
        "Accept-Patch, Accept-Ranges, Age, Allow, Content-Disposition, Content-Range, "
        "ETag, Link, Location, Preference-Applied, RateLimit, RateLimit-Policy, "
        "Retry-After, Tus-Checksum-Algorithm, Tus-Extension, Tus-Resumable, Tus-Version, "
        "Upload-Expires, Upload-Length, Upload-Metadata, Upload-Offset, "
        "WWW-Authenticate, X-Request-Id, X-Virtgate-Revision, X-Virtgate-Source");
    if (call->rq->method == VG_OPTIONS) {
        vg_http_add_header(response, "Access-Control-Allow-Methods",
                           "GET, HEAD, PUT, PATCH, POST, DELETE");
        vg_http_add_header(
            response, "Access-Control-Allow-Headers",
            "Authorization, Cache-Control, Content-Digest, Content-Range, Content-Type, "
            "If-Match, If-None-Match, Idempotency-Key, If-Range, Last-Event-ID, Prefer, "
            "Range, Repr-Digest, traceparent, Tus-Resumable, Upload-Checksum, "
            "Upload-Defer-Length, Upload-Length, Upload-Metadata, Upload-Offset, "
            "X-HTTP-Method-Override, X-Request-Id");
        vg_http_add_header(response, "Access-Control-Max-Age", "600");
    }
}

/* Where the data is from, and how new it is at least. */
static void add_provenance(const struct vg_reply *reply, struct MHD_Response **response)
{
    char text[VG_REVISION_SIZE];

    if (reply->has_revision) {
        vg_event_write_revision(text, reply->revision);
        vg_http_add_header(response, "X-Virtgate-Revision", text);
    }
    if (reply->source == VG_SOURCE_LIBVIRT)
        vg_http_add_header(response, "X-Virtgate-Source", "libvirt");
    if (reply->source != VG_SOURCE_INVENTORY)
        return;
    snprintf(text, sizeof(text), "%u", reply->age_seconds);
    vg_http_add_header(response, "X-Virtgate-Source", "inventory");
    vg_http_add_header(response, "Age", text);
}

static void add_location(const char *location, struct MHD_Response **response)
{
    vg_autofree char *whole = NULL;

    if (!location || !*vg_path_prefix()) {
        vg_http_add_header(response, "Location", location);
    } else if (asprintf(&whole, "%s%s", vg_path_prefix(), location) >= 0) {
        vg_http_add_header(response, "Location", whole);
    } else if (*response) {
        MHD_destroy_response(*response);
        *response = NULL;
    }
}

/* draft-ietf-httpapi-ratelimit-headers: the limit, and when one more is accepted. */
static void add_rate_limit(const struct vg_http_rate_limit *past,
                           struct MHD_Response **response)
{
    char text[96];

    if (!past->name)
        return;
    snprintf(text, sizeof(text), "\"%s\";q=%lld;w=%u", past->name, (long long)past->quota,
             past->window);
    vg_http_add_header(response, "RateLimit-Policy", text);
    snprintf(text, sizeof(text), "\"%s\";r=0;t=%u", past->name, past->until_next);
    vg_http_add_header(response, "RateLimit", text);
}

static void add_fields(const struct vg_reply_fields *fields,
                       struct MHD_Response **response)
{
    for (unsigned int i = 0; fields && i < fields->n; i++)
        vg_http_add_header(response, fields->v[i].name, fields->v[i].value);
}

/* The methods of the path, and what its PATCH takes (RFC 5789, 3.1). */
static void add_methods(const struct vg_request *rq, const char *allow,
                        struct MHD_Response **response)
{
    vg_http_add_header(response, "Allow", allow);
    if (allow && strstr(allow, "PATCH"))
        vg_http_add_header(response, "Accept-Patch",
                           vg_http_is_below_uploads(rq) ? VG_TUS_TYPE
                                                        : "application/merge-patch+json");
}

static void add_common(const struct vg_http_call *call, const struct vg_reply *reply,
                       struct MHD_Response **response)
{
    vg_http_add_header(response, "X-Request-Id", call->rq->id);
    add_location(reply->location, response);
    vg_http_add_header(response, "Link", reply->link);
    add_provenance(reply, response);
    char applied[48];
    vg_prefer_applied(call->rq, reply->status, applied, sizeof(applied));
    if (applied[0])
        vg_http_add_header(response, "Preference-Applied", applied);
    if (reply->retry_after) {
        char text[16];
        snprintf(text, sizeof(text), "%u", reply->retry_after);
        vg_http_add_header(response, "Retry-After", text);
    }
    add_rate_limit(&call->past, response);
    add_fields(reply->fields, response);
    vg_http_tus_answer(call, reply, response);
    if (reply->status == 401)
        vg_http_add_header(response, "WWW-Authenticate",
                           call->rq->lacks_certificate
                               ? "ClientCertificate realm=\"virtgate\""
                               : "Bearer realm=\"virtgate\"");
    add_cors(call, response);
}

/* The form of a reply that goes to this client. */
struct form {
    const struct vg_gzipped *gzipped; /* NULL: as it is */
    char etag[VG_TAG_SIZE];           /* "": none */
    bool known;                       /* the client has it already: 304 */
    bool varies;
    bool counted; /* among those that wait for a reader */
};

/* The bytes to send: plain, compressed, or none. Takes the reply's body. */
static struct MHD_Response *make_entity(struct vg_http_call *call, struct vg_reply *reply,
                                        const struct form *form)
{
    struct vg_body *body = vg_take(&reply->body);
    if (reply->channel)
        return vg_http_websocket_of(call, vg_take(&reply->channel));
    if (reply->subscription)
        return call->wants_websocket
                   ? vg_http_websocket(call, vg_take(&reply->subscription))
                   : vg_http_event_stream(call, vg_take(&reply->subscription));
    if (reply->feed)
        return vg_http_content(call, reply->status, vg_take(&reply->feed));
    if (!body)
        return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    const struct vg_gzipped *gzipped = form->gzipped;
    MHD_ContentReaderFreeCallback done = form->counted ? free_counted : free_body;
    const char *data = gzipped ? gzipped->data : vg_body_plain(body);
    size_t length = gzipped ? gzipped->length : body->length;
    struct MHD_Response *response =
        data ? MHD_create_response_from_buffer_with_free_callback_cls(
                   length, (void *)(uintptr_t)data, done, body)
             : NULL;
    if (!response)
        done(body);
    return response;
}

static bool is_known(const struct vg_http_call *call, const struct form *form)
{
    const char *list = call->headers.if_none_match;
    return list && form->etag[0] && tag_listed(list, form->etag);
}

/* What the client has already is not compressed to find out. */
static struct form choose_form(const struct vg_http_call *call, struct vg_reply *reply)
{
    const struct vg_request *rq = call->rq;
    bool read = rq->method == VG_GET || rq->method == VG_HEAD;
    /* metrics are never twice the same */
    bool tagged = reply->status == 200 && read && reply->body && !reply->body->secret &&
                  rq->route->gives != VG_GIVES_METRICS && !rq->route->resumable;
    bool packs = reply->body && vg_body_compresses(reply->body);
    struct form form = {.varies = packs};

    if (tagged)
        vg_tag_write(form.etag, rq, reply->body, packs && call->gzip);
    else if (reply->feed && reply->feed->hash)
        vg_tag_write(form.etag, rq, &(struct vg_body){.hash = reply->feed->hash}, false);
    form.known = is_known(call, &form);
    if (form.known || !packs || !call->gzip)
        return form;
    form.gzipped = vg_body_gzipped(reply->body);
    if (tagged && !form.gzipped) {
        vg_tag_write(form.etag, rq, reply->body, false);
        form.known = is_known(call, &form);
    }
    return form;
}

static void add_entity(const struct vg_http_call *call, const struct vg_reply *reply,
                       const struct form *form, struct MHD_Response **response)
{
    const struct vg_request *rq = call->rq;

    vg_http_add_header(response, "Content-Type", reply->type);
    if (form->gzipped)
        vg_http_add_header(response, "Content-Encoding", "gzip");
    if (form->etag[0])
        vg_http_add_header(response, "ETag", form->etag);
    bool metrics = reply->status == 200 && rq->route->gives == VG_GIVES_METRICS;
    if (metrics ||
        (form->etag[0] &&
         (call->origin || call->headers.authorization || vg_route_gives_xml(rq->route) ||
          rq->route->gives == VG_GIVES_IMAGE || form->varies)))
        vg_http_add_header(response, "Vary",
                           "Accept, Accept-Encoding, Authorization, Origin");
}

/* ---- the same answer again --------------------------------------------------------- */

/* libmicrohttpd allocates three times for each header field. Who polls gets the same
 * answer again and again, so a connection remembers its last one, if it is kept anyway
 * and short, or 304: of the next one only the id is new. Nobody else uses the response:
 * the connection is done with it when its next request comes. */
#define REMEMBERED_SIZE (16 * 1024)

static bool is_memorable(const struct vg_http_call *call, const struct vg_reply *reply,
                         const struct form *form, bool closing)
{
    const struct vg_prefer *prefer = &call->rq->prefer; /* the answer says so */
    if (!form->etag[0] || reply->feed || call->origin || closing || reply->location ||
        reply->link || prefer->waits || prefer->respond_async)
        return false;
    bool kept = reply->body->type || reply->source == VG_SOURCE_INVENTORY;
    return form->known || (kept && reply->body->length <= REMEMBERED_SIZE);
}

static bool is_remembered(const struct vg_http_sent *sent,
                          const struct vg_http_call *call, const struct vg_reply *reply,
                          const struct form *form)
{
    return sent->response && sent->route == call->rq->route &&
           sent->body == reply->body && strcmp(sent->etag, form->etag) == 0 &&
           sent->source == reply->source && sent->has_revision == reply->has_revision &&
           sent->revision == reply->revision && sent->age_seconds == reply->age_seconds;
}

static void remember(struct vg_http_sent *sent, const struct vg_http_call *call,
                     const struct vg_body *body, const struct vg_reply *reply,
                     const struct form *form)
{
    if (sent->response)
        MHD_destroy_response(sent->response);
    *sent = (struct vg_http_sent){
        .response = call->response,
        .body = body,
        .route = call->rq->route,
        .source = reply->source,
        .has_revision = reply->has_revision,
        .revision = reply->revision,
        .age_seconds = reply->age_seconds,
    };
    memcpy(sent->etag, form->etag, sizeof(sent->etag));
    memcpy(sent->id, call->rq->id, sizeof(sent->id));
}

static void send_again(struct vg_http_sent *sent, struct vg_http_call *call)
{
    MHD_del_response_header(sent->response, "X-Request-Id", sent->id);
    vg_http_add_header(&sent->response, "X-Request-Id", call->rq->id);
    memcpy(sent->id, call->rq->id, sizeof(sent->id));
    call->response = sent->response;
}

void vg_http_release_response(struct vg_http_call *call)
{
    struct MHD_Response *response = vg_take(&call->response);

    if (response && response != call->conn->sent.response)
        MHD_destroy_response(response);
}

/* ---- responses --------------------------------------------------------------------- */

/* What a page of the gateway's may do: load its own files and ask the gateway, nobody
 * else. Swagger UI's icons are data, a guest's screenshot is a blob. */
#define PAGE_POLICY                                                                      \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: "     \
    "blob:; "                                                                            \
    "connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"

static void add_policy(const struct vg_route *route, struct MHD_Response **response)
{
    vg_http_add_header(response, "X-Content-Type-Options", "nosniff");
    if (route && route->gives == VG_GIVES_PAGE)
        vg_http_add_header(response, "Content-Security-Policy", PAGE_POLICY);
}

static struct MHD_Response *make_response(struct vg_http_call *call,
                                          struct vg_reply *reply, const struct form *form,
                                          const char *allow, bool closing)
{
    bool kept_off = (reply->body && reply->body->secret) ||
                    (call->rq->route && call->rq->route->resumable);
    struct MHD_Response *response = make_entity(call, reply, form);

    if (!response)
        return NULL;
    add_entity(call, reply, form, &response);
    vg_http_add_header(&response, "Cache-Control", kept_off ? "no-store" : "no-cache");
    add_policy(call->rq->route, &response);
    add_methods(call->rq, allow, &response);
    vg_http_add_header(&response, "Content-Range", reply->content_range);
    add_common(call, reply, &response);
    if (reply->status == 426) {
        vg_http_add_header(&response, "Upgrade", "websocket");
        vg_http_add_header(&response, "Connection", "Upgrade");
        vg_http_add_header(&response, "Sec-WebSocket-Version", "13");
    }
    if (closing || call->close)
        vg_http_add_header(&response, "Connection", "close");
    return response;
}

/* The form of a reply for which there is memory: where too many bytes wait for readers, a
 * read is refused; it can be asked again, unlike a change. */
static struct form fit_form(const struct vg_http_call *call, struct vg_reply *reply)
{
    const struct vg_request *rq = call->rq;

    reply->body = vg_http_limit_share(vg_take(&reply->body));
    struct form form = choose_form(call, reply);
    if (!reply->body || form.known || rq->method == VG_HEAD ||
        vg_http_limit_send(reply->body, form.gzipped, rq->method != VG_GET,
                           &form.counted))
        return form;
    vg_reply_clear(reply);
    *reply = vg_reply_error(
        rq, VG_E_OVERLOADED,
        "Too many bytes of answers wait for clients that do not read them "
        "(answer-memory); try again shortly, or ask for less (fields, limit)");
    return choose_form(call, reply);
}

/* Whether the refusal is told by the WebSocket's close. */
static bool refuse_by_close(struct vg_http_call *call, struct vg_reply *reply)
{
    if (reply->status < 400 || !vg_http_websocket_refuses(call))
        return false;
    call->response = vg_http_websocket_refusal(call, reply);
    if (!call->response)
        return false;
    vg_http_add_header(&call->response, "X-Request-Id", call->rq->id);
    add_cors(call, &call->response);
    call->refused = reply->status;
    call->status = 101;
    vg_reply_clear(reply);
    return true;
}

void vg_http_build_response(struct vg_http_call *call, struct vg_reply *reply,
                            const char *allow, bool closing)
{
    struct vg_http_sent *sent = &call->conn->sent;

    vg_reply_prepare(reply);
    if (refuse_by_close(call, reply))
        return;
    struct form form = fit_form(call, reply);
    bool memorable = is_memorable(call, reply, &form, closing || call->close);
    if (form.known) {
        vg_body_unref(vg_take(&reply->body));
        vg_feed_unref(vg_take(&reply->feed));
        reply->status = 304;
        reply->type = NULL;
    }
    bool endless = reply->subscription ||
                   (reply->feed && reply->feed->content.size == VG_CONTENT_UNSIZED);
    bool head_only = endless && call->rq->method == VG_HEAD;
    const struct vg_body *body = reply->body;
    if (memorable && is_remembered(sent, call, reply, &form)) {
        send_again(sent, call);
    } else {
        call->response = make_response(call, reply, &form, allow, closing);
        if (head_only && call->response)
            vg_mhd_end_with_header(call->response);
        if (memorable && call->response)
            remember(sent, call, body, reply, &form);
    }
    call->status = reply->status;
    vg_reply_clear(reply);
}

/* ---- the access line --------------------------------------------------------------- */

static const char *client_name(const struct vg_http_call *call,
                               char written[static VG_ADDRESS_SIZE])
{
    if (call->conn && vg_address_equal(&call->client, &call->conn->peer))
        return call->conn->peer_name;
    vg_address_write(&call->client, written);
    return written;
}

void vg_http_log_access(const struct vg_http_call *call)
{
    const struct vg_request *rq = call->rq;

    if (!call->begun || !vg_log_enabled(VG_LOG_INFO, "access"))
        return;
    /* not the query: a client may have put a secret there by mistake */
    bool whole = rq->target[rq->path_length] == '\0' && !*vg_path_prefix();
    vg_autofree char *path = whole ? NULL : vg_request_path(rq);
    char written[VG_ADDRESS_SIZE];
    const struct vg_log_field fields[] = {
        VG_LOG_TEXT("method", rq->method_name),
        VG_LOG_TEXT("path", whole ? rq->target : path),
        VG_LOG_NUMBER("status", vg_http_status(call)),
        VG_LOG_NUMBER("durationUs", (vg_now_ns() - rq->start_ns) / 1000),
        VG_LOG_TEXT("host", vg_host_name(rq)),
        VG_LOG_TEXT("client", client_name(call, written)),
        VG_LOG_TEXT("principal", rq->principal[0] ? rq->principal : "-"),
        VG_LOG_TEXT("requestId", rq->id),
        VG_LOG_TEXT("traceparent", call->traceparent),
    };
    vg_log_fields(VG_LOG_INFO, "access", "request", fields,
                  sizeof(fields) / sizeof(fields[0]));
}
