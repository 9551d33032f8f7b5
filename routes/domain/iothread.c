/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /domains/{domain}/iothreads, iothreads/{iothread}, iothreads/{iothread}/pin: the
 * threads that serve a domain's disks.
 */
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/cpumap.h"
#include "virtgate/object.h"
#include "virtgate/params.h"

#include <libvirt/virterror.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

VG_AUTOLIST_DEFINE(iothread, virDomainIOThreadInfo, virDomainIOThreadInfoFree)

static void write_iothread(struct vg_json *w, const virDomainIOThreadInfo *info)
{
    vg_json_begin_object(w, NULL);
    vg_json_uint(w, "id", info->iothread_id);
    vg_cpumap_write(w, "cpus", info->cpumap, (size_t)info->cpumaplen);
    vg_json_end_object(w);
}

/* The domain of a path with {iothread}. NULL: the request's error is set. */
static virDomainPtr find_domain(struct vg_request *rq, const struct vg_field *args,
                                unsigned int *ret_id)
{
    return vg_path_number(rq, "iothread", INT_MAX, ret_id) < 0 ? NULL
                                                               : vg_args_domain(rq, args);
}

static struct vg_reply list_iothreads(struct vg_request *rq)
{
    unsigned int flags = 0;
    vg_autolist(iothread) list = {0};

    vg_autoptr(virDomain) dom =
        vg_flags_domain(rq, &vg_enum_virDomainModificationImpact, &flags);
    if (!dom)
        return vg_fail(rq);
    list.n = virDomainGetIOThreadInfo(dom, &list.v, flags);
    if (list.n < 0)
        return vg_fail_virt(rq);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_begin_array(&w, "iothreads");
    for (int i = 0; i < list.n; i++)
        write_iothread(&w, list.v[i]);
    vg_json_end_array(&w);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

static struct vg_reply get_iothread(struct vg_request *rq)
{
    unsigned int id = 0, flags = 0;
    vg_autolist(iothread) list = {0};
    const struct vg_field args[] = {
        VG_FLAGS("flags", &flags, virDomainModificationImpact), VG_END};

    vg_autoptr(virDomain) dom = find_domain(rq, args, &id);
    if (!dom)
        return vg_fail(rq);
    list.n = virDomainGetIOThreadInfo(dom, &list.v, flags);
    if (list.n < 0)
        return vg_fail_virt(rq);
    vg_auto_json w = vg_json_for(rq);
    for (int i = 0; i < list.n; i++) {
        if (list.v[i]->iothread_id != id)
            continue;
        write_iothread(&w, list.v[i]);
        return vg_ok_written(rq, &w);
    }
    vg_error_set(vg_request_error(rq), VG_E_NOT_FOUND, "There is no I/O thread %u here",
                 id);
    return vg_fail(rq);
}

/* Where the new one is found: one that is only in the configuration is not in the list of
 * a running domain. Owned by the caller. */
static char *iothread_href(struct vg_request *rq, virDomainPtr dom, int64_t id,
                           unsigned int flags)
{
    bool config = (flags & VIR_DOMAIN_AFFECT_CONFIG) && !(flags & VIR_DOMAIN_AFFECT_LIVE);
    char text[24];

    snprintf(text, sizeof(text), "%lld", (long long)id);
    return vg_domain_child_href(rq, dom, "iothreads", text,
                                config ? "?flags=config" : "");
}

/* Of the running domain, or of its definition: the two flags are bits of their own. */
static bool has_iothread(virDomainPtr dom, unsigned int id, unsigned int flags)
{
    vg_autolist(iothread) list = {0};

    list.n = virDomainGetIOThreadInfo(dom, &list.v, flags);
    for (int i = 0; i < list.n; i++)
        if (list.v[i]->iothread_id == id)
            return true;
    return false;
}

/* An id that is taken is an INVALID_ARG. */
static struct vg_reply fail_add(struct vg_request *rq, virDomainPtr dom, unsigned int id,
                                unsigned int flags)
{
    struct vg_error *e = vg_request_error(rq);
    unsigned int live = flags & VIR_DOMAIN_AFFECT_LIVE;
    unsigned int config = flags & VIR_DOMAIN_AFFECT_CONFIG;

    vg_error_set_virt(e);
    if (vg_error_is_virt(e, VIR_ERR_INVALID_ARG) &&
        ((config && has_iothread(dom, id, config)) ||
         ((live || !config) && has_iothread(dom, id, live))))
        vg_error_set_status(e, 409);
    return vg_fail(rq);
}

/* {"id": 2} */
static struct vg_reply add_iothread(struct vg_request *rq)
{
    int64_t id = 0;
    unsigned int flags = 0;
    const struct vg_field args[] = {
        VG_NEED_NUMBER("id", &id, 1, INT_MAX),
        VG_FLAGS("flags", &flags, virDomainModificationImpact),
        VG_END,
    };

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    if (virDomainAddIOThread(dom, (unsigned int)id, flags) < 0)
        return fail_add(rq, dom, (unsigned int)id, flags);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_int(&w, "id", id);
    vg_json_end_object(&w);
    return vg_created(rq, iothread_href(rq, dom, id, flags), &w);
}

static struct vg_reply remove_iothread(struct vg_request *rq)
{
    unsigned int id = 0, flags = 0;
    const struct vg_field args[] = {
        VG_FLAGS("flags", &flags, virDomainModificationImpact), VG_END};

    vg_autoptr(virDomain) dom = find_domain(rq, args, &id);
    if (!dom)
        return vg_fail(rq);
    return vg_done(rq, virDomainDelIOThread(dom, id, flags));
}

/* "iothread.2.poll-grow" with its value as the setter calls it: "poll_grow". */
static void take_stat(struct vg_params *list, const char *prefix,
                      const virTypedParameter *stat)
{
    size_t n = strlen(prefix);

    if (strncmp(stat->field, prefix, n) != 0 || stat->type == VIR_TYPED_PARAM_STRING)
        return;
    virTypedParameterPtr param = &list->v[list->n++];
    *param = *stat;
    snprintf(param->field, sizeof(param->field), "%s", stat->field + n);
    for (char *c = param->field; *c; c++)
        *c = *c == '-' ? '_' : *c;
}

/* What the host shows of an I/O thread: it takes the types that it shows, which are
 * others by driver and release. No other getter has them. Nothing where the domain is
 * shut off or the driver has no such statistics: libvirt's own table knows the types
 * then. */
static void read_polling(virDomainPtr dom, unsigned int id, struct vg_params *ret)
{
    virDomainPtr doms[] = {dom, NULL};
    char prefix[VIR_TYPED_PARAM_FIELD_LENGTH];
    vg_autolist(stats) list = {0};

    snprintf(prefix, sizeof(prefix), "iothread.%u.", id);
    if (virDomainListGetStats(doms, VIR_DOMAIN_STATS_IOTHREAD, &list.v,
                              VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT) < 1)
        return;
    const virDomainStatsRecord *record = list.v[0];
    ret->v = calloc((size_t)record->nparams + 1, sizeof(*ret->v));
    for (int i = 0; ret->v && i < record->nparams; i++)
        take_stat(ret, prefix, &record->params[i]);
}

/* {"pollMaxNs": 32000, "pollGrow": 0} */
static struct vg_reply set_iothread(struct vg_request *rq)
{
    unsigned int id = 0, flags = 0;
    json_t *object = NULL;
    vg_auto_params current = {0};
    vg_auto_params params = {0};
    const struct vg_field args[] = {
        VG_FLAGS("flags", &flags, virDomainModificationImpact), VG_REST(&object), VG_END};

    vg_autoptr(virDomain) dom = find_domain(rq, args, &id);
    if (!dom)
        return vg_fail(rq);
    if (json_object_size(object) == 0)
        return vg_no_content(rq);
    read_polling(dom, id, &current);
    if (vg_params_from_json(object, current.v, current.n, &params.v, &params.n,
                            vg_request_error(rq)) < 0)
        return vg_fail(rq);
    return vg_done(rq, virDomainSetIOThreadParams(dom, id, params.v, params.n, flags));
}

static struct vg_reply pin_iothread(struct vg_request *rq)
{
    struct vg_cpumap cpus;
    unsigned int id = 0, flags = 0;
    const struct vg_field args[] = {
        VG_NEED_CPUS("cpus", &cpus),
        VG_FLAGS("flags", &flags, virDomainModificationImpact),
        VG_END,
    };

    vg_autoptr(virDomain) dom = find_domain(rq, args, &id);
    if (!dom)
        return vg_fail(rq);
    return vg_done(rq, virDomainPinIOThread(dom, id, cpus.bits, cpus.length, flags));
}

/* clang-format off */
const struct vg_route vg_routes_domain_iothread[] = {
    {VG_GET, "/domains/{domain}/iothreads", "listDomainIOThreads", list_iothreads,
     .needs = "domain:getattr domain:read", .takes = VG_TAKES_ARGS, .shared = true},
    {VG_POST, "/domains/{domain}/iothreads", "addDomainIOThread", add_iothread,
     .needs = "domain:getattr domain:read domain:save domain:write", .takes = VG_TAKES_ARGS},
    {VG_GET, "/domains/{domain}/iothreads/{iothread}", "getDomainIOThread", get_iothread,
     .needs = "domain:getattr domain:read", .takes = VG_TAKES_ARGS, .shared = true},
    {VG_PATCH, "/domains/{domain}/iothreads/{iothread}", "setDomainIOThread", set_iothread,
     .needs = "connect:search_domains domain:getattr domain:save domain:write",
     .takes = VG_TAKES_ARGS},
    {VG_DELETE, "/domains/{domain}/iothreads/{iothread}", "removeDomainIOThread", remove_iothread,
     .needs = "domain:getattr domain:save domain:write", .takes = VG_TAKES_ARGS},
    {VG_PUT, "/domains/{domain}/iothreads/{iothread}/pin", "pinDomainIOThread", pin_iothread,
     .needs = "domain:getattr domain:save domain:write", .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
