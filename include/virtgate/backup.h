/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Backups in pull mode: libvirt's documents of them.
 */
#pragma once

#include "virtgate/nbd.h"

/* What a backup in pull mode is to be; strings are borrowed. */
struct vg_pull_backup {
    const char *incremental; /* a checkpoint's name; NULL: it is full */
    const char *socket;      /* of its NBD server; or */
    const char *address;
    int64_t port;
};

/* Its <domainbackup>, of all disks; owned by the caller. NULL: out of memory. */
char *vg_pull_backup_xml(const struct vg_pull_backup *b);

/* <domaincheckpoint> of this name; the same. */
char *vg_checkpoint_xml(const char *name);

/* Where the disk of this target is exported, by the document of the backup that runs. -1:
 * *reterr, a 404 where the backup has no such disk. */
int vg_backup_find_export(const char *xml, const char *disk, struct vg_nbd_export *ret,
                          struct vg_error *reterr);
