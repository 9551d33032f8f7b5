/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Operations that move bytes: what is counted and told, how they are told to end, and
 * those that go on when their request has been answered.
 */
#include "tests/unit/core/operation_fixture.h"

#include "server/core/event.h"
#include "server/core/operation_internal.h"
#include "virtgate/event.h"

static const struct vg_route post = {
    VG_POST,    "/domains/{domain}/save", "saveDomain",
    no_handler, .needs = "domain:write",  .runs_on = VG_ON_TRANSFER};

static int cancelled; /* how often cancel() was called */

static void note_cancel(void *data)
{
    assert_ptr_equal(data, &cancelled);
    cancelled++;
}

static int begin_test(void **state)
{
    cancelled = 0;
    return set_up(state);
}

/* ---- transfers --------------------------------------------------------------------- */

static struct vg_request *begin(struct client *c, uint64_t total)
{
    *c = (struct client){0};
    struct vg_request *rq = make_request(&post, "/domains/web1/save", c, NULL);
    rq->rights = vg_rights_of_role(VG_ROLE_ADMIN);
    rq->host_name = "alpha";
    snprintf(rq->principal, sizeof(rq->principal), "ann");
    assert_int_equal(vg_operation_new(rq, LATER), 0);
    assert_int_equal(vg_operation_begin_transfer(rq, total, note_cancel, &cancelled), 0);
    return rq;
}

static void end_request(struct vg_request *rq, int status)
{
    struct vg_reply reply = vg_no_content(rq);
    if (status >= 400) {
        vg_error_set(&rq->error, VG_E_CONFLICT, "as it was asked for");
        reply = vg_fail(rq);
    }
    vg_request_answer(rq, reply);
    vg_request_unref(rq);
}

/* As its caller sees it. */
static json_t *show(struct vg_operation *op)
{
    const struct vg_request like = {.rights = vg_rights_of_role(VG_ROLE_ADMIN)};
    struct vg_json w = {0};
    size_t n;
    vg_operation_write(&like, op, &w, NULL, NULL);
    vg_autofree char *text = vg_json_finish(&w, &n);
    json_t *shown = json_loads(text, 0, NULL);
    assert_non_null(shown);
    return shown;
}

static json_int_t progress_of(struct vg_operation *op, const char *member)
{
    json_auto_t *shown = show(op);
    return json_integer_value(
        json_object_get(json_object_get(shown, "progress"), member));
}

static void expect(struct vg_operation *op, const char *state, int status)
{
    json_auto_t *shown = show(op);
    assert_string_equal(json_string_value(json_object_get(shown, "state")), state);
    assert_int_equal(json_integer_value(json_object_get(shown, "status")), status);
}

/* How many events of that name there are after the revision. */
static size_t count_told(uint64_t after, const char *name)
{
    const struct vg_event_filter filter = {.events = name};
    struct vg_subscriber *subscriber = vg_subscriber_new(&filter, after, true);
    struct vg_event *event = NULL;
    size_t n = 0;

    assert_non_null(subscriber);
    while (vg_subscriber_next(subscriber, &event) == VG_SUBSCRIBER_EVENT) {
        vg_event_unref(event);
        n++;
    }
    vg_subscriber_free(subscriber);
    return n;
}

static size_t count_sessions(const char *principal)
{
    struct vg_request rq = {.rights = vg_rights_of_role(VG_ROLE_ADMIN)};
    const struct vg_session_filter filter = {
        .kinds = VG_SESSION_TRANSFER, .domain = "web1", .principal = principal};
    struct vg_json w = {0};
    size_t n;
    vg_json_begin_object(&w, NULL);
    vg_sessions_list(&rq, &w, &filter);
    vg_json_end_object(&w);
    vg_autofree char *text = vg_json_finish(&w, &n);
    json_auto_t *whole = json_loads(text, 0, NULL);
    const json_t *list = json_object_get(whole, "sessions");
    for (size_t i = 0; i < json_array_size(list); i++)
        assert_non_null(
            json_string_value(json_object_get(json_array_get(list, i), "operation")));
    return json_array_size(list);
}

/* ---- bytes ------------------------------------------------------------------------- */

static void test_begins(void **state)
{
    struct client c;
    (void)state;
    const uint64_t head = vg_event_head();
    struct vg_request *rq = begin(&c, 1000);
    struct vg_operation *op = rq->operation;
    expect(op, "running", 0);
    assert_int_equal(count_told(head, "begun"), 1);
    assert_int_equal(progress_of(op, "totalBytes"), 1000);
    assert_int_equal(progress_of(op, "bytes"), 0);
    assert_int_equal(progress_of(op, "bytesPerSecond"), 0);
    vg_operation_set_total(op, 2000);
    assert_int_equal(progress_of(op, "totalBytes"), 2000);
    assert_int_equal(count_sessions("ann"), 1);
    assert_int_equal(count_sessions("bob"), 0);
    vg_operation_end_transfer(op, VG_OPERATION_SUCCEEDED);
    assert_int_equal(count_sessions("ann"), 0);
    end_request(rq, 204);
}

/* The rate is of a second at least, and so are events. */
static void test_counts(void **state)
{
    struct client c;
    (void)state;
    struct vg_request *rq = begin(&c, 1000);
    struct vg_operation *op = rq->operation;
    struct transfer_state *t = &op->transfer;
    const uint64_t head = vg_event_head();
    assert_true(t->begun_ns > 0);
    assert_int_equal(t->last.at_ns, t->begun_ns);
    assert_int_equal(t->before.at_ns, t->begun_ns);
    const int64_t begun = t->begun_ns + 1000 * VG_SECOND_NS;
    t->last.at_ns = begun; /* in the future: it never is a second ago */
    vg_operation_count(op, 100);
    vg_operation_count(op, 50);
    assert_int_equal(progress_of(op, "bytes"), 150);
    assert_int_equal(t->last.at_ns, begun);
    assert_int_equal(t->last.bytes, 0);
    assert_int_equal(count_told(head, "progress"), 0);

    const int64_t now = vg_now_ns(), ago = now - 5 * VG_SECOND_NS;
    t->last.at_ns = ago;
    t->last.bytes = 30;
    vg_operation_count(op, 50);
    assert_int_equal(count_told(head, "progress"), 1);
    assert_int_equal(t->before.at_ns, ago);
    assert_int_equal(t->before.bytes, 30);
    assert_true(t->last.at_ns > ago + 4 * VG_SECOND_NS);
    assert_int_equal(t->last.bytes, 200);
    vg_operation_end_transfer(op, VG_OPERATION_SUCCEEDED);
    end_request(rq, 204);
}

/* Of one that has ended nothing is told any more. */
static void test_counts_late(void **state)
{
    struct client c;
    (void)state;
    struct vg_request *rq = begin(&c, 1000);
    struct vg_operation *op = vg_operation_ref(rq->operation);
    end_request(rq, 204);
    const uint64_t head = vg_event_head();
    op->transfer.last.at_ns = vg_now_ns() - 5 * VG_SECOND_NS;
    vg_operation_count(op, 100);
    assert_int_equal(count_told(head, "progress"), 0);
    assert_int_equal(progress_of(op, "bytes"), 100);
    vg_operation_end_transfer(op, VG_OPERATION_SUCCEEDED);
    vg_operation_unref(op);
}

/* ---- the end ----------------------------------------------------------------------- */

static void test_answer_ends(void **state)
{
    struct client c;
    (void)state;
    struct vg_request *rq = begin(&c, 1000);
    struct vg_operation *op = vg_operation_ref(rq->operation);
    const uint64_t head = vg_event_head();
    vg_operation_end_transfer(op, VG_OPERATION_FAILED); /* its answer says how it ended */
    expect(op, "running", 0);
    assert_int_equal(count_told(head, "ended"), 0);
    end_request(rq, 204);
    expect(op, "succeeded", 204);
    assert_int_equal(count_told(head, "ended"), 1);
    vg_operation_unref(op);
}

static void test_outlives(void **state)
{
    static const struct {
        enum vg_operation_state state;
        bool cancel;
        const char *shown;
        int status;
    } rows[] = {
        {VG_OPERATION_SUCCEEDED, false, "succeeded", 200},
        {VG_OPERATION_SUCCEEDED, true, "succeeded", 200}, /* it was too late */
        {VG_OPERATION_FAILED, false, "failed", 502},
        {VG_OPERATION_FAILED, true, "cancelled", 502},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct client c, watcher = {0};
        struct vg_request *rq = begin(&c, 1000);
        struct vg_operation *op = vg_operation_ref(rq->operation);
        const uint64_t head = vg_event_head();
        vg_operation_outlive(op);
        end_request(rq, 200);
        assert_int_equal(c.answers, 1);
        expect(op, "running", 0);
        assert_int_equal(count_sessions("ann"), 1);
        if (rows[i].cancel)
            assert_true(vg_operation_cancel_transfer(op));
        char path[80];
        snprintf(path, sizeof(path), "/operations/%s?wait=20", vg_operation_id(op));
        struct vg_request *ask = make_request(&show_route, path, &watcher, NULL);
        vg_operation_attach(ask);
        assert_true(vg_operation_await(ask));
        assert_int_equal(watcher.answers, 0);
        vg_operation_end_transfer(op, rows[i].state);
        assert_int_equal(watcher.answers, 1); /* who waits is told */
        expect(op, rows[i].shown, rows[i].status);
        assert_int_equal(count_told(head, "ended"), 1);
        assert_int_equal(count_sessions("ann"), 0);
        vg_operation_end_transfer(op, VG_OPERATION_FAILED); /* once */
        expect(op, rows[i].shown, rows[i].status);
        assert_int_equal(count_told(head, "ended"), 1);
        vg_operation_unref(op);
    }
}

/* The transfer may be over before its client is answered, who then is answered so. */
static void test_over_before_the_answer(void **state)
{
    struct client c;
    (void)state;
    struct vg_request *rq = begin(&c, 1000);
    struct vg_operation *op = vg_operation_ref(rq->operation);
    vg_operation_outlive(op);
    vg_operation_end_transfer(op, VG_OPERATION_SUCCEEDED);
    expect(op, "succeeded", 200);
    assert_int_equal(c.answers, 0);
    end_request(rq, 200);
    assert_int_equal(c.answers, 1);
    expect(op, "succeeded", 200);
    vg_operation_unref(op);
}

/* A failure is the end of one that would have outlived its answer. */
static void test_fails(void **state)
{
    struct client c;
    (void)state;
    struct vg_request *rq = begin(&c, 1000);
    struct vg_operation *op = vg_operation_ref(rq->operation);
    vg_operation_outlive(op);
    end_request(rq, 409);
    expect(op, "failed", 409);
    vg_operation_end_transfer(op, VG_OPERATION_SUCCEEDED);
    expect(op, "failed", 409);
    vg_operation_unref(op);
}

/* ---- cancelling -------------------------------------------------------------------- */

static void test_cancel(void **state)
{
    struct client c;
    (void)state;
    struct vg_request *rq = begin(&c, 1000);
    struct vg_operation *op = vg_operation_ref(rq->operation);
    assert_true(vg_operation_cancel_transfer(op));
    assert_int_equal(cancelled, 1);
    json_auto_t *shown = show(op);
    assert_true(json_is_true(json_object_get(shown, "cancelRequested")));
    vg_operation_end_transfer(op, VG_OPERATION_FAILED);
    assert_false(vg_operation_cancel_transfer(op)); /* there is nothing to be told */
    end_request(rq, 409);
    expect(op, "cancelled", 409);
    assert_false(vg_operation_cancel_transfer(op));
    assert_int_equal(cancelled, 1);
    vg_operation_unref(op);
}

static void test_cancel_after_the_answer(void **state)
{
    struct client c;
    (void)state;
    struct vg_request *rq = begin(&c, 1000);
    struct vg_operation *op = vg_operation_ref(rq->operation);
    end_request(rq, 204); /* its transfer is not over, but nobody asks about it */
    assert_false(vg_operation_cancel_transfer(op));
    assert_int_equal(cancelled, 0);
    vg_operation_end_transfer(op, VG_OPERATION_SUCCEEDED);
    vg_operation_unref(op);
}

static void test_none(void **state)
{
    struct client c = {0};
    (void)state;
    struct vg_request *rq = make_request(&post, "/domains/web1/save", &c, NULL);
    assert_int_equal(vg_operation_new(rq, LATER), 0);
    assert_false(vg_operation_cancel_transfer(rq->operation)); /* nothing moves yet */
    assert_true(vg_operation_request_cancel(rq->operation));
    assert_int_equal(vg_operation_begin_transfer(rq, 1, note_cancel, &cancelled), -1);
    vg_operation_end_transfer(rq->operation, VG_OPERATION_FAILED);
    end_request(rq, 409);
    assert_int_equal(cancelled, 0);
}

/* Its session is ended as it is cancelled. */
static void test_session(void **state)
{
    struct client c;
    (void)state;
    struct vg_request *rq = begin(&c, 1000);
    struct vg_session *s = &rq->operation->transfer.session;
    assert_int_equal(s->kind, VG_SESSION_TRANSFER);
    assert_string_equal(s->domain, "web1");
    assert_string_equal(s->operation, vg_operation_id(rq->operation));
    s->end(s->data, "root");
    assert_int_equal(cancelled, 1);
    vg_operation_end_transfer(rq->operation, VG_OPERATION_FAILED);
    end_request(rq, 409);
    assert_int_equal(count_states(VG_OPERATION_CANCELLED), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_test, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_begins),      TEST(test_counts),   TEST(test_counts_late),
        TEST(test_answer_ends), TEST(test_outlives), TEST(test_over_before_the_answer),
        TEST(test_fails),       TEST(test_cancel),   TEST(test_cancel_after_the_answer),
        TEST(test_none),        TEST(test_session),
    };
    if (vg_events_start(100) < 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    vg_events_stop();
    return failed;
}
