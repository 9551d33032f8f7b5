/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A set of domains by UUID, as a filter of libvirt gives it in one call.
 */
#pragma once

#include "virtgate/cleanup.h"

#include <libvirt/libvirt.h>
#include <stdbool.h>
#include <string.h>

struct vg_domain_set {
    unsigned char (*v)[VIR_UUID_BUFLEN]; /* sorted; owned */
    size_t n;
};

static inline void vg_domain_set_clear(struct vg_domain_set *set)
{
    free(set->v);
    *set = (struct vg_domain_set){0};
}
#define vg_auto_domain_set VG_CLEANUP(vg_domain_set_clear) struct vg_domain_set

/* Adds the domains that the filter (virConnectListAllDomainsFlags) lets through. -1:
 * libvirt's last error, or out of memory; the set is as it was. */
int vg_domain_set_add(struct vg_domain_set *set, virConnectPtr conn, unsigned int filter);

bool vg_domain_set_has(const struct vg_domain_set *set, const unsigned char *uuid);

/* For qsort(3) and bsearch(3): of UUIDs, or of what begins with one. */
static inline int vg_compare_uuids(const void *a, const void *b)
{
    return memcmp(a, b, VIR_UUID_BUFLEN);
}
