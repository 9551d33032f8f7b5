/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Looking up names and values in the generated enum tables. See include/virtgate/enum.h.
 */
#include "virtgate/enum.h"

#include <stdlib.h>
#include <string.h>

const struct vg_enum_value *vg_enum_find(const struct vg_enum *e, int64_t value)
{
    /* The tables are sorted by value: most enums have no gaps and no aliases, and their
     * value is their place. */
    if (value >= 0 && (uint64_t)value < e->count && e->values[value].value == value &&
        (value == 0 || e->values[value - 1].value != value))
        return &e->values[value];
    for (size_t i = 0; i < e->count; i++)
        if (e->values[i].value == value)
            return &e->values[i];
    return NULL;
}

const struct vg_enum_value *vg_enum_lookup(const struct vg_enum *e, const char *name,
                                           size_t len)
{
    for (size_t i = 0; i < e->count; i++)
        if (strncmp(e->values[i].name, name, len) == 0 && e->values[i].name[len] == '\0')
            return &e->values[i];
    return NULL;
}

char *vg_enum_names(const struct vg_enum *e)
{
    size_t size = 1;
    for (size_t i = 0; i < e->count; i++)
        size += strlen(e->values[i].name) + 2;
    char *names = malloc(size);
    if (!names)
        return NULL;
    char *end = names;
    for (size_t i = 0; i < e->count; i++) {
        if (i > 0)
            end = stpcpy(end, ", ");
        end = stpcpy(end, e->values[i].name);
    }
    *end = '\0';
    return names;
}
