/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The registry of operations without a host: when a client is answered 202, what is kept
 * and for how many, waiting, cancelling, and all of it from many threads. And Prefer.
 */
#include "tests/unit/core/operation_fixture.h"

#include <pthread.h>

#include "server/core/router.h"

static const struct vg_route table[] = {
    {VG_POST, "/domains/{domain}/save", "saveDomain", no_handler,
     .needs = "gateway:document", .runs_on = VG_ON_LONG},
    {VG_GET, "/domains", "listDomains", no_handler, .needs = "domain:read"},
    {0},
};
static const struct vg_route *const tables[] = {table, NULL};
#define save_route table[0]

/* A request that has become an operation. */
static struct vg_request *begin(struct client *client, const char *prefer)
{
    *client = (struct client){0};
    struct vg_request *rq =
        make_request(&save_route, "/domains/web1/save", client, prefer);
    assert_int_equal(vg_operation_new(rq, LATER), 0);
    return rq;
}

static void note_begun(struct vg_request *rq)
{
    assert_int_equal(
        vg_operation_note_begun(rq, "web1", "00000000-0000-4000-8000-000000000001", 2),
        0);
}

static void end(struct vg_request *rq, int status)
{
    struct vg_reply reply = vg_no_content(rq);
    if (status >= 400) {
        vg_error_set(&rq->error, VG_E_CONFLICT, "as it was asked for");
        rq->error.outcome = status == 503 ? VG_OUTCOME_UNKNOWN : VG_OUTCOME_NONE;
        reply = vg_fail(rq);
    }
    vg_request_answer(rq, reply);
    vg_request_unref(rq);
}

/* ---- when the client is answered --------------------------------------------------- */

static void test_waits_for_the_end(void **state)
{
    struct client c;
    (void)state;
    struct vg_request *rq = begin(&c, NULL);
    note_begun(rq);
    vg_operations_tick(vg_now_ns());
    assert_int_equal(c.answers, 0);
    end(rq, 204);
    assert_int_equal(c.answers, 1);
    assert_int_equal(c.status, 204);
    assert_int_equal(count_states(VG_OPERATION_SUCCEEDED), 1);
}

static void test_async(void **state)
{
    struct client c;
    (void)state;
    struct vg_request *rq = begin(&c, "respond-async");
    vg_operations_tick(vg_now_ns());
    assert_int_equal(c.answers, 0); /* its arguments are not checked yet */
    note_begun(rq);
    assert_int_equal(c.answers, 1);
    assert_int_equal(c.status, 202);
    assert_non_null(strstr(c.body, "\"state\":\"running\""));
    assert_int_equal(strncmp(c.location, "/operations/", 12), 0);
    end(rq, 204);
    assert_int_equal(c.answers, 1);
    struct client asked;
    ask(c.location, &asked);
    assert_non_null(strstr(asked.body, "\"state\":\"succeeded\""));
    assert_non_null(strstr(asked.body, "\"status\":204"));
}

static void test_async_while_pending(void **state)
{
    struct client c;
    (void)state;
    struct vg_request *rq = begin(&c, "respond-async");
    vg_operations_tick(vg_now_ns() + 2 * VG_OPERATION_CHECK_NS);
    assert_int_equal(c.status, 202);
    assert_non_null(strstr(c.body, "\"state\":\"pending\""));
    end(rq, 409);
    assert_int_equal(c.answers, 1);
    assert_int_equal(count_states(VG_OPERATION_FAILED), 1);
}

static void test_wait(void **state)
{
    struct client c;
    (void)state;
    struct vg_request *rq = begin(&c, "respond-async, wait=20");
    note_begun(rq);
    vg_operations_tick(vg_now_ns() + 19 * VG_SECOND_NS);
    assert_int_equal(c.answers, 0);
    vg_operations_tick(vg_now_ns() + 21 * VG_SECOND_NS);
    assert_int_equal(c.status, 202);
    end(rq, 204);
    assert_int_equal(c.answers, 1);
}

static void test_refused_is_no_operation(void **state)
{
    struct client c;
    (void)state;
    struct vg_request *rq = begin(&c, "respond-async");
    end(rq, 409);
    assert_int_equal(c.status, 409);
    assert_int_equal(count_all(), 0);
}

static void test_unknown_outcome(void **state)
{
    struct client c;
    (void)state;
    struct vg_request *rq = begin(&c, NULL);
    note_begun(rq);
    end(rq, 503);
    assert_int_equal(count_states(VG_OPERATION_UNKNOWN), 1);
    /* that it was to be cancelled does not make it known */
    rq = begin(&c, NULL);
    note_begun(rq);
    assert_true(vg_operation_request_cancel(rq->operation));
    end(rq, 503);
    assert_int_equal(count_states(VG_OPERATION_UNKNOWN), 2);
    assert_int_equal(count_states(VG_OPERATION_CANCELLED), 0);
}

/* ---- waiting for an operation ------------------------------------------------------ */

static void test_watchers(void **state)
{
    struct client c, at_end, at_time;
    char path[128];
    (void)state;
    struct vg_request *rq = begin(&c, "respond-async");
    note_begun(rq);
    snprintf(path, sizeof(path), "%s?wait=300", c.location);
    ask(path, &at_end);
    snprintf(path, sizeof(path), "%s?wait=5", c.location);
    ask(path, &at_time);
    assert_int_equal(at_end.answers + at_time.answers, 0);
    vg_operations_tick(vg_now_ns() + 6 * VG_SECOND_NS);
    assert_int_equal(at_end.answers, 0);
    assert_int_equal(at_time.status, 200);
    assert_non_null(strstr(at_time.body, "\"state\":\"running\""));
    end(rq, 204);
    assert_int_equal(at_end.answers, 1);
    assert_non_null(strstr(at_end.body, "\"state\":\"succeeded\""));
}

/* The client may go before its read waits, or while it does. */
static void test_abandoned(void **state)
{
    struct client c, watcher = {0};
    char path[128];
    (void)state;
    struct vg_request *rq = begin(&c, "respond-async");
    note_begun(rq);
    snprintf(path, sizeof(path), "%s?wait=300", c.location);

    struct vg_request *read = make_request(&show_route, path, &watcher, NULL);
    vg_operation_give_up(read);
    vg_operation_attach(read);
    vg_operation_give_up(read);
    assert_false(vg_operation_await(read));
    vg_request_unref(read);

    read = make_request(&show_route, path, &watcher, NULL);
    vg_operation_attach(read);
    assert_true(vg_operation_await(read));
    assert_int_equal(watcher.answers, 0);
    vg_operation_give_up(read);
    vg_operations_tick(vg_now_ns());
    assert_int_equal(watcher.answers, 1);
    end(rq, 204);
}

static void test_drain(void **state)
{
    struct client c, watcher;
    char path[128];
    (void)state;
    struct vg_request *rq = begin(&c, "respond-async");
    note_begun(rq);
    snprintf(path, sizeof(path), "%s?wait=300", c.location);
    ask(path, &watcher);
    assert_int_equal(vg_operations_drain(), 1);
    assert_int_equal(watcher.status, 200);
    ask(path, &watcher); /* there is no waiting any more */
    assert_int_equal(watcher.status, 200);
    end(rq, 204);
    assert_int_equal(vg_operations_drain(), 0);
}

/* ---- what is kept ------------------------------------------------------------------ */

static void test_kept(void **state)
{
    struct client c;
    char first[64];
    (void)state;
    struct vg_request *failed = begin(&c, "respond-async");
    note_begun(failed);
    end(failed, 409);
    struct vg_request *running = begin(&c, "respond-async");
    note_begun(running);
    struct vg_request *rq = begin(&c, "respond-async");
    note_begun(rq);
    memcpy(first, c.location, sizeof(first));
    end(rq, 204);
    for (int i = 0; i < VG_OPERATIONS_KEPT + 10; i++) {
        rq = begin(&c, NULL);
        note_begun(rq);
        end(rq, 204);
    }
    /* the oldest that succeeded went first; what is at work or failed is there */
    assert_int_equal(count_all(), VG_OPERATIONS_KEPT + 1);
    assert_int_equal(count_states(VG_OPERATION_FAILED), 1);
    assert_int_equal(count_states(VG_OPERATION_RUNNING), 1);
    ask(first, &c);
    assert_int_equal(c.status, 410);
    end(running, 204);
    ask("/operations/nosuch", &c);
    assert_int_equal(c.status, 404);
    ask("/operations/17000000000-1", &c);
    assert_int_equal(c.status, 410);
    assert_non_null(strstr(c.body, "earlier run"));
}

/* However many failed, what has just succeeded is there; and the other way round. */
static void test_kept_of_each(void **state)
{
    struct client c;
    char path[sizeof(c.location)];
    (void)state;
    for (int i = 0; i < VG_OPERATIONS_KEPT + 10; i++) {
        struct vg_request *rq = begin(&c, "respond-async");
        note_begun(rq);
        end(rq, 409);
    }
    assert_int_equal(count_states(VG_OPERATION_FAILED), VG_OPERATIONS_KEPT);
    for (int i = 0; i < VG_OPERATIONS_KEPT; i++) {
        struct vg_request *rq = begin(&c, "respond-async");
        note_begun(rq);
        end(rq, 204);
        memcpy(path, c.location, sizeof(path));
        ask(path, &c);
        assert_int_equal(c.status, 200);
    }
    assert_int_equal(count_states(VG_OPERATION_FAILED), VG_OPERATIONS_KEPT / 2);
    assert_int_equal(count_states(VG_OPERATION_SUCCEEDED), VG_OPERATIONS_KEPT / 2);
}

static void test_pages(void **state)
{
    struct client c;
    char *next = NULL;
    (void)state;
    for (int i = 0; i < 5; i++) {
        struct vg_request *rq = begin(&c, NULL);
        note_begun(rq);
        end(rq, 204);
    }
    struct vg_operation_filter filter = {.limit = 2};
    size_t seen = 0;
    for (int pages = 0; pages < 3; pages++) {
        vg_autofree char *after = next;
        next = NULL;
        filter.after = after;
        seen += count_listed(filter, &next);
    }
    assert_null(next);
    assert_int_equal(seen, 5);
    assert_int_equal(count_listed((struct vg_operation_filter){.domain = "web1"}, &next),
                     5);
    assert_int_equal(count_listed((struct vg_operation_filter){.domain = "web2"}, &next),
                     0);
    assert_int_equal(
        count_listed((struct vg_operation_filter){.kind = "saveDomain"}, &next), 5);
    assert_int_equal(count_listed((struct vg_operation_filter){.kind = "save"}, &next),
                     SIZE_MAX);
    assert_int_equal(
        count_listed((struct vg_operation_filter){.kind = "listDomains"}, &next),
        SIZE_MAX);
    assert_int_equal(count_listed((struct vg_operation_filter){.host = "nosuch"}, &next),
                     SIZE_MAX);
}

/* ---- cancelling -------------------------------------------------------------------- */

static void test_cancel(void **state)
{
    struct client c;
    (void)state;
    struct vg_request *rq = begin(&c, NULL);
    assert_true(vg_operation_cancel_pending(rq->operation));
    assert_int_equal(vg_operation_note_begun(rq, NULL, NULL, -1), -1);
    vg_operations_tick(LATER + VG_SECOND_NS); /* somebody knows of it */
    end(rq, 409);
    assert_int_equal(count_states(VG_OPERATION_CANCELLED), 1);

    rq = begin(&c, NULL);
    note_begun(rq);
    assert_false(vg_operation_cancel_pending(rq->operation));
    assert_true(vg_operation_request_cancel(rq->operation));
    struct vg_operation *op = vg_operation_ref(rq->operation);
    end(rq, 204); /* it was done before the abort came */
    assert_false(vg_operation_request_cancel(op));
    vg_operation_unref(op);
    assert_int_equal(count_states(VG_OPERATION_CANCELLED), 1);
    assert_int_equal(count_states(VG_OPERATION_SUCCEEDED), 1);

    rq = begin(&c, NULL); /* it failed by itself before the abort came */
    note_begun(rq);
    assert_true(vg_operation_request_cancel(rq->operation));
    end(rq, 409);
    assert_int_equal(count_states(VG_OPERATION_CANCELLED), 1);
    assert_int_equal(count_states(VG_OPERATION_FAILED), 1);
}

/* Two of the same job on one domain: only the older one's job can be seen. */
static void test_first(void **state)
{
    struct client c;
    struct vg_operation_job job;
    (void)state;
    struct vg_request *older = begin(&c, NULL), *newer = begin(&c, NULL);
    note_begun(older);
    note_begun(newer);
    vg_operation_get_job(older->operation, &job);
    assert_true(job.first);
    assert_true(vg_operation_has_job(older->operation));
    vg_operation_get_job(newer->operation, &job);
    assert_false(job.first);
    assert_int_equal(vg_permissions_role(&job.needs), VG_ROLE_ADMIN);
    end(older, 204);
    vg_operation_get_job(newer->operation, &job);
    assert_true(job.first);
    end(newer, 204);
}

/* ---- threads ----------------------------------------------------------------------- */

#define RACES 300

static void *race_end(void *data)
{
    struct vg_request *rq = data;
    if (vg_operation_note_begun(rq, "web1", NULL, -1) == 0)
        end(rq, 204);
    else
        end(rq, 409);
    return NULL;
}

static void *race_watch(void *data)
{
    (void)data;
    vg_operations_tick(LATER + VG_SECOND_NS);
    return NULL;
}

static void *race_cancel(void *data)
{
    struct vg_operation *op = data;
    struct client c;
    char path[64];
    struct vg_json w = {0};
    const struct vg_request anybody = {0};
    if (!vg_operation_cancel_pending(op))
        vg_operation_request_cancel(op);
    vg_operation_write(&anybody, op, &w, NULL, NULL);
    vg_json_free(&w);
    snprintf(path, sizeof(path), "/operations/1-1?wait=0");
    ask(path, &c);
    return NULL;
}

/* Whoever comes first, the client is answered once and the operation ends once. */
static void test_races(void **state)
{
    (void)state;
    for (int i = 0; i < RACES; i++) {
        static void *(*const run[])(void *) = {race_end, race_watch, race_cancel};
        struct client c;
        struct vg_request *rq = begin(&c, i % 2 ? "respond-async" : NULL);
        race(run, rq, &c);
    }
    assert_int_equal(count_states(VG_OPERATION_RUNNING), 0);
    assert_int_equal(count_states(VG_OPERATION_PENDING), 0);
}

/* ---- Prefer ------------------------------------------------------------------------ */

static void test_prefer(void **state)
{
    static const struct {
        const char *value;
        bool async, waits;
        unsigned int seconds;
    } rows[] = {
        {"respond-async", true, false, 0},
        {"Respond-Async", true, false, 0},
        {"wait=10", false, true, 10},
        {"wait=\"10\"", false, true, 10},
        {"wait = 10 ; x", false, true, 10},
        {"respond-async, wait=0", true, true, 0},
        {" handling=lenient,,respond-async;foo=\"bar\"", true, false, 0},
        {"wait=1, wait=2", false, true, 1},
        {"wait", false, false, 0},
        {"wait=", false, false, 0},
        {"wait=-1", false, false, 0},
        {"wait=1x", false, false, 0},
        {"wait=99999999999999999999", false, false, 0},
        {"waiting=5, async, respond-asynchronously", false, false, 0},
        {"", false, false, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct vg_prefer p = {0};
        vg_prefer_read(&p, rows[i].value);
        if (p.respond_async != rows[i].async || p.waits != rows[i].waits ||
            p.wait_seconds != rows[i].seconds)
            fail_msg("Prefer: %s", rows[i].value);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_waits_for_the_end),
        TEST(test_async),
        TEST(test_async_while_pending),
        TEST(test_wait),
        TEST(test_refused_is_no_operation),
        TEST(test_unknown_outcome),
        TEST(test_watchers),
        TEST(test_abandoned),
        TEST(test_drain),
        TEST(test_kept),
        TEST(test_kept_of_each),
        TEST(test_pages),
        TEST(test_cancel),
        TEST(test_first),
        TEST(test_races),
        TEST(test_prefer),
    };
    if (vg_router_build(tables) < 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    vg_router_free();
    return failed;
}
