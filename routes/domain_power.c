/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * POST /domains/{domain}/start, shutdown, reboot, reset, suspend, resume, destroy:
 * virDomainCreateWithFlags, ShutdownFlags, Reboot, Reset, Suspend, Resume, DestroyFlags.
 */
#include "routes/routes.h"
#include "virtgate/conflict.h"
#include "virtgate/object.h"

/* {"flags": ["paused"]} */
static struct vg_reply start_domain(struct vg_request *rq)
{
    unsigned int flags = 0;
    const struct vg_field args[] = {VG_FLAGS("flags", &flags, virDomainCreateFlags),
                                    VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    if (virDomainCreateWithFlags(dom, flags) < 0)
        return vg_fail_in_state(rq, dom, VG_NEEDS_INACTIVE);
    return vg_no_content(rq);
}

/* {"flags": ["acpi-power-btn"]} */
static struct vg_reply shutdown_domain(struct vg_request *rq)
{
    unsigned int flags = 0;
    const struct vg_field args[] = {
        VG_FLAGS("flags", &flags, virDomainShutdownFlagValues), VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    if (virDomainShutdownFlags(dom, flags) < 0)
        return vg_fail_in_state(rq, dom, VG_NEEDS_ACTIVE);
    return vg_no_content(rq);
}

/* {"flags": ["guest-agent"]} */
static struct vg_reply reboot_domain(struct vg_request *rq)
{
    unsigned int flags = 0;
    const struct vg_field args[] = {VG_FLAGS("flags", &flags, virDomainRebootFlagValues),
                                    VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    if (virDomainReboot(dom, flags) < 0)
        return vg_fail_in_state(rq, dom, VG_NEEDS_ACTIVE);
    return vg_no_content(rq);
}

/* {"flags": ["graceful"]} */
static struct vg_reply destroy_domain(struct vg_request *rq)
{
    unsigned int flags = 0;
    const struct vg_field args[] = {
        VG_FLAGS("flags", &flags, virDomainDestroyFlagsValues), VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    if (virDomainDestroyFlags(dom, flags) < 0)
        return vg_fail_in_state(rq, dom, VG_NEEDS_ACTIVE);
    return vg_no_content(rq);
}

static struct vg_reply reset_domain(struct vg_request *rq)
{
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    if (virDomainReset(dom, 0) < 0)
        return vg_fail_in_state(rq, dom, VG_NEEDS_ACTIVE);
    return vg_no_content(rq);
}

static struct vg_reply suspend_domain(struct vg_request *rq)
{
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    if (virDomainSuspend(dom) < 0)
        return vg_fail_in_state(rq, dom, VG_NEEDS_RUNNING);
    return vg_no_content(rq);
}

static struct vg_reply resume_domain(struct vg_request *rq)
{
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    if (virDomainResume(dom) < 0)
        return vg_fail_in_state(rq, dom, VG_NEEDS_PAUSED);
    return vg_no_content(rq);
}

/* clang-format off */
const struct vg_route vg_routes_domain_power[] = {
    {VG_POST, "/domains/{domain}/start", "startDomain", VG_OPERATE | VG_ARGS, start_domain},
    {VG_POST, "/domains/{domain}/shutdown", "shutdownDomain", VG_OPERATE | VG_ARGS, shutdown_domain},
    {VG_POST, "/domains/{domain}/reboot", "rebootDomain", VG_OPERATE | VG_ARGS, reboot_domain},
    {VG_POST, "/domains/{domain}/reset", "resetDomain", VG_OPERATE, reset_domain},
    {VG_POST, "/domains/{domain}/suspend", "suspendDomain", VG_OPERATE, suspend_domain},
    {VG_POST, "/domains/{domain}/resume", "resumeDomain", VG_OPERATE, resume_domain},
    {VG_POST, "/domains/{domain}/destroy", "destroyDomain", VG_OPERATE | VG_ARGS, destroy_domain},
    {0},
};
/* clang-format on */
