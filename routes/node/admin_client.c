/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /admin/servers/{server}/clients: who is connected to a daemon, and ending a connection.
 */
#include "routes/routes.h"
#include "virtgate/admin.h"

#include <libvirt/virterror.h>
#include <stdlib.h>

/* Who it is, as its transport tells. NULL: the request's error is set. */
static json_t *read_identity(struct vg_request *rq, virAdmClientPtr client)
{
    vg_auto_params info = {0};

    if (virAdmClientGetInfo(client, &info.v, &info.n, 0) < 0) {
        vg_error_set_virt(vg_request_error(rq));
        return NULL;
    }
    json_t *identity = vg_params_to_json(info.v, info.n);
    if (!identity)
        vg_error_set_memory(vg_request_error(rq));
    return identity;
}

/* `identity` may be NULL. */
static void write_client(struct vg_json *w, virAdmClientPtr client, json_t *identity)
{
    long long since = virAdmClientGetTimestamp(client);
    const char *key;
    json_t *value;

    vg_json_begin_object(w, NULL);
    vg_json_uint(w, "id", virAdmClientGetID(client));
    vg_json_time(w, "connectedAt", since);
    vg_json_int(w, "connectedAtSeconds", since);
    vg_json_enum(w, "transport", &vg_enum_virClientTransport,
                 virAdmClientGetTransport(client));
    json_object_foreach (identity, key, value)
        vg_json_value(w, key, value);
    vg_json_end_object(w);
}

static int compare_clients(const void *a, const void *b)
{
    unsigned long long one = virAdmClientGetID(*(const virAdmClientPtr *)a);
    unsigned long long two = virAdmClientGetID(*(const virAdmClientPtr *)b);
    return (one > two) - (one < two);
}

/* One that has gone since the list was made is left out of it. */
static int write_listed(struct vg_request *rq, struct vg_json *w, virAdmClientPtr client,
                        bool full)
{
    json_auto_t *identity = full ? read_identity(rq, client) : NULL;

    if (!full || identity) {
        write_client(w, client, identity);
        return 0;
    }
    if (!vg_error_is_virt(vg_request_error(rq), VIR_ERR_NO_CLIENT))
        return -1;
    vg_error_clear(vg_request_error(rq));
    return 0;
}

static const struct vg_enum_value view_names[] = {
    {.name = "default", .value = 0},
    {.name = "full", .value = 1},
};
static const struct vg_enum views = {.values = view_names, .count = 2};

static struct vg_reply list_clients(struct vg_request *rq)
{
    int view = 0;
    const struct vg_field args[] = {VG_ONE_OF("view", &view, &views), VG_END};
    vg_autolist(client) list = {0};

    vg_autoptr(virAdmServer) server = vg_args_server(rq, args);
    if (!server)
        return vg_fail(rq);
    list.n = virAdmServerListClients(server, &list.v, 0);
    if (list.n < 0)
        return vg_fail_virt(rq);
    if (list.n)
        qsort(list.v, (size_t)list.n, sizeof(virAdmClientPtr), compare_clients);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_begin_array(&w, "clients");
    for (int i = 0; i < list.n; i++)
        if (write_listed(rq, &w, list.v[i], view) < 0)
            return vg_fail(rq);
    vg_json_end_array(&w);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

static struct vg_reply get_client(struct vg_request *rq)
{
    vg_autoptr(virAdmServer) server = vg_path_server(rq);
    vg_autoptr(virAdmClient) client = server ? vg_path_client(rq, server) : NULL;
    json_auto_t *identity = client ? read_identity(rq, client) : NULL;
    if (!identity)
        return vg_fail(rq);
    vg_auto_json w = vg_json_for(rq);
    write_client(&w, client, identity);
    return vg_ok_written(rq, &w);
}

/* ---- closing ----------------------------------------------------------------------- */

static bool is_gone(struct vg_request *rq)
{
    if (vg_admin_reopen(rq) < 0)
        return false;
    vg_autoptr(virAdmServer) server = vg_path_server(rq);
    vg_autoptr(virAdmClient) client = server ? vg_path_client(rq, server) : NULL;
    return server && !client && vg_error_is_virt(vg_request_error(rq), VIR_ERR_NO_CLIENT);
}

/* The client may be the connection that asks for it, which then ends without an answer:
 * another one tells. */
static struct vg_reply look_again(struct vg_request *rq)
{
    struct vg_error *error = vg_request_error(rq);
    struct vg_error first = *error;

    *error = (struct vg_error){0};
    bool gone = is_gone(rq);
    vg_error_clear(error);
    if (!gone) {
        *error = first;
        return vg_fail(rq);
    }
    vg_error_clear(&first);
    return vg_no_content(rq);
}

static struct vg_reply close_client(struct vg_request *rq)
{
    vg_autoptr(virAdmServer) server = vg_path_server(rq);
    vg_autoptr(virAdmClient) client = server ? vg_path_client(rq, server) : NULL;

    if (!client)
        return vg_fail(rq);
    if (virAdmClientClose(client, 0) == 0)
        return vg_no_content(rq);
    vg_error_set_virt(vg_request_error(rq));
    return vg_request_error(rq)->transport ? look_again(rq) : vg_fail(rq);
}

/* clang-format off */
const struct vg_route vg_routes_admin_client[] = {
    {VG_GET, "/admin/servers/{server}/clients", "listAdminClients", list_clients, .needs = "daemon:read", .runs_on = VG_ON_ADMIN, .takes = VG_TAKES_ARGS, .shared = true},
    {VG_GET, "/admin/servers/{server}/clients/{client}", "getAdminClient", get_client, .needs = "daemon:read", .runs_on = VG_ON_ADMIN, .shared = true},
    {VG_DELETE, "/admin/servers/{server}/clients/{client}", "closeAdminClient", close_client, .needs = "daemon:read daemon:manage", .runs_on = VG_ON_ADMIN},
    {0},
};
/* clang-format on */
