/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /operations and /operations/{operation}: long work (VG_ON_LONG rows), listed, waited
 * for, cancelled (virDomainAbortJobFlags).
 */
#include "virtgate/operation.h"
#include "routes/routes.h"
#include "virtgate/cleanup.h"

#include <stdio.h>

#define MAX_LIMIT 10000

static struct vg_reply list_operations(struct vg_request *rq)
{
    struct vg_operation_filter filter = {0};
    const struct vg_field args[] = {
        VG_NAMES("state", &filter.states, &vg_operation_states),
        VG_TEXT("kind", &filter.kind),
        VG_TEXT("domain", &filter.domain),
        VG_TEXT("host", &filter.host),
        VG_TEXT("after", &filter.after),
        VG_NUMBER("limit", &filter.limit, 1, MAX_LIMIT),
        VG_END,
    };

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    vg_auto_json w = vg_json_for(rq);
    vg_autofree char *next = NULL;
    vg_json_begin_object(&w, NULL);
    if (vg_operations_list(rq, &w, &filter, &next) < 0)
        return vg_fail(rq);
    if (next)
        vg_json_string(&w, "next", next);
    vg_json_end_object(&w);
    return vg_with_next(rq, vg_ok_written(rq, &w), next);
}

/* ?wait=30: the engine has waited before it called. */
static struct vg_reply get_operation(struct vg_request *rq)
{
    int64_t wait = 0;
    const struct vg_field args[] = {VG_NUMBER("wait", &wait, 0, VG_OPERATION_WAIT_MAX),
                                    VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    return vg_operation_reply(rq);
}

static struct vg_reply cancel_operation(struct vg_request *rq)
{
    unsigned int flags = 0;
    const struct vg_field args[] = {
        VG_FLAGS("flags", &flags, virDomainAbortJobFlagsValues), VG_END};

    if (vg_args(rq, args) < 0 || vg_operation_cancel(rq, flags) < 0)
        return vg_fail(rq);
    struct vg_reply reply = vg_with_status(vg_operation_reply(rq), 202);
    if (reply.status == 202 && asprintf(&reply.location, "%s/operations/%s",
                                        vg_host_prefix(rq), vg_path(rq, "operation")) < 0)
        reply.location = NULL; /* the client has it */
    return reply;
}

/* clang-format off */
const struct vg_route vg_routes_operation[] = {
    {VG_GET, "/operations", "listOperations", list_operations,
     .needs = "connect:getattr", .runs_on = VG_ON_NETWORK_THREAD, .takes = VG_TAKES_ARGS,
     .hosts = VG_ANY_HOST},
    {VG_GET, "/operations/{operation}", "getOperation", get_operation,
     .needs = "domain:getattr domain:read", .runs_on = VG_ON_OPERATION, .takes = VG_TAKES_ARGS,
     .hosts = VG_ANY_HOST, .shared = true},
    {VG_DELETE, "/operations/{operation}", "cancelOperation", cancel_operation,
     .needs = "domain:getattr domain:read domain:write", .runs_on = VG_ON_OPERATION,
     .takes = VG_TAKES_ARGS, .hosts = VG_ANY_HOST},
    {0},
};
/* clang-format on */
