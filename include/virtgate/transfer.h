/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Bytes of volumes (virStorageVolUpload, virStorageVolDownload): who uses which volume
 * now, transfers as operations with their progress, and the way bytes go into a volume.
 * libvirt lets a volume be deleted, resized or written twice while a stream of it is
 * open: this table does not.
 */
#pragma once

#include "virtgate/request.h"

#include <libvirt/libvirt.h>

/* ---- who uses a volume ---------------------------------------------------------------
 */

enum vg_volume_use {
    VG_VOLUME_READ,  /* beside other readers */
    VG_VOLUME_WRITE, /* alone; deleting, resizing and wiping, too */
};

/* Holds the volume of the request's host for that use, for as long as the handler (or
 * what outlives it) needs it. NULL: somebody else does, the request's error, 409
 * `volume-in-use`, says so. */
struct vg_volume_hold;
struct vg_volume_hold *vg_volume_hold(struct vg_request *rq, virStorageVolPtr volume,
                                      enum vg_volume_use use);
/* Accepts NULL. Any thread. */
void vg_volume_release(struct vg_volume_hold *hold);

/* Deletes a volume that the request made, and that comes to nothing: while the request
 * holds it, else only if nobody does. Who has taken it meanwhile keeps it. The request's
 * error stays as it is; false: so does the volume. */
bool vg_volume_undo(struct vg_request *rq, virStorageVolPtr volume);

static inline void vg_volume_hold_clean(struct vg_volume_hold **hold)
{
    vg_volume_release(*hold);
}
/* `vg_auto_hold *hold = vg_volume_hold(...)`: released at the end of the scope. */
#define vg_auto_hold __attribute__((cleanup(vg_volume_hold_clean))) struct vg_volume_hold

/* Another number after each hold for writing: how often this gateway has changed the
 * volume, or another that shares the counter. Any thread. */
uint64_t vg_volume_writes(const struct vg_request *rq, virStorageVolPtr volume);

/* ---- transfers -----------------------------------------------------------------------
 */

#define VG_TOTAL_UNKNOWN UINT64_MAX

/* The operation of a VG_ON_TRANSFER request moves the bytes of this volume: holds it,
 * shows the progress, can be cancelled. Once, when the arguments are good; instead of
 * vg_operation_begin(). NULL: the request's error is set. */
struct vg_transfer;
struct vg_transfer *vg_transfer_begin(struct vg_request *rq, virStorageVolPtr volume,
                                      enum vg_volume_use use, uint64_t total);

/* The same before there is a volume: it moves nothing yet, but can be cancelled. Then
 * vg_transfer_take_volume(), once; -1: the request's error is set. */
struct vg_transfer *vg_transfer_begin_without(struct vg_request *rq);
int vg_transfer_take_volume(struct vg_transfer *transfer, struct vg_request *rq,
                            virStorageVolPtr volume, enum vg_volume_use use,
                            uint64_t total);

/* The same of a volume that the caller holds, for longer than this transfer. */
struct vg_transfer *vg_transfer_begin_held(struct vg_request *rq, uint64_t total);

/* Ends the body that it waits for; what had come is used (vg_body_rest()). Any thread. */
void vg_transfer_interrupt(struct vg_transfer *transfer);

/* Before a call of libvirt that moves bytes, on the request's connection: it is cut when
 * it does not return within --transfer-deadline. -1: the transfer was cancelled, the
 * request's error says so. */
int vg_transfer_step(struct vg_transfer *transfer, struct vg_request *rq);
/* n bytes have moved; what follows is no call of libvirt's. */
void vg_transfer_moved(struct vg_transfer *transfer, struct vg_request *rq, uint64_t n);

/* The handler returns its answer, and the transfer goes on: it belongs to somebody else,
 * who steps on connections of other requests (of the same transfer), and ends it. */
void vg_transfer_outlive(struct vg_transfer *transfer);
/* Whether it was cancelled. Any thread. */
bool vg_transfer_is_cancelled(const struct vg_transfer *transfer);

/* It is over, and the volume free. `done` matters to one that outlived its answer.
 * Accepts NULL. Any thread. */
void vg_transfer_end(struct vg_transfer *transfer, bool done);

/* ---- into a volume -------------------------------------------------------------------
 *
 * A sink: bytes of any length go in, and are sent in pieces that cost least. */

struct vg_upload;

/* Opens the volume at `offset` for at most `length` bytes (not 0), with flags of
 * virStorageVolUploadFlags: with SPARSE_STREAM pieces of zeros are sent as holes, which
 * cut a file off where they end, so all of the volume has to come. Borrows all. NULL: the
 * request's error is set. Blocks, as do the others. */
struct vg_upload *vg_upload_open(struct vg_request *rq, struct vg_transfer *transfer,
                                 virStorageVolPtr volume, uint64_t offset,
                                 uint64_t length, unsigned int flags);
/* -1: the request's error is set; more than `length` bytes are a 413. */
int vg_upload_write(struct vg_upload *upload, const char *data, size_t n);
/* Sends what was gathered, and waits until the host has written all. -1: the request's
 * error is set. Frees it in any case. */
int vg_upload_finish(struct vg_upload *upload);
/* What was sent stays written. Frees it; accepts NULL. */
void vg_upload_abort(struct vg_upload *upload);
