/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The kinds of objects that paths name. What of a kind needs no libvirt is in
 * server/core/kind.c, all else in its class: object_class.h.
 */
#pragma once

enum vg_kind {
    VG_KIND_NONE,
    VG_KIND_DOMAIN,
    VG_KIND_NETWORK,
    VG_KIND_STORAGE_POOL,
    VG_KIND_NODE_DEVICE,
    VG_KIND_INTERFACE,
    VG_KIND_NWFILTER,
    VG_KIND_NWFILTER_BINDING,
    VG_KIND_SECRET,
    /* Parts of the above, which have lists of their own. */
    VG_KIND_VOLUME,
    VG_KIND_NETWORK_PORT,
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
