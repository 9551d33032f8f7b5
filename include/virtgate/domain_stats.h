/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Statistics of many domains, of which one may hang or die meanwhile: that harms the
 * others nowhere, because whatever asks for them asks here.
 */
#pragma once

#include "virtgate/autoptr.h"
#include "virtgate/reply.h"

/* What libvirt's access control asks of each domain that it tells statistics of, beside
 * what the call needs: one without it is left out of all domains' (deny=). */
#define VG_STATS_NEED "domain:read"

/* Statistics of all domains that the flags let through and the caller may see
 * (virConnectGetAllDomainStats), or of those `chosen`, which end with NULL
 * (virDomainListGetStats). With the flag NOWAIT a guest that does not answer is passed
 * over. A guest that dies during the call fails libvirt's call: it is asked once more,
 * and then of each domain alone; one that cannot be asked is left out. -1: libvirt's last
 * error. */
int vg_domain_stats_read(struct vg_request *rq, virDomainPtr *chosen, unsigned int groups,
                         unsigned int flags, struct vg_stats_list *ret) VG_MUST_USE;

/* The same of all, whoever asks: for what chooses itself what it shows. */
int vg_domain_stats_read_all(struct vg_request *rq, unsigned int groups,
                             unsigned int flags, struct vg_stats_list *ret) VG_MUST_USE;
