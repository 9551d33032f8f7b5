/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Block jobs: POST /domains/{domain}/disks/{disk}/pull, rebase, commit, copy start one
 * (virDomainBlockPull, BlockRebase, BlockCommit, BlockCopy), which is an operation;
 * /domains/{domain}/disks/{disk}/job shows it (virDomainGetBlockJobInfo), sets its speed
 * (virDomainBlockJobSetSpeed), ends it (virDomainBlockJobAbort).
 */
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/job.h"
#include "virtgate/object.h"
#include "virtgate/operation.h"
#include "virtgate/xml.h"

#include <libvirt/virterror.h>

/* ---- starting ---------------------------------------------------------------------- */

/* Before libvirt's call: its job, of this virDomainBlockJobType, may end before the call
 * returns. */
static int begin_job(struct vg_request *rq, virDomainPtr dom, int type)
{
    return vg_operation_begin_job(rq, dom, vg_path(rq, "disk"), type);
}

/* libvirt's error `number` is also what it says when there is a job (1) or none (0): the
 * state of the disk, then, 409. */
static struct vg_reply fail_with_job(struct vg_request *rq, virDomainPtr dom, int number,
                                     int jobs)
{
    struct vg_error *e = vg_request_error(rq);
    virDomainBlockJobInfo info;

    vg_error_set_virt(e);
    if (vg_error_is_virt(e, number) &&
        virDomainGetBlockJobInfo(dom, vg_path(rq, "disk"), &info, 0) == jobs)
        vg_error_set_status(e, 409);
    return vg_fail(rq);
}

/* What libvirt's call returned, as the answer. */
static struct vg_reply reply_started(struct vg_request *rq, virDomainPtr dom, int rc)
{
    return rc < 0 ? fail_with_job(rq, dom, VIR_ERR_OPERATION_UNSUPPORTED, 1)
                  : vg_operation_left(rq);
}

static struct vg_reply pull_disk(struct vg_request *rq)
{
    int64_t bandwidth = 0;
    unsigned int flags = 0;
    const struct vg_field args[] = {
        VG_NUMBER("bandwidth", &bandwidth, 0, INT64_MAX),
        VG_FLAGS("flags", &flags, virDomainBlockPullFlags),
        VG_END,
    };

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom || begin_job(rq, dom, VIR_DOMAIN_BLOCK_JOB_TYPE_PULL) < 0)
        return vg_fail(rq);
    return reply_started(
        rq, dom,
        virDomainBlockPull(dom, vg_path(rq, "disk"), (unsigned long)bandwidth, flags));
}

static struct vg_reply rebase_disk(struct vg_request *rq)
{
    const char *base = NULL;
    int64_t bandwidth = 0;
    unsigned int flags = 0;
    const struct vg_field args[] = {
        VG_TEXT("base", &base),
        VG_NUMBER("bandwidth", &bandwidth, 0, INT64_MAX),
        VG_FLAGS("flags", &flags, virDomainBlockRebaseFlags),
        VG_END,
    };

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    bool copy = flags & VIR_DOMAIN_BLOCK_REBASE_COPY;
    if (copy &&
        vg_request_ask(rq, "gateway:path", "'copy' writes a file of the host") < 0)
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    int type = copy ? VIR_DOMAIN_BLOCK_JOB_TYPE_COPY : VIR_DOMAIN_BLOCK_JOB_TYPE_PULL;
    if (!dom || begin_job(rq, dom, type) < 0)
        return vg_fail(rq);
    return reply_started(rq, dom,
                         virDomainBlockRebase(dom, vg_path(rq, "disk"), base,
                                              (unsigned long)bandwidth, flags));
}

static struct vg_reply commit_disk(struct vg_request *rq)
{
    const char *base = NULL, *top = NULL;
    int64_t bandwidth = 0;
    unsigned int flags = 0;
    const struct vg_field args[] = {
        VG_TEXT("base", &base),
        VG_TEXT("top", &top),
        VG_NUMBER("bandwidth", &bandwidth, 0, INT64_MAX),
        VG_FLAGS("flags", &flags, virDomainBlockCommitFlags),
        VG_END,
    };

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    int type = flags & VIR_DOMAIN_BLOCK_COMMIT_ACTIVE
                   ? VIR_DOMAIN_BLOCK_JOB_TYPE_ACTIVE_COMMIT
                   : VIR_DOMAIN_BLOCK_JOB_TYPE_COMMIT;
    if (!dom || begin_job(rq, dom, type) < 0)
        return vg_fail(rq);
    return reply_started(rq, dom,
                         virDomainBlockCommit(dom, vg_path(rq, "disk"), base, top,
                                              (unsigned long)bandwidth, flags));
}

/* {"dest": "<disk>...</disk>"}; libvirt's typed parameters are members beside it. */
static struct vg_reply copy_disk(struct vg_request *rq)
{
    const char *dest = NULL;
    int64_t bandwidth = 0, granularity = 0, buffer = 0;
    unsigned int flags = 0;
    const struct vg_field args[] = {
        VG_NEED_TEXT("dest", &dest),
        VG_NUMBER("bandwidth", &bandwidth, 0, INT64_MAX),
        VG_NUMBER("granularity", &granularity, 0, UINT32_MAX),
        VG_NUMBER("bufSize", &buffer, 0, INT64_MAX),
        VG_FLAGS("flags", &flags, virDomainBlockCopyFlags),
        VG_END,
    };
    virTypedParameter params[3] = {
        {VIR_DOMAIN_BLOCK_COPY_BANDWIDTH, VIR_TYPED_PARAM_ULLONG, {0}},
        {VIR_DOMAIN_BLOCK_COPY_GRANULARITY, VIR_TYPED_PARAM_UINT, {0}},
        {VIR_DOMAIN_BLOCK_COPY_BUF_SIZE, VIR_TYPED_PARAM_ULLONG, {0}},
    };

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = vg_xml_check(rq, dest) == 0 ? vg_path_domain(rq) : NULL;
    if (!dom || begin_job(rq, dom, VIR_DOMAIN_BLOCK_JOB_TYPE_COPY) < 0)
        return vg_fail(rq);
    params[0].value.ul = (unsigned long long)bandwidth;
    params[1].value.ui = (unsigned int)granularity;
    params[2].value.ul = (unsigned long long)buffer;
    return reply_started(
        rq, dom, virDomainBlockCopy(dom, vg_path(rq, "disk"), dest, params, 3, flags));
}

/* ---- the job ----------------------------------------------------------------------- */

static struct vg_reply reply_job(struct vg_request *rq, virDomainPtr dom,
                                 unsigned int flags)
{
    json_t *job = NULL;

    if (vg_block_job_read(dom, vg_path(rq, "disk"), flags, &job, NULL,
                          vg_request_error(rq)) < 0)
        return vg_fail(rq);
    return vg_ok(rq, job);
}

static struct vg_reply get_job(struct vg_request *rq)
{
    unsigned int flags = 0;

    vg_autoptr(virDomain) dom =
        vg_flags_domain(rq, &vg_enum_virDomainBlockJobInfoFlags, &flags);
    return dom ? reply_job(rq, dom, flags) : vg_fail(rq);
}

static struct vg_reply set_job_speed(struct vg_request *rq)
{
    int64_t bandwidth = 0;
    unsigned int flags = 0;
    const struct vg_field args[] = {
        VG_NEED_NUMBER("bandwidth", &bandwidth, 0, INT64_MAX),
        VG_FLAGS("flags", &flags, virDomainBlockJobSetSpeedFlags),
        VG_END,
    };

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    if (virDomainBlockJobSetSpeed(dom, vg_path(rq, "disk"), (unsigned long)bandwidth,
                                  flags) < 0)
        return fail_with_job(rq, dom, VIR_ERR_INVALID_ARG, 0);
    /* both flags say bytes instead of MiB, and have one bit */
    _Static_assert((int)VIR_DOMAIN_BLOCK_JOB_SPEED_BANDWIDTH_BYTES ==
                       (int)VIR_DOMAIN_BLOCK_JOB_INFO_BANDWIDTH_BYTES,
                   "the flags differ");
    return reply_job(rq, dom, flags);
}

/* ?pivot=true&async=true or ?flags=pivot,async. 202 where libvirt was told not to wait
 * for the end. */
static struct vg_reply end_job(struct vg_request *rq)
{
    bool pivot = false, async = false;
    unsigned int flags = 0;
    const struct vg_field args[] = {
        VG_BOOL("pivot", &pivot),
        VG_BOOL("async", &async),
        VG_FLAGS("flags", &flags, virDomainBlockJobAbortFlags),
        VG_END,
    };

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    if (pivot)
        flags |= VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT;
    if (async)
        flags |= VIR_DOMAIN_BLOCK_JOB_ABORT_ASYNC;
    if (virDomainBlockJobAbort(dom, vg_path(rq, "disk"), flags) < 0)
        return fail_with_job(rq, dom, VIR_ERR_INVALID_ARG, 0);
    if (!(flags & VIR_DOMAIN_BLOCK_JOB_ABORT_ASYNC))
        return vg_no_content(rq);
    return vg_accepted(
        rq, vg_domain_child_href(rq, dom, "disks", vg_path(rq, "disk"), "/job"), NULL);
}

/* clang-format off */
const struct vg_route vg_routes_domain_blockjob[] = {
    {VG_POST, "/domains/{domain}/disks/{disk}/pull", "pullDomainDisk", pull_disk,
     .needs = "domain:getattr domain:read domain:block_write", .runs_on = VG_ON_JOB,
     .takes = VG_TAKES_ARGS},
    {VG_POST, "/domains/{domain}/disks/{disk}/rebase", "rebaseDomainDisk", rebase_disk,
     .needs = "domain:getattr domain:block_write", .runs_on = VG_ON_JOB, .takes = VG_TAKES_ARGS},
    {VG_POST, "/domains/{domain}/disks/{disk}/commit", "commitDomainDisk", commit_disk,
     .needs = "domain:getattr domain:read domain:block_write", .runs_on = VG_ON_JOB,
     .takes = VG_TAKES_ARGS},
    {VG_POST, "/domains/{domain}/disks/{disk}/copy", "copyDomainDisk", copy_disk,
     .needs = "domain:getattr domain:block_write gateway:document", .runs_on = VG_ON_JOB,
     .takes = VG_TAKES_DOCUMENT},
    {VG_GET, "/domains/{domain}/disks/{disk}/job", "getDomainDiskJob", get_job,
     .needs = "domain:getattr domain:read", .takes = VG_TAKES_ARGS, .shared = true},
    {VG_PATCH, "/domains/{domain}/disks/{disk}/job", "setDomainDiskJobSpeed", set_job_speed,
     .needs = "domain:getattr domain:read domain:write", .takes = VG_TAKES_ARGS},
    {VG_DELETE, "/domains/{domain}/disks/{disk}/job", "endDomainDiskJob", end_job,
     .needs = "domain:getattr domain:read domain:block_write domain:write", .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
