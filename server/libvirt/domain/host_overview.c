/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See virtgate/host_overview.h. What is kept of it is in the host, under its lock.
 */
#include "virtgate/host_overview.h"

#include "server/libvirt/internal.h"
#include "virtgate/domain_stats.h"
#include "virtgate/scope.h"

#include <string.h>

#define MAX_CPU_STATS 64 /* more than any host has */
/* A percentage is of no shorter time, and of no longer one. */
#define SHORTEST_NS (2 * VG_SECOND_NS)
#define LONGEST_NS  (120 * VG_SECOND_NS)

/* ---- domains ----------------------------------------------------------------------- */

static int state_of(const virDomainStatsRecord *record)
{
    int state = VIR_DOMAIN_NOSTATE;
    (void)virTypedParamsGetInt(record->params, record->nparams, "state.state", &state);
    return state;
}

static int count_domains(struct vg_request *rq, struct vg_host_counts *ret)
{
    vg_autolist(stats) list = {0};

    if (vg_domain_stats_read(rq, NULL, VIR_DOMAIN_STATS_STATE,
                             VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT, &list) < 0)
        return -1;
    *ret = (struct vg_host_counts){.total = (unsigned int)list.n};
    for (int i = 0; i < list.n; i++) {
        int state = state_of(list.v[i]);
        ret->running += state == VIR_DOMAIN_RUNNING;
        ret->paused += state == VIR_DOMAIN_PAUSED;
        ret->shutoff += state == VIR_DOMAIN_SHUTOFF;
    }
    return 0;
}

/* What all may see is counted once for each change. */
static bool recall_counts(struct vg_host *host, struct vg_host_counts *ret)
{
    VG_LOCK(&host->lock);
    *ret = host->counts;
    return vg_answer_cache_is_fresh(host->cache, &host->counted);
}

static int get_counts(struct vg_request *rq, struct vg_host_counts *ret)
{
    struct vg_host *host = rq->host;
    bool all = vg_sees_all_domains(rq);

    if (all && !rq->fresh && recall_counts(host, ret))
        return 0;
    struct vg_reading reading = vg_answer_cache_begin(host->cache, VG_KIND_DOMAIN);
    if (count_domains(rq, ret) < 0)
        return -1;
    VG_LOCK(&host->lock);
    if (all) {
        host->counts = *ret;
        host->counted = reading;
    }
    return 0;
}

static void write_counts(struct vg_json *w, const struct vg_host_counts *counts)
{
    vg_json_begin_object(w, "domains");
    vg_json_uint(w, "running", counts->running);
    vg_json_uint(w, "paused", counts->paused);
    vg_json_uint(w, "shutoff", counts->shutoff);
    vg_json_uint(w, "total", counts->total);
    vg_json_end_object(w);
}

/* ---- the machine ------------------------------------------------------------------- */

/* Time of all CPUs in ns, or `utilization` in percent where the driver tells that. */
static bool read_cpu_times(virConnectPtr conn, int n, struct vg_cpu_times *ret)
{
    virNodeCPUStats stats[MAX_CPU_STATS];

    *ret = (struct vg_cpu_times){.utilization = -1, .at_ns = vg_now_ns()};
    if (n > MAX_CPU_STATS ||
        virNodeGetCPUStats(conn, VIR_NODE_CPU_STATS_ALL_CPUS, stats, &n, 0) < 0)
        return false;
    for (int i = 0; i < n; i++) {
        const char *field = stats[i].field;
        if (strcmp(field, VIR_NODE_CPU_STATS_UTILIZATION) == 0) {
            ret->utilization = (int)(stats[i].value * 100);
            continue;
        }
        ret->total += stats[i].value;
        if (strcmp(field, VIR_NODE_CPU_STATS_IDLE) != 0 &&
            strcmp(field, VIR_NODE_CPU_STATS_IOWAIT) != 0)
            ret->busy += stats[i].value;
    }
    return true;
}

/* How many figures there are is asked once: a host's kernel does not change it. */
static bool ask_cpu_times(struct vg_host *host, virConnectPtr conn,
                          struct vg_cpu_times *ret)
{
    int n = atomic_load(&host->n_cpu_stats);

    if (!n) {
        if (virNodeGetCPUStats(conn, VIR_NODE_CPU_STATS_ALL_CPUS, NULL, &n, 0) < 0)
            return false;
        atomic_store(&host->n_cpu_stats, n);
    }
    if (read_cpu_times(conn, n, ret))
        return true;
    atomic_store(&host->n_cpu_stats, 0); /* it became another host */
    return false;
}

/* Hundredths of a percent between the two; -1: not known. */
static int percent_between(const struct vg_cpu_times *before,
                           const struct vg_cpu_times *now)
{
    if (!before->at_ns || now->at_ns - before->at_ns > LONGEST_NS ||
        now->total <= before->total || now->busy < before->busy)
        return -1;
    double part =
        (double)(now->busy - before->busy) / (double)(now->total - before->total);
    return (int)(part * 10000 + 0.5);
}

/* Whoever asks sooner than that has the percentage of who asked before. */
static int get_cpu_percent(struct vg_host *host, virConnectPtr conn)
{
    struct vg_cpu_times now;

    if (!ask_cpu_times(host, conn, &now))
        return -1;
    if (now.utilization >= 0)
        return now.utilization;
    VG_LOCK(&host->lock);
    if (!host->cpu_times.at_ns || now.at_ns - host->cpu_times.at_ns >= SHORTEST_NS) {
        host->cpu_percent = percent_between(&host->cpu_times, &now);
        host->cpu_times = now;
    }
    return host->cpu_percent;
}

static void write_node(struct vg_json *w, struct vg_request *rq)
{
    virConnectPtr conn = vg_conn(rq);
    virNodeInfo info;

    vg_json_begin_object(w, "node");
    if (virNodeGetInfo(conn, &info) == 0) {
        vg_json_uint(w, "cpus", info.cpus);
        vg_json_string(w, "model", info.model);
        vg_json_uint(w, "memoryKiB", info.memory);
    }
    unsigned long long free_bytes = virNodeGetFreeMemory(conn);
    if (free_bytes)
        vg_json_uint(w, "freeMemoryKiB", free_bytes / 1024);
    int percent = get_cpu_percent(rq->host, conn);
    if (percent >= 0)
        vg_json_hundredths(w, "cpuPercent", (uint64_t)percent);
    vg_json_end_object(w);
}

/* ---- versions ---------------------------------------------------------------------- */

static void write_version(struct vg_json *w, const struct vg_version *version)
{
    if (!version->number)
        return; /* the driver cannot tell */
    vg_json_string(w, "version", version->text);
    vg_json_uint(w, "number", version->number);
}

static void write_versions(struct vg_json *w, const struct vg_host_facts *facts)
{
    vg_json_begin_object(w, "hypervisor");
    vg_json_string(w, "type", facts->type);
    write_version(w, &facts->hypervisor);
    vg_json_end_object(w);
    vg_json_begin_object(w, "libvirt");
    write_version(w, &facts->libvirt);
    vg_json_end_object(w);
}

struct vg_reply vg_host_overview(struct vg_request *rq)
{
    struct vg_host_counts counts;
    vg_auto_json w = vg_json_for(rq);

    if (get_counts(rq, &counts) < 0)
        return vg_fail_virt(rq);
    struct vg_host_facts *facts = vg_host_facts(rq);
    if (!facts)
        return vg_fail(rq);
    vg_json_begin_object(&w, NULL);
    write_counts(&w, &counts);
    write_node(&w, rq);
    write_versions(&w, facts);
    vg_json_end_object(&w);
    vg_host_facts_unref(facts);
    return vg_ok_written(rq, &w);
}
