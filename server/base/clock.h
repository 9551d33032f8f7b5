/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * CLOCK_MONOTONIC in nanoseconds, and waiting by it: steps of the wall clock change no
 * deadline.
 */
#pragma once

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define VG_SECOND_NS ((int64_t)1000000000)

static inline int64_t vg_now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * VG_SECOND_NS + ts.tv_nsec;
}

/* Some milliseconds behind, at a fraction of the cost: for deadlines of seconds. */
static inline int64_t vg_coarse_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    return (int64_t)ts.tv_sec * VG_SECOND_NS + ts.tv_nsec;
}

/* RFC 3339 in UTC, with the milliseconds (3 digits) or microseconds (6). */
static inline void vg_write_time(char *ret, size_t size, const struct timespec *at,
                                 int digits)
{
    struct tm tm;
    gmtime_r(&at->tv_sec, &tm);
    size_t n = strftime(ret, size, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(ret + n, size - n, ".%0*ldZ", digits,
             at->tv_nsec / (digits == 3 ? 1000000 : 1000));
}

/* RFC 3339 in UTC, to the second. Empty: it is beyond what a date can say. */
static inline void vg_write_date(char *ret, size_t size, int64_t seconds)
{
    const time_t at = seconds;
    struct tm tm;

    if (!gmtime_r(&at, &tm) || !strftime(ret, size, "%Y-%m-%dT%H:%M:%SZ", &tm))
        *ret = '\0';
}

/* A condition whose timed waits take vg_from_now(). */
static inline void vg_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

/* A time of vg_now_ns() for pthread_cond_timedwait(). */
static inline struct timespec vg_timespec(int64_t at_ns)
{
    return (struct timespec){.tv_sec = at_ns / VG_SECOND_NS,
                             .tv_nsec = at_ns % VG_SECOND_NS};
}

/* The time `ns` from now, for pthread_cond_timedwait(). */
static inline struct timespec vg_from_now(int64_t ns)
{
    return vg_timespec(vg_now_ns() + ns);
}
