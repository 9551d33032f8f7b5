/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A new guest from a few wishes: what they do not name, the host's capabilities decide.
 */
#pragma once

#include "virtgate/request.h"

#define VG_NEW_MAX_DISKS      26 /* vda to vdz */
#define VG_NEW_MAX_INTERFACES 26
#define VG_NEW_MAX_BOOT       4

enum vg_new_device { VG_NEW_DISK, VG_NEW_CDROM };
enum vg_new_graphics { VG_NEW_NO_GRAPHICS, VG_NEW_VNC, VG_NEW_SPICE };
enum vg_new_firmware { VG_NEW_ANY_FIRMWARE, VG_NEW_BIOS, VG_NEW_EFI };

struct vg_new_disk {
    const char *volume; /* "pool/volume", or */
    const char *path;   /* absolute, of a file or a device */
    const char *format; /* NULL: the volume's own, which a path may be of, too */
    const char *alias;  /* NULL: libvirt's own */
    bool absent;        /* it is yet to be made: `format` is given */
    int device;         /* enum vg_new_device */
    bool read_only;
};

struct vg_new_interface {
    const char *network; /* or */
    const char *bridge;
    const char *mac, *model; /* may be NULL */
};

/* Strings are borrowed. */
struct vg_new_domain {
    const char *name;
    const char *uuid, *title, *description; /* may be NULL, as the next three */
    const char *arch, *machine, *virt_type;
    int64_t memory_kib, vcpus;
    int64_t max_memory_kib, max_vcpus; /* what it may grow to; 0: no more */
    int firmware;                      /* enum vg_new_firmware */
    int graphics;                      /* enum vg_new_graphics */
    bool console;
    bool nocloud; /* its firmware says that there is a seed */
    struct vg_new_disk disks[VG_NEW_MAX_DISKS];
    struct vg_new_interface interfaces[VG_NEW_MAX_INTERFACES];
    const char *boot[VG_NEW_MAX_BOOT];
    size_t n_disks, n_interfaces, n_boot;
};

/* The XML of the guest: machine type, CPU, firmware, buses and models by
 * virConnectGetDomainCapabilities, or, where the driver has none, only what
 * virConnectGetCapabilities tells. Looks up the volumes and networks; an image that is no
 * volume and whose format is not given is refused. Owned by the caller. NULL: the
 * request's error is set. */
char *vg_new_domain_xml(struct vg_request *rq, const struct vg_new_domain *d);
