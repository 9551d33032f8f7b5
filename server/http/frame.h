/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One WebSocket, and its frames by wslay; for http/websocket.c, whose thread it belongs
 * to.
 */
#pragma once

#include "server/http/session.h"
#include "server/http/websocket.h"

#include <sys/epoll.h>
#include <wslay/wslay.h>

/* What epoll names: one of a socket's two descriptors. */
struct side {
    struct vg_http_websocket *of;
    uint32_t polled;
};

struct vg_http_websocket {
    struct vg_http_websocket *next, **link;
    struct vg_http_websocket *woken_next;
    struct vg_http_session session; /* while the connection is there */
    int fd;
    struct vg_http_conn *tls; /* under TLS, whose end `fd` does not tell; else NULL */
    atomic_bool gone;         /* that has ended */
    struct MHD_UpgradeResponseHandle *handle;
    wslay_event_context_ptr frames;
    struct vg_subscriber *subscriber;
    bool asleep;           /* the subscriber will wake it */
    bool ending;           /* no more events are sent */
    bool refused;          /* it is not waited for */
    bool dead;             /* to be freed when the subscriber does not sleep */
    struct side near, far; /* the client's descriptor, the channel's */
    struct vg_channel *channel;
    char *input; /* to the channel, not taken yet; owned */
    size_t n_input;
    size_t budget; /* bytes it may still say before others have their turn */
    int64_t heard_ns, ping_ns;
    char *early; /* bytes that came with the request; owned */
    size_t n_early;
};

/* Whether so much waits to be sent that it is not listened to: wslay queues an answer to
 * each ping. */
bool vg_http_frames_full(const struct vg_http_websocket *s);

extern const struct wslay_event_callbacks vg_http_frame_callbacks;

/* Queues a message. */
void vg_http_frame_data(struct vg_http_websocket *s, uint8_t opcode, const char *text,
                        size_t length);

/* Queues the JSON of a reset. Without memory for it the socket ends: rather that than a
 * gap. */
void vg_http_frame_reset(struct vg_http_websocket *s, const char *reason);

/* Queues the last frame; of a long `why` what it holds, in whole characters. */
void vg_http_frame_close(struct vg_http_websocket *s, uint16_t code, const char *why);
