/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Lanes: a bounded queue of requests and a few threads that run them, started when needed
 * and gone when idle. Knows nothing of libvirt but that each thread has a lease, which
 * others make and free.
 */
#pragma once

#include "server/core/request.h"

#include <pthread.h>

struct vg_lease;
struct vg_job;

/* How many calls may be in flight for one domain: a hung guest takes no more threads. */
#define VG_CALLS_PER_OBJECT 2
#define VG_STUCK_OBJECTS    16

/* What a lane does with the lease of a thread of its own. */
struct vg_lane_leases {
    struct vg_lease *(*make)(void); /* NULL: out of memory */
    void (*free)(struct vg_lease *lease);
    /* The call that is made on it is cut then; 0: never. Any thread. */
    void (*limit)(struct vg_lease *lease, int64_t at_ns);
};

struct vg_lane {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct vg_job *first, **last; /* waiting */
    struct vg_job *running;
    unsigned int waiting, in_flight, threads, idle; /* jobs, jobs, threads, threads */
    unsigned int leaving; /* threads that close their connections; not in `threads` */
    int64_t idle_ns;      /* how long a thread stays without work */
    unsigned int max_threads, max_waiting;
    unsigned int per_object; /* calls in flight for one object, at most */
    bool stopping;
    bool paused; /* what is queued waits, until its deadline: the host is being connected
                  */
    /* Until then no thread is started beside those that there are: one just found that
     * the host takes no more connections. */
    int64_t few_until_ns;
    /* Objects whose call was cut at its deadline, and until when they are left alone. */
    struct {
        char name[64];
        int64_t until_ns;
    } stuck[VG_STUCK_OBJECTS];
    unsigned int next_stuck;

    /* Where a read goes that turns out not to belong here (vg_move()); NULL: none. */
    struct vg_lane *wider;

    const struct vg_lane_leases *leases;
    /* Runs one request on the thread's lease. */
    struct vg_reply (*run)(void *data, struct vg_lease *lease, struct vg_request *rq);
    void *data;
};

void vg_lane_init(struct vg_lane *lane, unsigned int threads, unsigned int max_waiting);

/* Queues a request, or joins it to an equal read that waits. Takes over the caller's
 * reference; answers at once when the lane is full. Any thread; does not block. */
void vg_lane_submit(struct vg_lane *lane, struct vg_request *rq);

/* Pauses it, or lets what waits begin. Any thread; does not block. */
void vg_lane_pause(struct vg_lane *lane, bool paused);

/* Gives up what cannot succeed any more: what waits, and, where `running`, what runs,
 * whose calls are cut; long work that has begun goes on, and so does what is asked about
 * it. answer(data, request) takes over a reference, and is called without the lane's
 * lock. For the watchdog. */
void vg_lane_abandon(struct vg_lane *lane, bool running,
                     void (*answer)(void *data, struct vg_request *rq), void *data);

/* Whether a call has just become slow, which it is after some seconds: its host may be
 * silent. Told once of each call. For the watchdog. */
bool vg_lane_slow(struct vg_lane *lane, int64_t now_ns);

/* Answers what is past its deadline: 504. For the watchdog. */
void vg_lane_expire(struct vg_lane *lane, int64_t now_ns);

/* Jobs running and waiting, now. */
void vg_lane_count(struct vg_lane *lane, unsigned int *ret_in_flight,
                   unsigned int *ret_waiting, unsigned int *ret_threads);

/* Refuses new work, and answers all that is there, at work or waiting: 503. What a thread
 * still does is for nobody. */
void vg_lane_close(struct vg_lane *lane);

/* Refuses new work and waits until the threads are gone. */
void vg_lane_stop(struct vg_lane *lane);
