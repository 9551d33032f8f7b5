/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /domains/{domain}/agent/...: what the guest agent tells and does: filesystems, time,
 * processors, information, commands; and how long libvirt waits for it.
 */
#include "routes/routes.h"
#include "virtgate/conflict.h"
#include "virtgate/cpumap.h"
#include "virtgate/object.h"
#include "virtgate/params.h"
#include "virtgate/qmp.h"
#include "virtgate/text_list.h"

#include <libvirt/libvirt-qemu.h>

#define MAX_NANOSECONDS 999999999

/* The agent lives in a running guest. */
static struct vg_reply fail_agent(struct vg_request *rq, virDomainPtr dom)
{
    return vg_fail_in_state(rq, dom, VG_NEEDS_RUNNING);
}

/* ---- filesystems ------------------------------------------------------------------- */

VG_AUTOLIST_DEFINE(filesystem, virDomainFSInfo, virDomainFSInfoFree)

static struct vg_reply list_filesystems(struct vg_request *rq)
{
    vg_autolist(filesystem) list = {0};

    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    list.n = virDomainGetFSInfo(dom, &list.v, 0);
    if (list.n < 0)
        return fail_agent(rq, dom);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_begin_array(&w, "filesystems");
    for (int i = 0; i < list.n; i++) {
        const virDomainFSInfo *fs = list.v[i];
        vg_json_begin_object(&w, NULL);
        vg_json_string(&w, "mountpoint", fs->mountpoint);
        vg_json_string(&w, "name", fs->name);
        vg_json_string(&w, "type", fs->fstype);
        vg_json_begin_array(&w, "devices");
        for (size_t d = 0; d < fs->ndevAlias; d++)
            vg_json_string(&w, NULL, fs->devAlias[d]);
        vg_json_end_array(&w);
        vg_json_end_object(&w);
    }
    vg_json_end_array(&w);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

typedef int (*fs_call)(virDomainPtr dom, const char **mountpoints, unsigned int n,
                       unsigned int flags);

/* {"mountpoints": ["/"]}; without them, all. */
static struct vg_reply freeze_or_thaw(struct vg_request *rq, fs_call call)
{
    json_t *given = NULL;
    const struct vg_field args[] = {VG_JSON("mountpoints", &given), VG_END};
    vg_autolist(text) mountpoints = {0};

    if (vg_args(rq, args) < 0 ||
        vg_text_list_read(rq, "mountpoints", given, &mountpoints) < 0)
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    int n = call(dom, mountpoints.v, mountpoints.n, 0);
    if (n < 0)
        return fail_agent(rq, dom);
    return vg_ok(rq, json_pack("{s:i}", "filesystems", n));
}

static struct vg_reply freeze_filesystems(struct vg_request *rq)
{
    return freeze_or_thaw(rq, virDomainFSFreeze);
}

static struct vg_reply thaw_filesystems(struct vg_request *rq)
{
    return freeze_or_thaw(rq, virDomainFSThaw);
}

static struct vg_reply trim_filesystems(struct vg_request *rq)
{
    const char *mountpoint = NULL;
    int64_t minimum = 0;
    const struct vg_field args[] = {VG_TEXT("mountpoint", &mountpoint),
                                    VG_NUMBER("minimumBytes", &minimum, 0, INT64_MAX),
                                    VG_END};

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    return vg_done_in_state(
        rq, dom, VG_NEEDS_RUNNING,
        virDomainFSTrim(dom, mountpoint, (unsigned long long)minimum, 0));
}

/* ---- information ------------------------------------------------------------------- */

static struct vg_reply reply_params(struct vg_request *rq, const struct vg_params *params)
{
    return vg_ok(rq, vg_params_to_json(params->v, params->n));
}

static struct vg_reply get_guest_info(struct vg_request *rq)
{
    unsigned int types = 0;
    const struct vg_field args[] = {VG_FLAGS("types", &types, virDomainGuestInfoTypes),
                                    VG_END};
    vg_auto_params params = {0};

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    if (virDomainGetGuestInfo(dom, types, &params.v, &params.n, 0) < 0)
        return fail_agent(rq, dom);
    return reply_params(rq, &params);
}

/* ---- time -------------------------------------------------------------------------- */

static struct vg_reply get_time(struct vg_request *rq)
{
    long long seconds = 0;
    unsigned int nseconds = 0;

    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    if (virDomainGetTime(dom, &seconds, &nseconds, 0) < 0)
        return fail_agent(rq, dom);
    return vg_ok(rq, json_pack("{s:I, s:I}", "seconds", (json_int_t)seconds, "nseconds",
                               (json_int_t)nseconds));
}

/* {"seconds": 1700000000, "nseconds": 0}, or {"flags": ["sync"]}: from the guest's clock.
 */
static struct vg_reply set_time(struct vg_request *rq)
{
    int64_t seconds = -1, nseconds = 0;
    unsigned int flags = 0;
    const struct vg_field args[] = {VG_NUMBER("seconds", &seconds, 0, INT64_MAX),
                                    VG_NUMBER("nseconds", &nseconds, 0, MAX_NANOSECONDS),
                                    VG_FLAGS("flags", &flags, virDomainSetTimeFlags),
                                    VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    if (seconds < 0 && !(flags & VIR_DOMAIN_TIME_SYNC)) {
        vg_error_set(vg_request_error(rq), VG_E_MISSING_KEY,
                     "Either 'seconds' or the flag 'sync' is required");
        return vg_fail(rq);
    }
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    return vg_done_in_state(
        rq, dom, VG_NEEDS_RUNNING,
        virDomainSetTime(dom, seconds < 0 ? 0 : seconds, (unsigned int)nseconds, flags));
}

/* ---- processors -------------------------------------------------------------------- */

static struct vg_reply reply_vcpus(struct vg_request *rq, virDomainPtr dom)
{
    vg_auto_params params = {0};
    unsigned int n = 0;

    if (virDomainGetGuestVcpus(dom, &params.v, &n, 0) < 0)
        return fail_agent(rq, dom);
    params.n = (int)n;
    return reply_params(rq, &params);
}

static struct vg_reply get_vcpus(struct vg_request *rq)
{
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    return dom ? reply_vcpus(rq, dom) : vg_fail(rq);
}

/* {"cpus": "1-3,^2", "online": false}, or {"cpus": [1, 3], ...} */
static struct vg_reply set_vcpus(struct vg_request *rq)
{
    struct vg_cpumap map;
    bool online = false;
    const struct vg_field args[] = {VG_NEED_CPUS("cpus", &map),
                                    VG_NEED_BOOL("online", &online), VG_END};

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    vg_autofree char *cpus = vg_cpumap_text(&map);
    if (!cpus)
        return vg_fail_memory(rq);
    if (virDomainSetGuestVcpus(dom, cpus, online, 0) < 0)
        return fail_agent(rq, dom);
    return reply_vcpus(rq, dom);
}

/* ---- how long to wait, commands ---------------------------------------------------- */

/* libvirt's one number is given as seconds or by a name. */
struct timeout {
    int64_t seconds;
    int named;
};
#define NOT_GIVEN INT32_MIN
#define NO_TIMEOUT                                                                       \
    {                                                                                    \
        -1, NOT_GIVEN                                                                    \
    }

/* NOT_GIVEN when it is neither; -1: given both, neither is meant. */
static int read_timeout(struct vg_request *rq, const struct timeout *timeout, int *ret)
{
    if (timeout->seconds >= 0 && timeout->named != NOT_GIVEN)
        return vg_fail_value(
            rq, "Either 'timeout' or 'timeoutSeconds' is accepted, not both");
    *ret = timeout->seconds >= 0 ? (int)timeout->seconds : timeout->named;
    return 0;
}

/* {"timeoutSeconds": 10} or {"timeout": "default"} */
static struct vg_reply set_timeout(struct vg_request *rq)
{
    struct timeout given = NO_TIMEOUT;
    const struct vg_field args[] = {
        VG_NUMBER("timeoutSeconds", &given.seconds, 1, INT32_MAX),
        VG_ENUM("timeout", &given.named, virDomainAgentResponseTimeoutValues), VG_END};
    int timeout;

    if (vg_args(rq, args) < 0 || read_timeout(rq, &given, &timeout) < 0)
        return vg_fail(rq);
    if (timeout == NOT_GIVEN) {
        vg_error_set(vg_request_error(rq), VG_E_MISSING_KEY,
                     "Either 'timeout' or 'timeoutSeconds' is required");
        return vg_fail(rq);
    }
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    return vg_done_in_state(rq, dom, VG_NEEDS_RUNNING,
                            virDomainAgentSetResponseTimeout(dom, timeout, 0));
}

/* {"execute": "guest-ping", "arguments": {}} */
static struct vg_reply run_command(struct vg_request *rq)
{
    const char *execute = NULL;
    json_t *arguments = NULL;
    struct timeout given = NO_TIMEOUT;
    const struct vg_field args[] = {
        VG_NEED_TEXT("execute", &execute), VG_COMMAND("arguments", &arguments),
        VG_NUMBER("timeoutSeconds", &given.seconds, 1, INT32_MAX),
        VG_ENUM("timeout", &given.named, virDomainQemuAgentCommandTimeoutValues), VG_END};
    int timeout;

    if (vg_args(rq, args) < 0 || read_timeout(rq, &given, &timeout) < 0)
        return vg_fail(rq);
    vg_autofree char *command = vg_qmp_command(rq, execute, arguments);
    if (!command)
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    if (timeout == NOT_GIVEN)
        timeout = VIR_DOMAIN_QEMU_AGENT_COMMAND_DEFAULT;
    char *answer = virDomainQemuAgentCommand(dom, command, timeout, 0);
    return answer ? vg_qmp_reply(rq, answer) : fail_agent(rq, dom);
}

/* clang-format off */
const struct vg_route vg_routes_domain_agent[] = {
    {VG_GET, "/domains/{domain}/agent/filesystems", "listGuestFilesystems", list_filesystems,
     .needs = "domain:getattr domain:fs_freeze", .runs_on = VG_ON_AGENT, .shared = true},
    {VG_POST, "/domains/{domain}/agent/fs-freeze", "freezeGuestFilesystems", freeze_filesystems,
     .needs = "domain:getattr domain:fs_freeze", .runs_on = VG_ON_AGENT, .takes = VG_TAKES_ARGS},
    {VG_POST, "/domains/{domain}/agent/fs-thaw", "thawGuestFilesystems", thaw_filesystems,
     .needs = "domain:getattr domain:fs_freeze", .runs_on = VG_ON_AGENT, .takes = VG_TAKES_ARGS},
    {VG_POST, "/domains/{domain}/agent/fs-trim", "trimGuestFilesystems", trim_filesystems,
     .needs = "domain:getattr domain:fs_trim", .runs_on = VG_ON_AGENT, .takes = VG_TAKES_ARGS},
    {VG_GET, "/domains/{domain}/agent/info", "getGuestInfo", get_guest_info,
     .needs = "domain:getattr domain:write", .runs_on = VG_ON_AGENT, .takes = VG_TAKES_ARGS,
     .shared = true},
    {VG_GET, "/domains/{domain}/agent/time", "getGuestTime", get_time,
     .needs = "domain:getattr domain:write", .runs_on = VG_ON_AGENT, .shared = true},
    {VG_PUT, "/domains/{domain}/agent/time", "setGuestTime", set_time,
     .needs = "domain:getattr domain:set_time", .runs_on = VG_ON_AGENT, .takes = VG_TAKES_ARGS},
    {VG_GET, "/domains/{domain}/agent/vcpus", "getGuestVcpus", get_vcpus,
     .needs = "domain:getattr domain:write", .runs_on = VG_ON_AGENT, .shared = true},
    {VG_PATCH, "/domains/{domain}/agent/vcpus", "setGuestVcpus", set_vcpus,
     .needs = "domain:getattr domain:write", .runs_on = VG_ON_AGENT, .takes = VG_TAKES_ARGS},
    {VG_PUT, "/domains/{domain}/agent/timeout", "setGuestAgentTimeout", set_timeout,
     .needs = "domain:getattr domain:write", .takes = VG_TAKES_ARGS},
    {VG_POST, "/domains/{domain}/agent/command", "runGuestAgentCommand", run_command,
     .needs = "domain:getattr domain:write gateway:command", .runs_on = VG_ON_AGENT,
     .takes = VG_TAKES_SECRET},
    {0},
};
/* clang-format on */
