/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * From the wire to a request: what libmicrohttpd 0.9.75 lets through and a server must
 * not (RFC 9112 framing, section 11.2 smuggling).
 */
#include "server/http/internal.h"

#include "virtgate/cleanup.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MAX_HEADER_BYTES  10240
#define MAX_HEADER_FIELDS 100

/* ---- header fields ----------------------------------------------------------------- */

static bool is_token(const char *s, size_t n)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < n; i++) {
        char c = s[i], letter = (char)(c | 0x20);
        if (!(letter >= 'a' && letter <= 'z') && c != '-' && !(c >= '0' && c <= '9') &&
            !memchr(marks, c, sizeof(marks) - 1))
            return false;
    }
    return n > 0;
}

static bool has_control(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (((unsigned char)s[i] < ' ' && s[i] != '\t') || s[i] == 0x7F)
            return true;
    return false;
}

/* Where a field's value goes, by its name, and, of what stands once, where it is counted.
 * A list may come in several lines (RFC 9110, 5.3). The shortest names first. */
static const struct {
    const char *name;
    size_t length, slot;
    ptrdiff_t count; /* -1: not counted */
    bool list;
    const char *twice; /* what is said of a second one; NULL: the last one counts */
} known_fields[] = {
#define SLOT(member) offsetof(struct vg_http_headers, member)
#define FIELD(text, member)                                                              \
    {                                                                                    \
        text, sizeof(text) - 1, SLOT(member), -1, false, NULL                            \
    }
#define ONCE(text, member)                                                               \
    {                                                                                    \
        text, sizeof(text) - 1, SLOT(member), -1, false, text " is given once at most"   \
    }
#define LIST(text, member)                                                               \
    {                                                                                    \
        text, sizeof(text) - 1, SLOT(member), -1, true, NULL                             \
    }
#define SINGLE(text, member, counter)                                                    \
    {                                                                                    \
        text, sizeof(text) - 1, SLOT(member), (ptrdiff_t)SLOT(counter), false, NULL      \
    }
    SINGLE("Host", host, n_host),
    ONCE("Range", range),
    LIST("Accept", accept),
    ONCE("Origin", origin),
    LIST("Upgrade", upgrade),
    LIST("If-Match", if_match),
    ONCE("If-Range", if_range),
    LIST("Forwarded", forwarded),
    LIST("Connection", connection),
    LIST("Repr-Digest", repr_digest),
    FIELD("traceparent", traceparent),
    ONCE("Content-Type", content_type),
    FIELD("X-Request-Id", request_id),
    LIST("Cache-Control", cache_control),
    ONCE("Content-Range", content_range),
    FIELD("Last-Event-ID", last_event_id),
    ONCE("Tus-Resumable", tus_resumable),
    ONCE("Upload-Length", upload_length),
    ONCE("Upload-Offset", upload_offset),
    ONCE("Authorization", authorization),
    LIST("If-None-Match", if_none_match),
    LIST("Content-Digest", content_digest),
    ONCE("Sec-Fetch-Site", fetch_site),
    SINGLE("Content-Length", content_length, n_length),
    LIST("Accept-Encoding", accept_encoding),
    LIST("X-Forwarded-For", forwarded_for),
    ONCE("Upload-Metadata", upload_metadata),
    ONCE("Upload-Checksum", upload_checksum),
    ONCE("Idempotency-Key", idempotency_key),
    LIST("Content-Encoding", content_encoding),
    ONCE("Sec-WebSocket-Key", websocket_key),
    SINGLE("Transfer-Encoding", transfer_encoding, n_encoding),
    ONCE("Upload-Defer-Length", upload_defer_length),
    ONCE("Sec-WebSocket-Version", websocket_version),
    LIST("Sec-WebSocket-Protocol", websocket_protocol),
    ONCE("X-HTTP-Method-Override", method_override),
};

static void add_line(struct vg_http_headers *h, const char **list, const char *line)
{
    char *joined = NULL;

    if (h->n_joined == sizeof(h->joined) / sizeof(h->joined[0]) ||
        asprintf(&joined, "%s, %s", *list, line) < 0) {
        h->fault = "A list in the header comes in too many lines";
        return;
    }
    h->joined[h->n_joined++] = joined;
    *list = joined;
}

static void store_field(struct vg_http_headers *h, const char *name, size_t n,
                        const char *value)
{
    for (size_t i = 0; i < sizeof(known_fields) / sizeof(known_fields[0]); i++) {
        if (known_fields[i].length > n)
            return;
        if (known_fields[i].length != n ||
            strncasecmp(known_fields[i].name, name, n) != 0)
            continue;
        const char **at = (const char **)((char *)h + known_fields[i].slot);
        if (known_fields[i].twice && *at)
            h->fault = known_fields[i].twice;
        if (known_fields[i].list && *at)
            add_line(h, at, value);
        else
            *at = value;
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

    h->n_fields++;
    h->total += name_size + value_size + 4;
    if (!is_token(name, name_size))
        h->fault = "A header field's name is malformed";
    if (value && has_control(value, value_size))
        h->fault = "A header field's value holds a control character";
    if (name_size == 6 && strncasecmp(name, "Prefer", 6) == 0)
        vg_prefer_read(&h->prefer, value ? value : ""); /* a list: all fields count */
    store_field(h, name, name_size, value ? value : "");
    return MHD_YES;
}

void vg_http_read_headers(struct vg_http_call *call)
{
    MHD_get_connection_values_n(call->connection, MHD_HEADER_KIND, take_header,
                                &call->headers);
}

void vg_http_release_headers(struct vg_http_headers *h)
{
    while (h->n_joined)
        free(h->joined[--h->n_joined]);
    free(vg_take(&h->authority));
}

bool vg_http_has_body(const struct vg_http_headers *h)
{
    return h->transfer_encoding ||
           (h->content_length && h->content_length[strspn(h->content_length, "0")]);
}

/* ---- framing ----------------------------------------------------------------------- */

/* Of a header in HTTP/1.0 there may be no Host, and no chunks (RFC 9112, 6.1). */
static const char *find_fault(const struct vg_http_headers *h, bool old)
{
    if (h->fault)
        return h->fault;
    if (h->n_host > 1 || (h->n_host == 0 && !old))
        return "Exactly one Host header field is needed";
    if (h->n_length > 1 || h->n_encoding > 1 || (h->n_length && h->n_encoding))
        return "The length of the body is given twice";
    if (h->transfer_encoding && old)
        return "HTTP/1.0 has no Transfer-Encoding";
    if (h->transfer_encoding && strcasecmp(h->transfer_encoding, "chunked") != 0)
        return "The only Transfer-Encoding accepted is chunked";
    if (h->content_length &&
        (!*h->content_length ||
         h->content_length[strspn(h->content_length, "0123456789")] != '\0'))
        return "Content-Length is not a number";
    return NULL;
}

/* Health checks of HAProxy and others speak HTTP/1.0. */
static const char *find_version_fault(const struct vg_http_call *call,
                                      const char *version)
{
    enum vg_method method = call->rq->method;

    if (strcmp(version, "HTTP/1.1") == 0)
        return NULL;
    if (!call->old)
        return "HTTP/1.1 is spoken here, and HTTP/1.0 for GET, HEAD and OPTIONS";
    return method == VG_GET || method == VG_HEAD || method == VG_OPTIONS
               ? NULL
               : "Only GET, HEAD and OPTIONS are answered in HTTP/1.0 (nginx as a proxy "
                 "speaks HTTP/1.1 with 'proxy_http_version 1.1')";
}

static int refuse_framing(struct vg_http_call *call, const char *fault)
{
    call->close = true;
    vg_error_set(&call->rq->error, VG_E_BAD_REQUEST, "%s", fault);
    return -1;
}

/* Past this libmicrohttpd counts no bytes. */
static int check_length(struct vg_http_call *call)
{
    const char *length = call->headers.content_length;
    uint64_t bytes = 0;

    for (; length && *length; length++) {
        bytes = bytes * 10 + (uint64_t)(*length - '0');
        if (bytes <= INT64_MAX / 10)
            continue;
        call->close = true;
        vg_error_set(&call->rq->error, VG_E_PAYLOAD_TOO_LARGE,
                     "Nobody sends as many bytes as Content-Length says");
        return -1;
    }
    call->announced = bytes;
    return 0;
}

int vg_http_check_framing(struct vg_http_call *call)
{
    const char *fault = find_fault(&call->headers, call->old);
    return fault ? refuse_framing(call, fault) : check_length(call);
}

/* ---- the header as a whole --------------------------------------------------------- */

int vg_http_check(struct vg_http_call *call, const char *version,
                  const struct vg_config *config)
{
    struct vg_http_headers *h = &call->headers;
    struct vg_error *e = &call->rq->error;
    call->old = strcmp(version, "HTTP/1.0") == 0;
    call->close = call->close || call->old; /* without keep-alive */
    const char *fault = find_version_fault(call, version);
    if (fault)
        return refuse_framing(call, fault);
    if (vg_http_check_framing(call) < 0)
        return -1;
    if (h->total > MAX_HEADER_BYTES || h->n_fields > MAX_HEADER_FIELDS) {
        call->close = true;
        vg_error_set(e, VG_E_HEADERS_TOO_LARGE,
                     "At most %d header fields of %d bytes together are accepted",
                     MAX_HEADER_FIELDS, MAX_HEADER_BYTES);
        return -1;
    }
    return vg_http_check_sender(call, config);
}
