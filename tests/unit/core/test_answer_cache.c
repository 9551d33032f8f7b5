/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Answers in memory: what is kept and for whom, what makes it invalid, its bounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "server/core/answer_cache.h"
#include "server/core/lru.h"
#include "virtgate/cleanup.h"

#define SETTLE_NS (VG_SECOND_NS / 5) /* of core/answer_cache.c */
#define MIB       ((size_t)1024 * 1024)

static const struct vg_route list_route = {
    VG_GET, "/domains", "list", NULL, .needs = "domain:read", .shared = true};
static const struct vg_route stats_route = {VG_GET, "/domain-stats", "stats", NULL,
                                            .needs = "domain:read"};

static struct vg_request *ask(const char *target)
{
    struct vg_request *rq = vg_request_new();
    assert_int_equal(vg_request_parse_target(rq, target), 0);
    rq->route = &list_route;
    rq->rights = vg_rights_of_role(VG_ROLE_VIEWER);
    return rq;
}

/* An answer as a handler would give it, that events cover. */
static struct vg_reply answer(struct vg_request *rq, const char *text)
{
    return vg_cacheable(vg_ok(rq, json_pack("{s:s}", "text", text)));
}

/* Keeps an answer whose reading began with `reading`. */
static void keep_from(struct vg_answer_cache *inv, struct vg_request *rq,
                      const struct vg_reading *reading, const char *text)
{
    struct vg_reply reply = answer(rq, text);
    vg_answer_cache_keep(inv, rq, reading, &reply);
    vg_reply_clear(&reply);
}

static void keep(struct vg_answer_cache *inv, struct vg_request *rq, const char *text)
{
    struct vg_reading reading = vg_answer_cache_begin(inv, VG_KIND_DOMAIN);
    keep_from(inv, rq, &reading, text);
}

/* What is in memory is `text`; NULL: nothing is. */
static void expect(struct vg_answer_cache *inv, const struct vg_request *rq,
                   const char *text)
{
    struct vg_reply reply = {0};
    bool found = vg_answer_cache_find(inv, rq, &reply);
    assert_int_equal(found, text != NULL);
    if (!found)
        return;
    vg_autofree char *body = strndup(reply.body->data, reply.body->length);
    vg_autofree char *want = NULL;
    assert_true(asprintf(&want, "{\"text\":\"%s\"}", text) > 0);
    assert_string_equal(body, want);
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.source, VG_SOURCE_INVENTORY);
    assert_in_range(reply.age_seconds, 0, 60);
    vg_reply_clear(&reply);
}

static void settle(void)
{
    const struct timespec t = {.tv_nsec = SETTLE_NS + VG_SECOND_NS / 20};
    nanosleep(&t, NULL);
}

/* An cache that has settled. */
static struct vg_answer_cache *open_cache(void)
{
    struct vg_answer_cache *inv = vg_answer_cache_new();
    assert_non_null(inv);
    vg_answer_cache_enable(inv, 1U << VG_KIND_DOMAIN);
    settle();
    return inv;
}

static void expect_counts(struct vg_answer_cache *inv, uint64_t hits, uint64_t misses,
                          size_t answers)
{
    struct vg_answer_cache_counts counts;
    vg_answer_cache_count(inv, &counts);
    assert_int_equal(counts.hits, hits);
    assert_int_equal(counts.misses, misses);
    assert_int_equal(counts.answers, answers);
    assert_int_equal(counts.bytes != 0, answers != 0);
}

/* ---- tests ------------------------------------------------------------------------- */

static void test_hit_and_miss(void **state)
{
    (void)state;
    struct vg_answer_cache *inv = open_cache();
    struct vg_request *rq = ask("/domains"), *other = ask("/domains?limit=1");
    expect(inv, rq, NULL);
    keep(inv, rq, "a");
    expect(inv, rq, "a");
    expect(inv, rq, "a");
    expect(inv, other, NULL);
    expect_counts(inv, 2, 2, 1);
    keep(inv, rq, "b"); /* replaces it */
    expect(inv, rq, "b");
    expect_counts(inv, 3, 2, 1);
    vg_request_unref(rq);
    vg_request_unref(other);
    vg_answer_cache_free(inv);
    vg_answer_cache_free(NULL);
}

/* The link to the next page is part of the answer. */
static void test_whole_answer(void **state)
{
    (void)state;
    struct vg_answer_cache *inv = open_cache();
    struct vg_request *rq = ask("/domains?limit=1");
    struct vg_reading reading = vg_answer_cache_begin(inv, VG_KIND_DOMAIN);
    struct vg_reply found, reply = vg_with_next(rq, answer(rq, "a"), "cursor");
    vg_answer_cache_keep(inv, rq, &reading, &reply);
    assert_true(vg_answer_cache_find(inv, rq, &found));
    assert_ptr_equal(found.body, reply.body); /* shared, not copied */
    assert_string_equal(found.link, reply.link);
    assert_string_equal(found.type, reply.type);
    vg_reply_clear(&reply);
    vg_answer_cache_free(inv);
    assert_int_equal(found.body->length, strlen("{\"text\":\"a\"}")); /* outlives it */
    vg_reply_clear(&found);
    vg_request_unref(rq);
}

static void test_touch(void **state)
{
    (void)state;
    struct vg_answer_cache *inv = open_cache();
    struct vg_request *rq = ask("/domains"), *other = ask("/domains/a");
    keep(inv, rq, "a");
    keep(inv, other, "b");
    vg_answer_cache_invalidate(inv, VG_KIND_DOMAIN);
    expect(inv, rq, NULL);
    expect(inv, other, NULL);
    keep(inv, rq, "c");
    expect(inv, rq, "c");
    expect(inv, other, NULL);
    vg_request_unref(rq);
    vg_request_unref(other);
    vg_answer_cache_free(inv);
}

/* What was asked before a change may show what was before it. */
static void test_reading_across_a_touch(void **state)
{
    (void)state;
    struct vg_answer_cache *inv = open_cache();
    struct vg_request *rq = ask("/domains");
    struct vg_reading before = vg_answer_cache_begin(inv, VG_KIND_DOMAIN);
    assert_true(vg_answer_cache_unchanged(inv, &before));
    vg_answer_cache_invalidate(inv, VG_KIND_DOMAIN);
    assert_false(vg_answer_cache_unchanged(inv, &before));
    keep_from(inv, rq, &before, "old");
    expect(inv, rq, NULL);
    keep(inv, rq, "new");
    keep_from(inv, rq, &before, "old"); /* does not displace it, either */
    expect(inv, rq, "new");
    vg_request_unref(rq);
    vg_answer_cache_free(inv);
}

/* Of two readings that nothing came between the one that began later stays. */
static void test_later_reading_wins(void **state)
{
    (void)state;
    struct vg_answer_cache *inv = open_cache();
    struct vg_request *rq = ask("/domains");
    struct vg_reading first = vg_answer_cache_begin(inv, VG_KIND_DOMAIN);
    struct vg_reading second = vg_answer_cache_begin(inv, VG_KIND_DOMAIN);
    second.at_ns = first.at_ns + 1;
    keep_from(inv, rq, &second, "second");
    keep_from(inv, rq, &first, "first");
    expect(inv, rq, "second");
    vg_request_unref(rq);
    vg_answer_cache_free(inv);
}

/* What was read right after an event is given for a moment only. */
static void test_settling(void **state)
{
    (void)state;
    struct vg_answer_cache *inv = open_cache();
    struct vg_request *rq = ask("/domains");
    int64_t touched = vg_now_ns();
    vg_answer_cache_invalidate(inv, VG_KIND_DOMAIN);
    keep(inv, rq, "unsettled");
    expect(inv, rq, "unsettled");
    settle();
    assert_true(vg_now_ns() > touched + SETTLE_NS);
    expect(inv, rq, NULL);
    keep(inv, rq, "settled");
    settle();
    expect(inv, rq, "settled"); /* for good */
    vg_request_unref(rq);
    vg_answer_cache_free(inv);
}

static void test_enable(void **state)
{
    (void)state;
    struct vg_answer_cache *inv = vg_answer_cache_new();
    struct vg_request *rq = ask("/domains");
    keep(inv, rq, "a"); /* before events arrive */
    expect(inv, rq, NULL);
    vg_answer_cache_enable(inv, 1U << VG_KIND_DOMAIN);
    expect(inv, rq, NULL);
    keep(inv, rq, "b");
    expect(inv, rq, "b");
    struct vg_reading before = vg_answer_cache_begin(inv, VG_KIND_DOMAIN);
    vg_answer_cache_enable(inv, 0);
    expect(inv, rq, NULL);
    assert_false(vg_answer_cache_unchanged(inv, &before));
    keep(inv, rq, "c");
    vg_answer_cache_enable(inv, 1U << VG_KIND_DOMAIN);
    expect(inv, rq, NULL); /* nothing from before the interruption */
    keep_from(inv, rq, &before, "d");
    expect(inv, rq, NULL);
    keep(inv, rq, "e");
    expect(inv, rq, "e");
    vg_request_unref(rq);
    vg_answer_cache_free(inv);
}

/* Another role, another form, another spelling of the target is another answer. */
static void test_key(void **state)
{
    (void)state;
    struct vg_answer_cache *inv = open_cache();
    struct vg_request *rq = ask("/domains/a"), *other = ask("/domains/a");
    keep(inv, rq, "a");
    expect(inv, other, "a");
    other->rights = vg_rights_of_role(VG_ROLE_ADMIN);
    expect(inv, other, NULL);
    other->rights = vg_rights_of_role(VG_ROLE_VIEWER);
    other->accept = VG_ACCEPT_XML;
    expect(inv, other, NULL);
    vg_request_unref(other);
    other = ask("/domains/a?");
    expect(inv, other, NULL);
    vg_request_unref(other);
    other = ask("/domains/%61");
    expect(inv, other, NULL);
    vg_request_unref(rq);
    vg_request_unref(other);
    vg_answer_cache_free(inv);
}

static void test_what_is_not_kept(void **state)
{
    (void)state;
    struct vg_answer_cache *inv = open_cache();
    struct vg_request *rq = ask("/domains");
    struct vg_reading reading = vg_answer_cache_begin(inv, VG_KIND_DOMAIN);
    struct vg_reply reply = answer(rq, "a");

    reply.covered = false; /* events do not cover it */
    vg_answer_cache_keep(inv, rq, &reading, &reply);
    expect(inv, rq, NULL);
    reply.covered = true;
    reply.status = 404;
    vg_answer_cache_keep(inv, rq, &reading, &reply);
    expect(inv, rq, NULL);
    reply.status = 200;
    rq->body_kind = VG_BODY_JSON; /* arguments that the target does not show */
    vg_answer_cache_keep(inv, rq, &reading, &reply);
    rq->body_kind = VG_BODY_NONE;
    expect(inv, rq, NULL);
    rq->if_match = strdup("*");
    vg_answer_cache_keep(inv, rq, &reading, &reply);
    free(vg_take(&rq->if_match));
    expect(inv, rq, NULL);
    rq->route = &stats_route; /* not to be shared */
    vg_answer_cache_keep(inv, rq, &reading, &reply);
    rq->route = &list_route;
    expect(inv, rq, NULL);
    struct vg_reply empty = vg_cacheable(vg_no_content(rq));
    vg_answer_cache_keep(inv, rq, &reading, &empty);
    expect(inv, rq, NULL);
    vg_answer_cache_keep(inv, rq, &reading, &reply); /* now nothing is in the way */
    expect(inv, rq, "a");
    vg_reply_clear(&empty);
    vg_reply_clear(&reply);
    vg_request_unref(rq);
    vg_answer_cache_free(inv);
}

/* ---- bounds ------------------------------------------------------------------------ */

static void keep_big(struct vg_answer_cache *inv, const char *target, size_t size)
{
    struct vg_request *rq = ask(target);
    vg_autofree char *text = malloc(size + 1);
    memset(text, 'x', size);
    text[size] = '\0';
    keep(inv, rq, text);
    vg_request_unref(rq);
}

static void test_bytes(void **state)
{
    (void)state;
    struct vg_answer_cache *inv = open_cache();
    struct vg_answer_cache_counts counts;
    char target[32];

    keep_big(inv, "/huge", 16 * MIB + 1); /* one is not to displace all others */
    expect_counts(inv, 0, 0, 0);
    size_t most = 0;
    for (int i = 0; i < 40; i++) {
        snprintf(target, sizeof(target), "/big/%d", i);
        keep_big(inv, target, 8 * MIB);
        vg_answer_cache_count(inv, &counts);
        assert_in_range(counts.bytes, 8 * MIB, 64 * MIB);
        most = counts.bytes > most ? counts.bytes : most;
    }
    assert_true(most > 48 * MIB); /* and the room is used */
    vg_answer_cache_free(inv);
}

/* Half as many questions as there is room for: hardly one displaces another. */
static void test_room(void **state)
{
    (void)state;
    struct vg_answer_cache *inv = open_cache();
    struct vg_answer_cache_counts counts;
    char target[32];

    for (size_t i = 0; i < VG_SLOTS / 2; i++) {
        snprintf(target, sizeof(target), "/domains/%zu", i);
        struct vg_request *rq = ask(target);
        keep(inv, rq, "a");
        vg_request_unref(rq);
    }
    vg_answer_cache_count(inv, &counts);
    assert_in_range(counts.answers, VG_SLOTS / 2 * 95 / 100, VG_SLOTS / 2);
    vg_answer_cache_free(inv);
}

static void test_slots(void **state)
{
    (void)state;
    struct vg_answer_cache *inv = open_cache();
    struct vg_answer_cache_counts counts;
    char target[32];

    for (int i = 0; i < 5000; i++) {
        snprintf(target, sizeof(target), "/domains/%d", i);
        struct vg_request *rq = ask(target);
        keep(inv, rq, "a");
        expect(inv, rq, "a"); /* the newest is always there */
        vg_request_unref(rq);
    }
    vg_answer_cache_count(inv, &counts);
    assert_in_range(counts.answers, VG_SLOTS * 3 / 4, VG_SLOTS);
    assert_int_equal(counts.bytes, counts.answers * strlen("{\"text\":\"a\"}"));
    vg_answer_cache_free(inv);
}

/* ---- comparing --------------------------------------------------------------------- */

/* Which of "/domains/0".."/domains/9" is next; -1: none. */
static int pick(struct vg_answer_cache *inv)
{
    struct vg_cached_answer kept;
    if (!vg_answer_cache_pick(inv, &kept))
        return -1;
    int which = kept.target[9] - '0';
    assert_true(vg_answer_cache_unchanged(inv, &kept.reading));
    assert_int_equal(kept.reply.body->length, strlen("{\"text\":\"0\"}"));
    assert_int_equal(kept.reply.body->data[9], kept.target[9]);
    assert_ptr_equal(kept.route, &list_route);
    vg_cached_answer_clear(&kept);
    return which;
}

static void test_pick(void **state)
{
    (void)state;
    struct vg_answer_cache *inv = open_cache();
    unsigned int seen = 0, n = 0;
    assert_int_equal(pick(inv), -1);
    for (int i = 0; i < 10; i++) {
        char target[32], text[2] = {(char)('0' + i), '\0'};
        snprintf(target, sizeof(target), "/domains/%d", i);
        struct vg_request *rq = ask(target);
        keep(inv, rq, text);
        vg_request_unref(rq);
    }
    struct vg_answer_cache_counts counts;
    vg_answer_cache_count(inv, &counts);
    for (; n < counts.answers; n++) {
        int which = pick(inv);
        assert_in_range(which, 0, 9);
        assert_false(seen & 1u << which); /* each once, then again from the first */
        seen |= 1u << which;
    }
    assert_true(seen & 1u << pick(inv));
    vg_answer_cache_invalidate(inv, VG_KIND_DOMAIN);
    assert_int_equal(pick(inv), -1);
    vg_answer_cache_free(inv);
}

static void test_difference(void **state)
{
    (void)state;
    struct vg_answer_cache *inv = open_cache();
    struct vg_answer_cache_counts counts;
    struct vg_request *rq = ask("/domains");
    keep(inv, rq, "a");
    vg_answer_cache_note_difference(inv, VG_KIND_DOMAIN);
    expect(inv, rq, NULL);
    vg_answer_cache_count(inv, &counts);
    assert_int_equal(counts.differences, 1);
    vg_request_unref(rq);
    vg_answer_cache_free(inv);
}

/* ---- threads ----------------------------------------------------------------------- */

enum { READERS = 4, WRITES = 4000, MORE_WRITES = 10000 };

struct stress {
    struct vg_answer_cache *inv;
    atomic_int value; /* what the host would tell */
    atomic_bool stop;
    atomic_int hits, stale;
};

static void write_value(struct stress *s, int value)
{
    atomic_store(&s->value, value);
    vg_answer_cache_invalidate(s->inv, VG_KIND_DOMAIN);
}

/* Changes, then touches, then answers: from then on nobody is to see what was before.
 * Goes on, slower, where the readers never came between two changes. */
static void *write_values(void *data)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    struct stress *s = data;
    int i;
    for (i = 1; i <= WRITES; i++) {
        write_value(s, i);
        if (i % 4 == 0)
            sched_yield();
    }
    for (; i <= WRITES + MORE_WRITES && !atomic_load(&s->hits); i++) {
        write_value(s, i);
        nanosleep(&pause, NULL);
    }
    atomic_store(&s->stop, true);
    return NULL;
}

static int value_of(const struct vg_reply *reply)
{
    return (int)strtol(reply->body->data + strlen("{\"text\":\""), NULL, 10);
}

/* A reader sees at least what had been written and touched when it began. As the writer
 * does not tell when it has touched, that is everything before the value of now. */
static void read_once(struct stress *s, struct vg_request *rq)
{
    struct vg_reply found;
    char text[16];
    int least = atomic_load(&s->value) - 1;

    if (vg_answer_cache_find(s->inv, rq, &found)) {
        if (value_of(&found) < least)
            atomic_fetch_add(&s->stale, 1);
        atomic_fetch_add(&s->hits, 1);
        vg_reply_clear(&found);
        return;
    }
    struct vg_reading reading = vg_answer_cache_begin(s->inv, VG_KIND_DOMAIN);
    snprintf(text, sizeof(text), "%d", atomic_load(&s->value));
    sched_yield();
    keep_from(s->inv, rq, &reading, text);
}

static void *read_values(void *data)
{
    struct stress *s = data;
    struct vg_request *rq = ask("/domains");
    while (!atomic_load(&s->stop))
        read_once(s, rq);
    vg_request_unref(rq);
    return NULL;
}

static void *compare_values(void *data)
{
    struct stress *s = data;
    while (!atomic_load(&s->stop)) {
        struct vg_cached_answer kept;
        struct vg_answer_cache_counts counts;
        if (vg_answer_cache_pick(s->inv, &kept))
            vg_cached_answer_clear(&kept);
        vg_answer_cache_count(s->inv, &counts);
        sched_yield();
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct stress s = {.inv = open_cache()};
    pthread_t threads[READERS + 2];
    for (int i = 0; i < READERS; i++)
        pthread_create(&threads[i], NULL, read_values, &s);
    pthread_create(&threads[READERS], NULL, compare_values, &s);
    pthread_create(&threads[READERS + 1], NULL, write_values, &s);
    for (int i = 0; i < READERS + 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&s.stale), 0);
    assert_true(atomic_load(&s.hits) > 0);
    struct vg_request *rq = ask("/domains");
    keep(s.inv, rq, "last");
    expect(s.inv, rq, "last");
    vg_request_unref(rq);
    vg_answer_cache_free(s.inv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hit_and_miss),
        cmocka_unit_test(test_whole_answer),
        cmocka_unit_test(test_touch),
        cmocka_unit_test(test_reading_across_a_touch),
        cmocka_unit_test(test_later_reading_wins),
        cmocka_unit_test(test_settling),
        cmocka_unit_test(test_enable),
        cmocka_unit_test(test_key),
        cmocka_unit_test(test_what_is_not_kept),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_pick),
        cmocka_unit_test(test_difference),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
