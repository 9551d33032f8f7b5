/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What tus 1.0.0 asks of HTTP: its version in requests and answers, what OPTIONS tells,
 * and a method that the client cannot send.
 */
#pragma once

#include "server/http/internal.h"

/* Whether the path is that of /uploads or one of them, also where the method has no row.
 */
bool vg_http_is_below_uploads(const struct vg_request *rq);

/* POST with X-HTTP-Method-Override: PATCH or DELETE, to an upload, becomes that. Before
 * it is routed. */
void vg_http_tus_override(struct vg_http_call *call);

/* Checks the version, and gives the fields to the request, where its row is resumable.
 * -1: the request's error is set. */
int vg_http_tus_check(struct vg_http_call *call);

/* The fields of every answer below /uploads. */
void vg_http_tus_answer(const struct vg_http_call *call, const struct vg_reply *reply,
                        struct MHD_Response **response);
