/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Jobs that a domain goes on with when the call that began them has returned: block jobs,
 * backups. No thread and no connection waits for one; libvirt's events tell its end.
 * Where events were missed the host is asked, by a request of the gateway's own that runs
 * like a client's GET of the operation.
 */
#include "server/core/operation_internal.h"

#include "server/core/answer.h"
#include "virtgate/cleanup.h"

#include <stdio.h>
#include <string.h>

/* How long after a job is gone the event that tells its end may still come. */
#define EVENT_NS (2 * VG_SECOND_NS)
/* A host that does not answer is asked again after this, within the limit. */
#define ASK_NS       (15 * VG_SECOND_NS)
#define ASK_LIMIT_NS (10 * VG_SECOND_NS)

/* ---- ending ------------------------------------------------------------------------ */

/* What a client that waits is answered. */
static struct vg_reply make_problem(const struct vg_operation *op,
                                    enum vg_operation_state state, const char *why)
{
    /* the request that began it may be gone */
    struct vg_request like = {.method = VG_POST, .target = op->path};
    struct vg_error e = {0};

    like.path_length = strlen(op->path);
    like.host = op->host_ref;
    memcpy(like.id, op->request_id, sizeof(like.id));
    if (state == VG_OPERATION_FAILED)
        vg_error_set(&e, VG_E_JOB_FAILED, "The job failed: %s",
                     why ? why : "the host does not say why");
    else if (state == VG_OPERATION_CANCELLED)
        vg_error_set(&e, VG_E_JOB_CANCELLED, "The job was cancelled before it was done");
    else
        vg_error_set(&e, VG_E_JOB_LOST,
                     "The job is over, and no event of its host told how it ended; look "
                     "at its domain");
    e.outcome = state == VG_OPERATION_UNKNOWN ? VG_OUTCOME_UNKNOWN : VG_OUTCOME_NONE;
    struct vg_reply reply = vg_reply_problem(&like, &e);
    vg_error_clear(&e);
    return reply;
}

static void end_job(struct vg_operation *op, enum vg_operation_state state,
                    const char *why)
{
    bool good = state == VG_OPERATION_SUCCEEDED;
    struct vg_reply reply = {.status = 200};
    struct completion told = {0};

    if (!good)
        reply = make_problem(op, state, why);
    {
        VG_LOCK(&vg_operations_lock);
        if (!op->ended_ns) {
            told = vg_operation_close(op, state, reply.status, reply.body);
            vg_operation_tell(op, "ended");
            vg_operations_drop_old(op->ended_ns);
        }
    }
    vg_operation_wake(told.waiters);
    if (told.rq && good) {
        vg_operation_tell_client(op, told.rq, 200);
    } else if (told.rq) {
        vg_request_answer_early(told.rq, vg_reply_share(&reply));
        vg_request_unref(told.rq);
    }
    vg_reply_clear(&reply);
}

static bool is_at_work(const struct vg_operation *op, const struct vg_host *host)
{
    const struct job_state *job = &op->host_job;
    return job->is && !op->ended_ns && op->host_ref == host;
}

/* The oldest of this job whose end is not known. Lock held. */
static struct vg_operation *find_job(const struct vg_host *host,
                                     const struct vg_host_job *job)
{
    struct vg_operation *found = NULL;

    for (struct vg_operation *op = vg_operations_newest; op; op = op->older)
        if (is_at_work(op, host) &&
            vg_operation_is_job(op, job->uuid, job->disk, job->job))
            found = op;
    return found;
}

/* Takes an end that is told. True: it is to be ended now, counted for that; else when its
 * call has returned (of several the last is its own). Lock held. */
static bool take_end(struct vg_operation *op, enum vg_operation_state state,
                     const char *why)
{
    struct job_state *job = &op->host_job;

    if (job->left) {
        vg_operation_ref(op);
        return true;
    }
    free(job->why);
    job->ended = true;
    job->end = state;
    job->why = why ? strdup(why) : NULL;
    return false;
}

void vg_operations_job_ended(const struct vg_host *host, const struct vg_host_job *job,
                             enum vg_operation_state state, const char *why, bool stopped)
{
    struct vg_operation *op;

    if (!atomic_load(&vg_operation_jobs))
        return;
    {
        VG_LOCK(&vg_operations_lock);
        op = find_job(host, job);
        if (op && stopped && op->cancel_requested)
            state = VG_OPERATION_CANCELLED;
        if (!op || !take_end(op, state, why))
            return;
    }
    end_job(op, state, why);
    vg_operation_unref(op);
}

/* One of the domain's jobs, to be ended; counted. Lock held. */
static struct vg_operation *take_one(const struct vg_host *host, const char *uuid,
                                     const char *why, enum vg_operation_state *ret_state)
{
    for (struct vg_operation *op = vg_operations_newest; op; op = op->older) {
        *ret_state = op->cancel_requested ? VG_OPERATION_CANCELLED : VG_OPERATION_FAILED;
        if (is_at_work(op, host) && strcmp(op->uuid, uuid) == 0 &&
            take_end(op, *ret_state, why))
            return op;
    }
    return NULL;
}

void vg_operations_domain_ended(const struct vg_host *host, const char *uuid,
                                const char *why)
{
    while (atomic_load(&vg_operation_jobs)) {
        enum vg_operation_state state;
        struct vg_operation *op;
        {
            VG_LOCK(&vg_operations_lock);
            op = take_one(host, uuid, why, &state);
        }
        if (!op)
            return;
        end_job(op, state, why);
        vg_operation_unref(op);
    }
}

/* ---- the call has returned --------------------------------------------------------- */

bool vg_operation_has_early_end(struct vg_operation *op)
{
    VG_LOCK(&vg_operations_lock);
    return op->host_job.ended;
}

void vg_operation_forget_early_end(struct vg_operation *op)
{
    VG_LOCK(&vg_operations_lock);
    op->host_job.ended = false;
}

/* When the client is answered 202; 0: at once. */
static int64_t answer_time(const struct vg_request *rq)
{
    int64_t at = rq->start_ns + rq->prefer.wait_seconds * VG_SECOND_NS;

    if (!rq->prefer.waits || rq->prefer.wait_seconds == 0 || vg_operations_draining)
        return 0;
    return at < rq->deadline_ns ? at : rq->deadline_ns;
}

/* A disk has one job at a time, a domain one backup: those before it are over. Lock held.
 */
static void note_successor(const struct vg_operation *op)
{
    for (struct vg_operation *o = op->older; o; o = o->older) {
        struct job_state *job = &o->host_job;
        if (is_at_work(o, op->host_ref) && job->left && !job->gone_ns &&
            vg_operation_is_job(o, op->uuid, op->host_job.disk, o->job))
            job->gone_ns = vg_now_ns();
    }
}

static void leave(struct vg_operation *op, struct vg_request *rq)
{
    const struct job_state *job = &op->host_job;
    struct vg_request *client = NULL;
    {
        VG_LOCK(&vg_operations_lock);
        if (op->ended_ns) /* its deadline came first */
            return;
        op->host_job.left = true;
        vg_operation_tell(op, "begun");
        op->rq = vg_request_ref(rq);
        op->answer_ns = answer_time(rq);
        if (!op->answer_ns)
            client = vg_operation_take_client(op);
        note_successor(op);
    }
    if (client)
        vg_operation_tell_client(op, client, 202);
    if (job->ended) /* nobody changes it any more */
        end_job(op, job->end, job->why);
}

/* The request's on_end(): a call that has returned well leaves its job behind. */
static bool end_call(struct vg_request *rq, const struct vg_reply *reply)
{
    if (reply->status >= 400)
        return vg_operation_end(rq, reply);
    leave(rq->operation, rq);
    return true;
}

/* ---- beginning --------------------------------------------------------------------- */

int vg_operation_new_job(struct vg_request *rq, const struct vg_host_job *job)
{
    struct vg_operation *op = vg_operation_make(rq);

    if (op) {
        op->domain = job->domain ? strdup(job->domain) : NULL;
        op->host_job.disk = job->disk ? strdup(job->disk) : NULL;
    }
    if (!op || (job->domain && !op->domain) || (job->disk && !op->host_job.disk)) {
        vg_operation_unref(op);
        return vg_error_set_memory(&rq->error);
    }
    snprintf(op->uuid, sizeof(op->uuid), "%s", job->uuid);
    op->job = job->job;
    op->host_job.is = true;
    op->host_job.domain_id = job->domain_id;
    op->state = VG_OPERATION_RUNNING;
    op->begun = op->created;
    atomic_fetch_add(&vg_operation_jobs, 1);
    vg_operation_hold(op, rq, end_call);
    return 0;
}

/* ---- asking the host --------------------------------------------------------------- */

void vg_operations_missed_events(const struct vg_host *host)
{
    VG_LOCK(&vg_operations_lock);
    for (struct vg_operation *op = vg_operations_newest; op; op = op->older)
        if (is_at_work(op, host))
            op->host_job.check_ns = vg_now_ns();
}

void vg_operation_note_there(struct vg_operation *op)
{
    VG_LOCK(&vg_operations_lock);
    op->host_job.check_ns = 0;
}

void vg_operation_note_gone(struct vg_operation *op)
{
    VG_LOCK(&vg_operations_lock);
    op->host_job.check_ns = 0;
    if (op->host_job.left && !op->host_job.gone_ns)
        op->host_job.gone_ns = vg_now_ns();
}

static void drop_answer(struct vg_request *rq, struct vg_reply reply)
{
    (void)rq;
    vg_reply_clear(&reply);
}

/* The answer is dropped: what it told is noted where it was read. */
static void ask(struct vg_operation *op, int64_t now)
{
    vg_autofree char *target = NULL;

    if (asprintf(&target, "/operations/%s", op->id) < 0)
        return; /* the next time */
    struct vg_request *rq = vg_request_inner(vg_operation_show, target, 0);
    if (!rq || vg_request_parse_target(rq, rq->target) < 0) {
        vg_request_unref(rq);
        return;
    }
    vg_request_set_host(rq, op->host_ref, op->host);
    vg_operation_set_watched(rq, op);
    rq->start_ns = now;
    rq->deadline_ns = now + ASK_LIMIT_NS;
    rq->done = drop_answer;
    vg_operation_go_on(rq);
}

/* One that is to be looked at now; counted. Lock held. */
static struct vg_operation *take_due(int64_t now, bool *ret_lost)
{
    for (struct vg_operation *op = vg_operations_newest; op; op = op->older) {
        struct job_state *job = &op->host_job;
        if (op->ended_ns || !job->left)
            continue;
        *ret_lost = job->gone_ns && job->gone_ns + EVENT_NS <= now;
        bool due = job->check_ns && job->check_ns <= now && !vg_operations_draining;
        if (due)
            job->check_ns = now + ASK_NS;
        if (*ret_lost || due)
            return vg_operation_ref(op);
    }
    return NULL;
}

void vg_operation_jobs_tick(int64_t now_ns)
{
    while (atomic_load(&vg_operation_jobs)) {
        bool lost = false;
        struct vg_operation *op;
        {
            VG_LOCK(&vg_operations_lock);
            op = take_due(now_ns, &lost);
        }
        if (!op)
            return;
        if (lost)
            end_job(op, VG_OPERATION_UNKNOWN, NULL);
        else
            ask(op, now_ns);
        vg_operation_unref(op);
    }
}
