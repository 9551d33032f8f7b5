/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Operations that move bytes: how many, how fast, and how they are told to end. See
 * operation.h.
 */
#include "server/core/operation_internal.h"

#include "virtgate/cleanup.h"

/* The register's `end`. */
static void end_session(void *data, const char *by)
{
    (void)by;
    (void)vg_operation_cancel_transfer(data);
}

static void begin_session(struct vg_operation *op, const struct vg_request *rq)
{
    struct vg_session *s = &op->transfer.session;

    s->kind = VG_SESSION_TRANSFER;
    s->domain = op->object;
    s->operation = op->id;
    s->end = end_session;
    s->data = op;
    vg_session_begin(s, rq);
}

int vg_operation_begin_transfer(struct vg_request *rq, uint64_t total,
                                void (*cancel)(void *data), void *data)
{
    struct vg_operation *op = rq->operation;
    int64_t now = vg_now_ns();

    {
        VG_LOCK(&vg_operations_lock);
        struct transfer_state *t = &op->transfer;
        t->is = true;
        t->total = total;
        t->begun_ns = t->last.at_ns = t->before.at_ns = now;
        t->cancel = cancel;
        t->data = data;
    }
    begin_session(op, rq);
    return vg_operation_note_begun(rq, NULL, NULL, -1);
}

void vg_operation_set_total(struct vg_operation *op, uint64_t total)
{
    VG_LOCK(&vg_operations_lock);
    op->transfer.total = total;
}

void vg_operation_count(struct vg_operation *op, uint64_t n)
{
    struct transfer_state *t = &op->transfer;
    uint64_t bytes = atomic_fetch_add(&t->bytes, n) + n;
    int64_t now = vg_coarse_ns();
    VG_LOCK(&vg_operations_lock);

    if (now < t->last.at_ns + VG_SECOND_NS)
        return;
    t->before = t->last;
    t->last.at_ns = now;
    t->last.bytes = bytes;
    if (!op->ended_ns)
        vg_operation_tell(op, "progress");
}

void vg_operation_outlive(struct vg_operation *op)
{
    VG_LOCK(&vg_operations_lock);
    op->transfer.outlives = true;
}

void vg_operation_end_transfer(struct vg_operation *op, enum vg_operation_state state)
{
    struct completion told = {0};

    vg_session_over(&op->transfer.session);
    {
        VG_LOCK(&vg_operations_lock);
        op->transfer.cancel = NULL;
        if (!op->transfer.outlives || op->ended_ns)
            return;
        if (state == VG_OPERATION_FAILED && op->cancel_requested)
            state = VG_OPERATION_CANCELLED;
        told = vg_operation_close(op, state, state == VG_OPERATION_SUCCEEDED ? 200 : 502,
                                  NULL);
        vg_operation_tell(op, "ended");
        vg_operations_drop_old(op->ended_ns);
    }
    vg_operation_wake(told.waiters);
    if (told.rq)
        vg_request_unref(told.rq);
}

bool vg_operation_cancel_transfer(struct vg_operation *op)
{
    VG_LOCK(&vg_operations_lock);
    if (op->ended_ns || !op->transfer.cancel)
        return false;
    op->cancel_requested = true;
    op->transfer.cancel(op->transfer.data);
    return true;
}
