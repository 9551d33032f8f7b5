/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What no event tells of (autostart, managed save, the most virtual CPUs of an inactive
 * domain) is asked of the host for every answer that shows it: a call for each. A
 * filtered list tells it of all domains in one call, and the statistics of the inactive
 * ones, which libvirtd knows without a monitor, all that virDomainGetInfo() does. So
 * where more requests come than there are workers, of whatever domains, lists that are
 * read after they came answer them together; else each asks for its own domain.
 *
 * The lists are read on the host's lane of scans. Who waits for them has patience for a
 * moment, and then asks for itself: a domain that libvirtd holds locked delays the lists,
 * and nobody else.
 */
#pragma once

#include "server/libvirt/domain/view.h"

#define VG_MARKS (VG_DOMAIN_AUTOSTART | VG_DOMAIN_MANAGED_SAVE | VG_DOMAIN_MAX_VCPUS)

struct vg_host;
struct vg_marks;

/* One for each host. */
struct vg_marks *vg_marks_new(struct vg_host *host);
void vg_marks_free(struct vg_marks *marks);

/* For a request that is being submitted: lists of this number and later ones are read
 * after it came. */
uint64_t vg_marks_now(struct vg_marks *marks);

/* Fills in of `fields` what lists told that were read since the request came, and, of an
 * inactive domain that they told of, VG_INFO_FIELDS; the rest is left to be asked for. A
 * domain that is in no list may be none: before a call that fails then. */
void vg_marks_read(struct vg_request *rq, struct vg_view *view, unsigned int fields);
