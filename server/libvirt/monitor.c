/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Host monitors. Only they open, probe and close a host's event connection, since those
 * calls block on a hung daemon. A monitor is a timer (core/timer.h): it has a thread only
 * while it makes such calls.
 */
#include "server/base/redact.h"
#include "server/core/request.h"
#include "server/libvirt/event_draft.h"
#include "server/libvirt/internal.h"
#include "virtgate/cleanup.h"
#include "server/base/log.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <time.h>

#define PROBE_SECONDS 15
#define PROBE_LIMIT   (3 * VG_SECOND_NS)
#define OPEN_LIMIT    (5 * VG_SECOND_NS)
/* A libvirtd that was just started tells QEMU's version when it has tried QEMU out. */
#define VERSION_LIMIT  (40 * VG_SECOND_NS)
#define BACKOFF_FIRST  (VG_SECOND_NS / 4)
#define BACKOFF_LAST   (VG_SECOND_NS * 3 / 2)
#define START_PATIENCE (VG_SECOND_NS / 4)

static pthread_mutex_t tried_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t tried_wake;

/* ---- the host monitor -------------------------------------------------------------- */

/* Runs on the event loop's thread. */
static void note_closed(virConnectPtr conn, int reason, void *data)
{
    struct vg_host *host = data;
    const struct vg_enum_value *name =
        vg_enum_find(&vg_enum_virConnectCloseReason, reason);
    (void)conn;
    vg_log(VG_LOG_WARNING, "host", "%s: connection closed: %s", host->name,
           name ? name->name : "?");
    {
        VG_LOCK(&host->lock);
        host->lost = true;
        vg_answer_cache_enable(host->cache, 0);
        pthread_cond_broadcast(&host->wake);
        vg_timer_hurry(&host->monitor);
    }
    vg_event_connection(host, "closed", name ? name->name : NULL);
}

static void set_version(struct vg_version *version, unsigned long number)
{
    version->number = number;
    snprintf(version->text, sizeof(version->text), "%lu.%lu.%lu",
             number / 1000000 % 1000000, number / 1000 % 1000, number % 1000);
}

static int read_versions(virConnectPtr conn, struct vg_host_facts *facts,
                         _Atomic int64_t *cut_at_ns)
{
    unsigned long client = 0, lib = 0, hv = 0;

    if (virGetVersion(&client, NULL, NULL) < 0 || virConnectGetLibVersion(conn, &lib) < 0)
        return -1;
    atomic_store(cut_at_ns, vg_now_ns() + VERSION_LIMIT);
    if (virConnectGetVersion(conn, &hv) < 0)
        hv = 0;
    set_version(&facts->client, client);
    set_version(&facts->libvirt, lib);
    set_version(&facts->hypervisor, hv);
    return 0;
}

/* The first call that fails is the last: the error is its own. */
static int ask_facts(virConnectPtr conn, struct vg_host_facts *facts,
                     _Atomic int64_t *cut_at_ns)
{
    vg_autofree char *uri = virConnectGetURI(conn);
    const char *type = uri ? virConnectGetType(conn) : NULL;
    int encrypted = type ? virConnectIsEncrypted(conn) : -1;
    int secure = encrypted >= 0 ? virConnectIsSecure(conn) : -1;

    if (secure < 0)
        return -1;
    facts->uri = vg_redact(uri);
    facts->type = strdup(type);
    facts->encrypted = encrypted > 0;
    facts->secure = secure > 0;
    facts->hostname = virConnectGetHostname(conn); /* or not known */
    if (read_versions(conn, facts, cut_at_ns) < 0)
        return -1;
    return facts->uri && facts->type && virConnectIsAlive(conn) == 1 ? 0 : -1;
}

/* NULL: libvirt's error, or the connection broke meanwhile. */
static struct vg_host_facts *read_facts(virConnectPtr conn, _Atomic int64_t *cut_at_ns)
{
    struct vg_host_facts *facts = calloc(1, sizeof(*facts));

    if (!facts)
        return NULL;
    atomic_init(&facts->refs, 1);
    if (ask_facts(conn, facts, cut_at_ns) == 0)
        return facts;
    vg_host_facts_unref(facts);
    return NULL;
}

/* The same facts with another version of the hypervisor: it was upgraded. */
static void update_version(struct vg_host *host, unsigned long hv_version)
{
    struct vg_host_facts *old = host->facts, *new;

    if (!hv_version || old->hypervisor.number == hv_version ||
        !(new = calloc(1, sizeof(*new))))
        return;
    new->uri = strdup(old->uri);
    new->type = strdup(old->type);
    new->hostname = old->hostname ? strdup(old->hostname) : NULL;
    new->encrypted = old->encrypted;
    new->secure = old->secure;
    new->client = old->client;
    new->libvirt = old->libvirt;
    set_version(&new->hypervisor, hv_version);
    atomic_init(&new->refs, 1);
    host->facts = new;
    vg_host_facts_unref(old);
}

/* From then on events arrive, and answers may be kept in memory. */
static void set_up(struct vg_host *host, struct vg_host_facts *facts,
                   const struct vg_event_handles *events, int64_t open_ns)
{
    VG_LOCK(&host->lock);
    host->open_ns = open_ns;
    vg_host_facts_unref(host->facts);
    host->facts = facts;
    host->registered = *events;
    host->epoch++;
    host->failures = 0;
    vg_error_clear(&host->error);
    vg_host_set_state(host, VG_HOST_UP);
    if (host->lost) /* meanwhile */
        vg_answer_cache_enable(host->cache, 0);
}

static bool is_lost(struct vg_host *host)
{
    VG_LOCK(&host->lock);
    return host->lost;
}

static bool is_suspect(struct vg_host *host)
{
    VG_LOCK(&host->lock);
    return host->suspect;
}

static void note_new_attempt(struct vg_host *host)
{
    VG_LOCK(&host->lock);
    host->lost = host->suspect = false;
}

/* Opens the event connection and learns the host's facts. -1: *reterr, and whether the
 * host let the time pass without an answer. */
static int connect_host(struct vg_host *host, struct vg_error *reterr, bool *ret_silent)
{
    struct vg_virt_conn *virt_conn = host->virt_conn;
    struct vg_host_facts *facts = NULL;
    struct vg_event_handles events = {0};

    note_new_attempt(host);
    int64_t begun = vg_now_ns();
    atomic_store(&virt_conn->cut_at_ns, begun + OPEN_LIMIT);
    int rc = vg_virt_conn_open(virt_conn, host->uri, host->read_only, host->name, reterr);
    int64_t open_ns = vg_now_ns() - begun;
    if (rc == 0 && !(facts = read_facts(virt_conn->conn, &virt_conn->cut_at_ns))) {
        if (virGetLastErrorCode() == VIR_ERR_OK) /* virConnectIsAlive() sets none */
            vg_error_set(reterr, VG_E_HOST_UNREACHABLE,
                         "The connection broke while it was made");
        else
            vg_error_set_virt(reterr);
        rc = -1;
    }
    *ret_silent = atomic_load(&virt_conn->cut);
    if (rc < 0)
        vg_virt_conn_close(virt_conn);
    if (rc == 0 && !virt_conn->in_process)
        virConnectRegisterCloseCallback(virt_conn->conn, note_closed, host, NULL);
    atomic_store(&virt_conn->cut_at_ns, vg_now_ns() + OPEN_LIMIT);
    if (rc == 0)
        vg_events_register(host, virt_conn->conn, &events);
    atomic_store(&virt_conn->cut_at_ns, 0);
    if (rc < 0)
        return -1;

    bool again = host->epoch > 0;
    set_up(host, facts, &events, open_ns);
    vg_event_connection(host, again ? VG_EVENT_RESET : "opened",
                        again ? "the host was connected again" : NULL);
    return 0;
}

/* The socket goes first, so that no call to deregister or to close is under way when it
 * does: libvirtd 9.0.0 then frees the client's callbacks on two threads, and crashes. */
static void disconnect_host(struct vg_host *host)
{
    struct vg_virt_conn *virt_conn = host->virt_conn;

    if (!is_lost(host))
        vg_event_connection(host, "closed", "probe");
    atomic_store(&virt_conn->cut_at_ns, vg_now_ns() + PROBE_LIMIT);
    vg_virt_conn_cut(virt_conn);
    if (virt_conn->conn)
        vg_events_deregister(virt_conn->conn, &host->registered);
    if (virt_conn->conn && !virt_conn->in_process)
        virConnectUnregisterCloseCallback(virt_conn->conn, note_closed);
    vg_virt_conn_close(virt_conn);
    atomic_store(&virt_conn->cut_at_ns, 0);
}

/* A sign of life: what libvirtd answers without waiting for anything. */
static bool probe_host(struct vg_host *host)
{
    struct vg_virt_conn *virt_conn = host->virt_conn;
    unsigned long lib = 0;

    atomic_store(&virt_conn->cut_at_ns, vg_now_ns() + PROBE_LIMIT);
    bool alive = vg_virt_conn_usable(virt_conn) &&
                 virConnectGetLibVersion(virt_conn->conn, &lib) == 0 &&
                 vg_virt_conn_usable(virt_conn);
    atomic_store(&virt_conn->cut_at_ns, 0);

    VG_LOCK(&host->lock);
    host->suspect = !alive; /* until it is declared to be down */
    if (alive) {
        host->failures = 0;
        vg_host_set_state(host, VG_HOST_UP);
    }
    pthread_cond_broadcast(&host->wake);
    return alive;
}

/* Whether the hypervisor was upgraded. A libvirtd that tries QEMU out answers late. */
static void probe_version(struct vg_host *host)
{
    struct vg_virt_conn *virt_conn = host->virt_conn;
    unsigned long hv = 0;

    atomic_store(&virt_conn->cut_at_ns, vg_now_ns() + VERSION_LIMIT);
    int rc = virConnectGetVersion(virt_conn->conn, &hv);
    atomic_store(&virt_conn->cut_at_ns, 0);
    VG_LOCK(&host->lock);
    if (rc == 0)
        update_version(host, hv);
}

static void note_tried(struct vg_host *host)
{
    VG_LOCK(&tried_lock);
    host->tried = true;
    pthread_cond_broadcast(&tried_wake);
}

static void mark_down(struct vg_host *host, const struct vg_error *error, bool silent)
{
    VG_LOCK(&host->lock);
    host->suspect = false;
    host->failures++;
    vg_host_set_down(host, error, silent);
}

static void mark_connecting(struct vg_host *host)
{
    VG_LOCK(&host->lock);
    if (host->state == VG_HOST_UP)
        vg_host_set_state(host, VG_HOST_CONNECTING);
}

/* The host is down, and is asked nothing until a new connection is there: each call would
 * wait for its deadline. */
static void mark_silent(struct vg_host *host)
{
    struct vg_error error = {0};

    vg_error_set(&error, VG_E_HOST_UNREACHABLE, "libvirt does not answer");
    mark_down(host, &error, true);
    vg_error_clear(&error);
}

static bool is_full(struct vg_host *host)
{
    VG_LOCK(&host->lock);
    return host->full;
}

/* Tries whether a host that was full takes connections again. Without requests nobody
 * else tries, and /health/ready shows it. */
static void probe_room(struct vg_host *host)
{
    struct vg_error why = {0};
    struct vg_virt_conn *virt_conn = vg_virt_conn_new();

    if (!virt_conn)
        return;
    atomic_store(&virt_conn->cut_at_ns, vg_now_ns() + vg_host_open_limit(host));
    if (vg_virt_conn_open(virt_conn, host->uri, host->read_only, host->name, &why) == 0)
        vg_host_set_full(host, false);
    vg_error_clear(&why);
    vg_virt_conn_free(virt_conn);
}

/* Looks at an open connection. False: it is lost. */
static bool keep_connection(struct vg_host *host)
{
    bool hurry = is_suspect(host);

    if (!is_lost(host) && probe_host(host)) {
        if (is_full(host))
            probe_room(host);
        else if (!hurry)
            probe_version(host);
        return true;
    }
    if (atomic_load(&host->virt_conn->cut)) /* by the watchdog, while it was asked */
        mark_silent(host);
    else
        mark_connecting(host);
    return false;
}

/* That time from now, or up to a quarter earlier, so that hosts which came up or went
 * down together are not all asked at once. */
static int64_t about(int64_t ns)
{
    int64_t now = vg_now_ns();
    return now + ns - ns / 4 * (now / 1000 % 100) / 100;
}

static int64_t next_look(struct vg_host *host)
{
    return is_full(host) ? vg_now_ns() + VG_FULL_RETRY
                         : about(PROBE_SECONDS * VG_SECOND_NS);
}

static int64_t next_attempt(struct vg_host *host)
{
    int64_t backoff = host->backoff_ns ? host->backoff_ns : BACKOFF_FIRST;

    host->backoff_ns = backoff * 2 < BACKOFF_LAST ? backoff * 2 : BACKOFF_LAST;
    return about(backoff);
}

/* The timer's function: probes the connection, or opens one. */
static int64_t look(void *data)
{
    struct vg_host *host = data;
    struct vg_error error = {0};
    bool silent;

    if (host->connected) {
        if (keep_connection(host))
            return next_look(host);
        disconnect_host(host);
        host->connected = false;
    }
    host->connected = connect_host(host, &error, &silent) == 0;
    if (host->connected)
        host->backoff_ns = 0;
    else
        mark_down(host, &error, silent);
    note_tried(host);
    vg_error_clear(&error);
    return host->connected ? next_look(host) : next_attempt(host);
}

int vg_monitor_start(struct vg_host *host)
{
    host->monitor = (struct vg_timer){.run = look, .data = host};
    return vg_timer_start(&host->monitor);
}

void vg_monitor_end(struct vg_host *host)
{
    if (host->connected)
        disconnect_host(host);
    host->connected = false;
}

void vg_monitor_init(void)
{
    vg_cond_init(&tried_wake);
}

void vg_monitor_await_first(struct vg_host *hosts, size_t n)
{
    const struct timespec until = vg_from_now(START_PATIENCE);
    VG_LOCK(&tried_lock);
    int rc = 0;
    for (size_t i = 0; i < n; i++)
        while (!hosts[i].tried && rc != ETIMEDOUT)
            rc = pthread_cond_timedwait(&tried_wake, &tried_lock, &until);
}
