/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See core/kind.h; the rows are in include/virtgate/kind.def.
 */
#include "server/core/kind.h"

#include <string.h>

#define BY(what) (1U << VG_LOOKUP_##what)

static const struct vg_kind_info kinds[VG_KINDS] = {
#define X(kind, path, variable, list_key, sort_key, what, by, event, within)             \
    [VG_KIND_##                                                                          \
        kind] = {path, variable, list_key, sort_key, what, by, event, VG_KIND_##within},
#include "virtgate/kind.def"
#undef X
};

/* Whether the pattern is at that path, or below it. */
static bool is_below(const char *pattern, const char *path)
{
    size_t n = strlen(path);
    return strncmp(pattern, path, n) == 0 && (pattern[n] == '\0' || pattern[n] == '/');
}

enum vg_kind vg_kind_whole(const char *pattern)
{
    for (enum vg_kind k = VG_KIND_NONE + 1; k < VG_KINDS && !kinds[k].within; k++)
        if (is_below(pattern, kinds[k].path))
            return k;
    return VG_KIND_NONE;
}

enum vg_kind vg_kind_of(const char *pattern)
{
    enum vg_kind whole = vg_kind_whole(pattern);

    for (enum vg_kind k = whole; whole && k < VG_KINDS; k++)
        if (kinds[k].within == whole && is_below(pattern, kinds[k].path))
            return k;
    return whole;
}

enum vg_kind vg_kind_listed(const char *pattern)
{
    for (enum vg_kind k = VG_KIND_NONE + 1; k < VG_KINDS; k++) {
        const char *path = kinds[k].within ? strrchr(kinds[k].path, '/') : kinds[k].path;
        if (strcmp(pattern, path) == 0)
            return kinds[k].within ? kinds[k].within : k;
    }
    return VG_KIND_NONE;
}

const struct vg_kind_info *vg_kind_info(enum vg_kind kind)
{
    return &kinds[kind];
}

enum vg_kind vg_kind_of_event(enum vg_event_object object)
{
    for (enum vg_kind k = VG_KIND_NONE + 1; k < VG_KINDS; k++)
        if (kinds[k].event == object)
            return k;
    return VG_KIND_NONE;
}

const char *vg_lookup_name(enum vg_lookup by)
{
    static const char *const names[VG_LOOKUPS + 1] = {
        [VG_LOOKUP_DEFAULT] = "",  [VG_LOOKUP_ID] = "id",   [VG_LOOKUP_NAME] = "name",
        [VG_LOOKUP_UUID] = "uuid", [VG_LOOKUP_MAC] = "mac", [VG_LOOKUP_KEY] = "key",
        [VG_LOOKUP_PATH] = "path",
    };
    return names[by];
}
