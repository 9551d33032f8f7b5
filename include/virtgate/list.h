/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the lists of all kinds have in common: libvirt's flags and the pairs among them,
 * a glob on the name, pages.
 */
#pragma once

#include "virtgate/request.h"

#define VG_LIST_MAX_LIMIT 10000

enum vg_list_view { VG_LIST_DEFAULT, VG_LIST_FULL };
/* "default", "full": for VG_ONE_OF("view", ...). */
extern const struct vg_enum vg_list_views;

struct vg_list_args {
    unsigned int flags; /* for libvirt's call */
    const char *name;   /* glob; NULL: any */
    const char *uuids;  /* only these: separated by commas, as vg_list_check_uuids() found
                         * good; NULL: any */
    const char *after;  /* only names after this one; NULL: all */
    int64_t limit;      /* 0: none */
    int view;           /* enum vg_list_view */
    bool nothing;       /* two of the filters exclude each other */
};

/* The arguments of every list but its filters; `fields` are bits by `names`. */
#define VG_LIST_FIELDS(list, fields, names)                                              \
    VG_TEXT("name", &(list).name), VG_NAMES("fields", fields, names),                    \
        VG_ONE_OF("view", &(list).view, &vg_list_views),                                 \
        VG_TEXT("after", &(list).after),                                                 \
        VG_NUMBER("limit", &(list).limit, 1, VG_LIST_MAX_LIMIT)

/* Of kinds that have UUIDs, beside the above. */
#define VG_LIST_UUIDS(list) VG_TEXT("uuid", &(list).uuids)
#define VG_LIST_MAX_UUIDS   256

/* Whether `uuids` are UUIDs, and not too many. -1: the request's error says what is
 * wrong. */
int vg_list_check_uuids(struct vg_request *rq, const struct vg_list_args *list);

/* Whether an object with that UUID, in libvirt's form, is one of those asked for. */
bool vg_list_has_uuid(const struct vg_list_args *list, const char *uuid);

/* libvirt's filters come in pairs, yes and no; asked for neither, both pass. `wanted` is
 * 1 or 0, and -1 where nothing is asked. What `flags` say beside it holds, too. */
void vg_list_narrow(struct vg_list_args *list, int wanted, unsigned int yes,
                    unsigned int no);

/* Whether the glob and the page let this name through. */
bool vg_list_passes(const struct vg_list_args *list, const char *name);
