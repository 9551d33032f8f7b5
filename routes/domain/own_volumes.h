/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The volumes that go with a guest: those that its own document names as what it alone
 * writes, and the seed that the gateway made.
 */
#pragma once

#include "virtgate/autoptr.h"
#include "virtgate/request.h"
#include "virtgate/transfer.h"

VG_AUTOLIST_DEFINE(volume, virStorageVol, virStorageVolFree)

/* Whether a disk of a domain's document, in its JSON form, is one of those: which it
 * alone writes, or its seed. */
bool vg_disk_is_own(const json_t *disk);
bool vg_disk_is_seed(const json_t *disk);

/* The volume that is the disk's source; owned by the caller. NULL: it is none, libvirt's
 * last error may say why. */
virStorageVolPtr vg_disk_volume(struct vg_request *rq, const json_t *disk);

/* Finds them: of disks that are neither read-only nor shareable, and no media, and of the
 * seed; what is no volume of a pool is passed over. A conflict (409) where the domain
 * runs, another guest uses one, or another volume stands on it. -1: the request's error
 * is set. */
int vg_own_volumes_find(struct vg_request *rq, virDomainPtr dom,
                        struct vg_volume_list *ret);

/* Holds all of them: nobody else reads or writes one that is to be deleted. -1: somebody
 * does, the request's error, 409 `volume-in-use`, says so. */
struct vg_own_holds {
    struct vg_volume_hold **v; /* owned; ends with NULL */
};
int vg_own_volumes_hold(struct vg_request *rq, const struct vg_volume_list *list,
                        struct vg_own_holds *ret);
void vg_own_holds_clear(struct vg_own_holds *holds);
#define vg_auto_own_holds __attribute__((cleanup(vg_own_holds_clear))) struct vg_own_holds

/* Deletes them (virStorageVolDelete). -1: the request's error is set; the others are
 * gone all the same. */
int vg_own_volumes_delete(struct vg_request *rq, const struct vg_volume_list *list);
