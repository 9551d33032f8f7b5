/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /domains/{domain}/job: the domain's job, whoever began it (virDomainGetJobStats,
 * virDomainAbortJobFlags).
 */
#include "routes/routes.h"
#include "virtgate/conflict.h"
#include "virtgate/job.h"
#include "virtgate/object.h"
#include "virtgate/operation.h"

static struct vg_reply get_job(struct vg_request *rq)
{
    unsigned int flags = 0;
    json_t *job = NULL;
    const struct vg_field args[] = {VG_FLAGS("flags", &flags, virDomainGetJobStatsFlags),
                                    VG_END};

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    /* without it, reading a completed job's statistics would forget them */
    if (flags & VIR_DOMAIN_JOB_STATS_COMPLETED)
        flags |= VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED;
    if (vg_job_read(dom, flags, &job, NULL, vg_request_error(rq)) < 0)
        return vg_fail(rq);
    return vg_ok(rq, job);
}

static struct vg_reply abort_job(struct vg_request *rq)
{
    unsigned int flags = 0;

    vg_autoptr(virDomain) dom =
        vg_flags_domain(rq, &vg_enum_virDomainAbortJobFlagsValues, &flags);
    if (!dom || vg_operation_ask_abort(rq, dom) < 0)
        return vg_fail(rq);
    return vg_done_in_state(rq, dom, VG_NEEDS_ACTIVE, vg_job_abort(dom, flags));
}

/* clang-format off */
const struct vg_route vg_routes_domain_job[] = {
    {VG_GET, "/domains/{domain}/job", "getDomainJob", get_job,
     .needs = "domain:getattr domain:read", .takes = VG_TAKES_ARGS, .shared = true},
    {VG_DELETE, "/domains/{domain}/job", "abortDomainJob", abort_job,
     .needs = "domain:getattr domain:read domain:write", .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
