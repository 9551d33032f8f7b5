/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See include/virtgate/text.h.
 */
#include "virtgate/text.h"

#include "virtgate/cleanup.h"

#define FIRST_SIZE 512

char *vg_text_grow(struct vg_text *t, size_t n)
{
    size_t size = t->size ? t->size : FIRST_SIZE;

    if (t->failed)
        return NULL;
    while (size - t->len < n)
        size *= 2;
    char *data = realloc(t->data, size);
    if (!data) {
        t->failed = true;
        t->size = t->len; /* no room: what follows comes back here */
        return NULL;
    }
    t->data = data;
    t->size = size;
    return data + t->len;
}

char *vg_text_finish(struct vg_text *t, size_t *ret_len)
{
    vg_text_add(t, "", 1);
    char *data = t->failed ? NULL : vg_take(&t->data);
    if (data)
        *ret_len = t->len - 1;
    vg_text_free(t);
    return data;
}

void vg_text_free(struct vg_text *t)
{
    free(t->data);
    *t = (struct vg_text){0};
}
