/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The volumes that go with a guest: those that its own document names as what it alone
 * writes, and the seed that the gateway made.
 */
#pragma once

#include "virtgate/autoptr.h"
#include "virtgate/request.h"

VG_AUTOLIST_DEFINE(volume, virStorageVol, virStorageVolFree)

/* Finds them: of disks that are neither read-only nor shareable, and no media, and of the
 * seed; what is no volume of a pool is passed over. A conflict (409) where the domain
 * runs, another guest uses one, or another volume stands on it. -1: the request's error
 * is set. */
int vg_own_volumes_find(struct vg_request *rq, virDomainPtr dom,
                        struct vg_volume_list *ret);

/* Deletes them (virStorageVolDelete). -1: the request's error is set; the others are
 * gone all the same. */
int vg_own_volumes_delete(struct vg_request *rq, const struct vg_volume_list *list);
