/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Events on the wire: an endless answer (Server-Sent Events, WHATWG HTML section 9.2),
 * and one answer that waits. A stream with nothing to say is suspended: ten thousand of
 * them cost memory only.
 */
#include "server/base/clock.h"
#include "server/core/event_reply.h"
#include "server/core/event_text.h"
#include "server/http/conn.h"
#include "server/http/session.h"
#include "virtgate/cleanup.h"

#include <stdio.h>
#include <string.h>

#define RETRY_MS      1000
#define HEARTBEAT_NS  (15 * VG_SECOND_NS) /* it finds clients that have died */
#define STALL_SECONDS 30                  /* a client that takes nothing is cut */
#define HEARTBEAT     ":\n\n"

struct stream {
    struct vg_http_session session;
    struct vg_http_call *call;
    struct vg_subscriber *subscriber; /* owned */
    struct vg_event *event;           /* counted; what `rest` points into */
    const char *rest;                 /* not sent yet */
    size_t left;
    bool ending;
    int64_t heartbeat_ns;
    char *own; /* frames of the stream itself; owned */
};

/* ---- what a stream says of itself -------------------------------------------------- */

/* "reset": the client has missed something, and is to list again. */
static char *frame_reset(const char *reason)
{
    char revision[VG_REVISION_SIZE], *frame = NULL;
    size_t n;
    vg_autofree char *json = vg_event_make_reset(reason, &n);

    vg_event_write_revision(revision, vg_event_head());
    if (!json || asprintf(&frame, "event: " VG_EVENT_RESET "\nid: %s\ndata: %s\n\n",
                          revision, json) < 0)
        return NULL;
    return frame;
}

/* Takes the text. Without memory for it nothing is said. */
static void say(struct stream *s, char *text_steal)
{
    free(s->own);
    s->own = text_steal;
    s->rest = text_steal;
    s->left = text_steal ? strlen(text_steal) : 0;
}

/* Where it begins, so that a client cut off before its first event resumes there, too. */
static void say_start(struct stream *s, const struct vg_subscription *from)
{
    char revision[VG_REVISION_SIZE], *text = NULL;
    vg_autofree char *reset = from->reset ? frame_reset("gone") : NULL;

    vg_event_write_revision(revision, from->after);
    if (asprintf(&text, "retry: %d\nid: %s\n\n%s", RETRY_MS, revision,
                 reset ? reset : "") < 0)
        text = NULL;
    say(s, text);
    s->ending = !text || (from->reset && !reset); /* rather an end than a gap */
}

/* ---- the stream -------------------------------------------------------------------- */

/* Finds what to send next. False: nothing now. */
static bool next_piece(struct stream *s)
{
    vg_event_unref(vg_take(&s->event));
    if (s->ending)
        return false;
    switch (vg_subscriber_next(s->subscriber, &s->event)) {
    case VG_SUBSCRIBER_EVENT:
        s->rest = s->event->text;
        s->left = s->event->frame_size;
        return true;
    case VG_SUBSCRIBER_LOST:
        s->ending = true;
        say(s, frame_reset("too-slow"));
        return s->left > 0;
    case VG_SUBSCRIBER_ENDED:
        s->ending = true;
        return false;
    case VG_SUBSCRIBER_NONE:
        break;
    }
    if (vg_now_ns() < s->heartbeat_ns)
        return false;
    s->rest = HEARTBEAT;
    s->left = sizeof(HEARTBEAT) - 1;
    s->heartbeat_ns = vg_now_ns() + HEARTBEAT_NS;
    return true;
}

static void wake_stream(void *data)
{
    struct stream *s = data;
    vg_http_set_deadline(s->call->conn, STALL_SECONDS);
    MHD_resume_connection(s->call->connection); /* nothing is touched after this */
}

/* Suspended first: the wake may come before this returns. */
static void sleep_stream(struct stream *s)
{
    vg_http_set_deadline(s->call->conn, 0);
    MHD_suspend_connection(s->call->connection);
    if (!vg_subscriber_sleep(s->subscriber, s->heartbeat_ns))
        wake_stream(s);
}

static ssize_t read_stream(void *data, uint64_t position, char *buffer, size_t size)
{
    struct stream *s = data;
    size_t n = 0;
    (void)position;

    while (n < size && (s->left || next_piece(s))) {
        size_t piece = s->left < size - n ? s->left : size - n;
        memcpy(buffer + n, s->rest, piece);
        n += piece;
        s->rest += piece;
        s->left -= piece;
    }
    if (n) {
        vg_http_set_deadline(s->call->conn, STALL_SECONDS);
        return (ssize_t)n;
    }
    if (s->ending)
        return MHD_CONTENT_READER_END_OF_STREAM;
    sleep_stream(s);
    return 0;
}

static void end_stream(void *data)
{
    struct stream *s = data;
    vg_subscriber_end(s->subscriber);
}

static void close_stream(void *data)
{
    struct stream *s = data;
    vg_http_session_end(&s->session);
    vg_subscriber_free(s->subscriber);
    vg_event_unref(s->event);
    free(s->own);
    free(s);
}

struct MHD_Response *vg_http_event_stream(struct vg_http_call *call,
                                          struct vg_subscription *subscription)
{
    struct stream *s = calloc(1, sizeof(*s));
    struct MHD_Response *response = NULL;

    if (s) {
        s->call = call;
        s->subscriber = vg_take(&subscription->subscriber);
        s->heartbeat_ns = vg_now_ns() + HEARTBEAT_NS;
        vg_subscriber_on_wake(s->subscriber, wake_stream, s);
        vg_http_session_begin(&s->session, call, end_stream, s);
        say_start(s, subscription);
        /* the size of a buffer that chunked answers do not use */
        response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 1, read_stream, s,
                                                     close_stream);
        if (response)
            vg_http_conn_waits(call->conn, end_stream, s);
        else
            close_stream(s);
    }
    vg_subscription_free(subscription);
    return response;
}

/* ---- the poll ---------------------------------------------------------------------- */

static struct vg_reply fail_gone(struct vg_http_call *call)
{
    return vg_reply_error(
        call->rq, VG_E_GONE,
        "Events after this revision are no longer kept; list again, and "
        "go on with its X-Virtgate-Revision");
}

/* Writes the events that are there; how many, or -1: some are lost. */
static int write_events(struct vg_json *w, struct vg_subscriber *subscriber,
                        unsigned int limit, bool *ret_ended)
{
    unsigned int n = 0;
    enum vg_subscriber_state state = VG_SUBSCRIBER_EVENT;

    while (n < limit && state == VG_SUBSCRIBER_EVENT) {
        struct vg_event *event = NULL;
        state = vg_subscriber_next(subscriber, &event);
        if (state == VG_SUBSCRIBER_EVENT) {
            vg_json_raw(w, NULL, event->json, event->json_size);
            n++;
        }
        vg_event_unref(event);
    }
    *ret_ended = state == VG_SUBSCRIBER_ENDED;
    return state == VG_SUBSCRIBER_LOST ? -1 : (int)n;
}

bool vg_http_poll_ready(struct vg_http_call *call, struct vg_reply *ret)
{
    struct vg_subscription *p = call->subscription;
    char revision[VG_REVISION_SIZE];
    vg_auto_json w = vg_json_for(call->rq);
    bool ended;

    if (vg_http_session_is_over(&call->session)) {
        *ret = vg_reply_error(call->rq, VG_E_UNAUTHORIZED, VG_SESSION_OVER);
        return true;
    }
    vg_json_begin_object(&w, NULL);
    vg_json_begin_array(&w, "events");
    int n = write_events(&w, p->subscriber, p->limit, &ended);
    if (n == 0 && !ended && vg_now_ns() < p->due_ns)
        return false;
    if (n < 0) {
        *ret = fail_gone(call);
        return true;
    }
    vg_json_end_array(&w);
    uint64_t seen = vg_subscriber_seen(p->subscriber);
    vg_event_write_revision(revision, seen);
    vg_json_string(&w, "revision", revision);
    vg_json_end_object(&w);
    *ret = vg_ok_written(call->rq, &w);
    ret->has_revision = true;
    ret->revision = seen;
    return true;
}
