/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * From a reply to the header fields of its answer: which it has and which not, the form
 * that a client gets, what a connection remembers, and what too many bytes are refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/content.h"
#include "server/http/internal.h"
#include "virtgate/cleanup.h"

#define JSON       "application/json"
#define ID         "id-1"
#define LONG       5000  /* is compressed */
#define REMEMBERED 16384 /* as much as a connection remembers */
#define MEMORY     300000

/* clang-format off */
#define ROUTE(verb, ...)                                                                 \
    {verb, "/domains", "op", NULL, .needs = "domain:read", .takes = VG_TAKES_ARGS, __VA_ARGS__}
static const struct vg_route
    usual = ROUTE(VG_GET, .gives = VG_GIVES_JSON),
    other = ROUTE(VG_GET, .gives = VG_GIVES_JSON),
    change = ROUTE(VG_POST, .gives = VG_GIVES_JSON),
    metrics = ROUTE(VG_GET, .gives = VG_GIVES_METRICS),
    image = ROUTE(VG_GET, .gives = VG_GIVES_IMAGE),
    document = ROUTE(VG_GET, .gives = VG_GIVES_XML_OR_JSON),
    page = ROUTE(VG_GET, .gives = VG_GIVES_PAGE),
    resumable = ROUTE(VG_GET, .resumable = true);
/* clang-format on */

/* ---- a call and its answer --------------------------------------------------------- */

struct call {
    struct vg_http_conn conn;
    struct vg_http_call http;
};

static struct call *make_call(const struct vg_route *route)
{
    struct call *c = calloc(1, sizeof(*c));
    assert_non_null(c);
    c->http.rq = vg_request_new();
    assert_int_equal(vg_request_parse_target(c->http.rq, "/domains"), 0);
    c->http.rq->route = route;
    c->http.rq->method = route->method;
    strcpy(c->http.rq->id, ID);
    c->http.conn = &c->conn;
    return c;
}

static void free_call(struct call *c)
{
    if (c->conn.sent.response)
        MHD_destroy_response(c->conn.sent.response);
    vg_error_clear(&c->http.rq->error);
    vg_request_unref(c->http.rq);
    free(c);
}

static char *text_of(size_t n, char of)
{
    char *text = malloc(n + 1);
    assert_non_null(text);
    memset(text, of, n);
    text[n] = '\0';
    return text;
}

static struct vg_reply reply_of(struct call *c, size_t n, char of)
{
    return vg_ok_text(c->http.rq, JSON, text_of(n, of));
}

static enum MHD_Result write_field(void *data, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    (void)kind;
    fprintf(data, "%s: %s\n", name, value);
    return MHD_YES;
}

/* Lines "Name: value", each with a new line before it and after. Owned by the caller. */
static char *fields_of(const struct call *c)
{
    char *text = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&text, &n);
    assert_non_null(to);
    assert_non_null(c->http.response);
    fputc('\n', to);
    MHD_get_response_headers(c->http.response, write_field, to);
    assert_int_equal(fclose(to), 0);
    return text;
}

static char *answer(struct call *c, struct vg_reply reply)
{
    vg_http_build_response(&c->http, &reply, reply.allow, false);
    assert_null(reply.body);
    return fields_of(c);
}

static char *value_of(const char *fields, const char *name)
{
    const char *at = strstr(fields, name);
    return at ? strndup(at + strlen(name), strcspn(at + strlen(name), "\n")) : NULL;
}

static void expect(const char *what, const char *fields, const char *const *has,
                   const char *const *lacks)
{
    for (; *has; has++)
        if (!strstr(fields, *has))
            fail_msg("%s lacks %s:\n%s", what, *has, fields);
    for (; *lacks; lacks++)
        if (strstr(fields, *lacks))
            fail_msg("%s has %s:\n%s", what, *lacks, fields);
}

#define THESE(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NONE       ((const char *const[]){NULL})

/* ---- header fields ----------------------------------------------------------------- */

static void test_usual(void **state)
{
    (void)state;
    struct call *c = make_call(&usual);
    vg_autofree char *fields = answer(c, reply_of(c, 2, 'a'));
    vg_autofree char *tag = value_of(fields, "ETag: ");
    vg_autofree char *all = NULL;
    assert_int_equal(c->http.status, 200);
    assert_non_null(tag);
    assert_true(asprintf(&all,
                         "\nContent-Type: " JSON "\nETag: %s\nCache-Control: no-cache\n"
                         "X-Content-Type-Options: nosniff\nX-Request-Id: " ID "\n",
                         tag) > 0);
    assert_string_equal(fields, all);
    vg_http_release_response(&c->http);
    assert_null(c->http.response);
    free_call(c);
}

/* What of a call or a reply differs from the usual, and what its answer has then. */
static const struct {
    const char *what;
    const struct vg_route *route;
    const char *origin, *authorization;
    bool gzip, close, secret;
    enum vg_method method; /* 0: the route's */
    size_t length;
    struct vg_reply reply; /* what it has beside its body */
    struct vg_http_rate_limit past;
    const char *has[5], *lacks[5];
} rows[] = {
    {"a revision", .reply = {.has_revision = true, .revision = 7},
     .has = {"X-Virtgate-Revision: "}, .lacks = {"Source", "\nAge"}},
    {"no revision", .reply = {.revision = 7}, .lacks = {"Revision"}},
    {"libvirt's", .reply = {.source = VG_SOURCE_LIBVIRT, .age_seconds = 3},
     .has = {"X-Virtgate-Source: libvirt\n"}, .lacks = {"\nAge"}},
    {"from memory", .reply = {.source = VG_SOURCE_INVENTORY, .age_seconds = 3},
     .has = {"X-Virtgate-Source: inventory\nAge: 3\n"}, .lacks = {"libvirt"}},
    {"later", .reply = {.retry_after = 12}, .has = {"Retry-After: 12\n"}},
    {"past a limit", .past = {.name = "reads", .quota = 5, .window = 10, .until_next = 2},
     .has = {"RateLimit-Policy: \"reads\";q=5;w=10\n", "RateLimit: \"reads\";r=0;t=2\n"}},
    {"not past one", .past = {.quota = 5}, .lacks = {"RateLimit"}},
    {"allowed", .reply = {.allow = "GET, HEAD"}, .has = {"Allow: GET, HEAD\n"}},
    {"no PATCH", .reply = {.allow = "GET, HEAD"}, .lacks = {"Accept-Patch"}},
    {"PATCH", .reply = {.allow = "GET, HEAD, PATCH"},
     .has = {"Accept-Patch: application/merge-patch+json\n"}},
    {"closed", .close = true, .has = {"Connection: close\n"}},
    {"unauthorized", .reply = {.status = 401},
     .has = {"WWW-Authenticate: Bearer realm=\"virtgate\"\n"}, .lacks = {"\nETag"}},
    {"to be upgraded", .reply = {.status = 426},
     .has = {"Upgrade: websocket\n", "Connection: Upgrade\n",
             "Sec-WebSocket-Version: 13\n"}},
    {"not authorized", .reply = {.status = 403}, .lacks = {"WWW-Auth", "Upgrade"}},
    {"of a page of another origin", .origin = "http://a",
     .has = {"Access-Control-Allow-Origin: http://a\n", "Access-Control-Expose-Headers: ",
             "Vary: Accept, Accept-Encoding, Authorization, Origin\n"},
     .lacks = {"Allow-Methods", "Max-Age"}},
    {"preflight", .method = VG_OPTIONS, .origin = "http://a",
     .has = {"Access-Control-Allow-Methods: GET, HEAD, PUT, PATCH, POST, DELETE\n",
             "Access-Control-Allow-Headers: ", "Access-Control-Max-Age: 600\n"},
     .lacks = {"\nETag"}},
    {"options of no page", .method = VG_OPTIONS, .lacks = {"Access-Control"}},
    {"of a token", .authorization = "Bearer a", .has = {"ETag: ", "Vary: "}},
    {"of a token, without a tag", .authorization = "Bearer a", .reply = {.status = 404},
     .lacks = {"\nETag", "\nVary"}},
    {"head", .method = VG_HEAD, .has = {"ETag: "}},
    {"a change", &change, .method = VG_POST, .lacks = {"\nETag", "\nVary"}},
    {"an error", .reply = {.status = 404}, .lacks = {"\nETag"}},
    {"a secret", .secret = true, .has = {"Cache-Control: no-store\n"},
     .lacks = {"\nETag"}},
    {"a long secret", .secret = true, .gzip = true, .length = LONG,
     .lacks = {"\nETag", "\nVary", "Content-Encoding"}},
    {"resumable", &resumable, .has = {"Cache-Control: no-store\n"}, .lacks = {"\nETag"}},
    {"metrics", &metrics, .has = {"Vary: "}, .lacks = {"\nETag"}},
    {"no metrics", &metrics, .reply = {.status = 503}, .lacks = {"\nETag", "\nVary"}},
    {"an image", &image, .has = {"ETag: ", "Vary: "}},
    {"a document", &document, .has = {"ETag: ", "Vary: "}},
    {"a page", &page, .has = {"Content-Security-Policy: default-src 'none'; "}},
    {"no page", .lacks = {"Content-Security-Policy", "\nVary", "Content-Encoding"}},
    {"long", .length = LONG, .has = {"ETag: ", "Vary: "}, .lacks = {"-gz", "Encoding: "}},
    {"short", .gzip = true, .lacks = {"-gz\"", "\nVary", "Content-Encoding"}},
    {"compressed", .length = LONG, .gzip = true,
     .has = {"Content-Encoding: gzip\n", "-gz\"\n", "Vary: "}},
    {"a long error", .length = LONG, .gzip = true, .reply = {.status = 404},
     .has = {"Content-Encoding: gzip\n"}, .lacks = {"\nETag", "\nVary"}},
};

static struct vg_reply reply_of_row(struct call *c, size_t i)
{
    struct vg_reply reply = reply_of(c, rows[i].length ? rows[i].length : 2, 'a');
    const struct vg_reply *more = &rows[i].reply;
    reply.body->secret = rows[i].secret;
    reply.status = more->status ? more->status : reply.status;
    reply.allow = more->allow;
    reply.retry_after = more->retry_after;
    reply.source = more->source;
    reply.age_seconds = more->age_seconds;
    reply.has_revision = more->has_revision;
    reply.revision = more->revision;
    return reply;
}

static void test_fields(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct call *c = make_call(rows[i].route ? rows[i].route : &usual);
        if (rows[i].method)
            c->http.rq->method = rows[i].method;
        c->http.origin = (char *)(uintptr_t)rows[i].origin;
        c->http.headers.authorization = rows[i].authorization;
        c->http.gzip = rows[i].gzip;
        c->http.close = rows[i].close;
        c->http.past = rows[i].past;
        struct vg_reply reply = reply_of_row(c, i);
        int status = reply.status;
        vg_autofree char *fields = answer(c, reply);
        assert_int_equal(c->http.status, status);
        expect(rows[i].what, fields, rows[i].has, rows[i].lacks);
        expect(rows[i].what, fields, THESE("X-Request-Id: " ID "\n"), NONE);
        vg_http_release_response(&c->http);
        free_call(c);
    }
}

/* What a reply owns. */
static void test_owned(void **state)
{
    (void)state;
    struct call *c = make_call(&usual);
    struct vg_reply reply = reply_of(c, 2, 'a');
    reply.location = strdup("/domains/a");
    reply.link = strdup("</domains?after=a>; rel=\"next\"");
    reply.content_range = strdup("bytes */7");
    vg_autofree char *fields =
        answer(c, vg_with_field(c->http.rq, reply, "X-Own", strdup("1")));
    expect("owned", fields,
           THESE("Location: /domains/a\n", "Link: </domains?after=a>; rel=\"next\"\n",
                 "Content-Range: bytes */7\n", "X-Own: 1\n"),
           NONE);
    vg_http_release_response(&c->http);

    vg_path_prefix_start("/libvirt");
    reply = reply_of(c, 2, 'a');
    reply.location = strdup("/domains/a");
    vg_autofree char *behind = answer(c, reply);
    expect("behind a proxy", behind, THESE("\nLocation: /libvirt/domains/a\n"), NONE);
    vg_http_release_response(&c->http);
    vg_autofree char *nowhere = answer(c, reply_of(c, 2, 'a'));
    expect("nowhere", nowhere, NONE, THESE("Location"));
    vg_http_release_response(&c->http);
    vg_path_prefix_start(NULL);

    c->http.rq->lacks_certificate = true;
    reply = reply_of(c, 2, 'a');
    reply.status = 401;
    vg_autofree char *refusal = answer(c, reply);
    expect("no certificate", refusal, THESE("ClientCertificate realm"), THESE("Bearer"));
    vg_http_release_response(&c->http);

    reply = vg_no_content(c->http.rq);
    vg_autofree char *nothing = answer(c, reply);
    expect("nothing", nothing, THESE("X-Request-Id: " ID),
           THESE("ETag", "\nContent-Type"));
    assert_int_equal(c->http.status, 204);
    vg_http_release_response(&c->http);

    reply = reply_of(c, 2, 'a');
    vg_http_build_response(&c->http, &reply, NULL, true);
    vg_autofree char *last = fields_of(c);
    expect("the last", last, THESE("Connection: close\n"), NONE);
    vg_http_release_response(&c->http);
    free_call(c);
}

/* ---- what the client has already --------------------------------------------------- */

static char *tag_of(bool gzip)
{
    struct call *c = make_call(&usual);
    c->http.gzip = gzip;
    vg_autofree char *fields = answer(c, reply_of(c, LONG, 'a'));
    char *tag = value_of(fields, "ETag: ");
    vg_http_release_response(&c->http);
    free_call(c);
    assert_non_null(tag);
    return tag;
}

static void test_known(void **state)
{
    (void)state;
    vg_autofree char *plain = tag_of(false);
    vg_autofree char *packed = tag_of(true);
    static const struct {
        const char *before, *after; /* the tag */
        bool of_packed, gzip, known;
    } known[] = {
        {"", "", false, false, true},
        {"W/", "", false, false, true},
        {"\"x\", ", ", \"y\"", false, false, true},
        {"", "", true, true, true},
        {"", "", true, false, false},
        {"", "", false, true, false},
    };
    assert_string_not_equal(plain, packed);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        char list[200];
        struct call *c = make_call(&usual);
        snprintf(list, sizeof(list), "%s%s%s", known[i].before,
                 known[i].of_packed ? packed : plain, known[i].after);
        c->http.headers.if_none_match = list;
        c->http.gzip = known[i].gzip;
        struct vg_reply reply = reply_of(c, LONG, 'a');
        vg_autofree char *fields = answer(c, reply);
        assert_int_equal(c->http.status, known[i].known ? 304 : 200);
        expect(list, fields, THESE("ETag: ", "Vary: "),
               known[i].known ? THESE("\nContent-Type", "Content-Encoding") : NONE);
        vg_http_release_response(&c->http);
        free_call(c);
    }
    static const struct {
        const char *list;
        int status, answered;
    } others[] = {{"*", 200, 304}, {"\"x\"", 200, 200}, {"*", 404, 404}};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct call *c = make_call(&usual);
        struct vg_reply reply = reply_of(c, LONG, 'a');
        c->http.headers.if_none_match = others[i].list;
        reply.status = others[i].status;
        free(answer(c, reply));
        assert_int_equal(c->http.status, others[i].answered);
        vg_http_release_response(&c->http);
        free_call(c);
    }
}

/* Of a content: its tag is that of its version, in the one form that it has. */
static void test_known_content(void **state)
{
    (void)state;
    struct call *c = make_call(&usual);
    struct vg_feed *feed = calloc(1, sizeof(*feed));
    assert_non_null(feed);
    feed->close = vg_feed_unref;
    feed->hash = 0xABC;
    atomic_init(&feed->refs, 2);
    c->http.gzip = true;
    c->http.headers.if_none_match = "*";
    vg_autofree char *fields =
        answer(c, (struct vg_reply){
                      .status = 200, .type = "application/octet-stream", .feed = feed});
    assert_int_equal(c->http.status, 304);
    expect("a content", fields, THESE("\nETag: \"0000000000000abc\"\n"),
           THESE("\nContent-Type", "Content-Encoding"));
    assert_null(c->conn.sent.response);
    assert_int_equal(atomic_load(&feed->refs), 1);
    vg_feed_unref(feed);
    vg_http_release_response(&c->http);
    free_call(c);
}

/* ---- the same answer again --------------------------------------------------------- */

/* A reply that is kept: its body has a type. */
static struct vg_reply kept_reply(struct vg_body *body)
{
    return (struct vg_reply){.status = 200,
                             .type = JSON,
                             .body = vg_body_ref(body),
                             .source = VG_SOURCE_LIBVIRT,
                             .has_revision = true,
                             .revision = 5,
                             .age_seconds = 1};
}

static struct vg_body *make_body(struct call *c, size_t n, char of)
{
    struct vg_reply reply = reply_of(c, n, of);
    struct vg_body *body = vg_body_ref(reply.body);
    vg_reply_prepare(&reply);
    vg_reply_clear(&reply);
    body->type = JSON;
    return body;
}

static struct MHD_Response *send_one(struct call *c, struct vg_reply reply)
{
    vg_http_build_response(&c->http, &reply, NULL, false);
    struct MHD_Response *sent = c->http.response;
    vg_http_release_response(&c->http);
    return sent;
}

static void test_again(void **state)
{
    (void)state;
    struct call *c = make_call(&usual);
    struct vg_body *body = make_body(c, 2, 'a'), *same = make_body(c, 2, 'a');
    struct MHD_Response *first = send_one(c, kept_reply(body));
    assert_ptr_equal(c->conn.sent.response, first);
    strcpy(c->http.rq->id, "id-2");
    struct vg_reply reply = kept_reply(body);
    vg_autofree char *fields = answer(c, reply);
    assert_ptr_equal(c->http.response, first);
    assert_int_equal(c->http.status, 200);
    expect("again", fields, THESE("X-Request-Id: id-2\n"), THESE(ID));
    vg_http_release_response(&c->http);

    /* anything else is another answer, which is remembered instead */
    struct vg_reply others[] = {kept_reply(same), kept_reply(same), kept_reply(same),
                                kept_reply(same), kept_reply(same)};
    others[1].source = VG_SOURCE_INVENTORY;
    others[2].has_revision = false;
    others[3].revision = 6;
    others[4].age_seconds = 2;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        vg_autofree char *now = answer(c, others[i]);
        assert_ptr_equal(c->conn.sent.response, c->http.response);
        assert_ptr_equal(c->conn.sent.body, same);
        assert_int_equal(strstr(now, "inventory") != NULL, i == 1);
        assert_int_equal(strstr(now, "Revision") != NULL, i != 2);
        vg_http_release_response(&c->http);
    }
    c->http.rq->route = &other;
    strcpy(c->http.rq->id, "id-3");
    reply = kept_reply(same);
    reply.age_seconds = 2;
    vg_autofree char *elsewhere = answer(c, reply);
    assert_ptr_equal(c->conn.sent.route, &other);
    expect("of another route", elsewhere, THESE("X-Request-Id: id-3\n"), NONE);
    vg_http_release_response(&c->http);
    vg_body_unref(body);
    vg_body_unref(same);
    free_call(c);
}

/* Which are remembered. */
static void test_memorable(void **state)
{
    static const struct {
        const char *what;
        size_t length;
        bool typed, inventory, known, origin, closes, close, place, link, waits, async,
            no_tag;
        bool remembered;
    } cases[] = {
        {"kept", 2, .typed = true, .remembered = true},
        {"of the inventory", 2, .inventory = true, .remembered = true},
        {"of nobody", 2},
        {"the longest", REMEMBERED, .typed = true, .remembered = true},
        {"too long", REMEMBERED + 1, .typed = true},
        {"too long, known", REMEMBERED + 1, .typed = true, .known = true,
         .remembered = true},
        {"known, of nobody", 2, .known = true, .remembered = true},
        {"of an origin", 2, .typed = true, .origin = true},
        {"the last", 2, .typed = true, .closes = true},
        {"of a call that closes", 2, .typed = true, .close = true},
        {"at a place", 2, .typed = true, .place = true},
        {"with a link", 2, .typed = true, .link = true},
        {"of who waits", 2, .typed = true, .waits = true},
        {"of who does not", 2, .typed = true, .async = true},
        {"without a tag", 2, .typed = true, .no_tag = true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct call *c = make_call(&usual);
        struct vg_body *body = make_body(c, cases[i].length, 'a');
        struct vg_reply reply = kept_reply(body);
        body->type = cases[i].typed ? JSON : NULL;
        reply.source = cases[i].inventory ? VG_SOURCE_INVENTORY : VG_SOURCE_LIBVIRT;
        reply.status = cases[i].no_tag ? 404 : 200;
        reply.location = cases[i].place ? strdup("/a") : NULL;
        reply.link = cases[i].link ? strdup("</a>") : NULL;
        c->http.headers.if_none_match = cases[i].known ? "*" : NULL;
        c->http.origin = cases[i].origin ? (char *)(uintptr_t) "http://a" : NULL;
        c->http.close = cases[i].close;
        c->http.rq->prefer.waits = cases[i].waits;
        c->http.rq->prefer.respond_async = cases[i].async;
        vg_http_build_response(&c->http, &reply, NULL, cases[i].closes);
        if ((c->conn.sent.response != NULL) != cases[i].remembered)
            fail_msg("%s: %s", cases[i].what, cases[i].remembered ? "forgotten" : "kept");
        vg_http_release_response(&c->http);
        vg_body_unref(body);
        free_call(c);
    }
}

/* ---- too many bytes ---------------------------------------------------------------- */

/* Answers that wait hold memory until they are sent: a read is refused then, a change
 * that is done is not, nor what needs no memory. */
static void test_memory(void **state)
{
    (void)state;
    struct call *first = make_call(&usual), *c = make_call(&usual);
    struct vg_reply reply = reply_of(first, MEMORY - 1000, 'a');
    vg_http_build_response(&first->http, &reply, NULL, false);
    assert_int_equal(first->http.status, 200);
    assert_int_equal(atomic_load(&first->http.rq->refs), 1);

    static const struct {
        enum vg_method method;
        const char *if_none_match;
        int status;
    } others[] = {{VG_GET, NULL, 503},
                  {VG_GET, "*", 304},
                  {VG_HEAD, NULL, 200},
                  {VG_POST, NULL, 200}};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        c->http.rq->method = others[i].method;
        c->http.headers.if_none_match = others[i].if_none_match;
        reply = reply_of(c, MEMORY / 2, 'b');
        vg_autofree char *fields = answer(c, reply);
        assert_int_equal(c->http.status, others[i].status);
        if (others[i].status == 503)
            expect("too many", fields,
                   THESE("Content-Type: application/problem+json\n", "Retry-After: "),
                   THESE("ETag"));
        vg_http_release_response(&c->http);
    }
    vg_http_release_response(&first->http);
    c->http.rq->method = VG_GET;
    reply = reply_of(c, MEMORY / 2, 'b'); /* it is sent: there is memory again */
    vg_http_build_response(&c->http, &reply, NULL, false);
    assert_int_equal(c->http.status, 200);
    vg_http_release_response(&c->http);
    free_call(first);
    free_call(c);
}

int main(void)
{
    const struct vg_config config = {.max_json_bytes = 1000,
                                     .max_document_bytes = 1000,
                                     .max_connections = 10,
                                     .body_memory = 10000,
                                     .body_memory_per_token = 10000,
                                     .answer_memory = MEMORY};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usual),  cmocka_unit_test(test_fields),
        cmocka_unit_test(test_owned),  cmocka_unit_test(test_known),
        cmocka_unit_test(test_again),  cmocka_unit_test(test_memorable),
        cmocka_unit_test(test_memory), cmocka_unit_test(test_known_content),
    };
    vg_http_limit_start(&config);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
