/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Timers whose functions may block. A timer has a thread only while its function runs:
 * there are as many threads as functions that run at the same time, and one more that
 * waits for the next timer.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct vg_timer {
    /* Runs in a thread of its own, never twice at a time; may block. Returns when it is
     * to run again, as vg_now_ns() counts. */
    int64_t (*run)(void *data);
    void *data;

    /* For core/timer.c alone. */
    struct vg_timer *next;
    int64_t at_ns;
    bool runs;
};

/* Runs it at once, and whenever it asks for. The caller owns it, and frees it only after
 * vg_timers_stop(). -1: no thread could be started. */
int vg_timer_start(struct vg_timer *timer);

/* Runs it as soon as possible; if it is running, once more after that. Any thread; does
 * not block. */
void vg_timer_hurry(struct vg_timer *timer);

/* Starts no function any more, and waits for those that run, but no longer than until
 * then, as vg_now_ns() counts; they go on. */
void vg_timers_close(int64_t until_ns);

/* The same, then waits until those that run have ended, and forgets all timers. */
void vg_timers_stop(void);
