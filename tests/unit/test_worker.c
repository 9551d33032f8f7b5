/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Lanes: what is joined and what is not, deadlines, the cap for one domain, the full
 * queue, stopping. Instead of a host, runs wait here for a permit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

#include "server/worker.h"
#include "virtgate/cleanup.h"

#define SECOND_NS  ((int64_t)1000000000)
#define MAX_ASKED  32
#define PATIENCE_S 20

/* What one client got. */
struct asked {
    struct bench *bench;
    struct vg_request *rq; /* counted, to look at it afterwards */
    int status;            /* 0: not answered */
    unsigned int answers, retry_after;
    char body[512];
};

struct bench {
    struct vg_lane lane;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    unsigned int begun, ended; /* runs */
    unsigned int permits;      /* runs that may end */
    char order[256];           /* targets, as they were begun */
    struct asked asked[MAX_ASKED];
    size_t n_asked;
};

static const struct vg_route shared_route = {VG_GET, "/domains/{domain}", "get",
                                             VG_READ | VG_SHARED, NULL};
static const struct vg_route change_route = {VG_POST, "/domains/{domain}/start", "start",
                                             VG_OPERATE, NULL};
static const struct vg_route list_route = {VG_GET, "/domains", "list",
                                           VG_READ | VG_SHARED, NULL};

static struct vg_reply run(void *data, struct vg_lease *lease, struct vg_request *rq)
{
    struct bench *b = data;
    assert_non_null(lease);
    VG_LOCK(&b->lock);
    size_t n = strlen(b->order);
    snprintf(b->order + n, sizeof(b->order) - n, "%s ", rq->target);
    unsigned int number = ++b->begun;
    pthread_cond_broadcast(&b->wake);
    while (!b->permits)
        pthread_cond_wait(&b->wake, &b->lock);
    b->permits--;
    b->ended++;
    pthread_cond_broadcast(&b->wake);
    if (strstr(rq->target, "fail")) {
        vg_error_set(&rq->error, VG_E_NOT_FOUND, "no such domain");
        return vg_fail(rq);
    }
    return vg_ok(rq, json_pack("{s:i}", "run", number));
}

static void take_answer(struct vg_request *rq, struct vg_reply reply)
{
    struct asked *a = rq->done_data;
    VG_LOCK(&a->bench->lock);
    a->status = reply.status;
    a->retry_after = reply.retry_after;
    a->answers++;
    if (reply.body)
        snprintf(a->body, sizeof(a->body), "%.*s", (int)reply.body->length,
                 reply.body->data);
    vg_reply_clear(&reply);
    pthread_cond_broadcast(&a->bench->wake);
}

static struct bench *open_bench(unsigned int threads, unsigned int max_waiting)
{
    struct bench *b = calloc(1, sizeof(*b));
    assert_non_null(b);
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->wake, NULL);
    vg_lane_init(&b->lane, threads, max_waiting);
    b->lane.run = run;
    b->lane.data = b;
    return b;
}

static void permit(struct bench *b, unsigned int n)
{
    VG_LOCK(&b->lock);
    b->permits += n;
    pthread_cond_broadcast(&b->wake);
}

/* Ends all runs; every request was answered, once. */
static void close_bench(struct bench *b)
{
    permit(b, 1000);
    vg_lane_stop(&b->lane);
    for (size_t i = 0; i < b->n_asked; i++) {
        assert_int_equal(b->asked[i].answers, 1);
        vg_request_unref(b->asked[i].rq);
    }
    assert_int_equal(b->begun, b->ended);
    free(b);
}

static struct asked *prepare(struct bench *b, const struct vg_route *route,
                             const char *target, double seconds)
{
    struct asked *a = &b->asked[b->n_asked++];
    struct vg_request *rq = vg_request_new();
    assert_int_equal(vg_request_parse_target(rq, target), 0);
    *a = (struct asked){.bench = b, .rq = rq};
    rq->route = route;
    rq->method = route->method;
    rq->done = take_answer;
    rq->done_data = a;
    rq->start_ns = vg_now_ns();
    rq->deadline_ns = rq->start_ns + (int64_t)(seconds * 1e9);
    return a;
}

static struct asked *submit(struct asked *a)
{
    vg_lane_submit(&a->bench->lane, vg_request_ref(a->rq));
    return a;
}

static struct asked *ask(struct bench *b, const struct vg_route *route,
                         const char *target)
{
    return submit(prepare(b, route, target, 1000));
}

/* Waits until *counter is `want`; more than that is a failure, too. */
static void wait_for(struct bench *b, const unsigned int *counter, unsigned int want)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    VG_LOCK(&b->lock);
    int rc = 0;
    while (*counter < want && rc == 0)
        rc = pthread_cond_timedwait(&b->wake, &b->lock, &until);
    assert_int_equal(*counter, want);
}

static void wait_answer(struct asked *a, int status, const char *words)
{
    wait_for(a->bench, &a->answers, 1);
    VG_LOCK(&a->bench->lock);
    assert_int_equal(a->status, status);
    if (!strstr(a->body, words))
        fail_msg("%s does not say %s", a->body, words);
}

/* Long enough for a thread to begin what it must not. */
static void pause_a_little(void)
{
    const struct timespec t = {.tv_nsec = 30000000};
    nanosleep(&t, NULL);
}

static void expect_count(struct bench *b, unsigned int in_flight, unsigned int waiting)
{
    unsigned int is_in_flight, is_waiting, threads;
    vg_lane_count(&b->lane, &is_in_flight, &is_waiting, &threads);
    assert_int_equal(is_in_flight, in_flight);
    assert_int_equal(is_waiting, waiting);
    assert_true(threads <= b->lane.max_threads);
}

/* ---- joining ---- */

static void test_equal_reads_join(void **state)
{
    (void)state;
    struct bench *b = open_bench(1, 10);
    struct asked *first = ask(b, &shared_route, "/domains/other");
    wait_for(b, &b->begun, 1);
    struct asked *same[3];
    for (int i = 0; i < 3; i++)
        same[i] = ask(b, &shared_route, "/domains/vm");
    expect_count(b, 1, 1);
    permit(b, 2);
    wait_answer(first, 200, "{\"run\":1}");
    for (int i = 0; i < 3; i++)
        wait_answer(same[i], 200, "{\"run\":2}");
    close_bench(b);
}

/* What has begun may have read the state before the later client's own change. */
static void test_begun_is_not_joined(void **state)
{
    (void)state;
    struct bench *b = open_bench(2, 10);
    struct asked *first = ask(b, &shared_route, "/domains/vm");
    wait_for(b, &b->begun, 1);
    struct asked *second = ask(b, &shared_route, "/domains/vm");
    wait_for(b, &b->begun, 2);
    struct asked *third = ask(b, &shared_route, "/domains/vm");
    struct asked *fourth = ask(b, &shared_route, "/domains/vm");
    expect_count(b, 2, 1);
    permit(b, 3);
    wait_answer(third, 200, "{\"run\":3}");
    wait_answer(fourth, 200, "{\"run\":3}");
    wait_answer(first, 200, "{\"run\":");
    wait_answer(second, 200, "{\"run\":");
    assert_string_not_equal(first->body, second->body);
    close_bench(b);
}

static void test_unequal_reads_do_not_join(void **state)
{
    (void)state;
    struct bench *b = open_bench(1, 20);
    ask(b, &list_route, "/domains?x");
    wait_for(b, &b->begun, 1);
    ask(b, &list_route, "/domains");
    ask(b, &list_route, "/domains?y");
    struct asked *a = prepare(b, &list_route, "/domains", 1000);
    a->rq->role = VG_ROLE_ADMIN;
    submit(a);
    a = prepare(b, &list_route, "/domains", 1000);
    a->rq->accept = VG_ACCEPT_XML;
    submit(a);
    a = prepare(b, &list_route, "/domains", 1000);
    a->rq->number_strings = true;
    submit(a);
    a = prepare(b, &shared_route, "/domains", 1000);
    a->rq->route =
        &(const struct vg_route){VG_GET, "/domains", "list2", VG_READ | VG_SHARED, NULL};
    submit(a);
    /* what the target does not show: arguments in a body, a condition */
    a = prepare(b, &list_route, "/domains", 1000);
    a->rq->body_kind = VG_BODY_JSON;
    submit(a);
    a = prepare(b, &list_route, "/domains", 1000);
    a->rq->if_match = strdup("*");
    submit(a);
    expect_count(b, 1, 8);
    /* changes are never joined */
    ask(b, &change_route, "/domains/vm/start");
    ask(b, &change_route, "/domains/vm/start");
    expect_count(b, 1, 10);
    close_bench(b);
}

/* no-cache may not be given what relied on memory; the other way round harms nobody. */
static void test_fresh_reads(void **state)
{
    (void)state;
    struct bench *b = open_bench(1, 20);
    ask(b, &list_route, "/domains?x");
    wait_for(b, &b->begun, 1);
    ask(b, &list_route, "/domains");
    struct asked *a = prepare(b, &list_route, "/domains", 1000);
    a->rq->fresh = true;
    submit(a);
    expect_count(b, 1, 2);
    a = prepare(b, &list_route, "/domains?y", 1000);
    a->rq->fresh = true;
    submit(a);
    ask(b, &list_route, "/domains?y");
    expect_count(b, 1, 3);
    close_bench(b);
}

/* As if so many had shared the last read of the target. */
static void expect_crowd(struct bench *b, const char *target, unsigned int n,
                         int64_t patience_ns)
{
    VG_LOCK(&b->lane.lock);
    b->lane.crowd =
        (struct vg_crowd){XXH3_64bits(target, strlen(target)), n, patience_ns};
}

static void test_gathering(void **state)
{
    (void)state;
    struct bench *b = open_bench(2, 20);
    permit(b, 10);
    expect_crowd(b, "/domains", 2, 1000 * SECOND_NS);
    struct asked *first = ask(b, &list_route, "/domains");
    ask(b, &list_route, "/domains?other"); /* is not held up */
    wait_for(b, &b->ended, 1);
    pause_a_little();
    expect_count(b, 0, 1);
    struct asked *second = ask(b, &list_route, "/domains");
    wait_answer(first, 200, "{\"run\":2}");
    wait_answer(second, 200, "{\"run\":2}");
    /* nobody comes: not for long, and not again */
    expect_crowd(b, "/domains", 3, SECOND_NS / 100);
    wait_answer(ask(b, &list_route, "/domains"), 200, "{\"run\":3}");
    assert_int_equal(b->lane.crowd.n, 1);
    close_bench(b);
}

static void test_stop_gathering(void **state)
{
    (void)state;
    struct bench *b = open_bench(2, 20);
    expect_crowd(b, "/domains", 2, 1000 * SECOND_NS);
    ask(b, &list_route, "/domains");
    pause_a_little();
    close_bench(b);
}

/* A problem names the request it answers. */
static void test_joined_failure(void **state)
{
    (void)state;
    struct bench *b = open_bench(1, 10);
    ask(b, &shared_route, "/domains/other");
    wait_for(b, &b->begun, 1);
    struct asked *one = prepare(b, &shared_route, "/domains/fail", 1000);
    struct asked *two = prepare(b, &shared_route, "/domains/fail", 1000);
    snprintf(one->rq->id, sizeof(one->rq->id), "first-id");
    snprintf(two->rq->id, sizeof(two->rq->id), "second-id");
    submit(one);
    submit(two);
    permit(b, 2);
    wait_answer(one, 404, "\"requestId\":\"first-id\"");
    wait_answer(two, 404, "\"requestId\":\"second-id\"");
    assert_non_null(strstr(two->body, "no such domain"));
    close_bench(b);
}

/* ---- deadlines ---- */

static void test_deadlines(void **state)
{
    (void)state;
    struct bench *b = open_bench(1, 10);
    struct asked *running = submit(prepare(b, &change_route, "/domains/a/start", 5));
    wait_for(b, &b->begun, 1);
    struct asked *waiting = submit(prepare(b, &change_route, "/domains/b/start", 5));
    struct asked *later = submit(prepare(b, &change_route, "/domains/c/start", 1000));
    vg_lane_expire(&b->lane, vg_now_ns());
    assert_int_equal(running->answers + waiting->answers + later->answers, 0);

    vg_lane_expire(&b->lane, vg_now_ns() + 6 * SECOND_NS);
    wait_answer(running, 504, "deadline-exceeded");
    wait_answer(waiting, 504, "deadline-exceeded");
    assert_int_equal(later->answers, 0);
    /* only what a worker took may have been done */
    assert_non_null(strstr(running->body, "\"outcome\":\"unknown\""));
    assert_null(strstr(waiting->body, "outcome"));
    expect_count(b, 1, 1);
    permit(b, 2);
    wait_answer(later, 200, "{\"run\":2}");
    assert_string_equal(b->order, "/domains/a/start /domains/c/start ");
    close_bench(b);
}

static void test_late_read(void **state)
{
    (void)state;
    struct bench *b = open_bench(1, 10);
    struct asked *read = submit(prepare(b, &shared_route, "/domains/a", 5));
    wait_for(b, &b->begun, 1);
    vg_lane_expire(&b->lane, vg_now_ns() + 6 * SECOND_NS);
    wait_answer(read, 504, "deadline-exceeded");
    assert_null(strstr(read->body, "outcome"));
    assert_true(read->retry_after > 0);
    close_bench(b);
}

/* Who shares a call has a deadline of his own, also the one that it runs for. */
static void test_deadline_of_one_waiter(void **state)
{
    (void)state;
    struct bench *b = open_bench(1, 10);
    ask(b, &shared_route, "/domains/other");
    wait_for(b, &b->begun, 1);
    struct asked *leader = submit(prepare(b, &shared_route, "/domains/fail", 5));
    struct asked *patient = submit(prepare(b, &shared_route, "/domains/fail", 1000));
    vg_lane_expire(&b->lane, vg_now_ns() + 6 * SECOND_NS);
    wait_answer(leader, 504, "deadline-exceeded");
    assert_int_equal(patient->answers, 0);
    expect_count(b, 1, 1);
    permit(b, 2);
    wait_answer(patient, 404, "no such domain");
    close_bench(b);
}

/* A domain whose call was cut is left alone for a second; others are not. */
static void test_stuck_domain(void **state)
{
    (void)state;
    struct bench *b = open_bench(2, 10);
    struct asked *stuck = submit(prepare(b, &change_route, "/domains/a/start", 0.01));
    wait_for(b, &b->begun, 1);
    pause_a_little();
    vg_lane_expire(&b->lane, vg_now_ns());
    wait_answer(stuck, 504, "deadline-exceeded");
    permit(b, 1);
    wait_for(b, &b->ended, 1);
    for (unsigned int n = 1; n;) {
        unsigned int waiting, threads;
        vg_lane_count(&b->lane, &n, &waiting, &threads);
    }
    struct asked *refused = ask(b, &shared_route, "/domains/a");
    wait_answer(refused, 503, "domain-busy");
    assert_true(refused->retry_after > 0);
    permit(b, 1);
    wait_answer(ask(b, &shared_route, "/domains/b"), 200, "{\"run\":2}");
    const struct timespec second = {.tv_sec = 1, .tv_nsec = 50000000};
    nanosleep(&second, NULL);
    permit(b, 1);
    wait_answer(ask(b, &shared_route, "/domains/a"), 200, "{\"run\":3}");
    close_bench(b);
}

/* ---- caps ---- */

static void test_cap_of_one_domain(void **state)
{
    (void)state;
    struct bench *b = open_bench(4, 20);
    struct asked *a[3];
    for (int i = 0; i < 3; i++)
        a[i] = ask(b, &change_route, "/domains/a/start");
    wait_for(b, &b->begun, VG_CALLS_PER_OBJECT);
    pause_a_little();
    wait_for(b, &b->begun, VG_CALLS_PER_OBJECT);
    expect_count(b, VG_CALLS_PER_OBJECT, 1);
    /* another domain, and what is of no domain, go past it */
    ask(b, &change_route, "/domains/b/start");
    wait_for(b, &b->begun, 3);
    ask(b, &list_route, "/domains");
    wait_for(b, &b->begun, 4);
    expect_count(b, 4, 1);
    permit(b, 4);
    wait_for(b, &b->begun, 5);
    permit(b, 1);
    for (int i = 0; i < 3; i++)
        wait_answer(a[i], 200, "run");
    close_bench(b);
}

static void test_full_queue(void **state)
{
    (void)state;
    struct bench *b = open_bench(1, 2);
    ask(b, &list_route, "/domains?0");
    wait_for(b, &b->begun, 1);
    struct asked *second = ask(b, &list_route, "/domains?1");
    ask(b, &list_route, "/domains?2");
    struct asked *refused = ask(b, &list_route, "/domains?3");
    wait_answer(refused, 503, "overloaded");
    assert_true(refused->retry_after > 0);
    /* joining takes no place */
    struct asked *joined = ask(b, &list_route, "/domains?1");
    assert_int_equal(joined->answers, 0);
    permit(b, 2);
    wait_answer(second, 200, "{\"run\":2}");
    wait_answer(joined, 200, "{\"run\":2}");
    wait_for(b, &b->begun, 3);
    struct asked *again = ask(b, &list_route, "/domains?3");
    assert_int_equal(again->answers, 0);
    close_bench(b);
}

/* One domain gets a quarter of the queue and one place, the rest is for others. */
static void test_share_of_queue(void **state)
{
    (void)state;
    struct bench *b = open_bench(1, 8);
    ask(b, &list_route, "/domains");
    wait_for(b, &b->begun, 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(b, &change_route, "/domains/a/start")->answers, 0);
    wait_answer(ask(b, &change_route, "/domains/a/start"), 503, "domain-busy");
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(b, &change_route, "/domains/b/start")->answers, 0);
    wait_answer(ask(b, &change_route, "/domains/b/start"), 503, "domain-busy");
    expect_count(b, 1, 6);
    close_bench(b);
}

/* First come, first served, but for the cap. */
static void test_order(void **state)
{
    (void)state;
    struct bench *b = open_bench(1, 20);
    ask(b, &list_route, "/domains?0");
    wait_for(b, &b->begun, 1);
    ask(b, &change_route, "/domains/a/start");
    ask(b, &list_route, "/domains?1");
    ask(b, &change_route, "/domains/b/start");
    ask(b, &list_route, "/domains?1");
    permit(b, 4);
    wait_for(b, &b->ended, 4);
    assert_string_equal(b->order, "/domains?0 /domains/a/start /domains?1 "
                                  "/domains/b/start ");
    close_bench(b);
}

/* An answer comes a moment before its thread is idle again. */
static void wait_until_idle(struct bench *b)
{
    for (int i = 0; i < PATIENCE_S * 100; i++) {
        {
            VG_LOCK(&b->lane.lock);
            if (b->lane.idle == b->lane.threads)
                return;
        }
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    fail_msg("a thread is never idle");
}

static void test_threads(void **state)
{
    (void)state;
    struct bench *b = open_bench(3, 20);
    unsigned int in_flight, waiting, threads;
    vg_lane_count(&b->lane, &in_flight, &waiting, &threads);
    assert_int_equal(threads, 0);
    permit(b, 5);
    for (unsigned int i = 0; i < 5; i++) {
        wait_answer(ask(b, &list_route, "/domains"), 200, "run");
        wait_until_idle(b);
    }
    /* one after the other: idle threads are used before new ones are started */
    vg_lane_count(&b->lane, &in_flight, &waiting, &threads);
    assert_int_equal(threads, 1);
    for (int i = 0; i < 10; i++)
        ask(b, &change_route, i % 2 ? "/domains/a/start" : "/domains/b/start");
    wait_for(b, &b->begun, 8);
    pause_a_little();
    expect_count(b, 3, 7);
    close_bench(b);
}

/* ---- stopping ---- */

struct stopper {
    struct bench *bench;
    pthread_t thread;
    unsigned int stopped;
};

static void *stop_lane(void *data)
{
    struct stopper *s = data;
    vg_lane_stop(&s->bench->lane);
    VG_LOCK(&s->bench->lock);
    s->stopped = 1;
    pthread_cond_broadcast(&s->bench->wake);
    return NULL;
}

static bool is_stopping(struct vg_lane *lane)
{
    VG_LOCK(&lane->lock);
    return lane->stopping;
}

static void test_stop(void **state)
{
    (void)state;
    struct bench *b = open_bench(1, 10);
    struct stopper s = {.bench = b};
    struct asked *running = ask(b, &change_route, "/domains/a/start");
    wait_for(b, &b->begun, 1);
    struct asked *waiting = ask(b, &list_route, "/domains");
    assert_int_equal(pthread_create(&s.thread, NULL, stop_lane, &s), 0);
    while (!is_stopping(&b->lane))
        pause_a_little();
    wait_answer(ask(b, &list_route, "/domains?new"), 503, "draining");
    wait_answer(ask(b, &change_route, "/domains/b/start"), 503, "draining");
    struct asked *joined = ask(b, &list_route, "/domains");
    pause_a_little();
    wait_for(b, &s.stopped, 0);
    permit(b, 2);
    wait_for(b, &s.stopped, 1);
    pthread_join(s.thread, NULL);
    wait_answer(running, 200, "{\"run\":1}");
    wait_answer(waiting, 200, "{\"run\":2}");
    wait_answer(joined, 200, "{\"run\":2}");
    assert_int_equal(b->lane.threads, 0);
    close_bench(b);
}

static void test_stop_idle(void **state)
{
    (void)state;
    close_bench(open_bench(4, 10));
    struct bench *b = open_bench(4, 10);
    permit(b, 1);
    wait_answer(ask(b, &list_route, "/domains"), 200, "run");
    close_bench(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_reads_join),
        cmocka_unit_test(test_begun_is_not_joined),
        cmocka_unit_test(test_unequal_reads_do_not_join),
        cmocka_unit_test(test_fresh_reads),
        cmocka_unit_test(test_gathering),
        cmocka_unit_test(test_stop_gathering),
        cmocka_unit_test(test_joined_failure),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_late_read),
        cmocka_unit_test(test_deadline_of_one_waiter),
        cmocka_unit_test(test_stuck_domain),
        cmocka_unit_test(test_cap_of_one_domain),
        cmocka_unit_test(test_full_queue),
        cmocka_unit_test(test_share_of_queue),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_stop_idle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
