/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See http/websocket.h. After the answer 101 libmicrohttpd hands the socket over; from
 * then on it belongs to the one thread here. It carries events, which a subscriber gives
 * (subscribers are woken on another thread, which only puts the socket's name on a list),
 * or the bytes of a channel, whose descriptor is polled beside its own.
 */
#include "server/http/websocket.h"

#include "server/base/clock.h"
#include "server/http/conn.h"
#include "server/http/frame.h"
#include "server/base/list.h"
#include "virtgate/cleanup.h"
#include "server/base/log.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define PING_NS    (15 * VG_SECOND_NS)
#define SILENCE_NS (45 * VG_SECOND_NS) /* without a sign of life */
#define REFUSED_NS (2 * VG_SECOND_NS)  /* for the close of one that was refused */
#define REFUSED    4000                /* its code, beside the status */
#define TICK_MS    1000
#define MAX_INPUT  4096        /* subscribers have nothing to say but control frames */
#define MAX_BYTES  (64 * 1024) /* of one message to a channel */
#define PIECE      (16 * 1024)
#define TURN       (64 * 1024) /* bytes that one socket may say in its turn */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of `arriving` and `woken` */
static struct vg_http_websocket *arriving, *woken;
static bool running, stopping, channels_end, must_look;
static pthread_t thread;
static int epoll_fd = -1, wake_fd = -1;
static struct vg_http_websocket *sockets; /* the thread's alone */
static struct vg_http_websocket *retired; /* closed; epoll may have named them already */

static void ring_bell(void)
{
    uint64_t one = 1;
    (void)!write(wake_fd, &one, sizeof(one));
}

/* ---- events ------------------------------------------------------------------------ */

static void on_wake(void *data)
{
    struct vg_http_websocket *s = data;
    {
        VG_LOCK(&lock);
        s->woken_next = woken;
        woken = s;
    }
    ring_bell();
}

static void tell_lost(struct vg_http_websocket *s)
{
    vg_http_frame_reset(s, "too-slow");
    vg_http_frame_close(s, WSLAY_CODE_POLICY_VIOLATION, "too slow");
}

/* Takes the next event from the subscriber. False: none now. */
static bool queue_next(struct vg_http_websocket *s)
{
    struct vg_event *event = NULL;
    switch (vg_subscriber_next(s->subscriber, &event)) {
    case VG_SUBSCRIBER_EVENT:
        vg_http_frame_data(s, WSLAY_TEXT_FRAME, event->json, event->json_size);
        vg_event_unref(event);
        return true;
    case VG_SUBSCRIBER_LOST:
        tell_lost(s);
        return false;
    case VG_SUBSCRIBER_ENDED:
        if (vg_http_session_is_over(&s->session))
            vg_http_frame_close(s, WSLAY_CODE_POLICY_VIOLATION, VG_SESSION_OVER);
        else
            vg_http_frame_close(s, WSLAY_CODE_GOING_AWAY,
                                "the gateway ends all subscribers");
        return false;
    case VG_SUBSCRIBER_NONE:
        break;
    }
    return false;
}

/* Gives the socket what it can take, and the subscriber rest until there is more. */
static void pump_events(struct vg_http_websocket *s)
{
    for (;;) {
        while (!s->ending && !s->dead && !s->asleep && !vg_http_frames_full(s) &&
               queue_next(s)) {
        }
        if (!s->dead && wslay_event_send(s->frames) != 0)
            s->dead = true;
        bool full = wslay_event_get_queued_msg_length(s->frames) > 0;
        if (s->dead || s->ending || s->asleep || full)
            return;
        s->asleep = true; /* before: it may be woken at once */
        if (vg_subscriber_sleep(s->subscriber, INT64_MAX))
            return;
        s->asleep = false;
    }
}

/* ---- bytes ------------------------------------------------------------------------- */

static void end_channel(struct vg_http_websocket *s)
{
    char reason[VG_CHANNEL_REASON_SIZE];
    enum vg_channel_end end = s->channel->why(s->channel, reason);
    vg_http_frame_close(s, (uint16_t)end, reason);
}

/* False: nothing now. */
static bool queue_bytes(struct vg_http_websocket *s)
{
    char bytes[PIECE];
    ssize_t n = recv(s->channel->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (n > 0)
        vg_http_frame_data(s, WSLAY_BINARY_FRAME, bytes, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        end_channel(s);
    return n > 0;
}

/* What it does not take is kept, and the client read no further. */
static void feed_channel(struct vg_http_websocket *s)
{
    ssize_t n = send(s->channel->fd, s->input, s->n_input, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n < 0)
        n = errno == EAGAIN || errno == EINTR ? 0 : (ssize_t)s->n_input;
    s->n_input -= (size_t)n; /* a broken one is at its end when it is read next */
    memmove(s->input, s->input + n, s->n_input);
}

static void read_from(struct vg_http_websocket *s);

static void pump_channel(struct vg_http_websocket *s)
{
    while (s->n_input && !s->dead && !s->ending) {
        feed_channel(s);
        if (s->n_input)
            break;
        read_from(s); /* what had to wait for it */
    }
    while (!s->ending && !s->dead && !vg_http_frames_full(s) && queue_bytes(s)) {
    }
    if (!s->dead && wslay_event_send(s->frames) != 0)
        s->dead = true;
}

/* ---- one socket -------------------------------------------------------------------- */

static void poll_side(struct side *side, int fd, uint32_t wanted)
{
    struct epoll_event e = {.events = wanted, .data.ptr = side};

    if (wanted == side->polled)
        return;
    epoll_ctl(epoll_fd,
              !wanted        ? EPOLL_CTL_DEL
              : side->polled ? EPOLL_CTL_MOD
                             : EPOLL_CTL_ADD,
              fd, &e);
    side->polled = wanted;
}

static void poll_for(struct vg_http_websocket *s)
{
    bool writes = wslay_event_want_write(s->frames);
    bool full = vg_http_frames_full(s);
    bool feeds = s->n_input && !s->ending;
    bool listens = wslay_event_want_read(s->frames);

    if (!listens && !writes) {
        s->dead = true; /* the closing handshake is done */
        return;
    }
    uint32_t heard = listens && !full ? EPOLLIN : 0u;
    if (feeds) /* its end is asked for only where it is acted upon: it does not go away */
        heard = EPOLLRDHUP;
    poll_side(&s->near, s->fd, heard | (writes ? EPOLLOUT : 0u));
    if (s->channel)
        poll_side(&s->far, s->channel->fd,
                  (s->ending || full ? 0u : EPOLLIN) | (feeds ? EPOLLOUT : 0u));
}

void vg_http_websocket_free(struct vg_http_websocket *s)
{
    if (!s)
        return;
    vg_http_session_end(&s->session);
    vg_subscriber_free(s->subscriber);
    if (s->channel)
        s->channel->close(s->channel);
    free(s->input);
    if (s->frames)
        wslay_event_context_free(s->frames);
    free(s->early);
    free(s);
}

/* A dead one is freed when its subscriber is awake; it is woken for that. */
static void end_socket(struct vg_http_websocket *s)
{
    poll_side(&s->near, s->fd, 0);
    if (s->channel)
        poll_side(&s->far, s->channel->fd, 0);
    if (s->asleep) {
        vg_subscriber_end(s->subscriber);
        return;
    }
    vg_list_remove(s);
    vg_http_session_end(&s->session);
    if (s->tls)
        vg_http_conn_waited(s->tls); /* which goes with the action */
    MHD_upgrade_action(s->handle, MHD_UPGRADE_ACTION_CLOSE);
    s->near.of = s->far.of = NULL;
    s->next = retired;
    retired = s;
}

static void free_retired(void)
{
    for (struct vg_http_websocket *s = retired, *next; s; s = next) {
        next = s->next;
        vg_http_websocket_free(s);
    }
    retired = NULL;
}

/* Whatever happened: sends, sleeps, or ends. */
static void attend(struct vg_http_websocket *s)
{
    if (!s->dead && s->channel)
        pump_channel(s);
    else if (!s->dead)
        pump_events(s);
    s->budget = TURN;
    if (!s->dead)
        poll_for(s);
    if (s->dead)
        end_socket(s);
}

static void read_from(struct vg_http_websocket *s)
{
    int rc = s->dead ? 0 : wslay_event_recv(s->frames);

    if (rc == WSLAY_ERR_NOMEM)
        s->dead = true;
    /* of a fault in the frames themselves wslay has queued the close that says so */
    if (rc || !wslay_event_get_read_enabled(s->frames)) /* it closes, or made a fault */
        s->ending = true;
}

static void check_time(struct vg_http_websocket *s, int64_t now)
{
    if (s->n_input && !s->ending)
        s->heard_ns = now; /* it is not listened to */
    if (s->heard_ns + (s->refused ? REFUSED_NS : SILENCE_NS) < now)
        s->dead = true;
    if (s->ping_ns > now)
        return;
    s->ping_ns = now + PING_NS;
    const struct wslay_event_msg ping = {WSLAY_PING, NULL, 0};
    if (!s->ending)
        wslay_event_queue_msg(s->frames, &ping);
}

/* ---- the thread -------------------------------------------------------------------- */

static void take_arriving(void)
{
    struct vg_http_websocket *list;
    {
        VG_LOCK(&lock);
        list = vg_take(&arriving);
    }
    for (struct vg_http_websocket *s = list, *next; s; s = next) {
        next = s->next;
        vg_list_insert(&sockets, s);
        read_from(s);
        attend(s);
    }
}

static void take_woken(void)
{
    struct vg_http_websocket *list;
    {
        VG_LOCK(&lock);
        list = vg_take(&woken);
    }
    for (struct vg_http_websocket *s = list, *next; s; s = next) {
        next = s->woken_next;
        s->asleep = false;
        attend(s);
    }
}

static bool must_end_channels(void)
{
    VG_LOCK(&lock);
    return channels_end;
}

/* On the watchdog: this thread looks which it is. */
static void look_again(void)
{
    VG_LOCK(&lock);
    must_look = true;
    if (running)
        ring_bell();
}

static void end_session(void *data)
{
    (void)data;
    look_again();
}

/* The client's connection has ended. Under TLS the bytes go through libmicrohttpd, which
 * passes an end on when it writes next. */
static void note_gone(void *data)
{
    struct vg_http_websocket *s = data;
    atomic_store(&s->gone, true);
    look_again();
}

static bool must_end_sessions(void)
{
    VG_LOCK(&lock);
    bool over = must_look;
    must_look = false;
    return over;
}

static void attend_all(bool kill)
{
    int64_t now = vg_now_ns();
    bool end = must_end_channels();
    for (struct vg_http_websocket *s = sockets, *next; s; s = next) {
        next = s->next;
        check_time(s, now);
        if (end && s->channel && !s->ending)
            vg_http_frame_close(s, WSLAY_CODE_GOING_AWAY, "the gateway stops");
        if (vg_http_session_is_over(&s->session) && !s->ending)
            vg_http_frame_close(s, WSLAY_CODE_POLICY_VIOLATION, VG_SESSION_OVER);
        s->dead = s->dead || kill || atomic_load(&s->gone);
        attend(s);
    }
}

static bool is_stopping(void)
{
    VG_LOCK(&lock);
    return stopping && !arriving;
}

static void attend_event(const struct epoll_event *event)
{
    const struct side *side = event->data.ptr;
    uint64_t count;

    if (!side) {
        (void)!read(wake_fd, &count, sizeof(count));
        return;
    }
    struct vg_http_websocket *s = side->of;
    if (!s)
        return; /* closed by an event before this one */
    if (side == &s->near && event->events & EPOLLRDHUP && s->n_input)
        s->dead = true; /* gone, with more said than the channel takes */
    else if (side == &s->near && event->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        read_from(s);
    attend(s);
}

static void *serve(void *data)
{
    struct epoll_event events[64];
    int64_t tick = 0, give_up = INT64_MAX;
    (void)data;

    for (;;) {
        bool hurry = give_up != INT64_MAX || must_end_channels();
        int n = epoll_wait(epoll_fd, events, 64, hurry ? TICK_MS / 20 : TICK_MS);
        for (int i = 0; i < n; i++)
            attend_event(&events[i]);
        take_arriving();
        take_woken();
        int64_t now = vg_now_ns();
        if (is_stopping() && give_up == INT64_MAX)
            give_up = now + VG_SECOND_NS / 2;
        if (must_end_sessions() || now >= tick || hurry) {
            attend_all(now >= give_up);
            tick = now + TICK_MS * (VG_SECOND_NS / 1000);
        }
        free_retired();
        if (give_up != INT64_MAX && !sockets)
            return NULL;
    }
}

/* Lock held. */
static int start_thread(void)
{
    struct epoll_event e = {.events = EPOLLIN};

    if (running)
        return 0;
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    running = epoll_fd >= 0 && wake_fd >= 0 &&
              epoll_ctl(epoll_fd, EPOLL_CTL_ADD, wake_fd, &e) == 0 &&
              pthread_create(&thread, NULL, serve, NULL) == 0;
    if (running)
        return 0;
    if (epoll_fd >= 0)
        close(epoll_fd);
    if (wake_fd >= 0)
        close(wake_fd);
    epoll_fd = wake_fd = -1;
    return -1;
}

void vg_http_websockets_end_channels(void)
{
    VG_LOCK(&lock);
    channels_end = true;
    if (running)
        ring_bell();
}

void vg_http_websockets_stop(void)
{
    pthread_mutex_lock(&lock);
    bool there = running;
    stopping = true;
    pthread_mutex_unlock(&lock);
    if (!there)
        return;
    ring_bell();
    pthread_join(thread, NULL);
    close(epoll_fd);
    close(wake_fd);
}

/* ---- the beginning ----------------------------------------------------------------- */

/* The socket is ours from here on. */
static void take_socket(void *data, struct MHD_Connection *connection, void *state,
                        const char *early, size_t n_early, MHD_socket fd,
                        struct MHD_UpgradeResponseHandle *handle)
{
    struct vg_http_websocket *s = data;
    struct vg_http_call *call = state;

    call->websocket = NULL;
    vg_http_set_deadline(call->conn, 0); /* it has pings instead */
    s->fd = fd;
    s->budget = TURN;
    s->handle = handle;
    if (vg_http_is_tls(connection)) {
        s->tls = call->conn;
        vg_http_conn_waits(s->tls, note_gone, s);
    }
    s->heard_ns = vg_now_ns();
    s->ping_ns = s->heard_ns + PING_NS;
    if (n_early && (s->early = malloc(n_early))) {
        memcpy(s->early, early, n_early);
        s->n_early = n_early;
    }
    bool refused = n_early && !s->early;
    {
        VG_LOCK(&lock);
        refused = refused || stopping || start_thread() < 0;
        if (!refused) {
            s->next = arriving;
            arriving = s;
        }
    }
    if (!refused) {
        ring_bell();
        return;
    }
    if (s->tls)
        vg_http_conn_waited(s->tls);
    vg_http_session_end(&s->session);
    MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
    vg_http_websocket_free(s);
}

/* NULL: out of memory; otherwise *ret is the call's, and its response to be sent. */
static struct MHD_Response *begin(struct vg_http_call *call, uint64_t max_input,
                                  struct vg_http_websocket **ret)
{
    struct vg_http_websocket *s = calloc(1, sizeof(*s));
    vg_autofree char *accept = vg_http_websocket_accept(call->headers.websocket_key);
    struct MHD_Response *response = NULL;

    if (s && accept &&
        wslay_event_context_server_init(&s->frames, &vg_http_frame_callbacks, s) == 0) {
        wslay_event_config_set_max_recv_msg_length(s->frames, max_input);
        response = MHD_create_response_for_upgrade(take_socket, s);
    }
    if (!response) {
        vg_http_websocket_free(s);
        return NULL;
    }
    s->near.of = s->far.of = s;
    call->websocket = s;
    MHD_add_response_header(response, "Upgrade", "websocket");
    MHD_add_response_header(response, "Sec-WebSocket-Accept", accept);
    *ret = s;
    return response;
}

struct MHD_Response *vg_http_websocket(struct vg_http_call *call,
                                       struct vg_subscription *subscription)
{
    struct vg_http_websocket *s;
    struct MHD_Response *response = begin(call, MAX_INPUT, &s);

    if (response) {
        vg_http_session_begin(&s->session, call, end_session, s);
        s->subscriber = vg_take(&subscription->subscriber);
        vg_subscriber_on_wake(s->subscriber, on_wake, s);
        if (subscription->reset)
            vg_http_frame_reset(s, "gone");
    }
    vg_subscription_free(subscription);
    return response;
}

struct MHD_Response *vg_http_websocket_of(struct vg_http_call *call,
                                          struct vg_channel *channel)
{
    struct vg_http_websocket *s;
    struct MHD_Response *response = begin(call, MAX_BYTES, &s);
    const char *protocol = vg_http_websocket_protocol(call);

    if (!response) {
        channel->close(channel);
        return NULL;
    }
    vg_http_session_begin(&s->session, call, end_session, s);
    s->channel = channel;
    if (protocol)
        MHD_add_response_header(response, "Sec-WebSocket-Protocol", protocol);
    return response;
}

/* A problem as the text of a close: its title, or, of libvirt's errors, whose titles name
 * a class, its detail. Owned by the caller; NULL: it has none. */
static char *explain(const json_t *problem)
{
    const char *key = json_object_get(problem, "error") ? "detail" : "title";
    const char *why = json_string_value(json_object_get(problem, key));
    const char *holder = json_string_value(json_object_get(problem, "holder"));
    char *text = NULL;

    if (holder)
        return asprintf(&text, "in use by %s", holder) < 0 ? NULL : text;
    return why ? strdup(why) : NULL;
}

struct MHD_Response *vg_http_websocket_refusal(struct vg_http_call *call,
                                               const struct vg_reply *problem)
{
    const struct vg_body *body = problem->body;
    json_auto_t *json = body ? json_loadb(body->data, body->length, 0, NULL) : NULL;
    vg_autofree char *why = explain(json);
    struct vg_http_websocket *s;
    struct MHD_Response *response = begin(call, MAX_INPUT, &s);

    if (!response)
        return NULL;
    s->refused = true;
    vg_http_frame_close(s, (uint16_t)(REFUSED + problem->status), why ? why : "");
    return response;
}
