/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The bytes that a server sends, by libcurl: redirections, broken connections and
 * addresses are dealt with here; what the bytes are is not.
 */
#pragma once

#include "server/transfer/allow.h"
#include "virtgate/fetch.h"

struct vg_download;

/* As in fetch.h. The redirections are followed, and the server has said that it has it.
 */
struct vg_download *vg_download_open(const struct vg_fetch_source *source,
                                     struct vg_error *reterr);

/* At least `want` bytes, fewer only at the end. 1: *ret has some, valid until the next
 * call but that of a vg_download_read() after a peek; 0: all have come; -1: *reterr. */
int vg_download_peek(struct vg_download *download, size_t want, const char **ret,
                     size_t *ret_n, struct vg_error *reterr);
/* All that are there, and takes them. */
int vg_download_read(struct vg_download *download, const char **ret, size_t *ret_n,
                     struct vg_error *reterr);

/* VG_LENGTH_UNKNOWN: the server does not say. */
uint64_t vg_download_length(const struct vg_download *download);

/* Accepts NULL. */
void vg_download_close(struct vg_download *download);
