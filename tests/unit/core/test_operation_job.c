/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Operations whose job goes on when the call has returned, without a host: when a client
 * is answered, whose an end is, ends that come early or never, and all of it from many
 * threads.
 */
#include "tests/unit/core/operation_fixture.h"

#include <pthread.h>

#include "server/core/operation_internal.h"

#define UUID   "00000000-0000-4000-8000-000000000001"
#define COPY   2
#define BACKUP 9

static const struct vg_route copy_route = {
    VG_POST,    "/domains/{domain}/disks/{disk}/copy", "copyDomainDisk",
    no_handler, .needs = "gateway:document",           .runs_on = VG_ON_JOB};

static const struct vg_host_job vda = {"web1", UUID, 7, "vda", COPY};
static const struct vg_host_job vdb = {"web1", UUID, 7, "vdb", COPY};
static const struct vg_host_job backup = {"web1", UUID, 7, NULL, BACKUP};

static atomic_int asked;  /* how often the host was to be asked, */
static int64_t asked_for; /* and how long it has to answer */

static void count_asked(struct vg_request *rq)
{
    if (rq->done != take_answer) {
        atomic_fetch_add(&asked, 1);
        asked_for = rq->deadline_ns - rq->start_ns;
    }
    answer_watcher(rq);
}

static int begin_test(void **state)
{
    set_up(state);
    atomic_store(&asked, 0);
    vg_operations_start(count_asked, &show_route);
    return 0;
}

static void watch(int64_t now)
{
    vg_operation_jobs_tick(now);
    vg_operations_tick(now);
}

/* A request whose call is about to be made. */
static struct vg_request *begin(struct client *client, const struct vg_host_job *job,
                                const char *prefer)
{
    *client = (struct client){0};
    struct vg_request *rq =
        make_request(&copy_route, "/domains/web1/disks/vda/copy", client, prefer);
    assert_int_equal(vg_operation_new_job(rq, job), 0);
    return rq;
}

/* The call has returned. */
static void leave(struct vg_request *rq)
{
    vg_request_answer(rq, (struct vg_reply){.status = 202});
    vg_request_unref(rq);
}

/* One that is at work. */
static struct vg_operation *begun(struct client *client, const struct vg_host_job *job)
{
    struct vg_request *rq = begin(client, job, NULL);
    struct vg_operation *op = vg_operation_ref(rq->operation);
    leave(rq);
    assert_int_equal(client->status, 202);
    return op;
}

static void end_job(const struct vg_host_job *job, enum vg_operation_state state)
{
    vg_operations_job_ended(NULL, job, state, NULL, false);
}

static bool is_in_state(struct vg_operation *op, enum vg_operation_state state)
{
    struct vg_operation_job job;
    vg_operation_get_job(op, &job);
    return job.state == state;
}

/* ---- when the client is answered --------------------------------------------------- */

static void test_goes_on(void **state)
{
    struct client c;
    (void)state;
    struct vg_operation *op = begun(&c, &vda);
    assert_int_equal(c.answers, 1);
    assert_int_equal(strncmp(c.location, "/operations/", 12), 0);
    assert_non_null(strstr(c.body, "\"state\":\"running\""));
    assert_non_null(strstr(c.body, "\"job\":\"/domains/web1/disks/vda/job\""));
    end_job(&vda, VG_OPERATION_SUCCEEDED);
    struct client watcher;
    ask(c.location, &watcher);
    assert_non_null(strstr(watcher.body, "\"state\":\"succeeded\""));
    assert_non_null(strstr(watcher.body, "\"status\":200"));
    assert_int_equal(c.answers, 1);
    vg_operation_unref(op);
}

static void test_waits(void **state)
{
    struct client c;
    (void)state;
    leave(begin(&c, &vda, "wait=20"));
    assert_int_equal(c.answers, 0);
    end_job(&vda, VG_OPERATION_SUCCEEDED);
    assert_int_equal(c.status, 200);
    assert_non_null(strstr(c.body, "\"state\":\"succeeded\""));
    assert_int_equal(strncmp(c.location, "/operations/", 12), 0);

    leave(begin(&c, &vda, "respond-async, wait=20"));
    end_job(&vda, VG_OPERATION_FAILED);
    assert_int_equal(c.status, 502);
    assert_non_null(strstr(c.body, "job-failed"));
    assert_non_null(strstr(c.body, "\"instance\":\"/domains/web1/disks/vda/copy\""));
    assert_non_null(strstr(c.body, "The job failed: the host does not say why"));

    struct vg_request *rq = begin(&c, &vda, "wait=20");
    snprintf(rq->id, sizeof(rq->id), "its-own-id");
    memcpy(rq->operation->request_id, rq->id, sizeof(rq->id));
    leave(rq);
    end_job(&vda, VG_OPERATION_CANCELLED);
    assert_non_null(strstr(c.body, "job-cancelled"));
    assert_non_null(strstr(c.body, "\"requestId\":\"its-own-id\""));

    leave(begin(&c, &vda, "wait=20"));
    vg_operations_job_ended(NULL, &vda, VG_OPERATION_FAILED, "no room", false);
    assert_non_null(strstr(c.body, "The job failed: no room"));

    leave(begin(&c, &vda, "wait=20"));
    watch(vg_now_ns() + 19 * VG_SECOND_NS);
    assert_int_equal(c.answers, 0);
    watch(vg_now_ns() + 21 * VG_SECOND_NS);
    assert_int_equal(c.status, 202);
    end_job(&vda, VG_OPERATION_CANCELLED);
    assert_int_equal(c.answers, 1);
    assert_int_equal(count_states(VG_OPERATION_CANCELLED), 2);

    leave(begin(&c, &vda, "wait=0"));
    assert_int_equal(c.status, 202);
}

static void test_drain(void **state)
{
    struct client a, b;
    (void)state;
    leave(begin(&a, &vda, "wait=20"));
    struct vg_request *rq = begin(&b, &vdb, "wait=20"); /* its call has not returned */
    assert_int_equal(vg_operations_drain(), 2);
    watch(vg_now_ns());
    assert_int_equal(a.status, 202);
    assert_int_equal(b.answers, 0);
    leave(rq);
    assert_int_equal(b.status, 202);
}

/* ---- the call ---------------------------------------------------------------------- */

static void test_call_fails(void **state)
{
    struct client c;
    (void)state;
    struct vg_request *rq = begin(&c, &vda, "wait=20");
    end_job(&vda, VG_OPERATION_SUCCEEDED); /* another's */
    vg_error_set(&rq->error, VG_E_CONFLICT, "as it was asked for");
    vg_request_answer(rq, vg_fail(rq));
    assert_int_equal(c.status, 409);
    assert_int_equal(count_all(), 0);
    vg_request_unref(rq);

    /* what its deadline cut may have begun */
    rq = begin(&c, &vda, NULL);
    vg_error_set(&rq->error, VG_E_DEADLINE_EXCEEDED, "as it was asked for");
    rq->error.outcome = VG_OUTCOME_UNKNOWN;
    vg_request_answer(rq, vg_fail(rq));
    assert_int_equal(count_states(VG_OPERATION_UNKNOWN), 1);
    leave(rq); /* later, for nobody */
    assert_int_equal(c.answers, 1);
    assert_int_equal(count_all(), 1);
}

static void test_early_end(void **state)
{
    struct client c;
    (void)state;
    struct vg_request *rq = begin(&c, &vda, "wait=20");
    end_job(&vda, VG_OPERATION_SUCCEEDED);
    assert_int_equal(c.answers, 0);
    assert_true(vg_operation_has_early_end(rq->operation));
    leave(rq);
    assert_int_equal(c.status, 200);
    assert_int_equal(count_states(VG_OPERATION_SUCCEEDED), 1);

    rq = begin(&c, &vda, "wait=20"); /* the last that was told counts */
    vg_operations_job_ended(NULL, &vda, VG_OPERATION_SUCCEEDED, NULL, false);
    vg_operations_job_ended(NULL, &vda, VG_OPERATION_FAILED, "no room", false);
    leave(rq);
    assert_non_null(strstr(c.body, "The job failed: no room"));

    /* it was that of the job which the call had waited for */
    rq = begin(&c, &vda, NULL);
    end_job(&vda, VG_OPERATION_FAILED);
    vg_operation_forget_early_end(rq->operation);
    leave(rq);
    assert_int_equal(count_states(VG_OPERATION_RUNNING), 1);
}

/* ---- whose end it is --------------------------------------------------------------- */

static void test_others(void **state)
{
    static const struct vg_host_job others[] = {
        {NULL, UUID, 7, "vdb", COPY},
        {NULL, UUID, 7, "vda", COPY + 1},
        {NULL, UUID, 7, NULL, COPY},
        {NULL, "00000000-0000-4000-8000-000000000002", 7, "vda", COPY},
    };
    struct client c;
    (void)state;
    struct vg_operation *op = begun(&c, &vda);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        end_job(&others[i], VG_OPERATION_SUCCEEDED);
    const void *host = &c;
    vg_operations_job_ended(host, &vda, VG_OPERATION_SUCCEEDED, NULL, false);
    vg_operations_domain_ended(host, UUID, NULL);
    vg_operations_domain_ended(NULL, others[3].uuid, NULL);
    assert_true(is_in_state(op, VG_OPERATION_RUNNING));
    vg_operation_unref(op);
}

/* A disk has one job at a time: the next one tells that the one before is over. */
static void test_successor(void **state)
{
    struct client c;
    (void)state;
    struct vg_operation *older = begun(&c, &vda), *newer = begun(&c, &vda);
    end_job(&vda, VG_OPERATION_CANCELLED); /* the event is the older one's */
    assert_true(is_in_state(older, VG_OPERATION_CANCELLED));
    struct vg_operation *newest = begun(&c, &vda);
    watch(vg_now_ns() + 3 * VG_SECOND_NS); /* and this has come too late */
    assert_true(is_in_state(newer, VG_OPERATION_UNKNOWN));
    assert_true(is_in_state(newest, VG_OPERATION_RUNNING));
    vg_operation_unref(older);
    vg_operation_unref(newer);
    vg_operation_unref(newest);
}

static void test_domain_ends(void **state)
{
    struct client c;
    (void)state;
    struct vg_operation *a = begun(&c, &vda), *b = begun(&c, &vdb);
    assert_true(vg_operation_request_cancel(b));
    vg_operations_domain_ended(NULL, UUID, "it was shut down");
    assert_true(is_in_state(a, VG_OPERATION_FAILED));
    assert_true(is_in_state(b, VG_OPERATION_CANCELLED));
    vg_operation_unref(a);
    vg_operation_unref(b);
}

/* A backup in pull mode succeeds by being aborted, unless that was a cancel. */
static void test_stopped(void **state)
{
    struct client c;
    (void)state;
    struct vg_operation *op = begun(&c, &backup);
    assert_non_null(strstr(c.body, "\"job\":\""));
    vg_operations_job_ended(NULL, &backup, VG_OPERATION_SUCCEEDED, "canceled", true);
    assert_true(is_in_state(op, VG_OPERATION_SUCCEEDED));
    vg_operation_unref(op);
    op = begun(&c, &backup);
    assert_true(vg_operation_request_cancel(op));
    vg_operations_job_ended(NULL, &backup, VG_OPERATION_SUCCEEDED, "canceled", true);
    assert_true(is_in_state(op, VG_OPERATION_CANCELLED));
    vg_operation_unref(op);
}

/* ---- events that were missed ------------------------------------------------------- */

static void test_gone(void **state)
{
    struct client c, watcher;
    (void)state;
    struct vg_operation *op = begun(&c, &vda);
    vg_operations_missed_events(NULL);
    vg_operation_note_gone(op); /* so it need not be asked */
    watch(vg_now_ns() + VG_SECOND_NS);
    assert_int_equal(asked, 0);
    assert_true(is_in_state(op, VG_OPERATION_RUNNING));
    watch(vg_now_ns() + 3 * VG_SECOND_NS);
    ask(c.location, &watcher);
    assert_non_null(strstr(watcher.body, "\"state\":\"unknown\""));
    assert_non_null(strstr(watcher.body, "\"outcome\":\"unknown\""));
    vg_operation_unref(op);

    op = begun(&c, &vda); /* the event comes a little later */
    vg_operation_note_gone(op);
    end_job(&vda, VG_OPERATION_SUCCEEDED);
    watch(vg_now_ns() + 3 * VG_SECOND_NS);
    assert_true(is_in_state(op, VG_OPERATION_SUCCEEDED));
    vg_operation_unref(op);
}

/* The job of a call that has not returned may not be there yet; of one that is gone the
 * first look counts, and the event may come for two seconds. */
static void test_gone_since(void **state)
{
    struct client c;
    (void)state;
    struct vg_request *rq = begin(&c, &vda, NULL);
    struct vg_operation *op = vg_operation_ref(rq->operation);
    vg_operation_note_gone(op);
    leave(rq);
    watch(vg_now_ns() + 60 * VG_SECOND_NS);
    assert_true(is_in_state(op, VG_OPERATION_RUNNING));
    vg_operation_note_gone(op);
    const int64_t since = op->host_job.gone_ns -= VG_SECOND_NS;
    vg_operation_note_gone(op);
    assert_int_equal(op->host_job.gone_ns, since);
    watch(since + 2 * VG_SECOND_NS - 1);
    assert_true(is_in_state(op, VG_OPERATION_RUNNING));
    watch(since + 2 * VG_SECOND_NS);
    assert_true(is_in_state(op, VG_OPERATION_UNKNOWN));
    vg_operation_unref(op);
}

static void test_missed(void **state)
{
    struct client c;
    (void)state;
    struct vg_operation *op = begun(&c, &vda);
    int64_t now = vg_now_ns() + VG_SECOND_NS;
    watch(now);
    assert_int_equal(asked, 0);
    vg_operations_missed_events(NULL);
    watch(now);
    watch(now);
    assert_int_equal(asked, 1);
    assert_int_equal(asked_for, 10 * VG_SECOND_NS);
    watch(now + 16 * VG_SECOND_NS); /* nothing was answered */
    assert_int_equal(asked, 2);
    vg_operation_note_there(op);
    watch(now + 60 * VG_SECOND_NS);
    assert_int_equal(asked, 2);
    assert_true(is_in_state(op, VG_OPERATION_RUNNING));
    vg_operation_unref(op);

    /* while the call is made, too */
    struct vg_request *rq = begin(&c, &vdb, NULL);
    vg_operations_missed_events((const void *)&c); /* another host's */
    vg_operations_missed_events(NULL);
    vg_operation_note_there(op = vg_operation_ref(rq->operation));
    vg_operations_missed_events(NULL);
    asked = 0;
    leave(rq);
    watch(vg_now_ns() + VG_SECOND_NS);
    assert_int_equal(asked, 2);
    vg_operation_unref(op);
}

/* ---- threads ----------------------------------------------------------------------- */

#define RACES 300

static void *race_leave(void *rq)
{
    leave(rq);
    return NULL;
}

static void *race_end(void *data)
{
    (void)data;
    end_job(&vda, VG_OPERATION_SUCCEEDED);
    vg_operations_domain_ended(NULL, UUID, "it was shut down");
    return NULL;
}

static void *race_watch(void *data)
{
    struct vg_operation *op = data;
    struct vg_json w = {0};
    const struct vg_request anybody = {0};
    vg_operations_missed_events(NULL);
    vg_operation_note_gone(op);
    watch(vg_now_ns() + VG_SECOND_NS);
    vg_operation_request_cancel(op);
    vg_operation_write(&anybody, op, &w, NULL, NULL);
    vg_json_free(&w);
    return NULL;
}

/* Whoever comes first, the client is answered once and the operation ends once. */
static void test_races(void **state)
{
    static void *(*const run[])(void *) = {race_leave, race_end, race_watch};
    (void)state;
    for (int i = 0; i < RACES; i++) {
        struct client c;
        struct vg_request *rq = begin(&c, &vda, i % 2 ? "wait=20" : NULL);
        race(run, rq, &c);
    }
    assert_int_equal(count_states(VG_OPERATION_RUNNING), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_test, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_goes_on),    TEST(test_waits),       TEST(test_drain),
        TEST(test_call_fails), TEST(test_early_end),   TEST(test_others),
        TEST(test_successor),  TEST(test_domain_ends), TEST(test_stopped),
        TEST(test_gone),       TEST(test_missed),      TEST(test_races),
        TEST(test_gone_since),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
