/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Queues: which reads share a call, and which wait to.
 */
#include "server/libvirt/conn.h"
#include "tests/unit/core/queue_fixture.h"

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
    a->rq->rights = vg_rights_of_role(VG_ROLE_ADMIN);
    submit(a);
    a = prepare(b, &list_route, "/domains", 1000);
    a->rq->accept = VG_ACCEPT_XML;
    submit(a);
    a = prepare(b, &list_route, "/domains", 1000);
    a->rq->number_strings = true;
    submit(a);
    a = prepare(b, &shared_route, "/domains", 1000);
    a->rq->route = &(const struct vg_route){
        VG_GET, "/domains", "list2", NULL, .needs = "domain:read", .shared = true};
    submit(a);
    /* what the target does not show: arguments in a body, a condition */
    a = prepare(b, &list_route, "/domains", 1000);
    a->rq->body_kind = VG_BODY_JSON;
    submit(a);
    a = prepare(b, &list_route, "/domains", 1000);
    a->rq->if_match = strdup("*");
    submit(a);
    expect_count(b, 1, 8);
    /* changes are never coalesced */
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

/* ---- of the latest ----------------------------------------------------------------- */

static int64_t cut_at_ns, call_until_ns;

static struct vg_reply run_looking(void *data, struct vg_virt_conn *conn,
                                   struct vg_request *rq)
{
    cut_at_ns = atomic_load(&conn->cut_at_ns);
    call_until_ns = rq->call_until_ns;
    return run(data, conn, rq);
}

/* A call has as long as the most patient of those who share it. */
static void test_latest(void **state)
{
    (void)state;
    for (int last_is_longest = 0; last_is_longest < 2; last_is_longest++) {
        struct bench *b = open_bench(1, 10);
        ask(b, &list_route, "/domains");
        wait_for(b, &b->begun, 1);
        b->queue.run = run_looking;
        struct asked *a[] = {
            prepare(b, &shared_route, "/domains/a", last_is_longest ? 5 : 1000),
            prepare(b, &shared_route, "/domains/a", last_is_longest ? 1000 : 5)};
        submit(a[0]);
        submit(a[1]);
        permit(b, 2);
        wait_answer(a[0], 200, "{\"run\":2}");
        wait_answer(a[1], 200, "{\"run\":2}");
        int64_t latest = a[last_is_longest]->rq->deadline_ns;
        assert_true(cut_at_ns == latest && call_until_ns == latest);
        close_bench(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_reads_join),
        cmocka_unit_test(test_begun_is_not_joined),
        cmocka_unit_test(test_unequal_reads_do_not_join),
        cmocka_unit_test(test_fresh_reads),
        cmocka_unit_test(test_joined_failure),
        cmocka_unit_test(test_latest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
