/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The devices of a domain, as its XML has them: lists of them, and one of them.
 */
#pragma once

#include "virtgate/json.h"
#include "virtgate/reply.h"
#include "virtgate/request.h"

#include <libvirt/libvirt.h>

/* The devices of one document, and one of them (borrowed from it). */
struct vg_devices;
struct vg_device;

/* Asks for the domain's XML, with virDomainXMLFlags. NULL: *reterr. */
struct vg_devices *vg_devices_read(virDomainPtr dom, unsigned int flags,
                                   struct vg_error *reterr);
void vg_devices_free(struct vg_devices **devices);
#define vg_auto_devices __attribute__((cleanup(vg_devices_free))) struct vg_devices

/* The next device after one (NULL: the first) of this type (NULL: any); NULL: there is no
 * more. */
const struct vg_device *vg_devices_next(const struct vg_devices *devices,
                                        const struct vg_device *after, const char *type);

/* The device with this alias, or the disk with this target or source; NULL: none. */
const struct vg_device *vg_devices_by_alias(const struct vg_devices *devices,
                                            const char *alias);
const struct vg_device *vg_devices_disk(const struct vg_devices *devices,
                                        const char *disk);

/* Whether one of them has the alias, or the type and the target, or of controllers the
 * type and the index, of the device in this XML; of what is not well-formed, none has. */
bool vg_devices_collide(const struct vg_devices *devices, const char *xml);

/* Whether the interface with this MAC address has no device on the host, as those of
 * type='user'. */
bool vg_devices_is_hostless(const struct vg_devices *devices, const char *mac);

/* Whether the guest's agent has its channel open, as the XML of a running domain says. */
bool vg_devices_agent_is_connected(const struct vg_devices *devices);

/* Its XML without what differs between a running domain and its definition: the alias,
 * and the address of what a target or a MAC address names. Owned by the caller; NULL: out
 * of memory. */
char *vg_device_description(const struct vg_device *device);

/* How many of them this XML means: those that have its alias, or where it has none its
 * type and its target or MAC address, or where it has neither its type. 1 where that
 * cannot be told.
 */
size_t vg_devices_meant(const struct vg_devices *devices, const char *xml);

/* Its name in the guest, "vda"; borrowed. */
const char *vg_disk_target(const struct vg_device *disk);
/* Whether there is something in the drive. */
bool vg_disk_has_source(const struct vg_device *disk);
/* Whether a copy or an active commit has caught up, so that the disk can be pivoted. */
bool vg_disk_is_mirrored(const struct vg_device *disk);

/* The first drive for CD-ROMs, or that with this target; *ret_n: how many there are.
 * NULL: none. */
const struct vg_device *vg_devices_cdrom(const struct vg_devices *devices,
                                         const char *target, size_t *ret_n);

/* What is in a drive; all NULL: nothing. */
struct vg_medium {
    const char *pool, *volume; /* or */
    const char *path;          /* absolute */
};

/* The drive's XML with another medium, whose bytes are the disc's (raw). Owned by the
 * caller; NULL: out of memory. */
char *vg_cdrom_with(const struct vg_device *drive, const struct vg_medium *medium);

/* The members of one device, one disk, one interface, into an object that was begun. */
void vg_device_write(struct vg_json *w, const struct vg_device *device);
void vg_disk_write(struct vg_json *w, const struct vg_device *disk);
void vg_interface_write(struct vg_json *w, const struct vg_device *interface);

/* What ?flags= takes where devices are read: inactive. */
extern const struct vg_enum vg_devices_flags;

/* The answer to GET of a list, {key: [...]}: reads the arguments, too. */
struct vg_reply vg_devices_reply(struct vg_request *rq, const char *key, const char *type,
                                 void (*write)(struct vg_json *w,
                                               const struct vg_device *device));
