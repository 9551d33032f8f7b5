/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Bytes that are read while they are sent: the content of a volume, of a disk in a
 * backup. A handler describes where they come from, and returns; ranges, entity tags,
 * HEAD, memory and slow clients are not its business. For rows that give
 * VG_GIVES_CONTENT, on a queue of their own.
 */
#pragma once

#include "virtgate/reply.h"

#include <sys/types.h>

/* Of a content whose end is known when it is reached: it has no ranges. */
#define VG_CONTENT_UNSIZED UINT64_MAX

/* Where bytes come from. They are read in pieces ("windows"), one at a time, each on any
 * worker and connection of the request's host: nothing here may belong to one of them.
 * Between two windows, which may be as long as the client is slow, nothing is held. */
struct vg_content {
    uint64_t size;    /* or VG_CONTENT_UNSIZED */
    const char *type; /* static media type; NULL: application/octet-stream */
    char *filename;   /* under which a browser saves it: UTF-8; owned; NULL: none */
    char *version;    /* what is another text when the bytes are others: the entity tag is
                       * made of it. Owned; NULL: there is no such text */
    void *data;       /* for the functions */

    /* Reads `n` bytes at `offset`, which are there by the size: fewer are an error; of an
     * unsized content, up to n of those that follow the last ones, 0 at the end. Runs on
     * vg_conn(rq). -1: the request's error is set, and the client's connection is closed,
     * lest a part looks whole. */
    ssize_t (*read)(void *data, struct vg_request *rq, uint64_t offset, char *ret,
                    size_t n);
    /* More is to be sent than is read with the answer, `length` bytes in all: once,
     * before read(). -1: the request's error is set. NULL: that does not matter. */
    int (*begin)(void *data, struct vg_request *rq, uint64_t length);
    /* Both or none. open(): what read() is asked for next, in this request, are `length`
     * bytes from `offset` on, one piece after the other; then it may hold what belongs to
     * the request's connection. close() ends that, wherever it is. -1: the request's
     * error is set, and nothing is to be closed. */
    int (*open)(void *data, struct vg_request *rq, uint64_t offset, uint64_t length);
    void (*close)(void *data, struct vg_request *rq);
    /* Whether it was cancelled: then the client's connection is closed. Any thread. NULL:
     * it cannot be. */
    bool (*is_cancelled)(const void *data);
    /* The last one, whatever became of it; `done`: all was sent. Any thread; does not
     * block. NULL: nothing is to be freed. */
    void (*end)(void *data, bool done);
};

/* 200, 206 or 416, as Range and If-Range say. Takes what `content` owns. */
struct vg_reply vg_ok_content(struct vg_request *rq,
                              struct vg_content *content_steal) VG_MUST_USE;

/* For an answer that tells of the bytes in Range, and is not them. */
struct vg_byte_range {
    uint64_t offset, length;
};
enum vg_range {
    VG_RANGE_WHOLE, /* no range is asked for, or none that is given */
    VG_RANGE_PART,
    VG_RANGE_UNSATISFIABLE,
};
enum vg_range vg_request_range(const struct vg_request *rq, uint64_t size,
                               struct vg_byte_range *ret);

/* 416, which says the size. */
struct vg_reply vg_fail_range(struct vg_request *rq, uint64_t size) VG_MUST_USE;
