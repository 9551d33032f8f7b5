/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * JSON merge patch, RFC 7396: objects are merged, null removes, all else replaces.
 */
#include "virtgate/xml_json.h"

/* As deep as jansson parses: 2048. */
json_t *vg_json_merge(json_t *target_steal, const json_t *patch)
{
    json_auto_t *target = target_steal;
    const char *key;
    json_t *value;

    if (!json_is_object(patch))
        return json_deep_copy(patch);
    if (!json_is_object(target)) {
        json_decref(target);
        target = json_object();
    }
    /* jansson's iterator takes a non-const object but does not change it */
    json_object_foreach ((json_t *)(uintptr_t)patch, key, value) {
        if (json_is_null(value)) {
            json_object_del(target, key);
            continue;
        }
        json_t *merged = vg_json_merge(json_incref(json_object_get(target, key)), value);
        if (json_object_set_new(target, key, merged) < 0)
            return NULL;
    }
    return json_incref(target);
}
