/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /domains/{domain}/security-labels, launch-security: how a guest is confined on its
 * host, and how it is protected from it (AMD SEV).
 */
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/object.h"
#include "virtgate/params.h"

#include <libvirt/virterror.h>

/* As virDomainGetSecurityLabelList; a driver that only has the older call has one label.
 * -1: the request's error is set. */
static int read_labels(struct vg_request *rq, virDomainPtr dom, virSecurityLabelPtr *ret)
{
    int n = virDomainGetSecurityLabelList(dom, ret);

    if (n < 0 && virGetLastErrorCode() == VIR_ERR_NO_SUPPORT) {
        *ret = calloc(1, sizeof(**ret));
        if (!*ret)
            return vg_error_set_memory(vg_request_error(rq));
        n = virDomainGetSecurityLabel(dom, *ret) == 0 ? 1 : -1;
    }
    if (n < 0)
        vg_error_set_virt(vg_request_error(rq));
    return n;
}

static struct vg_reply list_security_labels(struct vg_request *rq)
{
    vg_autofree virSecurityLabelPtr labels = NULL;
    vg_autoptr(virDomain) dom = vg_path_domain(rq);

    if (!dom)
        return vg_fail(rq);
    int n = read_labels(rq, dom, &labels);
    if (n < 0)
        return vg_fail(rq);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_begin_array(&w, "labels");
    for (int i = 0; i < n; i++) {
        vg_json_begin_object(&w, NULL);
        vg_json_string(&w, "label", labels[i].label);
        vg_json_bool(&w, "enforcing", labels[i].enforcing);
        vg_json_end_object(&w);
    }
    vg_json_end_array(&w);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

static const struct vg_domain_params launch_security = {
    .get_all = virDomainGetLaunchSecurityInfo,
    .set = virDomainSetLaunchSecurityState,
};

static struct vg_reply get_launch_security(struct vg_request *rq)
{
    vg_autoptr(virDomain) dom = vg_path_domain(rq);

    if (!dom)
        return vg_fail(rq);
    json_t *object = vg_domain_params_json(rq, dom, &launch_security, 0);
    return object ? vg_ok(rq, object) : vg_fail(rq);
}

/* {"sevSecretHeader": "...", "sevSecret": "..."}: other names than those of the getter.
 */
static struct vg_reply set_launch_security(struct vg_request *rq)
{
    json_t *object = NULL;
    vg_auto_params params = {0};
    const struct vg_field args[] = {VG_REST(&object), VG_END};

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    if (vg_params_from_json(object, NULL, 0, &params.v, &params.n, vg_request_error(rq)) <
        0)
        return vg_fail(rq);
    return vg_done(rq, launch_security.set(dom, params.v, params.n, 0));
}

/* clang-format off */
const struct vg_route vg_routes_domain_security[] = {
    {VG_GET, "/domains/{domain}/security-labels", "listDomainSecurityLabels", list_security_labels,
     .needs = "domain:getattr domain:read", .shared = true},
    {VG_GET, "/domains/{domain}/launch-security", "getDomainLaunchSecurity", get_launch_security,
     .needs = "domain:getattr domain:read domain:read_secure", .shared = true},
    {VG_PUT, "/domains/{domain}/launch-security", "setDomainLaunchSecurity", set_launch_security,
     .needs = "domain:getattr domain:read_secure domain:write", .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
