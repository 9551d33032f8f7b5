/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The body of a request into a volume, and the figures of the volume afterwards.
 */
#pragma once

#include "virtgate/cleanup.h"
#include "virtgate/reply.h"
#include "virtgate/transfer.h"

/* virStorageVolGetInfoFlags, or, where the driver has only that, virStorageVolGetInfo.
 * -1: libvirt's last error. */
int vg_volume_info(virStorageVolPtr volume, virStorageVolInfo *ret);
/* The same of one that has bytes, which a folder has not: 409. -1: the request's error is
 * set. */
int vg_volume_check_bytes(struct vg_request *rq, virStorageVolPtr volume,
                          virStorageVolInfo *ret);

/* A write under a running guest ruins its file systems: 409 where one uses the volume,
 * unless `force`. -1: the request's error is set. */
int vg_volume_check_unused(struct vg_request *rq, virStorageVolPtr volume, bool force);

/* The digests that the request's fields announce; NULL: none. */
struct vg_digest;
struct vg_announced {
    struct vg_digest *content, *repr; /* owned */
};
void vg_announced_clear(struct vg_announced *announced);
#define vg_auto_announced VG_CLEANUP(vg_announced_clear) struct vg_announced

/* Reads them. Of a `part` no digest of the whole can be checked. -1: the request's error
 * is set. */
int vg_announced_read(struct vg_request *rq, bool part, struct vg_announced *ret);

/* Sends the request's body, `limit` bytes at most, to the volume at `offset`, with flags
 * of vg_upload_open(); *ret_n is how many came. -1: the request's error is set. */
int vg_content_receive(struct vg_request *rq, struct vg_transfer *transfer,
                       virStorageVolPtr volume, uint64_t offset, uint64_t limit,
                       unsigned int flags, const struct vg_announced *announced,
                       uint64_t *ret_n);
