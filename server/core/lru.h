/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A bounded table of what is remembered, and may be forgotten: by its hash an entry has
 * one of eight places, and takes the one that was longest not asked for. Nothing grows,
 * and no list is kept in order. Whoever calls holds what guards the table.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define VG_SLOT_SETS 256
#define VG_SLOT_WAYS 8
#define VG_SLOTS     ((size_t)VG_SLOT_SETS * VG_SLOT_WAYS)

/* The first member of an entry. */
struct vg_slot {
    uint64_t hash;
    uint64_t used; /* the table's clock when it was last asked for */
};

/* Starts as zeroes. The entries are owned by who puts them there. */
struct vg_lru {
    struct vg_slot *v[VG_SLOT_SETS * VG_SLOT_WAYS]; /* NULL: empty */
    uint64_t clock;
};

uint64_t vg_slot_hash(const char *text);

/* Goes through the entries of that hash: where the next one after `last` (NULL: the
 * first) is. NULL: there is none. */
struct vg_slot **vg_lru_next(struct vg_lru *lru, uint64_t hash, struct vg_slot **last);

/* It was asked for. */
void vg_lru_use(struct vg_lru *lru, struct vg_slot *slot);

/* Where a new entry of that hash goes: what stands there is to be freed, and is replaced
 * by vg_lru_put(). */
struct vg_slot **vg_lru_place(struct vg_lru *lru, uint64_t hash);
void vg_lru_put(struct vg_lru *lru, struct vg_slot **place, struct vg_slot *slot,
                uint64_t hash);
