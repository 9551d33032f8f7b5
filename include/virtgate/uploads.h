/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Resumable uploads (tus 1.0.0), in memory: what each goes into, how far it has come, and
 * until when it waits for more. They belong to the token that made them, and end with the
 * gateway. One request moves an upload at a time.
 *
 * All functions may be called from any thread. Uploads are counted; what they were made
 * of does not change.
 */
#pragma once

#include "virtgate/json.h"
#include "virtgate/request.h"

#include <time.h>

struct vg_digest;
struct vg_transfer;
struct vg_volume_hold;

/* What an upload is made of. */
struct vg_resumable_plan {
    char *pool, *volume; /* owned; names */
    char *metadata;      /* owned; Upload-Metadata, as sent */
    uint64_t length;
    bool force; /* also while a guest that uses the volume runs */
    bool made;  /* the volume, for this upload: it goes with it */
};

/* Frees what the plan owns. */
void vg_resumable_plan_clear(struct vg_resumable_plan *plan);

struct vg_resumable;

/* A new one of the request's caller and host; what the plan owns, `hold` and `digest`
 * (NULL: none) are the upload's. NULL: the request's error is set (the caller has as many
 * as --uploads-per-token allows), and all is still the caller's. */
struct vg_resumable *vg_resumable_add(struct vg_request *rq,
                                      const struct vg_resumable_plan *plan,
                                      struct vg_volume_hold *hold,
                                      struct vg_digest *digest);

/* That of the path's {upload}, if the caller may know of it: who made it, or may manage
 * what others made. NULL: the request's error, a 404, is set. */
struct vg_resumable *vg_resumable_find(struct vg_request *rq);
/* Accepts NULL. */
void vg_resumable_unref(struct vg_resumable *upload);
static inline void vg_resumable_clean(struct vg_resumable **upload)
{
    vg_resumable_unref(*upload);
}
#define vg_auto_resumable __attribute__((cleanup(vg_resumable_clean))) struct vg_resumable

/* One of the caller's own, of which nothing has come, for that volume: a client that
 * missed the answer begins again. NULL: there is none. */
struct vg_resumable *vg_resumable_find_unused(struct vg_request *rq, const char *pool,
                                              const char *volume);

/* Borrowed, as long as the upload. */
const char *vg_resumable_id(const struct vg_resumable *upload);
const struct vg_resumable_plan *vg_resumable_plan(const struct vg_resumable *upload);

/* How it stands. */
struct vg_resumable_state {
    uint64_t offset; /* so many bytes are in the volume */
    bool done;
    time_t expires;
};
struct vg_resumable_state vg_resumable_state(struct vg_resumable *upload);

/* As JSON: {id, pool, volume, ...}; `key` NULL in an array. */
void vg_resumable_write(struct vg_resumable *upload, struct vg_json *w, const char *key);
/* Those of the request's host that the caller may know of, the oldest first. */
void vg_resumable_write_all(struct vg_request *rq, struct vg_json *w, const char *key);

/* ---- moving -------------------------------------------------------------------------
 */

/* The request goes on with the upload, which is at that offset, until
 * vg_resumable_pause() or vg_resumable_end(). -1: it is elsewhere, or another request
 * does, the request's error, a 409, is set. */
int vg_resumable_begin(struct vg_request *rq, struct vg_resumable *upload,
                       uint64_t offset);
/* By this transfer, so that it can be interrupted; NULL: no more. Borrowed. */
void vg_resumable_set_transfer(struct vg_resumable *upload, struct vg_transfer *transfer);
/* The digest of what has arrived; borrowed from who goes on with it. */
const struct vg_digest *vg_resumable_digest(const struct vg_resumable *upload);
/* n bytes more are in the volume, and the digest is of all of them (taken). */
void vg_resumable_advance(struct vg_resumable *upload, uint64_t n,
                          struct vg_digest *digest_steal);
/* Others may go on. */
void vg_resumable_pause(struct vg_resumable *upload);

/* The request that moves the upload finishes what has come, and ends; waits for that,
 * some seconds at most. -1: it has not, the request's error, a 409, is set. */
int vg_resumable_settle(struct vg_request *rq, struct vg_resumable *upload);

/* All has come: the volume is free. By who goes on with it; so is the next. */
void vg_resumable_complete(struct vg_resumable *upload);
/* It is no more there. */
void vg_resumable_end(struct vg_resumable *upload);
