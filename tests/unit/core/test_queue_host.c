/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a host does to its queues: they wait for its first connection, give up when it is
 * down, and make do with the connections that there are. And which requests wait for an
 * agent, which has a queue of its own.
 */
#include "server/core/answer.h"
#include "tests/unit/core/queue_fixture.h"

/* ---- paused ------------------------------------------------------------------------ */

static void test_paused(void **state)
{
    (void)state;
    struct bench *b = open_bench(2, 2);
    permit(b, 100);
    vg_queue_pause(&b->queue, true);
    struct asked *waits = ask(b, &change_route, "/domains/a/start");
    struct asked *late = submit(prepare(b, &change_route, "/domains/b/start", 5));
    struct asked *read = ask(b, &shared_route, "/domains/c");
    struct asked *coalesced = ask(b, &shared_route, "/domains/c");
    pause_a_little();
    expect_count(b, 0, 3);
    assert_int_equal(b->begun, 0);
    assert_int_equal(b->queue.threads, 0);
    /* what holds of a queue holds meanwhile: its size, deadlines */
    wait_answer(ask(b, &change_route, "/domains/d/start"), 503, "overloaded");
    vg_queue_expire(&b->queue, vg_now_ns() + 6 * SECOND_NS);
    wait_answer(late, 504, "deadline-exceeded");
    assert_null(strstr(late->body, "outcome"));
    vg_queue_pause(&b->queue, false);
    wait_answer(waits, 200, "run");
    wait_answer(read, 200, "run");
    wait_answer(coalesced, 200, "run");
    assert_int_equal(b->begun, 2);
    close_bench(b);
}

/* Threads that are there already wait, too. */
static void test_paused_again(void **state)
{
    (void)state;
    struct bench *b = open_bench(1, 10);
    permit(b, 1);
    wait_answer(ask(b, &change_route, "/domains/a/start"), 200, "{\"run\":1}");
    vg_queue_pause(&b->queue, true);
    permit(b, 1);
    struct asked *waits = ask(b, &change_route, "/domains/b/start");
    pause_a_little();
    assert_int_equal(waits->answers, 0);
    vg_queue_pause(&b->queue, false);
    wait_answer(waits, 200, "{\"run\":2}");
    close_bench(b);
}

static void test_stopped_while_paused(void **state)
{
    (void)state;
    struct bench *b = open_bench(1, 10);
    vg_queue_pause(&b->queue, true);
    struct asked *waits = ask(b, &change_route, "/domains/a/start");
    vg_queue_stop(&b->queue);
    assert_int_equal(waits->answers, 1);
    close_bench(b);
}

/* ---- given up ---------------------------------------------------------------------- */

static void say_gone(void *data, struct vg_request *rq)
{
    unsigned int *n = data;
    ++*n;
    vg_request_answer(rq, vg_reply_error(rq, VG_E_HOST_UNREACHABLE, "gone"));
    vg_request_unref(rq);
}

static void test_abandon_waiting(void **state)
{
    (void)state;
    struct bench *b = open_bench(1, 10);
    unsigned int n = 0;
    struct asked *running = ask(b, &change_route, "/domains/a/start");
    wait_for(b, &b->begun, 1);
    struct asked *waits = ask(b, &change_route, "/domains/b/start");
    struct asked *read = ask(b, &shared_route, "/domains/c");
    struct asked *coalesced = ask(b, &shared_route, "/domains/c");
    vg_queue_abandon(&b->queue, false, say_gone, &n);
    assert_int_equal(n, 3);
    wait_answer(waits, 503, "gone");
    wait_answer(read, 503, "gone");
    wait_answer(coalesced, 503, "gone");
    assert_int_equal(running->answers, 0);
    expect_count(b, 1, 0);
    /* it goes on with what comes after */
    permit(b, 2);
    wait_answer(running, 200, "{\"run\":1}");
    wait_answer(ask(b, &change_route, "/domains/d/start"), 200, "{\"run\":2}");
    close_bench(b);
}

static void test_abandon_running(void **state)
{
    (void)state;
    struct bench *b = open_bench(2, 10);
    unsigned int n = 0;
    struct asked *running = ask(b, &change_route, "/domains/a/start");
    struct asked *read = ask(b, &shared_route, "/domains/b");
    wait_for(b, &b->begun, 2);
    struct asked *waits = ask(b, &shared_route, "/domains/b");
    vg_queue_abandon(&b->queue, true, say_gone, &n);
    assert_int_equal(n, 3);
    wait_answer(running, 503, "gone");
    wait_answer(read, 503, "gone");
    wait_answer(waits, 503, "gone");
    assert_true(running->rq->begun); /* so the change may have been done */
    assert_false(waits->rq->begun);
    expect_count(b, 2, 0);
    vg_queue_abandon(&b->queue, true, say_gone, &n); /* nobody is left */
    assert_int_equal(n, 3);
    close_bench(b); /* and each was answered once */
}

/* ---- slow -------------------------------------------------------------------------- */

static void test_slow(void **state)
{
    (void)state;
    struct bench *b = open_bench(1, 10);
    ask(b, &change_route, "/domains/a/start");
    wait_for(b, &b->begun, 1);
    int64_t now = vg_now_ns();
    ask(b, &change_route, "/domains/b/start"); /* waits: that tells nothing */
    assert_false(vg_queue_slow(&b->queue, now));
    assert_false(vg_queue_slow(&b->queue, now + 2 * SECOND_NS));
    assert_true(vg_queue_slow(&b->queue, now + 4 * SECOND_NS));
    assert_false(vg_queue_slow(&b->queue, now + 5 * SECOND_NS)); /* told */
    permit(b, 1);
    wait_for(b, &b->begun, 2);
    assert_true(vg_queue_slow(&b->queue, vg_now_ns() + 4 * SECOND_NS));
    close_bench(b);
}

/* ---- no room ----------------------------------------------------------------------- */

static atomic_uint tries;

/* Of two threads one has a connection. */
static struct vg_reply run_crowded(void *data, struct vg_virt_conn *conn,
                                   struct vg_request *rq)
{
    struct bench *b = data;
    static struct vg_virt_conn *has;
    bool first = atomic_fetch_add(&tries, 1) == 0;
    if (first)
        has = conn;
    if (conn == has)
        return run(data, conn, rq);
    VG_LOCK(&b->lock);
    vg_error_set(&rq->error, VG_E_OVERLOADED, "no room");
    struct vg_reply reply = vg_fail(rq);
    reply.crowded = reply.unasked = true;
    return reply;
}

static void test_crowded(void **state)
{
    (void)state;
    struct bench *b = open_bench(2, 10);
    b->queue.run = run_crowded;
    struct asked *one = ask(b, &change_route, "/domains/a/start");
    wait_for(b, &b->begun, 1);
    struct asked *two = ask(b, &change_route, "/domains/b/start");
    struct asked *three = ask(b, &change_route, "/domains/c/start");
    while (atomic_load(&tries) < 2)
        pause_a_little();
    pause_a_little();
    /* given back, first in the line, as if it had not been begun; nobody else is started
     */
    assert_int_equal(two->answers + three->answers, 0);
    assert_false(two->rq->begun);
    expect_count(b, 1, 2);
    assert_int_equal(b->queue.threads, 1);
    ask(b, &change_route, "/domains/d/start");
    assert_int_equal(b->queue.threads, 1);
    permit(b, 4);
    wait_answer(one, 200, "{\"run\":1}");
    wait_answer(two, 200, "{\"run\":2}");
    wait_answer(three, 200, "{\"run\":3}");
    assert_true(two->rq->begun);
    wait_for(b, &b->ended, 4);
    assert_string_equal(b->order, "/domains/a/start /domains/b/start /domains/c/start "
                                  "/domains/d/start ");
    close_bench(b);
}

/* Where changes hold every connection, a read has one tried for it again and again. */
static void test_crowded_read(void **state)
{
    (void)state;
    struct bench *b = open_bench(1, 10);
    vg_queue_split(&b->queue, 2, 2, 2);
    b->queue.run = run_crowded;
    atomic_store(&tries, 0);
    ask(b, &change_route, "/domains/a/start");
    wait_for(b, &b->begun, 1);
    struct asked *read = ask(b, &shared_route, "/domains/b");
    while (atomic_load(&tries) < 2 || vg_queue_load(&b->queue).threads > 1)
        pause_a_little();
    vg_queue_expire(&b->queue, vg_now_ns());
    assert_int_equal(vg_queue_load(&b->queue).threads, 1); /* not now */
    expect_count(b, 1, 1);
    b->queue.few_until_ns = 0;
    b->queue.run = run;
    vg_queue_expire(&b->queue, vg_now_ns());
    wait_for(b, &b->begun, 2);
    assert_int_equal(read->answers, 0);
    permit(b, 2);
    wait_answer(read, 200, "run");
    close_bench(b);
}

static struct vg_reply run_without(void *data, struct vg_virt_conn *conn,
                                   struct vg_request *rq)
{
    (void)data;
    (void)conn;
    vg_error_set(&rq->error, VG_E_OVERLOADED, "no room");
    struct vg_reply reply = vg_fail(rq);
    reply.crowded = true;
    return reply;
}

/* Where no thread has one, the last says so. */
static void test_crowded_alone(void **state)
{
    (void)state;
    struct bench *b = open_bench(3, 40);
    struct asked *a[6];
    b->queue.run = run_without;
    for (int i = 0; i < 6; i++)
        a[i] = ask(b, &change_route, "/domains/a/start");
    for (int i = 0; i < 6; i++)
        wait_answer(a[i], 503, "no room");
    close_bench(b);
}

/* ---- agents ------------------------------------------------------------------------ */

static void test_one_for_each(void **state)
{
    (void)state;
    struct bench *b = open_bench(4, 10);
    b->queue.per_object = 1;
    ask(b, &change_route, "/domains/a/start");
    wait_for(b, &b->begun, 1);
    ask(b, &change_route, "/domains/a/start");
    ask(b, &change_route, "/domains/b/start");
    wait_for(b, &b->begun, 2);
    pause_a_little();
    expect_count(b, 2, 1);
    close_bench(b);
}

static void test_asks_agent(void **state)
{
    (void)state;
    const enum vg_runs_on never = VG_ON_GENERAL, always = VG_ON_AGENT,
                          maybe = VG_ON_AGENT_IF_NAMED, unless = VG_ON_AGENT_BY_DEFAULT;
    static const char guest_agent[] = "{\"flags\":[\"acpi-power-btn\",\"guest-agent\"]}";
    const struct {
        enum vg_runs_on runs_on;
        const char *query, *body;
        bool asks;
    } rows[] = {
        {never, "", NULL, false},
        {never, "?flags=agent", NULL, false},
        {always, "", NULL, true},
        {always, "?flags=sync", NULL, true},
        {maybe, "", NULL, false},
        {maybe, "?flags=guest", NULL, true},
        {maybe, "?flags=live,guest", NULL, true},
        {maybe, "?flags=guests", NULL, false},
        {maybe, "?source=agent", NULL, true},
        {maybe, "?source=conn", NULL, false},
        {maybe, "?guest=true", NULL, true},
        {maybe, "?guest=false", NULL, false},
        {maybe, "", "{\"guest\":true}", true},
        {maybe, "", "{\"guest\":false,\"flags\":[\"live\"]}", false},
        {maybe, "", "{\"flags\":[\"guest\"]}", true},
        {maybe, "", "{\"flags\":3}", false},
        {maybe, "", "[\"guest\"]", false},
        {unless, "", NULL, true},
        {unless, "", "{}", true},
        {unless, "?flags=acpi-power-btn", NULL, false},
        {unless, "?flags=", NULL, true},
        {unless, "", "{\"flags\":[]}", true},
        {unless, "?flags=acpi-power-btn,guest-agent", NULL, true},
        {unless, "", "{\"flags\":[\"signal\"]}", false},
        {unless, "", guest_agent, true},
        {unless, "?source=conn", NULL, false},
        {unless, "?source=agent", NULL, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct vg_route route = {VG_POST, "/domains/{domain}/shutdown", "shutdown",
                                       NULL, .runs_on = rows[i].runs_on};
        char target[128];
        struct vg_request *rq = vg_request_new();
        snprintf(target, sizeof(target), "/domains/a/shutdown%s", rows[i].query);
        assert_int_equal(vg_request_parse_target(rq, target), 0);
        rq->route = &route;
        rq->json = rows[i].body ? json_loads(rows[i].body, 0, NULL) : NULL;
        if (vg_request_asks_agent(rq) != rows[i].asks)
            fail_msg("row %zu: %s %s", i, rows[i].query,
                     rows[i].body ? rows[i].body : "");
        vg_request_unref(rq);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paused),
        cmocka_unit_test(test_paused_again),
        cmocka_unit_test(test_stopped_while_paused),
        cmocka_unit_test(test_abandon_waiting),
        cmocka_unit_test(test_abandon_running),
        cmocka_unit_test(test_slow),
        cmocka_unit_test(test_crowded),
        cmocka_unit_test(test_crowded_read),
        cmocka_unit_test(test_crowded_alone),
        cmocka_unit_test(test_one_for_each),
        cmocka_unit_test(test_asks_agent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
