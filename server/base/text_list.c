/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See include/virtgate/text_list.h.
 */
#include "virtgate/text_list.h"

static int fail_item(struct vg_request *rq, const char *key)
{
    vg_error_set(vg_request_error(rq), VG_E_INVALID_VALUE,
                 "Body member '%s': an array of strings is accepted", key);
    return -1;
}

int vg_text_list_read(struct vg_request *rq, const char *key, const json_t *array,
                      struct vg_text_list *ret)
{
    size_t n = json_array_size(array), i;
    const json_t *item;

    *ret = (struct vg_text_list){0};
    if (array && !json_is_array(array))
        return fail_item(rq, key);
    if (n == 0)
        return 0;
    ret->v = calloc(n, sizeof(*ret->v));
    if (!ret->v)
        return vg_error_set_memory(vg_request_error(rq));
    json_array_foreach (array, i, item) {
        if (!json_is_string(item))
            return fail_item(rq, key);
        ret->v[ret->n++] = json_string_value(item);
    }
    return 0;
}
