/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The text of `?extents=true`: {"sizeBytes", "offset", "length", "extents": [{"offset",
 * "length", MARK: true}]}, written while they are found and sent meanwhile.
 */
#pragma once

#include "virtgate/content.h"
#include "virtgate/json.h"

#include <sys/types.h>

struct vg_extents {
    const char *mark; /* "zero", "changed"; static */
    uint64_t end;     /* of the range */
    uint64_t at;      /* up to where it is known */
    uint64_t since;   /* where the last extent begins, */
    bool set;         /* of which the mark is true */
    bool ended;
    struct vg_json w; /* what is found and not sent yet */
};

/* Nothing is known yet of this range of `size` bytes. */
void vg_extents_init(struct vg_extents *extents, const struct vg_request *rq,
                     const char *mark, uint64_t size, const struct vg_byte_range *range);
void vg_extents_clear(struct vg_extents *extents);

/* Whether some of the range is not known yet, and `enough` bytes are not found. */
bool vg_extents_want(const struct vg_extents *extents, size_t enough);

/* From `at` on so many bytes are alike; what is beyond the range is left out. */
void vg_extents_add(struct vg_extents *extents, uint64_t length, bool set);

/* Moves what is written to the answer, and how many bytes. While nothing is found, a
 * blank says that it goes on. 0: all is said; -1: out of memory, the request's error is
 * set. */
ssize_t vg_extents_give(struct vg_extents *extents, struct vg_request *rq, char *ret,
                        size_t n);
