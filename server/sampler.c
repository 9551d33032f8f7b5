/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See sampler.h. Each host has a timer (core/timer.h), so that a thread is there only
 * while a sample is taken, and a connection of its own: it holds up no client, and none
 * holds it up. It is cut like a client's, and closed while the host takes no more.
 *
 * Whoever else reads all statistics (/metrics, /domain-stats) feeds the history as well,
 * and spares it a sample: libvirt/domain/stats.c.
 */
#include "server/sampler.h"

#include "server/core/request.h"
#include "server/libvirt/domain/figures.h"
#include "server/libvirt/internal.h"
#include "virtgate/domain_stats.h"
#include "virtgate/history.h"

/* It is late then for the next one. */
#define LIMIT_NS (9 * VG_SECOND_NS)
/* What failed, or a host that is down, is tried again so much later. */
#define AGAIN_NS (5 * VG_SECOND_NS)
/* Hosts are asked at different times of the second half of a step; this is prime. */
#define PHASES 43

struct sampler {
    struct vg_timer timer;
    struct vg_host *host;
    struct vg_virt_conn *virt_conn;
    int64_t phase_ns;
};

static struct sampler *samplers;
static size_t n_samplers;

/* It asks what a client of that row does. */
static const struct vg_route route = {
    .method = VG_GET,
    .pattern = "/domain-stats",
    .operation_id = "listDomainStats",
    .needs = "connect:search_domains",
};

/* Whether the host can be asked, and how: on the connection that there is, or a new one.
 * The host's lock is not held while that is opened. */
enum way { NO_WAY, AS_IT_IS, OPEN };

static enum way find_way(struct sampler *s, unsigned int *ret_epoch)
{
    struct vg_host *host = s->host;
    struct vg_virt_conn *virt_conn = s->virt_conn;

    VG_LOCK(&host->lock);
    *ret_epoch = host->epoch;
    if (host->state != VG_HOST_UP || host->full)
        return NO_WAY;
    if (vg_virt_conn_usable(virt_conn) && virt_conn->epoch == host->epoch)
        return AS_IT_IS;
    if (!host->virt_conn->in_process)
        return OPEN;
    if (host->virt_conn->conn)
        vg_virt_conn_share(virt_conn, host->virt_conn->conn);
    virt_conn->epoch = host->epoch;
    return virt_conn->conn ? AS_IT_IS : NO_WAY;
}

/* A host without room is nobody's fault, and a broken one the host monitor's to find. */
static int prepare(struct sampler *s)
{
    const struct vg_host *host = s->host;
    struct vg_error why = {0};
    unsigned int epoch;

    enum way way = find_way(s, &epoch);
    if (way == AS_IT_IS)
        return 0;
    vg_virt_conn_close(s->virt_conn);
    if (way == NO_WAY || vg_virt_conn_open(s->virt_conn, host->uri, host->read_only,
                                           host->name, &why) < 0) {
        vg_error_clear(&why);
        return -1;
    }
    s->virt_conn->epoch = epoch;
    return 0;
}

/* -1: not now; -2: its connection was cut. */
static int ask(struct sampler *s, struct vg_request *rq)
{
    vg_autolist(stats) list = {0};

    if (prepare(s) < 0)
        return -1;
    rq->virt_conn = s->virt_conn;
    int n = vg_domain_stats_read_all(rq, VG_FIGURES_GROUPS,
                                     VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT, &list);
    rq->virt_conn = NULL;
    bool cut = atomic_load(&s->virt_conn->cut);
    if (cut || (n < 0 && !vg_virt_conn_usable(s->virt_conn)))
        vg_virt_conn_close(s->virt_conn);
    if (cut)
        vg_monitor_suspect(s->host);
    return n >= 0 ? 0 : cut ? -2 : -1;
}

/* A guest that has just stopped answering costs the connection, and is passed over the
 * second time. What went wrong is a gap in the history. */
static void take_sample(struct sampler *s, int64_t now_ns)
{
    struct vg_request *rq = vg_request_inner(&route, route.pattern, 0);

    if (!rq)
        return;
    vg_request_set_host(rq, s->host, s->host->name);
    rq->start_ns = now_ns;
    rq->deadline_ns = rq->call_until_ns = now_ns + LIMIT_NS;
    atomic_store(&s->virt_conn->cut_at_ns, rq->deadline_ns);
    if (ask(s, rq) == -2) {
        rq->again = true;
        (void)ask(s, rq);
    }
    atomic_store(&s->virt_conn->cut_at_ns, 0);
    vg_request_unref(rq);
}

/* The timer's function. */
static int64_t run(void *data)
{
    struct sampler *s = data;
    int64_t now_ns = vg_now_ns();

    if (vg_host_is_connecting(s->host))
        return now_ns + VG_SECOND_NS;
    if (vg_history_due_ns(s->host->history, now_ns, s->phase_ns) <= now_ns)
        take_sample(s, now_ns);
    now_ns = vg_now_ns();
    int64_t due_ns = vg_history_due_ns(s->host->history, now_ns, s->phase_ns);
    return due_ns > now_ns ? due_ns : now_ns + AGAIN_NS;
}

int vg_sampler_start(void)
{
    if (!vg_history_is_kept())
        return 0;
    samplers = calloc(vg_host_count(), sizeof(*samplers));
    if (!samplers)
        return -1;
    for (size_t i = 0; i < vg_host_count(); i++) {
        struct sampler *s = &samplers[i];
        *s = (struct sampler){.timer = {.run = run, .data = s},
                              .host = vg_host_at(i),
                              .virt_conn = vg_virt_conn_new(),
                              .phase_ns = (int64_t)(i % PHASES) * VG_SECOND_NS / 10};
        n_samplers++;
        if (!s->virt_conn || vg_timer_start(&s->timer) < 0)
            return -1;
    }
    return 0;
}

void vg_sampler_stop(void)
{
    for (size_t i = 0; i < n_samplers; i++)
        vg_virt_conn_free(samplers[i].virt_conn);
    free(vg_take(&samplers));
    n_samplers = 0;
}
