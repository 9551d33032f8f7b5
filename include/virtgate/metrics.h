/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the gateway counts of itself, and how GET /metrics reads it. Counting is a few
 * relaxed atomic additions: any thread, no lock, never fails.
 */
#pragma once

#include "virtgate/exposition.h"
#include "virtgate/reply.h"
#include "virtgate/route.h"

enum vg_counter {
    VG_COALESCED_READS,          /* reads that joined an equal one */
    VG_ANSWER_CACHE_HITS,        /* reads answered from the answer cache */
    VG_ANSWER_CACHE_MISSES,      /* reads that had to ask libvirt all the same */
    VG_ANSWER_CACHE_DIFFERENCES, /* of the answer cache and the host, found by a
                                    comparison */
    VG_EVENTS_SENT,              /* to clients, on all streams */
    VG_STREAM_RESETS,            /* streams that had to begin anew */
    VG_COUNTERS,
};

void vg_count(enum vg_counter counter);

/* A stream of events was opened (1) or closed (-1). */
void vg_count_stream(int change);

/* How long an event was on its way, from libvirt's callback to the client's socket. */
void vg_count_event_delay(int64_t ns);

/* A libvirt error (virErrorNumber) that became an answer or put a host down. */
void vg_count_virt_error(int code);

/* An answer was sent (streams: it ended). route NULL: no row (unknown path, wrong method,
 * OPTIONS). */
void vg_count_request(const struct vg_route *route, enum vg_method method, int status,
                      int64_t duration_ns);

/* Makes room for the rows of the route tables; before any thread. -1: out of memory. */
int vg_metrics_start(const struct vg_route *const *tables);

/* Writes all of the above, and of the process. */
void vg_metrics_write(struct vg_exposition *x);

/* ---- hosts and their domains --------------------------------------------------------
 */

/* The families of a host's part, in the order of its blocks: of its domains, then of the
 * machine, its networks and storage pools. */
extern const struct vg_family vg_host_families[];
extern const size_t vg_host_families_count;
extern const struct vg_family vg_host_object_families[];
extern const size_t vg_host_object_families_count;

/* Between the blocks; no label has it. */
#define VG_METRICS_SEPARATOR '\x1E'

/* One host's part: for each of these families its samples and a separator. One
 * virConnectGetAllDomainStats that waits for no domain; the rest has two seconds, and is
 * left out for half a minute when storage that does not answer took them. */
struct vg_reply vg_metrics_of_host(struct vg_request *rq) VG_MUST_USE;
