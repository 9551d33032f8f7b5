/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reading a volume piece by piece, each on whatever connection is free: what is kept
 * between two pieces is names.
 */
#pragma once

#include "virtgate/autoptr.h"
#include "virtgate/transfer.h"

#include <sys/types.h>

struct vg_volume_reading {
    char *pool, *volume; /* their names */
    uint64_t size;       /* physical of a file, capacity of all others */
    bool sparse;         /* it has holes */
    uint64_t writes;     /* vg_volume_writes() */
    /* What is another text when the bytes are others. NULL: the volume was written just
     * now, or nobody knows when; then only the gateway's own writes are noticed. */
    char *version;
    struct vg_transfer *transfer; /* NULL: it has not begun */

    /* While it is open: of one request's connection. */
    virStorageVolPtr from; /* NULL: it is not */
    virStreamPtr stream;   /* NULL: it is at its end */
    uint64_t left;         /* of the stream */
    uint64_t hole;         /* of a hole that came, what was not read yet */
};

/* Looks at the volume. Owned by the caller; NULL: the request's error is set. */
struct vg_volume_reading *vg_volume_reading_new(struct vg_request *rq,
                                                virStorageVolPtr volume);
/* `done`: all was read. Accepts NULL. */
void vg_volume_reading_free(struct vg_volume_reading *reading, bool done);

/* For struct vg_content. The reading becomes the transfer of the request's operation. */
int vg_volume_reading_begin(struct vg_volume_reading *reading, struct vg_request *rq,
                            virStorageVolPtr volume, uint64_t length);
bool vg_volume_reading_is_cancelled(const struct vg_volume_reading *reading);
/* Before a call of libvirt's. -1: it was cancelled, the request's error says so. */
int vg_volume_reading_step(const struct vg_volume_reading *reading,
                           struct vg_request *rq);
/* After the last call of a piece, with how many bytes came. */
void vg_volume_reading_moved(const struct vg_volume_reading *reading,
                             struct vg_request *rq, uint64_t n);

/* A stream of these bytes, and its volume; holes come as such where they are wanted, or
 * where that is faster. NULL: the request's error is set. */
virStreamPtr vg_volume_reading_open(struct vg_request *rq, virStorageVolPtr volume,
                                    uint64_t offset, uint64_t length, bool holes);

/* The volume, looked up on the request's connection. NULL: the request's error is set. */
virStorageVolPtr vg_volume_reading_find(struct vg_request *rq,
                                        const struct vg_volume_reading *reading);

/* To be asked after a piece was read: what is given out as one content is not put
 * together of two. -1: it was written meanwhile, the request's error says so. */
int vg_volume_reading_check(struct vg_request *rq, virStorageVolPtr volume,
                            const struct vg_volume_reading *reading);

/* `?digest=sha-256`: of what is in Range. */
struct vg_reply vg_volume_digest(struct vg_request *rq,
                                 struct vg_volume_reading *reading_steal);

/* `?extents=true`: where in Range there are data and holes. */
struct vg_reply vg_volume_extents(struct vg_request *rq,
                                  struct vg_volume_reading *reading_steal);
