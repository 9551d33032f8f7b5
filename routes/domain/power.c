/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * POST /domains/{domain}/start, shutdown, reboot, reset, suspend, resume, destroy:
 * virDomainCreateWithFlags, ShutdownFlags, Reboot, Reset, Suspend, Resume, DestroyFlags.
 */
#include "routes/routes.h"
#include "virtgate/conflict.h"
#include "virtgate/object.h"

/* One libvirt call on a domain, the flags it takes, and the state it needs. */
struct action {
    int (*call)(virDomainPtr dom, unsigned int flags);
    const struct vg_enum *flags; /* NULL: none */
    enum vg_needed_state needs;
    unsigned int agent; /* the flag that asks the guest's agent; 0: none */
};

/* libvirt itself asks more where the agent is named. */
static int ask_for_agent(struct vg_request *rq, unsigned int named)
{
    return named ? vg_request_ask(rq, "domain:write", "This asks the guest's agent") : 0;
}

/* {"flags": ["paused"]} */
static struct vg_reply act(struct vg_request *rq, const struct action *action)
{
    unsigned int flags = 0;

    vg_autoptr(virDomain) dom =
        action->flags ? vg_flags_domain(rq, action->flags, &flags) : vg_path_domain(rq);
    if (!dom || ask_for_agent(rq, flags & action->agent) < 0)
        return vg_fail(rq);
    return vg_done_in_state(rq, dom, action->needs, action->call(dom, flags));
}

static struct vg_reply start_domain(struct vg_request *rq)
{
    static const struct action start = {
        virDomainCreateWithFlags, &vg_enum_virDomainCreateFlags, VG_NEEDS_INACTIVE, 0};
    return act(rq, &start);
}

/* The guest shuts down when it likes, or not at all: 202, and its state tells. */
static struct vg_reply shutdown_domain(struct vg_request *rq)
{
    unsigned int flags = 0;

    vg_autoptr(virDomain) dom =
        vg_flags_domain(rq, &vg_enum_virDomainShutdownFlagValues, &flags);
    if (!dom || ask_for_agent(rq, flags & VIR_DOMAIN_SHUTDOWN_GUEST_AGENT) < 0)
        return vg_fail(rq);
    if (virDomainShutdownFlags(dom, flags) < 0)
        return vg_fail_in_state(rq, dom, VG_NEEDS_ACTIVE);
    return vg_accepted(rq, vg_domain_child_href(rq, dom, "state", NULL, ""), NULL);
}

static struct vg_reply reboot_domain(struct vg_request *rq)
{
    static const struct action reboot = {virDomainReboot,
                                         &vg_enum_virDomainRebootFlagValues,
                                         VG_NEEDS_ACTIVE, VIR_DOMAIN_REBOOT_GUEST_AGENT};
    return act(rq, &reboot);
}

static struct vg_reply destroy_domain(struct vg_request *rq)
{
    static const struct action destroy = {
        virDomainDestroyFlags, &vg_enum_virDomainDestroyFlagsValues, VG_NEEDS_ACTIVE, 0};
    return act(rq, &destroy);
}

static struct vg_reply reset_domain(struct vg_request *rq)
{
    static const struct action reset = {virDomainReset, NULL, VG_NEEDS_ACTIVE, 0};
    return act(rq, &reset);
}

static int suspend(virDomainPtr dom, unsigned int flags)
{
    (void)flags;
    return virDomainSuspend(dom);
}

static struct vg_reply suspend_domain(struct vg_request *rq)
{
    static const struct action action = {suspend, NULL, VG_NEEDS_RUNNING, 0};
    return act(rq, &action);
}

static int resume(virDomainPtr dom, unsigned int flags)
{
    (void)flags;
    return virDomainResume(dom);
}

static struct vg_reply resume_domain(struct vg_request *rq)
{
    static const struct action action = {resume, NULL, VG_NEEDS_PAUSED, 0};
    return act(rq, &action);
}

/* clang-format off */
const struct vg_route vg_routes_domain_power[] = {
    {VG_POST, "/domains/{domain}/start", "startDomain", start_domain,
     .needs = "domain:getattr domain:start", .takes = VG_TAKES_ARGS},
    {VG_POST, "/domains/{domain}/shutdown", "shutdownDomain", shutdown_domain,
     .needs = "domain:getattr domain:init_control", .runs_on = VG_ON_AGENT_BY_DEFAULT,
     .takes = VG_TAKES_ARGS},
    {VG_POST, "/domains/{domain}/reboot", "rebootDomain", reboot_domain,
     .needs = "domain:getattr domain:init_control", .runs_on = VG_ON_AGENT_BY_DEFAULT,
     .takes = VG_TAKES_ARGS},
    {VG_POST, "/domains/{domain}/reset", "resetDomain", reset_domain,
     .needs = "domain:getattr domain:reset"},
    {VG_POST, "/domains/{domain}/suspend", "suspendDomain", suspend_domain,
     .needs = "domain:getattr domain:suspend"},
    {VG_POST, "/domains/{domain}/resume", "resumeDomain", resume_domain,
     .needs = "domain:getattr domain:suspend"},
    {VG_POST, "/domains/{domain}/destroy", "destroyDomain", destroy_domain,
     .needs = "domain:getattr domain:stop", .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
