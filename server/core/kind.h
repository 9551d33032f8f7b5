/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is known of a kind of object without libvirt: where its paths begin, how its list
 * is called and sorted, by what its objects are found, and which events are about it.
 */
#pragma once

#include "virtgate/event.h"
#include "virtgate/kind.h"

struct vg_kind_info {
    const char *path;           /* of its list: "/storage-pools" */
    const char *variable;       /* of one of them: "{pool}" */
    const char *list_key;       /* of the list's answer: "storagePools" */
    const char *sort_key;       /* the member that the list goes by: "name" */
    const char *what;           /* for messages: "storage pool" */
    unsigned int by;            /* bits 1 << enum vg_lookup: what `?by=` takes */
    enum vg_event_object event; /* 0: libvirt has none */
    enum vg_kind within;        /* whose part it is: its paths begin with one of those */
};

/* The kind that a route's pattern is about: "/storage-pools/{pool}/start", or its list.
 * VG_KIND_NONE: of none. */
enum vg_kind vg_kind_of(const char *pattern);
/* The same; of a part the whole that it is within: pools of volumes. What is in memory,
 * `?by=` and the limit of calls in flight go by that. */
enum vg_kind vg_kind_whole(const char *pattern);

/* The kind all of whose objects a pattern is about: "/storage-pools", and "/volumes",
 * which looks through all pools. VG_KIND_NONE: it is no such list. */
enum vg_kind vg_kind_listed(const char *pattern);

/* Not of VG_KIND_NONE. Static. */
const struct vg_kind_info *vg_kind_info(enum vg_kind kind);

/* The kind that such events are about; VG_KIND_NONE: no single one. */
enum vg_kind vg_kind_of_event(enum vg_event_object object);

/* "id", "name", ...; NULL past the last. Static. */
const char *vg_lookup_name(enum vg_lookup by);
