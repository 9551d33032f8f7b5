/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * SHA-256 of bytes that pass by, held against what their sender announced (RFC 9530).
 */
#pragma once

#include "virtgate/error.h"

#include <stddef.h>

/* Base64 of 32 bytes, and a NUL. */
#define VG_DIGEST_TEXT_SIZE 45

/* Bytes of Base64 (RFC 4648, 4, with its padding), `n` characters; owned by the caller,
 * with a NUL behind its *ret_n bytes. NULL: it is none, or out of memory. */
unsigned char *vg_base64_decode(const char *text, size_t n, size_t *ret_n);

struct vg_digest;

/* Reads the field `name`, Content-Digest or Repr-Digest, which must have sha-256.
 * *ret is the caller's. -1: *reterr. */
int vg_digest_read(struct vg_digest **ret, const char *name, const char *field,
                   struct vg_error *reterr);
/* tus's Upload-Checksum: "ALGORITHM BASE64", sha1 or sha256; what differs is a
 * `checksum-mismatch`. */
int vg_digest_read_checksum(struct vg_digest **ret, const char *field,
                            struct vg_error *reterr);
/* The same of 64 hexadecimal digits, as `sha256sum` writes them. */
int vg_digest_read_hex(struct vg_digest **ret, const char *text, struct vg_error *reterr);
/* SHA-256 with nothing announced, whose value is asked for. -1: out of memory, *reterr.
 */
int vg_digest_new(struct vg_digest **ret, struct vg_error *reterr);
/* The value of what was added, as Base64; what is added then is of another one. -1: out
 * of memory. */
int vg_digest_write(struct vg_digest *digest, char ret[VG_DIGEST_TEXT_SIZE]);
/* Another one that goes on from what `digest` has seen (NULL gives NULL). -1: out of
 * memory, *reterr. */
int vg_digest_copy(struct vg_digest **ret, const struct vg_digest *digest,
                   struct vg_error *reterr);
/* Each of these accepts NULL: nothing was announced. */
void vg_digest_add(struct vg_digest *digest, const void *data, size_t n);
/* Once, when all has come. -1: it is another one, *reterr says so. */
int vg_digest_check(struct vg_digest *digest, struct vg_error *reterr);
void vg_digest_free(struct vg_digest *digest);
