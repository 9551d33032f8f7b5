/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * POST /domains/{domain}/qemu/monitor: virDomainQemuMonitorCommand. Root on the host in
 * effect, and libvirt marks the domain as tainted.
 */
#include "routes/routes.h"
#include "virtgate/conflict.h"
#include "virtgate/object.h"
#include "virtgate/qmp.h"

#include <libvirt/libvirt-qemu.h>

/* {"execute": "query-status", "arguments": {}}, {"hmp": "info status"} */
static struct vg_reply run_monitor_command(struct vg_request *rq)
{
    const char *execute = NULL, *hmp = NULL;
    json_t *arguments = NULL;
    unsigned int flags = 0;
    const struct vg_field args[] = {
        VG_TEXT("execute", &execute), VG_COMMAND("arguments", &arguments),
        VG_TEXT("hmp", &hmp), VG_FLAGS("flags", &flags, virDomainQemuMonitorCommandFlags),
        VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    bool human = hmp || flags & VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP;
    if (!execute == !hmp || (human && arguments)) {
        vg_error_set(vg_request_error(rq),
                     execute || hmp ? VG_E_INVALID_VALUE : VG_E_MISSING_KEY,
                     "Either 'execute' (with 'arguments') or 'hmp' is accepted, one of "
                     "them is required");
        return vg_fail(rq);
    }
    vg_autofree char *command = human ? NULL : vg_qmp_command(rq, execute, arguments);
    if (!human && !command)
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    vg_autofree char *answer = NULL;
    if (virDomainQemuMonitorCommand(
            dom, human ? (hmp ? hmp : execute) : command, &answer,
            flags | (human ? VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP : 0U)) < 0)
        return vg_fail_in_state(rq, dom, VG_NEEDS_ACTIVE);
    if (human)
        return vg_ok(rq, json_pack("{s:o}", "text", vg_json_text(answer)));
    return vg_qmp_reply(rq, vg_take(&answer));
}

/* clang-format off */
const struct vg_route vg_routes_domain_monitor[] = {
    {VG_POST, "/domains/{domain}/qemu/monitor", "runMonitorCommand", run_monitor_command,
     .needs = "domain:getattr domain:write gateway:command", .takes = VG_TAKES_SECRET},
    {0},
};
/* clang-format on */
