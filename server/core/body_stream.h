/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Between the network thread that receives a body and the worker that uses it: a few
 * pieces of memory. The network side is told to wait when they are full, the worker when
 * they are empty. Either side may end first.
 */
#pragma once

#include "server/core/request.h"
#include "virtgate/body_stream.h"

struct vg_body_stream;

/* The network side. Both are called under the stream's lock: they do not block. */
struct vg_body_source {
    void (*pause)(void *data); /* no more is to be received */
    void (*go_on)(void *data);
    void *data;
};

/* `length` -1: not known. The fields are copied. NULL: out of memory. The request that it
 * is given to frees it. */
struct vg_body_stream *vg_body_stream_new(const struct vg_body_source *source,
                                          int64_t length,
                                          const struct vg_body_fields *fields);
void vg_body_stream_free(struct vg_body_stream *stream);

/* Nothing came for so long: the body is given up. Before any stream. */
void vg_body_stream_start(int64_t deadline_ns);

/* ---- for the network side -----------------------------------------------------------
 */

/* Has the source paused until the worker wants the body, or there is an answer. */
void vg_body_stream_hold(struct vg_body_stream *stream);

/* Takes what there is room for: returns how much of n. Where that is not all, the source
 * was paused. What is given after an end is thrown away. */
size_t vg_body_stream_put(struct vg_body_stream *stream, const char *data, size_t n);

/* After a put(): the source is paused to the end, and the worker receives the rest itself
 * from this socket, by a descriptor of its own: fewer threads are woken, and bytes
 * copied. False: it does not pay, nobody knows how much comes, or there is no descriptor.
 */
bool vg_body_stream_hand_over(struct vg_body_stream *stream, int fd);

/* All has come: the source is paused until there is an answer. False: there is one. */
bool vg_body_stream_end(struct vg_body_stream *stream);

/* Whether there is an answer: what else there is of it was written before. */
bool vg_body_stream_is_answered(struct vg_body_stream *stream);

/* The client has gone, and the source's data with it: it is never called again. */
void vg_body_stream_leave(struct vg_body_stream *stream);

/* How the client is to be given an answer, which there is from here on: the worker gets
 * no more. The lock is held until vg_body_stream_unlock(). */
enum vg_body_answer {
    VG_ANSWER_NOBODY,    /* the client has gone */
    VG_ANSWER_IN_TURN,   /* the source goes on, and answers instead of receiving */
    VG_ANSWER_MEANWHILE, /* the body is being received, or the worker has received it: the
                          * source is in the middle of it */
};
enum vg_body_answer vg_body_stream_lock_answer(struct vg_body_stream *stream);
/* The answer is ready: the source goes on, if it was paused. */
void vg_body_stream_unlock(struct vg_body_stream *stream);

/* ---- for anybody ------------------------------------------------------------------- */

/* Ends the worker's reading with this error; the first end counts. Does not block. */
void vg_body_stream_break(struct vg_body_stream *stream, enum vg_error_id id,
                          const char *why);
