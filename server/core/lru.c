/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See core/lru.h.
 */
#include "server/core/lru.h"

#include <string.h>
#include <xxhash.h>

uint64_t vg_slot_hash(const char *text)
{
    return XXH3_64bits(text, strlen(text));
}

static struct vg_slot **set_of(struct vg_lru *lru, uint64_t hash)
{
    return &lru->v[hash % VG_SLOT_SETS * VG_SLOT_WAYS];
}

struct vg_slot **vg_lru_next(struct vg_lru *lru, uint64_t hash, struct vg_slot **last)
{
    struct vg_slot **set = set_of(lru, hash);

    for (struct vg_slot **at = last ? last + 1 : set; at < set + VG_SLOT_WAYS; at++)
        if (*at && (*at)->hash == hash)
            return at;
    return NULL;
}

void vg_lru_use(struct vg_lru *lru, struct vg_slot *slot)
{
    slot->used = ++lru->clock;
}

struct vg_slot **vg_lru_place(struct vg_lru *lru, uint64_t hash)
{
    struct vg_slot **set = set_of(lru, hash), **oldest = set;

    for (struct vg_slot **at = set; at < set + VG_SLOT_WAYS; at++) {
        if (!*at)
            return at;
        if ((*at)->used < (*oldest)->used)
            oldest = at;
    }
    return oldest;
}

void vg_lru_put(struct vg_lru *lru, struct vg_slot **place, struct vg_slot *slot,
                uint64_t hash)
{
    slot->hash = hash;
    vg_lru_use(lru, slot);
    *place = slot;
}
