/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Bytes both ways, as they come: a route makes a channel, the HTTP side pumps it, and
 * neither knows the other's library.
 */
#pragma once

#include "virtgate/reply.h"

/* RFC 6455, section 7.4.1: how a channel ended. */
enum vg_channel_end {
    VG_CHANNEL_DONE = 1000,
    VG_CHANNEL_TOO_SLOW = 1008,
    VG_CHANNEL_FAILED = 1011,
    /* Of those that applications may use. */
    VG_CHANNEL_TAKEN_OVER = 4001, /* by another session */
    VG_CHANNEL_ENDED = 4002,      /* by DELETE /sessions/{session} */
};
#define VG_CHANNEL_REASON_SIZE 121

struct vg_channel {
    int fd; /* a non-blocking stream socket; the pump's until close() */
    /* Why fd is at its end, once it is: UTF-8. Does not block. */
    enum vg_channel_end (*why)(struct vg_channel *channel,
                               char ret[VG_CHANNEL_REASON_SIZE]);
    /* Closes fd and ends whatever feeds it. Any thread; does not block. */
    void (*close)(struct vg_channel *channel);
};

/* 101: the connection becomes a WebSocket whose messages carry the channel's bytes. Takes
 * the channel; NULL: the request's error says why there is none. */
struct vg_reply vg_upgrade(struct vg_request *rq, struct vg_channel *channel) VG_MUST_USE;
