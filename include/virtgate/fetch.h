/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a URL gives, piece by piece: by libcurl, over http and https alone, and only what
 * the operator allows (--import-from, --import-network). Knows nothing of libvirt.
 *
 * Each function belongs to one thread at a time, blocks, and gives up when nothing comes
 * within --transfer-deadline.
 */
#pragma once

#include "virtgate/error.h"

#include <stddef.h>
#include <stdint.h>

#define VG_LENGTH_UNKNOWN UINT64_MAX

struct vg_fetch_source {
    const char *url;
    const char *sha256; /* of what is received, before it is unpacked: 64 hexadecimal
                           digits; NULL: it is not checked */
    bool unpack;        /* gzip, xz and zstd, known by their first bytes */
    bool (*is_cancelled)(void *data); /* asked several times a second */
    void *data;
};

/* Whether the URL is allowed and the digest is one. -1: *reterr. */
int vg_fetch_check(const struct vg_fetch_source *source, struct vg_error *reterr);

/* Connects, follows redirections to what is allowed, and waits for the first bytes.
 * Borrows what `source` points to until it is closed. NULL: *reterr. */
struct vg_fetch;
struct vg_fetch *vg_fetch_open(const struct vg_fetch_source *source,
                               struct vg_error *reterr);

/* How many bytes all reads together will give, as the server says; VG_LENGTH_UNKNOWN
 * where it does not, and of what is unpacked. */
uint64_t vg_fetch_length(const struct vg_fetch *fetch);

/* The next bytes, valid until the next call. 1: *ret has some; 0: all have come, and are
 * those of the digest; -1: *reterr. A connection that breaks is made again, and goes on
 * where it ended, if the server still has the same. */
int vg_fetch_read(struct vg_fetch *fetch, const char **ret, size_t *ret_n,
                  struct vg_error *reterr);

/* Accepts NULL. */
void vg_fetch_close(struct vg_fetch *fetch);

static inline void vg_fetch_clean(struct vg_fetch **fetch)
{
    vg_fetch_close(*fetch);
}
#define vg_auto_fetch __attribute__((cleanup(vg_fetch_clean))) struct vg_fetch
