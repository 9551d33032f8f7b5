/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * From libvirt's statistics to what a history keeps of them.
 */
#pragma once

#include "server/libvirt/history.h"
#include "virtgate/autoptr.h"

/* The groups that have all of it (virDomainStatsTypes). */
#define VG_FIGURES_GROUPS                                                                \
    (VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_CPU_TOTAL | VIR_DOMAIN_STATS_BALLOON |    \
     VIR_DOMAIN_STATS_VCPU | VIR_DOMAIN_STATS_INTERFACE | VIR_DOMAIN_STATS_BLOCK)

/* Feeds a host's history with the statistics of all its domains, of at least those
 * groups, which were asked for at that time. Without memory the sample is lost. */
void vg_figures_take(struct vg_history *history, const struct vg_stats_list *all,
                     int64_t at_ns);
