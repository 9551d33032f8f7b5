/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A guest from an image, or from another guest (clone.c), in one call: its disks, its
 * seed, its definition, its start, its address, as the steps of one operation.
 */
#pragma once

#include "routes/domain/cloud_init.h"
#include "routes/storage/new_volume.h"
#include "virtgate/domain_create.h"
#include "virtgate/reply.h"

#include <libvirt/libvirt.h>

/* By which DELETE ?volumes=true knows the seed from a medium of the user's. */
#define VG_SEED_ALIAS "ua-virtgate-seed"

/* A guest's disks that are made for it, and its firmware's variables. */
#define VG_GUEST_MAX_VOLUMES (VG_NEW_MAX_DISKS + 1)

/* A volume to be made. Pointers are owned, but for the format. */
struct vg_guest_volume {
    virStoragePoolPtr pool; /* NULL: there is none to make */
    char *name, *path, *id; /* path: NULL where the pool has none; id is POOL/VOLUME */
    const char *format;     /* static */
    virStorageVolPtr base;  /* what it is a copy of, or stands on; NULL: of a seed */
    bool copy;
    uint64_t grown_bytes; /* of a copy that is larger than its base; 0: it is not */
    char *xml;            /* its document; NULL: of a seed */
    virStorageVolPtr made;
};

/* What a request wants beside the definition. Zeros: nothing. */
struct vg_guest {
    /* Of the request, borrowed. */
    json_t *image, *cloud_init;
    const char *from, *pool; /* the guest that it is a clone of, and where its disks go */
    int copies;              /* 1, 0; -1: not given */
    int64_t wait_seconds;    /* 0: do not wait for an address */
    bool start;
    int autostart; /* -1: not given */
    unsigned int flags;

    /* vg_guest_plan() makes it, or vg_guest_plan_clone(). */
    struct vg_cloud_init config;
    virDomainPtr source; /* that it is a clone of; owned */
    bool copy;           /* its disks are copies, not overlays */
    const char *name;
    char uuid[VG_UUID_SIZE];
    struct vg_guest_volume disks[VG_GUEST_MAX_VOLUMES], seed;
    size_t n_disks;

    /* While it is made. */
    struct vg_request *rq; /* borrowed */
    const char *xml;       /* the domain's; borrowed */
    virDomainPtr dom;      /* owned */
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

/* The XML of a clone of the guest `from`: its document with a name, a UUID and addresses
 * of its own, and volumes that are to be made; makes nothing. With the passwords of its
 * source unless it is only `shown`. Owned by the caller. NULL: the request's error is
 * set. */
char *vg_guest_plan_clone(struct vg_request *rq, struct vg_guest *guest,
                          const struct vg_new_domain *d, bool shown);

/* One more volume that is to be made of another. */
struct vg_guest_wish {
    virStorageVolPtr base; /* taken */
    const struct vg_image *image;
    const char *stem; /* of its name; what follows tells the format */
    const char *pool; /* NULL: the base's own */
    uint64_t size;
    bool copy;
    bool keeps_format;            /* a copy of raw bytes stays raw */
    const char *member, *refused; /* the argument, where a pool has no overlays */
};
/* NULL: the request's error is set. */
struct vg_guest_volume *vg_guest_plan_volume(struct vg_request *rq,
                                             struct vg_guest *guest,
                                             const struct vg_guest_wish *wish);

/* Reads `cloudInit` and finds the seed's place: where it says, else beside the first
 * volume that is made, else in the pool of that name (may be NULL). -1: the request's
 * error is set. */
int vg_guest_plan_seed(struct vg_request *rq, struct vg_guest *guest, const char *pool);

/* The UUID that is known before the guest is: the one given, or a new one. */
void vg_guest_plan_uuid(struct vg_guest *guest, const char *given);

/* Makes the guest of this document, in steps. */
struct vg_reply vg_guest_make(struct vg_request *rq, struct vg_guest *guest,
                              const char *xml) VG_MUST_USE;
