/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A body that comes piece by piece: its bounds, the memory that it is charged for, and
 * that a secret stays nowhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "server/http/internal.h"

#define FIRST  1024 /* so many bytes a body has at first */
#define MEMORY 8001 /* and so many all have together: one of the largest */

static const struct vg_route usual = {VG_POST,
                                      "/domains",
                                      "define",
                                      NULL,
                                      .needs = "domain:write",
                                      .takes = VG_TAKES_ARGS},
                             secret = {VG_PUT,
                                       "/secrets/{secret}/value",
                                       "set",
                                       NULL,
                                       .needs = "secret:write",
                                       .takes = VG_TAKES_SECRET};

static struct vg_http_call *make_call(const struct vg_route *route, size_t limit)
{
    struct vg_http_call *call = calloc(1, sizeof(*call));
    assert_non_null(call);
    call->rq = vg_request_new();
    assert_int_equal(vg_request_parse_target(call->rq, "/domains"), 0);
    call->rq->route = route;
    call->rq->caller[0] = 7; /* a token: whose budget is known without a connection */
    call->body_limit = limit;
    return call;
}

static void free_call(struct vg_http_call *call)
{
    vg_http_release_body(call);
    vg_error_clear(&call->rq->error);
    vg_request_unref(call->rq);
    free(call);
}

/* 0, or the status of the refusal. */
static int put(struct vg_http_call *call, const char *data, size_t n)
{
    int rc = vg_http_take_body(call, data, n), status = call->rq->error.status;
    assert_int_equal(rc, status ? -1 : 0);
    return status;
}

static void expect(const struct vg_http_call *call, const char *bytes, size_t n)
{
    assert_int_equal(call->rq->body_length, n);
    assert_memory_equal(call->rq->body, bytes, n);
    assert_int_equal(call->rq->body[n], 0);
    assert_true(call->body_size > n);
}

/* ---- pieces ------------------------------------------------------------------------ */

static void test_pieces(void **state)
{
    static const size_t sizes[] = {1, 7, FIRST - 1, FIRST, FIRST + 1, 3 * FIRST, 7999};
    static const struct vg_route *const routes[] = {&usual, &secret};
    char text[8000];
    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)('a' + i % 23);
    for (size_t r = 0; r < 2; r++)
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            struct vg_http_call *call = make_call(routes[r], 7999);
            for (size_t at = 0; at < 7999;) {
                size_t n = 7999 - at < sizes[i] ? 7999 - at : sizes[i];
                assert_int_equal(put(call, text + at, n), 0);
                at += n;
                if (at < 3 * FIRST || at == 7999)
                    expect(call, text, at);
            }
            free_call(call);
        }
}

/* It doubles, and is never larger than what may come. */
static void test_room(void **state)
{
    static const struct {
        size_t limit, first, second; /* bytes */
        size_t room, more;           /* after each */
    } rows[] = {
        {8000, 10, 10, FIRST, FIRST},
        {8000, FIRST - 1, 1, FIRST, 2 * FIRST},
        {8000, FIRST, 1, 2 * FIRST, 2 * FIRST},
        {8000, 10, 3 * FIRST, FIRST, 4 * FIRST},
        {8000, 5 * FIRST, 1, 8001, 8001}, /* 8 * FIRST would be more than may come */
        {FIRST - 1, 10, 10, FIRST, FIRST},
        {FIRST, 10, FIRST - 10, FIRST, FIRST + 1},
        {100, 10, 90, 101, 101},
    };
    static const char zeros[8000];
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct vg_http_call *call = make_call(&usual, rows[i].limit);
        assert_int_equal(put(call, zeros, rows[i].first), 0);
        assert_int_equal(call->body_size, rows[i].room);
        assert_int_equal(put(call, zeros, rows[i].second), 0);
        assert_int_equal(call->body_size, rows[i].more);
        free_call(call);
    }
}

static void test_limit(void **state)
{
    (void)state;
    struct vg_http_call *call = make_call(&usual, 100);
    assert_int_equal(put(call, "0123456789", 10), 0);
    char rest[91] = {0};
    assert_false(call->close);
    assert_int_equal(put(call, rest, 91), 413);
    assert_true(call->close); /* what comes is not read */
    assert_int_equal(call->rq->body_length, 10);
    free_call(call);
    call = make_call(&usual, 100);
    assert_int_equal(put(call, rest, 10), 0);
    assert_int_equal(put(call, rest, 90), 0); /* just so much */
    assert_false(call->close);
    free_call(call);
}

/* ---- memory ------------------------------------------------------------------------ */

/* All bodies together have MEMORY; whoever is done gives all of it back. */
static void test_memory(void **state)
{
    static const char zeros[8000];
    (void)state;
    for (int again = 0; again < 3; again++) {
        struct vg_http_call *a = make_call(&usual, 8000), *b = make_call(&usual, 8000);
        assert_int_equal(put(a, zeros, 2000), 0); /* takes 2048, */
        assert_int_equal(put(a, zeros, 2000), 0); /* and 4096 of 8001 */
        assert_int_equal(put(b, zeros, 2000), 0);
        assert_int_equal(put(b, zeros, 2000), 503);
        assert_int_equal(b->rq->body_length, 2000);
        assert_string_equal(b->rq->error.slug, "overloaded");
        vg_error_clear(&b->rq->error);
        vg_http_release_body(a);
        vg_http_release_body(a); /* once */
        assert_int_equal(put(b, zeros, 2000), 0);
        free_call(a);
        free_call(b);
    }
    struct vg_http_call *whole = make_call(&usual, 8000);
    assert_int_equal(put(whole, zeros, 8000), 0); /* nothing is held any more */
    free_call(whole);
}

/* ---- secrets ----------------------------------------------------------------------- */

static void test_must_wipe(void **state)
{
    static const struct {
        const struct vg_route *route;
        bool close, must;
    } rows[] = {{&secret, false, true},
                {&secret, true, false}, /* it is not read */
                {&usual, false, false},
                {NULL, false, false}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct vg_http_call *call = make_call(rows[i].route, 100);
        char piece[] = "hidden";
        call->close = rows[i].close;
        assert_int_equal(vg_http_must_wipe(call), rows[i].must);
        vg_http_wipe(call, piece, 3);
        assert_string_equal(piece + 3, "den");
        bool wiped = rows[i].route == &secret;
        assert_memory_equal(piece, wiped ? "\0\0\0" : "hid", 3);
        free_call(call);
    }
}

int main(void)
{
    const struct vg_config config = {.max_json_bytes = MEMORY - 1,
                                     .max_document_bytes = 100,
                                     .max_connections = 10,
                                     .body_memory = MEMORY,
                                     .body_memory_per_token = MEMORY};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),    cmocka_unit_test(test_room),
        cmocka_unit_test(test_limit),     cmocka_unit_test(test_memory),
        cmocka_unit_test(test_must_wipe),
    };
    vg_http_limit_start(&config);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
