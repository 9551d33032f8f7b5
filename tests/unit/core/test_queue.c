/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Queues: deadlines, the cap for one domain, the full queue, stopping. What is coalesced
 * is in test_worker_join.c.
 */
#include "tests/unit/core/queue_fixture.h"

/* ---- deadlines --------------------------------------------------------------------- */

static void test_deadlines(void **state)
{
    (void)state;
    struct bench *b = open_bench(1, 10);
    struct asked *running = submit(prepare(b, &change_route, "/domains/a/start", 5));
    wait_for(b, &b->begun, 1);
    struct asked *waiting = submit(prepare(b, &change_route, "/domains/b/start", 5));
    struct asked *later = submit(prepare(b, &change_route, "/domains/c/start", 1000));
    vg_queue_expire(&b->queue, vg_now_ns());
    assert_int_equal(running->answers + waiting->answers + later->answers, 0);

    vg_queue_expire(&b->queue, vg_now_ns() + 6 * SECOND_NS);
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
    vg_queue_expire(&b->queue, vg_now_ns() + 6 * SECOND_NS);
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
    vg_queue_expire(&b->queue, vg_now_ns() + 6 * SECOND_NS);
    wait_answer(leader, 504, "deadline-exceeded");
    assert_int_equal(patient->answers, 0);
    expect_count(b, 1, 1);
    permit(b, 2);
    wait_answer(patient, 404, "no such domain");
    close_bench(b);
}

static void wait_until_idle(struct bench *b)
{
    for (int i = 0; i < PATIENCE_S * 100; i++) {
        {
            VG_LOCK(&b->queue.lock);
            if (b->queue.idle == b->queue.threads)
                return;
        }
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    fail_msg("a thread is never idle");
}

/* A domain whose call was cut is left alone for a second; others are not. */
static void test_stuck_domain(void **state)
{
    (void)state;
    struct bench *b = open_bench(2, 10);
    struct asked *stuck = submit(prepare(b, &change_route, "/domains/a/start", 0.01));
    wait_for(b, &b->begun, 1);
    pause_a_little();
    vg_queue_expire(&b->queue, vg_now_ns());
    wait_answer(stuck, 504, "deadline-exceeded");
    permit(b, 1);
    wait_for(b, &b->ended, 1);
    wait_until_idle(b);
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

/* ---- waiting for what is not there yet ----------------------------------------------
 */

/* Parked, it holds no thread, is not late, and is run again by and by. */
static void test_not_yet(void **state)
{
    (void)state;
    struct bench *b = open_bench(1, 10);
    struct asked *first = submit(prepare(b, &shared_route, "/domains/later", 5));
    struct asked *other = ask(b, &shared_route, "/domains/b");
    permit(b, 2);
    wait_answer(other, 200, "{\"run\":2}");
    wait_until_idle(b);
    expect_count(b, 0, 0);
    vg_queue_expire(&b->queue, vg_now_ns()); /* it is not time */
    pause_a_little();
    wait_for(b, &b->begun, 2);
    permit(b, 1);
    vg_queue_expire(&b->queue, vg_now_ns() + 6 * SECOND_NS);
    wait_answer(first, 200, "{\"run\":3}");
    close_bench(b);
}

/* Each client waits from its own beginning; one that came long ago has the answer. */
static void test_not_yet_is_over(void **state)
{
    (void)state;
    struct bench *b = open_bench(1, 10);
    struct asked *late = prepare(b, &shared_route, "/domains/later", 5000);
    late->rq->start_ns -= 1000 * SECOND_NS;
    ask(b, &change_route, "/domains/b/start");
    wait_for(b, &b->begun, 1);
    submit(late);
    struct asked *waits = ask(b, &shared_route, "/domains/later");
    permit(b, 2);
    wait_answer(late, 200, "{\"run\":2}");
    assert_int_equal(waits->answers, 0);
    wait_until_idle(b);
    vg_queue_close(&b->queue); /* while it waits */
    wait_answer(waits, 503, "draining");
    close_bench(b);
}

/* As many may wait as may be queued. */
static void test_not_yet_is_bounded(void **state)
{
    (void)state;
    struct bench *b = open_bench(1, 1);
    struct asked *first = ask(b, &shared_route, "/domains/later");
    permit(b, 1);
    wait_for(b, &b->ended, 1);
    wait_until_idle(b);
    struct asked *second = ask(b, &shared_route, "/domains/later2");
    permit(b, 1);
    wait_answer(second, 503, "overloaded");
    assert_int_equal(first->answers, 0);
    close_bench(b);
}

/* ---- caps -------------------------------------------------------------------------- */

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

/* What is below an object counts for it; the same name of another kind is another. */
static void test_cap_of_any_object(void **state)
{
    static const struct vg_route pool = {VG_GET, "/storage-pools/{pool}", "pool", NULL,
                                         .needs = "domain:read"};
    static const struct vg_route volume = {VG_GET,
                                           "/storage-pools/{pool}/volumes/{volume}",
                                           "volume", NULL, .needs = "domain:read"};
    static const struct vg_route network = {VG_GET, "/networks/{network}", "network",
                                            NULL, .needs = "domain:read"};
    (void)state;
    struct bench *b = open_bench(4, 4);
    ask(b, &pool, "/storage-pools/a");
    ask(b, &volume, "/storage-pools/a/volumes/1");
    wait_for(b, &b->begun, VG_CALLS_PER_OBJECT);
    ask(b, &volume, "/storage-pools/a/volumes/2");
    ask(b, &volume, "/storage-pools/a/volumes/3");
    wait_answer(ask(b, &pool, "/storage-pools/a"), 503, "object-busy");
    ask(b, &network, "/networks/a");
    wait_for(b, &b->begun, VG_CALLS_PER_OBJECT + 1);
    expect_count(b, VG_CALLS_PER_OBJECT + 1, 2);
    close_bench(b);
}

/* Reads of networks leave a thread to reads of other kinds; domains may have all. */
static void test_cap_of_a_kind(void **state)
{
    static const struct vg_route pool = {VG_GET, "/storage-pools/{pool}", "pool", NULL,
                                         .needs = "domain:read"};
    static const struct vg_route network = {VG_GET, "/networks/{network}", "network",
                                            NULL, .needs = "domain:read"};
    static const char *const networks[] = {"/networks/a", "/networks/b", "/networks/c",
                                           "/networks/d"};
    static const char *const domains[] = {"/domains/a", "/domains/b", "/domains/c",
                                          "/domains/d"};
    (void)state;
    struct bench *b = open_bench(4, 20);
    for (int i = 0; i < 4; i++)
        ask(b, &network, networks[i]);
    wait_for(b, &b->begun, 3);
    pause_a_little();
    expect_count(b, 3, 1);
    ask(b, &pool, "/storage-pools/a");
    wait_for(b, &b->begun, 4);
    permit(b, 5);
    wait_for(b, &b->begun, 5);
    close_bench(b);

    b = open_bench(4, 20);
    for (int i = 0; i < 4; i++)
        ask(b, &shared_route, domains[i]);
    wait_for(b, &b->begun, 4);
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
    /* coalescing takes no place */
    struct asked *coalesced = ask(b, &list_route, "/domains?1");
    assert_int_equal(coalesced->answers, 0);
    permit(b, 2);
    wait_answer(second, 200, "{\"run\":2}");
    wait_answer(coalesced, 200, "{\"run\":2}");
    wait_for(b, &b->begun, 3);
    struct asked *again = ask(b, &list_route, "/domains?3");
    assert_int_equal(again->answers, 0);
    close_bench(b);
}

/* ---- reads and changes ------------------------------------------------------------- */

static void test_reads_beside_changes(void **state)
{
    (void)state;
    struct bench *b = open_bench(1, 2);
    vg_queue_split(&b->queue, 2, 2, 2);
    struct asked *held = ask(b, &change_route, "/domains/a/start");
    ask(b, &change_route, "/domains/b/start");
    wait_for(b, &b->begun, 2);
    ask(b, &change_route, "/domains/c/start");
    ask(b, &change_route, "/domains/d/start");
    pause_a_little();
    expect_count(b, 2, 2);
    assert_int_equal(vg_queue_load(&b->queue).threads, 2); /* more could do nothing */
    /* changes fill neither the threads nor the queue of reads */
    wait_answer(ask(b, &change_route, "/domains/e/start"), 503, "overloaded");
    ask(b, &shared_route, "/domains/c");
    ask(b, &list_route, "/domains?1");
    wait_for(b, &b->begun, 4);
    ask(b, &list_route, "/domains?2");
    ask(b, &list_route, "/domains?3");
    pause_a_little();
    expect_count(b, 4, 4);
    assert_int_equal(vg_queue_load(&b->queue).changes, 2);
    wait_answer(ask(b, &list_route, "/domains?4"), 503, "overloaded");
    assert_int_equal(held->answers, 0);
    close_bench(b);
}

/* So many objects are changed at a time; what a guest that hangs holds counts once. */
static void test_changed_objects(void **state)
{
    (void)state;
    struct bench *b = open_bench(1, 10);
    vg_queue_split(&b->queue, 1, 4, 2);
    ask(b, &change_route, "/domains/a/start");
    ask(b, &change_route, "/domains/a/suspend");
    wait_for(b, &b->begun, 2);
    ask(b, &change_route, "/domains/b/start");
    wait_for(b, &b->begun, 3);
    ask(b, &change_route, "/domains/c/start");
    pause_a_little();
    expect_count(b, 3, 1);
    assert_int_equal(vg_queue_load(&b->queue).threads, 3); /* more could do nothing */
    ask(b, &change_route, "/domains/b/suspend");
    wait_for(b, &b->begun, 4);
    permit(b, 4);
    wait_for(b, &b->begun, 5); /* c's */
    close_bench(b);
}

/* One object's limit is for its reads and changes together. */
static void test_cap_of_both(void **state)
{
    (void)state;
    struct bench *b = open_bench(1, 10);
    vg_queue_split(&b->queue, 4, 4, 4);
    ask(b, &change_route, "/domains/a/start");
    ask(b, &shared_route, "/domains/a");
    wait_for(b, &b->begun, 2);
    ask(b, &shared_route, "/domains/a?1");
    ask(b, &change_route, "/domains/a/start");
    ask(b, &shared_route, "/domains/b");
    wait_for(b, &b->begun, 3);
    pause_a_little();
    expect_count(b, 3, 2);
    close_bench(b);
}

/* Where the host has room for two connections alone, one is left to reads. */
static void test_few_threads(void **state)
{
    (void)state;
    struct bench *b = open_bench(1, 10);
    vg_queue_split(&b->queue, 2, 2, 2);
    ask(b, &list_route, "/domains?1");
    ask(b, &list_route, "/domains?2");
    wait_for(b, &b->begun, 2);
    b->queue.few_until_ns = vg_now_ns() + 1000 * SECOND_NS;
    permit(b, 2);
    wait_until_idle(b);
    ask(b, &change_route, "/domains/a/start");
    wait_for(b, &b->begun, 3);
    ask(b, &change_route, "/domains/b/start");
    pause_a_little();
    expect_count(b, 1, 1);
    ask(b, &list_route, "/domains?3");
    wait_for(b, &b->begun, 4);
    expect_count(b, 2, 1);
    assert_int_equal(vg_queue_load(&b->queue).threads, 2);
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
static void test_threads(void **state)
{
    (void)state;
    struct bench *b = open_bench(3, 20);
    assert_int_equal(vg_queue_load(&b->queue).threads, 0);
    permit(b, 5);
    for (unsigned int i = 0; i < 5; i++) {
        wait_answer(ask(b, &list_route, "/domains"), 200, "run");
        wait_until_idle(b);
    }
    /* one after the other: idle threads are used before new ones are started */
    assert_int_equal(vg_queue_load(&b->queue).threads, 1);
    for (int i = 0; i < 10; i++)
        ask(b, &change_route, i % 2 ? "/domains/a/start" : "/domains/b/start");
    wait_for(b, &b->begun, 8);
    pause_a_little();
    expect_count(b, 3, 7);
    close_bench(b);
}

/* A request that comes while the last thread leaves has a thread all the same. */
static void test_leaving(void **state)
{
    (void)state;
    struct bench *b = open_bench(1, 20);
    b->queue.idle_ns = SECOND_NS / 1000;
    permit(b, 3000);
    for (long i = 0; i < 3000; i++) {
        struct asked *a = ask(b, &list_route, "/domains");
        wait_answer(a, 200, "run");
        vg_request_unref(a->rq);
        b->n_asked = 0;
        nanosleep(&(struct timespec){.tv_nsec = 900000 + i % 100 * 2000}, NULL);
    }
    close_bench(b);
}

/* ---- stopping ---------------------------------------------------------------------- */

struct stopper {
    struct bench *bench;
    pthread_t thread;
    unsigned int stopped;
};

static void *stop_queue(void *data)
{
    struct stopper *s = data;
    vg_queue_stop(&s->bench->queue);
    VG_LOCK(&s->bench->lock);
    s->stopped = 1;
    pthread_cond_broadcast(&s->bench->wake);
    return NULL;
}

static bool is_stopping(struct vg_queue *queue)
{
    VG_LOCK(&queue->lock);
    return queue->stopping;
}

static void test_stop(void **state)
{
    (void)state;
    struct bench *b = open_bench(1, 10);
    struct stopper s = {.bench = b};
    struct asked *running = ask(b, &change_route, "/domains/a/start");
    wait_for(b, &b->begun, 1);
    struct asked *waiting = ask(b, &list_route, "/domains");
    assert_int_equal(pthread_create(&s.thread, NULL, stop_queue, &s), 0);
    while (!is_stopping(&b->queue))
        pause_a_little();
    wait_answer(ask(b, &list_route, "/domains?new"), 503, "draining");
    wait_answer(ask(b, &change_route, "/domains/b/start"), 503, "draining");
    struct asked *coalesced = ask(b, &list_route, "/domains");
    pause_a_little();
    wait_for(b, &s.stopped, 0);
    permit(b, 2);
    wait_for(b, &s.stopped, 1);
    pthread_join(s.thread, NULL);
    wait_answer(running, 200, "{\"run\":1}");
    wait_answer(waiting, 200, "{\"run\":2}");
    wait_answer(coalesced, 200, "{\"run\":2}");
    assert_int_equal(b->queue.threads, 0);
    close_bench(b);
}

/* Who waits is told at once, whatever its thread still does. */
static void test_close(void **state)
{
    (void)state;
    struct bench *b = open_bench(1, 10);
    struct asked *change = ask(b, &change_route, "/domains/a/start");
    wait_for(b, &b->begun, 1);
    struct asked *read = ask(b, &list_route, "/domains");
    vg_queue_close(&b->queue);
    wait_answer(change, 503, "\"outcome\":\"unknown\"");
    wait_answer(read, 503, "draining");
    wait_answer(ask(b, &list_route, "/domains?new"), 503, "draining");
    permit(b, 1);
    vg_queue_stop(&b->queue);
    assert_int_equal(change->answers, 1);
    assert_int_equal(read->answers, 1);
    assert_int_equal(b->begun, 1);
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
        cmocka_unit_test(test_not_yet),
        cmocka_unit_test(test_not_yet_is_over),
        cmocka_unit_test(test_not_yet_is_bounded),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_late_read),
        cmocka_unit_test(test_deadline_of_one_waiter),
        cmocka_unit_test(test_stuck_domain),
        cmocka_unit_test(test_cap_of_one_domain),
        cmocka_unit_test(test_cap_of_any_object),
        cmocka_unit_test(test_cap_of_a_kind),
        cmocka_unit_test(test_full_queue),
        cmocka_unit_test(test_reads_beside_changes),
        cmocka_unit_test(test_changed_objects),
        cmocka_unit_test(test_cap_of_both),
        cmocka_unit_test(test_few_threads),
        cmocka_unit_test(test_share_of_queue),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_leaving),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_stop_idle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
