/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Lanes of workers; see core/queue.h. A job is one call and all the requests that share
 * it. Every answer is given outside the lane's lock.
 */
#include "server/core/queue.h"

#include "server/base/list.h"
#include "server/core/operation.h"
#include "server/base/thread.h"
#include "virtgate/cleanup.h"
#include "virtgate/log.h"
#include "virtgate/metrics.h"

#include <string.h>
#include <time.h>

#define IDLE_SECONDS 60
#define STUCK_NS     VG_SECOND_NS
#define FEW_NS       (2 * VG_SECOND_NS)
#define SLOW_NS      (3 * VG_SECOND_NS)
#define WORKER_STACK (512 * 1024)
#define LATE_DOMAIN                                                                      \
    "A call on this domain did not return in time: its guest or the host hangs; "        \
    "/health/ready tells of the host"
#define STOPPING    "The gateway is stopping; ask its successor"
#define LATE_ANSWER "The host did not answer in time; try again, or look at /health/ready"

struct vg_job {
    struct vg_job *next, **link;
    struct vg_request *leader;   /* the one that is run; counted */
    struct vg_request **waiters; /* all that want the answer, the leader first; counted */
    unsigned int n_waiters, size;
    const char *object;  /* the domain it calls, borrowed from the leader; may be NULL */
    int64_t deadline_ns; /* the latest of its waiters' */
    struct vg_lease *lease; /* while it runs */
    int64_t slow_ns;        /* when it counts as slow; 0: that was told */
};

void vg_lane_init(struct vg_lane *lane, unsigned int threads, unsigned int max_waiting)
{
    vg_cond_init(&lane->wake);
    pthread_mutex_init(&lane->lock, NULL);
    lane->last = &lane->first;
    lane->max_threads = threads;
    lane->max_waiting = max_waiting;
    lane->per_object = VG_CALLS_PER_OBJECT;
    lane->idle_ns = IDLE_SECONDS * VG_SECOND_NS;
}

/* ---- jobs -------------------------------------------------------------------------- */

static void free_job(struct vg_job *job)
{
    for (unsigned int i = 0; i < job->n_waiters; i++)
        vg_request_unref(job->waiters[i]);
    vg_request_unref(job->leader);
    free(job->waiters);
    free(job);
}

/* -1: out of memory; the caller keeps its reference. */
static int add_waiter(struct vg_job *job, struct vg_request *rq)
{
    if (job->n_waiters == job->size) {
        unsigned int size = job->size ? 2 * job->size : 1;
        struct vg_request **v = realloc(job->waiters, size * sizeof(struct vg_request *));
        if (!v)
            return -1;
        job->waiters = v;
        job->size = size;
    }
    job->waiters[job->n_waiters++] = rq;
    if (job->deadline_ns < rq->deadline_ns)
        job->deadline_ns = rq->deadline_ns;
    return 0;
}

static const char *object_of(const struct vg_request *rq)
{
    return rq->watched ? vg_operation_object(rq->watched) : vg_request_object(rq);
}

static struct vg_job *new_job(struct vg_request *rq)
{
    struct vg_job *job = calloc(1, sizeof(*job));
    if (!job || add_waiter(job, rq) < 0) {
        free(job);
        return NULL;
    }
    job->leader = vg_request_ref(rq);
    job->object = object_of(rq);
    return job;
}

static void append_waiting(struct vg_lane *lane, struct vg_job *job)
{
    vg_list_insert(lane->last, job);
    lane->last = &job->next;
    lane->waiting++;
}

static void remove_waiting(struct vg_lane *lane, struct vg_job *job)
{
    if (lane->last == &job->next)
        lane->last = job->link;
    vg_list_remove(job);
    lane->waiting--;
}

/* ---- choosing ---------------------------------------------------------------------- */

static bool same_object(const struct vg_job *job, const char *object)
{
    return job->object && object && strcmp(job->object, object) == 0;
}

static bool may_run(const struct vg_lane *lane, const struct vg_job *job)
{
    unsigned int n = 0;
    if (job->object)
        for (const struct vg_job *j = lane->running; j; j = j->next)
            n += same_object(j, job->object);
    return n < lane->per_object;
}

/* NULL: none may run. */
static struct vg_job *choose(struct vg_lane *lane)
{
    if (lane->paused && !lane->stopping)
        return NULL;
    for (struct vg_job *job = lane->first; job; job = job->next) {
        if (!may_run(lane, job))
            continue;
        remove_waiting(lane, job);
        vg_list_insert(&lane->running, job);
        lane->in_flight++;
        job->leader->begun = true;
        job->slow_ns = vg_now_ns() + SLOW_NS;
        return job;
    }
    return NULL;
}

/* Whether `a`, which waits, asks for the same bytes as `b`, as freshly. */
static bool equal_reads(const struct vg_request *a, const struct vg_request *b)
{
    return a->route == b->route && (a->fresh || !b->fresh) && a->accept == b->accept &&
           a->role == b->role && a->number_strings == b->number_strings &&
           strcmp(a->target, b->target) == 0;
}

static struct vg_job *find_equal(struct vg_lane *lane, const struct vg_request *rq)
{
    if (!vg_request_is_shared(rq))
        return NULL;
    for (struct vg_job *job = lane->first; job; job = job->next)
        if (vg_request_is_shared(job->leader) && equal_reads(job->leader, rq))
            return job;
    return NULL;
}

/* ---- running ----------------------------------------------------------------------- */

static void answer_all(struct vg_job *job, struct vg_reply reply)
{
    const struct vg_error *error = &job->leader->error;
    for (unsigned int i = 0; i < job->n_waiters; i++) {
        struct vg_request *rq = job->waiters[i];
        /* a problem names its request, so it cannot be shared */
        bool problem = rq != job->leader && reply.status >= 400 && error->status;
        struct vg_reply given =
            problem ? vg_reply_problem(rq, error) : vg_reply_share(&reply);
        if (rq == job->leader) { /* what goes on cannot be shared */
            given.watching = vg_take(&reply.watching);
            given.channel = vg_take(&reply.channel);
        }
        vg_request_answer(rq, given);
    }
    vg_reply_clear(&reply);
}

static void move_all(struct vg_lane *to, struct vg_job *job)
{
    for (unsigned int i = 0; i < job->n_waiters; i++) {
        job->waiters[i]->moved = true;
        job->waiters[i]->begun = false;
        vg_lane_submit(to, job->waiters[i]);
    }
    job->n_waiters = 0;
}

static void note_stuck(struct vg_lane *lane, const char *object)
{
    unsigned int i = lane->next_stuck++ % VG_STUCK_OBJECTS;
    snprintf(lane->stuck[i].name, sizeof(lane->stuck[i].name), "%s", object);
    lane->stuck[i].until_ns = vg_now_ns() + STUCK_NS;
}

/* Lock held. A thread without a connection, which it cannot have now, leaves its job to
 * the others; the last one answers it. False: it is the last one. */
static bool give_back(struct vg_lane *lane, struct vg_job *job)
{
    if (lane->threads < 2 || lane->stopping || !job->n_waiters)
        return false;
    lane->few_until_ns = vg_now_ns() + FEW_NS;
    job->leader->begun = false;
    if (!lane->first)
        lane->last = &job->next;
    vg_list_insert(&lane->first, job); /* its turn has come */
    lane->waiting++;
    if (lane->idle)
        pthread_cond_signal(&lane->wake);
    return true;
}

/* False: this thread is not to go on. */
static bool run_job(struct vg_lane *lane, struct vg_job *job, struct vg_lease *lease)
{
    lane->leases->limit(lease, job->deadline_ns);
    job->leader->call_until_ns = job->deadline_ns; /* others may wait longer than it */
    struct vg_reply reply = lane->run(lane->data, lease, job->leader);
    bool late = vg_now_ns() >= job->deadline_ns;
    lane->leases->limit(lease, 0);

    pthread_mutex_lock(&lane->lock);
    vg_list_remove(job);
    lane->in_flight--;
    job->lease = NULL;
    if (reply.crowded && give_back(lane, job)) {
        pthread_mutex_unlock(&lane->lock);
        vg_reply_clear(&reply);
        return false;
    }
    if (late && job->object)
        note_stuck(lane, job->object);
    if (lane->waiting && lane->idle)
        pthread_cond_signal(&lane->wake); /* a job of the same domain may run now */
    pthread_mutex_unlock(&lane->lock);

    vg_reply_prepare(&reply);
    if (reply.moves)
        move_all(lane->wider, job);
    else
        answer_all(job, reply);
    free_job(job);
    return true;
}

/* Waits for a job. NULL: the thread is to end. Called with the lock held. */
static struct vg_job *wait_for_job(struct vg_lane *lane)
{
    int64_t until_ns = vg_now_ns() + lane->idle_ns;

    for (;;) {
        int64_t now = vg_now_ns();
        if (lane->waiting) /* for a call on the same domain */
            until_ns = now + lane->idle_ns;
        struct vg_job *job = choose(lane);
        if (job)
            return job;
        if (now >= until_ns || (lane->stopping && !lane->waiting))
            return NULL;
        const struct timespec until = vg_timespec(until_ns);
        lane->idle++;
        pthread_cond_timedwait(&lane->wake, &lane->lock, &until);
        lane->idle--;
    }
}

/* Without memory for it, again a little later: until then deadlines answer. */
static struct vg_lease *make_lease(const struct vg_lane_leases *leases)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    struct vg_lease *lease;
    while (!(lease = leases->make()))
        nanosleep(&pause, NULL);
    return lease;
}

static void *worker_main(void *data)
{
    struct vg_lane *lane = data;
    struct vg_lease *lease = make_lease(lane->leases);

    pthread_mutex_lock(&lane->lock);
    struct vg_job *job;
    bool stays = true;
    while (stays && (job = wait_for_job(lane))) {
        job->lease = lease;
        pthread_mutex_unlock(&lane->lock);
        stays = run_job(lane, job, lease);
        pthread_mutex_lock(&lane->lock);
    }
    /* No job that comes from here on may count on this thread. */
    lane->threads--;
    lane->leaving++;
    pthread_mutex_unlock(&lane->lock);

    lane->leases->free(lease);
    pthread_mutex_lock(&lane->lock);
    lane->leaving--;
    pthread_cond_broadcast(&lane->wake);
    pthread_mutex_unlock(&lane->lock);
    return NULL;
}

static void start_thread(struct vg_lane *lane)
{
    if (vg_thread_detach(worker_main, lane, WORKER_STACK) == 0)
        lane->threads++;
    else
        vg_log(VG_LOG_ERROR, "worker", "cannot start a thread");
}

/* Lock held. */
static bool may_start(const struct vg_lane *lane)
{
    return !lane->paused && lane->threads < lane->max_threads &&
           (!lane->threads || lane->few_until_ns <= vg_now_ns());
}

void vg_lane_pause(struct vg_lane *lane, bool paused)
{
    VG_LOCK(&lane->lock);
    lane->paused = paused;
    for (unsigned int i = lane->idle; i < lane->waiting && may_start(lane); i++)
        start_thread(lane);
    pthread_cond_broadcast(&lane->wake);
}

/* ---- submitting -------------------------------------------------------------------- */

static bool is_stuck(const struct vg_lane *lane, const char *object)
{
    int64_t now = vg_now_ns();
    for (unsigned int i = 0; i < VG_STUCK_OBJECTS; i++)
        if (lane->stuck[i].until_ns > now && strcmp(lane->stuck[i].name, object) == 0)
            return true;
    return false;
}

/* Whether one domain already holds its share of the queue. */
static bool crowds_out(const struct vg_lane *lane, const char *object)
{
    unsigned int n = 0, share = lane->max_waiting / 4 + 1;
    if (lane->waiting < share)
        return false;
    for (const struct vg_job *job = lane->first; job; job = job->next)
        n += same_object(job, object);
    return n >= share;
}

/* Queues the request. Returns a problem's id and text when it cannot be. Lock held. */
static const char *queue_request(struct vg_lane *lane, struct vg_request *rq,
                                 enum vg_error_id *ret_id)
{
    const char *object = object_of(rq);
    struct vg_job *job = find_equal(lane, rq);

    if (job && add_waiter(job, rq) == 0) {
        if (!lane->threads && may_start(lane)) /* none could be started */
            start_thread(lane);
        vg_count(VG_COALESCED_READS);
        return NULL;
    }
    *ret_id = VG_E_DRAINING;
    if (lane->stopping)
        return STOPPING;
    *ret_id = VG_E_DOMAIN_BUSY;
    if (object && (is_stuck(lane, object) || crowds_out(lane, object)))
        return "Earlier calls on this domain do not return; try again shortly";
    *ret_id = VG_E_OVERLOADED;
    if (lane->waiting >= lane->max_waiting)
        return "The host's queue is full; try again shortly, or raise queue-size";
    *ret_id = VG_E_INTERNAL;
    job = new_job(rq);
    if (!job)
        return "Out of memory";
    append_waiting(lane, job);
    if (lane->idle)
        pthread_cond_signal(&lane->wake);
    if (lane->waiting > lane->idle && may_start(lane))
        start_thread(lane);
    return NULL;
}

void vg_lane_submit(struct vg_lane *lane, struct vg_request *rq)
{
    enum vg_error_id id;
    pthread_mutex_lock(&lane->lock);
    const char *refused = queue_request(lane, rq, &id);
    pthread_mutex_unlock(&lane->lock);
    if (refused) {
        vg_request_answer(rq, vg_reply_error(rq, id, refused));
        vg_request_unref(rq);
    }
}

/* ---- deadlines --------------------------------------------------------------------- */

/* Moves the waiters that are late to `late`. Lock held. */
static void take_late(struct vg_job *job, int64_t now, struct vg_job *late)
{
    unsigned int kept = 0;
    for (unsigned int i = 0; i < job->n_waiters; i++) {
        struct vg_request *rq = job->waiters[i];
        if (rq->deadline_ns > now || add_waiter(late, rq) < 0)
            job->waiters[kept++] = rq;
    }
    job->n_waiters = kept;
}

/* What to tell those that are taken: that they are late, or that the gateway stops. */
static void set_taken(struct vg_error *e, const struct vg_request *rq, bool stopping)
{
    if (stopping)
        vg_error_set(e, VG_E_DRAINING, "%s", STOPPING);
    else
        vg_error_set(e, VG_E_DEADLINE_EXCEEDED, "%s",
                     object_of(rq) ? LATE_DOMAIN : LATE_ANSWER);
    if (rq->begun && !vg_route_is_read(rq->route))
        e->outcome = VG_OUTCOME_UNKNOWN;
}

static void answer_late(struct vg_lane *lane, int64_t now_ns, bool stopping)
{
    struct vg_job late = {0};

    pthread_mutex_lock(&lane->lock);
    for (struct vg_job *job = lane->running; job; job = job->next)
        take_late(job, now_ns, &late);
    for (struct vg_job *job = lane->first, *next; job; job = next) {
        next = job->next;
        take_late(job, now_ns, &late);
        if (!job->n_waiters) {
            remove_waiting(lane, job);
            free_job(job);
        }
    }
    pthread_mutex_unlock(&lane->lock);

    for (unsigned int i = 0; i < late.n_waiters; i++) {
        struct vg_request *rq = late.waiters[i];
        struct vg_error e = {0};
        set_taken(&e, rq, stopping);
        vg_request_answer(rq, vg_reply_problem(rq, &e));
        vg_error_clear(&e);
        vg_request_unref(rq);
    }
    free(late.waiters);
}

void vg_lane_expire(struct vg_lane *lane, int64_t now_ns)
{
    answer_late(lane, now_ns, false);
}

bool vg_lane_slow(struct vg_lane *lane, int64_t now_ns)
{
    bool slow = false;
    VG_LOCK(&lane->lock);
    for (struct vg_job *job = lane->running; job; job = job->next) {
        if (!job->slow_ns || now_ns < job->slow_ns)
            continue;
        job->slow_ns = 0;
        slow = true;
    }
    return slow;
}

/* ---- giving up --------------------------------------------------------------------- */

/* What is known of an operation is answered all the same, and long work that has begun is
 * not ended by its host's silence; what has not never will. */
static bool goes_on(const struct vg_request *rq)
{
    return rq->watched || (rq->route->flags & VG_LONG && rq->operation &&
                           !vg_operation_bar(rq->operation));
}

/* Moves all waiters to `given_up`, as far as there is memory; the rest has its deadline.
 * Lock held. */
static void take_waiters(struct vg_job *job, struct vg_job *given_up)
{
    while (job->n_waiters && add_waiter(given_up, job->waiters[job->n_waiters - 1]) == 0)
        job->n_waiters--;
}

static void take_running(struct vg_lane *lane, struct vg_job *given_up)
{
    for (struct vg_job *job = lane->running; job; job = job->next) {
        if (!goes_on(job->leader))
            take_waiters(job, given_up);
        else if (!job->leader->watched)
            continue;
        lane->leases->limit(job->lease, 1); /* the watchdog's next turn */
    }
}

void vg_lane_abandon(struct vg_lane *lane, bool running,
                     void (*answer)(void *data, struct vg_request *rq), void *data)
{
    struct vg_job given_up = {0};

    pthread_mutex_lock(&lane->lock);
    for (struct vg_job *job = lane->first, *next; job; job = next) {
        next = job->next;
        take_waiters(job, &given_up);
        if (!job->n_waiters) {
            remove_waiting(lane, job);
            free_job(job);
        }
    }
    if (running)
        take_running(lane, &given_up);
    pthread_mutex_unlock(&lane->lock);
    for (unsigned int i = 0; i < given_up.n_waiters; i++)
        answer(data, given_up.waiters[i]);
    free(given_up.waiters);
}

/* ---- counting, stopping ------------------------------------------------------------ */

void vg_lane_count(struct vg_lane *lane, unsigned int *ret_in_flight,
                   unsigned int *ret_waiting, unsigned int *ret_threads)
{
    VG_LOCK(&lane->lock);
    *ret_in_flight = lane->in_flight;
    *ret_waiting = lane->waiting;
    *ret_threads = lane->threads;
}

/* Lock held. */
static void begin_stop(struct vg_lane *lane)
{
    lane->stopping = true;
    pthread_cond_broadcast(&lane->wake);
}

void vg_lane_close(struct vg_lane *lane)
{
    pthread_mutex_lock(&lane->lock);
    begin_stop(lane);
    pthread_mutex_unlock(&lane->lock);
    answer_late(lane, INT64_MAX, true);
}

void vg_lane_stop(struct vg_lane *lane)
{
    pthread_mutex_lock(&lane->lock);
    begin_stop(lane);
    while (lane->threads || lane->leaving)
        pthread_cond_wait(&lane->wake, &lane->lock);
    pthread_mutex_unlock(&lane->lock);
    /* what no thread could be started for */
    answer_late(lane, INT64_MAX, true);
}
