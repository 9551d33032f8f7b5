/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See uploads.h.
 */
#include "server/core/uploads.h"

#include "server/base/clock.h"
#include "server/base/list.h"
#include "virtgate/cleanup.h"
#include "virtgate/digest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define ID_SIZE   33
#define SETTLE_NS (5 * VG_SECOND_NS)
#define LOOK_NS   (VG_SECOND_NS / 10)
#define AGAIN_NS  (60 * VG_SECOND_NS)

struct vg_resumable {
    struct vg_resumable *next, **link;
    atomic_uint refs;
    char id[ID_SIZE];
    struct vg_host *host;
    unsigned char caller[VG_CALLER_SIZE];
    char principal[VG_TOKEN_NAME_SIZE];
    struct vg_resumable_plan plan;
    time_t created;

    /* Guarded by the lock. */
    uint64_t offset;
    bool busy, done, over;
    struct vg_transfer *transfer; /* that moves it; NULL: none */
    struct vg_volume_hold *hold;  /* owned; NULL: it is done */
    time_t expires;
    int64_t expires_ns;

    struct vg_digest *digest; /* owned; of who goes on with it */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t settled;
static struct vg_resumable *uploads; /* the oldest first; each has a reference */
static unsigned int per_caller = 64;
static int64_t expiry = 86400;
static struct vg_resumable_calls calls;

void vg_resumable_start(unsigned int limit, int64_t expiry_seconds,
                        const struct vg_resumable_calls *used)
{
    per_caller = limit;
    expiry = expiry_seconds;
    calls = *used;
    vg_cond_init(&settled);
}

/* Lock held. */
static void renew(struct vg_resumable *upload)
{
    upload->expires = time(NULL) + expiry;
    upload->expires_ns = vg_now_ns() + expiry * VG_SECOND_NS;
}

/* ---- making and finding -------------------------------------------------------------
 */

/* Lock held. */
static bool is_callers(const struct vg_resumable *upload, const struct vg_request *rq)
{
    return memcmp(upload->caller, rq->caller, sizeof(upload->caller)) == 0;
}

/* Lock held. */
static void unlist(struct vg_resumable *upload)
{
    if (upload->over)
        return;
    upload->over = true;
    vg_list_remove(upload);
    vg_resumable_unref(upload);
}

/* Those that are done are kept for who missed that, the newest of each caller. Lock held.
 */
static int make_room(struct vg_request *rq)
{
    struct vg_resumable *oldest_done = NULL;
    unsigned int n = 0, n_done = 0;

    for (struct vg_resumable *u = uploads; u; u = u->next) {
        if (!is_callers(u, rq))
            continue;
        n += !u->done;
        n_done += u->done;
        if (u->done && !oldest_done)
            oldest_done = u;
    }
    if (n_done >= per_caller && oldest_done)
        unlist(oldest_done);
    if (n < per_caller)
        return 0;
    vg_error_set(
        &rq->error, VG_E_RATE_LIMITED,
        "%u uploads have begun and are not complete (--uploads-per-token): go on "
        "with one of them, or end it (GET /uploads)",
        n);
    return -1;
}

static int make_id(char ret[ID_SIZE])
{
    unsigned char bytes[(ID_SIZE - 1) / 2];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return -1;
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

struct vg_resumable *vg_resumable_add(struct vg_request *rq,
                                      const struct vg_resumable_plan *plan,
                                      struct vg_volume_hold *hold,
                                      struct vg_digest *digest)
{
    struct vg_resumable *upload = calloc(1, sizeof(*upload));

    if (!upload || make_id(upload->id) < 0) {
        free(upload);
        (void)vg_error_set_memory(&rq->error);
        return NULL;
    }
    VG_LOCK(&lock);
    if (make_room(rq) < 0) {
        free(upload);
        return NULL;
    }
    upload->refs = 2;
    upload->host = rq->host;
    memcpy(upload->caller, rq->caller, sizeof(upload->caller));
    memcpy(upload->principal, rq->principal, sizeof(upload->principal));
    upload->plan = *plan;
    upload->hold = hold;
    upload->digest = digest;
    upload->created = time(NULL);
    renew(upload);
    struct vg_resumable **end = &uploads;
    while (*end)
        end = &(*end)->next;
    vg_list_insert(end, upload);
    return upload;
}

static bool may_know(const struct vg_resumable *upload, const struct vg_request *rq)
{
    return upload->host == rq->host &&
           (is_callers(upload, rq) || vg_request_may(rq, "gateway:manage"));
}

struct vg_resumable *vg_resumable_find(struct vg_request *rq)
{
    const char *id = vg_path(rq, "upload");
    VG_LOCK(&lock);

    for (struct vg_resumable *u = uploads; u; u = u->next)
        if (strcmp(u->id, id) == 0 && may_know(u, rq)) {
            atomic_fetch_add(&u->refs, 1);
            return u;
        }
    vg_error_set(
        &rq->error, VG_E_NOT_FOUND,
        "There is no such upload: it was ended, has expired, or began before the "
        "gateway did; POST /uploads begins another");
    return NULL;
}

struct vg_resumable *vg_resumable_find_unused(struct vg_request *rq, const char *pool,
                                              const char *volume)
{
    VG_LOCK(&lock);

    for (struct vg_resumable *u = uploads; u; u = u->next)
        if (u->host == rq->host && is_callers(u, rq) && !u->offset && !u->done &&
            !u->busy && strcmp(u->plan.pool, pool) == 0 &&
            strcmp(u->plan.volume, volume) == 0) {
            atomic_fetch_add(&u->refs, 1);
            return u;
        }
    return NULL;
}

void vg_resumable_plan_clear(struct vg_resumable_plan *plan)
{
    free(plan->pool);
    free(plan->volume);
    free(plan->metadata);
}

void vg_resumable_unref(struct vg_resumable *upload)
{
    if (!upload || atomic_fetch_sub(&upload->refs, 1) != 1)
        return;
    if (upload->hold)
        calls.release(upload->hold);
    vg_digest_free(upload->digest);
    vg_resumable_plan_clear(&upload->plan);
    free(upload);
}

const char *vg_resumable_id(const struct vg_resumable *upload)
{
    return upload->id;
}

const struct vg_resumable_plan *vg_resumable_plan(const struct vg_resumable *upload)
{
    return &upload->plan;
}

struct vg_resumable_state vg_resumable_state(struct vg_resumable *upload)
{
    VG_LOCK(&lock);
    return (struct vg_resumable_state){
        .offset = upload->offset, .done = upload->done, .expires = upload->expires};
}

/* Lock held. */
static void write_one(const struct vg_resumable *upload, struct vg_json *w,
                      const char *key)
{
    vg_json_begin_object(w, key);
    vg_json_string(w, "id", upload->id);
    vg_json_string(w, "pool", upload->plan.pool);
    vg_json_string(w, "volume", upload->plan.volume);
    vg_json_uint(w, "offsetBytes", upload->offset);
    vg_json_uint(w, "lengthBytes", upload->plan.length);
    vg_json_string(w, "state",
                   upload->done   ? "complete"
                   : upload->busy ? "receiving"
                                  : "waiting");
    vg_json_string(w, "principal", upload->principal[0] ? upload->principal : NULL);
    vg_json_time(w, "createdAt", upload->created);
    vg_json_time(w, "expiresAt", upload->expires);
    vg_json_end_object(w);
}

void vg_resumable_write(struct vg_resumable *upload, struct vg_json *w, const char *key)
{
    VG_LOCK(&lock);
    write_one(upload, w, key);
}

void vg_resumable_write_all(struct vg_request *rq, struct vg_json *w, const char *key)
{
    VG_LOCK(&lock);

    vg_json_begin_array(w, key);
    for (const struct vg_resumable *u = uploads; u; u = u->next)
        if (may_know(u, rq))
            write_one(u, w, NULL);
    vg_json_end_array(w);
}

/* ---- moving -------------------------------------------------------------------------
 */

static int fail_busy(struct vg_request *rq)
{
    vg_error_set(&rq->error, VG_E_AT_WORK,
                 "Another request is at work on the upload; HEAD ends it and tells where "
                 "to go on");
    return -1;
}

int vg_resumable_begin(struct vg_request *rq, struct vg_resumable *upload,
                       uint64_t offset)
{
    VG_LOCK(&lock);

    if (upload->busy)
        return fail_busy(rq);
    if (upload->over) {
        vg_error_set(&rq->error, VG_E_GONE, "The upload was ended");
        return -1;
    }
    if (offset != upload->offset) {
        vg_error_set(&rq->error, VG_E_CONFLICT,
                     "Upload-Offset is %" PRIu64 ", and %" PRIu64 " bytes have arrived",
                     offset, upload->offset);
        return -1;
    }
    upload->busy = true;
    return 0;
}

void vg_resumable_set_transfer(struct vg_resumable *upload, struct vg_transfer *transfer)
{
    VG_LOCK(&lock);
    upload->transfer = transfer;
}

const struct vg_digest *vg_resumable_digest(const struct vg_resumable *upload)
{
    return upload->digest;
}

void vg_resumable_advance(struct vg_resumable *upload, uint64_t n,
                          struct vg_digest *digest_steal)
{
    vg_digest_free(upload->digest);
    upload->digest = digest_steal;
    VG_LOCK(&lock);
    upload->offset += n;
    renew(upload);
}

void vg_resumable_pause(struct vg_resumable *upload)
{
    VG_LOCK(&lock);
    upload->busy = false;
    upload->transfer = NULL;
    if (!upload->done)
        renew(upload);
    pthread_cond_broadcast(&settled);
}

int vg_resumable_settle(struct vg_request *rq, struct vg_resumable *upload)
{
    int64_t end = vg_now_ns() + SETTLE_NS;
    VG_LOCK(&lock);

    while (upload->busy && vg_now_ns() < end) {
        if (upload->transfer)
            calls.interrupt(upload->transfer);
        const struct timespec until = vg_timespec(vg_now_ns() + LOOK_NS);
        pthread_cond_timedwait(&settled, &lock, &until);
    }
    return upload->busy ? fail_busy(rq) : 0;
}

void vg_resumable_complete(struct vg_resumable *upload)
{
    struct vg_volume_hold *hold;
    {
        VG_LOCK(&lock);
        upload->done = true;
        hold = vg_take(&upload->hold);
    }
    if (hold)
        calls.release(hold);
}

void vg_resumable_end(struct vg_resumable *upload)
{
    struct vg_volume_hold *hold;
    {
        VG_LOCK(&lock);
        unlist(upload);
        hold = vg_take(&upload->hold);
    }
    if (hold)
        calls.release(hold);
}

/* ---- those that wait too long -------------------------------------------------------
 */

/* The first that is due; those that are done just go. Lock held. */
static struct vg_resumable *find_due(int64_t now)
{
    for (struct vg_resumable *u = uploads, *next; u; u = next) {
        next = u->next;
        if (u->busy || u->expires_ns > now)
            continue;
        if (!u->done)
            return u;
        unlist(u);
    }
    return NULL;
}

struct vg_host *vg_resumable_take_due(int64_t now_ns, char ret[VG_RESUMABLE_PATH_SIZE])
{
    VG_LOCK(&lock);
    struct vg_resumable *due = find_due(now_ns);

    if (!due)
        return NULL;
    due->expires_ns = now_ns + AGAIN_NS;
    snprintf(ret, VG_RESUMABLE_PATH_SIZE, "/uploads/%s", due->id);
    return due->host;
}
