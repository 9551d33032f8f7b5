/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads that wait for what is not there yet (vg_not_yet()): they hold no worker, and the
 * watchdog submits them again now and then.
 */
#include "server/core/queue_task.h"

#include "server/core/answer.h"
#include "server/core/operation.h"
#include "virtgate/cleanup.h"

/* Between two looks. */
#define PARKED_NS (VG_SECOND_NS / 2)

struct vg_parked {
    struct vg_parked *next;
    struct vg_request *rq; /* counted */
    int64_t at_ns;
};

static bool goes_on(const struct vg_request *rq, int64_t wait_ns)
{
    return vg_now_ns() < rq->start_ns + wait_ns && !vg_operation_wait_is_over(rq);
}

void vg_task_split(struct vg_task *task, const struct vg_reply *reply,
                   struct vg_task *ret)
{
    unsigned int kept = 0;
    for (unsigned int i = 0; i < task->n_waiters; i++) {
        struct vg_request *rq = task->waiters[i];
        if (!goes_on(rq, reply->not_yet_ns) || vg_task_add_waiter(ret, rq) < 0)
            task->waiters[kept++] = rq;
    }
    task->n_waiters = kept;
}

/* False: no more may wait. Lock held. */
static bool park(struct vg_queue *queue, struct vg_request *rq, int64_t wait_ns)
{
    struct vg_parked *parked =
        queue->n_parked < queue->max_waiting ? malloc(sizeof(*parked)) : NULL;
    if (!parked)
        return false;
    int64_t now = vg_now_ns(), end = rq->start_ns + wait_ns;
    if (!rq->parked) /* the deadline is that of a call, which the last one may need */
        rq->deadline_ns += wait_ns;
    rq->parked = true;
    rq->begun = false;
    *parked = (struct vg_parked){.next = queue->parked, .rq = rq};
    parked->at_ns = end < now + PARKED_NS ? end : now + PARKED_NS;
    queue->parked = parked;
    queue->n_parked++;
    return true;
}

void vg_queue_park(struct vg_queue *queue, struct vg_task *waiting, int64_t wait_ns)
{
    unsigned int refused = 0;
    {
        VG_LOCK(&queue->lock);
        for (unsigned int i = 0; i < waiting->n_waiters; i++)
            if (queue->stopping || !park(queue, waiting->waiters[i], wait_ns))
                waiting->waiters[refused++] = waiting->waiters[i];
    }
    for (unsigned int i = 0; i < refused; i++) {
        struct vg_request *rq = waiting->waiters[i];
        vg_request_answer(rq, vg_reply_error(rq, VG_E_OVERLOADED,
                                             "Too many requests wait for this host; try "
                                             "again, without ?wait= at once"));
        vg_request_unref(rq);
    }
    free(waiting->waiters);
}

void vg_queue_take_parked(struct vg_queue *queue, int64_t now_ns, struct vg_task *ret)
{
    VG_LOCK(&queue->lock);
    for (struct vg_parked **at = &queue->parked; *at;) {
        struct vg_parked *p = *at;
        if (p->at_ns > now_ns || vg_task_add_waiter(ret, p->rq) < 0) {
            at = &p->next;
            continue;
        }
        *at = p->next;
        free(p);
        queue->n_parked--;
    }
}
