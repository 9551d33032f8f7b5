/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Lists of texts from a JSON body, as libvirt takes them.
 */
#pragma once

#include "virtgate/cleanup.h"
#include "virtgate/request.h"

/* The texts are borrowed from the request, the array is owned; NULL when n is 0. Its
 * variables: `vg_autolist(text) list = {0};`. */
struct vg_text_list {
    const char **v;
    unsigned int n;
};
static inline void vg_text_list_clean(struct vg_text_list *l)
{
    free(l->v);
}

/* The body member `key`, a JSON array of strings as VG_JSON() gave it, NULL for absent
 * (an empty list then). -1: the request's error says what is accepted. */
int vg_text_list_read(struct vg_request *rq, const char *key, const json_t *array,
                      struct vg_text_list *ret);
