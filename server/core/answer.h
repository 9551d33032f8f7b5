/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Answering a request: once, by whoever comes first.
 */
#pragma once

#include "server/core/request.h"

/* The work's answer, which its client is given, too, unless it has been answered or goes
 * by the request's on_end(). The reply is taken in any case. Any thread. */
void vg_request_answer(struct vg_request *rq, struct vg_reply reply);

/* The client's answer while its work goes on. The reply is taken in any case. */
void vg_request_answer_early(struct vg_request *rq, struct vg_reply reply);
