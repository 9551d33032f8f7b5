/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The metrics of a host beside its domains': the machine, its networks and storage pools.
 * Names are those of the exporters where they have them (Tinkoff's for pools).
 *
 * Six calls, one for each pool and network, and one more for each active network: some
 * 60 us each. libvirt keeps a pool locked while it is started or refreshed, and its list
 * waits for the lock: storage that does not answer would hold up every scrape. So all of
 * it has a short time, and is left out for a while when that was too short; the domains'
 * are there already.
 */
#include "server/libvirt/host_metrics.h"

#include "server/base/clock.h"
#include "server/core/request.h"
#include "server/libvirt/internal.h"
#include "virtgate/autoptr.h"
#include "virtgate/metrics.h"

#include <stdlib.h>
#include <string.h>

#define TIME_LIMIT (2 * VG_SECOND_NS)
/* How long the host is not asked again after that time was too short. */
#define PAUSE (30 * VG_SECOND_NS)

#define MAX_CPU_STATS 64 /* more than any host has */

VG_AUTOLIST_DEFINE(scraped_network, virNetwork, virNetworkFree)
VG_AUTOLIST_DEFINE(scraped_pool, virStoragePool, virStoragePoolFree)

/* clang-format off */
#define FAMILIES \
    X(CPUS, "libvirt_node_cpus", GAUGE, "CPUs of the host that are online.") \
    X(CPU_SECONDS, "libvirt_node_cpu_seconds_total", COUNTER, "Time the host's CPUs spent in each mode, in seconds.") \
    X(MEMORY_TOTAL, "libvirt_node_memory_total_bytes", GAUGE, "Memory of the host, in bytes.") \
    X(MEMORY_FREE, "libvirt_node_memory_free_bytes", GAUGE, "Memory of the host that is free, in bytes.") \
    X(NETWORK_ACTIVE, "libvirt_network_active", GAUGE, "Whether a virtual network is active.") \
    X(NETWORK_LEASES, "libvirt_network_dhcp_leases", GAUGE, "Leases that an active network's DHCP server has given.") \
    X(POOL_STATE, "libvirt_storage_pool_state", GAUGE, "State of a storage pool (virStoragePoolState): 0 inactive, 1 building, 2 running, 3 degraded, 4 inaccessible.") \
    X(POOL_CAPACITY, "libvirt_pool_info_capacity_bytes", GAUGE, "Size of a storage pool, in bytes.") \
    X(POOL_ALLOCATION, "libvirt_pool_info_allocation_bytes", GAUGE, "What a storage pool's volumes take, in bytes.") \
    X(POOL_AVAILABLE, "libvirt_pool_info_available_bytes", GAUGE, "What is left of a storage pool, in bytes.")
/* clang-format on */

enum {
#define X(id, name, type, help) id,
    FAMILIES
#undef X
        N_FAMILIES
};

const struct vg_family vg_host_object_families[] = {
#define X(id, name, type, help) {name, VG_METRIC_##type, help},
    FAMILIES
#undef X
};
const size_t vg_host_object_families_count = N_FAMILIES;

struct scrape {
    struct vg_exposition families[N_FAMILIES];
    const char *host;
    const char *kind, *name, *uuid; /* labels of the object at hand */
};

static struct vg_exposition *begin(struct scrape *s, size_t family)
{
    struct vg_exposition *x = &s->families[family];
    vg_exposition_name(x, vg_host_object_families[family].name, NULL);
    vg_exposition_label(x, "host", s->host);
    if (s->kind) {
        vg_exposition_label(x, s->kind, s->name);
        vg_exposition_label(x, "uuid", s->uuid);
    }
    return x;
}

static void write_number(struct scrape *s, size_t family, uint64_t n)
{
    vg_exposition_uint(begin(s, family), n);
}

/* ---- the machine ------------------------------------------------------------------- */

static void write_cpu_times(struct scrape *s, virConnectPtr conn)
{
    virNodeCPUStats stats[MAX_CPU_STATS];
    int n = 0;

    if (virNodeGetCPUStats(conn, VIR_NODE_CPU_STATS_ALL_CPUS, NULL, &n, 0) < 0 ||
        n > MAX_CPU_STATS ||
        virNodeGetCPUStats(conn, VIR_NODE_CPU_STATS_ALL_CPUS, stats, &n, 0) < 0)
        return;
    for (int i = 0; i < n; i++) {
        if (strcmp(stats[i].field, VIR_NODE_CPU_STATS_UTILIZATION) == 0)
            continue; /* a percentage */
        struct vg_exposition *x = begin(s, CPU_SECONDS);
        vg_exposition_label(x, "mode", stats[i].field);
        vg_exposition_decimal(x, stats[i].value, 9);
    }
}

static void write_node(struct scrape *s, virConnectPtr conn)
{
    virNodeInfo info;
    unsigned long long free_bytes;

    s->kind = NULL;
    if (virNodeGetInfo(conn, &info) == 0) {
        write_number(s, CPUS, info.cpus);
        write_number(s, MEMORY_TOTAL, (uint64_t)info.memory * 1024);
    }
    free_bytes = virNodeGetFreeMemory(conn);
    if (free_bytes > 0)
        write_number(s, MEMORY_FREE, free_bytes);
    write_cpu_times(s, conn);
}

/* ---- networks ---------------------------------------------------------------------- */

static int count_leases(virNetworkPtr network)
{
    virNetworkDHCPLeasePtr *leases = NULL;
    int n = virNetworkGetDHCPLeases(network, NULL, &leases, 0);

    for (int i = 0; i < n; i++)
        virNetworkDHCPLeaseFree(leases[i]);
    free(leases);
    return n;
}

static void write_network(struct scrape *s, virNetworkPtr network)
{
    char uuid[VIR_UUID_STRING_BUFLEN];

    int active = virNetworkIsActive(network);
    if (active < 0 || virNetworkGetUUIDString(network, uuid) < 0)
        return; /* gone meanwhile */
    s->kind = "network";
    s->name = virNetworkGetName(network);
    s->uuid = uuid;
    write_number(s, NETWORK_ACTIVE, (uint64_t)active);
    int leases = active ? count_leases(network) : -1;
    if (leases >= 0)
        write_number(s, NETWORK_LEASES, (uint64_t)leases);
}

static int compare_networks(const void *a, const void *b)
{
    const virNetworkPtr *x = a, *y = b;
    return strcmp(virNetworkGetName(*x), virNetworkGetName(*y));
}

static void write_networks(struct scrape *s, virConnectPtr conn)
{
    vg_autolist(scraped_network) list = {0};

    list.n = virConnectListAllNetworks(conn, &list.v, 0);
    if (list.n > 1)
        qsort(list.v, (size_t)list.n, sizeof(*list.v), compare_networks);
    for (int i = 0; i < list.n; i++)
        write_network(s, list.v[i]);
}

/* ---- storage pools ----------------------------------------------------------------- */

static void write_pool(struct scrape *s, virStoragePoolPtr pool)
{
    char uuid[VIR_UUID_STRING_BUFLEN];
    virStoragePoolInfo info;

    if (virStoragePoolGetInfo(pool, &info) < 0 ||
        virStoragePoolGetUUIDString(pool, uuid) < 0)
        return; /* gone meanwhile */
    s->kind = "pool";
    s->name = virStoragePoolGetName(pool);
    s->uuid = uuid;
    write_number(s, POOL_STATE, (uint64_t)info.state);
    if (info.state == VIR_STORAGE_POOL_INACTIVE)
        return; /* nobody knows its sizes */
    write_number(s, POOL_CAPACITY, info.capacity);
    write_number(s, POOL_ALLOCATION, info.allocation);
    write_number(s, POOL_AVAILABLE, info.available);
}

static int compare_pools(const void *a, const void *b)
{
    const virStoragePoolPtr *x = a, *y = b;
    return strcmp(virStoragePoolGetName(*x), virStoragePoolGetName(*y));
}

static void write_pools(struct scrape *s, virConnectPtr conn)
{
    vg_autolist(scraped_pool) list = {0};

    list.n = virConnectListAllStoragePools(conn, &list.v, 0);
    if (list.n > 1)
        qsort(list.v, (size_t)list.n, sizeof(*list.v), compare_pools);
    for (int i = 0; i < list.n; i++)
        write_pool(s, list.v[i]);
}

/* ---- all of it --------------------------------------------------------------------- */

/* Whether an earlier scrape has not come back in its time, less than PAUSE ago. */
static bool is_stuck(const struct vg_host *host, int64_t now)
{
    int64_t asked = atomic_load(&host->objects_asked_ns);
    return asked && now - asked > TIME_LIMIT && now - asked < PAUSE;
}

static void write_objects(struct scrape *s, struct vg_request *rq)
{
    struct vg_virt_conn *virt_conn = rq->virt_conn;
    int64_t now = vg_now_ns(), cut_at = atomic_load(&virt_conn->cut_at_ns);

    if (is_stuck(rq->host, now))
        return;
    atomic_store(&rq->host->objects_asked_ns, now);
    if (!cut_at || now + TIME_LIMIT < cut_at)
        atomic_store(&virt_conn->cut_at_ns, now + TIME_LIMIT);
    write_networks(s, virt_conn->conn);
    write_pools(s, virt_conn->conn);
    atomic_store(&virt_conn->cut_at_ns, cut_at);
    if (!atomic_load(&virt_conn->cut))
        atomic_store(&rq->host->objects_asked_ns, 0);
}

void vg_host_metrics_write(struct vg_request *rq, struct vg_exposition *x)
{
    const char separator = VG_METRICS_SEPARATOR;
    struct scrape s = {.host = vg_host_name(rq)};

    write_node(&s, vg_conn(rq));
    write_objects(&s, rq);
    for (size_t i = 0; i < N_FAMILIES; i++) {
        vg_exposition_raw(x, s.families[i].text.data, s.families[i].text.len);
        vg_exposition_raw(x, &separator, 1);
        x->text.failed = x->text.failed || s.families[i].text.failed;
        vg_exposition_free(&s.families[i]);
    }
}
