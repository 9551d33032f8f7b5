/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A domain's job (migration, save, dump, ...) and the jobs of its disks, as libvirt shows
 * them.
 */
#pragma once

#include "virtgate/error.h"

#include <libvirt/libvirt.h>

/* The job as a JSON object: type, operation, percent, and libvirt's statistics
 * (virDomainGetJobStats, or virDomainGetJobInfo where the driver has only that).
 * *ret_operation (may be NULL) is virDomainJobOperation, or -1 when not told. -1:
 * *reterr. The caller owns *ret. */
int vg_job_read(virDomainPtr dom, unsigned int flags, json_t **ret, int *ret_operation,
                struct vg_error *reterr);

/* Aborts the domain's job (virDomainAbortJobFlags). -1: the thread's last libvirt error.
 */
int vg_job_abort(virDomainPtr dom, unsigned int flags);

/* A disk's job as a JSON object: active, type, bandwidth, current, end, percent, ready
 * (virDomainGetBlockJobInfo with these flags, and the domain's XML). *ret_type (may be
 * NULL) is virDomainBlockJobType, or -1 when there is none. -1: *reterr. The caller owns
 * *ret. */
int vg_block_job_read(virDomainPtr dom, const char *disk, unsigned int flags,
                      json_t **ret, int *ret_type, struct vg_error *reterr);
