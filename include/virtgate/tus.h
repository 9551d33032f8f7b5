/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The header fields of tus 1.0.0 (https://tus.io/protocols/resumable-upload), for rows
 * that are `.resumable`. The version (Tus-Resumable) is checked before a handler runs.
 */
#pragma once

#include "virtgate/request.h"

#define VG_TUS_VERSION    "1.0.0"
#define VG_TUS_EXTENSIONS "creation,termination,checksum,expiration"
#define VG_TUS_CHECKSUMS  "sha1,sha256"
#define VG_TUS_TYPE       "application/offset+octet-stream"

/* As sent; NULL: absent. */
struct vg_tus_fields {
    const char *length, *defer_length, *offset, *metadata, *checksum;
};

/* The request's. Borrowed. */
const struct vg_tus_fields *vg_tus_fields(const struct vg_request *rq);

/* A field's number of bytes, into *ret. -1: there is none, or it is no number up to
 * INT64_MAX, and the request's error says so. */
int vg_tus_number(struct vg_request *rq, const char *name, const char *value,
                  uint64_t *ret);

/* The value of a key in Upload-Metadata, decoded, into *ret (owned by the caller); NULL:
 * it has none. -1: it is no text, the request's error is set. */
int vg_tus_metadata(struct vg_request *rq, const char *key, char **ret);
