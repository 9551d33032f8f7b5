/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * WebSockets (RFC 6455): one thread for all of them, frames by wslay.
 */
#pragma once

#include "server/event_reply.h"
#include "server/http_internal.h"

/* Whether the request asks for a WebSocket at a place that has one. -1: it does so
 * wrongly, the request's error is set. */
int vg_http_websocket_asked(struct vg_http_call *call);

/* The answer 101, after which the events of `watching`, which is taken, are sent as text
 * messages. NULL: out of memory. */
struct MHD_Response *vg_http_websocket(struct vg_http_call *call,
                                       struct vg_watching *watching);

/* One that was answered but never handed over. Accepts NULL. */
void vg_http_websocket_free(struct vg_http_websocket *socket);

/* Closes all of them and ends their thread. */
void vg_http_websockets_stop(void);
