/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The request target: segments, percent-decoding exactly once, queries, what is refused
 * (RFC 3986); the encoding of a segment for links; reference counting.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "server/core/answer.h"
#include "server/core/request.h"
#include "virtgate/cleanup.h"

/* What was made of a target, "[a][b] k=v;" or "404 slug". */
static void describe(const struct vg_request *rq, int rc, char *out, size_t size)
{
    size_t n = 0;
    out[0] = '\0';
    if (rc < 0) {
        snprintf(out, size, "%d %s", rq->error.status, rq->error.slug);
        return;
    }
    for (unsigned int i = 0; i < rq->n_segments; i++)
        n += (size_t)snprintf(out + n, size - n, "[%s]", rq->segments[i]);
    for (unsigned int i = 0; i < rq->n_query; i++)
        n += (size_t)snprintf(out + n, size - n, " %s=%s;", rq->query[i].key,
                              rq->query[i].value);
}

static void check_target(const char *target, const char *want)
{
    char is[4096];
    struct vg_request *rq = vg_request_new();
    int rc = vg_request_parse_target(rq, target);
    describe(rq, rc, is, sizeof(is));
    if (strcmp(is, want) != 0)
        fail_msg("%s: '%s' instead of '%s'", target, is, want);
    assert_string_equal(rq->target, target);
    assert_int_equal(rq->path_length, strcspn(target, "?"));
    vg_request_unref(rq);
}

struct row {
    const char *target, *want;
};

static void check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        check_target(rows[i].target, rows[i].want);
}
#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

static void test_segments(void **state)
{
    (void)state;
    const struct row rows[] = {
        {"/", ""},
        {"/?", ""},
        {"/domains", "[domains]"},
        {"/domains/vm1/xml", "[domains][vm1][xml]"},
        {"//", "[][]"},
        {"//a", "[][a]"},
        {"/a//b", "[a][][b]"},
        {"/a/", "[a][]"},
        {"/a/?b=c", "[a][] b=c;"},
        {"/1/2/3/4/5/6/7/8/9/10/11/12", "[1][2][3][4][5][6][7][8][9][10][11][12]"},
        {"/1/2/3/4/5/6/7/8/9/10/11/12/13", "404 not-found"},
        /* dots are names here; nothing is resolved against anything */
        {"/a/../b/.", "[a][..][b][.]"},
        {"", "400 bad-request"},
        {"*", "400 bad-request"},
        {"a/b", "400 bad-request"},
        {"?a=b", "400 bad-request"},
        {"http://host/domains", "400 bad-request"},
    };
    CHECK_ROWS(rows);
}

static void test_escapes(void **state)
{
    (void)state;
    const struct row rows[] = {
        {"/a%20b", "[a b]"},
        {"/%41%5a%5A", "[AZZ]"},
        /* an encoded slash belongs to the name, and decoding happens once */
        {"/a%2Fb/c", "[a/b][c]"},
        {"/%2e%2e", "[..]"},
        {"/a%2520b", "[a%20b]"},
        {"/a%253F", "[a%3F]"},
        {"/a%3Fb?c", "[a?b] c=;"},
        {"/a+b", "[a+b]"},
        {"/%C3%BC\xC3\xBC", "[\xC3\xBC\xC3\xBC]"},
        {"/%FF", "[\xFF]"},
        {"/%01", "[\x01]"},
        {"/a;b=c,d:e@f", "[a;b=c,d:e@f]"},
        {"/%00", "400 bad-request"},
        {"/a%00b", "400 bad-request"},
        {"/%", "400 bad-request"},
        {"/%4", "400 bad-request"},
        {"/%4/1", "400 bad-request"},
        {"/a%4?1=2", "400 bad-request"},
        {"/%4g", "400 bad-request"},
        {"/%g4", "400 bad-request"},
        {"/%-1", "400 bad-request"},
        {"/% 1", "400 bad-request"},
        {"/%%41", "400 bad-request"},
    };
    CHECK_ROWS(rows);
}

static void test_queries(void **state)
{
    (void)state;
    const struct row rows[] = {
        {"/a?b=c", "[a] b=c;"},
        {"/?b=c", " b=c;"},
        {"/a?b", "[a] b=;"},
        {"/a?b=", "[a] b=;"},
        {"/a?=b", "[a] =b;"},
        {"/a?=", "[a] =;"},
        {"/a?b=c=d", "[a] b=c=d;"},
        {"/a?b=1&c=2", "[a] b=1; c=2;"},
        {"/a?&&b=1&&c=2&", "[a] b=1; c=2;"},
        {"/a?b=c?d/e", "[a] b=c?d/e;"},
        {"/a?b+c=d+e", "[a] b c=d e;"},
        {"/a?b%2Bc=%2B%26%3D", "[a] b+c=+&=;"},
        {"/a?b=%2520", "[a] b=%20;"},
        {"/a?b=%C3%BC", "[a] b=\xC3\xBC;"},
        {"/a?b=1&b=2", "400 duplicate-key"},
        {"/a?b=1&%62=1", "400 duplicate-key"},
        {"/a?&=1&=2", "400 duplicate-key"},
        {"/a?b=%00", "400 bad-request"},
        {"/a?%00=b", "400 bad-request"},
        {"/a?b=%", "400 bad-request"},
        {"/a?b%=", "400 bad-request"},
        {"/a?b=%4&1=2", "400 bad-request"},
        {"/a?b%4=1", "400 bad-request"},
    };
    CHECK_ROWS(rows);
}

/* 64 keys are accepted, 65 are not; empty ones count, since they cost as much. */
static void test_query_limit(void **state)
{
    (void)state;
    for (unsigned int n = 63; n <= 65; n++) {
        char target[1024] = "/a?";
        for (unsigned int i = 0; i < n; i++) {
            char pair[32];
            snprintf(pair, sizeof(pair), "%sk%u=%u", i ? "&" : "", i, i);
            strcat(target, pair); /* NOLINT: bounded by n */
        }
        struct vg_request *rq = vg_request_new();
        assert_int_equal(vg_request_parse_target(rq, target), n <= 64 ? 0 : -1);
        assert_int_equal(rq->n_query, n <= 64 ? n : 0);
        assert_int_equal(rq->error.status, n <= 64 ? 0 : 400);
        vg_request_unref(rq);
    }
}

static void check_encoded(const char *s, const char *want)
{
    vg_autofree char *is = vg_percent_encode(s);
    assert_string_equal(is, want);
}

static void test_encoding(void **state)
{
    (void)state;
    check_encoded("", "");
    check_encoded("AZaz09-._~", "AZaz09-._~");
    check_encoded("a b/c%d?e", "a%20b%2Fc%25d%3Fe");
    check_encoded("\xC3\xBC\x01\xFF", "%C3%BC%01%FF");
    /* what clients resolve where it stands as it is */
    check_encoded(".", "%2E");
    check_encoded("..", "%2E%2E");
    check_encoded("...", "...");
}

/* Whatever bytes a name has, its link leads back to it. */
static void test_encoding_round_trip(void **state)
{
    (void)state;
    char name[256], target[2048];
    for (unsigned int c = 1; c < 256; c++)
        name[c - 1] = (char)c;
    name[255] = '\0';
    vg_autofree char *encoded = vg_percent_encode(name);
    snprintf(target, sizeof(target), "/%s?k=%s", encoded, encoded);
    struct vg_request *rq = vg_request_new();
    assert_int_equal(vg_request_parse_target(rq, target), 0);
    assert_int_equal(rq->n_segments, 1);
    assert_string_equal(rq->segments[0], name);
    assert_int_equal(rq->n_query, 1);
    assert_string_equal(rq->query[0].value, name);
    vg_request_unref(rq);
}

static void test_path_words(void **state)
{
    (void)state;
    const struct vg_route route = {VG_GET, "/domains/{domain}/devices/{device}",
                                   "getDevice", NULL, .needs = "domain:read"};
    struct vg_request *rq = vg_request_new();
    assert_int_equal(vg_request_parse_target(rq, "/hosts/h%201/domains/vm%2F1/devices/x"),
                     0);
    rq->route = &route;
    rq->first_segment = 2;
    assert_string_equal(vg_path(rq, "domain"), "vm/1");
    assert_string_equal(vg_path(rq, "device"), "x");
    assert_string_equal(vg_host_prefix(rq), "");
    vg_request_unref(rq);
}

static unsigned int n_answers;

static void count_answer(struct vg_request *rq, struct vg_reply reply)
{
    (void)rq;
    n_answers++;
    vg_reply_clear(&reply);
}

/* A worker and the deadline may both answer: the first one wins, both are freed. */
static void test_answered_once(void **state)
{
    (void)state;
    struct vg_request *rq = vg_request_new();
    rq->done = count_answer;
    n_answers = 0;
    vg_request_ref(rq);
    vg_request_answer(rq, vg_reply_error(rq, VG_E_INTERNAL, "first"));
    vg_request_answer(rq, vg_reply_error(rq, VG_E_INTERNAL, "second"));
    assert_int_equal(n_answers, 1);
    vg_request_unref(rq);
    vg_request_unref(rq);
    vg_request_unref(NULL);
}

/* ---- what a row makes of a request ------------------------------------------------- */

static struct vg_request *ask(const struct vg_route *route, const char *target)
{
    struct vg_request *rq = vg_request_new();

    assert_int_equal(vg_request_parse_target(rq, target), 0);
    rq->route = route;
    return rq;
}

/* A request that the gateway makes for itself has the rights of whom it is for. */
static void test_inner(void **state)
{
    static const struct vg_route plain = {VG_GET, "/x", "x", NULL,
                                          .needs = "domain:read"};
    (void)state;
    struct vg_request *rq = ask(&plain, "/x");
    rq->rights = vg_rights_of_role(VG_ROLE_OPERATOR);
    rq->via = VG_VIA_SOCKET;
    strcpy(rq->principal, "alice");
    memset(rq->caller, 7, sizeof(rq->caller));
    struct vg_request *inner = vg_request_inner(&plain, "/hosts/a/x?y=1", 8);
    assert_non_null(inner);
    vg_request_act_for(inner, rq);
    assert_ptr_equal(inner->rights, rq->rights);
    assert_int_equal(inner->via, VG_VIA_SOCKET);
    assert_string_equal(inner->principal, "alice");
    assert_memory_equal(inner->caller, rq->caller, sizeof(rq->caller));
    assert_ptr_equal(inner->route, &plain);
    assert_string_equal(inner->target, "/hosts/a/x?y=1");
    assert_string_equal(vg_host_prefix(inner), "/hosts/a");
    vg_request_unref(inner);
    vg_request_unref(rq);
}

static void check_waits(const struct vg_route *route, const char *target, bool want)
{
    struct vg_request *rq = ask(route, target);

    assert_int_equal(vg_request_waits(rq), want);
    vg_request_unref(rq);
}

static void test_waits(void **state)
{
    static const struct vg_route plain = {VG_GET, "/x", "x", NULL,
                                          .needs = "domain:read"};
    static const struct vg_route operation = {VG_GET, "/operations/{operation}", "o",
                                              NULL, .runs_on = VG_ON_OPERATION};
    static const struct vg_route events = {VG_GET, "/events", "e", NULL,
                                           .gives = VG_GIVES_EVENTS};
    (void)state;
    check_waits(&plain, "/x", false);
    check_waits(&plain, "/x?a=1&wait=1", true);
    check_waits(&plain, "/x?wait=1&a=1", true);
    check_waits(&plain, "/x?waits=1", false);
    check_waits(&operation, "/operations/1", true);
    check_waits(&events, "/events?wait=1", false);
}

static void check_every(enum vg_hosts hosts, const char *target, bool want)
{
    const struct vg_route route = {VG_GET, "/x", "x", NULL, .hosts = hosts};
    struct vg_request *rq = ask(&route, target);

    assert_int_equal(vg_request_asks_every(rq), want);
    vg_request_unref(rq);
}

static void test_every_host(void **state)
{
    (void)state;
    check_every(VG_EVERY_HOST, "/x", true);
    check_every(VG_ONE_HOST, "/x?view=full", false);
    check_every(VG_EVERY_HOST_IF_FULL, "/x", false);
    check_every(VG_EVERY_HOST_IF_FULL, "/x?a=full&view=full", true);
    check_every(VG_EVERY_HOST_IF_FULL, "/x?view=default", false);
    check_every(VG_EVERY_HOST_IF_FULL, "/x?views=full", false);
}

static void check_xml(enum vg_gives gives, enum vg_accept accept, bool want)
{
    const struct vg_route route = {VG_GET, "/x", "x", NULL, .gives = gives};
    struct vg_request *rq = ask(&route, "/x");

    rq->accept = accept;
    assert_int_equal(vg_wants_xml(rq), want);
    vg_request_unref(rq);
}

static void test_forms(void **state)
{
    (void)state;
    check_xml(VG_GIVES_JSON_OR_XML, VG_ACCEPT_XML, true);
    check_xml(VG_GIVES_JSON_OR_XML, VG_ACCEPT_NOTHING_SAID, false);
    check_xml(VG_GIVES_XML_OR_JSON, VG_ACCEPT_NOTHING_SAID, true);
    check_xml(VG_GIVES_XML_OR_JSON, VG_ACCEPT_JSON, false);
    const struct vg_route route = {VG_GET, "/x", "x", NULL};
    struct vg_request *rq = ask(&route, "/x");
    assert_null(vg_wants_image(rq));
    assert_false(vg_wants_openmetrics(rq) || vg_is_head(rq));
    rq->accept = VG_ACCEPT_PNG;
    assert_string_equal(vg_wants_image(rq), "image/png");
    rq->accept = VG_ACCEPT_PPM;
    assert_string_equal(vg_wants_image(rq), "image/x-portable-pixmap");
    rq->accept = VG_ACCEPT_OPENMETRICS;
    assert_true(vg_wants_openmetrics(rq));
    rq->method = VG_HEAD;
    assert_true(vg_is_head(rq));
    vg_request_unref(rq);
}

static uint64_t key_of(const struct vg_route *route, const char *target)
{
    struct vg_request *rq = ask(route, target);
    uint64_t key = vg_request_object_key(rq);

    vg_request_unref(rq);
    return key;
}

/* What is of one object has one key, which no list has. */
static void test_object_keys(void **state)
{
    static const struct vg_route domain = {VG_GET, "/domains/{domain}/xml", "d", NULL};
    static const struct vg_route pool = {VG_GET, "/storage-pools/{pool}", "p", NULL};
    static const struct vg_route pools = {VG_GET, "/storage-pools", "ps", NULL};
    static const struct vg_route make = {VG_POST, "/storage-pools", "m", NULL};
    static const struct vg_route domains = {VG_GET, "/domains", "ds", NULL};
    static const struct vg_route version = {VG_GET, "/version", "v", NULL};
    (void)state;
    assert_true(key_of(&domain, "/domains/a/xml") == key_of(&domain, "/domains/a/xml?x"));
    assert_true(key_of(&domain, "/domains/a/xml") != key_of(&domain, "/domains/b/xml"));
    assert_true(key_of(&domain, "/domains/a/xml") != key_of(&pool, "/storage-pools/a"));
    for (int i = 0; i < 64; i++) {
        char target[32];
        snprintf(target, sizeof(target), "/domains/%d/xml", i);
        uint64_t key = key_of(&domain, target);
        assert_true(key && !(key & VG_KEY_OF_LIST));
    }
    assert_true(key_of(&pools, "/storage-pools") & VG_KEY_OF_LIST);
    assert_int_equal(key_of(&make, "/storage-pools"), 0);
    assert_int_equal(key_of(&domains, "/domains"), 0); /* no call on them takes long */
    assert_int_equal(key_of(&version, "/version"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inner),
        cmocka_unit_test(test_waits),
        cmocka_unit_test(test_every_host),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_object_keys),
        cmocka_unit_test(test_segments),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_queries),
        cmocka_unit_test(test_query_limit),
        cmocka_unit_test(test_encoding),
        cmocka_unit_test(test_encoding_round_trip),
        cmocka_unit_test(test_path_words),
        cmocka_unit_test(test_answered_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
