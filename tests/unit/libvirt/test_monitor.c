/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The breaker: how many failures open it, what closes it, and what it does to a host's
 * queues. First without a host monitor, then with one, on the test driver.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <time.h>

#include "server/core/timer.h"
#include "server/libvirt/error.h"
#include "tests/unit/libvirt/host_fixture.h"
#include "virtgate/cleanup.h"

#define PATIENCE_S 20

static struct vg_host_status status_now(void)
{
    struct vg_host_status status;
    assert_true(vg_host_status_at(0, &status));
    return status;
}

static enum vg_host_state state_now(void)
{
    struct vg_host_status status = status_now();
    enum vg_host_state state = status.state;
    vg_host_status_clear(&status);
    return state;
}

static void await_state(enum vg_host_state state)
{
    const struct timespec t = {.tv_nsec = 10000000};
    for (int i = 0; i < PATIENCE_S * 100 && state_now() != state; i++)
        nanosleep(&t, NULL);
    assert_int_equal(state_now(), state);
}

static void note(struct vg_host *of, const char *why)
{
    struct vg_error e = {0};
    vg_error_set(&e, VG_E_HOST_UNREACHABLE, "%s", why);
    vg_monitor_note_failure(of, &e);
    vg_error_clear(&e);
}

/* The host monitor may not look meanwhile. */
static void hold_monitor(bool held)
{
    VG_LOCK(&host->lock);
    host->failures = 0;
    host->suspect = held;
}

static void test_up(void **state)
{
    (void)state;
    await_state(VG_HOST_UP);
    assert_int_equal(host->epoch, 1);
    assert_int_equal(host->failures, 0);
    assert_false(host->general.paused);
    assert_false(vg_host_is_connecting(host));
}

/* A host without a host monitor, so that nobody looks. */
static void test_threshold(void **state)
{
    (void)state;
    static char name[] = "mine";
    static struct vg_host mine = {.name = name, .state = VG_HOST_UP};
    struct vg_queue *queues[] = {&mine.general, &mine.fast, &mine.bulk, &mine.long_work,
                                 &mine.agents};
    for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
        vg_queue_init(queues[i], 1, 1);
        queues[i]->conns = &vg_virt_conns;
    }
    pthread_mutex_init(&mine.lock, NULL);
    vg_cond_init(&mine.wake);
    mine.cache = vg_answer_cache_new();
    mine.registered.covered = 1U << VG_KIND_DOMAIN;
    vg_answer_cache_enable(mine.cache, 1U << VG_KIND_DOMAIN);
    note(&mine, "the first");
    assert_int_equal(mine.state, VG_HOST_UP);
    assert_true(mine.suspect);
    note(&mine, "the second");
    assert_int_equal(mine.state, VG_HOST_DOWN);
    assert_string_equal(mine.error.detail, "the second");
    assert_string_equal(mine.reason, "unreachable");
    assert_int_equal(vg_answer_cache_begin(mine.cache, VG_KIND_DOMAIN).generation, 0);
    note(&mine, "the third");
    assert_string_equal(mine.error.detail, "the second");
    vg_error_clear(&mine.error);
    vg_answer_cache_free(mine.cache);
}

/* Refused by libvirtd: the word that everybody is told, and whether to try again. */
static void test_refused(void **state)
{
    (void)state;
    static const struct {
        int code;
        const char *reason;
        bool retryable;
    } rows[] = {
        {VIR_ERR_AUTH_FAILED, "authentication-failed", false},
        {VIR_ERR_AUTH_CANCELLED, "authentication-failed", false},
        {VIR_ERR_AUTH_UNAVAILABLE, "authentication-failed", false},
        {VIR_ERR_ACCESS_DENIED, "authentication-failed", false},
        {VIR_ERR_SYSTEM_ERROR, "unreachable", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static char text[] = "no";
        const virError err = {
            .code = rows[i].code, .domain = VIR_FROM_RPC, .message = text};
        struct vg_host none = {.state = VG_HOST_DOWN}; /* nothing to pause */
        struct vg_error why = {0}, told = {0};
        vg_error_copy_virt(&why, &err);
        vg_host_set_down(&none, &why, false);
        vg_host_error_unreachable(&told, "mine", &why);
        assert_string_equal(none.reason, rows[i].reason);
        assert_int_equal(told.retryable, rows[i].retryable);
        vg_error_clear(&none.error);
        vg_error_clear(&why);
        vg_error_clear(&told);
    }
}

/* Where there is one, it finds a sign of life, and closes the breaker. */
static void test_recovers(void **state)
{
    (void)state;
    await_state(VG_HOST_UP);
    note(host, "the first");
    note(host, "the second");
    await_state(VG_HOST_UP);
    unsigned int epoch;
    {
        VG_LOCK(&host->lock); /* no assert here: it would leave with the lock */
        epoch = host->epoch;
    }
    assert_int_equal(epoch, 1);
}

/* One failure makes the host monitor look, and no more. */
static void test_one_failure(void **state)
{
    (void)state;
    await_state(VG_HOST_UP);
    for (int i = 0; i < 20; i++) {
        hold_monitor(false);
        note(host, "alone");
        assert_int_equal(state_now(), VG_HOST_UP);
    }
}

/* Without anybody who looks, from here on. */
static void test_open(void **state)
{
    (void)state;
    struct vg_host_status status;
    struct vg_host *mine = host;
    enum vg_host_state before;
    await_state(VG_HOST_UP);
    vg_timers_stop();
    {
        VG_LOCK(&mine->lock);
        before = mine->state;
        mine->state = VG_HOST_DOWN; /* then nothing is suspect: the host monitor knows */
        mine->suspect = false;
        mine->failures = 5;
    }
    vg_monitor_suspect(mine);
    note(mine, "later");
    bool suspect;
    {
        VG_LOCK(&mine->lock);
        suspect = mine->suspect;
    }
    status = status_now();
    bool may_be_up = vg_host_may_be_up(mine);
    struct vg_virt_conn *virt_conn = vg_virt_conn_new();
    struct vg_request *rq = vg_request_new();
    int rc = vg_host_prepare_conn(mine, virt_conn, rq);
    {
        VG_LOCK(&mine->lock);
        mine->state = before;
        mine->failures = 0;
    }
    assert_false(suspect);
    assert_int_equal(status.state, VG_HOST_DOWN);
    assert_false(status.alive);
    /* the first reason stays */
    assert_true(!status.error.detail || strcmp(status.error.detail, "later") != 0);
    vg_host_status_clear(&status);
    assert_false(may_be_up);
    assert_int_equal(rc, -1);
    assert_int_equal(rq->error.status, 503);
    vg_request_unref(rq);
    vg_virt_conn_free(virt_conn);
}

/* How long a connection may take: some times what the host monitor needed, within bounds.
 */
static void test_open_limit(void **state)
{
    (void)state;
    int64_t was = host->open_ns;
    host->open_ns = 0;
    assert_int_equal(vg_host_open_limit(host), 2 * VG_SECOND_NS);
    host->open_ns = VG_SECOND_NS;
    assert_int_equal(vg_host_open_limit(host), 4 * VG_SECOND_NS);
    host->open_ns = 3 * VG_SECOND_NS;
    assert_int_equal(vg_host_open_limit(host), 5 * VG_SECOND_NS);
    host->open_ns = was;
}

static void test_full(void **state)
{
    (void)state;
    struct vg_host_status status;
    await_state(VG_HOST_UP);
    vg_host_set_full(host, true);
    status = status_now();
    assert_int_equal(status.state, VG_HOST_UP);
    assert_string_equal(status.reason, "connection-limit");
    vg_host_status_clear(&status);
    vg_host_set_full(host, false);
    status = status_now();
    assert_null(status.reason);
    vg_host_status_clear(&status);
}

static void test_pause(void **state)
{
    (void)state;
    const struct vg_queue *queues[] = {&host->general, &host->fast, &host->bulk,
                                       &host->long_work, &host->agents};
    for (int paused = 1; paused >= 0; paused--) {
        vg_host_pause(host, paused);
        for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++)
            assert_int_equal(queues[i]->paused, paused);
        assert_false(host->admins.paused); /* the daemon is asked all the same */
    }
}

static int set_up(void **state)
{
    (void)state;
    if (start_host() < 0)
        return -1;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_up),          cmocka_unit_test(test_threshold),
        cmocka_unit_test(test_refused),     cmocka_unit_test(test_recovers),
        cmocka_unit_test(test_one_failure), cmocka_unit_test(test_open),
        cmocka_unit_test(test_open_limit),  cmocka_unit_test(test_full),
        cmocka_unit_test(test_pause),
    };
    return cmocka_run_group_tests(tests, set_up, stop_host);
}
