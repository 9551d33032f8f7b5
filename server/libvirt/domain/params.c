/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Families of a domain's typed parameters: read, shown, changed. See
 * include/virtgate/params.h.
 */
#include "server/core/request.h"
#include "virtgate/autoptr.h"
#include "virtgate/object.h"
#include "virtgate/params.h"

#include <string.h>

/* More than any family has: a daemon that says so is not believed. */
#define MAX_PARAMS 4096

static int call_get(const struct vg_request *rq, virDomainPtr dom,
                    const struct vg_domain_params *family, virTypedParameterPtr params,
                    int *n, unsigned int flags)
{
    return family->get_of
               ? family->get_of(dom, vg_path(rq, family->segment), params, n, flags)
               : family->get(dom, params, n, flags);
}

static int call_set(const struct vg_request *rq, virDomainPtr dom,
                    const struct vg_domain_params *family, const struct vg_params *params,
                    unsigned int flags)
{
    return family->set_of ? family->set_of(dom, vg_path(rq, family->segment), params->v,
                                           params->n, flags)
                          : family->set(dom, params->v, params->n, flags);
}

/* In libvirt's two calls, how many and then which (the second may fill fewer), or one. */
static int read_family(struct vg_request *rq, virDomainPtr dom,
                       const struct vg_domain_params *family, unsigned int flags,
                       struct vg_params *ret)
{
    int n = 0;

    if (family->get_all)
        return family->get_all(dom, &ret->v, &ret->n, flags) < 0
                   ? vg_error_set_virt(vg_request_error(rq))
                   : 0;
    if (call_get(rq, dom, family, NULL, &n, flags) < 0)
        return vg_error_set_virt(vg_request_error(rq));
    if (n <= 0)
        return 0;
    if (n > MAX_PARAMS)
        n = MAX_PARAMS;
    ret->v = calloc((size_t)n, sizeof(*ret->v));
    if (!ret->v)
        return vg_error_set_memory(vg_request_error(rq));
    if (call_get(rq, dom, family, ret->v, &n, flags) < 0)
        return vg_error_set_virt(vg_request_error(rq));
    ret->n = n;
    return 0;
}

json_t *vg_domain_params_json(struct vg_request *rq, virDomainPtr dom,
                              const struct vg_domain_params *family, unsigned int flags)
{
    vg_auto_params list = {0};

    if (read_family(rq, dom, family, flags, &list) < 0)
        return NULL;
    json_t *object = vg_params_to_json(list.v, list.n);
    if (!object)
        vg_error_set_memory(vg_request_error(rq));
    return object;
}

static struct vg_reply reply_params(struct vg_request *rq, virDomainPtr dom,
                                    const struct vg_domain_params *family,
                                    unsigned int flags)
{
    json_t *object = vg_domain_params_json(rq, dom, family, flags);
    return object ? vg_ok(rq, object) : vg_fail(rq);
}

struct vg_reply vg_domain_params_get(struct vg_request *rq,
                                     const struct vg_domain_params *family)
{
    unsigned int flags = 0;

    vg_autoptr(virDomain) dom =
        vg_flags_domain(rq, &vg_enum_virDomainModificationImpact, &flags);
    return dom ? reply_params(rq, dom, family, flags) : vg_fail(rq);
}

/* Changing both is one call, reading both is an error: the running domain's are read. */
static unsigned int flags_to_read(unsigned int flags)
{
    return flags & VIR_DOMAIN_AFFECT_LIVE
               ? flags & ~(unsigned int)VIR_DOMAIN_AFFECT_CONFIG
               : flags;
}

/* -1: the request's error is set. */
static int ask_for_paths(struct vg_request *rq, const struct vg_domain_params *family,
                         const json_t *object)
{
    const char *key;
    json_t *value;

    if (!family->paths)
        return 0;
    json_object_foreach ((json_t *)(uintptr_t)object, key, value)
        if (strncmp(key, family->paths, strlen(family->paths)) == 0 &&
            vg_request_ask(rq, "gateway:path", "This names devices of the host") < 0)
            return -1;
    return 0;
}

/* -1: the request's error is set. */
static int set_params(struct vg_request *rq, virDomainPtr dom,
                      const struct vg_domain_params *family, json_t *object,
                      unsigned int flags)
{
    vg_auto_params current = {0};
    vg_auto_params wanted = {0};

    if (json_object_size(object) == 0)
        return 0;
    /* drivers show "" for what is not set (numaNodeset, groupName), and refuse it: PATCH
     * takes what GET gave */
    if (read_family(rq, dom, family, flags_to_read(flags), &current) < 0 ||
        vg_params_take_unchanged(object, current.v, current.n, true,
                                 vg_request_error(rq)) < 0)
        return -1;
    if (json_object_size(object) == 0)
        return 0;
    if (ask_for_paths(rq, family, object) < 0 ||
        vg_params_from_json(object, current.v, current.n, &wanted.v, &wanted.n,
                            vg_request_error(rq)) < 0)
        return -1;
    return call_set(rq, dom, family, &wanted, flags) < 0
               ? vg_error_set_virt(vg_request_error(rq))
               : 0;
}

struct vg_reply vg_domain_params_set(struct vg_request *rq, virDomainPtr dom,
                                     const struct vg_domain_params *family,
                                     json_t *object, unsigned int flags)
{
    return set_params(rq, dom, family, object, flags) < 0 ? vg_fail(rq)
                                                          : vg_no_content(rq);
}

/* What of a PATCH are flags, and what parameters. */
static virDomainPtr read_patch(struct vg_request *rq, json_t **ret_object,
                               unsigned int *ret_flags)
{
    const struct vg_field args[] = {
        VG_FLAGS("flags", ret_flags, virDomainModificationImpact), VG_REST(ret_object),
        VG_END};
    return vg_args_domain(rq, args);
}

struct vg_reply vg_domain_params_patch(struct vg_request *rq,
                                       const struct vg_domain_params *family)
{
    unsigned int flags = 0;
    json_t *object = NULL;

    vg_autoptr(virDomain) dom = read_patch(rq, &object, &flags);
    return dom ? vg_domain_params_set(rq, dom, family, object, flags) : vg_fail(rq);
}

struct vg_reply vg_domain_params_patch_part(struct vg_request *rq,
                                            const struct vg_domain_params *family)
{
    unsigned int flags = 0;
    json_t *object = NULL;

    vg_autoptr(virDomain) dom = read_patch(rq, &object, &flags);
    if (!dom)
        return vg_fail(rq);
    if (!rq->json) {
        vg_error_set(&rq->error, VG_E_MISSING_KEY,
                     "Send the parameters to change as a JSON object");
        return vg_fail(rq);
    }
    if (set_params(rq, dom, family, object, flags) < 0)
        return vg_fail(rq);
    return reply_params(rq, dom, family, flags_to_read(flags));
}
