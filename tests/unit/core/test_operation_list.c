/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The registry of operations by itself: its order, how long what is kept, who sees what,
 * and whose job is which.
 */
#include "tests/unit/core/operation_fixture.h"

#include "server/core/operation_internal.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct vg_route post = {
    VG_POST,    "/domains/{domain}/save", "saveDomain",
    no_handler, .needs = "domain:write",  .runs_on = VG_ON_LONG};

/* One in the registry, counted for the test as well. */
static struct vg_operation *add(const char *target)
{
    struct client c = {0};
    struct vg_request *rq = make_request(&post, target, &c, NULL);
    rq->host_name = "alpha";
    struct vg_operation *op = vg_operation_make(rq);
    assert_non_null(op);
    op->state = VG_OPERATION_RUNNING;
    vg_operation_add(vg_operation_ref(op));
    vg_request_unref(rq);
    return op;
}

static void close_as(struct vg_operation *op, enum vg_operation_state state)
{
    VG_LOCK(&vg_operations_lock);
    struct completion told = vg_operation_close(op, state, 200, NULL);
    assert_null(told.rq);
    assert_null(told.waiters);
}

static void drop_old(int64_t now)
{
    VG_LOCK(&vg_operations_lock);
    vg_operations_drop_old(now);
}

static bool is_there(const struct vg_operation *op)
{
    for (struct vg_operation *o = vg_operations_newest; o; o = o->older)
        if (o == op)
            return true;
    return false;
}

/* ---- the list ---------------------------------------------------------------------- */

static void expect_order(struct vg_operation *const *v, size_t n)
{
    struct vg_operation *newer = NULL, *op = vg_operations_newest;

    for (size_t i = 0; i < n; i++, newer = op, op = op->older) {
        assert_ptr_equal(op, v[i]);
        assert_ptr_equal(op->newer, newer);
    }
    assert_null(op);
}

static void take_out(struct vg_operation *op)
{
    {
        VG_LOCK(&vg_operations_lock);
        vg_operation_take_out(op);
    }
    vg_operation_unref(op); /* the registry's */
    vg_operation_unref(op);
}

static void test_order(void **state)
{
    struct vg_operation *v[5]; /* the newest first */
    (void)state;
    for (size_t i = 5; i-- > 0;)
        v[i] = add("/domains/web1/save");
    expect_order(v, 5);
    take_out(v[0]);
    expect_order(v + 1, 4);
    take_out(v[4]);
    expect_order(v + 1, 3);
    take_out(v[2]);
    struct vg_operation *const rest[] = {v[1], v[3]};
    expect_order(rest, 2);
    take_out(v[1]);
    take_out(v[3]);
    expect_order(NULL, 0);
    v[0] = add("/domains/web1/save");
    expect_order(v, 1);
    vg_operation_unref(v[0]);
}

/* No two runs and no two operations have one id. */
static void test_ids(void **state)
{
    char want[40];
    (void)state;
    uint64_t last = vg_operations_last;
    for (uint64_t i = 1; i <= 3; i++) {
        struct vg_operation *op = add("/domains/web1/save");
        assert_int_equal(op->number, last + i);
        snprintf(want, sizeof(want), "%llx-%llu", (unsigned long long)vg_operations_epoch,
                 (unsigned long long)op->number);
        assert_string_equal(vg_operation_id(op), want);
        vg_operation_unref(op);
    }
    struct timespec before, after;
    clock_gettime(CLOCK_REALTIME, &before);
    vg_operations_start(answer_watcher, &show_route);
    clock_gettime(CLOCK_REALTIME, &after);
    assert_in_range(vg_operations_epoch,
                    (uint64_t)before.tv_sec * 1000 + (uint64_t)before.tv_nsec / 1000000,
                    (uint64_t)after.tv_sec * 1000 + (uint64_t)after.tv_nsec / 1000000);
}

/* ---- how long ---------------------------------------------------------------------- */

static void test_times(void **state)
{
    const int64_t hour = 3600 * VG_SECOND_NS;
    static const struct {
        enum vg_operation_state state;
        int hours; /* that it is kept */
    } rows[] = {
        {VG_OPERATION_SUCCEEDED, 1},
        {VG_OPERATION_CANCELLED, 1},
        {VG_OPERATION_FAILED, 24},
        {VG_OPERATION_UNKNOWN, 24},
    };
    struct vg_operation *v[COUNT(rows)];
    (void)state;
    struct vg_operation *running = add("/domains/web1/save");
    for (size_t i = 0; i < COUNT(rows); i++) {
        v[i] = add("/domains/web1/save");
        close_as(v[i], rows[i].state);
    }
    for (size_t i = 0; i < COUNT(rows); i++) { /* what ended later stays longer */
        int64_t until = v[i]->ended_ns + rows[i].hours * hour;
        drop_old(until - VG_SECOND_NS);
        assert_true(is_there(v[i]));
        drop_old(until + 1);
        assert_false(is_there(v[i]));
    }
    drop_old(vg_now_ns() + 1000 * hour);
    assert_true(is_there(running));
    for (size_t i = 0; i < COUNT(rows); i++)
        vg_operation_unref(v[i]);
    vg_operation_unref(running);
}

/* What is told when an operation ends, and what is known of it then. */
static void test_close(void **state)
{
    (void)state;
    struct vg_operation *op = add("/domains/web1/save");
    struct client c = {0};
    struct waiter waiter = {0};
    op->rq = make_request(&post, "/domains/web1/save", &c, NULL);
    op->waiters = &waiter;
    op->host_job.is = true;
    atomic_store(&vg_operation_jobs, 3);
    struct vg_request *rq = op->rq;
    struct vg_reply reply = vg_ok_bytes(rq, "text/plain", strdup("x"), 1);
    {
        VG_LOCK(&vg_operations_lock);
        struct completion told =
            vg_operation_close(op, VG_OPERATION_FAILED, 502, reply.body);
        assert_ptr_equal(told.rq, rq);
        assert_ptr_equal(told.waiters, &waiter);
    }
    assert_null(op->rq);
    assert_null(op->waiters);
    assert_int_equal(op->state, VG_OPERATION_FAILED);
    assert_int_equal(op->status, 502);
    assert_true(op->ended_ns > 0);
    assert_true(op->ended.tv_sec > 0);
    assert_ptr_equal(op->result, reply.body);
    assert_int_equal(vg_operation_jobs, 2);
    vg_reply_clear(&reply);
    assert_int_equal(op->result->length, 1); /* its own reference */
    vg_request_unref(rq);
    vg_operation_unref(op);
    op = add("/domains/web1/save");
    close_as(op, VG_OPERATION_SUCCEEDED);
    assert_int_equal(vg_operation_jobs, 2); /* that was no job */
    vg_operation_unref(op);
}

static void test_clear(void **state)
{
    (void)state;
    struct vg_operation *op = add("/domains/web1/save");
    atomic_store(&vg_operation_jobs, 3);
    vg_operations_draining = true;
    vg_operations_clear();
    assert_null(vg_operations_newest);
    assert_int_equal(vg_operation_jobs, 0);
    assert_false(vg_operations_draining);
    vg_operation_unref(op);
    vg_operation_unref(NULL);
    assert_null(vg_operation_ref(NULL));
}

/* ---- whose ------------------------------------------------------------------------- */

static void test_seen(void **state)
{
    static const struct {
        struct vg_rights_spec scope;
        const char *domain; /* as it is known by now; NULL: by the path's "web1" only */
        bool seen;
    } rows[] = {
        {{.role = VG_ROLE_VIEWER}, NULL, true},
        {{.role = VG_ROLE_VIEWER, .hosts = "alpha"}, NULL, true},
        {{.role = VG_ROLE_VIEWER, .hosts = "beta"}, NULL, false},
        {{.role = VG_ROLE_VIEWER, .domains = "web*"}, NULL, true},
        {{.role = VG_ROLE_VIEWER, .domains = "db*"}, NULL, false},
        {{.role = VG_ROLE_VIEWER, .domains = "db*"}, "db7", true},
        {{.role = VG_ROLE_VIEWER, .domains = "web*"}, "db7", false},
        {{.role = VG_ROLE_VIEWER, .hosts = "alpha", .domains = "web1"}, NULL, true},
        {{.role = VG_ROLE_VIEWER, .hosts = "beta", .domains = "web1"}, NULL, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char fault[VG_RIGHTS_FAULT_SIZE];
        struct vg_operation *op = add("/domains/web1/save");
        op->domain = rows[i].domain ? strdup(rows[i].domain) : NULL;
        const struct vg_request rq = {.rights = vg_rights_intern(&rows[i].scope, fault)};
        assert_non_null(rq.rights);
        VG_LOCK(&vg_operations_lock);
        if (vg_operation_is_seen(op, &rq) != rows[i].seen)
            fail_msg("row %zu", i);
        op->rights = rq.rights; /* its own */
        assert_true(vg_operation_is_seen(op, &rq));
        vg_operation_unref(op);
    }
}

#define UUID "00000000-0000-4000-8000-000000000001"

static void test_jobs(void **state)
{
    static const struct {
        const char *own, *uuid, *disk; /* own: the operation's disk */
        int job;
        bool is;
    } rows[] = {
        {"vda", UUID, "vda", 3, true},
        {"vda", UUID, "vdb", 3, false},
        {"vda", UUID, NULL, 3, false},
        {"vda", UUID, "vda", 4, false},
        {"vda", "00000000-0000-4000-8000-000000000002", "vda", 3, false},
        {NULL, UUID, NULL, 3, true},
        {NULL, UUID, NULL, 4, false},
        {NULL, UUID, "vda", 3, false},
        {NULL, "00000000-0000-4000-8000-000000000002", NULL, 3, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct vg_operation op = {
            .job = 3, .uuid = UUID, .host_job.disk = (char *)(uintptr_t)rows[i].own};
        if (vg_operation_is_job(&op, rows[i].uuid, rows[i].disk, rows[i].job) !=
            rows[i].is)
            fail_msg("row %zu", i);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_order), TEST(test_ids),  TEST(test_times), TEST(test_close),
        TEST(test_clear), TEST(test_seen), TEST(test_jobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
