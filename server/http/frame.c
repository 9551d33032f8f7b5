/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See http/frame.h.
 */
#include "server/http/frame.h"

#include "server/base/clock.h"
#include "server/core/event_text.h"
#include "virtgate/cleanup.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define MAX_QUEUED   (64 * 1024) /* bytes */
#define MAX_MESSAGES 1024        /* a pong may have none */
#define MAX_REASON   123         /* bytes of a close frame's text */

bool vg_http_frames_full(const struct vg_http_websocket *s)
{
    return wslay_event_get_queued_msg_length(s->frames) >= MAX_QUEUED ||
           wslay_event_get_queued_msg_count(s->frames) >= MAX_MESSAGES;
}

static ssize_t not_now(wslay_event_context_ptr frames)
{
    wslay_event_set_error(frames, WSLAY_ERR_WOULDBLOCK);
    return -1;
}

static ssize_t receive(wslay_event_context_ptr frames, uint8_t *buffer, size_t size,
                       int flags, void *data)
{
    struct vg_http_websocket *s = data;
    (void)flags;

    if (s->n_input) /* the channel is to take that first */
        return not_now(frames);
    if (s->n_early) { /* few, and epoll does not know of them */
        size_t n = s->n_early < size ? s->n_early : size;
        memcpy(buffer, s->early, n);
        s->n_early -= n;
        memmove(s->early, s->early + n, s->n_early);
        return (ssize_t)n;
    }
    if (vg_http_frames_full(s) || !s->budget)
        return not_now(frames);
    ssize_t n = recv(s->fd, buffer, size < s->budget ? size : s->budget, MSG_DONTWAIT);
    if (n > 0) {
        s->budget -= (size_t)n;
        s->heard_ns = vg_now_ns();
        return n;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return not_now(frames);
    s->dead = true; /* nobody is there to be told why */
    wslay_event_set_error(frames, WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static ssize_t transmit(wslay_event_context_ptr frames, const uint8_t *bytes, size_t size,
                        int flags, void *data)
{
    struct vg_http_websocket *s = data;
    ssize_t n =
        send(s->fd, bytes, size,
             MSG_DONTWAIT | MSG_NOSIGNAL | (flags & WSLAY_MSG_MORE ? MSG_MORE : 0));

    if (n >= 0)
        return n;
    if (errno == EAGAIN || errno == EINTR)
        return not_now(frames);
    wslay_event_set_error(frames, WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

/* A whole message. To a subscriber nothing is said; a channel takes it in any form. */
static void take_message(wslay_event_context_ptr frames,
                         const struct wslay_event_on_msg_recv_arg *message, void *data)
{
    struct vg_http_websocket *s = data;
    (void)frames;

    if (!s->channel || wslay_is_ctrl_frame(message->opcode) || !message->msg_length)
        return;
    char *input = realloc(s->input, s->n_input + message->msg_length);
    if (!input) {
        s->dead = true;
        return;
    }
    s->input = input;
    memcpy(s->input + s->n_input, message->msg, message->msg_length);
    s->n_input += message->msg_length;
}

const struct wslay_event_callbacks vg_http_frame_callbacks = {
    .recv_callback = receive,
    .send_callback = transmit,
    .on_msg_recv_callback = take_message,
};

void vg_http_frame_data(struct vg_http_websocket *s, uint8_t opcode, const char *text,
                        size_t length)
{
    const struct wslay_event_msg message = {opcode, (const uint8_t *)text, length};
    if (wslay_event_queue_msg(s->frames, &message) != 0)
        s->dead = true;
}

void vg_http_frame_reset(struct vg_http_websocket *s, const char *reason)
{
    size_t n;
    vg_autofree char *text = vg_event_make_reset(reason, &n);
    if (text)
        vg_http_frame_data(s, WSLAY_TEXT_FRAME, text, n);
    else
        s->dead = true;
}

/* The whole text, or what a close frame holds of it, in whole characters. */
static size_t fit_reason(const char *text)
{
    size_t n = strnlen(text, MAX_REASON + 1);

    if (n <= MAX_REASON)
        return n;
    n = MAX_REASON;
    while (n && ((unsigned char)text[n] & 0xC0) == 0x80)
        n--;
    return n;
}

void vg_http_frame_close(struct vg_http_websocket *s, uint16_t code, const char *why)
{
    s->ending = true;
    wslay_event_queue_close(s->frames, code, (const uint8_t *)why, fit_reason(why));
}
