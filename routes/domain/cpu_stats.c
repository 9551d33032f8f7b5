/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * GET /domains/{domain}/cpu-stats: the CPU time that a domain took from each of the
 * host's CPUs (virDomainGetCPUStats).
 */
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/cpumap.h"
#include "virtgate/object.h"
#include "virtgate/params.h"

/* What one call may ask for: the protocol's limit of CPUs, and of values in all. */
#define CPUS_A_CALL   128
#define VALUES_A_CALL 2048

/* The values of several CPUs, as libvirt fills them: `size` entries for each. */
struct values {
    virTypedParameterPtr v;
    int n, size;
};

static void clean_values(struct values *values)
{
    if (values->v)
        virTypedParamsFree(values->v, values->n);
}
#define auto_values VG_CLEANUP(clean_values) struct values

/* Reads `cpus` CPUs from `start` on, or the totals: 1 from -1 on. */
static int read_values(struct vg_request *rq, virDomainPtr dom, int start, int cpus,
                       struct values *ret)
{
    int size = virDomainGetCPUStats(dom, NULL, 0, start < 0 ? -1 : 0, 1, 0);
    if (size < 0)
        return vg_error_set_virt(vg_request_error(rq));
    if (size == 0)
        return 0;
    if (size > VALUES_A_CALL / cpus)
        size = VALUES_A_CALL / cpus;
    ret->v = calloc((size_t)size * (size_t)cpus, sizeof(*ret->v));
    if (!ret->v)
        return vg_error_set_memory(vg_request_error(rq));
    ret->n = size * cpus;
    ret->size = virDomainGetCPUStats(dom, ret->v, (unsigned int)size, start,
                                     (unsigned int)cpus, 0);
    return ret->size < 0 ? vg_error_set_virt(vg_request_error(rq)) : 0;
}

/* Writes those of the CPU at `place`; entries that libvirt did not fill have no type. */
static int write_values(struct vg_request *rq, struct vg_json *w, const char *key,
                        const struct values *values, int place, int number)
{
    const virTypedParameter *first = values->v ? values->v + place * values->size : NULL;
    const char *name;
    json_t *value;
    int n = 0;

    while (n < values->size && first[n].type)
        n++;
    json_auto_t *object = vg_params_to_json(first, n);
    if (!object)
        return vg_error_set_memory(vg_request_error(rq));
    vg_json_begin_object(w, key);
    if (number >= 0)
        vg_json_int(w, "number", number);
    json_object_foreach (object, name, value)
        vg_json_value(w, name, value);
    vg_json_end_object(w);
    return 0;
}

static int write_total(struct vg_request *rq, struct vg_json *w, virDomainPtr dom)
{
    auto_values values = {0};
    return read_values(rq, dom, -1, 1, &values) < 0
               ? -1
               : write_values(rq, w, "total", &values, 0, -1);
}

static int write_cpus(struct vg_request *rq, struct vg_json *w, virDomainPtr dom,
                      int start, int end)
{
    vg_json_begin_array(w, "cpus");
    while (start < end) {
        auto_values values = {0};
        int n = end - start < CPUS_A_CALL ? end - start : CPUS_A_CALL;
        if (read_values(rq, dom, start, n, &values) < 0)
            return -1;
        for (int i = 0; i < n; i++)
            if (write_values(rq, w, NULL, &values, i, start + i) < 0)
                return -1;
        start += n;
    }
    vg_json_end_array(w);
    return 0;
}

/* ?start=0&count=8&total=false */
static struct vg_reply get_cpu_stats(struct vg_request *rq)
{
    int64_t start = 0, count = VG_CPU_MAX + 1;
    int total = -1;
    const struct vg_field args[] = {
        VG_NUMBER("start", &start, 0, VG_CPU_MAX),
        VG_NUMBER("count", &count, 1, VG_CPU_MAX + 1),
        VG_MAYBE("total", &total),
        VG_END,
    };

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    if (total != 0 && write_total(rq, &w, dom) < 0)
        return vg_fail(rq);
    if (total != 1) {
        int cpus = virDomainGetCPUStats(dom, NULL, 0, 0, 0, 0);
        if (cpus < 0)
            return vg_fail_virt(rq);
        int end = cpus - start < count ? cpus : (int)(start + count);
        if (write_cpus(rq, &w, dom, (int)start, end) < 0)
            return vg_fail(rq);
    }
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

/* clang-format off */
const struct vg_route vg_routes_domain_cpu_stats[] = {
    {VG_GET, "/domains/{domain}/cpu-stats", "getDomainCpuStats", get_cpu_stats,
     .needs = "domain:getattr domain:read", .takes = VG_TAKES_ARGS, .shared = true},
    {0},
};
/* clang-format on */
