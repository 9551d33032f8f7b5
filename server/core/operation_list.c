/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The registry of operations: one list, the newest first, under one lock.
 */
#include "server/core/operation_internal.h"

#include "server/core/scope.h"
#include "virtgate/cleanup.h"

#include <stdio.h>
#include <string.h>

pthread_mutex_t vg_operations_lock = PTHREAD_MUTEX_INITIALIZER;
struct vg_operation *vg_operations_newest;
uint64_t vg_operations_last, vg_operations_epoch;
bool vg_operations_draining;
atomic_uint vg_operation_jobs;
void (*vg_operation_go_on)(struct vg_request *rq);
const struct vg_route *vg_operation_show;

static struct vg_operation *oldest;
static unsigned int n_ended;

void vg_operations_start(void (*go_on)(struct vg_request *rq),
                         const struct vg_route *show)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    vg_operations_epoch = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    vg_operation_go_on = go_on;
    vg_operation_show = show;
}

/* ---- counting ---------------------------------------------------------------------- */

const char *vg_operation_id(const struct vg_operation *op)
{
    return op->id;
}

struct vg_operation *vg_operation_ref(struct vg_operation *op)
{
    if (op)
        atomic_fetch_add_explicit(&op->refs, 1, memory_order_relaxed);
    return op;
}

static void clear_steps(struct vg_operation *op)
{
    for (size_t i = 0; i < op->n_steps; i++)
        free(op->steps[i].error);
}

void vg_operation_unref(struct vg_operation *op)
{
    if (!op || atomic_fetch_sub_explicit(&op->refs, 1, memory_order_acq_rel) != 1)
        return;
    free(op->path);
    free(op->prefix);
    free(op->object);
    free(op->domain);
    free(op->host_job.disk);
    free(op->host_job.why);
    clear_steps(op);
    vg_body_unref(op->result);
    free(op);
}

/* ---- the list ---------------------------------------------------------------------- */

static void put_newest(struct vg_operation *op)
{
    op->older = vg_operations_newest;
    *(vg_operations_newest ? &vg_operations_newest->newer : &oldest) = op;
    vg_operations_newest = op;
}

void vg_operation_take_out(struct vg_operation *op)
{
    *(op->newer ? &op->newer->older : &vg_operations_newest) = op->older;
    *(op->older ? &op->older->newer : &oldest) = op->newer;
    n_ended -= op->ended_ns != 0;
}

static bool is_failure(const struct vg_operation *op)
{
    return op->state == VG_OPERATION_FAILED || op->state == VG_OPERATION_UNKNOWN;
}

static void drop(struct vg_operation *op)
{
    vg_operation_take_out(op);
    vg_operation_unref(op); /* ended: it holds no request */
}

/* Each kind, what failed and what did not, has half of the places for certain: what has
 * just ended is not dropped. */
static bool drop_one(void)
{
    struct vg_operation *failure = NULL, *other = NULL; /* the oldest of each */
    unsigned int failures = 0;

    for (struct vg_operation *op = oldest; op; op = op->newer) {
        if (!op->ended_ns)
            continue;
        failures += is_failure(op);
        struct vg_operation **first = is_failure(op) ? &failure : &other;
        if (!*first)
            *first = op;
    }
    struct vg_operation *op =
        failures > VG_OPERATIONS_KEPT / 2 || !other ? failure : other;
    if (op)
        drop(op);
    return op != NULL;
}

void vg_operations_drop_old(int64_t now)
{
    for (struct vg_operation *op = oldest, *next; op; op = next) {
        next = op->newer;
        int64_t keep =
            is_failure(op) ? VG_OPERATION_KEEP_FAILED_NS : VG_OPERATION_KEEP_NS;
        if (op->ended_ns && op->ended_ns + keep < now)
            drop(op);
    }
    while (n_ended > VG_OPERATIONS_KEPT && drop_one())
        continue;
}

void vg_operation_add(struct vg_operation *op)
{
    VG_LOCK(&vg_operations_lock);
    op->number = ++vg_operations_last;
    snprintf(op->id, sizeof(op->id), "%llx-%llu", (unsigned long long)vg_operations_epoch,
             (unsigned long long)op->number);
    put_newest(op);
    vg_operations_drop_old(vg_now_ns());
}

struct completion vg_operation_close(struct vg_operation *op,
                                     enum vg_operation_state state, int status,
                                     struct vg_body *result)
{
    struct completion told;

    told.waiters = vg_take(&op->waiters);
    told.rq = vg_take(&op->rq);
    op->state = state;
    clock_gettime(CLOCK_REALTIME, &op->ended);
    op->status = status;
    op->result = vg_body_ref(result);
    op->ended_ns = vg_now_ns();
    n_ended++;
    if (op->host_job.is)
        atomic_fetch_sub(&vg_operation_jobs, 1);
    return told;
}

/* What it is about is known when it has begun; before that by what its path says. */
static bool is_of_scope(const struct vg_operation *op, const struct vg_rights *rights)
{
    if (vg_scope_has_all_domains(rights))
        return true;
    return vg_scope_has_domain(rights, op->domain ? op->domain : op->object);
}

bool vg_operation_is_seen(const struct vg_operation *op, const struct vg_request *rq)
{
    const struct vg_rights *rights = rq->rights;

    return !vg_scope_is_narrow(rights) || op->rights == rights ||
           (vg_scope_has_host(rights, op->host) && is_of_scope(op, rights));
}

bool vg_operation_is_job(const struct vg_operation *op, const char *uuid,
                         const char *disk, int job)
{
    const char *own = op->host_job.disk;
    bool same_disk = own && disk ? strcmp(own, disk) == 0 : !own && !disk;

    return same_disk && op->job == job && strcmp(op->uuid, uuid) == 0;
}

void vg_operations_clear(void)
{
    VG_LOCK(&vg_operations_lock);
    while (vg_operations_newest)
        drop(vg_operations_newest);
    atomic_store(&vg_operation_jobs, 0);
    vg_operations_draining = false;
}
