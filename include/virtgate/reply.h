/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Replies, by value: a handler ends by returning one, so every path answers exactly once.
 */
#pragma once

#include "virtgate/json.h"
#include "virtgate/request.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stddef.h>

/* A body that several answers may share (equal reads that waited together). */
struct vg_body;

/* An answer that is not written yet: events, as they come. */
struct vg_subscription;
/* Or bytes, both ways: stream.h. */
struct vg_channel;
/* Or bytes that are read while they are sent: content.h. */
struct vg_feed;
/* Header fields of its own: vg_with_field(). */
struct vg_reply_fields;

/* Where an answer's data is from. */
enum vg_source {
    VG_SOURCE_NONE, /* not of a host */
    VG_SOURCE_LIBVIRT,
    VG_SOURCE_INVENTORY,
};

/* Owned by whoever holds it; its members are for server/ only. */
struct vg_reply {
    int status;
    const char *type;     /* static media type */
    struct vg_body *body; /* NULL: none */
    char *location;       /* Location header, owned */
    char *link;           /* Link header, owned */
    const char *allow;    /* Allow header, borrowed from the route table */
    unsigned int retry_after;
    bool transport_failed; /* the host's connection is to be thrown away */
    bool unasked;          /* there was no connection to ask anything on */
    bool crowded;          /* nor can there be one now; others may have theirs */
    bool moves;            /* see vg_requeue() */
    int64_t not_yet_ns;    /* see vg_not_yet(); 0: it is the answer */

    struct vg_subscription *subscription; /* owned; instead of a body */
    struct vg_channel *channel;           /* the same */
    struct vg_feed *feed;                 /* the same */
    char *content_range;                  /* of a 416; owned */
    struct vg_reply_fields *fields;       /* owned; NULL: none */
    enum vg_source source;
    bool covered; /* see vg_cacheable() */
    bool has_revision;
    uint64_t revision;        /* the data is at least as new as this event */
    unsigned int age_seconds; /* of what comes from the answer cache */
};

#define VG_MUST_USE __attribute__((warn_unused_result))

/* 200 with a JSON tree (the reference is taken); NULL, out of memory, becomes 500. */
struct vg_reply vg_ok(struct vg_request *rq, json_t *json_steal) VG_MUST_USE;

/* An empty writer that writes numbers as the request wants them. */
struct vg_json vg_json_for(const struct vg_request *rq);

/* 200 with what was written to `w`, which is empty afterwards. */
struct vg_reply vg_ok_written(struct vg_request *rq, struct vg_json *w) VG_MUST_USE;

/* 200 with text of a static media type; takes the malloc'd text; NULL becomes 500. */
struct vg_reply vg_ok_text(struct vg_request *rq, const char *type,
                           char *text_steal) VG_MUST_USE;

/* 200 with bytes of a static media type; takes the malloc'd bytes; NULL becomes 500. */
struct vg_reply vg_ok_bytes(struct vg_request *rq, const char *type, void *bytes_steal,
                            size_t n) VG_MUST_USE;

/* The same of what is secret, as application/octet-stream: nobody on the way may store
 * it, and its memory is wiped when it is sent. */
struct vg_reply vg_ok_secret(struct vg_request *rq, void *bytes_steal,
                             size_t n) VG_MUST_USE;

/* 200 with bytes that live as long as the program (no copy). */
struct vg_reply vg_ok_static(struct vg_request *rq, const char *type, const char *data,
                             size_t len) VG_MUST_USE;

/* The same of bytes that are there compressed by gzip only: unpacked, once, when a client
 * that does not take gzip asks for them. */
struct vg_reply vg_ok_gzip(struct vg_request *rq, const char *type, const char *data,
                           size_t len) VG_MUST_USE;

/* An answer that is made once and given as long as what it tells stays true: a member of
 * what it tells, zero at first. Its forms differ by how numbers are written. */
struct vg_cached {
    _Atomic(struct vg_body *) body[2];
};

/* The kept answer, if there is one. Any thread. */
bool vg_cached_reply(const struct vg_request *rq, const struct vg_cached *cached,
                     struct vg_reply *ret);

/* The reply itself; a 200 is also kept. Any thread: the first one's is kept. */
struct vg_reply vg_keep(const struct vg_request *rq, struct vg_cached *cached,
                        struct vg_reply reply) VG_MUST_USE;

/* 200 with bytes that live as long as the program, kept: hashed and compressed once. */
struct vg_reply vg_ok_cached(struct vg_request *rq, struct vg_cached *cached,
                             const char *type, const char *data, size_t len) VG_MUST_USE;

/* When nobody can ask for it any more. */
void vg_cached_clear(struct vg_cached *cached);

/* 201 with a Location (takes the malloc'd path) and the new object. */
struct vg_reply vg_created(struct vg_request *rq, char *location_steal,
                           struct vg_json *w) VG_MUST_USE;

/* 202: what the request began goes on, and the path (malloc'd, taken; NULL becomes 500)
 * tells of it. `w` is the body, NULL: none. Long work of the gateway's own is not
 * answered so: operation.h. */
struct vg_reply vg_accepted(struct vg_request *rq, char *location_steal,
                            struct vg_json *w) VG_MUST_USE;

/* 204. */
struct vg_reply vg_no_content(struct vg_request *rq) VG_MUST_USE;

/* The request's error, as problem+json. */
struct vg_reply vg_fail(struct vg_request *rq) VG_MUST_USE;

/* 500: out of memory. */
struct vg_reply vg_fail_memory(struct vg_request *rq) VG_MUST_USE;

/* The calling thread's last libvirt error, as problem+json. */
struct vg_reply vg_fail_virt(struct vg_request *rq) VG_MUST_USE;

/* The end of a call that tells nothing but whether it was done, by its result: 204, or,
 * when that is negative, the calling thread's last libvirt error. */
struct vg_reply vg_done(struct vg_request *rq, int result) VG_MUST_USE;

/* The request's answer with other than 200: same body, e.g. 503 of /health/ready. */
struct vg_reply vg_with_status(struct vg_reply reply, int status) VG_MUST_USE;

/* Says that events of libvirt cover all that the answer shows: it may be kept in memory,
 * and given again until the next event or change. */
struct vg_reply vg_cacheable(struct vg_reply reply) VG_MUST_USE;

/* The 200 with an entity tag that also changes when `also` does, which it does not show:
 * text that a change with If-Match depends on. */
struct vg_reply vg_tagged_with(struct vg_reply reply, const char *also) VG_MUST_USE;

/* Of a read on a VG_ON_FAST row: whether it is on that queue, where nothing waits for a
 * single domain. A handler that has to ask domains themselves then returns vg_requeue(),
 * and is called again on the queue for that, where this is false. */
bool vg_on_fast_queue(const struct vg_request *rq);
struct vg_reply vg_requeue(void) VG_MUST_USE;

/* Longest wait of a read for what is not there yet, in seconds (?wait=). */
#define VG_WAIT_MAX 300

/* What a read with ?wait= has found is not what its client waits for: the handler is
 * called again a little later, until `seconds` are over since the request came; then this
 * is the answer. No worker is held meanwhile, and the wait is no part of the deadline.
 * 0: it is the answer now. */
struct vg_reply vg_not_yet(struct vg_reply reply, int64_t seconds) VG_MUST_USE;

/* Adds a header field; the name is static, the value (malloc'd) is taken. NULL, out of
 * memory, becomes 500. */
struct vg_reply vg_with_field(struct vg_request *rq, struct vg_reply reply,
                              const char *name, char *value_steal) VG_MUST_USE;

/* Adds `Link: <...>; rel="next"`: the request's own target with `after` set to the
 * cursor. NULL cursor: the reply as it is. */
struct vg_reply vg_with_next(struct vg_request *rq, struct vg_reply reply,
                             const char *cursor) VG_MUST_USE;
