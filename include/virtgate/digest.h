/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * SHA-256 of bytes that pass by, held against what their sender announced (RFC 9530).
 */
#pragma once

#include "virtgate/error.h"

#include <stddef.h>

/* Base64 of 32 bytes, and a NUL. */
#define VG_DIGEST_TEXT_SIZE 45

struct vg_digest;

/* Reads the field `name`, Content-Digest or Repr-Digest, which must have sha-256.
 * *ret is the caller's. -1: *reterr. */
int vg_digest_read(struct vg_digest **ret, const char *name, const char *field,
                   struct vg_error *reterr);
/* The same of 64 hexadecimal digits, as `sha256sum` writes them. */
int vg_digest_read_hex(struct vg_digest **ret, const char *text, struct vg_error *reterr);
/* Each of these accepts NULL: nothing was announced. */
void vg_digest_add(struct vg_digest *digest, const void *data, size_t n);
/* Once, when all has come. -1: it is another one, *reterr says so. */
int vg_digest_check(struct vg_digest *digest, struct vg_error *reterr);
void vg_digest_free(struct vg_digest *digest);
