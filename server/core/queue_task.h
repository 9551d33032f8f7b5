/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The inside of a queue, shared by core/queue.c (threads, deadlines) and
 * core/queue_task.c (what waits, and which of it is next). Callers hold the queue's lock,
 * unless the task is in no queue.
 */
#pragma once

#include "server/core/queue.h"

struct vg_task {
    struct vg_task *next, **link;
    struct vg_request *leader;   /* the one that is run; counted */
    struct vg_request **waiters; /* all that want the answer, the leader first; counted */
    unsigned int n_waiters, size;
    uint64_t object;   /* that it calls; 0: none */
    enum vg_kind kind; /* of that one, or of those that it lists */
    uint64_t number;   /* in the order of submission */
    enum vg_queue_class class;
    int64_t deadline_ns;       /* the latest of its waiters' */
    struct vg_virt_conn *conn; /* while it runs */
    int64_t slow_ns;           /* when it counts as slow; 0: that was told */
};

/* For the request, whose reference it takes. NULL: out of memory. */
struct vg_task *vg_task_new(struct vg_request *rq);
void vg_task_free(struct vg_task *task);

/* -1: out of memory; the caller keeps its reference. */
int vg_task_add_waiter(struct vg_task *task, struct vg_request *rq);

/* Requests about an operation count as reads, even those that cancel it: they are
 * answered soon. */
enum vg_queue_class vg_task_class(const struct vg_request *rq);

/* The equal read that waits; NULL: none. */
struct vg_task *vg_tasks_find_equal(struct vg_queue *queue, const struct vg_request *rq);

/* Appends a task to what waits, puts it back at the head, or takes it out. */
void vg_task_append(struct vg_queue *queue, struct vg_task *task);
void vg_task_put_back(struct vg_queue *queue, struct vg_task *task);
void vg_task_remove(struct vg_queue *queue, struct vg_task *task);

/* ---- reads that wait (core/queue_park.c); called without the queue's lock ---- */

/* Takes those waiters out whose wait for another answer than `reply` goes on; `ret` has
 * them, and no leader. */
void vg_task_split(struct vg_task *task, const struct vg_reply *reply,
                   struct vg_task *ret);
/* Parks them. The references are the queue's. */
void vg_queue_park(struct vg_queue *queue, struct vg_task *waiting, int64_t wait_ns);
/* Takes those out whose time has come, as waiters of `ret`. */
void vg_queue_take_parked(struct vg_queue *queue, int64_t now_ns, struct vg_task *ret);

/* Frees waiting tasks whose requests have all been answered. */
void vg_tasks_drop_empty(struct vg_queue *queue);

unsigned int vg_tasks_waiting(const struct vg_queue *queue);
unsigned int vg_tasks_in_flight(const struct vg_queue *queue);
/* How many of the waiting tasks could run now. */
unsigned int vg_tasks_runnable(const struct vg_queue *queue);

/* Takes the next task that may run; it counts as running. NULL: none may. */
struct vg_task *vg_tasks_choose(struct vg_queue *queue);
