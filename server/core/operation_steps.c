/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Work that is several calls, one after the other: shown as steps, taken back the last
 * one first. See include/virtgate/operation.h.
 */
#include "server/core/operation_internal.h"

#include "virtgate/cleanup.h"

#include <string.h>

/* ---- what has become of a step ----------------------------------------------------- */

static void list_steps(struct vg_operation *op, const struct vg_step *steps, size_t n)
{
    VG_LOCK(&vg_operations_lock);
    for (size_t i = 0; i < n; i++)
        op->steps[i].name = steps[i].name;
    op->n_steps = n;
    op->stoppable = true;
}

/* False: the operation was cancelled, and the step is not to begin. */
static bool note_begun(struct vg_operation *op, size_t i)
{
    VG_LOCK(&vg_operations_lock);
    if (op->cancel_requested)
        return false;
    op->steps[i].state = STEP_RUNNING;
    clock_gettime(CLOCK_REALTIME, &op->steps[i].started);
    vg_operation_tell(op, "progress");
    return true;
}

static void note_ended(struct vg_operation *op, size_t i, enum step_state state,
                       const struct vg_error *why)
{
    VG_LOCK(&vg_operations_lock);
    struct step *s = &op->steps[i];
    s->state = state;
    clock_gettime(CLOCK_REALTIME, &s->ended);
    s->error = why && why->detail ? strdup(why->detail) : s->error;
}

/* No step is left to begin. False: it was cancelled before that was so. */
static bool close_steps(struct vg_operation *op)
{
    VG_LOCK(&vg_operations_lock);
    op->stoppable = false;
    return !op->cancel_requested;
}

/* ---- running them ------------------------------------------------------------------ */

static void undo(struct vg_operation *op, const struct vg_step *steps, size_t done,
                 void *data)
{
    for (size_t i = done; i-- > 0;) {
        struct vg_error why = {0};
        if (!steps[i].undo)
            continue;
        bool failed = steps[i].undo(data) < 0;
        if (failed)
            vg_error_set_virt(&why);
        note_ended(op, i, failed ? STEP_UNDO_FAILED : STEP_UNDONE, failed ? &why : NULL);
        vg_error_clear(&why);
    }
}

static int stop(struct vg_request *rq, const struct vg_step *steps, size_t done,
                void *data)
{
    struct vg_operation *op = rq->operation;

    undo(op, steps, done, data);
    if (rq->error.status)
        return -1;
    VG_LOCK(&vg_operations_lock);
    op->stopped = true;
    vg_error_set(&rq->error, VG_E_JOB_CANCELLED,
                 "The operation was cancelled; what it had done is undone");
    return -1;
}

int vg_operation_run_steps(struct vg_request *rq, const struct vg_step *steps, size_t n,
                           void *data)
{
    struct vg_operation *op = rq->operation;

    list_steps(op, steps, n);
    for (size_t i = 0; i < n; i++) {
        if (!note_begun(op, i))
            return stop(rq, steps, i, data);
        bool failed = steps[i].run(rq, data) < 0;
        note_ended(op, i, failed ? STEP_FAILED : STEP_SUCCEEDED,
                   failed ? &rq->error : NULL);
        if (failed) {
            (void)close_steps(op);
            return stop(rq, steps, i, data);
        }
    }
    return close_steps(op) ? 0 : stop(rq, steps, n, data);
}

bool vg_operation_is_cancelled(const struct vg_request *rq)
{
    VG_LOCK(&vg_operations_lock);
    return rq->operation->cancel_requested;
}

bool vg_operation_stop(struct vg_operation *op)
{
    VG_LOCK(&vg_operations_lock);
    if (!op->stoppable)
        return false;
    op->cancel_requested = true;
    return true;
}
