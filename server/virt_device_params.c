/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Typed parameters of disks and interfaces: read, and changed by a merge patch.
 */
#include "server/request.h"
#include "virtgate/device.h"
#include "virtgate/object.h"
#include "virtgate/params.h"

/* First how many there are, then which. */
static int read_params(struct vg_request *rq, virDomainPtr dom,
                       const struct vg_device_params *which, unsigned int flags,
                       struct vg_params *ret)
{
    const char *name = vg_path(rq, which->segment);
    int n = 0;

    if (which->get(dom, name, NULL, &n, flags) < 0) {
        vg_error_set_virt(&rq->error);
        return -1;
    }
    if (n <= 0)
        return 0;
    ret->v = calloc((size_t)n, sizeof(*ret->v));
    if (!ret->v) {
        vg_error_set(&rq->error, VG_E_INTERNAL, "Out of memory");
        return -1;
    }
    if (which->get(dom, name, ret->v, &n, flags) < 0) {
        vg_error_set_virt(&rq->error);
        return -1;
    }
    ret->n = n;
    return 0;
}

json_t *vg_device_params_read(struct vg_request *rq, virDomainPtr dom,
                              const struct vg_device_params *which, unsigned int flags)
{
    vg_auto_params params = {0};

    if (read_params(rq, dom, which, flags, &params) < 0)
        return NULL;
    json_t *json = vg_params_to_json(params.v, params.n);
    if (!json)
        vg_error_set(&rq->error, VG_E_INTERNAL, "Out of memory");
    return json;
}

static struct vg_reply reply_params(struct vg_request *rq, virDomainPtr dom,
                                    const struct vg_device_params *which,
                                    unsigned int flags)
{
    json_t *json = vg_device_params_read(rq, dom, which, flags);
    return json ? vg_ok(rq, json) : vg_fail(rq);
}

struct vg_reply vg_device_params_get(struct vg_request *rq,
                                     const struct vg_device_params *which)
{
    unsigned int flags = 0;
    const struct vg_field args[] = {VG_NAMES("flags", &flags, which->flags), VG_END};

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    return dom ? reply_params(rq, dom, which, flags) : vg_fail(rq);
}

/* Changing both is one call, reading both is an error: the running domain's are shown. */
static unsigned int flags_to_read(unsigned int flags)
{
    return flags & VIR_DOMAIN_AFFECT_LIVE
               ? flags & ~(unsigned int)VIR_DOMAIN_AFFECT_CONFIG
               : flags;
}

struct vg_reply vg_device_params_patch(struct vg_request *rq,
                                       const struct vg_device_params *which)
{
    unsigned int flags = 0;
    json_t *given = NULL;
    const struct vg_field args[] = {VG_NAMES("flags", &flags, which->flags),
                                    VG_REST(&given), VG_END};
    vg_auto_params current = {0};
    vg_auto_params wanted = {0};

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    if (!rq->json) {
        vg_error_set(&rq->error, VG_E_MISSING_KEY,
                     "Send the parameters to change as a JSON object");
        return vg_fail(rq);
    }
    if (read_params(rq, dom, which, flags_to_read(flags), &current) < 0 ||
        vg_params_from_json(given, current.v, current.n, &wanted.v, &wanted.n,
                            &rq->error) < 0)
        return vg_fail(rq);
    if (wanted.n > 0 &&
        which->set(dom, vg_path(rq, which->segment), wanted.v, wanted.n, flags) < 0)
        return vg_fail_virt(rq);
    return reply_params(rq, dom, which, flags_to_read(flags));
}
