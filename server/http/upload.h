/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Calls whose body is read while it arrives (core/body_stream.h): the request is
 * dispatched with its header, and libmicrohttpd receives while a worker uses what has
 * come. Where there is no room the connection is suspended, and TCP has the client wait.
 */
#pragma once

#include "server/http/internal.h"

/* Makes the request's stream, and suspends the connection until its worker wants the
 * body or there is an answer. -1: the request's error is set. */
int vg_http_upload_begin(struct vg_http_call *call);

/* The next of libmicrohttpd's calls. */
enum MHD_Result vg_http_upload_step(struct vg_http_call *call, const char *data,
                                    size_t *size);

/* The request's done(). An answer that comes before the body's end closes the connection:
 * nobody wants the rest. Any thread. */
void vg_http_upload_answer(struct vg_request *rq, struct vg_reply *reply, bool closing);

/* libmicrohttpd is done with the call. */
void vg_http_upload_end(struct vg_http_call *call);
