/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /admin/servers: the servers inside a daemon (libvirtd and admin, or virtqemud, ...),
 * their threads, how many clients they take, and their TLS files.
 */
#include "routes/routes.h"
#include "virtgate/admin.h"
#include "virtgate/list.h"

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

/* ---- servers ----------------------------------------------------------------------- */

enum {
    NAME = 1,
    THREADPOOL = 2,
    CLIENT_LIMITS = 4,
    ALL = NAME | THREADPOOL | CLIENT_LIMITS
};

static const struct vg_enum_value field_names[] = {
    {.name = "name", .value = NAME},
    {.name = "threadpool", .value = THREADPOOL},
    {.name = "clientLimits", .value = CLIENT_LIMITS},
};
static const struct vg_enum field_table = {.values = field_names, .count = 3};

/* A family as a member. -1: the request's error is set. */
static int write_params(struct vg_request *rq, struct vg_json *w, const char *key,
                        virAdmServerPtr server, const struct vg_server_params *family)
{
    json_auto_t *params = vg_server_params_json(rq, server, family);
    if (params)
        vg_json_value(w, key, params);
    return params ? 0 : -1;
}

/* The same. */
static int write_server(struct vg_request *rq, struct vg_json *w, virAdmServerPtr server,
                        unsigned int fields)
{
    vg_json_begin_object(w, NULL);
    if (fields & NAME)
        vg_json_string(w, "name", virAdmServerGetName(server));
    if ((fields & THREADPOOL &&
         write_params(rq, w, "threadpool", server, &threadpool) < 0) ||
        (fields & CLIENT_LIMITS &&
         write_params(rq, w, "clientLimits", server, &client_limits) < 0))
        return -1;
    vg_json_end_object(w);
    return 0;
}

static int compare_servers(const void *a, const void *b)
{
    return strcmp(virAdmServerGetName(*(const virAdmServerPtr *)a),
                  virAdmServerGetName(*(const virAdmServerPtr *)b));
}

/* The page; *ret_next is the cursor where there is more, of one in the list. -1: the
 * request's error is set. */
static int write_servers(struct vg_request *rq, struct vg_json *w,
                         const struct vg_server_list *list,
                         const struct vg_list_args *page, unsigned int fields,
                         const char **ret_next)
{
    const char *last = NULL;
    int64_t taken = 0;

    for (int i = 0; i < list->n; i++) {
        const char *name = virAdmServerGetName(list->v[i]);
        if (!vg_list_passes(page, name))
            continue;
        if (page->limit && taken++ == page->limit) {
            *ret_next = last;
            return 0;
        }
        last = name;
        if (write_server(rq, w, list->v[i], fields) < 0)
            return -1;
    }
    return 0;
}

static struct vg_reply list_servers(struct vg_request *rq)
{
    struct vg_list_args page = {0};
    unsigned int fields = 0;
    const struct vg_field args[] = {VG_LIST_FIELDS(page, &fields, &field_table), VG_END};
    const char *next = NULL;
    vg_autolist(server) list = {0};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    list.n = virAdmConnectListServers(vg_admin_conn(rq), &list.v, 0);
    if (list.n < 0)
        return vg_fail_virt(rq);
    if (list.n)
        qsort(list.v, (size_t)list.n, sizeof(virAdmServerPtr), compare_servers);
    if (!fields)
        fields = page.view == VG_LIST_FULL ? ALL : NAME;
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_begin_array(&w, "servers");
    if (write_servers(rq, &w, &list, &page, fields, &next) < 0)
        return vg_fail(rq);
    vg_json_end_array(&w);
    if (next)
        vg_json_string(&w, "next", next);
    vg_json_end_object(&w);
    return vg_with_next(rq, vg_ok_written(rq, &w), next);
}

static struct vg_reply get_server(struct vg_request *rq)
{
    vg_autoptr(virAdmServer) server = vg_path_server(rq);
    vg_auto_json w = vg_json_for(rq);

    return server && write_server(rq, &w, server, ALL) == 0 ? vg_ok_written(rq, &w)
                                                            : vg_fail(rq);
}

/* ---- their parameters -------------------------------------------------------------- */

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
        e->transport = false;
        vg_error_set_status(e, 409);
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
