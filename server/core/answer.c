/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/core/answer.h"

#include "server/core/audit.h"

void vg_request_answer(struct vg_request *rq, struct vg_reply reply)
{
    vg_audit_end(rq, &reply);
    if (rq->on_end && rq->on_end(rq, &reply))
        vg_reply_clear(&reply);
    else
        vg_request_answer_early(rq, reply);
}

void vg_request_answer_early(struct vg_request *rq, struct vg_reply reply)
{
    if (atomic_exchange(&rq->answered, true)) {
        vg_reply_clear(&reply);
        return;
    }
    if (rq->on_answer)
        rq->on_answer(rq, &reply);
    rq->done(rq, reply);
}
