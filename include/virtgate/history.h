/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The last hour of each running domain, in memory: points of VG_HISTORY_STEP seconds,
 * made of the statistics of all domains that are read for whatever reason, and read for
 * this alone where nobody else did. Nothing here asks a host. Any thread.
 */
#pragma once

#include "virtgate/json.h"
#include "virtgate/object.h"

#define VG_HISTORY_STEP    10 /* seconds */
#define VG_HISTORY_POINTS  360
#define VG_HISTORY_SECONDS (VG_HISTORY_STEP * VG_HISTORY_POINTS)

/* Whether there is one: --history. */
bool vg_history_is_kept(void);

/* The names of the figures, bits 1 << their place: for an argument `fields`. */
extern const struct vg_enum vg_history_fields;

/* Writes members: stepSeconds, startTime, points, and `series`, of the last `n` points
 * those of `fields` (0: all), oldest first, null where nothing is known. The last point
 * is that of the moment. A domain that was never seen has nothing but null. -1: out of
 * memory; nothing is written. */
int vg_history_write(struct vg_request *rq, struct vg_json *w, virDomainPtr dom, size_t n,
                     unsigned int fields) VG_MUST_USE;

/* Writes a member `rates`, an object of the newest point's figures; nothing where the
 * newest is older than two steps. */
void vg_history_write_rates(struct vg_request *rq, struct vg_json *w, virDomainPtr dom);
