/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What happens to operations: how they begin, end, and are waited for. Nothing is
 * answered, and no request is freed, under the registry's lock. See operation.h.
 */
#include "server/core/operation_internal.h"

#include "server/core/answer.h"
#include "server/core/scope.h"
#include "virtgate/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- beginning --------------------------------------------------------------------- */

/* When the client is answered 202 at the latest. */
static int64_t answer_time(const struct vg_request *rq, int64_t limit_ns)
{
    const struct vg_prefer *prefer = &rq->prefer;
    int64_t at = limit_ns;

    if (limit_ns == INT64_MAX) /* by its end alone */
        return limit_ns;
    if (prefer->waits)
        at = rq->start_ns + prefer->wait_seconds * VG_SECOND_NS;
    else if (prefer->respond_async)
        at = 0;
    /* even then bad arguments are worth the moment that checking them takes */
    int64_t checked = vg_now_ns() + VG_OPERATION_CHECK_NS;
    at = at < checked ? checked : at;
    return at < limit_ns ? at : limit_ns;
}

struct vg_operation *vg_operation_make(struct vg_request *rq)
{
    struct vg_operation *op = calloc(1, sizeof(*op));
    if (!op)
        return NULL;
    atomic_init(&op->refs, 1);
    op->kind = rq->route->operation_id;
    op->host = vg_host_name(rq);
    op->host_ref = rq->host;
    op->needs = rq->needs;
    op->path = strndup(rq->target, rq->path_length);
    op->prefix = rq->prefix ? strdup(rq->prefix) : NULL;
    op->object = vg_request_domain(rq) ? strdup(vg_request_domain(rq)) : NULL;
    op->object_key = vg_request_object_key(rq);
    snprintf(op->request_id, sizeof(op->request_id), "%s", rq->id);
    snprintf(op->principal, sizeof(op->principal), "%s", rq->principal);
    op->rights = rq->rights;
    clock_gettime(CLOCK_REALTIME, &op->created);
    op->job = -1;
    if (op->path)
        return op;
    vg_operation_unref(op);
    return NULL;
}

/* The request's on_free(). */
static void let_go(struct vg_request *rq)
{
    vg_operation_unref(rq->operation);
    vg_operation_unref(rq->watched);
}

void vg_operation_set_watched(struct vg_request *rq, struct vg_operation *op)
{
    rq->watched = vg_operation_ref(op);
    rq->on_free = let_go;
}

void vg_operation_hold(struct vg_operation *op, struct vg_request *rq,
                       bool (*on_end)(struct vg_request *rq,
                                      const struct vg_reply *reply))
{
    rq->operation = vg_operation_ref(op);
    rq->on_end = on_end;
    rq->on_free = let_go;
    vg_operation_add(op);
}

int vg_operation_new(struct vg_request *rq, int64_t limit_ns)
{
    struct vg_operation *op = vg_operation_make(rq);
    if (!op)
        return vg_error_set_memory(&rq->error);
    op->rq = vg_request_ref(rq);
    op->answer_ns = answer_time(rq, limit_ns);
    op->async = rq->prefer.respond_async && !rq->prefer.waits;
    op->async = op->async || (rq->prefer.waits && rq->prefer.wait_seconds == 0);
    op->async = op->async && limit_ns != INT64_MAX;
    vg_operation_hold(op, rq, vg_operation_end);
    return 0;
}

/* ---- answering --------------------------------------------------------------------- */

/* The operation as it is, and its path below the host that was asked. */
static struct vg_reply reply_operation(struct vg_request *rq, struct vg_operation *op,
                                       int status)
{
    char *location = NULL;
    vg_auto_json w = vg_json_for(rq);

    vg_operation_write(rq, op, &w, NULL, NULL);
    if (asprintf(&location, "%s/operations/%s", op->prefix ? op->prefix : "", op->id) < 0)
        location = NULL;
    return vg_with_status(vg_created(rq, location, &w), status);
}

struct vg_request *vg_operation_take_client(struct vg_operation *op)
{
    struct vg_request *rq = vg_take(&op->rq);
    op->accepted = op->accepted || rq;
    return rq;
}

void vg_operation_tell_client(struct vg_operation *op, struct vg_request *rq, int status)
{
    vg_request_answer_early(rq, reply_operation(rq, op, status));
    vg_request_unref(rq);
}

int vg_operation_note_begun(struct vg_request *rq, const char *domain, const char *uuid,
                            int job)
{
    struct vg_operation *op = rq->operation;
    struct vg_request *client = NULL;
    {
        VG_LOCK(&vg_operations_lock);
        if (op->cancel_requested || op->barred)
            return -1;
        op->state = VG_OPERATION_RUNNING;
        op->needs = rq->needs;
        clock_gettime(CLOCK_REALTIME, &op->begun);
        op->domain = domain ? strdup(domain) : NULL;
        snprintf(op->uuid, sizeof(op->uuid), "%s", uuid ? uuid : "");
        op->job = job;
        vg_operation_tell(op, "begun");
        if (op->async)
            client = vg_operation_take_client(op);
    }
    if (client)
        vg_operation_tell_client(op, client, 202);
    return 0;
}

/* What became of work that was answered so. The problem says whether that is known. */
static enum vg_operation_state end_state(const struct vg_operation *op,
                                         const struct vg_reply *reply)
{
    if (reply->status < 400)
        return VG_OPERATION_SUCCEEDED;
    json_auto_t *problem =
        reply->body ? json_loadb(reply->body->data, reply->body->length, 0, NULL) : NULL;
    const char *code = vg_json_inner_text(problem, "error", "codeName");
    if (json_object_get(problem, "outcome")) /* even though it was to be cancelled */
        return VG_OPERATION_UNKNOWN;
    bool aborted = code && strcmp(code, "VIR_ERR_OPERATION_ABORTED") == 0;
    /* what fails by itself after it was to be cancelled has failed */
    if (op->stopped || (op->transfer.is && op->cancel_requested))
        return VG_OPERATION_CANCELLED;
    bool never_begun = op->cancel_requested && op->state == VG_OPERATION_PENDING;
    return never_begun || aborted ? VG_OPERATION_CANCELLED : VG_OPERATION_FAILED;
}

void vg_operation_wake(struct waiter *waiters)
{
    while (waiters) {
        struct waiter *w = waiters;
        waiters = w->next;
        vg_operation_go_on(w->rq);
        free(w);
    }
}

/* Refused before it was begun, and the client is told so itself. */
static bool is_refused(const struct vg_operation *op, enum vg_operation_state end)
{
    if (op->host_job.is) /* begun is what the call has done, then */
        return end != VG_OPERATION_UNKNOWN;
    return op->state == VG_OPERATION_PENDING && !op->accepted;
}

bool vg_operation_end(struct vg_request *rq, const struct vg_reply *reply)
{
    struct vg_operation *op = rq->operation;
    struct completion told = {0};
    bool refused;

    {
        VG_LOCK(&vg_operations_lock);
        if (op->ended_ns)
            return false;
        if (op->transfer.outlives && reply->status < 400) {
            told.rq = vg_take(&op->rq);
            refused = false;
        } else {
            enum vg_operation_state end = end_state(op, reply);
            refused = is_refused(op, end);
            told = vg_operation_close(op, end, reply->status, reply->body);
            if (!refused)
                vg_operation_tell(op, "ended");
            if (refused)
                vg_operation_take_out(op);
            vg_operations_drop_old(op->ended_ns);
        }
    }
    vg_operation_wake(told.waiters);
    if (told.rq)
        vg_request_unref(told.rq);
    if (refused)
        vg_operation_unref(op);
    return false;
}

/* ---- the watchdog ------------------------------------------------------------------ */

/* The waits of an operation that are over; all of them when it is INT64_MAX. Lock held.
 */
static void take_late_waiters(struct vg_operation *op, int64_t now, struct waiter **late)
{
    for (struct waiter **at = &op->waiters; *at;) {
        struct waiter *w = *at;
        if (w->until_ns > now) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        w->next = *late;
        *late = w;
    }
}

/* One whose client is to be answered now; counted. Lock held. */
static struct vg_operation *next_late(int64_t now, struct vg_request **ret_rq)
{
    for (struct vg_operation *op = vg_operations_newest; op; op = op->older) {
        if (op->rq && op->answer_ns <= now) {
            *ret_rq = vg_operation_take_client(op);
            return vg_operation_ref(op);
        }
    }
    return NULL;
}

void vg_operations_tick(int64_t now_ns)
{
    struct waiter *late = NULL;
    {
        VG_LOCK(&vg_operations_lock);
        for (struct vg_operation *op = vg_operations_newest; op; op = op->older)
            take_late_waiters(op, now_ns, &late);
    }
    vg_operation_wake(late);
    for (;;) {
        struct vg_request *rq = NULL;
        struct vg_operation *op;
        {
            VG_LOCK(&vg_operations_lock);
            op = next_late(now_ns, &rq);
        }
        if (!op)
            return;
        vg_operation_tell_client(op, rq, 202);
        vg_operation_unref(op);
    }
}

unsigned int vg_operations_drain(void)
{
    struct waiter *all = NULL;
    unsigned int n = 0;
    {
        VG_LOCK(&vg_operations_lock);
        vg_operations_draining = true;
        for (struct vg_operation *op = vg_operations_newest; op; op = op->older) {
            take_late_waiters(op, INT64_MAX, &all);
            n += op->ended_ns == 0;
            if (op->host_job.left)
                op->answer_ns = 0; /* no call ends with the gateway and answers */
        }
    }
    vg_operation_wake(all);
    return n;
}

/* ---- asking ------------------------------------------------------------------------ */

static struct vg_operation *find(const char *id)
{
    for (struct vg_operation *op = vg_operations_newest; op; op = op->older)
        if (strcmp(op->id, id) == 0)
            return op;
    return NULL;
}

void vg_operation_attach(struct vg_request *rq)
{
    const char *id = vg_path(rq, "operation");
    VG_LOCK(&vg_operations_lock);
    struct vg_operation *op = find(id);
    if (!op || (rq->prefix && op->host_ref != rq->host) || !vg_operation_is_seen(op, rq))
        return;
    vg_operation_set_watched(rq, op);
    vg_request_set_host(rq, op->host_ref, op->host);
}

/* ?wait=N, else Prefer: wait=N. What is no number, the handler refuses. */
static int64_t wait_of(const struct vg_request *rq)
{
    const char *text = NULL;
    for (unsigned int i = 0; i < rq->n_query; i++)
        if (strcmp(rq->query[i].key, "wait") == 0)
            text = rq->query[i].value;
    if (!text)
        return rq->prefer.waits ? (int64_t)rq->prefer.wait_seconds : 0;
    char *end;
    errno = 0;
    long long seconds = strtoll(text, &end, 10);
    bool good = !errno && end != text && !*end && seconds <= VG_OPERATION_WAIT_MAX;
    return good ? seconds : 0;
}

bool vg_operation_await(struct vg_request *rq)
{
    struct vg_operation *op = rq->watched;
    int64_t seconds = op ? wait_of(rq) : 0;
    if (seconds <= 0)
        return false;
    struct waiter *w = calloc(1, sizeof(*w));
    if (!w)
        return false; /* answered as it is now */
    seconds = seconds < VG_OPERATION_WAIT_MAX ? seconds : VG_OPERATION_WAIT_MAX;
    w->rq = rq;
    w->until_ns = vg_now_ns() + seconds * VG_SECOND_NS;
    rq->deadline_ns += seconds * VG_SECOND_NS; /* what is left is for its host */
    {
        VG_LOCK(&vg_operations_lock);
        if (!op->ended_ns && !vg_operations_draining && !rq->abandoned) {
            w->next = op->waiters;
            op->waiters = w;
            return true;
        }
    }
    free(w);
    return false;
}

void vg_operation_give_up(struct vg_request *rq)
{
    VG_LOCK(&vg_operations_lock);
    rq->abandoned = true; /* it may not wait yet */
    for (struct waiter *w = rq->watched ? rq->watched->waiters : NULL; w; w = w->next)
        if (w->rq == rq)
            w->until_ns = 0; /* the watchdog's next turn answers it */
}

bool vg_operation_wait_is_over(const struct vg_request *rq)
{
    VG_LOCK(&vg_operations_lock);
    return rq->abandoned || vg_operations_draining;
}

bool vg_operation_has_job(struct vg_operation *op)
{
    VG_LOCK(&vg_operations_lock);
    return op && op->state == VG_OPERATION_RUNNING && op->uuid[0] && op->job >= 0;
}

uint64_t vg_operation_object_key(const struct vg_operation *op)
{
    return op->object_key;
}

void vg_operations_add_needs(const struct vg_host *host, const char *uuid,
                             struct vg_permissions *to)
{
    VG_LOCK(&vg_operations_lock);
    for (const struct vg_operation *op = vg_operations_newest; op; op = op->older)
        if (op->state == VG_OPERATION_RUNNING && op->host_ref == host && op->job >= 0 &&
            !op->host_job.disk && strcmp(op->uuid, uuid) == 0)
            vg_permissions_add(to, &op->needs);
}

void vg_operation_get_job(struct vg_operation *op, struct vg_operation_job *ret)
{
    VG_LOCK(&vg_operations_lock);
    *ret = (struct vg_operation_job){
        .state = op->state,
        .needs = op->needs,
        .job = op->job,
        .disk = op->host_job.disk,
        .goes_on = op->host_job.is,
        .left = op->host_job.left,
        .domain_id = op->host_job.domain_id,
        .first = true,
    };
    memcpy(ret->uuid, op->uuid, sizeof(ret->uuid));
    for (const struct vg_operation *o = op->older; o; o = o->older)
        if (o->state == VG_OPERATION_RUNNING && o->host_ref == op->host_ref &&
            vg_operation_is_job(o, op->uuid, op->host_job.disk, op->job))
            ret->first = false;
}

bool vg_operation_request_cancel(struct vg_operation *op)
{
    VG_LOCK(&vg_operations_lock);
    if (op->ended_ns)
        return false;
    op->cancel_requested = true;
    return true;
}

void vg_operation_forget_cancel(struct vg_operation *op)
{
    VG_LOCK(&vg_operations_lock);
    if (!op->ended_ns)
        op->cancel_requested = false;
}

bool vg_operation_cancel_pending(struct vg_operation *op)
{
    VG_LOCK(&vg_operations_lock);
    if (op->state != VG_OPERATION_PENDING)
        return false;
    op->cancel_requested = true;
    return true;
}

bool vg_operation_bar(struct vg_operation *op)
{
    VG_LOCK(&vg_operations_lock);
    if (op->state != VG_OPERATION_PENDING)
        return false;
    op->barred = true;
    return true;
}

void vg_operation_resume(struct vg_request *rq)
{
    vg_operation_go_on(rq);
}
