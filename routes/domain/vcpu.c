/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /domains/{domain}/vcpus, vcpu-count, vcpu-pins, vcpus/{vcpu}/pin, emulator-pin: how
 * many virtual CPUs a domain has, what they do, and on which CPUs of the host they run.
 */
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/cpumap.h"
#include "virtgate/host.h"
#include "virtgate/object.h"

#include <libvirt/virterror.h>
#include <limits.h>

/* What libvirt's protocol has room for. */
#define MAX_VCPUS 16384

/* Bytes that a map of all CPUs of the host has. 0: the request's error is set. */
static int read_map_bytes(struct vg_request *rq)
{
    int cpus = virNodeGetCPUMap(vg_conn(rq), NULL, NULL, 0);
    if (cpus < 0) { /* not every driver has it */
        virNodeInfo info;
        if (virGetLastErrorCode() != VIR_ERR_NO_SUPPORT ||
            virNodeGetInfo(vg_conn(rq), &info) < 0) {
            vg_error_set_virt(vg_request_error(rq));
            return 0;
        }
        cpus = (int)VIR_NODEINFO_MAXCPUS(info);
    }
    int bytes = VIR_CPU_MAPLEN(cpus);
    return bytes < 1 ? 1 : bytes < VG_CPUMAP_BYTES ? bytes : VG_CPUMAP_BYTES;
}

/* ---- the virtual CPUs of a running domain ------------------------------------------ */

static void write_vcpu(struct vg_json *w, const virVcpuInfo *info,
                       const unsigned char *bits, size_t bytes)
{
    vg_json_begin_object(w, NULL);
    vg_json_uint(w, "number", info->number);
    vg_json_enum(w, "state", &vg_enum_virVcpuState, info->state);
    vg_json_uint(w, "cpuTimeNs", info->cpuTime);
    if (info->cpu < 0) /* virVcpuHostCpuState: on none, or not known */
        vg_json_null(w, "cpu");
    else
        vg_json_int(w, "cpu", info->cpu);
    vg_cpumap_write(w, "cpus", bits, bytes);
    vg_json_end_object(w);
}

static struct vg_reply list_vcpus(struct vg_request *rq)
{
    virDomainInfo domain;
    vg_autoptr(virDomain) dom = vg_path_domain(rq);

    if (!dom)
        return vg_fail(rq);
    int bytes = read_map_bytes(rq);
    if (!bytes)
        return vg_fail(rq);
    if (virDomainGetInfo(dom, &domain) < 0)
        return vg_fail_virt(rq);
    int n = domain.nrVirtCpu < 1 ? 1 : domain.nrVirtCpu;
    vg_autofree virVcpuInfo *infos = calloc((size_t)n, sizeof(*infos));
    vg_autofree unsigned char *maps = calloc((size_t)n, (size_t)bytes);
    if (!infos || !maps)
        return vg_fail_memory(rq);
    n = virDomainGetVcpus(dom, infos, n, maps, bytes);
    if (n < 0)
        return vg_fail_virt(rq);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_begin_array(&w, "vcpus");
    for (int i = 0; i < n; i++)
        write_vcpu(&w, &infos[i], VIR_GET_CPUMAP(maps, bytes, i), (size_t)bytes);
    vg_json_end_array(&w);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

/* {"map": "2-3", "enabled": true} */
static struct vg_reply enable_vcpus(struct vg_request *rq)
{
    struct vg_cpumap vcpus;
    bool enabled = false;
    unsigned int flags = 0;
    const struct vg_field args[] = {
        VG_NEED_CPUS("map", &vcpus),
        VG_NEED_BOOL("enabled", &enabled),
        VG_FLAGS("flags", &flags, virDomainModificationImpact),
        VG_END,
    };

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    vg_autofree char *text = vg_cpumap_text(&vcpus);
    if (!text)
        return vg_fail_memory(rq);
    return vg_done(rq, virDomainSetVcpu(dom, text, enabled, flags));
}

/* ---- how many ---------------------------------------------------------------------- */

/* Flags that may also be given by a key of their own. */
struct count_keys {
    bool maximum, guest, hotpluggable;
};

static unsigned int count_flags(const struct count_keys *keys)
{
    return (keys->maximum ? VIR_DOMAIN_VCPU_MAXIMUM : 0U) |
           (keys->guest ? VIR_DOMAIN_VCPU_GUEST : 0U) |
           (keys->hotpluggable ? VIR_DOMAIN_VCPU_HOTPLUGGABLE : 0U);
}

static struct vg_reply get_vcpu_count(struct vg_request *rq)
{
    unsigned int flags = 0;
    struct count_keys keys = {0};
    const struct vg_field args[] = {
        VG_FLAGS("flags", &flags, virDomainVcpuFlags),
        VG_BOOL("maximum", &keys.maximum),
        VG_BOOL("guest", &keys.guest),
        VG_END,
    };

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    flags |= count_flags(&keys);
    if (flags & VIR_DOMAIN_VCPU_GUEST &&
        vg_request_ask(rq, "domain:write", "This asks the guest's agent") < 0)
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    int count = virDomainGetVcpusFlags(dom, flags);
    if (count < 0)
        return vg_fail_virt(rq);
    return vg_ok(rq, json_pack("{s:i}", "count", count));
}

static struct vg_reply set_vcpu_count(struct vg_request *rq)
{
    int64_t count = 0;
    unsigned int flags = 0;
    struct count_keys keys = {0};
    const struct vg_field args[] = {
        VG_NEED_NUMBER("count", &count, 1, MAX_VCPUS),
        VG_FLAGS("flags", &flags, virDomainVcpuFlags),
        VG_BOOL("maximum", &keys.maximum),
        VG_BOOL("guest", &keys.guest),
        VG_BOOL("hotpluggable", &keys.hotpluggable),
        VG_END,
    };

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    flags |= count_flags(&keys);
    return vg_done(rq, virDomainSetVcpusFlags(dom, (unsigned int)count, flags));
}

/* ---- pinning ----------------------------------------------------------------------- */

static struct vg_reply list_pins(struct vg_request *rq)
{
    unsigned int flags = 0;

    vg_autoptr(virDomain) dom =
        vg_flags_domain(rq, &vg_enum_virDomainModificationImpact, &flags);
    if (!dom)
        return vg_fail(rq);
    int bytes = read_map_bytes(rq);
    if (!bytes)
        return vg_fail(rq);
    int n = virDomainGetVcpusFlags(dom, flags | VIR_DOMAIN_VCPU_MAXIMUM);
    if (n < 0)
        return vg_fail_virt(rq);
    if (n > MAX_VCPUS)
        n = MAX_VCPUS;
    vg_autofree unsigned char *maps = calloc((size_t)n + 1, (size_t)bytes);
    if (!maps)
        return vg_fail_memory(rq);
    n = virDomainGetVcpuPinInfo(dom, n, maps, bytes, flags);
    if (n < 0)
        return vg_fail_virt(rq);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_begin_array(&w, "vcpus");
    for (int i = 0; i < n; i++) {
        vg_json_begin_object(&w, NULL);
        vg_json_int(&w, "number", i);
        vg_cpumap_write(&w, "cpus", VIR_GET_CPUMAP(maps, bytes, i), (size_t)bytes);
        vg_json_end_object(&w);
    }
    vg_json_end_array(&w);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

/* {"cpus": "0-3"} or {"cpus": [0, 1, 2, 3]} */
static struct vg_reply pin_vcpu(struct vg_request *rq)
{
    struct vg_cpumap cpus;
    unsigned int vcpu = 0, flags = 0;
    const struct vg_field args[] = {
        VG_NEED_CPUS("cpus", &cpus),
        VG_FLAGS("flags", &flags, virDomainModificationImpact),
        VG_END,
    };

    if (vg_path_number(rq, "vcpu", INT_MAX, &vcpu) < 0)
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    return vg_done(rq, virDomainPinVcpuFlags(dom, vcpu, cpus.bits, cpus.length, flags));
}

static struct vg_reply get_emulator_pin(struct vg_request *rq)
{
    unsigned int flags = 0;

    vg_autoptr(virDomain) dom =
        vg_flags_domain(rq, &vg_enum_virDomainModificationImpact, &flags);
    if (!dom)
        return vg_fail(rq);
    int bytes = read_map_bytes(rq);
    if (!bytes)
        return vg_fail(rq);
    vg_autofree unsigned char *map = calloc(1, (size_t)bytes);
    if (!map)
        return vg_fail_memory(rq);
    int known = virDomainGetEmulatorPinInfo(dom, map, bytes, flags);
    if (known < 0)
        return vg_fail_virt(rq);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    if (known)
        vg_cpumap_write(&w, "cpus", map, (size_t)bytes);
    else
        vg_json_null(&w, "cpus");
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

static struct vg_reply pin_emulator(struct vg_request *rq)
{
    struct vg_cpumap cpus;
    unsigned int flags = 0;
    const struct vg_field args[] = {
        VG_NEED_CPUS("cpus", &cpus),
        VG_FLAGS("flags", &flags, virDomainModificationImpact),
        VG_END,
    };

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    return vg_done(rq, virDomainPinEmulator(dom, cpus.bits, cpus.length, flags));
}

/* clang-format off */
const struct vg_route vg_routes_domain_vcpu[] = {
    {VG_GET, "/domains/{domain}/vcpus", "listDomainVcpus", list_vcpus,
     .needs = "connect:read domain:getattr domain:read", .shared = true},
    {VG_PATCH, "/domains/{domain}/vcpus", "enableDomainVcpus", enable_vcpus,
     .needs = "domain:getattr domain:save domain:write", .takes = VG_TAKES_ARGS},
    {VG_GET, "/domains/{domain}/vcpu-count", "getDomainVcpuCount", get_vcpu_count,
     .needs = "domain:getattr domain:read", .runs_on = VG_ON_AGENT_IF_NAMED,
     .takes = VG_TAKES_ARGS, .shared = true},
    {VG_PUT, "/domains/{domain}/vcpu-count", "setDomainVcpuCount", set_vcpu_count,
     .needs = "domain:getattr domain:save domain:write", .runs_on = VG_ON_AGENT_IF_NAMED,
     .takes = VG_TAKES_ARGS},
    {VG_GET, "/domains/{domain}/vcpu-pins", "listDomainVcpuPins", list_pins,
     .needs = "connect:read domain:getattr domain:read", .takes = VG_TAKES_ARGS, .shared = true},
    {VG_PUT, "/domains/{domain}/vcpus/{vcpu}/pin", "pinDomainVcpu", pin_vcpu,
     .needs = "domain:getattr domain:save domain:write", .takes = VG_TAKES_ARGS},
    {VG_GET, "/domains/{domain}/emulator-pin", "getDomainEmulatorPin", get_emulator_pin,
     .needs = "connect:read domain:getattr domain:read", .takes = VG_TAKES_ARGS, .shared = true},
    {VG_PUT, "/domains/{domain}/emulator-pin", "pinDomainEmulator", pin_emulator,
     .needs = "domain:getattr domain:save domain:write", .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
