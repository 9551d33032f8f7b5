/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A new volume: by its document, by a few words, or as a clone of another.
 */
#pragma once

#include "virtgate/reply.h"
#include "virtgate/request.h"

#include <libvirt/libvirt.h>

/* POST of the list. */
struct vg_reply vg_new_volume(struct vg_request *rq);

/* Whether the host may be given the document: object_class.h. */
int vg_new_volume_check(struct vg_request *rq, json_t *document);

/* Makes the volume of the document in the pool: empty, or where `source` is no NULL a
 * copy of that; then fills it (NULL: it stays as it is). Where that fails it is deleted,
 * whoever makes one. Owned by the caller. NULL: the request's error is set, and there is
 * no such volume of this call. */
typedef int (*vg_volume_fill)(struct vg_request *rq, virStorageVolPtr volume, void *data);
virStorageVolPtr vg_volume_make(struct vg_request *rq, virStoragePoolPtr pool,
                                const char *xml, virStorageVolPtr source,
                                vg_volume_fill fill, void *data);

/* What a volume is, or what an image is. */
struct vg_image {
    char *path, *format; /* owned */
    uint64_t capacity;   /* 0: not known */
};
void vg_image_clear(struct vg_image *image);
#define vg_auto_image __attribute__((cleanup(vg_image_clear))) struct vg_image
/* Reads it from the volume's document. -1: the request's error is set. */
int vg_image_read(struct vg_request *rq, virStorageVolPtr volume, struct vg_image *ret);

/* The volume "pool/volume", or of `pool` (NULL: none) when it is a bare name; `key` is
 * the argument's. NULL: the request's error is set. */
virStorageVolPtr vg_find_volume(struct vg_request *rq, virStoragePoolPtr pool,
                                const char *key, const char *text);

/* Whether the pool's volumes are files, which have formats. -1: the request's error is
 * set. */
int vg_pool_has_files(struct vg_request *rq, virStoragePoolPtr pool);

/* A size as clients give it: `capacityBytes`, `...KiB`, `...MiB` or `...GiB`. */
struct vg_size {
    int64_t bytes, kib, mib, gib; /* -1: not given */
};
/* clang-format off */
#define VG_SIZE {-1, -1, -1, -1}
/* From `least` of any unit to `most` bytes. */
#define VG_SIZE_FIELDS_IN(n, size, least, most)                                          \
    VG_NUMBER(n "Bytes", &(size).bytes, least, most),                                    \
    VG_NUMBER(n "KiB", &(size).kib, least, (most) >> 10),                                \
    VG_NUMBER(n "MiB", &(size).mib, least, (most) >> 20),                                \
    VG_NUMBER(n "GiB", &(size).gib, least, (most) >> 30)
#define VG_SIZE_FIELDS(n, size) VG_SIZE_FIELDS_IN(n, size, 0, INT64_MAX)
/* clang-format on */

/* Whether one is given, or none where it is not `needed`. -1: the request's error is set.
 */
int vg_size_check(struct vg_request *rq, const char *name, const struct vg_size *size,
                  bool needed);
bool vg_size_is_given(const struct vg_size *size);
uint64_t vg_size_bytes(const struct vg_size *size);

/* The same as a document's element, {"@unit": "bytes", "#text": "..."}. New reference. */
json_t *vg_volume_size(uint64_t bytes);

/* {"mode": "0640", "owner": 107, "group": 107, "label": "..."} (NULL: nothing is said) as
 * the document of a volume of this pool has it: what it does not say of owner and group
 * is the pool's, where that is of files, and not root's. NULL in *ret: libvirt's own
 * choice, root and 0600. -1: the request's error is set. */
int vg_volume_permissions(struct vg_request *rq, virStoragePoolPtr pool, json_t *given,
                          json_t **ret);
