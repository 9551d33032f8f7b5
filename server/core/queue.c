/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Queues of workers; see core/queue.h. A task is one call and all the requests that share
 * it. Every answer is given outside the queue's lock.
 */
#include "server/core/queue_task.h"

#include "server/base/list.h"
#include "server/core/answer.h"
#include "server/core/operation.h"
#include "server/base/thread.h"
#include "virtgate/cleanup.h"
#include "server/base/log.h"
#include "virtgate/metrics.h"

#include <string.h>
#include <time.h>

#define IDLE_SECONDS 60
#define STUCK_NS     VG_SECOND_NS
#define FEW_NS       (2 * VG_SECOND_NS)
#define WORKER_STACK (512 * 1024)
#define LATE_OBJECT                                                                      \
    "A call on this object did not return in time: it or the host hangs; /health/ready " \
    "tells of the host"
#define STOPPING    "The gateway is stopping; ask its successor"
#define LATE_ANSWER "The host did not answer in time; try again, or look at /health/ready"

void vg_queue_init(struct vg_queue *queue, unsigned int threads, unsigned int max_waiting)
{
    vg_cond_init(&queue->wake);
    pthread_mutex_init(&queue->lock, NULL);
    for (int i = 0; i < VG_QUEUE_CLASSES; i++) {
        queue->classes[i].last = &queue->classes[i].first;
        queue->classes[i].max_in_flight = threads;
    }
    queue->max_threads = threads;
    queue->max_waiting = max_waiting;
    queue->per_object = VG_CALLS_PER_OBJECT;
    queue->max_changed = threads;
    queue->idle_ns = IDLE_SECONDS * VG_SECOND_NS;
}

void vg_queue_split(struct vg_queue *queue, unsigned int reads, unsigned int changes,
                    unsigned int objects)
{
    queue->max_threads = reads + changes;
    queue->max_changed = objects;
    queue->classes[VG_QUEUE_READS].max_in_flight = reads;
    queue->classes[VG_QUEUE_CHANGES].max_in_flight = changes;
}

/* ---- running ----------------------------------------------------------------------- */

static void answer_all(struct vg_task *task, struct vg_reply reply)
{
    const struct vg_error *error = &task->leader->error;
    for (unsigned int i = 0; i < task->n_waiters; i++) {
        struct vg_request *rq = task->waiters[i];
        /* a problem names its request, so it cannot be shared */
        bool problem = rq != task->leader && reply.status >= 400 && error->status;
        struct vg_reply given =
            problem ? vg_reply_problem(rq, error) : vg_reply_share(&reply);
        if (rq == task->leader) { /* what goes on cannot be shared */
            given.subscription = vg_take(&reply.subscription);
            given.channel = vg_take(&reply.channel);
            given.feed = vg_take(&reply.feed);
        }
        vg_request_answer(rq, given);
    }
    vg_reply_clear(&reply);
}

static void move_all(struct vg_queue *to, struct vg_task *task)
{
    for (unsigned int i = 0; i < task->n_waiters; i++) {
        task->waiters[i]->requeued = true;
        task->waiters[i]->begun = false;
        vg_queue_submit(to, task->waiters[i], task->object);
    }
    task->n_waiters = 0;
}

static void note_stuck(struct vg_queue *queue, uint64_t object)
{
    unsigned int i = queue->next_stuck++ % VG_STUCK_OBJECTS;
    queue->stuck[i].object = object;
    queue->stuck[i].until_ns = vg_now_ns() + STUCK_NS;
}

/* This thread has no connection and cannot get one now: it leaves its task to the others.
 * False: it is the last one, and has to answer. Lock held. */
static bool give_back(struct vg_queue *queue, struct vg_task *task)
{
    if (queue->threads < 2 || queue->stopping || !task->n_waiters)
        return false;
    queue->few_until_ns = vg_now_ns() + FEW_NS;
    task->leader->begun = false;
    vg_task_put_back(queue, task); /* its turn has come */
    if (queue->idle)
        pthread_cond_signal(&queue->wake);
    return true;
}

/* False: this thread is not to go on. */
static bool run_task(struct vg_queue *queue, struct vg_task *task,
                     struct vg_virt_conn *conn)
{
    queue->conns->limit(conn, task->deadline_ns);
    task->leader->call_until_ns = task->deadline_ns; /* others may wait longer than it */
    struct vg_reply reply = queue->run(queue->data, conn, task->leader);
    bool late = vg_now_ns() >= task->deadline_ns;
    queue->conns->limit(conn, 0);

    pthread_mutex_lock(&queue->lock);
    vg_list_remove(task);
    queue->classes[task->class].in_flight--;
    task->conn = NULL;
    if (reply.crowded && give_back(queue, task)) {
        pthread_mutex_unlock(&queue->lock);
        vg_reply_clear(&reply);
        return false;
    }
    if (late && task->object)
        note_stuck(queue, task->object);
    if (vg_tasks_waiting(queue) && queue->idle)
        pthread_cond_signal(&queue->wake); /* a task of the same object may run now */
    pthread_mutex_unlock(&queue->lock);

    vg_reply_prepare(&reply);
    struct vg_task waiting = {0};
    int64_t wait_ns = reply.not_yet_ns;
    if (wait_ns)
        vg_task_split(task, &reply, &waiting);
    if (reply.moves)
        move_all(queue->fallback, task);
    else
        answer_all(task, reply);
    vg_task_free(task);
    if (waiting.n_waiters) /* the last: another thread may run them then */
        vg_queue_park(queue, &waiting, wait_ns);
    return true;
}

/* Waits for a task. NULL: the thread is to end. Called with the lock held. */
static struct vg_task *wait_for_task(struct vg_queue *queue)
{
    int64_t until_ns = vg_now_ns() + queue->idle_ns;

    for (;;) {
        int64_t now = vg_now_ns();
        if (vg_tasks_waiting(queue)) /* for a call on the same object */
            until_ns = now + queue->idle_ns;
        struct vg_task *task = vg_tasks_choose(queue);
        if (task)
            return task;
        if (now >= until_ns || (queue->stopping && !vg_tasks_waiting(queue)))
            return NULL;
        const struct timespec until = vg_timespec(until_ns);
        queue->idle++;
        pthread_cond_timedwait(&queue->wake, &queue->lock, &until);
        queue->idle--;
    }
}

/* Out of memory: tried again a little later. Until then deadlines answer. */
static struct vg_virt_conn *make_conn(const struct vg_queue_conns *conns)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    struct vg_virt_conn *conn;
    while (!(conn = conns->make()))
        nanosleep(&pause, NULL);
    return conn;
}

static void *worker_main(void *data)
{
    struct vg_queue *queue = data;
    struct vg_virt_conn *conn = make_conn(queue->conns);

    pthread_mutex_lock(&queue->lock);
    struct vg_task *task;
    bool stays = true;
    while (stays && (task = wait_for_task(queue))) {
        task->conn = conn;
        pthread_mutex_unlock(&queue->lock);
        stays = run_task(queue, task, conn);
        pthread_mutex_lock(&queue->lock);
    }
    /* No task that comes from here on may count on this thread. */
    queue->threads--;
    queue->leaving++;
    pthread_mutex_unlock(&queue->lock);

    queue->conns->free(conn);
    pthread_mutex_lock(&queue->lock);
    queue->leaving--;
    pthread_cond_broadcast(&queue->wake);
    pthread_mutex_unlock(&queue->lock);
    return NULL;
}

static void start_thread(struct vg_queue *queue)
{
    if (vg_thread_detach(worker_main, queue, WORKER_STACK) == 0)
        queue->threads++;
    else
        vg_log(VG_LOG_ERROR, "worker", "cannot start a thread");
}

/* Lock held. */
static bool may_start(const struct vg_queue *queue)
{
    return !queue->paused && queue->threads < queue->max_threads &&
           (!queue->threads || queue->few_until_ns <= vg_now_ns());
}

/* Starts threads while more tasks could run than threads are idle. Lock held. */
static void start_missing(struct vg_queue *queue)
{
    unsigned int i = queue->threads - vg_tasks_in_flight(queue);
    for (; i < vg_tasks_runnable(queue) && may_start(queue); i++)
        start_thread(queue);
}

void vg_queue_pause(struct vg_queue *queue, bool paused)
{
    VG_LOCK(&queue->lock);
    queue->paused = paused;
    start_missing(queue);
    pthread_cond_broadcast(&queue->wake);
}

/* ---- submitting -------------------------------------------------------------------- */

static bool is_stuck(const struct vg_queue *queue, uint64_t object)
{
    int64_t now = vg_now_ns();
    for (unsigned int i = 0; i < VG_STUCK_OBJECTS; i++)
        if (queue->stuck[i].until_ns > now && queue->stuck[i].object == object)
            return true;
    return false;
}

/* Whether one object already holds its share of what may wait. */
static bool crowds_out(const struct vg_queue *queue, const struct vg_queue_waiting *class,
                       uint64_t object)
{
    unsigned int n = 0, share = queue->max_waiting / 4 + 1;
    if (class->waiting < share)
        return false;
    for (const struct vg_task *task = class->first; task; task = task->next)
        n += task->object == object;
    return n >= share;
}

/* Queues the request. Returns a problem's id and text when it cannot be. Lock held. */
static const char *queue_request(struct vg_queue *queue, struct vg_request *rq,
                                 enum vg_error_id *ret_id)
{
    const struct vg_queue_waiting *class = &queue->classes[vg_task_class(rq)];
    struct vg_task *task = vg_tasks_find_equal(queue, rq);

    if (task && vg_task_add_waiter(task, rq) == 0) {
        if (!queue->threads && may_start(queue)) /* none could be started */
            start_thread(queue);
        vg_count(VG_COALESCED_READS);
        return NULL;
    }
    *ret_id = VG_E_DRAINING;
    if (queue->stopping)
        return STOPPING;
    *ret_id = vg_request_domain(rq) ? VG_E_DOMAIN_BUSY : VG_E_OBJECT_BUSY;
    if (rq->object &&
        (is_stuck(queue, rq->object) || crowds_out(queue, class, rq->object)))
        return "Earlier calls on this object do not return; try again shortly";
    *ret_id = VG_E_OVERLOADED;
    if (class->waiting >= queue->max_waiting)
        return "The host's queue is full; try again shortly, or raise queue-size";
    *ret_id = VG_E_INTERNAL;
    task = vg_task_new(rq);
    if (!task)
        return "Out of memory";
    vg_task_append(queue, task);
    if (queue->idle)
        pthread_cond_signal(&queue->wake);
    if (vg_tasks_runnable(queue) > queue->idle && may_start(queue))
        start_thread(queue);
    return NULL;
}

void vg_queue_submit(struct vg_queue *queue, struct vg_request *rq, uint64_t object)
{
    enum vg_error_id id;
    rq->object = object;
    pthread_mutex_lock(&queue->lock);
    const char *refused = queue_request(queue, rq, &id);
    pthread_mutex_unlock(&queue->lock);
    if (refused) {
        vg_request_answer(rq, vg_reply_error(rq, id, refused));
        vg_request_unref(rq);
    }
}

/* ---- deadlines --------------------------------------------------------------------- */

/* Moves the waiters that are late to `late`. Lock held. */
static void take_late(struct vg_task *task, int64_t now, struct vg_task *late)
{
    unsigned int kept = 0;
    for (unsigned int i = 0; i < task->n_waiters; i++) {
        struct vg_request *rq = task->waiters[i];
        if (rq->deadline_ns > now || vg_task_add_waiter(late, rq) < 0)
            task->waiters[kept++] = rq;
    }
    task->n_waiters = kept;
}

/* What the requests that are taken out are told: they are late, or the gateway stops. */
static void set_taken(struct vg_error *e, const struct vg_request *rq, bool stopping)
{
    if (stopping)
        vg_error_set(e, VG_E_DRAINING, "%s", STOPPING);
    else
        vg_error_set(e, VG_E_DEADLINE_EXCEEDED, "%s",
                     rq->object ? LATE_OBJECT : LATE_ANSWER);
    if (rq->begun && !vg_route_is_read(rq->route))
        e->outcome = VG_OUTCOME_UNKNOWN;
}

static void answer_late(struct vg_queue *queue, int64_t now_ns, bool stopping)
{
    struct vg_task late = {0};

    pthread_mutex_lock(&queue->lock);
    for (struct vg_task *task = queue->running; task; task = task->next)
        take_late(task, now_ns, &late);
    for (int i = 0; i < VG_QUEUE_CLASSES; i++)
        for (struct vg_task *task = queue->classes[i].first; task; task = task->next)
            take_late(task, now_ns, &late);
    vg_tasks_drop_empty(queue);
    if (!queue->stopping) /* the host may have had no room for their threads */
        start_missing(queue);
    pthread_mutex_unlock(&queue->lock);

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

/* What waits by vg_not_yet(), when it is time; all of it when that is INT64_MAX. */
static void submit_parked(struct vg_queue *queue, int64_t now_ns)
{
    struct vg_task due = {0};
    vg_queue_take_parked(queue, now_ns, &due);
    for (unsigned int i = 0; i < due.n_waiters; i++) {
        struct vg_request *rq = due.waiters[i];
        vg_error_clear(&rq->error);
        if (atomic_load(&rq->answered)) /* its session has ended */
            vg_request_unref(rq);
        else
            vg_queue_submit(queue, rq, rq->object);
    }
    free(due.waiters);
}

void vg_queue_expire(struct vg_queue *queue, int64_t now_ns)
{
    answer_late(queue, now_ns, false);
    submit_parked(queue, now_ns);
}

bool vg_queue_slow(struct vg_queue *queue, int64_t now_ns)
{
    bool slow = false;
    VG_LOCK(&queue->lock);
    for (struct vg_task *task = queue->running; task; task = task->next) {
        if (!task->slow_ns || now_ns < task->slow_ns)
            continue;
        task->slow_ns = 0;
        slow = true;
    }
    return slow;
}

/* ---- giving up --------------------------------------------------------------------- */

/* Requests about an operation are answered all the same, and long work that has begun is
 * not ended by its host's silence. Long work that has not begun never will. */
static bool goes_on(const struct vg_request *rq)
{
    bool is_long = vg_request_is_long(rq) && !vg_request_is_transfer(rq);
    return rq->watched || (is_long && rq->operation && !vg_operation_bar(rq->operation));
}

/* Moves all waiters to `given_up`, as far as there is memory; the rest has its deadline.
 * Lock held. */
static void take_waiters(struct vg_task *task, struct vg_task *given_up)
{
    while (task->n_waiters &&
           vg_task_add_waiter(given_up, task->waiters[task->n_waiters - 1]) == 0)
        task->n_waiters--;
}

static void take_running(struct vg_queue *queue, struct vg_task *given_up)
{
    for (struct vg_task *task = queue->running; task; task = task->next) {
        if (!goes_on(task->leader))
            take_waiters(task, given_up);
        else if (!task->leader->watched)
            continue;
        queue->conns->limit(task->conn, 1); /* the watchdog's next turn */
    }
}

void vg_queue_abandon(struct vg_queue *queue, bool running,
                      void (*answer)(void *data, struct vg_request *rq), void *data)
{
    struct vg_task given_up = {0};

    pthread_mutex_lock(&queue->lock);
    for (int i = 0; i < VG_QUEUE_CLASSES; i++)
        for (struct vg_task *task = queue->classes[i].first; task; task = task->next)
            take_waiters(task, &given_up);
    vg_tasks_drop_empty(queue);
    if (running)
        take_running(queue, &given_up);
    pthread_mutex_unlock(&queue->lock);
    for (unsigned int i = 0; i < given_up.n_waiters; i++)
        answer(data, given_up.waiters[i]);
    free(given_up.waiters);
}

/* ---- counting, stopping ------------------------------------------------------------ */

struct vg_queue_load vg_queue_load(struct vg_queue *queue)
{
    VG_LOCK(&queue->lock);
    return (struct vg_queue_load){
        .in_flight = vg_tasks_in_flight(queue),
        .changes = queue->classes[VG_QUEUE_CHANGES].in_flight,
        .waiting = vg_tasks_waiting(queue),
        .threads = queue->threads,
    };
}

/* Lock held. */
static void begin_stop(struct vg_queue *queue)
{
    queue->stopping = true;
    pthread_cond_broadcast(&queue->wake);
}

void vg_queue_close(struct vg_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    begin_stop(queue);
    pthread_mutex_unlock(&queue->lock);
    submit_parked(queue, INT64_MAX); /* refused */
    answer_late(queue, INT64_MAX, true);
}

void vg_queue_stop(struct vg_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    begin_stop(queue);
    while (queue->threads || queue->leaving)
        pthread_cond_wait(&queue->wake, &queue->lock);
    pthread_mutex_unlock(&queue->lock);
    /* what no thread could be started for */
    submit_parked(queue, INT64_MAX); /* refused */
    answer_late(queue, INT64_MAX, true);
}
