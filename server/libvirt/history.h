/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Where a host's history is kept (virtgate/history.h): for each domain a ring of points
 * by UUID, so that it follows a rename, in less than 6 KiB. What it is fed with, others
 * read (libvirt/domain/figures.c); when that is due, it says (server/sampler.c).
 *
 * A host that is down, and a figure that was not told, leave gaps: absent is no 0.
 */
#pragma once

#include "virtgate/cleanup.h"

#include <libvirt/libvirt.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Counters, of which rates are made. */
enum vg_history_counter {
    VG_COUNTER_CPU, /* nanoseconds */
    VG_COUNTER_DISK_READ,
    VG_COUNTER_DISK_WRITE, /* bytes, as the following */
    VG_COUNTER_NET_RECEIVE,
    VG_COUNTER_NET_TRANSMIT,
    VG_HISTORY_COUNTERS,
};

/* Figures that are kept as they are, in KiB. */
enum vg_history_gauge {
    VG_GAUGE_MEMORY,
    VG_GAUGE_MEMORY_USED,
    VG_GAUGE_MEMORY_RSS,
    VG_HISTORY_GAUGES,
};

#define VG_HISTORY_SERIES (VG_HISTORY_COUNTERS + VG_HISTORY_GAUGES)

/* What one call told of one domain. */
struct vg_figures {
    unsigned char uuid[VIR_UUID_BUFLEN];
    unsigned int vcpus; /* 0: not told */
    /* How many numbers a counter is the sum of: 0: it was not told. */
    unsigned int parts[VG_HISTORY_COUNTERS];
    uint64_t counters[VG_HISTORY_COUNTERS];
    bool has_gauge[VG_HISTORY_GAUGES];
    uint64_t gauges[VG_HISTORY_GAUGES];
};

struct vg_history;

/* NULL: out of memory. */
struct vg_history *vg_history_new(void);
/* Accepts NULL. */
void vg_history_free(struct vg_history *history);

/* From now on histories are kept. No thread may run yet. */
void vg_history_start(void);

/* What all domains of the host told at that time (vg_now_ns(), before they were asked);
 * sorted here. A domain that two samples in a row do not tell of is forgotten. Does not
 * block. */
void vg_history_take(struct vg_history *history, struct vg_figures *figures, size_t n,
                     int64_t at_ns);

/* When the host is to be asked next, as vg_now_ns() counts: in a step in which nobody
 * has, and soon where a domain was told of only once. `phase_ns`, less than half a step,
 * tells hosts apart, so that they are not asked at once. */
int64_t vg_history_due_ns(struct vg_history *history, int64_t now_ns, int64_t phase_ns);

/* How many domains it knows, and the bytes that they take. */
struct vg_history_size {
    size_t domains, bytes;
};
struct vg_history_size vg_history_size(struct vg_history *history);
