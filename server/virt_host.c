/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Hosts and their keepers. A keeper is the only thread that opens, probes and closes its
 * host's event connection; those calls block on a hung daemon, so nothing else ever makes
 * them.
 */
#include "server/virt_host.h"

#include "server/precondition.h"
#include "server/request.h"
#include "server/virt_conn.h"
#include "server/worker.h"
#include "virtgate/autoptr.h"
#include "virtgate/log.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <time.h>

#define SECOND_NS        ((int64_t)1000000000)
#define PROBE_SECONDS    15
#define PROBE_LIMIT      (3 * SECOND_NS)
#define OPEN_LIMIT       (5 * SECOND_NS)
#define BACKOFF_FIRST    (SECOND_NS / 4)
#define BACKOFF_LAST     (SECOND_NS * 3 / 2)
#define FAILURES_TO_OPEN 2 /* transport failures in a row, until the breaker opens */
#define START_PATIENCE   (SECOND_NS / 4)
#define LANE_THREADS     1

struct vg_host {
    char *name;
    char *uri; /* NULL: libvirt's own choice */
    char *shown_uri;
    bool read_only;
    struct vg_lane calls; /* pool-size workers */
    struct vg_lane reads; /* one worker, for reads that cannot block */
    pthread_t keeper;

    pthread_mutex_t lock;
    pthread_cond_t wake;
    enum vg_host_state state;
    bool tried, lost, suspect, stopping;
    unsigned int failures; /* in a row */
    unsigned int epoch;    /* of the event connection */
    struct vg_error error; /* why it is down */
    struct vg_host_facts facts;
    struct vg_lease *lease; /* the event connection; the keeper's alone but for sharing */
};

static struct vg_host *hosts;
static size_t n_hosts;
static pthread_mutex_t tried_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t tried_wake = PTHREAD_COND_INITIALIZER;

/* ---- small things
 * ------------------------------------------------------------------------- */

/* A copy without the password of its userinfo and without its query, which may hold more.
 */
static char *redact_uri(const char *uri)
{
    if (!uri)
        return NULL;
    char *copy = strdup(uri);
    if (!copy)
        return NULL;
    char *authority = strstr(copy, "://");
    char *at = authority ? strchr(authority + 3, '@') : NULL;
    char *slash = authority ? strchr(authority + 3, '/') : NULL;
    char *colon = at && (!slash || at < slash) ? strchr(authority + 3, ':') : NULL;
    if (colon && colon < at)
        memmove(colon, at, strlen(at) + 1);
    return copy;
}

static void clear_facts(struct vg_host_facts *facts)
{
    free(facts->uri);
    free(facts->hostname);
    free(facts->type);
    *facts = (struct vg_host_facts){0};
}

static void copy_error(struct vg_error *to, const struct vg_error *from)
{
    vg_error_clear(to);
    *to = *from;
    to->detail = from->detail ? strdup(from->detail) : NULL;
    json_incref(to->virt);
}

static void until(struct timespec *ts, int64_t ns_from_now)
{
    int64_t at = vg_now_ns() + ns_from_now;
    ts->tv_sec = at / SECOND_NS;
    ts->tv_nsec = at % SECOND_NS;
}

static const char *state_name(enum vg_host_state state)
{
    return state == VG_HOST_UP ? "up" : state == VG_HOST_DOWN ? "down" : "connecting";
}

/* Lock held. */
static void set_state(struct vg_host *host, enum vg_host_state state)
{
    if (host->state == state)
        return;
    host->state = state;
    struct vg_log_field fields[] = {
        VG_LOG_TEXT("host", host->name),
        VG_LOG_TEXT("state", state_name(state)),
        VG_LOG_TEXT("error", state == VG_HOST_DOWN ? host->error.detail : NULL),
    };
    vg_log_fields(state == VG_HOST_DOWN ? VG_LOG_WARNING : VG_LOG_INFO, "host",
                  "host state", fields, 3);
}

/* ---- the keeper
 * --------------------------------------------------------------------------- */

/* Runs on the event loop's thread: only takes a note. */
static void note_closed(virConnectPtr conn, int reason, void *data)
{
    struct vg_host *host = data;
    (void)conn;
    vg_log(VG_LOG_WARNING, "host", "%s: connection closed, reason %d", host->name,
           reason);
    VG_LOCK(&host->lock);
    host->lost = true;
    pthread_cond_broadcast(&host->wake);
}

static int read_facts(virConnectPtr conn, struct vg_host_facts *ret)
{
    vg_autofree char *uri = virConnectGetURI(conn);
    const char *type = virConnectGetType(conn);
    int encrypted = virConnectIsEncrypted(conn), secure = virConnectIsSecure(conn);

    if (!uri || !type || encrypted < 0 || secure < 0 ||
        virConnectGetLibVersion(conn, &ret->lib_version) < 0)
        return -1;
    ret->uri = redact_uri(uri);
    ret->type = strdup(type);
    ret->encrypted = encrypted > 0;
    ret->secure = secure > 0;
    ret->hostname = virConnectGetHostname(conn);
    if (virConnectGetVersion(conn, &ret->hv_version) < 0)
        ret->hv_version = 0;
    return ret->uri && ret->type && virConnectIsAlive(conn) == 1 ? 0 : -1;
}

/* Opens the event connection and learns the host's facts. -1: *reterr. */
static int connect_host(struct vg_host *host, struct vg_error *reterr)
{
    struct vg_lease *lease = host->lease;
    struct vg_host_facts facts = {0};

    atomic_store(&lease->cut_at_ns, vg_now_ns() + OPEN_LIMIT);
    int rc = vg_lease_open(lease, host->uri, host->read_only, host->name, reterr);
    if (rc == 0 && read_facts(lease->conn, &facts) < 0) {
        vg_error_set_virt(reterr);
        vg_lease_close(lease, true);
        clear_facts(&facts);
        rc = -1;
    }
    if (rc == 0 && !lease->in_process)
        virConnectRegisterCloseCallback(lease->conn, note_closed, host, NULL);
    atomic_store(&lease->cut_at_ns, 0);
    if (rc < 0)
        return -1;

    VG_LOCK(&host->lock);
    clear_facts(&host->facts);
    host->facts = facts;
    host->epoch++;
    host->failures = 0;
    host->lost = host->suspect = false;
    vg_error_clear(&host->error);
    set_state(host, VG_HOST_UP);
    return 0;
}

static void disconnect_host(struct vg_host *host)
{
    struct vg_lease *lease = host->lease;
    bool broken = !vg_lease_usable(lease);

    atomic_store(&lease->cut_at_ns, vg_now_ns() + PROBE_LIMIT);
    if (broken)
        vg_lease_cut(lease);
    if (lease->conn && !lease->in_process)
        virConnectUnregisterCloseCallback(lease->conn, note_closed);
    vg_lease_close(lease, broken);
    atomic_store(&lease->cut_at_ns, 0);
}

/* Asks the host for a sign of life, and the hypervisor for its version. */
static bool probe_host(struct vg_host *host)
{
    struct vg_lease *lease = host->lease;
    unsigned long lib = 0, hv = 0;

    atomic_store(&lease->cut_at_ns, vg_now_ns() + PROBE_LIMIT);
    bool alive =
        vg_lease_usable(lease) && virConnectGetLibVersion(lease->conn, &lib) == 0;
    if (alive && virConnectGetVersion(lease->conn, &hv) < 0)
        hv = 0;
    alive = alive && vg_lease_usable(lease);
    atomic_store(&lease->cut_at_ns, 0);

    VG_LOCK(&host->lock);
    host->suspect = false;
    if (alive) {
        host->facts.hv_version = hv ? hv : host->facts.hv_version;
        host->failures = 0;
        set_state(host, VG_HOST_UP);
    }
    return alive;
}

/* Waits until something is to be done, or for `ns`. False: stop. */
static bool rest(struct vg_host *host, int64_t ns, bool wake_when_suspect)
{
    struct timespec ts;
    until(&ts, ns);
    VG_LOCK(&host->lock);
    int rc = 0;
    while (!host->stopping && rc != ETIMEDOUT &&
           !(wake_when_suspect && (host->lost || host->suspect)))
        rc = pthread_cond_timedwait(&host->wake, &host->lock, &ts);
    return !host->stopping;
}

static void note_tried(struct vg_host *host)
{
    VG_LOCK(&tried_lock);
    host->tried = true;
    pthread_cond_broadcast(&tried_wake);
}

static void mark_down(struct vg_host *host, const struct vg_error *error)
{
    VG_LOCK(&host->lock);
    copy_error(&host->error, error);
    host->failures++;
    set_state(host, VG_HOST_DOWN);
}

static void mark_connecting(struct vg_host *host)
{
    VG_LOCK(&host->lock);
    if (host->state == VG_HOST_UP)
        set_state(host, VG_HOST_CONNECTING);
}

/* Keeps an open connection until it is lost. False: stop. */
static bool keep_connection(struct vg_host *host)
{
    for (;;) {
        if (!rest(host, PROBE_SECONDS * SECOND_NS, true))
            return false;
        bool lost;
        {
            VG_LOCK(&host->lock);
            lost = host->lost;
        }
        if (lost || !probe_host(host))
            return true;
    }
}

static void *keeper_main(void *data)
{
    struct vg_host *host = data;
    int64_t backoff = BACKOFF_FIRST;
    bool go_on = true;

    while (go_on) {
        struct vg_error error = {0};
        if (connect_host(host, &error) == 0) {
            note_tried(host);
            backoff = BACKOFF_FIRST;
            go_on = keep_connection(host);
            mark_connecting(host);
            disconnect_host(host);
        } else {
            mark_down(host, &error);
            note_tried(host);
            /* jitter: hosts that died together are not asked together */
            go_on = rest(host, backoff - backoff / 4 * (vg_now_ns() / 1000 % 100) / 100,
                         false);
            backoff = backoff * 2 < BACKOFF_LAST ? backoff * 2 : BACKOFF_LAST;
        }
        vg_error_clear(&error);
    }
    return NULL;
}

/* ---- running a request
 * -------------------------------------------------------------------- */

static void set_unreachable(struct vg_error *e, const char *name,
                            const struct vg_error *why)
{
    /* keep libvirt's own error: it says what is wrong */
    if (why->status)
        copy_error(e, why);
    vg_autofree char *reason = why->detail ? strdup(why->detail) : NULL;
    json_t *virt = json_incref(e->virt);
    vg_error_set(e, VG_E_HOST_UNREACHABLE, "Host '%s' cannot be reached: %s", name,
                 reason ? reason : "not connected yet");
    e->virt = virt;
    e->retry_after = 1;
}

/* A transport failure seen by a worker: the keeper is to look. */
static void note_failure(struct vg_host *host, const struct vg_error *error)
{
    VG_LOCK(&host->lock);
    host->suspect = true;
    if (++host->failures >= FAILURES_TO_OPEN && host->state != VG_HOST_DOWN) {
        copy_error(&host->error, error);
        set_state(host, VG_HOST_DOWN);
    }
    pthread_cond_broadcast(&host->wake);
}

/* Makes sure of a usable connection of the present epoch. */
static int prepare_lease(struct vg_host *host, struct vg_lease *lease,
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

static bool may_retry(const struct vg_request *rq, const struct vg_reply *reply)
{
    return reply->transport_failed && (rq->route->flags & VG_READ) &&
           vg_now_ns() < rq->deadline_ns;
}

static struct vg_reply run_once(struct vg_host *host, struct vg_lease *lease,
                                struct vg_request *rq)
{
    if (prepare_lease(host, lease, &rq->error) < 0) {
        struct vg_error why = rq->error;
        rq->error = (struct vg_error){0};
        note_failure(host, &why);
        set_unreachable(&rq->error, host->name, &why);
        vg_error_clear(&why);
        return vg_fail(rq);
    }
    rq->lease = lease;
    struct vg_reply reply =
        vg_precondition_check(rq) < 0 ? vg_fail(rq) : rq->route->handler(rq);
    rq->lease = NULL;
    if (reply.transport_failed || atomic_load(&lease->cut)) {
        note_failure(host, &rq->error);
        vg_lease_close(lease, true);
    }
    return reply;
}

static struct vg_reply run_request(void *data, struct vg_lease *lease,
                                   struct vg_request *rq)
{
    struct vg_host *host = data;
    struct vg_reply reply = run_once(host, lease, rq);

    /* A read whose connection broke is asked once more on a new one; a change never is.
     */
    if (may_retry(rq, &reply)) {
        vg_reply_clear(&reply);
        vg_error_clear(&rq->error);
        reply = run_once(host, lease, rq);
    }
    return reply;
}

void vg_host_submit(struct vg_host *host, struct vg_request *rq)
{
    struct vg_error e = {0};
    {
        VG_LOCK(&host->lock);
        if (host->state == VG_HOST_DOWN)
            set_unreachable(&e, host->name, &host->error);
    }
    if (e.status) {
        vg_request_answer(rq, vg_reply_problem(rq, &e));
        vg_error_clear(&e);
        vg_request_unref(rq);
        return;
    }
    vg_lane_submit(rq->route->flags & VG_LANE ? &host->reads : &host->calls, rq);
}

void vg_hosts_watch(int64_t now_ns)
{
    for (size_t i = 0; i < n_hosts; i++) {
        vg_lane_expire(&hosts[i].calls, now_ns);
        vg_lane_expire(&hosts[i].reads, now_ns);
    }
    vg_lease_cut_due(now_ns);
}

/* ---- status
 * ------------------------------------------------------------------------------- */

static void get_status(struct vg_host *host, struct vg_host_status *ret)
{
    unsigned int threads;
    *ret = (struct vg_host_status){
        .name = host->name, .uri = host->shown_uri, .read_only = host->read_only};
    ret->pool_size = host->calls.max_threads;
    vg_lane_count(&host->calls, &ret->in_use, &ret->waiting, &threads);
    ret->idle = threads > ret->in_use ? threads - ret->in_use : 0;

    VG_LOCK(&host->lock);
    ret->state = host->state;
    ret->alive = host->state == VG_HOST_UP && !host->lost;
    copy_error(&ret->error, &host->error);
    if (host->facts.uri) {
        ret->facts = host->facts;
        ret->facts.uri = strdup(host->facts.uri);
        ret->facts.type = host->facts.type ? strdup(host->facts.type) : NULL;
        ret->facts.hostname = host->facts.hostname ? strdup(host->facts.hostname) : NULL;
    }
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
    clear_facts(&status->facts);
}

void vg_host_set_unreachable(struct vg_request *rq, const struct vg_host_status *status)
{
    set_unreachable(&rq->error, status->name, &status->error);
}

virConnectPtr vg_conn(const struct vg_request *rq)
{
    return rq->lease ? rq->lease->conn : NULL;
}

bool vg_conn_in_process(const struct vg_request *rq)
{
    return rq->lease && rq->lease->in_process;
}

const char *vg_host_name(const struct vg_request *rq)
{
    return rq->host ? rq->host->name : NULL;
}

/* ---- the registry
 * ------------------------------------------------------------------------- */

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

static int init_host(struct vg_host *host, const struct vg_host_config *from,
                     const struct vg_config *config)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&host->wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&host->lock, NULL);

    host->name = strdup(from->name);
    host->uri = from->uri ? strdup(from->uri) : NULL;
    host->shown_uri = redact_uri(from->uri);
    host->read_only = config->read_only;
    host->lease = vg_lease_new();
    vg_lane_init(&host->calls, (unsigned int)config->pool_size,
                 (unsigned int)config->queue_size);
    vg_lane_init(&host->reads, LANE_THREADS, (unsigned int)config->queue_size);
    host->calls.run = host->reads.run = run_request;
    host->calls.data = host->reads.data = host;
    return host->name && host->lease ? 0 : -1;
}

static void wait_for_first_tries(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    ts.tv_nsec += START_PATIENCE;
    ts.tv_sec += ts.tv_nsec / SECOND_NS;
    ts.tv_nsec %= SECOND_NS;
    VG_LOCK(&tried_lock);
    int rc = 0;
    for (size_t i = 0; i < n_hosts; i++)
        while (!hosts[i].tried && rc != ETIMEDOUT)
            rc = pthread_cond_timedwait(&tried_wake, &tried_lock, &ts);
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
        if (pthread_create(&hosts[i].keeper, NULL, keeper_main, &hosts[i]) != 0) {
            vg_log(VG_LOG_ERROR, "host", "cannot start a thread");
            return -1;
        }
    }
    wait_for_first_tries();
    return 0;
}

static bool any_work(void)
{
    unsigned int in_flight, waiting, threads;
    for (size_t i = 0; i < n_hosts; i++) {
        vg_lane_count(&hosts[i].calls, &in_flight, &waiting, &threads);
        if (in_flight || waiting)
            return true;
        vg_lane_count(&hosts[i].reads, &in_flight, &waiting, &threads);
        if (in_flight || waiting)
            return true;
    }
    return false;
}

static void free_host(struct vg_host *host)
{
    vg_lane_stop(&host->calls);
    vg_lane_stop(&host->reads);
    pthread_join(host->keeper, NULL);
    vg_lease_free(host->lease);
    vg_error_clear(&host->error);
    clear_facts(&host->facts);
    free(host->name);
    free(host->uri);
    free(host->shown_uri);
}

void vg_hosts_stop(unsigned int seconds)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    int64_t end = vg_now_ns() + seconds * SECOND_NS;

    while (any_work() && vg_now_ns() < end)
        nanosleep(&pause, NULL);
    for (size_t i = 0; i < n_hosts; i++) {
        VG_LOCK(&hosts[i].lock);
        hosts[i].stopping = true;
        pthread_cond_broadcast(&hosts[i].wake);
    }
    /* whatever still blocks is cut from here on */
    vg_lease_cut_all();
    for (size_t i = 0; i < n_hosts; i++)
        free_host(&hosts[i]);
    free(hosts);
    hosts = NULL;
    n_hosts = 0;
}
