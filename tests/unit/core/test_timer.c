/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Timers: they run when they are due and when they are hurried, one that blocks holds up
 * no other, and none runs after the stop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>

#include "server/base/clock.h"
#include "server/core/timer.h"

#define N        100
#define PATIENCE 2000 /* times 10 ms */
#define NEVER    INT64_MAX

struct probe {
    struct vg_timer timer;
    atomic_int runs, at_work;
    atomic_bool blocks, twice;
    int64_t pause_ns;
};

static void rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

static int64_t run(void *data)
{
    struct probe *p = data;

    if (atomic_fetch_add(&p->at_work, 1) > 0)
        atomic_store(&p->twice, true);
    atomic_fetch_add(&p->runs, 1);
    while (atomic_load(&p->blocks))
        rest();
    atomic_fetch_sub(&p->at_work, 1);
    return p->pause_ns == NEVER ? NEVER : vg_now_ns() + p->pause_ns;
}

static void start(struct probe *p, int64_t pause_ns, bool blocks)
{
    p->timer = (struct vg_timer){.run = run, .data = p};
    p->pause_ns = pause_ns;
    atomic_store(&p->blocks, blocks);
    assert_int_equal(vg_timer_start(&p->timer), 0);
}

static void await_runs(struct probe *p, int least)
{
    for (int i = 0; i < PATIENCE && atomic_load(&p->runs) < least; i++)
        rest();
    assert_true(atomic_load(&p->runs) >= least);
}

static int threads(void)
{
    DIR *dir = opendir("/proc/self/task");
    int n = -2; /* . and .. */
    assert_non_null(dir);
    if (!dir) /* the analyzer does not know that the above ends the test */
        return 0;
    while (dir && readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static void run_for_a_while(void)
{
    struct probe p = {0};
    start(&p, VG_SECOND_NS / 100, false);
    await_runs(&p, 100);
    vg_timers_stop();
    int runs = atomic_load(&p.runs);
    rest();
    rest();
    assert_int_equal(atomic_load(&p.runs), runs);
}

static void test_due(void **state)
{
    (void)state;
    run_for_a_while(); /* a sanitizer starts a thread of its own with the first */
    int before = threads();
    run_for_a_while();
    for (int i = 0; i < PATIENCE && threads() > before; i++)
        rest();
    assert_true(threads() <= before);
}

static void test_hurry(void **state)
{
    struct probe p = {0};
    (void)state;
    start(&p, NEVER, false);
    for (int i = 1; i < 20; i++) {
        await_runs(&p, i);
        vg_timer_hurry(&p.timer);
    }
    vg_timers_stop();
    assert_false(atomic_load(&p.twice));
}

/* What is hurried while it runs, runs once more. */
static void test_hurry_at_work(void **state)
{
    struct probe p = {0};
    (void)state;
    start(&p, NEVER, true);
    await_runs(&p, 1);
    vg_timer_hurry(&p.timer);
    atomic_store(&p.blocks, false);
    await_runs(&p, 2);
    vg_timers_stop();
    assert_false(atomic_load(&p.twice));
}

static void test_blocked(void **state)
{
    static struct probe stuck[N], good;
    (void)state;
    for (int i = 0; i < N; i++)
        start(&stuck[i], NEVER, true);
    start(&good, VG_SECOND_NS / 100, false);
    await_runs(&good, 100);
    vg_timers_close(vg_now_ns() + VG_SECOND_NS / 100); /* gives up on them */
    for (int i = 0; i < N; i++) {
        assert_int_equal(atomic_load(&stuck[i].runs), 1);
        atomic_store(&stuck[i].blocks, false);
    }
    vg_timers_stop();
    for (int i = 0; i < N; i++)
        assert_int_equal(atomic_load(&stuck[i].at_work), 0);
}

static void *release(void *data)
{
    struct probe *p = data;
    rest();
    atomic_store(&p->blocks, false);
    return NULL;
}

/* What ends in time is waited for. */
static void test_closed(void **state)
{
    static struct probe p;
    pthread_t thread;
    (void)state;
    start(&p, NEVER, true);
    await_runs(&p, 1);
    assert_int_equal(pthread_create(&thread, NULL, release, &p), 0);
    vg_timers_close(vg_now_ns() + 60 * VG_SECOND_NS);
    assert_int_equal(atomic_load(&p.at_work), 0);
    pthread_join(thread, NULL);
    vg_timers_stop();
}

/* Many that wait need no threads of their own. */
static void test_idle(void **state)
{
    static struct probe idle[N];
    (void)state;
    for (int i = 0; i < N; i++)
        start(&idle[i], 20 * VG_SECOND_NS, false);
    for (int i = 0; i < PATIENCE && threads() > N / 2; i++)
        rest();
    assert_true(threads() <= N / 2);
    for (int i = 0; i < N; i++)
        await_runs(&idle[i], 1);
    vg_timers_stop();
}

/* What one moment needed does not stay with those that go on in turn. */
static void test_after_a_rush(void **state)
{
    static struct probe all[N];
    (void)state;
    for (int i = 0; i < N; i++)
        start(&all[i], VG_SECOND_NS / 5, true);
    for (int i = 0; i < N; i++)
        await_runs(&all[i], 1);
    assert_true(threads() > N);
    for (int i = 0; i < N; i++)
        atomic_store(&all[i].blocks, false);
    for (int i = 0; i < PATIENCE && threads() > N / 5; i++)
        rest();
    assert_true(threads() <= N / 5);
    for (int i = 0; i < N; i++)
        await_runs(&all[i], 3);
    vg_timers_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_due),           cmocka_unit_test(test_hurry),
        cmocka_unit_test(test_hurry_at_work), cmocka_unit_test(test_blocked),
        cmocka_unit_test(test_closed),        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_after_a_rush),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
