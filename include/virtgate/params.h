/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Typed parameters (virTypedParameter) to JSON and back, in one place.
 */
#pragma once

#include "virtgate/error.h"
#include "virtgate/reply.h"
#include "virtgate/request.h"

#include <jansson.h>
#include <libvirt/libvirt.h>

/* Typed parameters that a scope owns. */
struct vg_params {
    virTypedParameterPtr v;
    int n;
};
static inline void vg_params_clean(struct vg_params *params)
{
    if (params->v)
        virTypedParamsFree(params->v, params->n);
    *params = (struct vg_params){0};
}
#define vg_auto_params __attribute__((cleanup(vg_params_clean))) struct vg_params

/* Typed parameters as one JSON object. Dotted names become nested objects ("cpu.time" is
 * {"cpu": {"time"}}), counted groups become arrays ("block.count", "block.0.name" are
 * {"block": [{"name"}]}), a field given several times becomes an array; words are
 * camelCased ("rd.total-time" is {"rd": {"totalTime"}}, "max_memory" is "maxMemory"). A
 * ULLONG above INT64_MAX becomes a string of digits. New reference; NULL when out of
 * memory. */
json_t *vg_params_to_json(const virTypedParameter *params, int nparams);

/* Takes out of a client's object what it shows as vg_params_to_json() shows it now, which
 * is no change: all of that, or only texts that are empty. -1: out of memory, as the
 * error says. */
int vg_params_take_unchanged(json_t *object, const virTypedParameter *current,
                             int ncurrent, bool only_empty, struct vg_error *e);

/* The other way: the members of `object` as typed parameters. The C type of each comes
 * from `current` (what the object's getter says today, ncurrent entries), else from the
 * generated table of libvirt's field macros; it is never guessed from the JSON type. On
 * failure -1 and *reterr names the member and what is accepted. The caller owns
 * *ret_params (virTypedParamsFree). */
int vg_params_from_json(json_t *object, const virTypedParameter *current, int ncurrent,
                        virTypedParameterPtr *ret_params, int *ret_nparams,
                        struct vg_error *reterr);

/* One family of a domain's typed parameters: what reads them and what sets them. Exactly
 * one of `get`, `get_of` and `get_all` is set, and the setter that goes with it. */
struct vg_domain_params {
    /* Fills *nparams entries; with NULL, says how many there are. */
    int (*get)(virDomainPtr dom, virTypedParameterPtr params, int *nparams,
               unsigned int flags);
    /* The same of a part of the domain, a disk or an interface, ... */
    int (*get_of)(virDomainPtr dom, const char *part, virTypedParameterPtr params,
                  int *nparams, unsigned int flags);
    int (*set_of)(virDomainPtr dom, const char *part, virTypedParameterPtr params,
                  int nparams, unsigned int flags);
    const char *segment; /* ... that this word of the path's pattern names */
    /* Allocates them. */
    int (*get_all)(virDomainPtr dom, virTypedParameterPtr *params, int *nparams,
                   unsigned int flags);
    int (*set)(virDomainPtr dom, virTypedParameterPtr params, int nparams,
               unsigned int flags);
    /* What JSON names begin with whose values name devices of the host: changing those
     * needs the role admin. NULL: none do. */
    const char *paths;
};

/* What holds for `flags` (virDomainModificationImpact), as a JSON object. New reference;
 * NULL: the request's error is set. */
json_t *vg_domain_params_json(struct vg_request *rq, virDomainPtr dom,
                              const struct vg_domain_params *family, unsigned int flags);

/* GET of a family: takes `flags`, answers its parameters. */
struct vg_reply vg_domain_params_get(struct vg_request *rq,
                                     const struct vg_domain_params *family) VG_MUST_USE;

/* PATCH of a family: sets those that `object` names, of the types that they have now.
 * With none it changes nothing. 204. */
struct vg_reply vg_domain_params_set(struct vg_request *rq, virDomainPtr dom,
                                     const struct vg_domain_params *family,
                                     json_t *object, unsigned int flags) VG_MUST_USE;

/* The same of a family whose arguments are `flags` and its parameters. */
struct vg_reply vg_domain_params_patch(struct vg_request *rq,
                                       const struct vg_domain_params *family) VG_MUST_USE;

/* The same of a family of a part, which needs a body and is answered with all. */
struct vg_reply
vg_domain_params_patch_part(struct vg_request *rq,
                            const struct vg_domain_params *family) VG_MUST_USE;
