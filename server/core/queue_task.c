/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The tasks of a queue; see core/queue_task.h.
 */
#include "server/core/queue_task.h"

#include "server/base/list.h"
#include "server/core/identity.h"
#include "server/core/kind.h"

#include <string.h>

#define SLOW_NS (3 * VG_SECOND_NS)

void vg_task_free(struct vg_task *task)
{
    for (unsigned int i = 0; i < task->n_waiters; i++)
        vg_request_unref(task->waiters[i]);
    vg_request_unref(task->leader);
    free(task->waiters);
    free(task);
}

int vg_task_add_waiter(struct vg_task *task, struct vg_request *rq)
{
    if (task->n_waiters == task->size) {
        unsigned int size = task->size ? 2 * task->size : 1;
        struct vg_request **v =
            realloc(task->waiters, size * sizeof(struct vg_request *));
        if (!v)
            return -1;
        task->waiters = v;
        task->size = size;
    }
    task->waiters[task->n_waiters++] = rq;
    if (task->deadline_ns < rq->deadline_ns)
        task->deadline_ns = rq->deadline_ns;
    return 0;
}

enum vg_queue_class vg_task_class(const struct vg_request *rq)
{
    return rq->watched || vg_route_is_read(rq->route) ? VG_QUEUE_READS : VG_QUEUE_CHANGES;
}

static enum vg_kind kind_of(const struct vg_request *rq)
{
    enum vg_kind kind = vg_kind_whole(rq->route->pattern);
    return kind ? kind : vg_kind_listed(rq->route->pattern);
}

struct vg_task *vg_task_new(struct vg_request *rq)
{
    struct vg_task *task = calloc(1, sizeof(*task));
    if (!task || vg_task_add_waiter(task, rq) < 0) {
        free(task);
        return NULL;
    }
    task->leader = vg_request_ref(rq);
    task->object = rq->object;
    task->kind = kind_of(rq);
    task->class = vg_task_class(rq);
    return task;
}

void vg_task_append(struct vg_queue *queue, struct vg_task *task)
{
    struct vg_queue_waiting *class = &queue->classes[task->class];
    task->number = queue->submitted++;
    vg_list_insert(class->last, task);
    class->last = &task->next;
    class->waiting++;
}

void vg_task_put_back(struct vg_queue *queue, struct vg_task *task)
{
    struct vg_queue_waiting *class = &queue->classes[task->class];
    if (!class->first)
        class->last = &task->next;
    vg_list_insert(&class->first, task);
    class->waiting++;
}

void vg_task_remove(struct vg_queue *queue, struct vg_task *task)
{
    struct vg_queue_waiting *class = &queue->classes[task->class];
    if (class->last == &task->next)
        class->last = task->link;
    vg_list_remove(task);
    class->waiting--;
}

void vg_tasks_drop_empty(struct vg_queue *queue)
{
    for (int i = 0; i < VG_QUEUE_CLASSES; i++) {
        for (struct vg_task *task = queue->classes[i].first, *next; task; task = next) {
            next = task->next;
            if (task->n_waiters)
                continue;
            vg_task_remove(queue, task);
            vg_task_free(task);
        }
    }
}

unsigned int vg_tasks_waiting(const struct vg_queue *queue)
{
    return queue->classes[VG_QUEUE_READS].waiting +
           queue->classes[VG_QUEUE_CHANGES].waiting;
}

unsigned int vg_tasks_in_flight(const struct vg_queue *queue)
{
    return queue->classes[VG_QUEUE_READS].in_flight +
           queue->classes[VG_QUEUE_CHANGES].in_flight;
}

/* ---- choosing ---------------------------------------------------------------------- */

/* Whether reads of all kinds but domains leave a thread to other kinds: libvirt finds a
 * network by asking each for its name, and waits for one that hangs. */
static bool leaves_one(const struct vg_queue *queue, const struct vg_task *task)
{
    unsigned int n = 0, most = queue->classes[VG_QUEUE_READS].max_in_flight;

    if (task->kind <= VG_KIND_DOMAIN || task->class != VG_QUEUE_READS || most < 2)
        return true;
    for (const struct vg_task *j = queue->running; j; j = j->next)
        n += j->kind == task->kind && j->class == VG_QUEUE_READS;
    return n < most - 1;
}

/* Whether another call of the task's object is at work, listed before `until`; each that
 * is for no object is one of its own. */
static bool is_changed(const struct vg_queue *queue, uint64_t object,
                       const struct vg_task *until)
{
    for (const struct vg_task *j = queue->running; object && j != until; j = j->next)
        if (j->object == object && j->class == VG_QUEUE_CHANGES)
            return true;
    return false;
}

/* Whether the host may have one more object changed, if this is one more. */
static bool may_change(const struct vg_queue *queue, const struct vg_task *task)
{
    unsigned int n = 0;

    if (task->class != VG_QUEUE_CHANGES || is_changed(queue, task->object, NULL))
        return true;
    for (const struct vg_task *j = queue->running; j; j = j->next)
        n += j->class == VG_QUEUE_CHANGES && !is_changed(queue, j->object, j);
    return n < queue->max_changed;
}

static bool may_run(const struct vg_queue *queue, const struct vg_task *task)
{
    unsigned int n = 0;
    if (task->object)
        for (const struct vg_task *j = queue->running; j; j = j->next)
            n += j->object == task->object;
    return n < (task->object & VG_KEY_OF_LIST ? 1 : queue->per_object) &&
           leaves_one(queue, task) && may_change(queue, task);
}

unsigned int vg_tasks_runnable(const struct vg_queue *queue)
{
    unsigned int sum = 0;
    for (int i = 0; i < VG_QUEUE_CLASSES; i++) {
        const struct vg_queue_waiting *class = &queue->classes[i];
        unsigned int n = 0, free = class->max_in_flight - class->in_flight;
        for (const struct vg_task *task = class->first; task && n < free;
             task = task->next)
            n += may_run(queue, task);
        sum += n;
    }
    return sum;
}

/* While the host has no room for a connection for each thread, changes leave one to
 * reads. */
static unsigned int most_in_flight(const struct vg_queue *queue,
                                   enum vg_queue_class class)
{
    unsigned int most = queue->classes[class].max_in_flight;
    bool few = class == VG_QUEUE_CHANGES && most < queue->max_threads &&
               queue->few_until_ns > vg_now_ns();
    unsigned int left = queue->threads > 1 ? queue->threads - 1 : 1;
    return few && left < most ? left : most;
}

/* The next task of the class; NULL: none may run. */
static struct vg_task *first_of(const struct vg_queue *queue, enum vg_queue_class class)
{
    if (queue->classes[class].in_flight >= most_in_flight(queue, class))
        return NULL;
    struct vg_task *task = queue->classes[class].first;
    while (task && !may_run(queue, task))
        task = task->next;
    return task;
}

struct vg_task *vg_tasks_choose(struct vg_queue *queue)
{
    if (queue->paused && !queue->stopping)
        return NULL;
    struct vg_task *read = first_of(queue, VG_QUEUE_READS);
    struct vg_task *change = first_of(queue, VG_QUEUE_CHANGES);
    struct vg_task *task =
        !read || (change && change->number < read->number) ? change : read;
    if (!task)
        return NULL;
    vg_task_remove(queue, task);
    vg_list_insert(&queue->running, task);
    queue->classes[task->class].in_flight++;
    task->leader->begun = true;
    task->slow_ns = vg_now_ns() + SLOW_NS;
    return task;
}

/* Whether `a`, which waits, asks for the same answer as `b`, and one at least as fresh.
 */
static bool equal_reads(const struct vg_request *a, const struct vg_request *b)
{
    return a->route == b->route && (a->fresh || !b->fresh) && a->accept == b->accept &&
           a->rights == b->rights && a->number_strings == b->number_strings &&
           strcmp(a->target, b->target) == 0 && vg_identity_equal(a, b);
}

struct vg_task *vg_tasks_find_equal(struct vg_queue *queue, const struct vg_request *rq)
{
    if (!vg_request_is_shared(rq))
        return NULL;
    for (struct vg_task *task = queue->classes[VG_QUEUE_READS].first; task;
         task = task->next)
        if (vg_request_is_shared(task->leader) && equal_reads(task->leader, rq))
            return task;
    return NULL;
}
