/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Answering a request: once, by whoever comes first.
 */
#pragma once

#include "server/core/request.h"

/* Ends the request's work with this answer. Its client gets it, too, unless it has been
 * answered before or on_end() says that the operation answers it. Takes over the reply in
 * any case. Any thread. */
void vg_request_answer(struct vg_request *rq, struct vg_reply reply);

/* Answers the client while the work goes on. Takes over the reply in any case. */
void vg_request_answer_early(struct vg_request *rq, struct vg_reply reply);
