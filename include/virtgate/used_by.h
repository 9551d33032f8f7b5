/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which guests use a network, a storage pool or a volume: what people ask before they
 * delete one.
 */
#pragma once

#include "virtgate/json.h"
#include "virtgate/request.h"

#include <libvirt/libvirt.h>

/* What is looked for in the guests' disks, file systems and interfaces. Borrowed; NULL:
 * not by this. */
struct vg_use {
    const char *network;
    const char *pool;   /* by its name, and with `volume` only that one */
    const char *volume; /* its name */
    const char *path;   /* of the volume, or the folder that the pool's are in */
    const char *key;    /* of a volume that has no path on the host */
};

/* Writes "usedBy": [{name, uuid, devices}], by virConnectListAllDomains and the documents
 * of each guest: what it has now, and what it is started with next; they are read once
 * for all objects of an answer. Nothing is written
 * for those who may not read guests. -1: libvirt's last error. */
int vg_write_used_by(struct vg_request *rq, struct vg_json *w, const struct vg_use *use);

/* A guest that runs and uses the volume, itself or below another image: its name as
 * vg_domain_shown() has it, into *ret (owned by the caller); NULL: none does. Guests that
 * the caller does not see count. -1: the request's error is set. */
int vg_volume_running_guest(struct vg_request *rq, virStorageVolPtr volume, char **ret);

/* The same of a guest other than `dom`, running or not, that uses one of the n volumes:
 * which, into *ret_which. */
int vg_volumes_other_guest(struct vg_request *rq, const virStorageVolPtr *volumes, int n,
                           virDomainPtr dom, int *ret_which, char **ret);
