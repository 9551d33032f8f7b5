/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * WebSockets (RFC 6455): one thread for all of them, frames by wslay.
 */
#pragma once

#include "server/core/event_reply.h"
#include "server/http/internal.h"
#include "virtgate/stream.h"

/* Whether the request asks for a WebSocket at a place that has one. -1: it does so
 * wrongly, the request's error is set. */
int vg_http_websocket_asked(struct vg_http_call *call);

/* The answer 101, after which the events of `subscription`, which is taken, are sent as
 * text messages. NULL: out of memory. */
struct MHD_Response *vg_http_websocket(struct vg_http_call *call,
                                       struct vg_subscription *subscription);

/* The same, after which the channel's bytes, which is taken, are sent as binary messages
 * and messages are sent to it. */
struct MHD_Response *vg_http_websocket_of(struct vg_http_call *call,
                                          struct vg_channel *channel);

/* Whether a refusal is to be told by a WebSocket that is closed at once, as
 * `refuse=close` asks: of one that is refused without a 101, scripts in browsers learn
 * nothing. */
bool vg_http_websocket_refuses(const struct vg_http_call *call);

/* The answer 101, after which the WebSocket is closed with 4000 + the status of the
 * reply, a problem, and with its title. NULL: out of memory. */
struct MHD_Response *vg_http_websocket_refusal(struct vg_http_call *call,
                                               const struct vg_reply *problem);

/* Sec-WebSocket-Accept for a key that was found good. Owned by the caller; NULL: out of
 * memory. */
char *vg_http_websocket_accept(const char *key);

/* The subprotocol to agree to; NULL: none was offered that is known. */
const char *vg_http_websocket_protocol(const struct vg_http_call *call);

/* One that was answered but never handed over. Accepts NULL. */
void vg_http_websocket_free(struct vg_http_websocket *socket);

/* Closes those of channels, now and from now on: the gateway stops. */
void vg_http_websockets_end_channels(void);

/* Closes all of them and ends their thread. */
void vg_http_websockets_stop(void);
