/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See libvirt/domain/set.h.
 */
#include "server/libvirt/domain/set.h"

#include "virtgate/autoptr.h"

int vg_domain_set_add(struct vg_domain_set *set, virConnectPtr conn, unsigned int filter)
{
    vg_autolist(domain) list = {0};

    list.n = virConnectListAllDomains(conn, &list.v, filter);
    if (list.n <= 0)
        return list.n;
    void *grown = realloc(set->v, (set->n + (size_t)list.n) * VIR_UUID_BUFLEN);
    if (!grown)
        return -1;
    set->v = grown;
    for (int i = 0; i < list.n; i++)
        virDomainGetUUID(list.v[i], set->v[set->n++]);
    qsort(set->v, set->n, VIR_UUID_BUFLEN, vg_compare_uuids);
    return 0;
}

bool vg_domain_set_has(const struct vg_domain_set *set, const unsigned char *uuid)
{
    return set->n && bsearch(uuid, set->v, set->n, VIR_UUID_BUFLEN, vg_compare_uuids);
}
