/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A guest from an image in one call: its disk, its seed, its definition, its start, its
 * address, as the steps of one operation.
 */
#pragma once

#include "routes/domain/cloud_init.h"
#include "routes/storage/new_volume.h"
#include "virtgate/domain_create.h"
#include "virtgate/reply.h"

#include <libvirt/libvirt.h>

/* By which DELETE ?volumes=true knows the seed from a medium of the user's. */
#define VG_SEED_ALIAS "ua-virtgate-seed"

/* A volume to be made. All owned. */
struct vg_guest_volume {
    virStoragePoolPtr pool; /* NULL: there is none to make */
    char *name, *path, *id; /* path: NULL where the pool has none; id is POOL/VOLUME */
    virStorageVolPtr made;
};

/* What a request wants beside the definition. Zeros: nothing. */
struct vg_guest {
    /* Of the request, borrowed. */
    json_t *image, *cloud_init;
    int64_t wait_seconds; /* 0: do not wait for an address */
    bool start;
    int autostart; /* -1: not given */
    unsigned int flags;

    /* vg_guest_plan() makes it. */
    struct vg_cloud_init config;
    virStorageVolPtr base; /* of the disk; owned */
    bool copy;
    uint64_t grown_bytes; /* of a copy that is larger than its image; 0: it is not */
    char *disk_xml;       /* owned */
    const char *disk_format, *name;
    char uuid[40];
    struct vg_guest_volume disk, seed;

    /* While it is made. */
    const char *xml;  /* the domain's; borrowed */
    virDomainPtr dom; /* owned */
    bool is_new, again;
    json_t *addresses; /* owned */
};
void vg_guest_clear(struct vg_guest *guest);
#define vg_auto_guest __attribute__((cleanup(vg_guest_clear))) struct vg_guest

/* Whether the request wants any of it. */
bool vg_guest_is_wanted(const struct vg_guest *guest);

/* Reads `image` and `cloudInit`, looks up what they name, and adds the disks that will be
 * there to `d`; makes nothing. -1: the request's error is set. */
int vg_guest_plan(struct vg_request *rq, struct vg_guest *guest, struct vg_new_domain *d);

/* Makes the guest of this document, in steps. */
struct vg_reply vg_guest_make(struct vg_request *rq, struct vg_guest *guest,
                              const char *xml) VG_MUST_USE;
