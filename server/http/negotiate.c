/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Negotiation: what the client takes (Accept, Accept-Encoding, Cache-Control) and what it
 * sends (Content-Type, length), held against the route.
 */
#include "server/core/tus.h"
#include "server/http/internal.h"
#include "server/http/websocket.h"
#include "virtgate/cleanup.h"

#include <string.h>
#include <strings.h>

/* ---- Accept ------------------------------------------------------------------------ */

/* How exactly a media range matches type/subtype: 3 it is that, 2 type/star, 1 any; 0: it
 * does not. */
static int range_exactness(const char *range, size_t n, const char *type)
{
    size_t major = (size_t)(strchr(type, '/') - type);

    if (n == strlen(type) && strncasecmp(range, type, n) == 0)
        return 3;
    if (n == major + 2 && strncasecmp(range, type, major + 1) == 0 && range[n - 1] == '*')
        return 2;
    return n == 3 && memcmp(range, "*/*", 3) == 0;
}

/* "application/json; q=0.5" gives 0.5. */
static double range_quality(const char *range, size_t n)
{
    const char *end = range + n, *p = range;

    while ((p = memchr(p, ';', (size_t)(end - p)))) {
        p += 1 + strspn(p + 1, " \t");
        if (p < end && strncasecmp(p, "q=", 2) == 0)
            return strtod(p + 2, NULL);
    }
    return 1;
}

/* The quality of the range that matches most exactly (RFC 9110, 12.5.1); of types that
 * are as welcome, the one that was named more exactly is a little more so. Negative: none
 * matches. */
static double accept_quality(const char *accept, const char *type)
{
    double quality = -1;
    int best = 0;

    for (const char *p = accept; *p;) {
        p += strspn(p, ", \t");
        size_t n = strcspn(p, ",");
        int exactness = range_exactness(p, strcspn(p, ";, \t"), type);
        double q = range_quality(p, n);
        if (exactness > best || (exactness == best && exactness && q > quality)) {
            best = exactness;
            quality = q;
        }
        p += n;
    }
    return quality > 0 ? quality + best * 0.0001 : quality;
}

/* What a route may give beside JSON, or instead of it; the first wins among equals. */
static const struct {
    enum vg_gives gives;
    const char *type;
    enum vg_accept accept;
} media[] = {
    {VG_GIVES_JSON_OR_XML, "application/xml", VG_ACCEPT_XML},
    {VG_GIVES_XML_OR_JSON, "application/xml", VG_ACCEPT_XML},
    {VG_GIVES_EVENTS, "text/event-stream", VG_ACCEPT_STREAM},
    {VG_GIVES_IMAGE, "image/png", VG_ACCEPT_PNG},
    {VG_GIVES_IMAGE, "image/x-portable-pixmap", VG_ACCEPT_PPM},
    {VG_GIVES_BYTES, "application/octet-stream", VG_ACCEPT_NOTHING_SAID},
    {VG_GIVES_CONTENT, "application/octet-stream", VG_ACCEPT_NOTHING_SAID},
    {VG_GIVES_METRICS, "text/plain", VG_ACCEPT_NOTHING_SAID},
    {VG_GIVES_METRICS, "application/openmetrics-text", VG_ACCEPT_OPENMETRICS},
    {VG_GIVES_YAML, "application/yaml", VG_ACCEPT_NOTHING_SAID},
    {VG_GIVES_YAML, "text/yaml", VG_ACCEPT_NOTHING_SAID}, /* its older name */
    {VG_GIVES_PAGE, "text/html", VG_ACCEPT_NOTHING_SAID},
    {VG_GIVES_FILES, "text/javascript", VG_ACCEPT_NOTHING_SAID},
    {VG_GIVES_FILES, "text/css", VG_ACCEPT_NOTHING_SAID},
    {VG_GIVES_FILES, "text/plain", VG_ACCEPT_NOTHING_SAID},
};
#define N_MEDIA (sizeof(media) / sizeof(media[0]))

/* Others give it for problems only; what a WebSocket is refused with counts as JSON. */
static bool gives_json(const struct vg_route *route)
{
    return route->gives == VG_GIVES_JSON || route->gives == VG_GIVES_CONTENT ||
           vg_route_gives_xml(route) || vg_route_gives_session(route);
}

static double json_quality(const char *accept, const struct vg_route *route)
{
    if (!gives_json(route))
        return -1;
    double json = accept_quality(accept, "application/json");
    if (json >= 0 || vg_route_gives_xml(route))
        return json;
    return accept_quality(accept, "application/problem+json");
}

/* What is a choice of fields has no other form. */
static bool only_json(const struct vg_request *rq)
{
    for (unsigned int i = 0; i < rq->n_query; i++)
        if (strcmp(rq->query[i].key, "fields") == 0)
            return true;
    return false;
}

static enum vg_accept read_accept(const char *accept, const struct vg_route *route)
{
    if (!accept || !*accept || strcmp(accept, "*/*") == 0)
        return VG_ACCEPT_NOTHING_SAID;
    double best = json_quality(accept, route);
    enum vg_accept found = best > 0 ? VG_ACCEPT_JSON : VG_ACCEPT_OTHER;
    for (size_t i = 0; i < N_MEDIA; i++) {
        double q =
            route->gives == media[i].gives ? accept_quality(accept, media[i].type) : -1;
        if (q > 0 && q == best && found == VG_ACCEPT_JSON)
            found = VG_ACCEPT_NOTHING_SAID;
        if (q <= 0 || q <= best)
            continue;
        best = q;
        found = media[i].accept;
    }
    return found;
}

/* "application/json or application/xml": what a route gives. Owned by the caller. */
static char *media_given(const struct vg_route *route)
{
    char *list = strdup(gives_json(route) ? "application/json" : "");
    for (size_t i = 0; list && i < N_MEDIA; i++) {
        vg_autofree char *before = route->gives == media[i].gives ? list : NULL;
        if (before &&
            asprintf(&list, "%s%s%s", before, *before ? " or " : "", media[i].type) < 0)
            list = NULL;
    }
    return list;
}

/* Who asks for a WebSocket wants the stream. */
static int negotiate_stream(struct vg_http_call *call)
{
    struct vg_request *rq = call->rq;
    int asked = vg_http_websocket_asked(call);

    if (asked < 0)
        return -1;
    call->wants_websocket = asked;
    if (asked)
        rq->accept = VG_ACCEPT_STREAM;
    return 0;
}

/* A WebSocket or nothing; Accept does not matter. */
static int negotiate_upgrade(struct vg_http_call *call)
{
    int asked = vg_http_websocket_asked(call);

    if (asked == 0)
        vg_error_set(&call->rq->error, VG_E_UPGRADE_REQUIRED,
                     "Here is a WebSocket only: send GET with Upgrade: websocket");
    call->wants_websocket = asked > 0;
    return asked > 0 ? 0 : -1;
}

static int negotiate_accept(struct vg_http_call *call)
{
    struct vg_request *rq = call->rq;

    rq->accept = read_accept(call->headers.accept, rq->route);
    if (rq->accept == VG_ACCEPT_XML && only_json(rq) &&
        json_quality(call->headers.accept, rq->route) > 0)
        rq->accept = VG_ACCEPT_JSON;
    if (rq->route->gives == VG_GIVES_WEBSOCKET)
        return negotiate_upgrade(call);
    if (rq->route->gives == VG_GIVES_EVENTS && negotiate_stream(call) < 0)
        return -1;
    if (rq->accept != VG_ACCEPT_OTHER)
        return 0;
    rq->accept = VG_ACCEPT_NOTHING_SAID;
    vg_autofree char *given = media_given(rq->route);
    vg_error_set(&rq->error, VG_E_NOT_ACCEPTABLE, "Answers here are %s",
                 given ? given : "of other media types");
    return -1;
}

/* What the caches on the way would do: a fresh answer, not one from memory. */
static bool wants_fresh(const char *cache_control)
{
    return cache_control && (strcasestr(cache_control, "no-cache") ||
                             strcasestr(cache_control, "no-store") ||
                             strcasestr(cache_control, "max-age=0"));
}

/* ---- Content-Type, lengths --------------------------------------------------------- */

/* Whether parameters, if any, name no other encoding of text than UTF-8. */
static bool is_utf8(const char *parameters)
{
    static const char key[] = "charset=";
    const char *charset = strcasestr(parameters, key);

    if (!charset)
        return true;
    charset += strlen(key);
    charset += *charset == '"';
    return strncasecmp(charset, "utf-8", 5) == 0 &&
           (charset[5] == '\0' || strchr("\"; \t", charset[5]));
}

static bool is_media(const char *value, const char *type)
{
    size_t n = strlen(type);
    return strncasecmp(value, type, n) == 0 &&
           (value[n] == '\0' || strchr("; \t", value[n])) && is_utf8(value + n);
}

/* RFC 7396's own type, or plain JSON, which here means the same. */
static bool is_json(const struct vg_request *rq, const char *type)
{
    return is_media(type, "application/json") ||
           (rq->method == VG_PATCH && is_media(type, "application/merge-patch+json"));
}

/* What a body is that is read while it arrives. */
static const char *stream_media(const struct vg_request *rq)
{
    return rq->route->resumable ? VG_TUS_TYPE : "application/octet-stream";
}

static const char *accepted_media(const struct vg_request *rq)
{
    if (rq->route->takes == VG_TAKES_STREAM)
        return stream_media(rq);
    if (rq->method == VG_PATCH)
        return "application/merge-patch+json or application/json";
    switch (rq->route->takes) {
    case VG_TAKES_BYTES:
        return "application/octet-stream";
    case VG_TAKES_XML:
        return "application/json or application/xml";
    case VG_TAKES_XML_OR_STREAM:
        return "application/json, application/xml or application/octet-stream";
    default:
        return "application/json";
    }
}

static int refuse_encoding(struct vg_http_call *call)
{
    const char *encoding = call->headers.content_encoding;

    if (!encoding || !*encoding || strcasecmp(encoding, "identity") == 0)
        return 0;
    vg_error_set(&call->rq->error, VG_E_UNSUPPORTED_MEDIA_TYPE,
                 "Content-Encoding '%.100s' is not accepted; send the body as it is",
                 encoding);
    return -1;
}

/* Whether the route takes XML, and the header says that it is. */
static bool is_xml(const struct vg_request *rq, const char *type)
{
    return vg_route_takes_xml(rq->route) && type &&
           (is_media(type, "application/xml") || is_media(type, "text/xml"));
}

/* Whether the body is read while it arrives. Where nothing else is taken, its type need
 * not be said. */
static bool is_stream(const struct vg_request *rq, const char *type)
{
    bool only = rq->route->takes == VG_TAKES_STREAM && !rq->route->resumable;
    bool may =
        rq->route->takes == VG_TAKES_STREAM || rq->route->takes == VG_TAKES_XML_OR_STREAM;
    return may && (type ? is_media(type, stream_media(rq)) : only);
}

/* Whether a document is meant, in whatever encoding and of whatever kind
 * ("application/soap+xml"). */
static bool means_xml(const struct vg_request *rq, const char *type)
{
    size_t n = type ? strcspn(type, "; \t") : 0;
    return vg_route_takes_xml(rq->route) && n >= 3 &&
           strncasecmp(type + n - 3, "xml", 3) == 0;
}

static bool takes_document(const struct vg_request *rq)
{
    return vg_route_takes_xml(rq->route) || rq->route->takes == VG_TAKES_DOCUMENT;
}

/* A document in JSON is longer than its XML, by what the keys of attributes cost. */
static size_t find_limit(const struct vg_request *rq, const struct vg_config *config)
{
    int64_t document = config->max_document_bytes, json = config->max_json_bytes;

    if (rq->body_kind == VG_BODY_XML)
        return (size_t)document;
    return (size_t)(takes_document(rq) && 4 * document > json ? 4 * document : json);
}

int vg_http_fail_size(struct vg_http_call *call)
{
    const char *option = takes_document(call->rq)
                             ? "--max-document-bytes, four times that in JSON"
                             : "--max-json-bytes";
    vg_error_set(
        &call->rq->error, VG_E_PAYLOAD_TOO_LARGE,
        "The request body is too large; at most %zu bytes are accepted here (%s)",
        call->body_limit, option);
    return -1;
}

int vg_http_negotiate_body(struct vg_http_call *call, const struct vg_config *config)
{
    struct vg_request *rq = call->rq;
    const struct vg_http_headers *h = &call->headers;

    if (refuse_encoding(call) < 0)
        return -1;
    bool bytes = /* and nothing else */
        rq->route->takes == VG_TAKES_BYTES || rq->route->takes == VG_TAKES_STREAM;
    if (is_stream(rq, h->content_type)) {
        rq->body_kind = VG_BODY_STREAM;
        return 0; /* its length is limited by what it is for */
    }
    if (rq->route->takes == VG_TAKES_BYTES && h->content_type &&
        is_media(h->content_type, "application/octet-stream")) {
        rq->body_kind = VG_BODY_BYTES;
    } else if (!bytes && h->content_type && is_json(rq, h->content_type)) {
        rq->body_kind = VG_BODY_JSON;
    } else if (is_xml(rq, h->content_type)) {
        rq->body_kind = VG_BODY_XML;
    } else {
        vg_error_set(&rq->error, VG_E_UNSUPPORTED_MEDIA_TYPE,
                     "Content-Type '%.100s' is not accepted here; %s is, in UTF-8",
                     h->content_type ? h->content_type : "(none)", accepted_media(rq));
        return -1;
    }
    call->body_limit = find_limit(rq, config);
    return call->announced > call->body_limit ? vg_http_fail_size(call) : 0;
}

/* "gzip;q=0.8, br": whether gzip is named with a quality above 0. */
static bool takes_gzip(const char *list)
{
    for (const char *p = list; *p; p += strcspn(p, ",")) {
        p += strspn(p, ", \t");
        if (strncasecmp(p, "gzip", 4) != 0 || (p[4] && !strchr(",; \t", p[4])))
            continue;
        size_t n = strcspn(p, ",");
        const char *q = memmem(p, n, "q=", 2);
        return !q || strtod(q + 2, NULL) > 0;
    }
    return false;
}

int vg_http_negotiate(struct vg_http_call *call, const struct vg_config *config)
{
    if (call->headers.accept_encoding)
        call->gzip = takes_gzip(call->headers.accept_encoding);
    call->rq->fresh = wants_fresh(call->headers.cache_control);
    if (negotiate_accept(call) < 0)
        return -1;
    /* in chunks, whether there is a body is not known before its first byte */
    const struct vg_http_headers *h = &call->headers;
    bool streams =
        call->rq->route->takes == VG_TAKES_STREAM || is_stream(call->rq, h->content_type);
    if (streams || (!h->transfer_encoding && vg_http_has_body(h)))
        return vg_http_negotiate_body(call, config);
    if (means_xml(call->rq, h->content_type)) /* an empty one is none */
        call->rq->body_kind = VG_BODY_XML;
    return 0;
}
