/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /domains/{domain}/control, messages, lifecycle-actions/{event}: whether its host has a
 * domain under control, what it says of it, and what it does when the guest ends.
 */
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/object.h"

#include <string.h>

static struct vg_reply get_control(struct vg_request *rq)
{
    virDomainControlInfo info;
    vg_autoptr(virDomain) dom = vg_path_domain(rq);

    if (!dom)
        return vg_fail(rq);
    if (virDomainGetControlInfo(dom, &info, 0) < 0)
        return vg_fail_virt(rq);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_enum(&w, "state", &vg_enum_virDomainControlState, info.state);
    vg_json_enum(&w, "details", &vg_enum_virDomainControlErrorReason, info.details);
    vg_json_uint(&w, "stateTimeMs", info.stateTime);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

/* ?types=tainting, the same as ?flags=tainting */
static struct vg_reply list_messages(struct vg_request *rq)
{
    unsigned int types = 0, flags = 0;
    vg_autolist(string) list = {0};
    const struct vg_field args[] = {
        VG_FLAGS("types", &types, virDomainMessageType),
        VG_FLAGS("flags", &flags, virDomainMessageType),
        VG_END,
    };

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    list.n = virDomainGetMessages(dom, &list.v, types | flags);
    if (list.n < 0)
        return vg_fail_virt(rq);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_begin_array(&w, "messages");
    for (int i = 0; i < list.n; i++)
        vg_json_string(&w, NULL, list.v[i]);
    vg_json_end_array(&w);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

/* PUT .../lifecycle-actions/poweroff {"action": "restart"} */
static struct vg_reply set_lifecycle_action(struct vg_request *rq)
{
    const char *event = vg_path(rq, "event");
    const struct vg_enum_value *type =
        vg_enum_lookup(&vg_enum_virDomainLifecycle, event, strlen(event));
    int action = 0;
    unsigned int flags = 0;
    const struct vg_field args[] = {
        VG_NEED_ENUM("action", &action, virDomainLifecycleAction),
        VG_FLAGS("flags", &flags, virDomainModificationImpact),
        VG_END,
    };

    if (!type) {
        vg_autofree char *names = vg_enum_names(&vg_enum_virDomainLifecycle);
        vg_error_set(vg_request_error(rq), VG_E_UNKNOWN_VALUE,
                     "'%.100s' in the path is not known; accepted: %s", event,
                     names ? names : "");
        return vg_fail(rq);
    }
    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    return vg_done(rq, virDomainSetLifecycleAction(dom, (unsigned int)type->value,
                                                   (unsigned int)action, flags));
}

/* clang-format off */
const struct vg_route vg_routes_domain_control[] = {
    {VG_GET, "/domains/{domain}/control", "getDomainControl", get_control,
     .needs = "domain:getattr domain:read", .shared = true},
    {VG_GET, "/domains/{domain}/messages", "listDomainMessages", list_messages,
     .needs = "domain:getattr domain:read", .takes = VG_TAKES_ARGS, .shared = true},
    {VG_PUT, "/domains/{domain}/lifecycle-actions/{event}", "setDomainLifecycleAction",
     set_lifecycle_action,
     .needs = "domain:getattr domain:write", .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
