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

#include "server/idempotency.h"
#include "virtgate/cleanup.h"

#define MAX_DONE 10000             /* of idempotency.c, */
#define PIECE    ((size_t)1 << 20) /* and an answer of which */
#define PIECES   33                /* so many are too much */

static struct vg_request *request_with(const char *key)
{
    struct vg_request *rq = vg_request_new();
    assert_non_null(rq);
    rq->method_name = "POST";
    rq->target = strdup("/domains/test/start");
    rq->idempotency_key = strdup(key);
    rq->begun = true;
    return rq;
}

/* 0: the request is to run; else the status of what it is answered instead. */
static int begin(const char *key)
{
    struct vg_request *rq = request_with(key);
    struct vg_reply reply = {0};
    int status = vg_idempotency_begin(rq, &reply) ? 0 : reply.status;
    vg_reply_clear(&reply);
    vg_request_unref(rq);
    return status;
}

static void end(const char *key, size_t length)
{
    struct vg_request *rq = request_with(key);
    struct vg_reply reply = vg_ok_bytes(rq, "text/plain", calloc(1, length), length);
    vg_idempotency_end(rq, &reply);
    vg_reply_clear(&reply);
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

static void test_bytes(void **state)
{
    (void)state;
    assert_int_equal(begin("at work"), 0);
    for (unsigned int i = 0; i < PIECES; i++)
        run(i, PIECE);
    assert_int_equal(begin("0"), 0);   /* the oldest answer went, */
    assert_int_equal(begin("2"), 200); /* the others are there */
    assert_int_equal(begin("at work"), 409);
}

static void test_number(void **state)
{
    (void)state;
    assert_int_equal(begin("at work"), 0);
    for (unsigned int i = 0; i <= MAX_DONE; i++)
        run(i, 1);
    assert_int_equal(begin("0"), 0);
    assert_int_equal(begin("2"), 200);
    assert_int_equal(begin("at work"), 409);
    end("at work", 1);
    assert_int_equal(begin("at work"), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_repeated, clear),
        cmocka_unit_test_teardown(test_bytes, clear),
        cmocka_unit_test_teardown(test_number, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
