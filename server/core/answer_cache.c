/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See core/answer_cache.h. Answers are found by the target that was asked for.
 */
#include "server/core/answer_cache.h"

#include "server/core/identity.h"
#include "server/core/lru.h"
#include "virtgate/cleanup.h"
#include "virtgate/metrics.h"

#include <string.h>

#define MAX_BYTES (64 * 1024 * 1024) /* of all bodies */

/* libvirt may send an event before it is done with the change (a transient domain whose
 * process ended is reported as stopped, and removed from the list after that): what was
 * read so soon after an event is read once more when it has settled. */
#define SETTLE_NS (VG_SECOND_NS / 5)

struct entry {
    struct vg_slot slot;
    struct vg_cached_answer answer; /* owned */
};

/* What is kept of one kind of object. */
struct of_kind {
    atomic_uint_fast64_t generation; /* starts at 1 */
    _Atomic int64_t touched_ns;
    atomic_uint changing; /* changes by the gateway in progress */
};

struct vg_answer_cache {
    struct of_kind kinds[VG_KINDS];
    atomic_uint enabled; /* bits 1 << enum vg_kind */
    pthread_mutex_t lock;
    struct vg_lru entries;
    size_t bytes, answers;
    unsigned int next_pick;
    atomic_uint_fast64_t hits, misses, differences;
};

struct vg_answer_cache *vg_answer_cache_new(void)
{
    struct vg_answer_cache *inv = calloc(1, sizeof(*inv));
    if (!inv)
        return NULL;
    pthread_mutex_init(&inv->lock, NULL);
    for (enum vg_kind kind = VG_KIND_NONE; kind < VG_KINDS; kind++)
        atomic_init(&inv->kinds[kind].generation, 1);
    return inv;
}

void vg_cached_answer_clear(struct vg_cached_answer *answer)
{
    free(answer->target);
    vg_reply_clear(&answer->reply);
    *answer = (struct vg_cached_answer){0};
}

/* Lock held. Empties the place. */
static void drop(struct vg_answer_cache *inv, struct vg_slot **at)
{
    struct entry *e = (struct entry *)*at;

    if (!e)
        return;
    inv->bytes -= e->answer.reply.body->length;
    inv->answers--;
    vg_cached_answer_clear(&e->answer);
    free(e);
    *at = NULL;
}

static void drop_all(struct vg_answer_cache *inv)
{
    for (size_t i = 0; i < VG_SLOTS; i++)
        drop(inv, &inv->entries.v[i]);
}

void vg_answer_cache_free(struct vg_answer_cache *inv)
{
    if (!inv)
        return;
    drop_all(inv);
    pthread_mutex_destroy(&inv->lock);
    free(inv);
}

/* The kinds that a change is about: this one, or all for VG_KIND_NONE. */
#define FOR_KINDS(k, kind)                                                               \
    for (enum vg_kind k = (kind), end_##k = (kind) ? (kind) + 1 : VG_KINDS; k < end_##k; \
         k++)

void vg_answer_cache_invalidate(struct vg_answer_cache *inv, enum vg_kind kind)
{
    int64_t now = vg_now_ns();

    FOR_KINDS(k, kind)
    {
        atomic_store(&inv->kinds[k].touched_ns, now);
        atomic_fetch_add(&inv->kinds[k].generation, 1);
    }
}

void vg_answer_cache_begin_change(struct vg_answer_cache *inv, enum vg_kind kind,
                                  bool slow)
{
    FOR_KINDS(k, kind)
    atomic_fetch_add(&inv->kinds[k].changing, !slow);
    vg_answer_cache_invalidate(inv, kind);
}

void vg_answer_cache_end_change(struct vg_answer_cache *inv, enum vg_kind kind, bool slow)
{
    vg_answer_cache_invalidate(inv, kind);
    FOR_KINDS(k, kind)
    atomic_fetch_sub(&inv->kinds[k].changing, !slow);
}

void vg_answer_cache_enable(struct vg_answer_cache *inv, unsigned int kinds)
{
    atomic_store(&inv->enabled, kinds);
    vg_answer_cache_invalidate(inv, VG_KIND_NONE);
}

static bool is_enabled(const struct vg_answer_cache *inv, enum vg_kind kind)
{
    return atomic_load(&inv->enabled) & 1U << kind;
}

struct vg_reading vg_answer_cache_begin(struct vg_answer_cache *inv, enum vg_kind kind)
{
    struct vg_reading reading = {.kind = kind, .at_ns = vg_now_ns()};
    if (is_enabled(inv, kind))
        reading.generation = atomic_load(&inv->kinds[kind].generation);
    int64_t settled =
        atomic_load(&inv->kinds[kind].touched_ns) + SETTLE_NS; /* after the generation */
    reading.valid_until_ns = reading.at_ns < settled ? settled : 0;
    return reading;
}

bool vg_answer_cache_unchanged(struct vg_answer_cache *inv,
                               const struct vg_reading *reading)
{
    return reading->generation &&
           reading->generation == atomic_load(&inv->kinds[reading->kind].generation) &&
           is_enabled(inv, reading->kind);
}

/* ---- entries ----------------------------------------------------------------------- */

static bool is_answer_to(const struct vg_cached_answer *a, const struct vg_request *rq)
{
    return a->accept == rq->accept && a->rights == rq->rights &&
           strcmp(a->target, rq->target) == 0;
}

/* Where the answer to the request is; NULL: nowhere. Lock held. */
static struct vg_slot **find(struct vg_answer_cache *inv, const struct vg_request *rq)
{
    uint64_t hash = vg_slot_hash(rq->target);
    struct vg_slot **at = NULL;

    while ((at = vg_lru_next(&inv->entries, hash, at)))
        if (is_answer_to(&((const struct entry *)*at)->answer, rq))
            return at;
    return NULL;
}

/* NULL: out of memory. */
static struct entry *make_entry(const struct vg_request *rq,
                                const struct vg_reading *reading,
                                const struct vg_reply *reply)
{
    struct entry *e = malloc(sizeof(*e));
    char *target = e ? strdup(rq->target) : NULL;

    if (!target) {
        free(e);
        return NULL;
    }
    e->slot = (struct vg_slot){0};
    e->answer = (struct vg_cached_answer){
        .target = target,
        .route = rq->route,
        .prefix = strlen(vg_host_prefix(rq)),
        .accept = rq->accept,
        .rights = rq->rights,
        .reading = *reading,
        .reply = vg_reply_share(reply),
    };
    return e;
}

void vg_answer_cache_keep(struct vg_answer_cache *inv, const struct vg_request *rq,
                          const struct vg_reading *reading, const struct vg_reply *reply)
{
    size_t size = reply->body ? reply->body->length : 0;

    if (vg_identity_passes()) /* libvirt's rules change, and no event tells */
        return;
    if (!reply->covered || reply->status != 200 || !vg_request_is_shared(rq) || !size ||
        size > MAX_BYTES / 4 || !vg_answer_cache_unchanged(inv, reading))
        return;
    VG_LOCK(&inv->lock);
    struct vg_slot **at = find(inv, rq);
    if (at && ((const struct entry *)*at)->answer.reading.at_ns > reading->at_ns)
        return; /* a later reading came first */
    uint64_t hash = vg_slot_hash(rq->target);
    if (!at)
        at = vg_lru_place(&inv->entries, hash);
    drop(inv, at);
    if (inv->bytes + size > MAX_BYTES)
        drop_all(inv);
    struct entry *e = make_entry(rq, reading, reply);
    if (!e)
        return;
    vg_lru_put(&inv->entries, at, &e->slot, hash);
    inv->bytes += size;
    inv->answers++;
}

static bool is_valid(struct vg_answer_cache *inv, const struct vg_reading *reading)
{
    return vg_answer_cache_unchanged(inv, reading) &&
           (!reading->valid_until_ns || vg_now_ns() < reading->valid_until_ns);
}

static bool is_changing(const struct vg_answer_cache *inv,
                        const struct vg_reading *reading)
{
    return atomic_load(&inv->kinds[reading->kind].changing);
}

bool vg_answer_cache_is_fresh(struct vg_answer_cache *inv,
                              const struct vg_reading *reading)
{
    return !is_changing(inv, reading) && is_valid(inv, reading);
}

bool vg_answer_cache_find(struct vg_answer_cache *inv, const struct vg_request *rq,
                          struct vg_reply *ret)
{
    if (!atomic_load(&inv->enabled))
        return false;
    VG_LOCK(&inv->lock);
    struct vg_slot **at = find(inv, rq);
    struct entry *e = at ? (struct entry *)*at : NULL;
    if (e && is_changing(inv, &e->answer.reading))
        return false;
    if (e && is_valid(inv, &e->answer.reading)) {
        vg_lru_use(&inv->entries, &e->slot);
        *ret = vg_reply_share(&e->answer.reply);
        ret->source = VG_SOURCE_INVENTORY;
        ret->age_seconds =
            (unsigned int)((vg_now_ns() - e->answer.reading.at_ns) / VG_SECOND_NS);
        atomic_fetch_add_explicit(&inv->hits, 1, memory_order_relaxed);
        vg_count(VG_ANSWER_CACHE_HITS);
        return true;
    }
    atomic_fetch_add_explicit(&inv->misses, 1, memory_order_relaxed);
    vg_count(VG_ANSWER_CACHE_MISSES);
    return false;
}

/* ---- comparing with libvirt -------------------------------------------------------- */

bool vg_answer_cache_pick(struct vg_answer_cache *inv, struct vg_cached_answer *ret)
{
    VG_LOCK(&inv->lock);
    for (unsigned int i = 0; i < VG_SLOTS; i++) {
        const struct entry *e =
            (const struct entry *)inv->entries.v[inv->next_pick++ % VG_SLOTS];
        if (!e || !is_valid(inv, &e->answer.reading))
            continue;
        char *target = strdup(e->answer.target);
        if (!target)
            return false;
        *ret = e->answer;
        ret->target = target;
        ret->reply = vg_reply_share(&e->answer.reply);
        return true;
    }
    return false;
}

void vg_answer_cache_note_difference(struct vg_answer_cache *inv, enum vg_kind kind)
{
    atomic_fetch_add(&inv->differences, 1);
    vg_count(VG_ANSWER_CACHE_DIFFERENCES);
    vg_answer_cache_invalidate(inv, kind);
}

void vg_answer_cache_count(struct vg_answer_cache *inv,
                           struct vg_answer_cache_counts *ret)
{
    VG_LOCK(&inv->lock);
    *ret = (struct vg_answer_cache_counts){
        .hits = atomic_load(&inv->hits),
        .misses = atomic_load(&inv->misses),
        .differences = atomic_load(&inv->differences),
        .answers = inv->answers,
        .bytes = inv->bytes,
    };
}
