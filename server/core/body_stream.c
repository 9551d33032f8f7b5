/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See core/body_stream.h. A ring of pieces, of which the worker holds the oldest while it
 * uses it. The source goes on when half of them are free again: each wake costs a system
 * call and a turn of its thread. Of a long body whose socket can be had, the worker fills
 * the pieces itself.
 */
#include "server/core/body_stream.h"

#include "server/base/fd.h"
#include "virtgate/cleanup.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define PIECES    4
#define PATIENCE  VG_SECOND_NS        /* then a piece that is not full is used */
#define POLL_MS   100                 /* how often an end is noticed */
#define HAND_OVER (4 * VG_PIECE_SIZE) /* of fewer bytes the source receives all */

#define HAS_GONE "The client has gone before the body's end"
#define TOO_SLOW "Nothing of the body came within --transfer-deadline"

struct vg_body_stream {
    struct vg_body_source source;
    int64_t length;
    char *content_range, *content_digest, *repr_digest; /* owned; NULL: absent */

    pthread_mutex_t lock; /* of all below */
    pthread_cond_t more;
    bool wanted;        /* the worker has asked for it */
    bool ended, broken; /* all has come; no more will */
    bool paused, gone, answered;
    enum vg_error_id error; /* why it is broken */
    const char *why;        /* static */
    int64_t last_ns;        /* when something came */
    char *memory;           /* PIECES pieces */
    size_t sizes[PIECES];   /* bytes in each of them */
    unsigned int first,
        used;     /* those with bytes, the one that is being filled included */
    bool lent;    /* the worker uses the first one */
    int64_t came; /* of the body, so far */
    int fd;       /* from which the worker receives, owned; -1: the source does */
};

static int64_t deadline = 60 * VG_SECOND_NS;

void vg_body_stream_start(int64_t deadline_ns)
{
    deadline = deadline_ns;
}

static int copy_field(char **ret, const char *text)
{
    *ret = text ? strdup(text) : NULL;
    return text && !*ret ? -1 : 0;
}

struct vg_body_stream *vg_body_stream_new(const struct vg_body_source *source,
                                          int64_t length,
                                          const struct vg_body_fields *fields)
{
    struct vg_body_stream *stream = calloc(1, sizeof(*stream));
    if (!stream)
        return NULL;
    stream->source = *source;
    stream->length = length;
    stream->fd = -1;
    pthread_mutex_init(&stream->lock, NULL);
    vg_cond_init(&stream->more);
    if (copy_field(&stream->content_range, fields->content_range) == 0 &&
        copy_field(&stream->content_digest, fields->content_digest) == 0 &&
        copy_field(&stream->repr_digest, fields->repr_digest) == 0)
        return stream;
    vg_body_stream_free(stream);
    return NULL;
}

void vg_body_stream_free(struct vg_body_stream *stream)
{
    if (!stream)
        return;
    pthread_cond_destroy(&stream->more);
    pthread_mutex_destroy(&stream->lock);
    free(stream->content_range);
    free(stream->content_digest);
    free(stream->repr_digest);
    free(stream->memory);
    vg_fd_close(stream->fd);
    free(stream);
}

/* ---- the network side; lock held in static functions --------------------------------
 */

static bool is_open(const struct vg_body_stream *stream)
{
    return stream->wanted && !stream->ended && !stream->broken;
}

static void pause_source(struct vg_body_stream *stream)
{
    if (stream->paused || stream->gone)
        return;
    stream->paused = true;
    stream->source.pause(stream->source.data);
}

static void let_go_on(struct vg_body_stream *stream)
{
    if (!stream->paused || stream->gone)
        return;
    stream->paused = false;
    stream->last_ns = vg_now_ns();
    stream->source.go_on(stream->source.data);
}

void vg_body_stream_hold(struct vg_body_stream *stream)
{
    VG_LOCK(&stream->lock);
    pause_source(stream);
}

static char *piece_at(const struct vg_body_stream *stream, unsigned int i)
{
    return stream->memory + i * VG_PIECE_SIZE;
}

/* The piece that is filled now, or PIECES: all are full. */
static unsigned int open_piece(struct vg_body_stream *stream)
{
    unsigned int last = (stream->first + stream->used - 1) % PIECES;
    bool only_lent = stream->used == 1 && stream->lent;

    if (stream->used && !only_lent && stream->sizes[last] < VG_PIECE_SIZE)
        return last;
    if (stream->used == PIECES)
        return PIECES;
    unsigned int next = (stream->first + stream->used++) % PIECES;
    stream->sizes[next] = 0;
    return next;
}

size_t vg_body_stream_put(struct vg_body_stream *stream, const char *data, size_t n)
{
    size_t taken = 0;
    VG_LOCK(&stream->lock);

    if (!is_open(stream))
        return n;
    stream->last_ns = vg_coarse_ns();
    while (taken < n) {
        unsigned int i = open_piece(stream);
        if (i == PIECES) {
            pause_source(stream);
            break;
        }
        size_t room = VG_PIECE_SIZE - stream->sizes[i];
        size_t part = n - taken < room ? n - taken : room;
        memcpy(piece_at(stream, i) + stream->sizes[i], data + taken, part);
        stream->sizes[i] += part;
        taken += part;
        if (stream->sizes[i] == VG_PIECE_SIZE)
            pthread_cond_signal(&stream->more);
    }
    stream->came += (int64_t)taken;
    return taken;
}

bool vg_body_stream_hand_over(struct vg_body_stream *stream, int fd)
{
    VG_LOCK(&stream->lock);
    bool pays = stream->length - stream->came >= (int64_t)HAND_OVER;

    if (!pays || !is_open(stream) || stream->paused || stream->used > 1)
        return false;
    /* somebody else may answer while the worker is in recv(), and close the connection */
    stream->fd = vg_fd_copy(fd);
    if (stream->fd < 0)
        return false;
    pause_source(stream);
    pthread_cond_signal(&stream->more);
    return true;
}

bool vg_body_stream_end(struct vg_body_stream *stream)
{
    VG_LOCK(&stream->lock);
    if (stream->answered)
        return false;
    stream->ended = true;
    pause_source(stream);
    pthread_cond_signal(&stream->more);
    return true;
}

bool vg_body_stream_is_answered(struct vg_body_stream *stream)
{
    VG_LOCK(&stream->lock);
    return stream->answered;
}

/* Lock held. */
static void break_off(struct vg_body_stream *stream, enum vg_error_id id, const char *why)
{
    if (stream->broken)
        return;
    stream->broken = true;
    stream->error = id;
    stream->why = why;
    pthread_cond_signal(&stream->more);
}

void vg_body_stream_leave(struct vg_body_stream *stream)
{
    VG_LOCK(&stream->lock);
    stream->gone = true;
    break_off(stream, VG_E_BAD_REQUEST, HAS_GONE);
}

enum vg_body_answer vg_body_stream_lock_answer(struct vg_body_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    bool in_turn = stream->paused && stream->fd < 0 && (!stream->wanted || stream->ended);

    stream->answered = true;
    break_off(stream, VG_E_CONFLICT, "The request has been answered");
    return stream->gone ? VG_ANSWER_NOBODY
           : in_turn    ? VG_ANSWER_IN_TURN
                        : VG_ANSWER_MEANWHILE;
}

void vg_body_stream_unlock(struct vg_body_stream *stream)
{
    let_go_on(stream);
    pthread_mutex_unlock(&stream->lock);
}

void vg_body_stream_break(struct vg_body_stream *stream, enum vg_error_id id,
                          const char *why)
{
    VG_LOCK(&stream->lock);
    break_off(stream, id, why);
}

/* ---- the worker's side --------------------------------------------------------------
 */

/* The first call. -1: out of memory. Lock held. */
static int want(struct vg_body_stream *stream)
{
    stream->memory = malloc(PIECES * VG_PIECE_SIZE);
    if (!stream->memory)
        return -1;
    stream->wanted = true;
    let_go_on(stream);
    return 0;
}

/* Lock held. */
static void give_back(struct vg_body_stream *stream)
{
    if (!stream->lent)
        return;
    stream->lent = false;
    stream->first = (stream->first + 1) % PIECES;
    stream->used--;
    if (is_open(stream) && stream->fd < 0 && stream->used <= PIECES / 2)
        let_go_on(stream);
}

static bool has_piece(const struct vg_body_stream *stream, bool partly)
{
    size_t size = stream->used ? stream->sizes[stream->first] : 0;
    return size == VG_PIECE_SIZE || (size && partly);
}

/* Until there is a piece, or no more comes, or nothing came for too long, or the worker
 * is to receive by itself. Lock held. */
static void wait_for_piece(struct vg_body_stream *stream)
{
    int64_t now = vg_now_ns(), soon = now + PATIENCE;

    while (is_open(stream) && stream->fd < 0 && !has_piece(stream, now >= soon)) {
        if (now >= stream->last_ns + deadline) {
            break_off(stream, VG_E_REQUEST_TIMEOUT, TOO_SLOW);
            return;
        }
        const struct timespec until = vg_timespec(now + PATIENCE);
        pthread_cond_timedwait(&stream->more, &stream->lock, &until);
        now = vg_now_ns();
    }
}

/* The oldest piece, if there is one. Lock held. */
static int lend(struct vg_body_stream *stream, const char **ret, size_t *ret_n)
{
    if (!has_piece(stream, true))
        return 0;
    stream->lent = true;
    *ret = piece_at(stream, stream->first);
    *ret_n = stream->sizes[stream->first];
    return 1;
}

/* ---- the worker receives ------------------------------------------------------------
 */

/* Whether it is worth while to wait for more. */
static bool may_wait(struct vg_body_stream *stream, int64_t begun_ns, bool some)
{
    int64_t now = vg_now_ns();
    VG_LOCK(&stream->lock);

    if (now >= begun_ns + deadline)
        break_off(stream, VG_E_REQUEST_TIMEOUT, TOO_SLOW);
    return !stream->broken && (!some || now < begun_ns + PATIENCE);
}

/* Until a piece that has so many bytes has `most`, or there is no point in waiting.
 * Returns how many it has then. */
static size_t receive(struct vg_body_stream *stream, char *piece, size_t had, size_t most)
{
    struct pollfd ready = {.fd = stream->fd, .events = POLLIN};
    int64_t begun_ns = vg_now_ns();
    size_t at = had;

    while (at < most) {
        ssize_t got = recv(stream->fd, piece + at, most - at, MSG_DONTWAIT);
        at += got > 0 ? (size_t)got : 0;
        if (got > 0)
            continue;
        if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            VG_LOCK(&stream->lock);
            break_off(stream, VG_E_BAD_REQUEST, HAS_GONE);
            break;
        }
        if (!may_wait(stream, begun_ns, at > 0))
            break;
        poll(&ready, 1, POLL_MS);
    }
    return at;
}

/* Makes the oldest piece full. The pieces are the worker's alone now. */
static void receive_piece(struct vg_body_stream *stream)
{
    unsigned int i = stream->first;
    size_t had = stream->used ? stream->sizes[i] : 0;
    int64_t left = stream->length - stream->came;
    size_t most =
        (int64_t)(VG_PIECE_SIZE - had) < left ? VG_PIECE_SIZE : had + (size_t)left;

    stream->sizes[i] = receive(stream, piece_at(stream, i), had, most);
    stream->used = stream->sizes[i] > 0;
    stream->came += (int64_t)(stream->sizes[i] - had);
    VG_LOCK(&stream->lock);
    stream->ended = stream->came == stream->length;
}

/* ---- reading ------------------------------------------------------------------------
 */

/* Until there is something to be lent. 1: the worker has to receive it; -1: out of
 * memory. */
static int await_piece(struct vg_body_stream *stream)
{
    VG_LOCK(&stream->lock);

    if (!stream->wanted && want(stream) < 0)
        return -1;
    give_back(stream);
    wait_for_piece(stream);
    return stream->fd >= 0 && is_open(stream);
}

int vg_body_read(struct vg_request *rq, const char **ret, size_t *ret_n)
{
    struct vg_body_stream *stream = rq->stream;
    int rc = await_piece(stream);

    if (rc < 0)
        return vg_error_set_memory(&rq->error);
    if (rc > 0)
        receive_piece(stream);
    VG_LOCK(&stream->lock);
    if (stream->broken) {
        vg_error_set(&rq->error, stream->error, "%s", stream->why);
        return -1;
    }
    return lend(stream, ret, ret_n);
}

int vg_body_rest(struct vg_request *rq, const char **ret, size_t *ret_n)
{
    struct vg_body_stream *stream = rq->stream;
    VG_LOCK(&stream->lock);

    give_back(stream);
    return lend(stream, ret, ret_n);
}

int64_t vg_body_length(const struct vg_request *rq)
{
    return rq->stream->length;
}

bool vg_body_is_stream(const struct vg_request *rq)
{
    return rq->stream != NULL;
}

struct vg_body_fields vg_body_fields(const struct vg_request *rq)
{
    const struct vg_body_stream *stream = rq->stream;
    return (struct vg_body_fields){.content_range = stream->content_range,
                                   .content_digest = stream->content_digest,
                                   .repr_digest = stream->repr_digest};
}
