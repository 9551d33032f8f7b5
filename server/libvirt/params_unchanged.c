/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "virtgate/cleanup.h"
#include "virtgate/params.h"

int vg_params_take_unchanged(json_t *object, const virTypedParameter *current,
                             int ncurrent, bool only_empty, struct vg_error *e)
{
    json_auto_t *shown = vg_params_to_json(current, ncurrent);
    const char *key;
    json_t *value;
    void *next;

    if (!shown)
        return vg_error_set_memory(e);
    json_object_foreach_safe (object, next, key, value) {
        bool empty = json_is_string(value) && json_string_length(value) == 0;
        if ((empty || !only_empty) && json_equal(value, json_object_get(shown, key)))
            json_object_del(object, key);
    }
    return 0;
}
