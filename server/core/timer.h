/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is to be done now and then, and may block while it is done: it has a thread only
 * as long as it runs. There are as many threads as run at the same time, and one that
 * waits for all.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct vg_timer {
    /* Runs in a thread of its own, never twice at a time; may block. Gives the time when
     * it is to run again, of vg_now_ns(). */
    int64_t (*run)(void *data);
    void *data;

    /* The module's. */
    struct vg_timer *next;
    int64_t at_ns;
    bool runs;
};

/* Runs it from now on. It stays the caller's, until vg_timers_stop(). -1: there is no
 * thread for it. */
int vg_timer_start(struct vg_timer *timer);

/* Runs it as soon as can be; once more, if it runs. Any thread; does not block. */
void vg_timer_hurry(struct vg_timer *timer);

/* Runs none any more; those that run go on. */
void vg_timers_close(void);

/* The same, waits until those that run have ended, and forgets all. */
void vg_timers_stop(void);
