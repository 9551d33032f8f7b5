/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What changes made by the gateway do to answers in memory, from their beginning to their
 * end: a client reads its own writes, and nobody reads what was before them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/answer_cache.h"
#include "server/core/lru.h"
#include "virtgate/cleanup.h"
#include "virtgate/metrics.h"

static const struct vg_route list_route = {
    VG_GET, "/domains", "list", NULL, .needs = "domain:read", .shared = true};

struct bench {
    struct vg_answer_cache *inv;
    struct vg_request *rq;
};

static struct bench open_bench(void)
{
    struct bench b = {.inv = vg_answer_cache_new(), .rq = vg_request_new()};
    assert_non_null(b.inv);
    vg_answer_cache_enable(b.inv, 1U << VG_KIND_DOMAIN);
    assert_int_equal(vg_request_parse_target(b.rq, "/domains"), 0);
    b.rq->route = &list_route;
    return b;
}

static void close_bench(struct bench *b)
{
    vg_request_unref(b->rq);
    vg_answer_cache_free(b->inv);
}

static void keep(struct bench *b, const struct vg_reading *reading)
{
    struct vg_reply reply = vg_cacheable(vg_ok(b->rq, json_object()));
    vg_answer_cache_keep(b->inv, b->rq, reading, &reply);
    vg_reply_clear(&reply);
}

static bool finds(struct bench *b)
{
    struct vg_reply reply = {0};
    bool found = vg_answer_cache_find(b->inv, b->rq, &reply);
    vg_reply_clear(&reply);
    return found;
}

/* What was read before a change is not given out during it, nor after. */
static void test_read_before(void **state)
{
    (void)state;
    for (int slow = 0; slow < 2; slow++) {
        struct bench b = open_bench();
        struct vg_reading reading = vg_answer_cache_begin(b.inv, VG_KIND_DOMAIN);
        keep(&b, &reading);
        assert_true(finds(&b));
        vg_answer_cache_begin_change(b.inv, VG_KIND_DOMAIN, slow);
        assert_false(finds(&b));
        assert_false(vg_answer_cache_is_fresh(b.inv, &reading));
        vg_answer_cache_end_change(b.inv, VG_KIND_DOMAIN, slow);
        assert_false(finds(&b));
        assert_false(vg_answer_cache_is_fresh(b.inv, &reading));
        close_bench(&b);
    }
}

/* Nor what was read while it was made: libvirt may have told the one or the other. */
static void test_read_during(void **state)
{
    (void)state;
    for (int slow = 0; slow < 2; slow++) {
        struct bench b = open_bench();
        vg_answer_cache_begin_change(b.inv, VG_KIND_DOMAIN, slow);
        struct vg_reading reading = vg_answer_cache_begin(b.inv, VG_KIND_DOMAIN);
        keep(&b, &reading);
        assert_int_equal(finds(&b), slow); /* hours of a migration: events tell */
        assert_int_equal(vg_answer_cache_is_fresh(b.inv, &reading), slow);
        vg_answer_cache_end_change(b.inv, VG_KIND_DOMAIN, slow);
        assert_false(finds(&b));
        assert_false(vg_answer_cache_is_fresh(b.inv, &reading));
        close_bench(&b);
    }
}

/* A read that began before a change and ends after it is not kept. */
static void test_read_across(void **state)
{
    (void)state;
    struct bench b = open_bench();
    struct vg_reading reading = vg_answer_cache_begin(b.inv, VG_KIND_DOMAIN);
    vg_answer_cache_begin_change(b.inv, VG_KIND_DOMAIN, false);
    keep(&b, &reading);
    assert_false(finds(&b));
    vg_answer_cache_end_change(b.inv, VG_KIND_DOMAIN, false);
    keep(&b, &reading);
    assert_false(finds(&b));
    close_bench(&b);
}

/* As long as one of several is at work, nothing is given; then reads are kept again. */
static void test_several(void **state)
{
    (void)state;
    struct bench b = open_bench();
    vg_answer_cache_begin_change(b.inv, VG_KIND_DOMAIN, false);
    vg_answer_cache_begin_change(b.inv, VG_KIND_DOMAIN, false);
    vg_answer_cache_end_change(b.inv, VG_KIND_DOMAIN, false);
    struct vg_reading reading = vg_answer_cache_begin(b.inv, VG_KIND_DOMAIN);
    keep(&b, &reading);
    assert_false(finds(&b));
    vg_answer_cache_end_change(b.inv, VG_KIND_DOMAIN, false);
    assert_false(finds(&b));
    reading = vg_answer_cache_begin(b.inv, VG_KIND_DOMAIN);
    keep(&b, &reading);
    assert_true(finds(&b));
    assert_true(vg_answer_cache_is_fresh(b.inv, &reading));
    close_bench(&b);
}

/* A change of another kind of object, or an event of one, leaves what is kept; one of no
 * kind in particular does not. Of kinds whose events do not come nothing is kept. */
static void test_kinds(void **state)
{
    (void)state;
    struct bench b = open_bench();
    struct vg_reading reading = vg_answer_cache_begin(b.inv, VG_KIND_DOMAIN);
    keep(&b, &reading);
    vg_answer_cache_invalidate(b.inv, VG_KIND_NETWORK);
    vg_answer_cache_begin_change(b.inv, VG_KIND_NETWORK, false);
    assert_true(finds(&b));
    vg_answer_cache_end_change(b.inv, VG_KIND_NETWORK, false);
    assert_true(finds(&b));
    vg_answer_cache_begin_change(b.inv, VG_KIND_NONE, false);
    assert_false(finds(&b));
    vg_answer_cache_end_change(b.inv, VG_KIND_NONE, false);
    assert_false(finds(&b));

    reading = vg_answer_cache_begin(b.inv, VG_KIND_NETWORK);
    keep(&b, &reading);
    assert_false(finds(&b));
    vg_answer_cache_enable(b.inv, 1U << VG_KIND_NETWORK);
    reading = vg_answer_cache_begin(b.inv, VG_KIND_NETWORK);
    keep(&b, &reading);
    assert_true(finds(&b));
    vg_answer_cache_invalidate(b.inv, VG_KIND_NETWORK);
    assert_false(finds(&b));
    close_bench(&b);
}

/* How old an answer is, counts from when libvirt was asked. */
static void test_age(void **state)
{
    (void)state;
    struct bench b = open_bench();
    struct vg_reading reading = vg_answer_cache_begin(b.inv, VG_KIND_DOMAIN);
    struct vg_reply reply = {0};
    reading.at_ns -= 90 * VG_SECOND_NS;
    reading.valid_until_ns = 0;
    keep(&b, &reading);
    assert_true(vg_answer_cache_find(b.inv, b.rq, &reply));
    assert_in_range(reply.age_seconds, 90, 150);
    vg_reply_clear(&reply);
    close_bench(&b);
}

/* What is asked for goes last: of one set, that which was not. */
static void test_use(void **state)
{
    (void)state;
    struct bench b = open_bench();
    const uint64_t set = vg_slot_hash("/domains") % VG_SLOT_SETS;
    struct vg_reading reading = vg_answer_cache_begin(b.inv, VG_KIND_DOMAIN);
    reading.valid_until_ns = 0;
    keep(&b, &reading);
    for (unsigned int i = 0, kept = 0; kept < VG_SLOT_WAYS + 2; i++) {
        struct bench other = {b.inv, vg_request_new()};
        char target[32];
        snprintf(target, sizeof(target), "/domains?x=%u", i);
        if (vg_slot_hash(target) % VG_SLOT_SETS == set) {
            assert_int_equal(vg_request_parse_target(other.rq, target), 0);
            other.rq->route = &list_route;
            keep(&other, &reading);
            kept++;
            assert_true(finds(&b));
        }
        vg_request_unref(other.rq);
    }
    close_bench(&b);
}

static uint64_t counted(const char *name)
{
    struct vg_exposition x = {0};
    vg_metrics_write(&x);
    vg_autofree char *text = vg_exposition_finish(&x);
    vg_autofree char *line = NULL;
    assert_true(asprintf(&line, "\nvirtgate_answer_cache_%s_total ", name) > 0);
    const char *at = strstr(text, line);
    assert_non_null(at);
    return strtoull(at + strlen(line), NULL, 10);
}

/* What a cache counts for itself, /metrics counts of all; one that is off counts nothing.
 */
static void test_metrics(void **state)
{
    (void)state;
    uint64_t hits = counted("hits"), misses = counted("misses"),
             differences = counted("differences");
    struct bench b = open_bench();
    assert_false(finds(&b));
    struct vg_reading reading = vg_answer_cache_begin(b.inv, VG_KIND_DOMAIN);
    keep(&b, &reading);
    assert_true(finds(&b) && finds(&b) && finds(&b));
    vg_answer_cache_note_difference(b.inv, VG_KIND_DOMAIN);
    assert_false(finds(&b));
    vg_answer_cache_enable(b.inv, 0);
    assert_false(finds(&b));
    assert_int_equal(counted("hits") - hits, 3);
    assert_int_equal(counted("misses") - misses, 2);
    assert_int_equal(counted("differences") - differences, 1);
    close_bench(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_before), cmocka_unit_test(test_read_during),
        cmocka_unit_test(test_read_across), cmocka_unit_test(test_several),
        cmocka_unit_test(test_kinds),       cmocka_unit_test(test_age),
        cmocka_unit_test(test_use),         cmocka_unit_test(test_metrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
