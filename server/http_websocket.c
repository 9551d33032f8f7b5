/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See http_websocket.h. After the answer 101 libmicrohttpd hands the socket over; from
 * then on it belongs to the one thread here. Watches are woken on another thread, which
 * only puts the socket's name on a list.
 */
#include "server/http_websocket.h"

#include "server/clock.h"
#include "virtgate/cleanup.h"
#include "virtgate/log.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <wslay/wslay.h>

#define PING_NS    (15 * VG_SECOND_NS)
#define SILENCE_NS (45 * VG_SECOND_NS) /* without a sign of life */
#define TICK_MS    1000
#define MAX_QUEUED (64 * 1024) /* bytes given to one socket before it takes them */
#define MAX_INPUT  4096        /* clients have nothing to say but control frames */
#define KEY_LENGTH 24
#define GUID       "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

struct vg_http_websocket {
    struct vg_http_websocket *next, **link;
    struct vg_http_websocket *woken_next;
    int fd;
    struct MHD_UpgradeResponseHandle *handle;
    wslay_event_context_ptr frames;
    struct vg_watch *watch;
    bool asleep; /* the watch will wake it */
    bool ending; /* no more events are sent */
    bool dead;   /* to be freed when the watch does not sleep */
    uint32_t polled;
    int64_t heard_ns, ping_ns;
    char *early; /* bytes that came with the request; owned */
    size_t n_early;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of `arriving` and `woken` */
static struct vg_http_websocket *arriving, *woken;
static bool running, stopping;
static pthread_t thread;
static int epoll_fd = -1, wake_fd = -1;
static struct vg_http_websocket *sockets; /* the thread's alone */

static void ring_bell(void)
{
    uint64_t one = 1;
    (void)!write(wake_fd, &one, sizeof(one));
}

/* ---- frames ------------------------------------------------------------------------ */

static ssize_t receive(wslay_event_context_ptr frames, uint8_t *buffer, size_t size,
                       int flags, void *data)
{
    struct vg_http_websocket *s = data;
    (void)flags;

    if (s->n_early) {
        size_t n = s->n_early < size ? s->n_early : size;
        memcpy(buffer, s->early, n);
        s->n_early -= n;
        memmove(s->early, s->early + n, s->n_early);
        return (ssize_t)n;
    }
    ssize_t n = recv(s->fd, buffer, size, MSG_DONTWAIT);
    if (n > 0) {
        s->heard_ns = vg_now_ns();
        return n;
    }
    bool later = n < 0 && (errno == EAGAIN || errno == EINTR);
    wslay_event_set_error(frames,
                          later ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
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
    bool later = errno == EAGAIN || errno == EINTR;
    wslay_event_set_error(frames,
                          later ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static const struct wslay_event_callbacks callbacks = {
    .recv_callback = receive,
    .send_callback = transmit,
};

static void queue_text(struct vg_http_websocket *s, const char *text, size_t length)
{
    const struct wslay_event_msg message = {WSLAY_TEXT_FRAME, (const uint8_t *)text,
                                            length};
    if (wslay_event_queue_msg(s->frames, &message) != 0)
        s->dead = true;
}

static void queue_close(struct vg_http_websocket *s, uint16_t code, const char *why)
{
    s->ending = true;
    wslay_event_queue_close(s->frames, code, (const uint8_t *)why, strlen(why));
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
    char text[320];
    int n = vg_http_write_reset(text, sizeof(text), "too-slow");
    queue_text(s, text, (size_t)n);
    queue_close(s, WSLAY_CODE_POLICY_VIOLATION, "too slow");
}

/* Takes the next event from the watch. False: none now. */
static bool queue_next(struct vg_http_websocket *s)
{
    struct vg_event *event = NULL;
    switch (vg_watch_next(s->watch, &event)) {
    case VG_WATCH_EVENT:
        queue_text(s, event->json, event->json_size);
        vg_event_unref(event);
        return true;
    case VG_WATCH_LOST:
        tell_lost(s);
        return false;
    case VG_WATCH_ENDED:
        queue_close(s, WSLAY_CODE_GOING_AWAY, "the gateway ends all watches");
        return false;
    case VG_WATCH_NONE:
        break;
    }
    return false;
}

/* Gives the socket what it can take, and the watch rest until there is more. */
static void pump(struct vg_http_websocket *s)
{
    for (;;) {
        while (!s->ending && !s->dead && !s->asleep &&
               wslay_event_get_queued_msg_length(s->frames) < MAX_QUEUED &&
               queue_next(s)) {
        }
        if (!s->dead && wslay_event_send(s->frames) != 0)
            s->dead = true;
        bool full = wslay_event_get_queued_msg_length(s->frames) > 0;
        if (s->dead || s->ending || s->asleep || full)
            return;
        s->asleep = true; /* before: it may be woken at once */
        if (vg_watch_sleep(s->watch, INT64_MAX))
            return;
        s->asleep = false;
    }
}

/* ---- one socket -------------------------------------------------------------------- */

static void poll_for(struct vg_http_websocket *s)
{
    uint32_t wanted = (wslay_event_want_read(s->frames) ? EPOLLIN : 0u) |
                      (wslay_event_want_write(s->frames) ? EPOLLOUT : 0u);
    struct epoll_event e = {.events = wanted, .data.ptr = s};

    if (!wanted) {
        s->dead = true; /* the closing handshake is done */
    } else if (wanted != s->polled) {
        epoll_ctl(epoll_fd, s->polled ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, s->fd, &e);
        s->polled = wanted;
    }
}

void vg_http_websocket_free(struct vg_http_websocket *s)
{
    if (!s)
        return;
    vg_watch_free(s->watch);
    if (s->frames)
        wslay_event_context_free(s->frames);
    free(s->early);
    free(s);
}

/* A dead one is freed when its watch is awake; it is woken for that. */
static void end_socket(struct vg_http_websocket *s)
{
    if (s->polled)
        epoll_ctl(epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
    s->polled = 0;
    if (s->asleep) {
        vg_watch_end(s->watch);
        return;
    }
    *s->link = s->next;
    if (s->next)
        s->next->link = s->link;
    MHD_upgrade_action(s->handle, MHD_UPGRADE_ACTION_CLOSE);
    vg_http_websocket_free(s);
}

/* Whatever happened: sends, sleeps, or ends. */
static void attend(struct vg_http_websocket *s)
{
    if (!s->dead)
        pump(s);
    if (!s->dead)
        poll_for(s);
    if (s->dead)
        end_socket(s);
}

static void read_from(struct vg_http_websocket *s)
{
    if (!s->dead && wslay_event_recv(s->frames) != 0)
        s->dead = true;
    if (wslay_event_get_close_received(s->frames))
        s->ending = true;
}

static void check_time(struct vg_http_websocket *s, int64_t now)
{
    if (s->heard_ns + SILENCE_NS < now)
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
        s->next = sockets;
        s->link = &sockets;
        if (sockets)
            sockets->link = &s->next;
        sockets = s;
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

static void attend_all(bool kill)
{
    int64_t now = vg_now_ns();
    for (struct vg_http_websocket *s = sockets, *next; s; s = next) {
        next = s->next;
        check_time(s, now);
        s->dead = s->dead || kill;
        attend(s);
    }
}

static bool is_stopping(void)
{
    VG_LOCK(&lock);
    return stopping && !arriving;
}

static void *serve(void *data)
{
    struct epoll_event events[64];
    int64_t tick = 0, give_up = INT64_MAX;
    (void)data;

    for (;;) {
        int n = epoll_wait(epoll_fd, events, 64,
                           give_up == INT64_MAX ? TICK_MS : TICK_MS / 20);
        for (int i = 0; i < n; i++) {
            struct vg_http_websocket *s = events[i].data.ptr;
            uint64_t count;
            if (!s) {
                (void)!read(wake_fd, &count, sizeof(count));
                continue;
            }
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                read_from(s);
            attend(s);
        }
        take_arriving();
        take_woken();
        int64_t now = vg_now_ns();
        if (is_stopping() && give_up == INT64_MAX)
            give_up = now + VG_SECOND_NS / 2;
        if (now >= tick || now >= give_up) {
            attend_all(now >= give_up);
            tick = now + TICK_MS * (VG_SECOND_NS / 1000);
        }
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
    return running ? 0 : -1;
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

/* ---- the handshake ----------------------------------------------------------------- */

static bool has_token(const char *list, const char *token)
{
    return list && strcasestr(list, token);
}

int vg_http_websocket_asked(struct vg_http_call *call)
{
    const struct vg_http_headers *h = &call->headers;

    if (!has_token(h->upgrade, "websocket") || call->rq->method != VG_GET)
        return 0;
    const union MHD_ConnectionInfo *tls =
        MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    const char *fault = !has_token(h->connection, "upgrade")
                            ? "Upgrade is not named in Connection"
                        : !h->websocket_version || strcmp(h->websocket_version, "13") != 0
                            ? "Sec-WebSocket-Version 13 is spoken here"
                        : !h->websocket_key || strlen(h->websocket_key) != KEY_LENGTH
                            ? "Sec-WebSocket-Key is missing or malformed"
                        : tls ? "There are no WebSockets over this listener's TLS: take "
                                "text/event-stream, or a proxy that does the TLS"
                              : NULL;
    if (!fault)
        return 1;
    vg_error_set(&call->rq->error, VG_E_BAD_REQUEST, "%s", fault);
    return -1;
}

/* RFC 6455, section 4.2.2: proves that the request was understood. */
static char *make_accept(const char *key)
{
    char text[KEY_LENGTH + sizeof(GUID)];
    unsigned char digest[20];
    gnutls_datum_t in = {digest, sizeof(digest)}, out = {0};

    memcpy(text, key, KEY_LENGTH);
    memcpy(text + KEY_LENGTH, GUID, sizeof(GUID));
    if (gnutls_hash_fast(GNUTLS_DIG_SHA1, text, sizeof(text) - 1, digest) < 0 ||
        gnutls_base64_encode2(&in, &out) < 0)
        return NULL;
    char *accept = strndup((const char *)out.data, out.size);
    gnutls_free(out.data);
    return accept;
}

/* The socket is ours from here on. */
static void take_socket(void *data, struct MHD_Connection *connection, void *state,
                        const char *early, size_t n_early, MHD_socket fd,
                        struct MHD_UpgradeResponseHandle *handle)
{
    struct vg_http_websocket *s = data;
    struct vg_http_call *call = state;
    (void)connection;

    call->websocket = NULL;
    s->fd = fd;
    s->handle = handle;
    s->heard_ns = vg_now_ns();
    s->ping_ns = s->heard_ns + PING_NS;
    if (n_early && (s->early = malloc(n_early))) {
        memcpy(s->early, early, n_early);
        s->n_early = n_early;
    }
    bool refused;
    {
        VG_LOCK(&lock);
        refused = stopping || start_thread() < 0;
        if (!refused) {
            s->next = arriving;
            arriving = s;
        }
    }
    if (!refused) {
        ring_bell();
        return;
    }
    MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
    vg_http_websocket_free(s);
}

struct MHD_Response *vg_http_websocket(struct vg_http_call *call,
                                       struct vg_watching *watching)
{
    struct vg_http_websocket *s = calloc(1, sizeof(*s));
    vg_autofree char *accept = make_accept(call->headers.websocket_key);
    struct MHD_Response *response = NULL;

    if (s && accept && wslay_event_context_server_init(&s->frames, &callbacks, s) == 0) {
        wslay_event_config_set_max_recv_msg_length(s->frames, MAX_INPUT);
        response = MHD_create_response_for_upgrade(take_socket, s);
    }
    if (response) {
        s->watch = vg_take(&watching->watch);
        vg_watch_on_wake(s->watch, on_wake, s);
        call->websocket = s;
        MHD_add_response_header(response, "Upgrade", "websocket");
        MHD_add_response_header(response, "Sec-WebSocket-Accept", accept);
        if (watching->reset) {
            char text[320];
            int n = vg_http_write_reset(text, sizeof(text), "gone");
            queue_text(s, text, (size_t)n);
        }
    } else {
        vg_http_websocket_free(s);
    }
    vg_watching_free(watching);
    return response;
}
