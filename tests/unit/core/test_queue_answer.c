/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Queues: what each of those who share a run is given, runs that another queue is to
 * make, and how many threads it takes.
 */
#include "server/core/content.h"
#include "tests/unit/core/queue_fixture.h"

/* ---- what goes on ------------------------------------------------------------------ */

static unsigned int closed;

static void close_feed(struct vg_feed *feed)
{
    (void)feed;
    closed++;
}

static struct vg_feed feed = {.close = close_feed};
static struct vg_request *given_feed;

static struct vg_reply run_feed(void *data, struct vg_virt_conn *conn,
                                struct vg_request *rq)
{
    struct vg_reply reply = run(data, conn, rq);
    reply.feed = &feed;
    return reply;
}

static void note_feed(struct vg_request *rq, struct vg_reply reply)
{
    if (reply.feed) {
        assert_ptr_equal(reply.feed, &feed);
        assert_null(given_feed);
        given_feed = rq;
    }
    take_answer(rq, reply);
}

/* What is sent once is the first one's, and is closed by its answer. */
static void test_feed(void **state)
{
    (void)state;
    struct bench *b = open_bench(1, 10);
    ask(b, &list_route, "/domains");
    wait_for(b, &b->begun, 1);
    b->queue.run = run_feed;
    struct asked *a[3];
    for (int i = 0; i < 3; i++) {
        a[i] = prepare(b, &shared_route, "/domains/a", 1000);
        a[i]->rq->done = note_feed;
        submit(a[i]);
    }
    permit(b, 2);
    for (int i = 0; i < 3; i++)
        wait_answer(a[i], 200, "{\"run\":2}");
    assert_ptr_equal(given_feed, a[0]->rq);
    assert_int_equal(closed, 1);
    close_bench(b);
}

/* ---- another queue ----------------------------------------------------------------- */

static struct vg_reply run_moving(void *data, struct vg_virt_conn *conn,
                                  struct vg_request *rq)
{
    struct vg_reply reply = run(data, conn, rq);
    vg_reply_clear(&reply);
    return vg_requeue();
}

/* A run that says so is made by the other queue, for all who share it. */
static void test_moves(void **state)
{
    (void)state;
    struct bench *b = open_bench(1, 10), *other = open_bench(1, 10);
    ask(b, &list_route, "/domains");
    wait_for(b, &b->begun, 1);
    b->queue.run = run_moving;
    b->queue.fallback = &other->queue;
    struct asked *one = ask(b, &shared_route, "/domains/a");
    struct asked *two = ask(b, &shared_route, "/domains/a");
    permit(b, 2);
    wait_for(other, &other->begun, 1);
    assert_int_equal(one->answers + two->answers, 0);
    expect_count(b, 0, 0);
    permit(other, 2);
    wait_answer(one, 200, "{\"run\":1}");
    wait_answer(two, 200, "{\"run\":");
    assert_true(one->rq->requeued && two->rq->requeued);
    assert_true(one->rq->object != 0);
    close_bench(b);
    close_bench(other);
}

/* ---- what is not there yet --------------------------------------------------------- */

static unsigned int parked(struct bench *b)
{
    VG_LOCK(&b->queue.lock);
    return b->queue.n_parked;
}

/* All who share such a read wait, and count. */
static void test_parked_together(void **state)
{
    (void)state;
    struct bench *b = open_bench(1, 2);
    ask(b, &list_route, "/domains");
    wait_for(b, &b->begun, 1);
    struct asked *one = ask(b, &shared_route, "/domains/later");
    struct asked *two = ask(b, &shared_route, "/domains/later");
    permit(b, 2);
    wait_for(b, &b->ended, 2);
    for (int i = 0; i < 1000 && parked(b) < 2; i++)
        pause_a_little();
    assert_int_equal(parked(b), 2);
    assert_int_equal(one->answers + two->answers, 0);
    assert_false(one->rq->begun || two->rq->begun);
    permit(b, 2);
    vg_queue_expire(&b->queue, vg_now_ns() + SECOND_NS);
    wait_answer(one, 200, "{\"run\":"); /* together or one after the other */
    wait_answer(two, 200, "{\"run\":");
    assert_int_equal(parked(b), 0);
    close_bench(b);
}

/* ---- threads ----------------------------------------------------------------------- */

/* What waited for the host starts as many threads as it needs. */
static void test_threads_after_pause(void **state)
{
    (void)state;
    struct bench *b = open_bench(4, 10);
    vg_queue_pause(&b->queue, true);
    ask(b, &list_route, "/domains?1");
    ask(b, &list_route, "/domains?2");
    vg_queue_pause(&b->queue, false);
    wait_for(b, &b->begun, 2);
    assert_int_equal(vg_queue_load(&b->queue).threads, 2);
    vg_queue_pause(&b->queue, false); /* for nothing */
    assert_int_equal(vg_queue_load(&b->queue).threads, 2);
    close_bench(b);
}

/* Where there is one thread, it makes changes as well. */
static void test_one_thread_of_few(void **state)
{
    (void)state;
    struct bench *b = open_bench(1, 10);
    vg_queue_split(&b->queue, 2, 2, 2);
    permit(b, 1);
    wait_answer(ask(b, &list_route, "/domains"), 200, "run");
    b->queue.few_until_ns = vg_now_ns() + 1000 * SECOND_NS;
    permit(b, 1);
    wait_answer(ask(b, &change_route, "/domains/a/start"), 200, "run");
    assert_int_equal(vg_queue_load(&b->queue).threads, 1);
    close_bench(b);
}

/* Of two threads for reads one is left to other kinds. */
static void test_kinds_of_two(void **state)
{
    static const struct vg_route network = {VG_GET, "/networks/{network}", "network",
                                            NULL, .needs = "network:read"};
    (void)state;
    struct bench *b = open_bench(2, 10);
    ask(b, &network, "/networks/a");
    wait_for(b, &b->begun, 1);
    ask(b, &network, "/networks/b");
    pause_a_little();
    expect_count(b, 1, 1);
    ask(b, &shared_route, "/domains/a");
    wait_for(b, &b->begun, 2);
    close_bench(b);

    b = open_bench(1, 10); /* of one, none */
    permit(b, 1);
    wait_answer(ask(b, &network, "/networks/a"), 200, "run");
    close_bench(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_feed),
        cmocka_unit_test(test_moves),
        cmocka_unit_test(test_parked_together),
        cmocka_unit_test(test_threads_after_pause),
        cmocka_unit_test(test_one_thread_of_few),
        cmocka_unit_test(test_kinds_of_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
