/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Memory compared with libvirt, on the test driver: what is right stays, what is wrong is
 * found, counted, dropped and told; what an event explains is no difference.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "server/libvirt/check.h"
#include "tests/unit/libvirt/host_fixture.h"

#define LATER    (20 * VG_SECOND_NS) /* when a comparison is due */
#define PATIENCE 400                 /* times 10 ms */

static atomic_int answered;

static void rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

static void take_answer(struct vg_request *rq, struct vg_reply reply)
{
    (void)rq;
    vg_reply_clear(&reply);
    atomic_fetch_add(&answered, 1);
}

static struct vg_request *make_request(const char *target)
{
    const char *allow;
    struct vg_request *rq = vg_request_new();

    assert_non_null(rq);
    rq->target = strdup(target);
    rq->path_length = strcspn(target, "?");
    assert_int_equal(vg_request_parse_target(rq, target), 0);
    rq->method = VG_GET;
    rq->method_name = "GET";
    rq->rights = vg_rights_of_role(VG_ROLE_ADMIN);
    rq->start_ns = vg_now_ns();
    rq->done = take_answer;
    assert_int_equal(vg_app_route(rq, &allow), 0);
    return rq;
}

/* Asks libvirt once, and waits until nothing is younger than it takes to settle. */
static void fill(const char *target)
{
    int before = atomic_load(&answered);
    nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
    vg_host_submit(host, make_request(target));
    for (int i = 0; i < PATIENCE && atomic_load(&answered) == before; i++)
        rest();
    assert_int_equal(atomic_load(&answered), before + 1);
}

static bool remembers(const char *target)
{
    struct vg_reply reply;
    struct vg_request *rq = make_request(target);
    bool found = vg_host_remember(rq, &reply);
    if (found)
        vg_reply_clear(&reply);
    vg_request_unref(rq);
    return found;
}

/* Puts a wrong answer into memory, as if an event had been missed. */
static void lie(const char *target)
{
    struct vg_request *rq = make_request(target);
    struct vg_reading reading = vg_answer_cache_begin(host->cache, VG_KIND_DOMAIN);
    struct vg_reply wrong =
        vg_cacheable(vg_ok_text(rq, "application/json", strdup("{\"domains\":[]}")));

    assert_true(reading.generation > 0);
    vg_answer_cache_keep(host->cache, rq, &reading, &wrong);
    vg_reply_clear(&wrong);
    vg_request_unref(rq);
    assert_true(remembers(target));
}

/* The next comparison, to its end; `event`: something comes between it and the verdict.
 */
static uint64_t differences(bool event)
{
    struct vg_answer_cache_counts counts;
    static int64_t now;

    now = (now ? now : vg_now_ns()) + LATER;
    struct vg_request *rq = vg_check_tick(host->check, now);
    if (rq)
        vg_host_submit(host, rq);
    for (int i = 0; i < PATIENCE && vg_check_asks(host->check); i++)
        rest();
    assert_false(vg_check_asks(host->check));
    if (event)
        vg_answer_cache_invalidate(host->cache, VG_KIND_DOMAIN);
    assert_null(vg_check_tick(host->check, now + LATER / 10));
    vg_answer_cache_count(host->cache, &counts);
    return counts.differences;
}

static void test_right(void **state)
{
    (void)state;
    fill("/domains");
    assert_true(remembers("/domains"));
    assert_int_equal(differences(false), 0);
    assert_true(remembers("/domains"));
}

static void test_wrong(void **state)
{
    uint64_t head = vg_event_head();
    (void)state;

    fill("/domains");
    vg_answer_cache_invalidate(host->cache, VG_KIND_DOMAIN);
    lie("/domains");
    assert_int_equal(differences(false), 1);
    assert_false(remembers("/domains"));
    struct vg_subscriber *subscriber =
        vg_subscriber_new(&(struct vg_event_filter){0}, head, false);
    struct vg_event *e = NULL;
    assert_int_equal(vg_subscriber_next(subscriber, &e), VG_SUBSCRIBER_EVENT);
    assert_true(vg_event_is_reset(e));
    vg_event_unref(e);
    vg_subscriber_free(subscriber);
}

static void test_late_event(void **state)
{
    struct vg_answer_cache_counts counts;
    (void)state;
    vg_answer_cache_count(host->cache, &counts);
    fill("/domains");
    vg_answer_cache_invalidate(host->cache, VG_KIND_DOMAIN);
    lie("/domains");
    assert_int_equal(differences(true), counts.differences);
    assert_false(remembers("/domains"));
}

static int set_up(void **state)
{
    (void)state;
    if (start_host() < 0)
        return -1;
    for (int i = 0;
         i < PATIENCE && !vg_answer_cache_begin(host->cache, VG_KIND_DOMAIN).generation;
         i++)
        rest();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_late_event),
    };
    return cmocka_run_group_tests(tests, set_up, stop_host);
}
