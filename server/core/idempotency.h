/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): a repeated POST gets the
 * first one's answer instead of a second effect.
 */
#pragma once

#include "server/core/request.h"

/* Looks the request's key up. True: go on, the answer will be kept. False: *ret_reply is
 * the answer: the first one's, or a problem when that still runs or was another request.
 */
bool vg_idempotency_begin(struct vg_request *rq, struct vg_reply *ret_reply);

/* The request's on_answer(): keeps the answer, unless nothing was begun: then the key is
 * free again. */
void vg_idempotency_end(struct vg_request *rq, const struct vg_reply *reply);

/* Forgets answers that are a day old by then; now and then. */
void vg_idempotency_tick(int64_t now_ns);

void vg_idempotency_clear(void);
