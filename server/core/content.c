/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See core/content.h.
 */
#include "server/core/content.h"

#include "server/base/fd.h"
#include "server/base/log.h"
#include "virtgate/cleanup.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <xxhash.h>

#define BYTES_TYPE "application/octet-stream"
/* How long one content has a worker before it is the next one's turn, and how long its
 * client may take nothing meanwhile. */
#define POUR_NS       (VG_SECOND_NS / 10)
#define POUR_STALL_MS 20

static void (*submit)(struct vg_request *rq);

void vg_feeds_start(void (*how)(struct vg_request *rq))
{
    submit = how;
}

/* ---- windows ----------------------------------------------------------------------- */

/* Pages of their own, so that they go back to the system at once: a heap keeps what it
 * once had. */
struct vg_window *vg_window_new(size_t least, size_t most)
{
    size_t size = vg_transfer_memory_take(least, most);
    struct vg_window *window = size ? malloc(sizeof(*window)) : NULL;
    void *data = window ? mmap(NULL, size, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                        : MAP_FAILED;

    if (data == MAP_FAILED) {
        free(window);
        vg_transfer_memory_give(size);
        return NULL;
    }
    *window = (struct vg_window){.size = size, .data = data};
    return window;
}

void vg_window_free(struct vg_window *window)
{
    if (!window)
        return;
    munmap(window->data, window->size);
    vg_transfer_memory_give(window->size);
    free(window);
}

/* ---- feeds ------------------------------------------------------------------------- */

struct vg_feed *vg_feed_ref(struct vg_feed *feed)
{
    atomic_fetch_add_explicit(&feed->refs, 1, memory_order_relaxed);
    return feed;
}

static void clear_content(struct vg_content *content, bool done)
{
    if (content->end)
        content->end(content->data, done);
    free(content->filename);
    free(content->version);
    *content = (struct vg_content){0};
}

void vg_feed_unref(struct vg_feed *feed)
{
    if (!feed || atomic_fetch_sub_explicit(&feed->refs, 1, memory_order_acq_rel) != 1)
        return;
    clear_content(&feed->content, feed->done);
    vg_window_free(feed->first);
    vg_transfer_memory_give(feed->block);
    vg_request_unref(feed->from);
    free(feed);
}

/* ---- fetching ---------------------------------------------------------------------- */

struct fetch {
    struct vg_feed *feed;     /* counted */
    struct vg_window *window; /* NULL: handed over */
    int fd;                   /* to which it is poured, owned; -1: it is not */
    void (*ready)(void *data, struct vg_window *window);
    void *data;
};

static bool is_unsized(const struct vg_feed *feed)
{
    return feed->content.size == VG_CONTENT_UNSIZED;
}

/* How much of the range fits. */
static size_t measure(const struct vg_feed *feed, const struct vg_window *window,
                      uint64_t offset)
{
    uint64_t left = feed->range.offset + feed->range.length - offset;
    return is_unsized(feed) || left > window->size ? window->size : (size_t)left;
}

/* -1: the request's error is set. */
static int fill(struct vg_feed *feed, struct vg_window *window, struct vg_request *rq,
                uint64_t offset)
{
    size_t n = measure(feed, window, offset);
    ssize_t got = feed->content.read(feed->content.data, rq, offset, window->data, n);

    if (got >= 0 && (size_t)got < n && !is_unsized(feed)) {
        vg_error_set(&rq->error, VG_E_CONFLICT,
                     "The content ends before its size: it was cut while it was read");
        return -1;
    }
    window->offset = offset;
    window->length = got < 0 ? 0 : (size_t)got;
    return got < 0 ? -1 : 0;
}

/* How many of its bytes the client takes now; one that has gone takes none, which the
 * HTTP side finds out by itself. */
static size_t send_window(const struct vg_window *window, int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    size_t sent = 0;

    while (sent < window->length) {
        ssize_t n = send(fd, window->data + sent, window->length - sent,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n <= 0 && poll(&ready, 1, POUR_STALL_MS) <= 0)
            break;
        if (n <= 0 && !(ready.revents == POLLOUT))
            break;
        sent += n > 0 ? (size_t)n : 0;
    }
    return sent;
}

/* Of an open content. -1: the request's error is set. */
static int pour(struct fetch *fetch, struct vg_request *rq)
{
    struct vg_window *window = fetch->window;
    const uint64_t begin = window->offset;
    const uint64_t end = fetch->feed->range.offset + fetch->feed->range.length;
    const int64_t until = vg_now_ns() + POUR_NS;
    uint64_t at = begin;
    size_t sent;

    do {
        if (fill(fetch->feed, window, rq, at) < 0)
            return -1;
        sent = send_window(window, fetch->fd);
        at += sent;
    } while (sent == window->length && at < end && vg_now_ns() < until);
    window->poured = at - begin;
    return 0;
}

static int open_and_pour(struct fetch *fetch, struct vg_request *rq)
{
    const struct vg_content *content = &fetch->feed->content;
    const struct vg_byte_range *range = &fetch->feed->range;
    uint64_t begin = fetch->window->offset;

    if (content->open(content->data, rq, begin, range->offset + range->length - begin) <
        0)
        return -1;
    int rc = pour(fetch, rq);
    content->close(content->data, rq);
    return rc;
}

/* The handler of a window's request. */
static struct vg_reply read_window(struct vg_request *rq)
{
    struct fetch *fetch = rq->done_data;
    int rc = fetch->fd < 0 ? fill(fetch->feed, fetch->window, rq, fetch->window->offset)
                           : open_and_pour(fetch, rq);
    return rc < 0 ? vg_fail(rq) : (struct vg_reply){.status = 204};
}

static void log_failure(const struct vg_request *rq, const struct vg_reply *reply)
{
    const char *why = reply->body ? vg_body_plain(reply->body) : NULL;
    vg_log(VG_LOG_WARNING, "content", "%s breaks off: %.*s", rq->id,
           why ? (int)reply->body->length : 0, why ? why : "");
}

/* The worker that reads may still be at it, where somebody else answers for it: then the
 * window stays the request's, until that is freed. */
static void end_fetch(struct vg_request *rq, struct vg_reply reply)
{
    struct fetch *fetch = rq->done_data;
    bool good = reply.status == 204;

    if (!good)
        log_failure(rq, &reply);
    vg_reply_clear(&reply);
    fetch->ready(fetch->data, good ? vg_take(&fetch->window) : NULL);
}

static void free_fetch(struct vg_request *rq)
{
    struct fetch *fetch = rq->done_data;
    vg_window_free(fetch->window);
    vg_feed_unref(fetch->feed);
    vg_fd_close(fetch->fd);
    free(fetch);
}

/* NULL: out of memory. */
static struct vg_request *make_request(struct vg_feed *feed)
{
    const struct vg_request *from = feed->from;
    struct vg_request *rq =
        vg_request_inner(&feed->row, from->target, strlen(vg_host_prefix(from)));

    if (!rq)
        return NULL;
    if (vg_request_parse_target(rq, rq->target) < 0) {
        vg_request_unref(rq);
        return NULL;
    }
    vg_request_set_host(rq, from->host, from->host_name);
    vg_request_act_for(rq, from);
    rq->number_strings = from->number_strings;
    rq->start_ns = vg_now_ns();
    rq->deadline_ns = INT64_MAX; /* the transfer has one of its own */
    rq->done = end_fetch;
    return rq;
}

static void submit_fetch(struct vg_feed *feed, struct vg_window *window_steal,
                         uint64_t offset, int fd_steal,
                         void (*ready)(void *data, struct vg_window *window), void *data)
{
    struct fetch *fetch = malloc(sizeof(*fetch));
    struct vg_request *rq = fetch ? make_request(feed) : NULL;

    if (!rq) {
        free(fetch);
        vg_fd_close(fd_steal);
        vg_window_free(window_steal);
        ready(data, NULL);
        return;
    }
    window_steal->offset = offset;
    window_steal->poured = 0;
    *fetch = (struct fetch){.feed = vg_feed_ref(feed),
                            .window = window_steal,
                            .fd = fd_steal,
                            .ready = ready,
                            .data = data};
    rq->done_data = fetch;
    rq->on_free = free_fetch;
    submit(rq);
}

void vg_feed_fetch(struct vg_feed *feed, struct vg_window *window_steal, uint64_t offset,
                   void (*ready)(void *data, struct vg_window *window), void *data)
{
    submit_fetch(feed, window_steal, offset, -1, ready, data);
}

void vg_feed_pour(struct vg_feed *feed, struct vg_window *window_steal, uint64_t offset,
                  int fd, void (*ready)(void *data, struct vg_window *window), void *data)
{
    /* somebody else may answer for the worker while it sends, and close the connection;
     * without a descriptor nothing is poured */
    submit_fetch(feed, window_steal, offset, vg_fd_copy(fd), ready, data);
}

/* ---- replies ----------------------------------------------------------------------- */

enum vg_range vg_request_range(const struct vg_request *rq, uint64_t size,
                               struct vg_byte_range *ret)
{
    return vg_byte_range_read(rq->range, size, ret);
}

struct vg_reply vg_fail_range(struct vg_request *rq, uint64_t size)
{
    vg_error_set(&rq->error, VG_E_RANGE_NOT_SATISFIABLE,
                 "Nothing of the range is there: the content has %llu bytes",
                 (unsigned long long)size);
    struct vg_reply reply = vg_fail(rq);
    if (asprintf(&reply.content_range, "bytes */%llu", (unsigned long long)size) < 0)
        reply.content_range = NULL;
    return reply;
}

/* If-Range: the range is of the very content that the client has a part of. */
static bool is_same(const struct vg_request *rq, const struct vg_feed *feed)
{
    char tag[VG_TAG_SIZE];
    const struct vg_body body = {.hash = feed->hash};

    if (!rq->if_range)
        return true;
    if (!feed->hash)
        return false;
    vg_tag_write(tag, rq, &body, false);
    return strcmp(rq->if_range, tag) == 0;
}

static struct vg_feed *make_feed(struct vg_request *rq, struct vg_content *content)
{
    struct vg_feed *feed = calloc(1, sizeof(*feed));

    if (!feed) {
        clear_content(content, false);
        return NULL;
    }
    feed->close = vg_feed_unref;
    atomic_init(&feed->refs, 1);
    feed->content = *content;
    *content = (struct vg_content){0};
    if (feed->content.version)
        feed->hash = XXH3_64bits(feed->content.version, strlen(feed->content.version));
    feed->range.length = feed->content.size;
    feed->from = vg_request_ref(rq);
    feed->row = *rq->route;
    feed->row.handler = read_window;
    return feed;
}

static size_t at_most(uint64_t n, size_t most)
{
    return n < most ? (size_t)n : most;
}

/* -1: the request's error is set. */
static int hold_block(struct vg_request *rq, struct vg_feed *feed)
{
    size_t block = at_most(feed->range.length, VG_FEED_BLOCK);

    if (vg_transfer_memory_hold(block)) {
        feed->block = block;
        return 0;
    }
    vg_error_set(&rq->error, VG_E_OVERLOADED,
                 "Too many contents wait for clients that do not read them "
                 "(transfer-memory); try again shortly");
    return -1;
}

/* What is known to be readable is answered 200: the beginning is read now. Without memory
 * for that it is when there is some. */
static int read_first(struct vg_request *rq, struct vg_feed *feed)
{
    if (rq->method == VG_HEAD || !feed->range.length)
        return 0;
    if (hold_block(rq, feed) < 0)
        return -1;
    const struct vg_content *content = &feed->content;
    size_t most = at_most(feed->range.length, VG_WINDOW_MIN);
    bool more = most < feed->range.length;
    if (more && content->begin &&
        content->begin(content->data, rq, feed->range.length) < 0)
        return -1;
    feed->first = vg_window_new(most, most);
    return feed->first ? fill(feed, feed->first, rq, feed->range.offset) : 0;
}

struct vg_reply vg_ok_content(struct vg_request *rq, struct vg_content *content_steal)
{
    struct vg_feed *feed = make_feed(rq, content_steal);
    enum vg_range part = VG_RANGE_WHOLE;

    if (!feed)
        return vg_fail_memory(rq);
    if (!is_unsized(feed) && is_same(rq, feed))
        part = vg_request_range(rq, feed->content.size, &feed->range);
    if (part == VG_RANGE_UNSATISFIABLE || read_first(rq, feed) < 0) {
        struct vg_reply failed = part == VG_RANGE_UNSATISFIABLE
                                     ? vg_fail_range(rq, feed->content.size)
                                     : vg_fail(rq);
        vg_feed_unref(feed);
        return failed;
    }
    return (struct vg_reply){.status = part == VG_RANGE_PART ? 206 : 200,
                             .type = feed->content.type ? feed->content.type : BYTES_TYPE,
                             .feed = feed};
}
