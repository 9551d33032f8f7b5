/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /node/cpu-map, /node/cpu-stats: the host's CPUs. /connection/cpu/models, baseline and
 * compare, /connection/max-vcpus: what CPUs its guests can have.
 */
#include "routes/routes.h"
#include "virtgate/cleanup.h"
#include "virtgate/cpumap.h"
#include "virtgate/host.h"
#include "virtgate/xml.h"
#include "virtgate/xml_json.h"

#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More than any host has. */
#define MAX_STATS 64
/* What libvirt's protocol has room for. */
#define MAX_CPUS_COMPARED 256

/* ---- the host's -------------------------------------------------------------------- */

static struct vg_reply get_cpu_map(struct vg_request *rq)
{
    vg_autofree unsigned char *map = NULL;
    unsigned int online = 0;

    int cpus = virNodeGetCPUMap(vg_conn(rq), &map, &online, 0);
    if (cpus < 0)
        return vg_fail_virt(rq);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_int(&w, "cpus", cpus);
    vg_cpumap_write(&w, "online", map, (size_t)(cpus + 7) / 8);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

/* Times are in nanoseconds; a host without them has a percentage. */
static void write_cpu_stat(struct vg_json *w, const virNodeCPUStats *stat)
{
    char key[VIR_NODE_CPU_STATS_FIELD_LENGTH + sizeof("Percent")];
    bool percent = strcmp(stat->field, VIR_NODE_CPU_STATS_UTILIZATION) == 0;

    snprintf(key, sizeof(key), "%.*s%s", VIR_NODE_CPU_STATS_FIELD_LENGTH, stat->field,
             percent ? "Percent" : "Ns");
    vg_json_uint(w, key, stat->value);
}

/* ?cpu=0; without it the sums of all. */
static struct vg_reply get_cpu_stats(struct vg_request *rq)
{
    virNodeCPUStats stats[MAX_STATS];
    int64_t cpu = VIR_NODE_CPU_STATS_ALL_CPUS;
    int n = 0;
    const struct vg_field args[] = {VG_NUMBER("cpu", &cpu, 0, VG_CPU_MAX), VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    if (virNodeGetCPUStats(vg_conn(rq), (int)cpu, NULL, &n, 0) < 0)
        return vg_fail_virt(rq);
    if (n > MAX_STATS)
        n = MAX_STATS;
    if (n > 0 && virNodeGetCPUStats(vg_conn(rq), (int)cpu, stats, &n, 0) < 0)
        return vg_fail_virt(rq);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    for (int i = 0; i < n; i++)
        write_cpu_stat(&w, &stats[i]);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

/* ---- its guests' ------------------------------------------------------------------- */

/* ?arch=x86_64; without it the host's own. */
static struct vg_reply get_cpu_models(struct vg_request *rq)
{
    const char *arch = NULL;
    virNodeInfo info;
    vg_autolist(string) models = {0};
    const struct vg_field args[] = {VG_TEXT("arch", &arch), VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    if (!arch) {
        if (virNodeGetInfo(vg_conn(rq), &info) < 0)
            return vg_fail_virt(rq);
        info.model[sizeof(info.model) - 1] = '\0';
        arch = info.model;
    }
    models.n = virConnectGetCPUModelNames(vg_conn(rq), arch, &models.v, 0);
    if (models.n < 0)
        return vg_fail_virt(rq);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_begin_array(&w, "models");
    for (int i = 0; i < models.n; i++)
        vg_json_string(&w, NULL, models.v[i]);
    vg_json_end_array(&w);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

/* ?type=kvm */
static struct vg_reply get_max_vcpus(struct vg_request *rq)
{
    const char *type = NULL;
    const struct vg_field args[] = {VG_TEXT("type", &type), VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    int n = virConnectGetMaxVcpus(vg_conn(rq), type);
    if (n < 0)
        return vg_fail_virt(rq);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_int(&w, "maxVcpus", n);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

/* ---- comparing --------------------------------------------------------------------- */

/* Which hypervisor's CPUs are meant; none: the host's own. */
struct hypervisor {
    const char *emulator, *arch, *machine, *virttype;
};
/* clang-format off */
#define HYPERVISOR_FIELDS(h)                                                             \
    VG_TEXT("emulator", &(h)->emulator), VG_TEXT("arch", &(h)->arch),                    \
    VG_TEXT("machine", &(h)->machine), VG_TEXT("virttype", &(h)->virttype)
/* clang-format on */

static bool is_given(const struct hypervisor *h)
{
    return h->emulator || h->arch || h->machine || h->virttype;
}

/* libvirt asks a right to change the host for a hypervisor's CPUs. -1: the request's
 * error is set. */
static int check_hypervisor(struct vg_request *rq, const struct hypervisor *h)
{
    if (!is_given(h))
        return 0;
    if (vg_request_ask(rq, "connect:write", "This asks for a hypervisor's CPUs") < 0)
        return -1;
    if (!h->emulator)
        return 0;
    if (vg_request_ask(rq, "gateway:path",
                       "'emulator' is a program that the host then runs") < 0)
        return -1;
    return vg_emulator_check(rq, h->emulator);
}

/* One CPU's document: text, or the JSON form of one, with or without its root. Owned by
 * the caller; NULL: the request's error is set. */
static char *cpu_document(struct vg_request *rq, const char *where, json_t *cpu)
{
    if (json_is_string(cpu)) {
        char *text = strdup(json_string_value(cpu));
        if (!text)
            vg_error_set_memory(vg_request_error(rq));
        else if (vg_xml_check(rq, text) < 0) {
            free(text);
            return NULL;
        }
        return text;
    }
    if (!json_is_object(cpu)) {
        vg_error_set(vg_request_error(rq), VG_E_INVALID_VALUE,
                     "'%s' is a CPU's document: text, or an object", where);
        return NULL;
    }
    bool rooted = json_object_size(cpu) == 1 && json_object_get(cpu, "cpu");
    json_auto_t *document = rooted ? json_incref(cpu) : json_pack("{s:O}", "cpu", cpu);
    if (!document) {
        vg_error_set_memory(vg_request_error(rq));
        return NULL;
    }
    return vg_xml_from_json(document, vg_request_error(rq));
}

/* As many as `cpus` has. -1: the request's error is set. */
static int read_cpus(struct vg_request *rq, json_t *cpus, struct vg_string_list *ret)
{
    json_t *item;
    size_t i;

    if (json_array_size(cpus) == 0 || json_array_size(cpus) > MAX_CPUS_COMPARED) {
        vg_error_set(vg_request_error(rq), cpus ? VG_E_INVALID_VALUE : VG_E_MISSING_KEY,
                     "'cpus' is an array of 1 to %d CPUs' documents", MAX_CPUS_COMPARED);
        return -1;
    }
    ret->v = calloc(json_array_size(cpus), sizeof(*ret->v));
    if (!ret->v)
        return vg_error_set_memory(vg_request_error(rq));
    json_array_foreach (cpus, i, item) {
        char where[sizeof("cpus/") + 11];
        snprintf(where, sizeof(where), "cpus/%d", ret->n);
        ret->v[ret->n] = cpu_document(rq, where, item);
        if (!ret->v[ret->n])
            return -1;
        ret->n++;
    }
    return 0;
}

/* What is wrong with the documents some drivers call an internal error. */
static struct vg_reply fail_cpu(struct vg_request *rq)
{
    struct vg_error *e = vg_request_error(rq);

    vg_error_set_virt(e);
    if (vg_error_is_virt(e, VIR_ERR_INTERNAL_ERROR) && vg_error_is_from(e, VIR_FROM_CPU))
        vg_error_set_status(e, 422);
    return vg_fail(rq);
}

/* {"cpus": ["<cpu>...", {"model": "Haswell", ...}], "flags": ["migratable"]} */
static struct vg_reply baseline_cpu(struct vg_request *rq)
{
    json_t *given = NULL;
    struct hypervisor h = {0};
    unsigned int flags = 0;
    vg_autolist(string) cpus = {0};
    const struct vg_field args[] = {VG_JSON("cpus", &given), HYPERVISOR_FIELDS(&h),
                                    VG_FLAGS("flags", &flags, virConnectBaselineCPUFlags),
                                    VG_END};

    if (vg_args(rq, args) < 0 || check_hypervisor(rq, &h) < 0 ||
        read_cpus(rq, given, &cpus) < 0)
        return vg_fail(rq);
    const char **list = (void *)cpus.v;
    unsigned int n = (unsigned int)cpus.n;
    char *xml = is_given(&h) ? virConnectBaselineHypervisorCPU(vg_conn(rq), h.emulator,
                                                               h.arch, h.machine,
                                                               h.virttype, list, n, flags)
                             : virConnectBaselineCPU(vg_conn(rq), list, n, flags);
    return xml ? vg_reply_document(rq, xml) : fail_cpu(rq);
}

/* {"cpu": "<cpu>..."}, or the document alone: "incompatible" is an answer. */
static struct vg_reply compare_cpu(struct vg_request *rq)
{
    json_t *given = NULL;
    struct hypervisor h = {0};
    unsigned int flags = 0;
    const struct vg_field args[] = {VG_JSON("cpu", &given), HYPERVISOR_FIELDS(&h),
                                    VG_FLAGS("flags", &flags, virConnectCompareCPUFlags),
                                    VG_END};

    if (vg_args(rq, args) < 0 || check_hypervisor(rq, &h) < 0)
        return vg_fail(rq);
    vg_autofree char *made = given ? cpu_document(rq, "cpu", given) : NULL;
    const char *xml = given ? made : vg_xml_argument(rq, "cpu", NULL);
    if (!xml)
        return vg_fail(rq);
    int result = is_given(&h)
                     ? virConnectCompareHypervisorCPU(vg_conn(rq), h.emulator, h.arch,
                                                      h.machine, h.virttype, xml, flags)
                     : virConnectCompareCPU(vg_conn(rq), xml, flags);
    if (result < 0)
        return fail_cpu(rq);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_enum(&w, "result", &vg_enum_virCPUCompareResult, result);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

/* clang-format off */
const struct vg_route vg_routes_cpu[] = {
    {VG_GET, "/node/cpu-map", "getNodeCpuMap", get_cpu_map,
     .needs = "connect:read", .shared = true},
    {VG_GET, "/node/cpu-stats", "getNodeCpuStats", get_cpu_stats,
     .needs = "connect:read", .takes = VG_TAKES_ARGS, .shared = true},
    {VG_GET, "/connection/cpu/models", "listCpuModels", get_cpu_models,
     .needs = "connect:read", .takes = VG_TAKES_ARGS, .shared = true},
    {VG_POST, "/connection/cpu/baseline", "baselineCpu", baseline_cpu,
     .needs = "connect:read", .gives = VG_GIVES_XML_OR_JSON, .takes = VG_TAKES_DOCUMENT, .changes_nothing = true},
    {VG_POST, "/connection/cpu/compare", "compareCpu", compare_cpu,
     .needs = "connect:read", .takes = VG_TAKES_XML, .changes_nothing = true},
    {VG_GET, "/connection/max-vcpus", "getMaxVcpus", get_max_vcpus,
     .needs = "connect:read", .takes = VG_TAKES_ARGS, .shared = true},
    {0},
};
/* clang-format on */
