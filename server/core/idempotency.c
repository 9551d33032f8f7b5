/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A table of keys with their requests' hashes and answers. Those that are done are
 * bounded, the oldest go first; the others are as many as there are requests at work, and
 * stay: a repeated one must not run beside the first.
 */
#include "server/core/idempotency.h"

#include "virtgate/cleanup.h"

#include <string.h>
#include <xxhash.h>

#define BUCKETS   4096
#define MAX_DONE  10000
#define MAX_BYTES ((size_t)32 << 20) /* of answers */
#define KEEP_NS   (24 * 3600 * VG_SECOND_NS)

struct entry {
    struct entry *next;             /* in the bucket */
    XXH128_hash_t key, request;     /* of caller and key; of method, target and body */
    const struct vg_rights *rights; /* that the answer was for */
    bool done;
    struct entry *newer, *older; /* of those that are done */
    int64_t done_ns;
    struct vg_reply reply;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry *buckets[BUCKETS];
static struct entry *newest, *oldest; /* of those that are done */
static size_t n_done, n_bytes;

static struct entry **find(XXH128_hash_t key)
{
    struct entry **at = &buckets[key.low64 % BUCKETS];
    while (*at && !XXH128_isEqual((*at)->key, key))
        at = &(*at)->next;
    return at;
}

static size_t size_of(const struct vg_reply *reply)
{
    return reply->body ? reply->body->length : 0;
}

static void put_newest(struct entry *e)
{
    e->older = newest;
    *(newest ? &newest->newer : &oldest) = e;
    newest = e;
    n_bytes += size_of(&e->reply);
    n_done++;
}

static void take_out(struct entry *e)
{
    *(e->newer ? &e->newer->older : &newest) = e->older;
    *(e->older ? &e->older->newer : &oldest) = e->newer;
    n_bytes -= size_of(&e->reply);
    n_done--;
}

static void drop(struct entry *e)
{
    *find(e->key) = e->next;
    if (e->done)
        take_out(e);
    vg_reply_clear(&e->reply);
    free(e);
}

static void drop_old(int64_t now)
{
    while (oldest &&
           (n_done > MAX_DONE || n_bytes > MAX_BYTES || oldest->done_ns + KEEP_NS < now))
        drop(oldest);
}

static struct entry *add(XXH128_hash_t key, XXH128_hash_t request,
                         const struct vg_rights *rights)
{
    struct entry *e = calloc(1, sizeof(*e));
    if (!e)
        return NULL;
    e->key = key;
    e->request = request;
    e->rights = rights;
    struct entry **bucket = &buckets[key.low64 % BUCKETS];
    e->next = *bucket;
    *bucket = e;
    drop_old(vg_now_ns());
    return e;
}

static XXH128_hash_t key_of(const struct vg_request *rq)
{
    const char *key = rq->idempotency_key;
    XXH64_hash_t caller = XXH3_64bits(rq->caller, sizeof(rq->caller));
    return XXH3_128bits_withSeed(key, strlen(key), caller);
}

static XXH128_hash_t hash_request(const struct vg_request *rq)
{
    XXH64_hash_t seed = XXH3_64bits(rq->method_name, strlen(rq->method_name));
    seed = XXH3_64bits_withSeed(rq->target, strlen(rq->target), seed);
    return XXH3_128bits_withSeed(rq->body ? rq->body : "", rq->body_length, seed);
}

bool vg_idempotency_begin(struct vg_request *rq, struct vg_reply *ret_reply)
{
    XXH128_hash_t request = hash_request(rq);
    VG_LOCK(&lock);
    struct entry *e = *find(key_of(rq));

    if (!e) {
        if (add(key_of(rq), request, rq->rights)) {
            rq->on_answer = vg_idempotency_end;
            return true;
        }
        *ret_reply = vg_reply_memory(rq);
        return false;
    }
    if (!XXH128_isEqual(e->request, request))
        *ret_reply =
            vg_reply_error(rq, VG_E_IDEMPOTENCY_MISMATCH,
                           "Another request was made with this Idempotency-Key; take "
                           "a new key for a new request");
    else if (e->rights != rq->rights) /* which may see less; and once is once */
        *ret_reply =
            vg_reply_error(rq, VG_E_IDEMPOTENCY_MISMATCH,
                           "This request was made before with this Idempotency-Key, "
                           "when its caller had other rights: it is not made again, and "
                           "its answer is not told; look, and take a new key");
    else if (!e->done)
        *ret_reply =
            vg_reply_error(rq, VG_E_AT_WORK,
                           "The first request with this Idempotency-Key is still at "
                           "work; try again when it is done");
    else
        *ret_reply = vg_reply_share(&e->reply);
    return false;
}

void vg_idempotency_end(struct vg_request *rq, const struct vg_reply *reply)
{
    VG_LOCK(&lock);
    struct entry *e = *find(key_of(rq));
    if (!e)
        return;
    if (reply->status >= 500 && (!rq->begun || reply->unasked)) {
        drop(e);
        return;
    }
    e->done = true;
    e->done_ns = vg_now_ns();
    e->reply = vg_reply_share(reply);
    put_newest(e);
    drop_old(e->done_ns);
}

void vg_idempotency_tick(int64_t now_ns)
{
    VG_LOCK(&lock);
    drop_old(now_ns);
}

void vg_idempotency_clear(void)
{
    VG_LOCK(&lock);
    for (size_t i = 0; i < BUCKETS; i++)
        while (buckets[i])
            drop(buckets[i]);
}
