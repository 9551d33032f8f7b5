/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What libvirt's events fully cover of one host, in memory: whole answers, as they were
 * written. Nothing in it is ever changed: an event, or a change by the gateway itself,
 * makes all of it invalid, and the next read asks libvirt again.
 *
 * An answer is kept with the generation that was current before libvirt was asked for it:
 * what began before a change is never given out after it.
 */
#pragma once

#include "server/core/request.h"

struct vg_inventory;

struct vg_inventory *vg_inventory_new(void);
void vg_inventory_free(struct vg_inventory *inventory);

/* Whether the host's events arrive; without them nothing is kept. */
void vg_inventory_enable(struct vg_inventory *inventory, bool enabled);

/* Something changed. Any thread, does not block. */
void vg_inventory_touch(struct vg_inventory *inventory);

/* A change by the gateway begins and ends. Meanwhile nothing is given from memory: one
 * client might have seen the change in libvirt already, and the next one not. A `slow`
 * one, hours of a migration, leaves that to libvirt's events. */
void vg_inventory_begin_change(struct vg_inventory *inventory, bool slow);
void vg_inventory_end_change(struct vg_inventory *inventory, bool slow);

/* To be asked before libvirt is; for vg_inventory_keep(). */
struct vg_reading vg_inventory_begin(struct vg_inventory *inventory);

/* Keeps an answer, unless something changed since. */
void vg_inventory_keep(struct vg_inventory *inventory, const struct vg_request *rq,
                       const struct vg_reading *reading, const struct vg_reply *reply);

/* Answers a read from memory. False: it is not there. Any thread, does not block. */
bool vg_inventory_find(struct vg_inventory *inventory, const struct vg_request *rq,
                       struct vg_reply *ret);

/* One of the answers that are kept, in turn, for a comparison with libvirt: the request
 * that asks for it anew, owned by the caller; NULL: nothing is kept. *ret_reply is what
 * is kept, *ret_reading tells later whether it still is. */
struct vg_request *vg_inventory_pick(struct vg_inventory *inventory,
                                     struct vg_reply *ret_reply,
                                     struct vg_reading *ret_reading);
bool vg_inventory_unchanged(struct vg_inventory *inventory,
                            const struct vg_reading *reading);

/* Whether what was read then may be given out now. Any thread, does not block. */
bool vg_inventory_holds(struct vg_inventory *inventory, const struct vg_reading *reading);

struct vg_inventory_counts {
    uint64_t hits, misses, differences;
    size_t answers, bytes;
};
void vg_inventory_count(struct vg_inventory *inventory, struct vg_inventory_counts *ret);
/* A comparison found memory to be wrong. */
void vg_inventory_note_difference(struct vg_inventory *inventory);
