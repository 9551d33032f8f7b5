/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * From the wire to a request: what libmicrohttpd 0.9.75 lets through and a server must
 * not (RFC 9112 framing, section 11.2 smuggling), who may call from a browser, body
 * limits.
 */
#include "server/http_internal.h"

#include "virtgate/cleanup.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#define MAX_HEADER_BYTES 10240
#define MAX_BODIES_BYTES (32 * 1024 * 1024) /* of all requests together */

static atomic_size_t bodies_bytes;

/* ---- header fields ----------------------------------------------------------------- */

static bool is_token(const char *s, size_t n)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    if (n == 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = s[i];
        bool alnum =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!alnum && !memchr(marks, c, sizeof(marks) - 1))
            return false;
    }
    return true;
}

static bool has_control(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (((unsigned char)s[i] < ' ' && s[i] != '\t') || s[i] == 0x7F)
            return true;
    return false;
}

/* Where a field's value goes, by its name; -1: nowhere. */
static const struct {
    const char *name;
    size_t length, slot;
    ptrdiff_t count;
} known_fields[] = {
#define SLOT(member) offsetof(struct vg_http_headers, member)
#define FIELD(text, member)                                                              \
    {                                                                                    \
        text, sizeof(text) - 1, SLOT(member), -1                                         \
    }
#define SINGLE(text, member, counter)                                                    \
    {                                                                                    \
        text, sizeof(text) - 1, SLOT(member), (ptrdiff_t)SLOT(counter)                   \
    }
    SINGLE("Host", host, n_host),
    SINGLE("Content-Length", content_length, n_length),
    SINGLE("Transfer-Encoding", transfer_encoding, n_encoding),
    FIELD("Content-Type", content_type),
    FIELD("Accept", accept),
    FIELD("Accept-Encoding", accept_encoding),
    FIELD("Authorization", authorization),
    FIELD("Origin", origin),
    FIELD("X-Request-Id", request_id),
    FIELD("If-None-Match", if_none_match),
    FIELD("If-Match", if_match),
    FIELD("Idempotency-Key", idempotency_key),
    FIELD("Sec-Fetch-Site", fetch_site),
    FIELD("Access-Control-Request-Method", requested_method),
    FIELD("traceparent", traceparent),
};

static void store_field(struct vg_http_headers *h, const char *name, size_t n,
                        const char *value)
{
    for (size_t i = 0; i < sizeof(known_fields) / sizeof(known_fields[0]); i++) {
        if (known_fields[i].length != n ||
            strncasecmp(known_fields[i].name, name, n) != 0)
            continue;
        *(const char **)((char *)h + known_fields[i].slot) = value;
        if (known_fields[i].count >= 0)
            (*(unsigned int *)((char *)h + known_fields[i].count))++;
        return;
    }
}

static enum MHD_Result take_header(void *data, enum MHD_ValueKind kind, const char *name,
                                   size_t name_size, const char *value, size_t value_size)
{
    struct vg_http_headers *h = data;
    (void)kind;

    h->total += name_size + value_size + 4;
    if (!is_token(name, name_size))
        h->fault = "A header field's name is malformed";
    if (value && has_control(value, value_size))
        h->fault = "A header field's value holds a control character";
    store_field(h, name, name_size, value ? value : "");
    return MHD_YES;
}

void vg_http_read_headers(struct vg_http_call *call)
{
    MHD_get_connection_values_n(call->connection, MHD_HEADER_KIND, take_header,
                                &call->headers);
}

bool vg_http_has_body(const struct vg_http_headers *h)
{
    return h->transfer_encoding ||
           (h->content_length && strcmp(h->content_length, "0") != 0);
}

/* ---- framing ----------------------------------------------------------------------- */

static const char *find_fault(const struct vg_http_headers *h, const char *version)
{
    if (strcmp(version, "HTTP/1.1") != 0)
        return "Only HTTP/1.1 is spoken here";
    if (h->fault)
        return h->fault;
    if (h->n_host != 1)
        return "Exactly one Host header field is needed";
    if (h->n_length > 1 || h->n_encoding > 1 || (h->n_length && h->n_encoding))
        return "The length of the body is given twice";
    if (h->transfer_encoding && strcasecmp(h->transfer_encoding, "chunked") != 0)
        return "The only Transfer-Encoding accepted is chunked";
    if (h->content_length &&
        h->content_length[strspn(h->content_length, "0123456789")] != '\0')
        return "Content-Length is not a number";
    return NULL;
}

/* ---- Host and Origin --------------------------------------------------------------- */

/* Whether `host` (maybe with a port) is `name`. */
static bool is_host(const char *host, const char *name)
{
    size_t n = strlen(name);
    return strncasecmp(host, name, n) == 0 && (host[n] == '\0' || host[n] == ':');
}

/* Against DNS rebinding: a web page that got its own name to point here. Where callers
 * show tokens this is no danger, and any name (of a proxy, say) will do. */
static bool knows_host(const char *host, const struct vg_config *config)
{
    static const char *const own[] = {"localhost", "127.0.0.1", "[::1]"};
    char hostname[256];

    if (config->token_file || config->tls_client_ca || config->allow_insecure)
        return true;
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (is_host(host, own[i]))
            return true;
    for (size_t i = 0; i < config->allowed_hosts.n; i++)
        if (is_host(host, config->allowed_hosts.v[i]))
            return true;
    for (size_t i = 0; i < config->listen.n; i++) {
        const char *at = config->listen.v[i], *colon = strrchr(at, ':');
        size_t n = colon ? (size_t)(colon - at) : 0;
        if (n && strncasecmp(host, at, n) == 0 && (host[n] == ':' || host[n] == '\0'))
            return true;
    }
    return gethostname(hostname, sizeof(hostname)) == 0 && is_host(host, hostname);
}

static bool same_origin(const char *origin, const char *host)
{
    const char *authority = strstr(origin, "://");
    return authority && strcasecmp(authority + 3, host) == 0;
}

/* A browser names the page's origin: listed ones may call, others may not change
 * anything. */
static int check_origin(struct vg_http_call *call, const struct vg_config *config)
{
    const struct vg_http_headers *h = &call->headers;
    if (!h->origin)
        return 0;
    for (size_t i = 0; i < config->cors_origins.n; i++) {
        if (strcmp(config->cors_origins.v[i], h->origin) == 0) {
            call->origin = strdup(h->origin);
            return 0;
        }
    }
    if (same_origin(h->origin, h->host))
        return 0;
    vg_error_set(
        &call->rq->error, VG_E_FORBIDDEN,
        "Pages of the origin '%.200s' may not call this gateway; --cors-origin allows "
        "them",
        h->origin);
    return -1;
}

int vg_http_check(struct vg_http_call *call, const char *version,
                  const struct vg_config *config)
{
    struct vg_http_headers *h = &call->headers;
    struct vg_error *e = &call->rq->error;
    const char *fault = find_fault(h, version);

    if (fault) {
        call->close = true;
        vg_error_set(e, VG_E_BAD_REQUEST, "%s", fault);
        return -1;
    }
    if (h->total > MAX_HEADER_BYTES) {
        call->close = true;
        vg_error_set(e, VG_E_HEADERS_TOO_LARGE, "At most %d bytes of header are accepted",
                     MAX_HEADER_BYTES);
        return -1;
    }
    if (!call->conn->local && !knows_host(h->host, config)) {
        vg_error_set(e, VG_E_MISDIRECTED,
                     "This gateway is not known as '%.200s'; --allowed-host makes it so",
                     h->host);
        return -1;
    }
    if (h->fetch_site && strcmp(h->fetch_site, "cross-site") == 0 && !h->origin &&
        call->rq->method != VG_GET && call->rq->method != VG_HEAD) {
        vg_error_set(e, VG_E_FORBIDDEN,
                     "Requests from other sites may not change anything");
        return -1;
    }
    return check_origin(call, config);
}

/* ---- negotiation ------------------------------------------------------------------- */

/* Whether a media range matches type/subtype; "application/json; q=0.5" gives its q. */
static double range_quality(const char *range, size_t n, const char *type)
{
    size_t len = strcspn(range, ";, ");
    if (len > n)
        len = n;
    const char *slash = strchr(type, '/');
    size_t major = (size_t)(slash - type);
    bool all = len == 3 && memcmp(range, "*/*", 3) == 0;
    bool any_minor = len == major + 2 && strncasecmp(range, type, major + 1) == 0 &&
                     range[major + 1] == '*';
    bool exact = len == strlen(type) && strncasecmp(range, type, len) == 0;
    if (!all && !any_minor && !exact)
        return -1;
    const char *q = memmem(range, n, ";q=", 3);
    if (!q)
        q = memmem(range, n, "; q=", 4);
    double quality = q ? strtod(strchr(q, '=') + 1, NULL) : 1;
    /* the more exact range wins among equals */
    return quality <= 0 ? 0 : quality + (exact ? 0.0002 : any_minor ? 0.0001 : 0);
}

static double accept_quality(const char *accept, const char *type)
{
    double best = -1;
    for (const char *p = accept; *p;) {
        p += strspn(p, ", \t");
        size_t n = strcspn(p, ",");
        double q = n ? range_quality(p, n, type) : -1;
        best = q > best ? q : best;
        p += n;
    }
    return best;
}

static enum vg_accept read_accept(const char *accept, bool gives_xml)
{
    if (!accept || !*accept)
        return VG_ACCEPT_NOTHING_SAID;
    double json = accept_quality(accept, "application/json");
    double problem = accept_quality(accept, "application/problem+json");
    double xml = gives_xml ? accept_quality(accept, "application/xml") : -1;
    json = problem > json && json < 0 && !gives_xml ? problem : json;
    if (json <= 0 && xml <= 0)
        return VG_ACCEPT_OTHER;
    if (json == xml)
        return VG_ACCEPT_NOTHING_SAID;
    return xml > json ? VG_ACCEPT_XML : VG_ACCEPT_JSON;
}

/* Prometheus names OpenMetrics first, and the older format after it. */
static enum vg_accept read_accept_metrics(const char *accept)
{
    if (!accept || !*accept)
        return VG_ACCEPT_NOTHING_SAID;
    double text = accept_quality(accept, "text/plain");
    double open = accept_quality(accept, "application/openmetrics-text");
    if (text <= 0 && open <= 0)
        return VG_ACCEPT_OTHER;
    return open > text ? VG_ACCEPT_OPENMETRICS : VG_ACCEPT_NOTHING_SAID;
}

static int negotiate_accept(struct vg_http_call *call)
{
    struct vg_request *rq = call->rq;
    const char *accept = call->headers.accept;
    bool metrics = rq->route->flags & VG_GIVES_METRICS;

    rq->accept = metrics ? read_accept_metrics(accept)
                         : read_accept(accept, rq->route->flags & VG_GIVES_XML);
    if (rq->accept != VG_ACCEPT_OTHER)
        return 0;
    if (metrics) {
        vg_error_set(&rq->error, VG_E_NOT_ACCEPTABLE,
                     "Answers here are text/plain or application/openmetrics-text");
        return -1;
    }
    rq->accept = VG_ACCEPT_NOTHING_SAID;
    bool text = accept_quality(accept, "application/yaml") > 0 ||
                accept_quality(accept, "text/yaml") > 0;
    if (text && strcmp(rq->route->pattern, "/openapi.yaml") == 0)
        return 0;
    vg_error_set(&rq->error, VG_E_NOT_ACCEPTABLE, "Answers here are application/json%s",
                 rq->route->flags & VG_GIVES_XML ? " or application/xml" : "");
    return -1;
}

static bool is_media(const char *value, const char *type)
{
    size_t n = strlen(type);
    return strncasecmp(value, type, n) == 0 &&
           (value[n] == '\0' || strchr("; \t", value[n]));
}

static int negotiate_content(struct vg_http_call *call, const struct vg_config *config)
{
    struct vg_request *rq = call->rq;
    const struct vg_http_headers *h = &call->headers;
    bool takes_xml = rq->route->flags & VG_XML;

    if (!vg_http_has_body(h))
        return 0;
    if (h->content_type && is_media(h->content_type, "application/json")) {
        rq->body_kind = VG_BODY_JSON;
    } else if (takes_xml && h->content_type &&
               (is_media(h->content_type, "application/xml") ||
                is_media(h->content_type, "text/xml"))) {
        rq->body_kind = VG_BODY_XML;
    } else {
        vg_error_set(&rq->error, VG_E_UNSUPPORTED_MEDIA_TYPE,
                     "Content-Type '%.100s' is not accepted here; application/json%s is",
                     h->content_type ? h->content_type : "(none)",
                     takes_xml ? " or application/xml" : "");
        return -1;
    }
    call->body_limit = (size_t)(rq->body_kind == VG_BODY_XML ? config->max_xml_bytes
                                                             : config->max_json_bytes);
    errno = 0;
    unsigned long long length =
        h->content_length ? strtoull(h->content_length, NULL, 10) : 0;
    if (errno || length > call->body_limit) {
        vg_error_set(&rq->error, VG_E_PAYLOAD_TOO_LARGE, "At most %zu bytes are accepted",
                     call->body_limit);
        return -1;
    }
    return 0;
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
    if (call->headers.if_none_match)
        call->etag_wanted = strdup(call->headers.if_none_match);
    if (negotiate_accept(call) < 0)
        return -1;
    return negotiate_content(call, config);
}

/* ---- the body ---------------------------------------------------------------------- */

static int grow_body(struct vg_http_call *call, size_t needed)
{
    struct vg_request *rq = call->rq;
    size_t size = call->body_size ? call->body_size : 1024;

    while (size < needed)
        size *= 2;
    if (atomic_fetch_add(&bodies_bytes, size - call->body_size) > MAX_BODIES_BYTES) {
        atomic_fetch_sub(&bodies_bytes, size - call->body_size);
        vg_error_set(&rq->error, VG_E_OVERLOADED, "Too many large requests at a time");
        return -1;
    }
    call->body_size = size;
    char *body = realloc(rq->body, size);
    if (!body) {
        vg_error_set(&rq->error, VG_E_INTERNAL, "Out of memory");
        return -1;
    }
    rq->body = body;
    return 0;
}

int vg_http_take_body(struct vg_http_call *call, const char *data, size_t n)
{
    struct vg_request *rq = call->rq;

    if (rq->body_length + n > call->body_limit) {
        call->close = true;
        vg_error_set(&rq->error, VG_E_PAYLOAD_TOO_LARGE, "At most %zu bytes are accepted",
                     call->body_limit);
        return -1;
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
    atomic_fetch_sub(&bodies_bytes, call->body_size);
    call->body_size = 0;
}
