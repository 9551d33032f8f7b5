/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Operations as JSON: every member, in one, in the list, and in events; which ids are
 * gone and which never were.
 */
#include "tests/unit/core/operation_fixture.h"

#include <inttypes.h>
#include <pthread.h>

#include "server/core/event.h"
#include "server/core/host_names.h"
#include "server/core/operation_internal.h"
#include "server/core/router.h"

#define UUID "00000000-0000-4000-8000-000000000001"

static const struct vg_route table[] = {
    {VG_POST, "/domains/{domain}/save", "saveDomain", no_handler,
     .needs = "gateway:document", .runs_on = VG_ON_LONG},
    {VG_PUT, "/content", "putContent", no_handler, .needs = "gateway:document",
     .runs_on = VG_ON_TRANSFER},
    {0},
};
static const struct vg_route *const tables[] = {table, NULL};

/* ---- what is shown ----------------------------------------------------------------- */

static struct vg_request *begin(const struct vg_route *route, struct client *client)
{
    *client = (struct client){0};
    struct vg_request *rq =
        make_request(route, "/domains/web1/save", client, "respond-async");
    rq->rights = vg_rights_of_role(VG_ROLE_ADMIN);
    snprintf(rq->principal, sizeof(rq->principal), "alice");
    snprintf(rq->id, sizeof(rq->id), "id-of-it");
    vg_request_set_host(rq, NULL, NULL);
    rq->host_name = "lab";
    assert_int_equal(vg_operation_new(rq, LATER), 0);
    return rq;
}

/* The operation as a caller is shown it. Owned by the test. */
static json_t *show(struct vg_request *rq, const struct vg_rights *rights)
{
    struct vg_request reader = {.rights = rights};
    struct vg_json w = {0};
    size_t n;

    vg_operation_write(&reader, rq->operation, &w, NULL, NULL);
    vg_autofree char *text = vg_json_finish(&w, &n);
    json_t *json = json_loads(text, 0, NULL);
    if (!json)
        fail_msg("no JSON: %s", text);
    return json;
}

/* The member at a/b/c as JSON; "" where it is not there. */
static void expect(const json_t *json, const char *path, const char *want)
{
    char key[64];
    const json_t *at = json;

    for (const char *p = path; at && *p; p += *p == '/') {
        size_t n = strcspn(p, "/");
        snprintf(key, sizeof(key), "%.*s", (int)n, p);
        at = json_is_array(at) ? json_array_get(at, (size_t)strtol(key, NULL, 10))
                               : json_object_get(at, key);
        p += n;
    }
    vg_autofree char *is =
        at ? json_dumps(at, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS) : strdup("");
    if (strcmp(is, want) != 0)
        fail_msg("%s is '%s' instead of '%s'", path, is, want);
}

static void expect_time(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));

    if (!text || strlen(text) != strlen("2026-01-01T00:00:00.000Z"))
        fail_msg("%s is %s", key, text ? text : "no text");
}

static void end(struct vg_request *rq, struct vg_reply reply)
{
    vg_request_answer(rq, reply);
    vg_request_unref(rq);
}

static void test_members(void **state)
{
    struct client c;
    char id[32];
    (void)state;
    struct vg_request *rq = begin(&table[0], &c);
    snprintf(id, sizeof(id), "\"%s\"", vg_operation_id(rq->operation));
    {
        json_auto_t *pending = show(rq, rq->rights);
        expect(pending, "id", id);
        expect(pending, "kind", "\"saveDomain\"");
        expect(pending, "state", "\"pending\"");
        expect(pending, "host", "\"lab\"");
        expect(pending, "path", "\"/domains/web1/save\"");
        expect(pending, "requestId", "\"id-of-it\"");
        expect(pending, "principal", "\"alice\"");
        expect(pending, "startedAt", "null");
        expect(pending, "endedAt", "null");
        expect(pending, "cancellable", "true");
        expect(pending, "cancelRequested", "false");
        expect(pending, "domain", "");
        expect(pending, "status", "");
        expect(pending, "result", "");
        expect(pending, "steps", "");
        expect(pending, "progress", "");
        expect(pending, "job", "");
        expect_time(pending, "createdAt");
    }
    assert_int_equal(vg_operation_note_begun(rq, "web1", UUID, -1), 0);
    {
        json_auto_t *running = show(rq, rq->rights);
        expect(running, "state", "\"running\"");
        expect(running, "domain", "{\"name\":\"web1\",\"uuid\":\"" UUID "\"}");
        expect(running, "cancellable", "false"); /* no job that could be aborted */
        expect(running, "endedAt", "null");
        expect_time(running, "startedAt");
    }
    struct vg_operation *op = vg_operation_ref(rq->operation);
    const struct vg_rights *rights = rq->rights;
    end(rq, vg_ok(rq, json_pack("{s:i}", "a", 1)));
    struct vg_request of = {.operation = op};
    json_auto_t *ended = show(&of, rights);
    expect(ended, "state", "\"succeeded\"");
    expect(ended, "status", "200");
    expect(ended, "result", "{\"a\":1}");
    expect(ended, "error", "");
    expect(ended, "cancellable", "false");
    expect_time(ended, "endedAt");
    vg_operation_unref(op);
}

/* What was answered to others may quote what a narrow scope may not see. */
static void test_result_of_others(void **state)
{
    struct client c;
    char fault[VG_RIGHTS_FAULT_SIZE];
    (void)state;
    struct vg_rights_spec spec = {.role = VG_ROLE_ADMIN, .domains = "web*"};
    const struct vg_rights *narrow = vg_rights_intern(&spec, fault);
    struct vg_request *rq = begin(&table[0], &c);
    assert_int_equal(vg_operation_note_begun(rq, "web1", UUID, 2), 0);
    struct vg_operation *op = vg_operation_ref(rq->operation);
    {
        json_auto_t *running = show(rq, rq->rights);
        expect(running, "cancellable", "true"); /* its job */
    }
    vg_error_set(&rq->error, VG_E_CONFLICT, "as it was asked for");
    end(rq, vg_fail(rq));
    struct vg_request of = {.operation = op};
    json_auto_t *wide = show(&of, vg_rights_of_role(VG_ROLE_VIEWER));
    expect(wide, "state", "\"failed\"");
    expect(wide, "status", "409");
    expect(wide, "error/detail", "\"as it was asked for\"");
    expect(wide, "result", "");
    json_auto_t *scoped = show(&of, narrow);
    expect(scoped, "status", "409");
    expect(scoped, "error", "");
    vg_operation_unref(op);
}

static void cancel_nothing(void *data)
{
    (void)data;
}

static void test_transfer(void **state)
{
    struct client c;
    (void)state;
    struct vg_request *rq = begin(&table[1], &c);
    struct vg_operation *op = vg_operation_ref(rq->operation);
    op->transfer.is = true;
    op->transfer.cancel = cancel_nothing;
    op->transfer.total = UINT64_MAX;
    op->state = VG_OPERATION_RUNNING;
    op->transfer.before.at_ns = vg_now_ns() - 2 * VG_SECOND_NS;
    op->transfer.before.bytes = 1000;
    atomic_store(&op->transfer.bytes, 5000);
    {
        json_auto_t *running = show(rq, rq->rights);
        expect(running, "progress/bytes", "5000");
        expect(running, "progress/totalBytes", "null");
        expect(running, "cancellable", "true");
        json_int_t rate = json_integer_value(
            json_object_get(json_object_get(running, "progress"), "bytesPerSecond"));
        assert_in_range(rate, 1, 2000); /* of what came since, in two seconds or more */
    }
    op->transfer.total = 5000;
    op->transfer.cancel = NULL;
    op->transfer.begun_ns = vg_now_ns() - 10 * VG_SECOND_NS;
    end(rq, vg_no_content(rq));
    struct vg_request of = {.operation = op};
    json_auto_t *ended = show(&of, vg_rights_of_role(VG_ROLE_ADMIN));
    expect(ended, "progress/totalBytes", "5000");
    expect(ended, "result", "");
    json_int_t rate = json_integer_value(
        json_object_get(json_object_get(ended, "progress"), "bytesPerSecond"));
    assert_in_range(rate, 1, 500); /* of the whole */
    vg_operation_unref(op);
}

/* ---- steps ------------------------------------------------------------------------- */

static void test_steps(void **state)
{
    struct client c;
    (void)state;
    struct vg_request *rq = begin(&table[0], &c);
    struct vg_operation *op = rq->operation;
    op->steps[0] = (struct step){.name = "first",
                                 .state = STEP_UNDONE,
                                 .started = {.tv_sec = 1800000000},
                                 .ended = {.tv_sec = 1800000001}};
    op->steps[1] = (struct step){
        .name = "second", .state = STEP_FAILED, .error = strdup("it fails")};
    op->n_steps = 2;
    json_auto_t *json = show(rq, rq->rights);
    expect(json, "steps/0/name", "\"first\"");
    expect(json, "steps/0/state", "\"undone\"");
    expect(json, "steps/0/startedAt", "\"2027-01-15T08:00:00.000Z\"");
    expect(json, "steps/0/endedAt", "\"2027-01-15T08:00:01.000Z\"");
    expect(json, "steps/1/state", "\"failed\"");
    expect(json, "steps/1/startedAt", "null");
    expect(json, "steps/1/error", "\"it fails\"");
    expect(json, "steps/2", "");
    end(rq, vg_no_content(rq));
}

/* ---- lists ------------------------------------------------------------------------- */

static size_t count_of(struct vg_operation_filter filter)
{
    char *next = NULL;
    return count_listed(filter, &next);
}

static void test_filters(void **state)
{
    struct client c;
    (void)state;
    assert_int_equal(vg_host_names_add("lab"), 0);
    assert_int_equal(vg_host_names_add("other"), 0);
    struct vg_request *rq = begin(&table[0], &c);
    assert_int_equal(vg_operation_note_begun(rq, "web1", UUID, -1), 0);
    assert_int_equal(count_of((struct vg_operation_filter){.host = "lab"}), 1);
    assert_int_equal(count_of((struct vg_operation_filter){.host = "other"}), 0);
    assert_int_equal(count_of((struct vg_operation_filter){.host = "nosuch"}), SIZE_MAX);
    assert_int_equal(count_of((struct vg_operation_filter){.only_host = "other"}), 0);
    assert_int_equal(count_of((struct vg_operation_filter){.kind = "saveDomain"}), 1);
    assert_int_equal(count_of((struct vg_operation_filter){.kind = "putContent"}), 0);
    assert_int_equal(count_of((struct vg_operation_filter){.kind = "save"}), SIZE_MAX);
    assert_int_equal(count_of((struct vg_operation_filter){.domain = "web1"}), 1);
    assert_int_equal(count_of((struct vg_operation_filter){.domain = UUID}), 1);
    assert_int_equal(count_of((struct vg_operation_filter){.domain = "web2"}), 0);
    end(rq, vg_no_content(rq));
    vg_host_names_clear();
}

/* ---- events ------------------------------------------------------------------------ */

/* The next event's "operation", with the event's name; NULL: none. */
static json_t *next_event(struct vg_subscriber *subscriber, char name[32])
{
    struct vg_event *event = NULL;

    if (vg_subscriber_next(subscriber, &event) != VG_SUBSCRIBER_EVENT)
        return NULL;
    json_auto_t *json = json_loadb(event->json, event->json_size, 0, NULL);
    vg_event_unref(event);
    assert_non_null(json);
    snprintf(name, 32, "%s", json_string_value(json_object_get(json, "event")));
    return json_incref(json_object_get(json, "operation"));
}

static void test_events(void **state)
{
    static const struct vg_event_filter filter = {0};
    struct client c;
    char name[32];
    (void)state;
    struct vg_subscriber *subscriber = vg_subscriber_new(&filter, vg_event_head(), true);
    struct vg_request *rq = begin(&table[0], &c);
    assert_null(next_event(subscriber, name)); /* its arguments may be refused yet */
    assert_int_equal(vg_operation_note_begun(rq, "web1", UUID, -1), 0);
    json_auto_t *begun = next_event(subscriber, name);
    assert_non_null(begun);
    expect(begun, "kind", "\"saveDomain\"");
    expect(begun, "state", "\"running\"");
    expect(begun, "path", "\"/domains/web1/save\"");
    expect(begun, "principal", "\"alice\"");
    expect(begun, "status", "");
    end(rq, vg_no_content(rq));
    json_auto_t *ended = next_event(subscriber, name);
    assert_non_null(ended);
    assert_string_equal(name, "ended");
    expect(ended, "state", "\"succeeded\"");
    expect(ended, "status", "204");
    assert_null(next_event(subscriber, name));

    rq = begin(&table[0], &c); /* refused before it was begun: nobody heard of it */
    vg_error_set(&rq->error, VG_E_CONFLICT, "no");
    end(rq, vg_fail(rq));
    assert_null(next_event(subscriber, name));
    vg_subscriber_free(subscriber);
}

/* ---- ids --------------------------------------------------------------------------- */

static void check_missing(const char *id, int status, const char *words)
{
    struct vg_request *rq = vg_request_new();

    rq->rights = vg_rights_of_role(VG_ROLE_ADMIN);
    vg_operation_set_missing(rq, id);
    if (rq->error.status != status || !strstr(rq->error.detail, words))
        fail_msg("%s: %d %s", id, rq->error.status, rq->error.detail);
    vg_request_unref(rq);
}

static void test_missing(void **state)
{
    struct client c;
    char id[64];
    (void)state;
    struct vg_request *rq = begin(&table[0], &c);
    const uint64_t last = vg_operations_last, run = vg_operations_epoch;
    check_missing(vg_operation_id(rq->operation), 404, "is of another host");
    snprintf(id, sizeof(id), "%" PRIx64 "-%" PRIu64, run, last + 1);
    check_missing(id, 404, "There is no operation");
    snprintf(id, sizeof(id), "%" PRIx64 "-%" PRIu64, run, (uint64_t)1);
    if (last > 1)
        check_missing(id, 410, "is no longer kept");
    snprintf(id, sizeof(id), "%" PRIx64 "-1", run - 1);
    check_missing(id, 410, "an earlier run");
    snprintf(id, sizeof(id), "%" PRIx64 "-1", run + 1);
    check_missing(id, 404, "There is no operation");
    snprintf(id, sizeof(id), "%" PRIx64 "-0", run - 1);
    check_missing(id, 404, "There is no operation");
    snprintf(id, sizeof(id), "%" PRIx64 "-1x", run - 1);
    check_missing(id, 404, "There is no operation");
    snprintf(id, sizeof(id), "%" PRIx64 "x1", run - 1);
    check_missing(id, 404, "There is no operation");
    check_missing("", 404, "There is no operation");
    check_missing("-1", 404, "There is no operation");
    check_missing("1-1", 404, "There is no operation"); /* before there was a gateway */
    check_missing("fffffffffffffffff-1", 404, "There is no operation");
    end(rq, vg_no_content(rq));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_members), TEST(test_result_of_others), TEST(test_transfer),
        TEST(test_steps),   TEST(test_filters),          TEST(test_events),
        TEST(test_missing),
    };
    if (vg_router_build(tables) < 0 || vg_events_start(100) < 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    vg_events_stop();
    vg_router_free();
    return failed;
}
