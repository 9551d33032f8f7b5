/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The limit that libvirt sets, without a gateway: THREADS threads, each with a connection
 * of its own, repeat one operation for SECONDS after all have connected. Prints
 * operations per second, and p50 and p99 in milliseconds.
 *
 *   native URI OPERATION THREADS SECONDS [NAME-PREFIX COUNT]
 *     version   virConnectGetLibVersion
 *     lookup    virDomainLookupByName and virDomainGetInfo of NAME-PREFIX0.. in turn
 *     show      the same, and the six calls more that tell what GET /domains/{name} shows
 *     list      virConnectListAllDomains, and virDomainGetInfo of each
 *     stats     virConnectGetAllDomainStats, STATE and BALLOON, NOWAIT
 *     metrics   the same with all groups of GET /metrics
 *     encoded   virConnectGetAllDomainStats of all groups, as one JSON text (jansson)
 *     volumes   of the pool NAME-PREFIX virStoragePoolListAllVolumes, and of COUNT of
 *               them the path and both sizes
 *     idle      holds one connection; prints its own VmRSS in KiB
 */
#include "virtgate/autoptr.h"

#include <jansson.h>
#include <libvirt/virterror.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_THREADS 64
#define MAX_SAMPLES 400000

static const char *uri, *prefix = "";
static unsigned long names = 1;
static int64_t run_ns;
static pthread_barrier_t connected;
static atomic_int failures;

struct worker {
    pthread_t thread;
    unsigned long number, n;
    int64_t *samples; /* ns */
};

static int64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int get_version(virConnectPtr conn, unsigned long i)
{
    unsigned long version;
    (void)i;
    return virConnectGetLibVersion(conn, &version);
}

static int look_up(virConnectPtr conn, unsigned long i)
{
    char name[64];
    virDomainInfo info;

    snprintf(name, sizeof(name), "%s%lu", prefix, i % names);
    vg_autoptr(virDomain) dom = virDomainLookupByName(conn, name);
    return dom ? virDomainGetInfo(dom, &info) : -1;
}

static int show(virConnectPtr conn, unsigned long i)
{
    char name[64];
    virDomainInfo info;
    int state, reason, autostart;

    snprintf(name, sizeof(name), "%s%lu", prefix, i % names);
    vg_autoptr(virDomain) dom = virDomainLookupByName(conn, name);
    if (!dom || virDomainGetInfo(dom, &info) < 0 ||
        virDomainGetState(dom, &state, &reason, 0) < 0 ||
        virDomainIsPersistent(dom) < 0 || virDomainGetAutostart(dom, &autostart) < 0 ||
        virDomainHasManagedSaveImage(dom, 0) < 0 || virDomainIsUpdated(dom) < 0)
        return -1;
    vg_autofree char *xml = virDomainGetXMLDesc(dom, 0); /* type, title, most vCPUs */
    return xml ? 0 : -1;
}

static int list(virConnectPtr conn, unsigned long i)
{
    vg_autolist(domain) all = {0};
    virDomainInfo info;
    (void)i;

    all.n = virConnectListAllDomains(conn, &all.v, 0);
    for (int k = 0; k < all.n; k++)
        if (virDomainGetInfo(all.v[k], &info) < 0)
            return -1;
    return all.n < 0 ? -1 : 0;
}

static int get_stats(virConnectPtr conn, unsigned long i)
{
    vg_autolist(stats) all = {0};
    (void)i;
    all.n = virConnectGetAllDomainStats(conn,
                                        VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_BALLOON,
                                        &all.v, VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
    return all.n < 0 ? -1 : 0;
}

static int get_metrics(virConnectPtr conn, unsigned long i)
{
    vg_autolist(stats) all = {0};
    (void)i;
    all.n = virConnectGetAllDomainStats(
        conn,
        VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_CPU_TOTAL | VIR_DOMAIN_STATS_BALLOON |
            VIR_DOMAIN_STATS_VCPU | VIR_DOMAIN_STATS_INTERFACE | VIR_DOMAIN_STATS_BLOCK,
        &all.v, VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
    return all.n < 0 ? -1 : 0;
}

static json_t *encode_value(const virTypedParameter *p)
{
    switch (p->type) {
    case VIR_TYPED_PARAM_INT:
        return json_integer(p->value.i);
    case VIR_TYPED_PARAM_UINT:
        return json_integer(p->value.ui);
    case VIR_TYPED_PARAM_LLONG:
        return json_integer(p->value.l);
    case VIR_TYPED_PARAM_ULLONG:
        return json_integer((json_int_t)p->value.ul);
    case VIR_TYPED_PARAM_DOUBLE:
        return json_real(p->value.d);
    case VIR_TYPED_PARAM_BOOLEAN:
        return json_boolean(p->value.b);
    default:
        return json_string(p->value.s);
    }
}

static json_t *encode_record(const virDomainStatsRecord *record)
{
    char uuid[VIR_UUID_STRING_BUFLEN] = "";
    json_t *stats = json_object();

    virDomainGetUUIDString(record->dom, uuid);
    for (int i = 0; i < record->nparams; i++)
        json_object_set_new_nocheck(stats, record->params[i].field,
                                    encode_value(&record->params[i]));
    return json_pack("{s:i,s:s,s:s,s:o}", "id", (int)virDomainGetID(record->dom), "name",
                     virDomainGetName(record->dom), "uuid", uuid, "stats", stats);
}

static int get_encoded(virConnectPtr conn, unsigned long i)
{
    vg_autolist(stats) all = {0};
    json_auto_t *list = json_array();
    (void)i;

    all.n = virConnectGetAllDomainStats(conn, 0, &all.v, 0);
    for (int k = 0; k < all.n; k++)
        json_array_append_new(list, encode_record(all.v[k]));
    vg_autofree char *text = json_dumps(list, JSON_COMPACT);
    return all.n < 0 || !text ? -1 : 0;
}

VG_AUTOLIST_DEFINE(bench_volume, virStorageVol, virStorageVolFree)

static int get_volumes(virConnectPtr conn, unsigned long i)
{
    vg_autoptr(virStoragePool) pool = virStoragePoolLookupByName(conn, prefix);
    vg_autolist(bench_volume) all = {0};
    virStorageVolInfo info;
    (void)i;

    all.n = pool ? virStoragePoolListAllVolumes(pool, &all.v, 0) : -1;
    for (int k = 0; k < all.n && k < (int)names; k++) {
        vg_autofree char *path = virStorageVolGetPath(all.v[k]);
        if (!path || virStorageVolGetInfoFlags(all.v[k], &info, 0) < 0 ||
            virStorageVolGetInfoFlags(all.v[k], &info, VIR_STORAGE_VOL_GET_PHYSICAL) < 0)
            return -1;
    }
    return all.n < 0 ? -1 : 0;
}

static const struct {
    const char *name;
    int (*run)(virConnectPtr conn, unsigned long i);
} operations[] = {{"version", get_version}, {"lookup", look_up},
                  {"show", show},           {"list", list},
                  {"stats", get_stats},     {"metrics", get_metrics},
                  {"encoded", get_encoded}, {"volumes", get_volumes}};
static int (*operation)(virConnectPtr conn, unsigned long i);

/* libvirt keeps the reason for the thread it failed in. */
static void note_failure(void)
{
    if (atomic_fetch_add(&failures, 1) == 0)
        fprintf(stderr, "native: %s\n", virGetLastErrorMessage());
}

static void *work(void *data)
{
    struct worker *w = data;
    virConnectPtr conn = virConnectOpen(uri);
    int64_t start, end;

    if (!conn)
        note_failure();
    pthread_barrier_wait(&connected);
    start = now_ns();
    end = start + run_ns;
    for (unsigned long i = w->number; conn && start < end; i++) {
        if (operation(conn, i) < 0)
            note_failure();
        int64_t now = now_ns();
        if (w->n < MAX_SAMPLES)
            w->samples[w->n] = now - start;
        w->n++;
        start = now;
    }
    if (conn)
        virConnectClose(conn);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void report(const struct worker *workers, unsigned long n, double seconds)
{
    static int64_t all[MAX_THREADS * (MAX_SAMPLES / 16)];
    size_t samples = 0, total = 0, room = sizeof(all) / sizeof(all[0]);

    for (unsigned long i = 0; i < n; i++) {
        size_t kept = workers[i].n < MAX_SAMPLES ? workers[i].n : MAX_SAMPLES;
        for (size_t k = 0; k < kept && samples < room; k++)
            all[samples++] = workers[i].samples[k];
        total += workers[i].n;
    }
    qsort(all, samples, sizeof(all[0]), compare);
    double rate = (double)total / seconds;
    printf("%.*f %.3f %.3f\n", rate < 100 ? 1 : 0, rate,
           samples ? (double)all[samples / 2] / 1e6 : 0,
           samples ? (double)all[samples * 99 / 100] / 1e6 : 0);
    if (failures)
        fprintf(stderr, "native: %d calls failed\n", failures);
}

static int hold_idle(void)
{
    char line[128];
    virConnectPtr conn = virConnectOpen(uri);
    FILE *status = conn ? fopen("/proc/self/status", "re") : NULL;

    while (status && fgets(line, sizeof(line), status))
        if (strncmp(line, "VmRSS:", 6) == 0)
            printf("%lu\n", strtoul(line + 6, NULL, 10));
    if (status)
        fclose(status);
    if (conn)
        virConnectClose(conn);
    return conn ? 0 : 1;
}

static void silent(void *data, virErrorPtr e)
{
    (void)data;
    (void)e;
}

int main(int argc, char **argv)
{
    static struct worker workers[MAX_THREADS];

    virSetErrorFunc(NULL, silent);
    if (argc < 3 || virInitialize() < 0)
        return 2;
    uri = argv[1];
    if (strcmp(argv[2], "idle") == 0)
        return hold_idle();
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
        if (strcmp(operations[i].name, argv[2]) == 0)
            operation = operations[i].run;
    unsigned long threads = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
    unsigned long seconds = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;
    if (!operation || threads < 1 || threads > MAX_THREADS || seconds < 1 || seconds > 60)
        return 2;
    prefix = argc > 5 ? argv[5] : "";
    names = argc > 6 ? strtoul(argv[6], NULL, 10) : 1;
    names = names ? names : 1;
    run_ns = (int64_t)seconds * 1000000000;
    if (pthread_barrier_init(&connected, NULL, (unsigned int)threads) != 0)
        return 1;
    for (unsigned long i = 0; i < threads; i++) {
        workers[i].number = i * 7;
        workers[i].samples = calloc(MAX_SAMPLES, sizeof(int64_t));
        if (!workers[i].samples ||
            pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            return 1;
    }
    for (unsigned long i = 0; i < threads; i++)
        pthread_join(workers[i].thread, NULL);
    report(workers, threads, (double)seconds);
    for (unsigned long i = 0; i < threads; i++)
        free(workers[i].samples);
    return failures != 0;
}
