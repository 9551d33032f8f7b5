/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /domains/{domain}/scheduler, memory-parameters, blkio-parameters, numa-parameters,
 * perf-events: five families of typed parameters, each of a getter and a setter of
 * libvirt's.
 */
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/object.h"
#include "virtgate/params.h"

#include <libvirt/virterror.h>
#include <string.h>

/* How many there are goes with the scheduler's type. The older function is for drivers
 * that lack the newer one, or refuse the flag that libvirt itself adds to it (test). */
static int get_scheduler_parameters(virDomainPtr dom, virTypedParameterPtr params,
                                    int *nparams, unsigned int flags)
{
    if (!params) {
        vg_autofree char *type = virDomainGetSchedulerType(dom, nparams);
        return type ? 0 : -1;
    }
    int rc = virDomainGetSchedulerParametersFlags(dom, params, nparams, flags);
    int code = rc < 0 && !flags ? virGetLastErrorCode() : VIR_ERR_OK;
    if (code == VIR_ERR_NO_SUPPORT || code == VIR_ERR_INVALID_ARG)
        return virDomainGetSchedulerParameters(dom, params, nparams);
    return rc;
}

static const struct vg_domain_params scheduler = {
    .get = get_scheduler_parameters,
    .set = virDomainSetSchedulerParametersFlags,
};
static const struct vg_domain_params memory = {
    .get = virDomainGetMemoryParameters,
    .set = virDomainSetMemoryParameters,
};
static const struct vg_domain_params blkio = {
    .get = virDomainGetBlkioParameters,
    .set = virDomainSetBlkioParameters,
    .paths = "device",
};
static const struct vg_domain_params numa = {
    .get = virDomainGetNumaParameters,
    .set = virDomainSetNumaParameters,
};
static const struct vg_domain_params perf = {
    .get_all = virDomainGetPerfEvents,
    .set = virDomainSetPerfEvents,
};

/* ---- the scheduler, which has a type beside its parameters ------------------------- */

static struct vg_reply get_scheduler(struct vg_request *rq)
{
    unsigned int flags = 0;

    vg_autoptr(virDomain) dom =
        vg_flags_domain(rq, &vg_enum_virDomainModificationImpact, &flags);
    if (!dom)
        return vg_fail(rq);
    json_auto_t *object = vg_domain_params_json(rq, dom, &scheduler, flags);
    if (!object)
        return vg_fail(rq);
    vg_autofree char *type = virDomainGetSchedulerType(dom, NULL);
    if (!type)
        return vg_fail_virt(rq);
    json_t *answer = json_pack("{s:o}", "type", vg_json_text(type));
    if (json_object_update(answer, object) < 0) {
        json_decref(answer);
        answer = NULL;
    }
    return vg_ok(rq, answer);
}

/* The type may stand in a patch as in the answer of GET, but nothing can change it. */
static int check_type(struct vg_request *rq, virDomainPtr dom, const char *wanted)
{
    if (!wanted)
        return 0;
    vg_autofree char *type = virDomainGetSchedulerType(dom, NULL);
    if (!type)
        return vg_error_set_virt(vg_request_error(rq));
    if (strcmp(type, wanted) == 0)
        return 0;
    return vg_fail_value(rq, "'type' is '%s' and cannot be changed", type);
}

static struct vg_reply patch_scheduler(struct vg_request *rq)
{
    unsigned int flags = 0;
    const char *type = NULL;
    json_t *object = NULL;
    const struct vg_field args[] = {
        VG_FLAGS("flags", &flags, virDomainModificationImpact),
        VG_TEXT("type", &type),
        VG_REST(&object),
        VG_END,
    };

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom || check_type(rq, dom, type) < 0)
        return vg_fail(rq);
    return vg_domain_params_set(rq, dom, &scheduler, object, flags);
}

/* ---- the others -------------------------------------------------------------------- */

static struct vg_reply get_memory_parameters(struct vg_request *rq)
{
    return vg_domain_params_get(rq, &memory);
}

static struct vg_reply patch_memory_parameters(struct vg_request *rq)
{
    return vg_domain_params_patch(rq, &memory);
}

static struct vg_reply get_blkio_parameters(struct vg_request *rq)
{
    return vg_domain_params_get(rq, &blkio);
}

static struct vg_reply patch_blkio_parameters(struct vg_request *rq)
{
    return vg_domain_params_patch(rq, &blkio);
}

static struct vg_reply get_numa_parameters(struct vg_request *rq)
{
    return vg_domain_params_get(rq, &numa);
}

static struct vg_reply patch_numa_parameters(struct vg_request *rq)
{
    return vg_domain_params_patch(rq, &numa);
}

static struct vg_reply get_perf_events(struct vg_request *rq)
{
    return vg_domain_params_get(rq, &perf);
}

static struct vg_reply patch_perf_events(struct vg_request *rq)
{
    return vg_domain_params_patch(rq, &perf);
}

/* clang-format off */
const struct vg_route vg_routes_domain_tuning[] = {
    {VG_GET, "/domains/{domain}/scheduler", "getDomainScheduler", get_scheduler,
     .needs = "domain:getattr domain:read", .takes = VG_TAKES_ARGS, .shared = true},
    {VG_PATCH, "/domains/{domain}/scheduler", "setDomainScheduler", patch_scheduler,
     .needs = "domain:getattr domain:read domain:save domain:write", .takes = VG_TAKES_ARGS},
    {VG_GET, "/domains/{domain}/memory-parameters", "getDomainMemoryParameters",
     get_memory_parameters,
     .needs = "domain:getattr domain:read", .takes = VG_TAKES_ARGS, .shared = true},
    {VG_PATCH, "/domains/{domain}/memory-parameters", "setDomainMemoryParameters",
     patch_memory_parameters,
     .needs = "domain:getattr domain:read domain:save domain:write", .takes = VG_TAKES_ARGS},
    {VG_GET, "/domains/{domain}/blkio-parameters", "getDomainBlkioParameters", get_blkio_parameters,
     .needs = "domain:getattr domain:read", .takes = VG_TAKES_ARGS, .shared = true},
    {VG_PATCH, "/domains/{domain}/blkio-parameters", "setDomainBlkioParameters",
     patch_blkio_parameters,
     .needs = "domain:getattr domain:read domain:save domain:write", .takes = VG_TAKES_ARGS},
    {VG_GET, "/domains/{domain}/numa-parameters", "getDomainNumaParameters", get_numa_parameters,
     .needs = "domain:getattr domain:read", .takes = VG_TAKES_ARGS, .shared = true},
    {VG_PATCH, "/domains/{domain}/numa-parameters", "setDomainNumaParameters",
     patch_numa_parameters,
     .needs = "domain:getattr domain:read domain:save domain:write", .takes = VG_TAKES_ARGS},
    {VG_GET, "/domains/{domain}/perf-events", "getDomainPerfEvents", get_perf_events,
     .needs = "domain:getattr domain:read", .takes = VG_TAKES_ARGS, .shared = true},
    {VG_PATCH, "/domains/{domain}/perf-events", "setDomainPerfEvents", patch_perf_events,
     .needs = "domain:getattr domain:read domain:write", .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
