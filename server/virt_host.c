/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Hosts: the registry, running a request on a host's connection, and its status. The
 * thread that keeps a host connected is in virt_keeper.c.
 */
#include "server/virt_host.h"

#include "server/local_path.h"
#include "server/precondition.h"
#include "server/redact.h"
#include "server/request.h"
#include "server/virt_check.h"
#include "server/virt_explain.h"
#include "server/virt_internal.h"
#include "server/virt_marks.h"
#include "server/virt_recall.h"
#include "virtgate/cleanup.h"
#include "virtgate/log.h"

#include <libvirt/virterror.h>
#include <string.h>
#include <xxhash.h>

#define LANE_THREADS 1
/* Long work that waits for one of the lane's threads. */
#define LONG_WAITING 64
/* Until it begins, long work is a call like others, and cut like them. */
#define BEGIN_LIMIT (30 * VG_SECOND_NS)

static struct vg_host *hosts;
static size_t n_hosts;

/* ---- running a request ------------------------------------------------------------- */

static bool is_refused(const struct vg_error *why)
{
    return vg_error_is_virt(why, VIR_ERR_AUTH_FAILED) ||
           vg_error_is_virt(why, VIR_ERR_AUTH_CANCELLED) ||
           vg_error_is_virt(why, VIR_ERR_AUTH_UNAVAILABLE) ||
           vg_error_is_virt(why, VIR_ERR_ACCESS_DENIED);
}

void vg_host_error_unreachable(struct vg_error *e, const char *name,
                               const struct vg_error *why)
{
    /* keep libvirt's own error: it says what is wrong */
    if (why->status)
        vg_error_copy(e, why);
    vg_autofree char *reason = why->detail ? strdup(why->detail) : NULL;
    json_t *virt = json_incref(e->virt);
    vg_error_set(e, VG_E_HOST_UNREACHABLE, "Host '%s' cannot be reached: %s", name,
                 reason ? reason : "not connected yet");
    e->virt = virt;
    e->retryable = !is_refused(why); /* the same credentials do no better */
    e->retry_after = e->retryable ? 1 : 0;
}

/* Makes sure of a usable connection of the present epoch. */
int vg_host_prepare_lease(struct vg_host *host, struct vg_lease *lease,
                          struct vg_error *reterr)
{
    unsigned int epoch;
    {
        VG_LOCK(&host->lock);
        epoch = host->epoch;
        if (vg_lease_usable(lease) && lease->epoch == epoch)
            return 0;
        if (host->state == VG_HOST_UP && host->lease->in_process) {
            if (host->lease->conn)
                vg_lease_share(lease, host->lease->conn);
            lease->epoch = epoch;
            return 0;
        }
    }
    if (vg_lease_open(lease, host->uri, host->read_only, host->name, reterr) < 0)
        return -1;
    lease->epoch = epoch;
    return 0;
}

struct vg_patience vg_patience_begin(struct vg_request *rq, bool nowait)
{
    struct vg_patience patience = {0};
    int64_t now = vg_now_ns();

    if (!nowait || rq->again || !rq->lease || rq->call_until_ns <= now)
        return patience;
    patience.rq = rq;
    patience.cut_at_ns = atomic_load(&rq->lease->cut_at_ns);
    atomic_store(&rq->lease->cut_at_ns, now + (rq->call_until_ns - now) / 3);
    return patience;
}

void vg_patience_end(struct vg_patience *patience)
{
    if (patience->rq)
        atomic_store(&patience->rq->lease->cut_at_ns, patience->cut_at_ns);
}

/* A read whose connection broke is asked once more on a new one, one that relied on what
 * proved wrong without that; a change never is. */
static bool may_retry(const struct vg_request *rq, const struct vg_reply *reply)
{
    return (reply->transport_failed || vg_recall_failed(rq)) &&
           vg_route_is_read(rq->route) && vg_now_ns() < rq->call_until_ns;
}

static struct vg_reply run_once(struct vg_host *host, struct vg_lease *lease,
                                struct vg_request *rq)
{
    if (rq->operation)
        atomic_store(&lease->cut_at_ns, vg_now_ns() + BEGIN_LIMIT);
    if (vg_host_prepare_lease(host, lease, &rq->error) < 0) {
        struct vg_error why = rq->error;
        rq->error = (struct vg_error){0};
        vg_keeper_note_failure(host, &why);
        if (!rq->watched) /* what is known of an operation is known without its host */
            vg_host_error_unreachable(&rq->error, host->name, &why);
        vg_error_clear(&why);
        if (rq->watched && vg_precondition_check(rq) == 0)
            return rq->route->handler(rq);
        struct vg_reply reply = vg_fail(rq);
        reply.unasked = true;
        return reply;
    }
    rq->lease = lease;
    struct vg_reply reply = vg_request_parse_body(rq) < 0 || vg_precondition_check(rq) < 0
                                ? vg_fail(rq)
                                : rq->route->handler(rq);
    if (reply.status >= 400)
        reply = vg_explain(rq, reply);
    rq->lease = NULL;
    bool cut = atomic_load(&lease->cut);
    if (cut)
        vg_keeper_suspect(host);
    else if (reply.transport_failed)
        vg_keeper_note_failure(host, &rq->error);
    if (cut || reply.transport_failed)
        vg_lease_close(lease);
    return reply;
}

static uint64_t target_hash(const struct vg_request *rq)
{
    return XXH3_64bits(rq->target, strlen(rq->target));
}

static atomic_uint_fast64_t *moved_slot(struct vg_host *host, const struct vg_request *rq)
{
    return &host->moved[target_hash(rq) % VG_MOVED_TARGETS];
}

static struct vg_reply run_request(void *data, struct vg_lease *lease,
                                   struct vg_request *rq)
{
    struct vg_host *host = data;
    uint64_t revision = vg_event_head();
    bool read = vg_route_is_read(rq->route);
    if (read)
        rq->reading = vg_inventory_begin(host->inventory);
    else
        vg_inventory_begin_change(host->inventory, rq->route->flags & VG_LONG);
    struct vg_reply reply = run_once(host, lease, rq);

    if (may_retry(rq, &reply)) {
        vg_reply_clear(&reply);
        vg_error_clear(&rq->error);
        rq->fresh = rq->again = true;
        reply = run_once(host, lease, rq);
    }
    if (reply.moves) {
        atomic_store(moved_slot(host, rq), target_hash(rq));
        return reply;
    }
    vg_reply_prepare(&reply);
    if (!(rq->route->flags & VG_WATCH)) /* an operation is the gateway's own */
        reply.source = reply.status == 200 ? VG_SOURCE_LIBVIRT : VG_SOURCE_NONE;
    reply.revision = revision;
    reply.has_revision = reply.status >= 200 && reply.status < 400; /* not of a 101 */
    /* both before anybody hears of the answer */
    if (read)
        vg_inventory_keep(host->inventory, rq, &rq->reading, &reply);
    else
        vg_inventory_end_change(host->inventory, rq->route->flags & VG_LONG);
    return reply;
}

bool vg_host_remember(const struct vg_request *rq, struct vg_reply *ret)
{
    if (!vg_request_is_shared(rq) || rq->fresh)
        return false;
    /* first: what is valid after this reflects all events up to it */
    uint64_t revision = vg_event_head();
    if (!vg_inventory_find(rq->host->inventory, rq, ret))
        return false;
    ret->revision = revision;
    return true;
}

void vg_host_submit(struct vg_host *host, struct vg_request *rq)
{
    struct vg_error e = {0};
    {
        VG_LOCK(&host->lock);
        if (host->state == VG_HOST_DOWN)
            vg_host_error_unreachable(&e, host->name, &host->error);
    }
    if (e.status) {
        vg_request_answer(rq, vg_reply_problem(rq, &e));
        vg_error_clear(&e);
        vg_request_unref(rq);
        return;
    }
    unsigned int flags = rq->route->flags;
    if (flags & VG_LANE)
        rq->moved = atomic_load(moved_slot(host, rq)) == target_hash(rq);
    rq->marks_from = vg_marks_now(host->marks);
    vg_lane_submit(flags & VG_LONG   ? &host->longs
                   : rq->moved       ? &host->scans
                   : flags & VG_LANE ? &host->reads
                                     : &host->calls,
                   rq);
}

bool vg_host_may_be_up(struct vg_host *host)
{
    VG_LOCK(&host->lock);
    return host->state != VG_HOST_DOWN;
}

void vg_hosts_watch(int64_t now_ns)
{
    for (size_t i = 0; i < n_hosts; i++) {
        vg_lane_expire(&hosts[i].calls, now_ns);
        vg_lane_expire(&hosts[i].reads, now_ns);
        vg_lane_expire(&hosts[i].scans, now_ns);
        vg_check_watch(hosts[i].check, now_ns);
        vg_lane_expire(&hosts[i].longs, now_ns);
    }
    vg_lease_cut_due(now_ns);
}

/* ---- status ------------------------------------------------------------------------ */

static void get_status(struct vg_host *host, struct vg_host_status *ret)
{
    unsigned int threads;
    *ret = (struct vg_host_status){
        .name = host->name, .uri = host->shown_uri, .read_only = host->read_only};
    ret->pool_size = host->calls.max_threads;
    ret->queue_size = host->calls.max_waiting;
    ret->events = atomic_load_explicit(&host->events, memory_order_relaxed);
    vg_lane_count(&host->calls, &ret->in_use, &ret->waiting, &threads);
    ret->idle = threads > ret->in_use ? threads - ret->in_use : 0;

    VG_LOCK(&host->lock);
    ret->state = host->state;
    ret->alive = host->state == VG_HOST_UP && !host->lost;
    vg_error_copy(&ret->error, &host->error);
    ret->reason = host->state == VG_HOST_DOWN ? host->reason : NULL;
    ret->facts = vg_host_facts_ref(host->facts);
}

const char *vg_host_state_name(enum vg_host_state state)
{
    return state == VG_HOST_UP ? "up" : state == VG_HOST_DOWN ? "down" : "connecting";
}

struct vg_host_facts *vg_host_facts(struct vg_request *rq)
{
    struct vg_host *host = rq->host;
    VG_LOCK(&host->lock);
    if (host->state == VG_HOST_UP)
        return vg_host_facts_ref(host->facts);
    vg_host_error_unreachable(&rq->error, host->name, &host->error);
    return NULL;
}

void vg_host_status(const struct vg_request *rq, struct vg_host_status *ret)
{
    get_status(rq->host, ret);
}

bool vg_host_status_at(size_t index, struct vg_host_status *ret)
{
    if (index >= n_hosts) {
        *ret = (struct vg_host_status){0};
        return false;
    }
    get_status(&hosts[index], ret);
    return true;
}

bool vg_host_status_of(const char *name, struct vg_host_status *ret)
{
    struct vg_host *host = vg_host_find(name);
    return vg_host_status_at(host ? (size_t)(host - hosts) : n_hosts, ret);
}

void vg_host_status_clear(struct vg_host_status *status)
{
    vg_error_clear(&status->error);
    vg_host_facts_unref(status->facts);
    status->facts = NULL;
}

json_t *vg_host_problem(const struct vg_host_status *status)
{
    struct vg_error e = {0};

    vg_host_error_unreachable(&e, status->name, &status->error);
    json_t *problem = vg_error_to_json(&e);
    vg_error_clear(&e);
    return problem;
}

void vg_host_set_unreachable(struct vg_request *rq, const struct vg_host_status *status)
{
    vg_host_error_unreachable(&rq->error, status->name, &status->error);
}

virConnectPtr vg_conn(const struct vg_request *rq)
{
    return rq->lease ? rq->lease->conn : NULL;
}

int vg_host_file_check(struct vg_request *rq, const char *key, const char *path)
{
    if (path[0] == '/')
        return rq->lease->in_process || rq->lease->embedded
                   ? vg_local_path_check(key, path, &rq->error)
                   : 0;
    vg_error_set(&rq->error, VG_E_INVALID_VALUE,
                 "'%s' is '%.200s'; an absolute path on the host is accepted", key, path);
    return -1;
}

bool vg_conn_in_process(const struct vg_request *rq)
{
    return rq->lease && rq->lease->in_process;
}

const char *vg_host_name(const struct vg_request *rq)
{
    return rq->host ? rq->host->name : NULL;
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

void vg_host_count_event(struct vg_host *host)
{
    atomic_fetch_add_explicit(&host->events, 1, memory_order_relaxed);
}

static int init_host(struct vg_host *host, const struct vg_host_config *from,
                     const struct vg_config *config)
{
    vg_cond_init(&host->wake);
    pthread_mutex_init(&host->lock, NULL);

    host->name = strdup(from->name);
    host->uri = from->uri ? strdup(from->uri) : NULL;
    host->shown_uri = vg_redact(from->uri);
    host->read_only = config->read_only;
    host->lease = vg_lease_new();
    host->inventory = vg_inventory_new();
    host->check = vg_check_new(host);
    host->marks = vg_marks_new(host);
    vg_lane_init(&host->calls, (unsigned int)config->pool_size,
                 (unsigned int)config->queue_size);
    vg_lane_init(&host->reads, LANE_THREADS, (unsigned int)config->queue_size);
    vg_lane_init(&host->scans, LANE_THREADS, (unsigned int)config->queue_size);
    vg_lane_init(&host->longs, (unsigned int)config->operations, LONG_WAITING);
    host->reads.wider = &host->scans;
    host->calls.run = host->reads.run = host->scans.run = host->longs.run = run_request;
    host->calls.data = host->reads.data = host->scans.data = host->longs.data = host;
    return host->name && host->lease && host->inventory && host->check && host->marks
               ? 0
               : -1;
}

int vg_hosts_start(const struct vg_config *config)
{
    hosts = calloc(config->hosts.n, sizeof(*hosts));
    if (!hosts)
        return -1;
    for (size_t i = 0; i < config->hosts.n; i++) {
        if (init_host(&hosts[i], &config->hosts.v[i], config) < 0)
            return -1;
        n_hosts++;
    }
    for (size_t i = 0; i < n_hosts; i++) {
        if (pthread_create(&hosts[i].keeper, NULL, vg_keeper_main, &hosts[i]) != 0) {
            vg_log(VG_LOG_ERROR, "host", "cannot start a thread");
            return -1;
        }
    }
    vg_keeper_await_first(hosts, n_hosts);
    return 0;
}

/* Before anything is waited for: what cannot be cut holds up nobody's answer. */
static void close_lanes(struct vg_host *host)
{
    vg_lane_close(&host->calls);
    vg_lane_close(&host->reads);
    vg_lane_close(&host->scans);
    vg_lane_close(&host->longs);
}

void vg_hosts_stop(void)
{
    for (size_t i = 0; i < n_hosts; i++)
        close_lanes(&hosts[i]);
    for (size_t i = 0; i < n_hosts; i++) {
        VG_LOCK(&hosts[i].lock);
        hosts[i].stopping = true;
        pthread_cond_broadcast(&hosts[i].wake);
    }
    /* whatever still blocks is cut from here on */
    vg_lease_cut_all();
    for (size_t i = 0; i < n_hosts; i++) {
        vg_lane_stop(&hosts[i].calls);
        vg_lane_stop(&hosts[i].reads);
        vg_lane_stop(&hosts[i].scans);
        vg_lane_stop(&hosts[i].longs);
        pthread_join(hosts[i].keeper, NULL);
    }
}

static void free_host(struct vg_host *host)
{
    vg_lease_free(host->lease);
    vg_check_free(host->check);
    vg_marks_free(host->marks);
    vg_inventory_free(host->inventory);
    vg_error_clear(&host->error);
    vg_host_facts_unref(host->facts);
    free(host->name);
    free(host->uri);
    free(host->shown_uri);
}

void vg_hosts_free(void)
{
    for (size_t i = 0; i < n_hosts; i++)
        free_host(&hosts[i]);
    free(hosts);
    hosts = NULL;
    n_hosts = 0;
}
