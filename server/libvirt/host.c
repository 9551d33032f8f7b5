/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Hosts: the registry, and running a request on a host's connection. What is known of a
 * host is in libvirt/host_status.c; the host monitor, which keeps one connected, in
 * libvirt/monitor.c.
 */
#include "server/libvirt/host.h"

#include "server/core/answer.h"
#include "server/core/transfer_memory.h"
#include "server/core/audit.h"
#include "server/core/event.h"
#include "server/core/host_names.h"
#include "server/core/kind.h"
#include "server/core/operation.h"
#include "server/core/precondition.h"
#include "server/base/redact.h"
#include "server/core/request.h"
#include "server/libvirt/check.h"
#include "server/libvirt/error.h"
#include "server/libvirt/explain.h"
#include "server/libvirt/hidden_names.h"
#include "server/libvirt/internal.h"
#include "virtgate/cleanup.h"
#include "server/base/log.h"

#include <libvirt/virterror.h>
#include <string.h>
#include <xxhash.h>

#define ONE_THREAD 1 /* of queues whose calls do not block, or are few */
/* Changes at work beside reads: those of different objects run side by side. libvirtd has
 * 5 workers to begin with (min_workers). Once all hold long calls and two more come at a
 * time, it makes no further ones (virThreadPoolSendJob() compares unsigned numbers), and
 * reads wait for the changes: 4 objects, the default, leave it one. An object that hangs
 * may hold a second call, and does not count twice. */
#define CHANGED_OF(pool) ((pool) < 12 ? (pool) : 12)
#define CHANGES_OF(pool) ((pool) < 6 ? VG_CALLS_PER_OBJECT * (pool) : 12)
/* How much long work may wait for a thread of its queue. */
#define LONG_WAITING  64
#define MONITOR_GRACE (VG_SECOND_NS / 2)
/* Until it begins, long work is a call like others, and cut like them. */
#define BEGIN_LIMIT (30 * VG_SECOND_NS)

static struct vg_host *hosts;
static size_t n_hosts;

/* ---- running a request ------------------------------------------------------------- */

bool vg_host_memory_failed(const struct vg_request *rq)
{
    return rq->uses_memory && !rq->fresh &&
           (rq->contradicted || vg_error_is_virt(&rq->error, VIR_ERR_NO_DOMAIN));
}

/* A read whose connection broke is asked once more on a new one, one that relied on what
 * proved wrong without that; a change never is. */
static bool may_retry(const struct vg_request *rq, const struct vg_reply *reply)
{
    return (reply->transport_failed || vg_host_memory_failed(rq)) &&
           vg_now_ns() < rq->call_until_ns;
}

/* Without a connection. What is known of an operation is known without its host. */
static struct vg_reply run_unconnected(struct vg_request *rq, bool full)
{
    if (rq->watched) {
        vg_error_clear(&rq->error);
        if (vg_precondition_check(rq) == 0 && vg_audit_begin(rq, true) == 0)
            return rq->route->handler(rq);
    }
    struct vg_reply reply = vg_fail(rq);
    reply.unasked = true;
    reply.crowded = full;
    return reply;
}

/* A local row waited for the host's facts, and asks nothing. */
static int prepare(struct vg_host *host, struct vg_virt_conn *virt_conn,
                   struct vg_request *rq)
{
    switch (rq->route->runs_on) {
    case VG_ON_NETWORK_THREAD:
        return 0;
    case VG_ON_ADMIN:
        return vg_admin_prepare(host, virt_conn, &rq->error);
    default:
        return vg_host_prepare_conn(host, virt_conn, rq);
    }
}

static struct vg_reply run_once(struct vg_host *host, struct vg_virt_conn *virt_conn,
                                struct vg_request *rq)
{
    if (rq->operation)
        atomic_store(&virt_conn->cut_at_ns, vg_now_ns() + BEGIN_LIMIT);
    int rc = prepare(host, virt_conn, rq);
    if (rc < 0)
        return run_unconnected(rq, rc == VG_HOST_FULL);
    rq->virt_conn = virt_conn;
    struct vg_reply reply = vg_request_parse_body(rq) < 0 ||
                                    vg_precondition_check(rq) < 0 ||
                                    vg_audit_begin(rq, true) < 0
                                ? vg_fail(rq)
                                : rq->route->handler(rq);
    if (reply.status >= 400)
        reply = vg_hide_names(rq, vg_explain(rq, reply));
    rq->virt_conn = NULL;
    bool cut = atomic_load(&virt_conn->cut);
    if (cut)
        vg_monitor_suspect(host);
    else if (reply.transport_failed && rq->route->runs_on != VG_ON_ADMIN)
        vg_monitor_note_failure(host, &rq->error);
    if (cut || reply.transport_failed)
        vg_virt_conn_close(virt_conn);
    return reply;
}

static uint64_t target_hash(const struct vg_request *rq)
{
    return XXH3_64bits(rq->target, strlen(rq->target));
}

static atomic_uint_fast64_t *requeued_slot(struct vg_host *host,
                                           const struct vg_request *rq)
{
    return &host->requeued_targets[target_hash(rq) % VG_REQUEUED_TARGETS];
}

/* Where the reply's data is from, as of which revision. */
static void note_source(const struct vg_request *rq, uint64_t revision,
                        struct vg_reply *reply)
{
    enum vg_runs_on runs_on = rq->route->runs_on;

    vg_reply_prepare(reply);
    /* an operation is the gateway's own, and so is what a local row tells */
    if (runs_on != VG_ON_OPERATION && runs_on != VG_ON_NETWORK_THREAD)
        reply->source = reply->status == 200 || reply->status == 206 ? VG_SOURCE_LIBVIRT
                                                                     : VG_SOURCE_NONE;
    reply->revision = revision;
    reply->has_revision = reply->status >= 200 && reply->status < 400; /* not of a 101 */
}

static struct vg_reply run_read(struct vg_host *host, struct vg_virt_conn *virt_conn,
                                struct vg_request *rq)
{
    uint64_t revision = vg_event_head();

    rq->reading = vg_answer_cache_begin(host->cache, vg_kind_whole(rq->route->pattern));
    struct vg_reply reply = run_once(host, virt_conn, rq);
    if (may_retry(rq, &reply)) {
        vg_reply_clear(&reply);
        vg_error_clear(&rq->error);
        rq->fresh = rq->again = true;
        reply = run_once(host, virt_conn, rq);
    }
    if (reply.moves) {
        atomic_store(requeued_slot(host, rq), target_hash(rq));
        return reply;
    }
    note_source(rq, revision, &reply);
    vg_answer_cache_keep(host->cache, rq, &rq->reading, &reply);
    return reply;
}

/* What is begun here ends here, whatever the reply is: all before anybody hears of it. */
static struct vg_reply run_change(struct vg_host *host, struct vg_virt_conn *virt_conn,
                                  struct vg_request *rq)
{
    uint64_t revision = vg_event_head();
    enum vg_kind kind = vg_kind_whole(rq->route->pattern);
    bool slow = vg_request_is_long(rq) || vg_request_is_transfer(rq);
    bool of_guests = kind == VG_KIND_DOMAIN || kind == VG_KIND_NONE; /* or whatever */
    struct vg_guest_change change = {.segment = vg_request_domain(rq)};

    vg_answer_cache_begin_change(host->cache, kind, slow);
    if (of_guests && !slow)
        vg_documents_begin_change(host->documents, &change);
    struct vg_reply reply = run_once(host, virt_conn, rq);
    note_source(rq, revision, &reply);
    if (of_guests)
        vg_documents_end_change(host->documents, &change);
    vg_answer_cache_end_change(host->cache, kind, slow);
    return reply;
}

static struct vg_reply run_request(void *data, struct vg_virt_conn *virt_conn,
                                   struct vg_request *rq)
{
    (void)vg_json_lost_memory(); /* another request's */
    return vg_route_is_read(rq->route) ? run_read(data, virt_conn, rq)
                                       : run_change(data, virt_conn, rq);
}

bool vg_host_remember(const struct vg_request *rq, struct vg_reply *ret)
{
    if (!vg_request_is_shared(rq) || rq->fresh)
        return false;
    /* first: what is valid after this reflects all events up to it */
    uint64_t revision = vg_event_head();
    if (!vg_answer_cache_find(rq->host->cache, rq, ret))
        return false;
    ret->revision = revision;
    return true;
}

bool vg_host_recall(struct vg_request *rq, struct vg_reply *ret)
{
    /* first: if it is kept, then as it was read in this generation */
    rq->reading =
        vg_answer_cache_begin(rq->host->cache, vg_kind_whole(rq->route->pattern));
    int64_t now = rq->reading.at_ns;
    if (!vg_host_remember(rq, ret))
        return false;
    rq->reading.at_ns = now - ret->age_seconds * VG_SECOND_NS;
    return true;
}

bool vg_host_holds(const struct vg_host *host, const struct vg_reading *reading)
{
    return vg_answer_cache_is_fresh(host->cache, reading);
}

static struct vg_queue *choose_queue(struct vg_host *host, struct vg_request *rq)
{
    if (vg_request_is_transfer(rq))
        return &host->transfers;
    if (vg_request_is_long(rq))
        return &host->long_work;
    switch (rq->route->runs_on) {
    case VG_ON_FAST:
        rq->requeued = atomic_load(requeued_slot(host, rq)) == target_hash(rq);
        return rq->requeued ? &host->bulk : &host->fast;
    case VG_ON_NETWORK_THREAD:
        return &host->fast;
    case VG_ON_ADMIN:
        return &host->admins;
    default:
        return vg_request_asks_agent(rq) ? &host->agents : &host->general;
    }
}

/* Of which so many calls may be in flight; 0: none. Transfers of one pool are as many as
 * there may be: no bytes, no deadline. */
static uint64_t limited_object(const struct vg_request *rq)
{
    return vg_request_is_transfer(rq) ? 0
           : rq->watched              ? vg_operation_object_key(rq->watched)
                                      : vg_request_object_key(rq);
}

void vg_host_submit(struct vg_host *host, struct vg_request *rq)
{
    struct vg_error e = {0};
    {
        VG_LOCK(&host->lock);
        if (host->state == VG_HOST_DOWN && rq->route->runs_on != VG_ON_ADMIN)
            vg_host_error_unreachable(&e, host->name, &host->error);
    }
    if (e.status) {
        vg_request_answer(rq, vg_reply_problem(rq, &e));
        vg_error_clear(&e);
        vg_request_unref(rq);
        return;
    }
    vg_queue_submit(choose_queue(host, rq), rq, limited_object(rq));
}

bool vg_host_is_connecting(struct vg_host *host)
{
    return atomic_load_explicit(&host->connecting, memory_order_relaxed);
}

bool vg_host_may_be_up(struct vg_host *host)
{
    VG_LOCK(&host->lock);
    return host->state != VG_HOST_DOWN;
}

/* ---- a host that is down ------------------------------------------------------------
 */

static bool has_work(struct vg_host *host)
{
    struct vg_queue *queues[VG_ALL_QUEUES];
    vg_host_list_queues(host, queues);
    for (size_t i = 0; i < VG_HOST_QUEUES; i++) {
        struct vg_queue_load load = vg_queue_load(queues[i]);
        if (load.in_flight || load.waiting)
            return true;
    }
    return false;
}

/* A change that a worker took may have been done. */
static void answer_down(void *data, struct vg_request *rq)
{
    const struct vg_error *why = data;
    struct vg_error e = {0};

    if (rq->watched && !rq->begun) {
        vg_operation_resume(rq);
        return;
    }
    vg_host_error_unreachable(&e, rq->host->name, why);
    if (rq->begun && !vg_route_is_read(rq->route))
        e.outcome = VG_OUTCOME_UNKNOWN;
    vg_request_answer(rq, vg_reply_problem(rq, &e));
    vg_error_clear(&e);
    vg_request_unref(rq);
}

/* Answers what waits for a host that is down. What runs goes on until the host monitor
 * has looked: perhaps only one worker's connection broke. */
static void abandon_work(struct vg_host *host)
{
    struct vg_error why = {0};
    struct vg_queue *queues[VG_ALL_QUEUES];
    bool down, sure;
    {
        VG_LOCK(&host->lock);
        down = host->state == VG_HOST_DOWN;
        sure = !host->suspect;
    }
    if (!down || !has_work(host))
        return;
    {
        VG_LOCK(&host->lock);
        vg_error_copy(&why, &host->error);
    }
    vg_host_list_queues(host, queues);
    for (size_t i = 0; i < VG_HOST_QUEUES; i++)
        vg_queue_abandon(queues[i], sure, answer_down, &why);
    vg_error_clear(&why);
}

void vg_hosts_tick(int64_t now_ns)
{
    for (size_t i = 0; i < n_hosts; i++) {
        struct vg_queue *queues[VG_ALL_QUEUES];
        vg_host_list_queues(&hosts[i], queues);
        abandon_work(&hosts[i]);
        for (size_t k = 0; k < VG_ALL_QUEUES; k++) {
            if (vg_queue_slow(queues[k], now_ns))
                vg_monitor_suspect(&hosts[i]);
            vg_queue_expire(queues[k], now_ns);
        }
        struct vg_request *comparison = vg_check_tick(hosts[i].check, now_ns);
        if (comparison)
            vg_host_submit(&hosts[i], comparison);
    }
    vg_virt_conn_cut_due(now_ns);
}

/* ---- the registry ------------------------------------------------------------------ */

struct vg_host *vg_host_find(const char *name)
{
    for (size_t i = 0; i < n_hosts; i++)
        if (strcmp(hosts[i].name, name) == 0)
            return &hosts[i];
    return NULL;
}

size_t vg_host_count(void)
{
    return n_hosts;
}

struct vg_host *vg_host_at(size_t index)
{
    return &hosts[index];
}

const char *vg_host_get_name(const struct vg_host *host)
{
    return host->name;
}

struct vg_history *vg_host_history(const struct vg_host *host)
{
    return host->history;
}

static const char *find_admin_uri(const struct vg_config *config, const char *name)
{
    for (size_t i = 0; i < config->admin_uris.n; i++)
        if (strcmp(config->admin_uris.v[i].name, name) == 0)
            return config->admin_uris.v[i].uri;
    return NULL;
}

/* -1: out of memory. A URI that is missing would be libvirt's own choice of a host. */
static int copy_names(struct vg_host *host, const struct vg_host_config *from,
                      const char *admin_uri)
{
    host->name = strdup(from->name);
    host->uri = from->uri ? strdup(from->uri) : NULL;
    host->shown_uri = vg_redact(from->uri);
    host->admin_uri = admin_uri ? strdup(admin_uri) : NULL;
    return host->name && (!from->uri || (host->uri && host->shown_uri)) &&
                   (!admin_uri || host->admin_uri)
               ? 0
               : -1;
}

static void init_queues(struct vg_host *host, const struct vg_config *config)
{
    const unsigned int pool_size = (unsigned int)config->pool_size;
    const unsigned int queue_size = (unsigned int)config->queue_size;

    vg_queue_init(&host->general, pool_size, queue_size);
    vg_queue_split(&host->general, pool_size, CHANGES_OF(pool_size),
                   CHANGED_OF(pool_size));
    vg_queue_init(&host->fast, ONE_THREAD, queue_size);
    vg_queue_init(&host->bulk, ONE_THREAD, queue_size);
    vg_queue_init(&host->long_work, (unsigned int)config->operations, LONG_WAITING);
    vg_queue_init(&host->transfers, (unsigned int)config->transfers,
                  LONG_WAITING +
                      (unsigned int)((size_t)config->transfer_memory / VG_WINDOW_MIN));
    vg_queue_init(&host->agents, pool_size, queue_size);
    vg_queue_init(&host->admins, ONE_THREAD, queue_size);
    host->agents.per_object = 1; /* libvirt has an agent do one thing at a time */
    host->fast.fallback = &host->bulk;
    struct vg_queue *queues[VG_ALL_QUEUES];
    vg_host_list_queues(host, queues);
    for (size_t i = 0; i < VG_ALL_QUEUES; i++) {
        queues[i]->run = run_request;
        queues[i]->conns =
            queues[i] == &host->transfers ? &vg_stream_conns : &vg_virt_conns;
        queues[i]->data = host;
        /* until the first connection is there, or is not */
        queues[i]->paused = i < VG_HOST_QUEUES;
    }
}

static int init_host(struct vg_host *host, const struct vg_host_config *from,
                     const struct vg_config *config)
{
    vg_cond_init(&host->wake);
    pthread_mutex_init(&host->lock, NULL);
    atomic_init(&host->connecting, true);
    host->cpu_percent = -1;
    host->read_only = config->read_only;
    host->virt_conn = vg_virt_conn_new();
    host->cache = vg_answer_cache_new();
    host->documents = vg_documents_new();
    host->leases = vg_leases_new();
    host->object_failures = vg_failures_new();
    host->check = vg_check_new(host, (size_t)(host - hosts), config->hosts.n);
    host->history = config->history ? vg_history_new() : NULL;
    init_queues(host, config);
    if (!host->virt_conn || !host->cache || !host->documents || !host->leases ||
        !host->object_failures || !host->check || (config->history && !host->history))
        return -1;
    return copy_names(host, from, find_admin_uri(config, from->name));
}

int vg_hosts_start(const struct vg_config *config)
{
    hosts = calloc(config->hosts.n, sizeof(*hosts));
    if (!hosts)
        return -1;
    for (size_t i = 0; i < config->hosts.n; i++) {
        const char *uri = config->hosts.v[i].uri;
        if ((uri && vg_redact_learn(uri) < 0) ||
            init_host(&hosts[i], &config->hosts.v[i], config) < 0)
            return -1;
        n_hosts++;
        if (vg_host_names_add(hosts[i].name) < 0)
            return -1;
    }
    if (config->history)
        vg_history_start();
    vg_monitor_init();
    for (size_t i = 0; i < n_hosts; i++) {
        if (vg_monitor_start(&hosts[i]) < 0)
            return -1;
    }
    vg_monitor_await_first(hosts, n_hosts);
    return 0;
}

/* Before anything is waited for: what cannot be cut holds up nobody's answer. */
static void close_queues(struct vg_host *host)
{
    struct vg_queue *queues[VG_ALL_QUEUES];
    vg_host_list_queues(host, queues);
    for (size_t i = 0; i < VG_ALL_QUEUES; i++)
        vg_queue_close(queues[i]);
}

void vg_hosts_stop(void)
{
    for (size_t i = 0; i < n_hosts; i++)
        close_queues(&hosts[i]);
    /* A monitor that registers for events is let finish: libvirtd 9.0.0 crashes now and
     * then when a client goes in the middle of it. */
    vg_timers_close(vg_now_ns() + MONITOR_GRACE);
    /* whatever still blocks is cut from here on */
    vg_virt_conn_cut_all();
    for (size_t i = 0; i < n_hosts; i++) {
        struct vg_queue *queues[VG_ALL_QUEUES];
        vg_host_list_queues(&hosts[i], queues);
        for (size_t k = 0; k < VG_ALL_QUEUES; k++)
            vg_queue_stop(queues[k]);
    }
    vg_timers_stop();
    for (size_t i = 0; i < n_hosts; i++)
        vg_monitor_end(&hosts[i]);
}

static void free_host(struct vg_host *host)
{
    vg_host_free_spares(host);
    vg_virt_conn_free(host->virt_conn);
    vg_check_free(host->check);
    vg_history_free(host->history);
    vg_answer_cache_free(host->cache);
    vg_documents_free(host->documents);
    vg_leases_free(host->leases);
    vg_failures_free(host->object_failures);
    vg_error_clear(&host->error);
    vg_host_facts_unref(host->facts);
    free(host->name);
    free(host->uri);
    free(host->shown_uri);
    free(host->admin_uri);
}

void vg_hosts_free(void)
{
    for (size_t i = 0; i < n_hosts; i++)
        free_host(&hosts[i]);
    vg_host_names_clear();
    free(hosts);
    hosts = NULL;
    n_hosts = 0;
    vg_redact_forget();
}
