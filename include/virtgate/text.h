/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Text that grows, under the writers of JSON and of metrics. Adding never fails half-way:
 * out of memory is remembered and found at the end. A zeroed struct is empty text; one
 * thread at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct vg_text {
    char *data; /* owned; not NUL-terminated before vg_text_finish() */
    size_t len, size;
    bool failed; /* out of memory: data is worthless */
};

/* The slow half of vg_text_room(). */
char *vg_text_grow(struct vg_text *t, size_t n);

/* Where the next n bytes go (n is not 0); who writes them adds to `len`. NULL: failed. */
static inline char *vg_text_room(struct vg_text *t, size_t n)
{
    return t->size - t->len >= n ? t->data + t->len : vg_text_grow(t, n);
}

static inline void vg_text_add(struct vg_text *t, const char *s, size_t n)
{
    char *p = n ? vg_text_room(t, n) : NULL;

    if (!p)
        return;
    memcpy(p, s, n);
    t->len += n;
}

/* NUL-terminated, owned by the caller, its length in *ret_len; NULL when out of memory.
 * `t` is empty afterwards. */
char *vg_text_finish(struct vg_text *t, size_t *ret_len);

/* Frees it and leaves it empty. */
void vg_text_free(struct vg_text *t);
