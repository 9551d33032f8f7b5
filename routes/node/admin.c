/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /admin: the daemon behind the host, by libvirt-admin: its version, what it logs where,
 * and how long it stays without clients. Its servers are in admin_server.c.
 */
#include "routes/routes.h"
#include "virtgate/admin.h"

#include <limits.h>
#include <stdio.h>

static struct vg_reply get_admin(struct vg_request *rq)
{
    vg_autofree char *uri = virAdmConnectGetURI(vg_admin_conn(rq));

    if (!uri)
        return vg_fail_virt(rq);
    return vg_ok(rq, json_pack("{s:o, s:b}", "uri", vg_json_text(uri), "alive",
                               virAdmConnectIsAlive(vg_admin_conn(rq)) == 1));
}

static json_t *version_json(unsigned long long number)
{
    return json_pack("{s:o, s:I}", "version",
                     json_sprintf("%llu.%llu.%llu", number / 1000000,
                                  number / 1000 % 1000, number % 1000),
                     "number", (json_int_t)number);
}

static struct vg_reply get_admin_version(struct vg_request *rq)
{
    unsigned long long client, daemon;

    if (virAdmGetVersion(&client) < 0 ||
        virAdmConnectGetLibVersion(vg_admin_conn(rq), &daemon) < 0)
        return vg_fail_virt(rq);
    return vg_ok(rq, json_pack("{s:o, s:o}", "client", version_json(client), "daemon",
                               version_json(daemon)));
}

/* ---- logging ----------------------------------------------------------------------- */

/* What there is none of is "", which is also what sets it so. */
static json_t *list_json(const char *list)
{
    return vg_json_text(list ? list : "");
}

static struct vg_reply get_logging(struct vg_request *rq)
{
    vg_autofree char *filters = NULL;
    vg_autofree char *outputs = NULL;

    if (virAdmConnectGetLoggingFilters(vg_admin_conn(rq), &filters, 0) < 0 ||
        virAdmConnectGetLoggingOutputs(vg_admin_conn(rq), &outputs, 0) < 0)
        return vg_fail_virt(rq);
    return vg_ok(rq, json_pack("{s:o, s:o}", "filters", list_json(filters), "outputs",
                               list_json(outputs)));
}

/* PUT /admin/logging/filters {"filters": "1:qemu 3:remote"} */
static struct vg_reply set_filters(struct vg_request *rq)
{
    const char *filters = NULL;
    const struct vg_field args[] = {VG_NEED_TEXT("filters", &filters), VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    if (virAdmConnectSetLoggingFilters(vg_admin_conn(rq), filters, 0) < 0)
        return vg_fail_virt(rq);
    return get_logging(rq);
}

/* PUT /admin/logging/outputs {"outputs": "2:journald"} */
static struct vg_reply set_outputs(struct vg_request *rq)
{
    const char *outputs = NULL;
    const struct vg_field args[] = {VG_NEED_TEXT("outputs", &outputs), VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    if (virAdmConnectSetLoggingOutputs(vg_admin_conn(rq), outputs, 0) < 0)
        return vg_fail_virt(rq);
    return get_logging(rq);
}

/* ---- the timeout ------------------------------------------------------------------- */

/* PUT /admin/timeout {"seconds": 120}; 0 is none. libvirt cannot tell what it is. */
static struct vg_reply set_timeout(struct vg_request *rq)
{
    int64_t seconds = 0;
    const struct vg_field args[] = {VG_NEED_NUMBER("seconds", &seconds, 0, INT_MAX),
                                    VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    return vg_done(
        rq, virAdmConnectSetDaemonTimeout(vg_admin_conn(rq), (unsigned int)seconds, 0));
}

/* clang-format off */
const struct vg_route vg_routes_admin[] = {
    {VG_GET, "/admin", "getAdmin", get_admin, .needs = "daemon:read", .runs_on = VG_ON_ADMIN, .shared = true},
    {VG_GET, "/admin/version", "getAdminVersion", get_admin_version, .needs = "daemon:read", .runs_on = VG_ON_ADMIN, .shared = true},
    {VG_GET, "/admin/logging", "getAdminLogging", get_logging, .needs = "daemon:read", .runs_on = VG_ON_ADMIN, .shared = true},
    {VG_PUT, "/admin/logging/filters", "setAdminLoggingFilters", set_filters, .needs = "daemon:read daemon:manage", .runs_on = VG_ON_ADMIN, .takes = VG_TAKES_ARGS},
    {VG_PUT, "/admin/logging/outputs", "setAdminLoggingOutputs", set_outputs, .needs = "daemon:read daemon:manage", .runs_on = VG_ON_ADMIN, .takes = VG_TAKES_ARGS},
    {VG_PUT, "/admin/timeout", "setAdminTimeout", set_timeout, .needs = "daemon:manage", .runs_on = VG_ON_ADMIN, .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
