/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The table of Idempotency-Keys at its bounds: what is done makes room, what is at work
 * stays.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "server/core/idempotency.h"
#include "virtgate/cleanup.h"

#define MAX_DONE 10000             /* of idempotency.c, */
#define PIECE    ((size_t)1 << 20) /* and an answer of which */
#define PIECES   33                /* so many are too much */

/* A request as the table sees it. */
struct sent {
    const char *key, *method, *target, *body;
    unsigned char caller;
};
#define USUAL(text)                                                                      \
    &(struct sent)                                                                       \
    {                                                                                    \
        .key = (text), .method = "POST", .target = "/domains/test/start"                 \
    }

static struct vg_request *make_request(const struct sent *sent)
{
    struct vg_request *rq = vg_request_new();
    assert_non_null(rq);
    rq->method_name = sent->method;
    rq->target = strdup(sent->target);
    rq->idempotency_key = strdup(sent->key);
    rq->body = sent->body ? strdup(sent->body) : NULL;
    rq->body_length = sent->body ? strlen(sent->body) : 0;
    rq->caller[VG_CALLER_SIZE - 1] = sent->caller;
    snprintf(rq->principal, sizeof(rq->principal), "one name for all");
    rq->begun = true;
    return rq;
}

/* 0: the request is to run; else the status of what it is answered instead. */
static int begin_sent(const struct sent *sent)
{
    struct vg_request *rq = make_request(sent);
    struct vg_reply reply = {0};
    int status = vg_idempotency_begin(rq, &reply) ? 0 : reply.status;
    assert_int_equal(rq->on_answer != NULL, status == 0);
    vg_reply_clear(&reply);
    vg_request_unref(rq);
    return status;
}

static int begin(const char *key)
{
    return begin_sent(USUAL(key));
}

static void end(const char *key, size_t length)
{
    struct vg_request *rq = make_request(USUAL(key));
    struct vg_reply reply = vg_ok_bytes(rq, "text/plain", calloc(1, length), length);
    vg_idempotency_end(rq, &reply);
    vg_reply_clear(&reply);
    vg_request_unref(rq);
}

static void end_with(const char *key, int status, bool begun, bool unasked)
{
    struct vg_request *rq = make_request(USUAL(key));
    struct vg_reply reply = {.status = status, .unasked = unasked};
    rq->begun = begun;
    vg_idempotency_end(rq, &reply);
    vg_request_unref(rq);
}

static void run(unsigned int number, size_t length)
{
    char key[16];
    snprintf(key, sizeof(key), "%u", number);
    assert_int_equal(begin(key), 0);
    end(key, length);
}

static int clear(void **state)
{
    (void)state;
    vg_idempotency_clear();
    return 0;
}

static void test_repeated(void **state)
{
    (void)state;
    assert_int_equal(begin("a"), 0);
    assert_int_equal(begin("a"), 409);
    end("a", 1);
    assert_int_equal(begin("a"), 200);
    assert_int_equal(begin("b"), 0);
}

/* While the first is at work it is worth trying again. */
static void test_retry(void **state)
{
    struct vg_request *rq = make_request(USUAL("a"));
    struct vg_reply reply = {0};
    (void)state;
    assert_int_equal(begin("a"), 0);
    assert_false(vg_idempotency_begin(rq, &reply));
    assert_int_equal(reply.status, 409);
    assert_int_equal(reply.retry_after, 1);
    vg_reply_clear(&reply);
    vg_request_unref(rq);
}

/* Two callers of one name share nothing. */
static void test_callers(void **state)
{
    struct sent a = *USUAL("k"), b = a;
    (void)state;
    a.caller = 1;
    b.caller = 2;
    assert_int_equal(begin_sent(&a), 0);
    assert_int_equal(begin_sent(&b), 0);
    assert_int_equal(begin("k"), 0);
    assert_int_equal(begin_sent(&a), 409);
    assert_int_equal(begin_sent(&b), 409);
    end("k", 1); /* of nobody in particular */
    assert_int_equal(begin("k"), 200);
    assert_int_equal(begin_sent(&a), 409);
}

/* One key is for one request. */
static void test_other_request(void **state)
{
    struct sent other[] = {*USUAL("k"), *USUAL("k"), *USUAL("k"), *USUAL("k")};
    (void)state;
    other[0].method = "PUT";
    other[1].target = "/domains/test/start?force=true";
    other[2].body = "{}";
    other[3].body = "{\"paused\":true}";
    for (int done = 0; done < 2; done++) {
        assert_int_equal(begin("k"), done ? 200 : 0);
        for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
            assert_int_equal(begin_sent(&other[i]), 422);
        assert_int_equal(begin("k"), done ? 200 : 409);
        if (!done)
            end("k", 1);
    }
    other[2].key = other[3].key = "of another body";
    assert_int_equal(begin_sent(&other[2]), 0);
    assert_int_equal(begin_sent(&other[3]), 422);
    assert_int_equal(begin_sent(&other[2]), 409);
}

/* An answer is for the rights that it was made with: another caller of the same token's,
 * after a change of its line, may see less. */
static void test_rights(void **state)
{
    const struct vg_rights *rights[] = {vg_rights_of_role(VG_ROLE_ADMIN),
                                        vg_rights_of_role(VG_ROLE_VIEWER)};
    (void)state;
    for (int done = 0; done < 2; done++) {
        for (int i = 0; i < 2; i++) {
            struct vg_request *rq = make_request(USUAL("r"));
            struct vg_reply reply = {0};
            rq->rights = rights[i];
            bool runs = vg_idempotency_begin(rq, &reply);
            assert_int_equal(runs, !done && i == 0);
            if (!runs)
                assert_int_equal(reply.status, i == 1 ? 422 : 200);
            vg_reply_clear(&reply);
            vg_request_unref(rq);
        }
        if (!done)
            end("r", 1);
    }
}

/* What was forgotten meanwhile ends for nobody. */
static void test_end_of_none(void **state)
{
    (void)state;
    end("gone", 1);
    assert_int_equal(begin("gone"), 0);
    vg_idempotency_clear();
    end("gone", 1);
    assert_int_equal(begin("gone"), 0);
    assert_int_equal(begin("gone"), 409);
}

/* What is in one bucket is not mixed up, whichever goes. */
static void test_buckets(void **state)
{
    enum { N = 9000 }; /* more than there are buckets */
    (void)state;
    for (unsigned int i = 0; i < N; i++) {
        char key[16];
        snprintf(key, sizeof(key), "%u", i);
        assert_int_equal(begin(key), 0);
    }
    for (unsigned int i = 0; i < N; i++) {
        char key[16];
        snprintf(key, sizeof(key), "%u", i);
        end_with(key, i % 2 ? 503 : 204, i % 2 == 0, false);
    }
    for (unsigned int i = 0; i < N; i++) {
        char key[16];
        snprintf(key, sizeof(key), "%u", i);
        assert_int_equal(begin(key), i % 2 ? 0 : 204);
    }
}

/* What may have been done is not done again, whatever the answer was; what was not begun
 * may be tried again. */
static void test_failures(void **state)
{
    static const struct {
        int status;
        bool begun, unasked, kept;
    } rows[] = {
        {204, true, false, true},   {400, false, false, true},
        {409, true, false, true},   {500, true, false, true},
        {502, true, false, true},   {504, true, false, true},
        {500, false, false, false}, {503, false, false, false},
        {504, false, false, false}, {500, true, true, false},
        {503, true, true, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char key[16];
        snprintf(key, sizeof(key), "%zu", i);
        assert_int_equal(begin(key), 0);
        end_with(key, rows[i].status, rows[i].begun, rows[i].unasked);
        assert_int_equal(begin(key), rows[i].kept ? rows[i].status : 0);
    }
}

/* After a day the key is free; what is at work stays. */
static void test_age(void **state)
{
    const int64_t day = 24 * 3600 * VG_SECOND_NS;
    (void)state;
    assert_int_equal(begin("at work"), 0);
    run(1, 1);
    vg_idempotency_tick(vg_now_ns() + day - VG_SECOND_NS);
    assert_int_equal(begin("1"), 200);
    vg_idempotency_tick(vg_now_ns() + day + VG_SECOND_NS);
    assert_int_equal(begin("1"), 0);
    assert_int_equal(begin("at work"), 409);
}

static void test_bytes(void **state)
{
    (void)state;
    assert_int_equal(begin("at work"), 0);
    for (unsigned int i = 0; i < PIECES; i++)
        run(i, PIECE);
    assert_int_equal(begin("0"), 0);   /* the oldest answer went, */
    assert_int_equal(begin("1"), 200); /* the others are there */
    assert_int_equal(begin("32"), 200);
    assert_int_equal(begin("at work"), 409);
}

static void test_number(void **state)
{
    (void)state;
    assert_int_equal(begin("at work"), 0);
    for (unsigned int i = 0; i <= MAX_DONE; i++)
        run(i, 1);
    assert_int_equal(begin("0"), 0);
    assert_int_equal(begin("1"), 200);
    assert_int_equal(begin("10000"), 200);
    assert_int_equal(begin("at work"), 409);
    end("at work", 1);
    assert_int_equal(begin("at work"), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_repeated, clear),
        cmocka_unit_test_teardown(test_retry, clear),
        cmocka_unit_test_teardown(test_callers, clear),
        cmocka_unit_test_teardown(test_other_request, clear),
        cmocka_unit_test_teardown(test_rights, clear),
        cmocka_unit_test_teardown(test_end_of_none, clear),
        cmocka_unit_test_teardown(test_buckets, clear),
        cmocka_unit_test_teardown(test_failures, clear),
        cmocka_unit_test_teardown(test_age, clear),
        cmocka_unit_test_teardown(test_bytes, clear),
        cmocka_unit_test_teardown(test_number, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
