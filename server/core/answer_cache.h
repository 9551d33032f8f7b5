/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What libvirt's events fully cover of one host, in memory: whole answers, as they were
 * written. Nothing in it is ever changed: an event, or a change by the gateway itself,
 * makes all that is kept of that kind of object invalid (a network's leaves what is kept
 * of domains), and the next read asks libvirt again.
 *
 * An answer is kept with the generation that was current before libvirt was asked for it:
 * what began before a change is never given out after it.
 */
#pragma once

#include "server/core/request.h"

struct vg_answer_cache;

struct vg_answer_cache *vg_answer_cache_new(void);
void vg_answer_cache_free(struct vg_answer_cache *cache);

/* The kinds whose events arrive from the host, bits 1 << enum vg_kind. Nothing is kept of
 * other kinds. */
void vg_answer_cache_enable(struct vg_answer_cache *cache, unsigned int kinds);

/* Something of that kind changed; VG_KIND_NONE: anything. Any thread, does not block. */
void vg_answer_cache_invalidate(struct vg_answer_cache *cache, enum vg_kind kind);

/* A change by the gateway begins and ends. Meanwhile nothing of that kind is given from
 * memory: one client might have seen the change in libvirt already, and the next one not.
 * A `slow` one, hours of a migration, leaves that to libvirt's events. */
void vg_answer_cache_begin_change(struct vg_answer_cache *cache, enum vg_kind kind,
                                  bool slow);
void vg_answer_cache_end_change(struct vg_answer_cache *cache, enum vg_kind kind,
                                bool slow);

/* Call it before libvirt is asked; vg_answer_cache_keep() needs what it returns. */
struct vg_reading vg_answer_cache_begin(struct vg_answer_cache *cache, enum vg_kind kind);

/* Keeps an answer, unless something changed since. */
void vg_answer_cache_keep(struct vg_answer_cache *cache, const struct vg_request *rq,
                          const struct vg_reading *reading, const struct vg_reply *reply);

/* Answers a read from memory. False: it is not there. Any thread, does not block. */
bool vg_answer_cache_find(struct vg_answer_cache *cache, const struct vg_request *rq,
                          struct vg_reply *ret);

/* An answer, and what it answers. */
struct vg_cached_answer {
    char *target; /* owned */
    const struct vg_route *route;
    size_t prefix; /* bytes of target, "/hosts/NAME" */
    enum vg_accept accept;
    const struct vg_rights *rights;
    struct vg_reading reading;
    struct vg_reply reply; /* owned */
};
void vg_cached_answer_clear(struct vg_cached_answer *answer);

/* Copies one of the answers that are kept, in turn, for a comparison with libvirt. Its
 * `reading` tells later whether it still is. False: nothing is kept. */
bool vg_answer_cache_pick(struct vg_answer_cache *cache, struct vg_cached_answer *ret);
bool vg_answer_cache_unchanged(struct vg_answer_cache *cache,
                               const struct vg_reading *reading);

/* Whether what was read then may be given out now. Any thread, does not block. */
bool vg_answer_cache_is_fresh(struct vg_answer_cache *cache,
                              const struct vg_reading *reading);

struct vg_answer_cache_counts {
    uint64_t hits, misses, differences;
    size_t answers, bytes;
};
void vg_answer_cache_count(struct vg_answer_cache *cache,
                           struct vg_answer_cache_counts *ret);
/* A comparison found memory to be wrong. */
void vg_answer_cache_note_difference(struct vg_answer_cache *cache, enum vg_kind kind);
