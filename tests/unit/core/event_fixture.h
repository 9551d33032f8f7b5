/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What tests of the ring of events share: publishing, and watchers whose waking can be
 * waited for.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "server/base/clock.h"
#include "server/core/event_text.h"
#include "virtgate/cleanup.h"

#define PATIENCE_S 20
#define NEVER      INT64_MAX

static const struct vg_event_filter all = {0};

static void publish_numbered(const struct vg_event_source *source, int64_t number)
{
    struct vg_json w = {0};
    vg_event_begin(&w, source);
    vg_json_int(&w, "n", number);
    vg_event_publish(source, &w);
    vg_json_free(&w);
}

struct watcher {
    struct vg_subscriber *subscriber;
    sem_t woken;
    atomic_int wakes;
};

static void wake(void *data)
{
    struct watcher *w = data;
    atomic_fetch_add(&w->wakes, 1);
    sem_post(&w->woken);
}

static inline void open_watcher(struct watcher *w, const struct vg_event_filter *filter,
                                bool admin)
{
    w->subscriber = vg_subscriber_new(filter, vg_event_head(), admin);
    assert_non_null(w->subscriber);
    sem_init(&w->woken, 0, 0);
    atomic_init(&w->wakes, 0);
    vg_subscriber_on_wake(w->subscriber, wake, w);
}

static void close_watcher(struct watcher *w)
{
    vg_subscriber_free(w->subscriber);
    sem_destroy(&w->woken);
}

static inline bool wait_wake(struct watcher *w, double seconds)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    int64_t ns = until.tv_nsec + (int64_t)(seconds * 1e9);
    until.tv_sec += ns / VG_SECOND_NS;
    until.tv_nsec = ns % VG_SECOND_NS;
    return sem_timedwait(&w->woken, &until) == 0;
}

/* The number of the next event; 0: none now. */
static inline uint64_t next(struct watcher *w)
{
    struct vg_event *event = NULL;
    enum vg_subscriber_state state = vg_subscriber_next(w->subscriber, &event);
    uint64_t number = event ? event->number : 0;
    assert_int_equal(state, event ? VG_SUBSCRIBER_EVENT : VG_SUBSCRIBER_NONE);
    assert_true(!event || vg_subscriber_seen(w->subscriber) == number);
    vg_event_unref(event);
    return number;
}
