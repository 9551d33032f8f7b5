/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /admin/servers: the servers inside a daemon (libvirtd and admin, or virtqemud, ...),
 * their threads, how many clients they take, and their TLS files.
 */
#include "routes/routes.h"
#include "virtgate/admin.h"

#include <stdlib.h>
#include <string.h>

static const struct vg_server_params threadpool = {
    .get = virAdmServerGetThreadPoolParameters,
    .set = virAdmServerSetThreadPoolParameters,
};
static const struct vg_server_params client_limits = {
    .get = virAdmServerGetClientLimits,
    .set = virAdmServerSetClientLimits,
};

/* NULL: the request's error is set. */
static json_t *server_json(struct vg_request *rq, virAdmServerPtr server)
{
    json_auto_t *threads = vg_server_params_json(rq, server, &threadpool);
    json_auto_t *limits =
        threads ? vg_server_params_json(rq, server, &client_limits) : NULL;
    if (!limits)
        return NULL;
    json_t *json =
        json_pack("{s:o, s:O, s:O}", "name", vg_json_text(virAdmServerGetName(server)),
                  "threadpool", threads, "clientLimits", limits);
    if (!json)
        vg_error_set_memory(vg_request_error(rq));
    return json;
}

static int compare_servers(const void *a, const void *b)
{
    return strcmp(virAdmServerGetName(*(const virAdmServerPtr *)a),
                  virAdmServerGetName(*(const virAdmServerPtr *)b));
}

static const struct vg_enum_value view_names[] = {
    {.name = "default", .value = 0},
    {.name = "full", .value = 1},
};
static const struct vg_enum views = {.values = view_names, .count = 2};

static struct vg_reply list_servers(struct vg_request *rq)
{
    int view = 0;
    const struct vg_field args[] = {VG_ONE_OF("view", &view, &views), VG_END};
    vg_autolist(server) list = {0};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    list.n = virAdmConnectListServers(vg_admin_conn(rq), &list.v, 0);
    if (list.n < 0)
        return vg_fail_virt(rq);
    if (list.n)
        qsort(list.v, (size_t)list.n, sizeof(virAdmServerPtr), compare_servers);
    json_auto_t *servers = json_array();
    for (int i = 0; i < list.n; i++) {
        json_t *json = view ? server_json(rq, list.v[i])
                            : json_pack("{s:o}", "name",
                                        vg_json_text(virAdmServerGetName(list.v[i])));
        if (!json && view)
            return vg_fail(rq);
        if (json_array_append_new(servers, json) < 0)
            return vg_fail_memory(rq);
    }
    return vg_ok(rq, json_pack("{s:O}", "servers", servers));
}

static struct vg_reply get_server(struct vg_request *rq)
{
    vg_autoptr(virAdmServer) server = vg_path_server(rq);
    json_t *json = server ? server_json(rq, server) : NULL;
    return json ? vg_ok(rq, json) : vg_fail(rq);
}

static struct vg_reply get_threadpool(struct vg_request *rq)
{
    return vg_server_params_get(rq, &threadpool);
}

static struct vg_reply patch_threadpool(struct vg_request *rq)
{
    return vg_server_params_patch(rq, &threadpool);
}

static struct vg_reply get_client_limits(struct vg_request *rq)
{
    return vg_server_params_get(rq, &client_limits);
}

static struct vg_reply patch_client_limits(struct vg_request *rq)
{
    return vg_server_params_patch(rq, &client_limits);
}

/* "No TLS service" and files that cannot be read come from the RPC part of libvirt, as a
 * lost connection does: when it is there, the daemon has refused. */
static struct vg_reply reload_tls(struct vg_request *rq)
{
    vg_autoptr(virAdmServer) server = vg_path_server(rq);

    if (!server)
        return vg_fail(rq);
    if (virAdmServerUpdateTlsFiles(server, 0) == 0)
        return vg_no_content(rq);
    struct vg_error *e = vg_request_error(rq);
    vg_error_set_virt(e);
    /* a daemon that answers has files that it cannot use; releases say it differently */
    if ((e->transport || e->status == 502) &&
        virAdmConnectIsAlive(vg_admin_conn(rq)) == 1) {
        e->transport = e->retryable = false;
        e->retry_after = 0;
        e->status = 409;
    }
    return vg_fail(rq);
}

/* clang-format off */
const struct vg_route vg_routes_admin_server[] = {
    {VG_GET, "/admin/servers", "listAdminServers", list_servers, .needs = "daemon:read", .runs_on = VG_ON_ADMIN, .takes = VG_TAKES_ARGS, .shared = true},
    {VG_GET, "/admin/servers/{server}", "getAdminServer", get_server, .needs = "daemon:read", .runs_on = VG_ON_ADMIN, .shared = true},
    {VG_GET, "/admin/servers/{server}/threadpool", "getAdminThreadpool", get_threadpool, .needs = "daemon:read", .runs_on = VG_ON_ADMIN, .shared = true},
    {VG_PATCH, "/admin/servers/{server}/threadpool", "patchAdminThreadpool", patch_threadpool, .needs = "daemon:read daemon:manage", .runs_on = VG_ON_ADMIN, .takes = VG_TAKES_ARGS},
    {VG_GET, "/admin/servers/{server}/client-limits", "getAdminClientLimits", get_client_limits, .needs = "daemon:read", .runs_on = VG_ON_ADMIN, .shared = true},
    {VG_PATCH, "/admin/servers/{server}/client-limits", "patchAdminClientLimits", patch_client_limits, .needs = "daemon:read daemon:manage", .runs_on = VG_ON_ADMIN, .takes = VG_TAKES_ARGS},
    {VG_POST, "/admin/servers/{server}/reload-tls", "reloadAdminTls", reload_tls, .needs = "daemon:read daemon:manage", .runs_on = VG_ON_ADMIN},
    {0},
};
/* clang-format on */
