/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See core/timer.h. One of the waiting threads waits for the next timer; the others are
 * spare, and end after a while.
 */
#include "server/core/timer.h"

#include "server/base/clock.h"
#include "server/base/thread.h"
#include "virtgate/cleanup.h"
#include "server/base/log.h"

#include <errno.h>

#define SPARE_NS (5 * VG_SECOND_NS)
/* More of them do not stay after they have run something: hundreds of timers in turn
 * would keep all that one moment needed. */
#define MAX_SPARE 4
#define STACK     (512 * 1024)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake, gone;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct vg_timer *timers;
static unsigned int threads, waiting;
static int64_t timed_ns; /* when the thread that waits for a timer wakes; 0: none does */
static bool stopping;

static void init(void)
{
    vg_cond_init(&wake);
    vg_cond_init(&gone);
}

/* The timer that is due first, of those that are not running. Lock held. */
static struct vg_timer *find_next(void)
{
    struct vg_timer *next = NULL;
    for (struct vg_timer *t = timers; t; t = t->next)
        if (!t->runs && (!next || t->at_ns < next->at_ns))
            next = t;
    return next;
}

static void *run_timers(void *data);

/* Lock held. -1: it could not be started. */
static int start_thread(void)
{
    if (vg_thread_detach(run_timers, NULL, STACK) != 0) {
        vg_log(VG_LOG_ERROR, "timer", "cannot start a thread");
        return -1;
    }
    threads++;
    return 0;
}

/* Lock held, but not while the function runs. */
static void run(struct vg_timer *timer)
{
    timer->runs = true;
    timer->at_ns = INT64_MAX;
    if (waiting)
        pthread_cond_signal(&wake); /* it takes over the wait for the next timer */
    else
        start_thread();
    pthread_mutex_unlock(&lock);
    int64_t next_ns = timer->run(timer->data);
    pthread_mutex_lock(&lock);
    timer->runs = false;
    if (next_ns < timer->at_ns) /* else vg_timer_hurry() was called meanwhile */
        timer->at_ns = next_ns;
}

/* Waits until a timer may be due. False: this thread is not needed. Lock held. */
static bool wait_for(const struct vg_timer *next)
{
    int64_t until_ns = vg_now_ns() + SPARE_NS;
    bool first = !timed_ns || (next && next->at_ns < timed_ns);

    if (first && next)
        until_ns = next->at_ns;
    if (first)
        timed_ns = until_ns;
    waiting++;
    const struct timespec until = vg_timespec(until_ns);
    int rc = pthread_cond_timedwait(&wake, &lock, &until);
    waiting--;
    if (first)
        timed_ns = 0; /* another thread may wait for the next timer */
    return first || rc != ETIMEDOUT || !timed_ns;
}

static void *run_timers(void *data)
{
    (void)data;
    VG_LOCK(&lock);
    bool stays = true;
    while (stays && !stopping) {
        struct vg_timer *next = find_next();
        if (next && next->at_ns <= vg_now_ns()) {
            run(next);
            stays = waiting < MAX_SPARE;
        } else {
            stays = wait_for(next);
        }
    }
    if (waiting)
        pthread_cond_signal(&wake); /* what it ran may be due before all others */
    threads--;
    pthread_cond_broadcast(&gone);
    return NULL;
}

int vg_timer_start(struct vg_timer *timer)
{
    pthread_once(&once, init);
    VG_LOCK(&lock);
    timer->next = timers;
    timer->at_ns = vg_now_ns();
    timer->runs = false;
    timers = timer;
    if (waiting)
        pthread_cond_signal(&wake);
    return waiting || start_thread() == 0 || threads ? 0 : -1;
}

void vg_timer_hurry(struct vg_timer *timer)
{
    VG_LOCK(&lock);
    timer->at_ns = INT64_MIN;
    if (waiting)
        pthread_cond_signal(&wake);
}

void vg_timers_close(int64_t until_ns)
{
    const struct timespec until = vg_timespec(until_ns);

    VG_LOCK(&lock);
    stopping = true;
    pthread_cond_broadcast(&wake);
    while (threads && pthread_cond_timedwait(&gone, &lock, &until) == 0)
        ;
}

void vg_timers_stop(void)
{
    vg_timers_close(0);
    VG_LOCK(&lock);
    while (threads)
        pthread_cond_wait(&gone, &lock);
    timers = NULL;
    stopping = false;
    timed_ns = 0;
}
