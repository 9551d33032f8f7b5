/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Contents on the wire: windows of them are fetched while the client reads, and the
 * connection is suspended where it reads faster. What waits for a slow client is one
 * window, as small as the client is slow; where memory is short, and others wait for it,
 * not even that: what was dropped is fetched again.
 */
#include "server/core/content.h"

#include "server/base/list.h"
#include "server/http/door.h"
#include "server/http/header.h"
#include "server/http/internal.h"
#include "server/http/session.h"
#include "virtgate/body_stream.h"
#include "virtgate/cleanup.h"

#include <stdio.h>
#include <string.h>

/* A window that lasts longer than this is too large for its client, one that lasts
 * shorter is too small. */
#define LONG_NS  VG_SECOND_NS
#define SHORT_NS (VG_SECOND_NS / 10)
/* From this size on the client is so fast that the next window is fetched ahead, or that
 * the bytes are poured into its socket. */
#define AHEAD_SIZE (4 * VG_WINDOW_MIN)
/* Of fewer bytes it does not pay. */
#define POUR_LENGTH ((uint64_t)16 * 1024 * 1024)
/* What a client has not read for so long, it goes without while others wait. */
#define IDLE_NS       VG_SECOND_NS
#define STALL_SECONDS 30 /* a client that takes nothing is cut */
/* So many turns of the watchdog apart, those that were cancelled are looked for. */
#define LOOK_TURNS 8

struct vg_http_sender {
    struct vg_http_sender *next, **link; /* list of all */
    TAILQ_ENTRY(vg_http_sender) order;   /* while it is hungry */
    atomic_uint refs;     /* the answer; its call; the window that is fetched */
    struct vg_feed *feed; /* counted */

    pthread_mutex_t lock;      /* of these */
    struct vg_http_call *call; /* NULL: it is over */
    struct vg_window *now, *ahead;
    struct vg_window *spare; /* was read, and serves for the next: pages cost time */
    size_t size;             /* of the next window */
    int64_t got_ns;          /* since when there is `now` */
    int64_t read_ns;         /* when the client last took anything */
    uint64_t wanted;         /* what it sleeps for */
    bool fetching;
    bool asleep; /* the connection is suspended */
    bool failed;
    bool pours;      /* may be poured: the connection ends with it */
    uint64_t poured; /* what libmicrohttpd knows nothing of */
};

/* To be held before any sender's. */
static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct vg_http_sender *all;
TAILQ_HEAD(senders, vg_http_sender);
/* Those that sleep because there is no memory. */
static struct senders hungry = TAILQ_HEAD_INITIALIZER(hungry);
static atomic_uint n_hungry;
static bool ended;

/* Of all windows. */
static void free_windows(struct vg_http_sender *s)
{
    vg_window_free(vg_take(&s->now));
    vg_window_free(vg_take(&s->ahead));
    vg_window_free(vg_take(&s->spare));
}

static void unref_sender(struct vg_http_sender *s)
{
    if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    free_windows(s);
    vg_feed_unref(s->feed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static bool is_unsized(const struct vg_http_sender *s)
{
    return s->feed->content.size == VG_CONTENT_UNSIZED;
}

/* ---- fetching ---------------------------------------------------------------------- */

/* Lets the connection go on: it is the network thread's from here on. */
static void wake_sender(struct vg_http_sender *s)
{
    vg_http_set_deadline(s->call->conn, STALL_SECONDS);
    MHD_resume_connection(s->call->connection);
    vg_http_leave();
}

/* Whether its bytes go out by themselves: then libmicrohttpd has none to send. */
static bool is_pouring(const struct vg_http_sender *s)
{
    return s->pours && s->size >= AHEAD_SIZE;
}

static bool covers(const struct vg_window *window, uint64_t at)
{
    return window && window->offset <= at && at - window->offset < window->length;
}

/* Who did not take it all has to show anew that he is fast. Lock held. */
static void note_poured(struct vg_http_sender *s, const struct vg_window *window)
{
    if (!window || !is_pouring(s))
        return;
    s->poured += window->poured;
    if (covers(window, s->wanted + window->poured))
        s->size = VG_WINDOW_MIN;
}

/* Of any thread, once for each fetch; NULL: there was an error. */
static void take_window(void *data, struct vg_window *window)
{
    struct vg_http_sender *s = data;
    bool wake;
    {
        VG_LOCK(&s->lock);
        s->fetching = false;
        s->failed = s->failed || !window;
        note_poured(s, window);
        struct vg_window **place = s->now ? &s->ahead : &s->now;
        if (s->failed)
            vg_window_free(window);
        else
            *place = window;
        s->got_ns = vg_now_ns();
        wake = s->asleep;
        s->asleep = false;
    }
    if (wake)
        wake_sender(s);
    unref_sender(s);
}

/* Room for what follows from `at` on; NULL: there is no memory now. */
static struct vg_window *make_window(struct vg_http_sender *s, uint64_t at)
{
    uint64_t left = s->feed->range.offset + s->feed->range.length - at;
    size_t most = is_pouring(s) ? VG_PIECE_SIZE : s->size;
    size_t size = is_unsized(s) || left > most ? most : (size_t)left;

    if (s->spare && s->spare->size == most)
        return vg_take(&s->spare);
    vg_window_free(vg_take(&s->spare));
    return vg_window_new(size < VG_WINDOW_MIN ? size : VG_WINDOW_MIN, size);
}

/* `fetching` is set. No lock is held: the window may be there before this returns. */
static void fetch(struct vg_http_sender *s, struct vg_window *window, uint64_t at)
{
    atomic_fetch_add(&s->refs, 1);
    if (is_pouring(s))
        vg_feed_pour(s->feed, window, at, s->call->conn->fd, take_window, s);
    else
        vg_feed_fetch(s->feed, window, at, take_window, s);
}

/* ---- memory ------------------------------------------------------------------------ */

/* Those who have not read for a while make room. Lock of all held. */
static void drop_idle(int64_t now_ns)
{
    for (struct vg_http_sender *s = all; s; s = s->next) {
        VG_LOCK(&s->lock);
        if (s->asleep || is_unsized(s) || now_ns - s->read_ns < IDLE_NS)
            continue;
        free_windows(s);
    }
}

/* The next one for which there is memory now; NULL: none. */
static struct vg_http_sender *next_hungry(struct vg_window **ret_window)
{
    VG_LOCK(&all_lock);
    struct vg_http_sender *s = TAILQ_FIRST(&hungry);

    *ret_window = s ? make_window(s, s->wanted) : NULL;
    if (s && !*ret_window) {
        drop_idle(vg_now_ns());
        *ret_window = make_window(s, s->wanted);
    }
    if (!*ret_window)
        return NULL;
    TAILQ_REMOVE(&hungry, s, order);
    atomic_fetch_sub(&n_hungry, 1);
    return s;
}

static void feed_hungry(void)
{
    struct vg_window *window;
    struct vg_http_sender *s;

    while (atomic_load(&n_hungry) && (s = next_hungry(&window)))
        fetch(s, window, s->wanted);
}

static bool is_cancelled(const struct vg_http_sender *s)
{
    const struct vg_content *content = &s->feed->content;
    return content->is_cancelled && content->is_cancelled(content->data);
}

/* One whose client reads, or whose window comes, ends by itself; this is for others. */
static void end_cancelled(void)
{
    VG_LOCK(&all_lock);
    for (struct vg_http_sender *s = all; s; s = s->next) {
        VG_LOCK(&s->lock);
        if (s->failed || !s->call || !is_cancelled(s))
            continue;
        s->failed = true;
        if (!s->asleep)
            vg_http_set_deadline(s->call->conn, 1);
    }
}

void vg_http_contents_tick(void)
{
    static unsigned int turns; /* the watchdog's alone */

    feed_hungry();
    if (++turns % LOOK_TURNS == 0)
        end_cancelled();
}

/* The connection is suspended, and `fetching` set: in its turn it is fetched for. */
static void starve(struct vg_http_sender *s)
{
    bool never;
    {
        VG_LOCK(&all_lock);
        never = ended;
        if (!never) {
            TAILQ_INSERT_TAIL(&hungry, s, order);
            atomic_fetch_add(&n_hungry, 1);
        }
    }
    if (never) {
        atomic_fetch_add(&s->refs, 1);
        take_window(s, NULL);
    }
}

static struct vg_http_sender *last_hungry(void)
{
    VG_LOCK(&all_lock);
    struct vg_http_sender *s = TAILQ_FIRST(&hungry);

    ended = true;
    if (!s)
        return NULL;
    TAILQ_REMOVE(&hungry, s, order);
    atomic_fetch_sub(&n_hungry, 1);
    atomic_fetch_add(&s->refs, 1);
    return s;
}

void vg_http_contents_end(void)
{
    struct vg_http_sender *s;

    while ((s = last_hungry()))
        take_window(s, NULL);
}

/* ---- reading ----------------------------------------------------------------------- */

/* The next window is larger or smaller, as the client took the last one. Lock held. */
static void adapt(struct vg_http_sender *s, int64_t now_ns)
{
    int64_t lasted = now_ns - s->got_ns;

    if (lasted < SHORT_NS && s->size < VG_WINDOW_MAX)
        s->size *= 2;
    else if (lasted > LONG_NS && s->size > VG_WINDOW_MIN)
        s->size /= 2;
}

/* Makes the window at `at` the present one. False: it is to be waited for. Lock held. */
static bool turn_to(struct vg_http_sender *s, uint64_t at)
{
    int64_t now_ns = vg_now_ns();

    if (covers(s->now, at))
        return true;
    if (s->now)
        adapt(s, now_ns);
    vg_window_free(vg_take(&s->spare));
    s->spare = vg_take(&s->now);
    if (!covers(s->ahead, at)) {
        vg_window_free(vg_take(&s->ahead));
        return false;
    }
    s->now = vg_take(&s->ahead);
    s->got_ns = now_ns;
    return true;
}

/* Whether what follows `now` is to be fetched already, of a fast client. Lock held. */
static bool wants_ahead(const struct vg_http_sender *s)
{
    return s->size >= AHEAD_SIZE && !s->pours && !s->fetching && !s->ahead &&
           !is_unsized(s) &&
           s->now->offset + s->now->length <
               s->feed->range.offset + s->feed->range.length;
}

/* Copies what is there, and makes the window that is to be fetched ahead, if any. */
static size_t copy(struct vg_http_sender *s, uint64_t at, char *buffer, size_t size,
                   struct vg_window **ret_ahead)
{
    size_t from = (size_t)(at - s->now->offset), left = s->now->length - from;
    size_t n = left < size ? left : size;
    uint64_t end = s->now->offset + s->now->length;

    memcpy(buffer, s->now->data + from, n);
    s->feed->done = at + n == s->feed->range.offset + s->feed->range.length;
    s->read_ns = vg_now_ns();
    *ret_ahead = wants_ahead(s) ? make_window(s, end) : NULL;
    s->fetching = s->fetching || *ret_ahead;
    s->wanted = end;
    return n;
}

/* 0: the connection is suspended until there is something to send. */
static ssize_t sleep_sender(struct vg_http_sender *s, uint64_t at)
{
    struct vg_window *window = NULL;
    bool fetched;
    {
        VG_LOCK(&s->lock);
        if (!vg_http_enter())
            return MHD_CONTENT_READER_END_WITH_ERROR;
        fetched = s->fetching;
        s->fetching = true;
        s->wanted = at;
        s->asleep = true;
        if (!fetched)
            window = make_window(s, at);
        vg_http_set_deadline(s->call->conn, 0);
        MHD_suspend_connection(s->call->connection);
    }
    if (window)
        fetch(s, window, at);
    else if (!fetched)
        starve(s);
    return 0;
}

static ssize_t read_content(void *data, uint64_t position, char *buffer, size_t size)
{
    struct vg_http_sender *s = data;
    const uint64_t end = s->feed->range.offset + s->feed->range.length;
    struct vg_window *ahead = NULL;
    uint64_t at, wanted;
    size_t n = 0;

    vg_http_set_deadline(s->call->conn, STALL_SECONDS);
    {
        VG_LOCK(&s->lock);
        at = s->feed->range.offset + position + s->poured;
        if (s->failed || vg_http_session_is_over(&s->call->session))
            return MHD_CONTENT_READER_END_WITH_ERROR;
        if (is_unsized(s) && s->now && !s->now->length) {
            s->feed->done = true;
            return MHD_CONTENT_READER_END_OF_STREAM;
        }
        if (s->poured && at == end) {
            s->feed->done = true;
            return MHD_CONTENT_READER_END_OF_STREAM;
        }
        if (turn_to(s, at))
            n = copy(s, at, buffer, size, &ahead);
        wanted = s->wanted;
    }
    if (ahead)
        fetch(s, ahead, wanted);
    feed_hungry();
    return n ? (ssize_t)n : sleep_sender(s, at);
}

/* ---- the answer -------------------------------------------------------------------- */

void vg_http_content_gone(struct vg_http_call *call)
{
    struct vg_http_sender *s = vg_take(&call->sender);

    if (!s)
        return;
    {
        VG_LOCK(&s->lock);
        s->call = NULL;
    }
    unref_sender(s);
}

/* The answer is sent, or its client has gone. */
static void close_sender(void *data)
{
    struct vg_http_sender *s = data;
    {
        VG_LOCK(&all_lock);
        vg_list_remove(s);
    }
    {
        VG_LOCK(&s->lock);
        free_windows(s);
        s->failed = true; /* what is fetched comes too late */
    }
    unref_sender(s);
    feed_hungry();
}

/* The next read sees that it is over; who does not read is cut. */
static void end_session(void *data)
{
    (void)data;
}

static struct vg_http_sender *make_sender(struct vg_http_call *call, struct vg_feed *feed)
{
    struct vg_http_sender *s = calloc(1, sizeof(*s));

    if (!s) {
        vg_feed_unref(feed);
        return NULL;
    }
    atomic_init(&s->refs, 1);
    pthread_mutex_init(&s->lock, NULL);
    s->call = call;
    s->feed = feed;
    s->now = vg_take(&feed->first);
    s->size = VG_WINDOW_MIN;
    s->got_ns = s->read_ns = vg_now_ns();
    VG_LOCK(&all_lock);
    vg_list_insert(&all, s);
    return s;
}

/* What a quoted string holds without ado (RFC 9110, 5.6.4). */
static bool is_plain(const char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\' || *text == '%')
            return false;
    return true;
}

/* RFC 6266; RFC 8187 where the name is not of ASCII. A browser saves it in any case. */
static void add_disposition(struct MHD_Response **response, const char *filename)
{
    vg_autofree char *encoded = filename ? vg_percent_encode(filename) : NULL;
    vg_autofree char *value = NULL;
    int rc = -1;

    if (!filename)
        rc = asprintf(&value, "attachment");
    else if (is_plain(filename))
        rc = asprintf(&value, "attachment; filename=\"%s\"", filename);
    else if (encoded)
        rc = asprintf(&value, "attachment; filename*=UTF-8''%s", encoded);
    if (rc < 0)
        value = NULL;
    vg_http_add_header(response, "Content-Disposition", value ? value : "attachment");
}

static void add_range(struct MHD_Response **response, const struct vg_feed *feed)
{
    vg_autofree char *value = NULL;
    const struct vg_byte_range *range = &feed->range;

    if (asprintf(&value, "bytes %llu-%llu/%llu", (unsigned long long)range->offset,
                 (unsigned long long)(range->offset + range->length - 1),
                 (unsigned long long)feed->content.size) < 0) {
        value = NULL;
        MHD_destroy_response(*response);
        *response = NULL; /* a part that does not say which is no answer */
    }
    vg_http_add_header(response, "Content-Range", value);
}

/* What tells of the content in the answer's header. */
static void add_fields(struct MHD_Response **response, const struct vg_feed *feed,
                       int status)
{
    if (feed->content.size == VG_CONTENT_UNSIZED)
        return;
    vg_http_add_header(response, "Accept-Ranges", "bytes");
    add_disposition(response, feed->content.filename);
    if (status == 206 && *response)
        add_range(response, feed);
}

/* A large one of a client that reads as fast as the host sends, where nothing stands
 * between its bytes and the socket. libmicrohttpd does not know of them, so its next
 * request needs another connection. */
static bool may_pour(const struct vg_http_call *call, const struct vg_feed *feed)
{
    return call->rq->method == VG_GET && feed->content.open &&
           feed->range.length >= POUR_LENGTH && !vg_http_is_tls(call->connection);
}

struct MHD_Response *vg_http_content(struct vg_http_call *call, int status,
                                     struct vg_feed *feed)
{
    struct vg_http_sender *s = make_sender(call, feed);
    if (!s)
        return NULL;
    s->pours = may_pour(call, feed);
    call->close = call->close || s->pours;
    uint64_t length = is_unsized(s) ? MHD_SIZE_UNKNOWN : feed->range.length;
    struct MHD_Response *response = MHD_create_response_from_callback(
        length, feed->block ? feed->block : 1, read_content, s, close_sender);

    if (!response) {
        close_sender(s);
        return NULL;
    }
    if (call->rq->method == VG_GET)
        vg_http_session_begin(&call->session, call, end_session, NULL);
    atomic_fetch_add(&s->refs, 1);
    call->sender = s;
    add_fields(&response, feed, status);
    return response;
}
