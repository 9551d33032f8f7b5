/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Requests: reference counting, the target's segments and query (RFC 3986, decoded
 * exactly once), and what every route's arguments have in common.
 */
#include "server/core/request.h"

#include "server/core/scope.h"

#include "server/base/digits.h"
#include "server/base/utf8.h"
#include "server/core/body_stream.h"
#include "server/core/kind.h"
#include "virtgate/cleanup.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#define MAX_QUERY_KEYS 64

struct vg_request *vg_request_new(void)
{
    struct vg_request *rq = malloc(sizeof(*rq));
    if (!rq)
        return NULL;
    *rq = (struct vg_request){
        .rights = vg_rights_of_role(
            VG_ROLE_NONE)}; /* calloc is slower for what a thread frees soon */
    atomic_init(&rq->refs, 1);
    return rq;
}

struct vg_request *vg_request_inner(const struct vg_route *route, const char *target,
                                    size_t prefix)
{
    struct vg_request *rq = vg_request_new();
    if (!rq)
        return NULL;
    rq->method = VG_GET;
    rq->method_name = "GET";
    rq->route = route;
    rq->first_segment = prefix ? 2 : 0;
    rq->prefix = prefix ? strndup(target, prefix) : NULL;
    if ((rq->prefix || !prefix) && vg_request_set_target(rq, target) == 0)
        return rq;
    vg_request_unref(rq);
    return NULL;
}

void vg_request_act_for(struct vg_request *inner, const struct vg_request *rq)
{
    inner->rights = rq->rights;
    inner->via = rq->via;
    memcpy(inner->caller, rq->caller, sizeof(inner->caller));
    memcpy(inner->principal, rq->principal, sizeof(inner->principal));
    memcpy(inner->id, rq->id, sizeof(inner->id));
}

struct vg_request *vg_request_ref(struct vg_request *rq)
{
    atomic_fetch_add_explicit(&rq->refs, 1, memory_order_relaxed);
    return rq;
}

void vg_request_unref(struct vg_request *rq)
{
    if (!rq || atomic_fetch_sub_explicit(&rq->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (rq->body && rq->route && /* the query decides, too */
        (vg_route_takes_secret(rq->route) || vg_request_is_long(rq)))
        explicit_bzero(rq->body, rq->body_length);
    free(rq->target);
    free(rq->query);
    free(rq->body);
    vg_body_stream_free(rq->stream);
    free(rq->prefix);
    free(rq->idempotency_key);
    free(rq->if_match);
    free(rq->if_none_match);
    free(rq->range);
    free(rq->if_range);
    free(rq->tus);
    free(rq->last_event);
    json_decref(rq->json);
    json_decref(rq->rest);
    json_decref(rq->guests);
    json_decref(rq->last_events);
    if (rq->on_free)
        rq->on_free(rq);
    vg_error_clear(&rq->error);
    free(rq);
}

/* The kind of object that the path names one of. */
static enum vg_kind named_kind(const struct vg_request *rq)
{
    enum vg_kind kind = vg_kind_whole(rq->route->pattern);
    bool one = kind && rq->route->pattern[strlen(vg_kind_info(kind)->path)];
    return one ? kind : VG_KIND_NONE;
}

const char *vg_request_domain(const struct vg_request *rq)
{
    return named_kind(rq) == VG_KIND_DOMAIN ? rq->segments[rq->first_segment + 1] : NULL;
}

/* A list waits for each of its objects in turn: while one of them hangs, all lists of its
 * kind do. Those of domains are made not to wait. */
static uint64_t list_key(const struct vg_request *rq)
{
    enum vg_kind kind = vg_kind_listed(rq->route->pattern);

    if (kind <= VG_KIND_DOMAIN || !vg_route_is_read(rq->route))
        return 0;
    return XXH3_64bits(vg_kind_info(kind)->path, strlen(vg_kind_info(kind)->path)) |
           VG_KEY_OF_LIST;
}

uint64_t vg_request_object_key(const struct vg_request *rq)
{
    const char *const *segments = rq->segments + rq->first_segment;
    const char *second = strchr(rq->route->pattern + 1, '/');
    if (!second || second[1] != '{')
        return list_key(rq);
    uint64_t key = XXH3_64bits_withSeed(segments[1], strlen(segments[1]),
                                        XXH3_64bits(segments[0], strlen(segments[0])));
    if (!vg_sees_all_domains(rq) && named_kind(rq) == VG_KIND_DOMAIN &&
        !vg_sees_domain(rq, segments[1]))
        key ^= (uintptr_t)rq->rights; /* waits for nobody whom it may not see */
    key &= ~(uint64_t)VG_KEY_OF_LIST;
    return key ? key : ~(uint64_t)VG_KEY_OF_LIST;
}

bool vg_request_asks_every(const struct vg_request *rq)
{
    if (rq->route->hosts != VG_EVERY_HOST_IF_FULL)
        return rq->route->hosts == VG_EVERY_HOST;
    for (unsigned int i = 0; i < rq->n_query; i++)
        if (strcmp(rq->query[i].key, "view") == 0 &&
            strcmp(rq->query[i].value, "full") == 0)
            return true;
    return false;
}

bool vg_request_waits(const struct vg_request *rq)
{
    bool waits = rq->route->runs_on == VG_ON_OPERATION;
    if (rq->route->gives == VG_GIVES_EVENTS)
        return false; /* its poll waits in another way, see http/event.c */
    for (unsigned int i = 0; i < rq->n_query && !waits; i++)
        waits = strcmp(rq->query[i].key, "wait") == 0;
    return waits;
}

bool vg_request_is_shared(const struct vg_request *rq)
{
    return rq->route->shared && rq->body_kind == VG_BODY_NONE && !rq->if_match;
}

struct vg_error *vg_request_error(struct vg_request *rq)
{
    return &rq->error;
}

void vg_request_set_host(struct vg_request *rq, struct vg_host *host, const char *name)
{
    rq->host = host;
    rq->host_name = host ? name : NULL;
}

const char *vg_host_name(const struct vg_request *rq)
{
    return rq->host_name;
}

const char *vg_host_prefix(const struct vg_request *rq)
{
    return rq->prefix ? rq->prefix : "";
}

bool vg_wants_xml(const struct vg_request *rq)
{
    return rq->accept == VG_ACCEPT_XML || (rq->accept == VG_ACCEPT_NOTHING_SAID &&
                                           rq->route->gives == VG_GIVES_XML_OR_JSON);
}

const char *vg_wants_image(const struct vg_request *rq)
{
    return rq->accept == VG_ACCEPT_PNG   ? "image/png"
           : rq->accept == VG_ACCEPT_PPM ? "image/x-portable-pixmap"
                                         : NULL;
}

bool vg_is_head(const struct vg_request *rq)
{
    return rq->method == VG_HEAD;
}

bool vg_wants_openmetrics(const struct vg_request *rq)
{
    return rq->accept == VG_ACCEPT_OPENMETRICS;
}

const unsigned char *vg_bytes_body(const struct vg_request *rq, size_t *ret_n)
{
    *ret_n = rq->body_length;
    return rq->body_kind == VG_BODY_BYTES ? (const unsigned char *)rq->body : NULL;
}

const char *vg_xml_body(const struct vg_request *rq)
{
    return rq->body_kind != VG_BODY_XML ? NULL : rq->body ? rq->body : "";
}

/* Position of {name} in the route's pattern is its position in the path. */
const char *vg_path(const struct vg_request *rq, const char *name)
{
    unsigned int i = rq->first_segment;
    size_t n = strlen(name);
    for (const char *p = rq->route->pattern; *p == '/'; i++) {
        p++;
        if (p[0] == '{' && strncmp(p + 1, name, n) == 0 && p[1 + n] == '}')
            return rq->segments[i];
        p += strcspn(p, "/");
    }
    abort(); /* the handler and its table row disagree: found by the first test */
}

/* Whether [s, s+n) begins with an escape, %XX, that is not of NUL. */
static bool is_escape(const char *s, size_t n)
{
    return n >= 3 && isxdigit((unsigned char)s[1]) && isxdigit((unsigned char)s[2]) &&
           (s[1] != '0' || s[2] != '0');
}

/* Decodes [s, s+n) to *out, which moves past the NUL. -1: bad escape or NUL. */
static int decode(const char *s, size_t n, bool plus_is_space, char **out)
{
    char *o = *out;
    for (size_t i = 0; i < n; i++) {
        char c = s[i];
        if (c == '+' && plus_is_space) {
            c = ' ';
        } else if (c == '%') {
            if (!is_escape(s + i, n - i))
                return -1;
            c = (char)(vg_hex_value(s[i + 1]) * 16 + vg_hex_value(s[i + 2]));
            i += 2;
        }
        *o++ = c;
    }
    *o++ = '\0';
    *out = o;
    return 0;
}

static int fail_escape(struct vg_request *rq, const char *where)
{
    vg_error_set(&rq->error, VG_E_BAD_REQUEST,
                 "The %s has a bad percent-escape; %%XX with two hexadecimal digits is "
                 "accepted, %%00 is not",
                 where);
    return -1;
}

static int parse_path(struct vg_request *rq, const char *path, size_t n, char **out)
{
    const char *end = path + n, *p = path;

    while (p < end) {
        p++; /* the slash */
        const char *next = memchr(p, '/', (size_t)(end - p));
        size_t len = (size_t)((next ? next : end) - p);
        if (len == 0 && n == 1)
            return 0;
        if (rq->n_segments == VG_MAX_SEGMENTS) {
            vg_error_set(&rq->error, VG_E_NOT_FOUND, "No path has that many segments");
            return -1;
        }
        rq->segments[rq->n_segments++] = *out;
        if (decode(p, len, false, out) < 0)
            return fail_escape(rq, "path");
        p += len;
    }
    return 0;
}

static int parse_pair(struct vg_request *rq, const char *p, size_t n, char **out)
{
    const char *eq = memchr(p, '=', n);
    size_t key_length = eq ? (size_t)(eq - p) : n;
    struct vg_pair *pair = &rq->query[rq->n_query];

    pair->key = *out;
    if (decode(p, key_length, true, out) < 0)
        return fail_escape(rq, "query");
    pair->value = *out;
    if (decode(eq ? eq + 1 : "", eq ? n - key_length - 1 : 0, true, out) < 0)
        return fail_escape(rq, "query");
    for (unsigned int i = 0; i < rq->n_query; i++) {
        if (strcmp(rq->query[i].key, pair->key) == 0) {
            vg_error_set(&rq->error, VG_E_DUPLICATE_KEY,
                         "Query key '%s' is given more than once", pair->key);
            return -1;
        }
    }
    rq->n_query++;
    return 0;
}

static int parse_query(struct vg_request *rq, const char *query, char **out)
{
    unsigned int n = 1;
    for (const char *p = query; *p; p++)
        n += *p == '&';
    if (n > MAX_QUERY_KEYS) {
        vg_error_set(&rq->error, VG_E_BAD_REQUEST, "The query has more than %d keys",
                     MAX_QUERY_KEYS);
        return -1;
    }
    rq->query = calloc(n, sizeof(*rq->query));
    if (!rq->query)
        return vg_error_set_memory(&rq->error);
    for (const char *p = query; *p;) {
        size_t len = strcspn(p, "&");
        if (len && parse_pair(rq, p, len, out) < 0)
            return -1;
        p += len + (p[len] == '&');
    }
    return 0;
}

static bool is_utf8(const char *text)
{
    size_t left = strlen(text), n = 1;

    for (const char *p = text; left && n; p += n, left -= n)
        n = vg_utf8_length((const unsigned char *)p, left);
    return n != 0;
}

int vg_request_check_query(struct vg_request *rq)
{
    for (unsigned int i = 0; i < rq->n_query; i++) {
        if (is_utf8(rq->query[i].key) && is_utf8(rq->query[i].value))
            continue;
        vg_error_set(&rq->error, VG_E_INVALID_VALUE,
                     "Query key '%s' or its value is not text in UTF-8; percent-encode "
                     "the bytes of UTF-8, in which single surrogates do not exist",
                     rq->query[i].key);
        return -1;
    }
    return 0;
}

int vg_request_set_target(struct vg_request *rq, const char *target)
{
    size_t size = strlen(target) + 1;

    free(rq->target);
    rq->target = malloc(3 * size + 2); /* each part decodes to no more, plus its NUL */
    if (!rq->target)
        return vg_error_set_memory(&rq->error);
    rq->text = (char *)memcpy(rq->target, target, size) + size;
    return 0;
}

int vg_request_parse_target(struct vg_request *rq, const char *target)
{
    if (target != rq->target && vg_request_set_target(rq, target) < 0)
        return -1;
    target = rq->target;
    rq->path_length = strcspn(target, "?");
    if (target[0] != '/') {
        vg_error_set(&rq->error, VG_E_BAD_REQUEST,
                     "The request target is a path that begins with a slash");
        return -1;
    }
    char *out = rq->text;
    if (parse_path(rq, target, rq->path_length, &out) < 0)
        return -1;
    if (target[rq->path_length] == '?')
        return parse_query(rq, target + rq->path_length + 1, &out);
    return 0;
}

char *vg_percent_encode(const char *s)
{
    static const char hex[] = "0123456789ABCDEF";
    char *text = malloc(3 * strlen(s) + 1), *p = text;
    if (!text)
        return NULL;
    bool dots = strcmp(s, ".") == 0 || strcmp(s, "..") == 0; /* clients resolve those */
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c >= '0' && c <= '9') || (strchr("-._~", c) && !dots);
        if (plain) {
            *p++ = (char)c;
        } else {
            *p++ = '%';
            *p++ = hex[c >> 4];
            *p++ = hex[c & 15];
        }
    }
    *p = '\0';
    return text;
}
