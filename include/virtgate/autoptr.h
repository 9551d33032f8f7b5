/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Ownership by scope for libvirt's objects. libvirt's own free functions reset the
 * thread's last error and complain about NULL, so an error is captured before the scope
 * of its object ends (a `return vg_fail_virt(rq)` does).
 */
#pragma once

#include "virtgate/cleanup.h"

#include <jansson.h>
#include <libvirt/libvirt.h>

/* Defines the cleanup of variables declared as `vg_autoptr(type) name = ...`. */
#define VG_AUTOPTR_DEFINE(type, free_fn)                                                 \
    typedef type *vg_autoptr_##type;                                                     \
    static inline void vg_autoptr_clean_##type(vg_autoptr_##type *p)                     \
    {                                                                                    \
        if (*p)                                                                          \
            (void)free_fn(*p);                                                           \
    }

#define vg_autoptr(type) VG_CLEANUP(vg_autoptr_clean_##type) vg_autoptr_##type

VG_AUTOPTR_DEFINE(virDomain, virDomainFree)
VG_AUTOPTR_DEFINE(virDomainSnapshot, virDomainSnapshotFree)
VG_AUTOPTR_DEFINE(virDomainCheckpoint, virDomainCheckpointFree)
VG_AUTOPTR_DEFINE(virNetwork, virNetworkFree)
VG_AUTOPTR_DEFINE(virStoragePool, virStoragePoolFree)
VG_AUTOPTR_DEFINE(virStorageVol, virStorageVolFree)
VG_AUTOPTR_DEFINE(virSecret, virSecretFree)
VG_AUTOPTR_DEFINE(virNodeDevice, virNodeDeviceFree)
VG_AUTOPTR_DEFINE(virInterface, virInterfaceFree)
VG_AUTOPTR_DEFINE(virNWFilter, virNWFilterFree)
VG_AUTOPTR_DEFINE(virStream, virStreamFree)

VG_AUTOLIST_DEFINE(domain, virDomain, virDomainFree)
VG_AUTOLIST_DEFINE(snapshot, virDomainSnapshot, virDomainSnapshotFree)
VG_AUTOLIST_DEFINE(checkpoint, virDomainCheckpoint, virDomainCheckpointFree)

/* Statistics records, as virConnectGetAllDomainStats gives them: vg_autolist(stats). */
struct vg_stats_list {
    virDomainStatsRecordPtr *v;
    int n;
};
static inline void vg_stats_list_clean(struct vg_stats_list *l)
{
    if (l->v)
        virDomainStatsRecordListFree(l->v);
}
