/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The kinds of objects that paths name. What of a kind needs no libvirt is in its row of
 * kind.def, all else in its class: object_class.h.
 */
#pragma once

enum vg_kind {
    VG_KIND_NONE,
#define X(kind, path, variable, list_key, sort_key, what, by, event, within)             \
    VG_KIND_##kind,
#include "virtgate/kind.def"
#undef X
    VG_KINDS
};

/* How a path's text is meant: the names of `?by=`. */
enum vg_lookup {
    VG_LOOKUP_DEFAULT,
    VG_LOOKUP_ID,
    VG_LOOKUP_NAME,
    VG_LOOKUP_UUID,
    VG_LOOKUP_MAC,
    VG_LOOKUP_KEY,
    VG_LOOKUP_PATH,
    VG_LOOKUPS
};
