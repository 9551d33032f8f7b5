/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Replies, by value: a handler ends by returning one, so every path answers exactly once.
 */
#pragma once

#include "virtgate/json.h"
#include "virtgate/request.h"

#include <jansson.h>
#include <stddef.h>

/* A body that several answers may share (equal reads that waited together). */
struct vg_body;

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

/* 200 with bytes that live as long as the program (no copy). */
struct vg_reply vg_ok_static(struct vg_request *rq, const char *type, const char *data,
                             size_t len) VG_MUST_USE;

/* 201 with a Location (takes the malloc'd path) and the new object. */
struct vg_reply vg_created(struct vg_request *rq, char *location_steal,
                           struct vg_json *w) VG_MUST_USE;

/* 202 with a Location (takes the malloc'd path): where to look for what comes of it. */
struct vg_reply vg_accepted(struct vg_request *rq, char *location_steal,
                            struct vg_json *w) VG_MUST_USE;

/* 204. */
struct vg_reply vg_no_content(struct vg_request *rq) VG_MUST_USE;

/* The request's error, as problem+json. */
struct vg_reply vg_fail(struct vg_request *rq) VG_MUST_USE;

/* The calling thread's last libvirt error, as problem+json. */
struct vg_reply vg_fail_virt(struct vg_request *rq) VG_MUST_USE;

/* The request's answer with other than 200: same body, e.g. 503 of /health/ready. */
struct vg_reply vg_with_status(struct vg_reply reply, int status) VG_MUST_USE;

/* Adds `Link: <...>; rel="next"`: the request's own target with `after` set to the
 * cursor. NULL cursor: the reply as it is. */
struct vg_reply vg_with_next(struct vg_request *rq, struct vg_reply reply,
                             const char *cursor) VG_MUST_USE;
