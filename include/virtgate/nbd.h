/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One export of an NBD server, read by libnbd: the disk of a backup in pull mode. No call
 * blocks longer than VG_NBD_SILENCE seconds without an answer of the server.
 */
#pragma once

#include "virtgate/error.h"

#include <stddef.h>
#include <stdint.h>

#define VG_NBD_SILENCE 30

/* Where it is. Owned members: vg_nbd_export_clear(). */
struct vg_nbd_export {
    char *socket;         /* path of a unix socket, or */
    char *address, *port; /* of TCP */
    char *name;
    char *bitmap; /* of what has changed; NULL: none */
};
void vg_nbd_export_clear(struct vg_nbd_export *e);
#define vg_auto_nbd_export                                                               \
    __attribute__((cleanup(vg_nbd_export_clear))) struct vg_nbd_export

struct vg_nbd;

/* Connects. `context`: of which vg_nbd_extents() tells, NULL: it will not be called.
 * NULL: *reterr. */
struct vg_nbd *vg_nbd_open(const struct vg_nbd_export *from, const char *context,
                           struct vg_error *reterr);
void vg_nbd_close(struct vg_nbd **nbd);
#define vg_auto_nbd __attribute__((cleanup(vg_nbd_close))) struct vg_nbd

uint64_t vg_nbd_size(const struct vg_nbd *nbd);

/* Reads n bytes, 32 MiB at most, which are there by the size. -1: *reterr. */
int vg_nbd_read(struct vg_nbd *nbd, uint64_t offset, void *ret, size_t n,
                struct vg_error *reterr);

/* Calls found() for each extent from `offset` on, with the context's flags, until there
 * are no more, or it returns other than 0. Neighbours may have equal flags. -1: *reterr.
 */
int vg_nbd_extents(struct vg_nbd *nbd, uint64_t offset,
                   int (*found)(void *data, uint64_t offset, uint64_t length,
                                uint32_t flags),
                   void *data, struct vg_error *reterr);
