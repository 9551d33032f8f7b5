/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See sampler.h. A sample is a request of the gateway's own: it waits in its host's
 * queue, holds one of its workers, and is cut at its deadline like a client's. Whoever
 * else reads all statistics (/metrics, /domain-stats) feeds the history as well, and
 * spares it a sample: libvirt/domain/stats.c.
 */
#include "server/sampler.h"

#include "server/core/request.h"
#include "server/libvirt/domain/figures.h"
#include "server/libvirt/host.h"
#include "virtgate/domain_stats.h"

/* It is late then for the next one. */
#define LIMIT_NS (9 * VG_SECOND_NS)
/* Hosts are asked at different times of the second half of a step; this is prime. */
#define PHASES 43

static struct vg_reply sample(struct vg_request *rq)
{
    vg_autolist(stats) list = {0};

    if (vg_domain_stats_read_all(rq, VG_FIGURES_GROUPS,
                                 VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT, &list) < 0)
        return vg_fail_virt(rq);
    return vg_no_content(rq);
}

/* It asks what a client of that row does, and counts as one where calls are counted. */
static const struct vg_route route = {
    .method = VG_GET,
    .pattern = "/domain-stats",
    .operation_id = "listDomainStats",
    .handler = sample,
    .needs = "connect:search_domains",
};

/* The request's done(). What went wrong is a gap in the history. */
static void end_sample(struct vg_request *rq, struct vg_reply reply)
{
    vg_history_asked(rq->done_data);
    vg_reply_clear(&reply);
}

static struct vg_request *make_request(struct vg_host *host, int64_t now_ns)
{
    struct vg_request *rq = vg_request_inner(&route, route.pattern, 0);

    if (!rq)
        return NULL;
    vg_request_set_host(rq, host, vg_host_get_name(host));
    rq->start_ns = now_ns;
    rq->deadline_ns = now_ns + LIMIT_NS;
    rq->done = end_sample;
    rq->done_data = vg_host_history(host);
    if (vg_request_parse_target(rq, rq->target) == 0)
        return rq;
    vg_request_unref(rq);
    return NULL;
}

static void sample_host(struct vg_host *host, size_t index, int64_t now_ns)
{
    struct vg_history *history = vg_host_history(host);
    int64_t phase_ns = (int64_t)(index % PHASES) * VG_SECOND_NS / 10;

    if (!history || !vg_host_may_be_up(host) || vg_host_is_connecting(host) ||
        !vg_history_due(history, now_ns, phase_ns))
        return;
    struct vg_request *rq = make_request(host, now_ns);
    if (rq)
        vg_host_submit(host, rq);
    else
        vg_history_asked(history);
}

void vg_sampler_tick(int64_t now_ns)
{
    for (size_t i = 0; i < vg_host_count(); i++)
        sample_host(vg_host_at(i), i, now_ns);
}
