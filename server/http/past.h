/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An answer that goes past libmicrohttpd, straight to the client's descriptor: where the
 * library waits for a body that does not come to its end, or would answer in words of its
 * own.
 */
#pragma once

#include "server/http/internal.h"

/* Sends what libmicrohttpd would send of the reply, which is taken, and lets nothing
 * follow it. Under TLS, which only its session may write to, there is no answer. The
 * call's status is that of the answer; it has no response afterwards. */
void vg_http_answer_past(struct vg_http_call *call, struct vg_reply *reply);
