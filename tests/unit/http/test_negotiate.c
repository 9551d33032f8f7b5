/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Negotiation: Accept against what a row gives, Content-Type against what it takes, gzip,
 * caches on the way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/http/internal.h"
#include "virtgate/cleanup.h"

static struct vg_http_call call;
static struct vg_config config = {.max_json_bytes = 1000, .max_document_bytes = 2000};

static void begin(const struct vg_route *route, const char *target)
{
    call = (struct vg_http_call){.rq = vg_request_new()};
    assert_int_equal(vg_request_parse_target(call.rq, target), 0);
    call.rq->route = route;
    call.rq->method = route->method;
}

static void end(void)
{
    vg_request_unref(call.rq);
}

/* ---- Accept ------------------------------------------------------------------------ */

#define ROW(name, what)                                                                  \
    static const struct vg_route name = {                                                \
        VG_GET, "/x", "get", NULL, .needs = "domain:read", .gives = what}
ROW(json, VG_GIVES_JSON);
ROW(either, VG_GIVES_JSON_OR_XML);
ROW(xml_first, VG_GIVES_XML_OR_JSON);
ROW(image, VG_GIVES_IMAGE);
ROW(events, VG_GIVES_EVENTS);
ROW(metrics, VG_GIVES_METRICS);
ROW(yaml, VG_GIVES_YAML);
ROW(files, VG_GIVES_FILES);
ROW(content, VG_GIVES_CONTENT);

enum { REFUSED = -1 };

static void check_accept(const struct vg_route *route, const char *accept, int want)
{
    begin(route, "/x");
    call.headers.accept = accept;
    int rc = vg_http_negotiate(&call, &config);
    int is = rc < 0 ? REFUSED : (int)call.rq->accept;
    if (is != want)
        fail_msg("%d gives %s as %d instead of %d", (int)route->gives, accept, is, want);
    if (rc < 0)
        assert_int_equal(call.rq->error.status, 406);
    end();
}

static void test_json(void **state)
{
    (void)state;
    check_accept(&json, NULL, VG_ACCEPT_NOTHING_SAID);
    check_accept(&json, "", VG_ACCEPT_NOTHING_SAID);
    check_accept(&json, "*/*", VG_ACCEPT_NOTHING_SAID);
    check_accept(&json, "application/json", VG_ACCEPT_JSON);
    check_accept(&json, "Application/JSON", VG_ACCEPT_JSON);
    check_accept(&json, "application/*", VG_ACCEPT_JSON);
    check_accept(&json, "application/problem+json", VG_ACCEPT_JSON);
    check_accept(&json, "text/html, */*;q=0.1", VG_ACCEPT_JSON);
    check_accept(&json, "application/xml", REFUSED);
    check_accept(&json, "text/*", REFUSED);
    check_accept(&json, "application/jso", REFUSED);
    check_accept(&json, "application/jsonx", REFUSED);
    check_accept(&json, "application/json;q=0", REFUSED);
    check_accept(&json, "application/json;q=0, */*", REFUSED); /* the more exact rules */
    check_accept(&json, "*/*;q=0", REFUSED);
    check_accept(&json, "a*/*", REFUSED);
    check_accept(&json, ",, \tapplication/json ;q=0.5,", VG_ACCEPT_JSON);
    check_accept(&json, "application/json; v=1; Q=0", REFUSED);
}

static void test_forms(void **state)
{
    (void)state;
    check_accept(&either, NULL, VG_ACCEPT_NOTHING_SAID);
    check_accept(&either, "application/xml", VG_ACCEPT_XML);
    check_accept(&either, "application/json", VG_ACCEPT_JSON);
    check_accept(&either, "application/*", VG_ACCEPT_NOTHING_SAID); /* as welcome */
    check_accept(&either, "application/json, application/xml", VG_ACCEPT_NOTHING_SAID);
    check_accept(&either, "application/json;q=0.5, application/xml;q=0.6", VG_ACCEPT_XML);
    check_accept(&either, "application/json;q=0.6, application/xml;q=0.5",
                 VG_ACCEPT_JSON);
    check_accept(&either, "application/xml, */*", VG_ACCEPT_XML);
    check_accept(&either, "application/xml;q=0, */*", VG_ACCEPT_JSON);
    check_accept(&either, "application/problem+json", REFUSED);
    check_accept(&either, "text/html", REFUSED);
    check_accept(&xml_first, "application/json", VG_ACCEPT_JSON);
    check_accept(&xml_first, "application/xml", VG_ACCEPT_XML);
    check_accept(&image, "image/png", VG_ACCEPT_PNG);
    check_accept(&image, "image/*", VG_ACCEPT_PNG); /* the first */
    check_accept(&image, "image/png;q=0.1, image/x-portable-pixmap", VG_ACCEPT_PPM);
    check_accept(&image, "application/json", REFUSED);
    check_accept(&metrics, "text/plain", VG_ACCEPT_NOTHING_SAID);
    check_accept(&metrics, "application/openmetrics-text;version=1.0.0, text/plain;q=0.5",
                 VG_ACCEPT_OPENMETRICS);
    check_accept(&metrics, "application/json", REFUSED);
    check_accept(&yaml, "text/yaml", VG_ACCEPT_NOTHING_SAID);
    check_accept(&files, "text/css, text/javascript", VG_ACCEPT_NOTHING_SAID);
    check_accept(&files, "text/html", REFUSED);
    check_accept(&content, "application/octet-stream", VG_ACCEPT_NOTHING_SAID);
    check_accept(&content, "application/json", VG_ACCEPT_JSON);
    check_accept(&events, "text/event-stream", VG_ACCEPT_STREAM);
    check_accept(&events, "application/json", VG_ACCEPT_JSON);
    check_accept(&events, "application/problem+json", VG_ACCEPT_JSON);
    check_accept(&events, "text/event-stream;q=0.5, application/json;q=0.4",
                 VG_ACCEPT_STREAM);
}

static void test_told(void **state)
{
    static const struct {
        const struct vg_route *route;
        const char *given;
    } rows[] = {
        {&json, "Answers here are application/json"},
        {&either, "Answers here are application/json or application/xml"},
        {&image, "Answers here are image/png or image/x-portable-pixmap"},
        {&files, "Answers here are text/javascript or text/css or text/plain"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin(rows[i].route, "/x");
        call.headers.accept = "video/mpeg";
        assert_int_equal(vg_http_negotiate(&call, &config), -1);
        assert_string_equal(call.rq->error.detail, rows[i].given);
        assert_int_equal(call.rq->accept, VG_ACCEPT_NOTHING_SAID); /* of the problem */
        end();
    }
}

/* A choice of fields is JSON, unless that is refused. */
static void test_fields(void **state)
{
    static const struct {
        const char *accept;
        int want;
    } rows[] = {
        {"application/xml, application/json;q=0.1", VG_ACCEPT_JSON},
        {"application/xml, */*;q=0.1", VG_ACCEPT_JSON},
        {"application/xml", VG_ACCEPT_XML},
        {"application/xml, application/json;q=0", VG_ACCEPT_XML},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin(&either, "/x?a=1&fields=name");
        call.headers.accept = rows[i].accept;
        assert_int_equal(vg_http_negotiate(&call, &config), 0);
        assert_int_equal(call.rq->accept, rows[i].want);
        end();
    }
    begin(&either, "/x?field=name");
    call.headers.accept = rows[0].accept;
    assert_int_equal(vg_http_negotiate(&call, &config), 0);
    assert_int_equal(call.rq->accept, VG_ACCEPT_XML);
    end();
}

static void check_websocket(const struct vg_route *route, const char *upgrade,
                            const char *key, int want)
{
    begin(route, "/x");
    call.headers.upgrade = upgrade;
    call.headers.connection = "keep-alive, Upgrade";
    call.headers.websocket_version = "13";
    call.headers.websocket_key = key;
    int rc = vg_http_negotiate(&call, &config);
    assert_int_equal(rc < 0 ? call.rq->error.status : 0, want);
    assert_int_equal(call.wants_websocket, want == 0 && upgrade);
    if (rc == 0 && upgrade && route->gives == VG_GIVES_EVENTS)
        assert_int_equal(call.rq->accept, VG_ACCEPT_STREAM);
    end();
}

static void test_websocket(void **state)
{
    static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==";
    ROW(console, VG_GIVES_WEBSOCKET);
    (void)state;
    check_websocket(&console, NULL, NULL, 426);
    check_websocket(&console, "h2c", key, 426);
    check_websocket(&console, "websocket", "short", 400);
    check_websocket(&events, NULL, NULL, 0);
    check_websocket(&events, "websocket", "short", 400);
}

/* ---- caches, gzip ------------------------------------------------------------------ */

static void check_gzip(const char *list, bool want)
{
    begin(&json, "/x");
    call.headers.accept_encoding = list;
    assert_int_equal(vg_http_negotiate(&call, &config), 0);
    if (call.gzip != want)
        fail_msg("%s: %d", list, call.gzip);
    end();
}

static void test_gzip(void **state)
{
    (void)state;
    check_gzip(NULL, false);
    check_gzip("", false);
    check_gzip("gzip", true);
    check_gzip("GZIP", true);
    check_gzip("br, gzip;q=0.5", true);
    check_gzip("br ,\tgzip , x", true);
    check_gzip("gzip;q=0", false);
    check_gzip("gzip; q=0.000", false);
    check_gzip("gzip, br;q=0", true);
    check_gzip("gzipped", false);
    check_gzip("xgzip", false);
    check_gzip("br;q=1.0", false);
    check_gzip("identity", false);
}

static void test_fresh(void **state)
{
    static const struct {
        const char *value;
        bool fresh;
    } rows[] = {{NULL, false},         {"", false},        {"no-cache", true},
                {"No-Cache", true},    {"no-store", true}, {"x, max-age=0", true},
                {"max-age=60", false}, {"private", false}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin(&json, "/x");
        call.headers.cache_control = rows[i].value;
        assert_int_equal(vg_http_negotiate(&call, &config), 0);
        assert_int_equal(call.rq->fresh, rows[i].fresh);
        end();
    }
}

/* ---- bodies ------------------------------------------------------------------------ */

#define TAKER(name, method, what, ...)                                                   \
    static const struct vg_route name = {                                                \
        method, "/x", "do", NULL, .needs = "domain:write", .takes = what, ##__VA_ARGS__}
TAKER(args, VG_POST, VG_TAKES_ARGS, .shared = false);
TAKER(merge, VG_PATCH, VG_TAKES_ARGS, .shared = false);
TAKER(document, VG_POST, VG_TAKES_DOCUMENT, .shared = false);
TAKER(xml, VG_POST, VG_TAKES_XML, .shared = false);
TAKER(bytes, VG_PUT, VG_TAKES_BYTES, .shared = false);
TAKER(stream, VG_PUT, VG_TAKES_STREAM, .shared = false);
TAKER(upload, VG_PATCH, VG_TAKES_STREAM, .resumable = true);
TAKER(import, VG_POST, VG_TAKES_XML_OR_STREAM, .shared = false);

/* want: a kind of body, or the status of the refusal. */
static void check_body(const struct vg_route *route, const char *type, uint64_t size,
                       int want)
{
    begin(route, "/x");
    call.headers.content_type = type;
    call.headers.content_length = "1";
    call.announced = size;
    int rc = vg_http_negotiate_body(&call, &config);
    int is = rc < 0 ? call.rq->error.status : (int)call.rq->body_kind;
    if (is != want)
        fail_msg("%d takes %s of %d bytes as %d instead of %d", (int)route->takes, type,
                 (int)size, is, want);
    end();
}

static void test_types(void **state)
{
    (void)state;
    check_body(&args, "application/json", 10, VG_BODY_JSON);
    check_body(&args, "Application/Json;charset=UTF-8", 10, VG_BODY_JSON);
    check_body(&args, "application/json; charset=\"utf-8\"", 10, VG_BODY_JSON);
    check_body(&args, "application/json ; x=y", 10, VG_BODY_JSON);
    check_body(&args, "application/json; charset=latin1", 10, 415);
    check_body(&args, "application/json; charset=utf-80", 10, 415);
    check_body(&args, "application/jsonx", 10, 415);
    check_body(&args, "application/xml", 10, 415);
    check_body(&args, "application/merge-patch+json", 10, 415);
    check_body(&args, NULL, 10, 415);
    check_body(&merge, "application/merge-patch+json", 10, VG_BODY_JSON);
    check_body(&merge, "application/json", 10, VG_BODY_JSON);
    check_body(&document, "application/xml", 10, 415);
    check_body(&xml, "application/xml", 10, VG_BODY_XML);
    check_body(&xml, "text/xml; charset=utf-8", 10, VG_BODY_XML);
    check_body(&xml, "application/soap+xml", 10, 415);
    check_body(&xml, "application/json", 10, VG_BODY_JSON);
    check_body(&bytes, "application/octet-stream", 10, VG_BODY_BYTES);
    check_body(&bytes, "application/json", 10, 415);
    check_body(&bytes, NULL, 10, 415);
    check_body(&stream, "application/octet-stream", 10, VG_BODY_STREAM);
    check_body(&stream, NULL, 10, VG_BODY_STREAM); /* nothing else is meant */
    check_body(&stream, "application/json", 10, 415);
    check_body(&upload, "application/offset+octet-stream", 10, VG_BODY_STREAM);
    check_body(&upload, "application/octet-stream", 10, 415);
    check_body(&upload, NULL, 10, 415);
    check_body(&import, "application/octet-stream", 10, VG_BODY_STREAM);
    check_body(&import, "application/json", 10, VG_BODY_JSON);
    check_body(&import, "application/xml", 10, VG_BODY_XML);
    check_body(&import, NULL, 10, 415);
}

static void test_sizes(void **state)
{
    (void)state;
    check_body(&args, "application/json", 1000, VG_BODY_JSON);
    check_body(&args, "application/json", 1001, 413);
    check_body(&xml, "application/xml", 2000, VG_BODY_XML);
    check_body(&xml, "application/xml", 2001, 413);
    check_body(&xml, "application/json", 8000, VG_BODY_JSON);
    check_body(&xml, "application/json", 8001, 413);
    check_body(&document, "application/json", 8000, VG_BODY_JSON);
    check_body(&document, "application/json", 8001, 413);
    check_body(&bytes, "application/octet-stream", 1001, 413);
    check_body(&stream, "application/octet-stream", 1 << 30, VG_BODY_STREAM);
    config.max_json_bytes = 9000; /* a document may be as long as any JSON */
    check_body(&document, "application/json", 9000, VG_BODY_JSON);
    config.max_json_bytes = 1000;
}

static void check_detail(const struct vg_route *route, uint64_t size, const char *type,
                         const char *words)
{
    begin(route, "/x");
    call.headers.content_type = type;
    call.announced = size;
    assert_int_equal(vg_http_negotiate_body(&call, &config), -1);
    if (!strstr(call.rq->error.detail, words))
        fail_msg("%s", call.rq->error.detail);
    end();
}

static void test_details(void **state)
{
    (void)state;
    check_detail(&args, 1, NULL, "'(none)' is not accepted here; application/json is");
    check_detail(&merge, 1, "x/y",
                 "; application/merge-patch+json or application/json is");
    check_detail(&bytes, 1, "x/y", "; application/octet-stream is");
    check_detail(&xml, 1, "x/y", "; application/json or application/xml is");
    check_detail(&import, 1, "x/y", "application/xml or application/octet-stream is");
    check_detail(&upload, 1, "x/y", "; application/offset+octet-stream is");
    check_detail(&args, 1001, "application/json", "at most 1000 bytes");
    check_detail(&args, 1001, "application/json", "(--max-json-bytes)");
    check_detail(&xml, 9000, "application/json", "(--max-document-bytes, four times");
}

static void check_call(const struct vg_route *route, struct vg_http_headers headers,
                       int want)
{
    begin(route, "/x");
    call.headers = headers;
    int rc = vg_http_negotiate(&call, &config);
    assert_int_equal(rc < 0 ? call.rq->error.status : (int)call.rq->body_kind, want);
    end();
}

/* Whether there is a body at all, a call in chunks tells with its first byte. */
static void test_presence(void **state)
{
    (void)state;
    check_call(&args, (struct vg_http_headers){0}, VG_BODY_NONE);
    check_call(&args, (struct vg_http_headers){.content_length = "5"}, 415);
    check_call(&args, (struct vg_http_headers){.transfer_encoding = "chunked"},
               VG_BODY_NONE);
    check_call(&stream, (struct vg_http_headers){.transfer_encoding = "chunked"},
               VG_BODY_STREAM);
    check_call(&stream, (struct vg_http_headers){0}, VG_BODY_STREAM);
    check_call(&import,
               (struct vg_http_headers){.transfer_encoding = "chunked",
                                        .content_type = "application/octet-stream"},
               VG_BODY_STREAM);
    check_call(&xml, (struct vg_http_headers){.content_type = "application/soap+xml"},
               VG_BODY_XML); /* an empty one is refused as a document */
    check_call(&args, (struct vg_http_headers){.content_type = "application/xml"},
               VG_BODY_NONE);
    check_call(&args,
               (struct vg_http_headers){.content_length = "5",
                                        .content_type = "application/json",
                                        .content_encoding = "gzip"},
               415);
    check_call(&args,
               (struct vg_http_headers){.content_length = "5",
                                        .content_type = "application/json",
                                        .content_encoding = "Identity"},
               VG_BODY_JSON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),      cmocka_unit_test(test_forms),
        cmocka_unit_test(test_told),      cmocka_unit_test(test_fields),
        cmocka_unit_test(test_websocket), cmocka_unit_test(test_gzip),
        cmocka_unit_test(test_fresh),     cmocka_unit_test(test_types),
        cmocka_unit_test(test_sizes),     cmocka_unit_test(test_details),
        cmocka_unit_test(test_presence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
