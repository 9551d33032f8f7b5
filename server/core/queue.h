/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A bounded queue of requests, and a few threads that run them: started when needed, gone
 * when idle. Knows nothing of libvirt but that each thread has a connection, which others
 * make and free.
 */
#pragma once

#include "server/core/request.h"

#include <pthread.h>

struct vg_virt_conn;
struct vg_task;
struct vg_parked;

/* How many calls may be in flight for one object of the host, of whatever kind: one that
 * hangs takes no more threads. */
#define VG_CALLS_PER_OBJECT 2
#define VG_STUCK_OBJECTS    16

/* Reads never wait for changes, which may take seconds: each class has a list of its own,
 * and so many calls in flight. */
enum vg_queue_class { VG_QUEUE_READS, VG_QUEUE_CHANGES, VG_QUEUE_CLASSES };

struct vg_queue_waiting {
    struct vg_task *first, **last;
    unsigned int waiting, in_flight;
    unsigned int max_in_flight;
};

/* What a queue does with the connection of a thread of its own. */
struct vg_queue_conns {
    struct vg_virt_conn *(*make)(void); /* NULL: out of memory */
    void (*free)(struct vg_virt_conn *conn);
    /* The call that is made on it is cut then; 0: never. Any thread. */
    void (*limit)(struct vg_virt_conn *conn, int64_t at_ns);
};

struct vg_queue {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct vg_queue_waiting classes[VG_QUEUE_CLASSES];
    struct vg_task *running;
    uint64_t submitted;         /* tasks, to number them */
    unsigned int threads, idle; /* `idle` of `threads` */
    unsigned int leaving; /* threads that close their connections; not in `threads` */
    int64_t idle_ns;      /* how long a thread stays without work */
    unsigned int max_threads;
    unsigned int max_waiting; /* of each class */
    unsigned int per_object;  /* calls in flight for one object, at most */
    unsigned int max_changed; /* objects that are changed at a time, at most */
    bool stopping;
    bool paused; /* what is queued waits, until its deadline: the host is being connected
                  */
    /* Until then no thread is started beside those that there are: one just found that
     * the host takes no more connections. */
    int64_t few_until_ns;
    /* Objects whose call was cut at its deadline, and until when they are left alone. */
    struct {
        uint64_t object;
        int64_t until_ns;
    } stuck[VG_STUCK_OBJECTS];
    unsigned int next_stuck;

    /* Reads that wait for what is not there yet (vg_not_yet()), `n_parked` of them. */
    struct vg_parked *parked;
    unsigned int n_parked;

    /* Where a read goes that turns out not to belong here (vg_requeue()); NULL: none. */
    struct vg_queue *fallback;

    const struct vg_queue_conns *conns;
    /* Runs one request on the thread's connection. */
    struct vg_reply (*run)(void *data, struct vg_virt_conn *conn, struct vg_request *rq);
    void *data;
};

void vg_queue_init(struct vg_queue *queue, unsigned int threads,
                   unsigned int max_waiting);

/* Runs at most so many reads and so many changes at a time, on as many threads in all,
 * and changes of at most so many `objects`. Until this is called any thread is for both.
 * Before the first request. */
void vg_queue_split(struct vg_queue *queue, unsigned int reads, unsigned int changes,
                    unsigned int objects);

/* Queues a request, or lets it share the call of an equal read that waits. `object` is
 * the key of the object that its calls are about, 0 for none: an object that hangs has
 * limits of its own. Takes over the caller's reference; answers at once when the queue
 * is full. Any thread; does not block. */
void vg_queue_submit(struct vg_queue *queue, struct vg_request *rq, uint64_t object);

/* Pauses it, or lets what waits begin. Any thread; does not block. */
void vg_queue_pause(struct vg_queue *queue, bool paused);

/* Gives up what waits, and, if `running`, what runs, whose calls are cut. Long work that
 * has begun goes on, and so do requests about it. answer(data, request) takes over a
 * reference, and is called without the queue's lock. For the watchdog. */
void vg_queue_abandon(struct vg_queue *queue, bool running,
                      void (*answer)(void *data, struct vg_request *rq), void *data);

/* Whether a call has just become slow, which it is after some seconds: its host may be
 * silent. Told once of each call. For the watchdog. */
bool vg_queue_slow(struct vg_queue *queue, int64_t now_ns);

/* Answers 504 to what is past its deadline, and starts threads that could not be started
 * before; what waits by vg_not_yet() is run again when it is time. For the watchdog. */
void vg_queue_expire(struct vg_queue *queue, int64_t now_ns);

/* Tasks and threads at this moment. */
struct vg_queue_load {
    unsigned int in_flight, changes; /* `changes` of those in flight */
    unsigned int waiting, threads;
};
struct vg_queue_load vg_queue_load(struct vg_queue *queue);

/* Refuses new work, and answers 503 to all that runs or waits. The result of a call that
 * is still running is dropped. */
void vg_queue_close(struct vg_queue *queue);

/* Refuses new work and waits until the threads are gone. */
void vg_queue_stop(struct vg_queue *queue);
