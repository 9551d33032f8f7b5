/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /admin/servers/{server}/clients: who is connected to a daemon, and ending a connection.
 */
#include "routes/routes.h"
#include "virtgate/admin.h"
#include "virtgate/list.h"

#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- fields ------------------------------------------------------------------------ */

enum {
    ID = 1,
    CONNECTED_AT = 2,
    CONNECTED_AT_SECONDS = 4,
    TRANSPORT = 8,
    BRIEF = ID | CONNECTED_AT | CONNECTED_AT_SECONDS | TRANSPORT,
};
#define ALL (~0u)

/* The rest is of its identity, and named as that is. */
static const struct vg_enum_value field_names[] = {
    {.name = "id", .value = ID},
    {.name = "connectedAt", .value = CONNECTED_AT},
    {.name = "connectedAtSeconds", .value = CONNECTED_AT_SECONDS},
    {.name = "transport", .value = TRANSPORT},
    {.name = "readonly", .value = 1 << 4},
    {.name = "sockAddr", .value = 1 << 5},
    {.name = "saslUserName", .value = 1 << 6},
    {.name = "tlsX509Dname", .value = 1 << 7},
    {.name = "unixUserId", .value = 1 << 8},
    {.name = "unixUserName", .value = 1 << 9},
    {.name = "unixGroupId", .value = 1 << 10},
    {.name = "unixGroupName", .value = 1 << 11},
    {.name = "unixProcessId", .value = 1 << 12},
    {.name = "selinuxContext", .value = 1 << 13},
};
static const struct vg_enum field_table = {
    .values = field_names, .count = sizeof(field_names) / sizeof(field_names[0])};

/* What a newer libvirt tells besides is among all fields. */
static bool is_wanted(unsigned int fields, const char *key)
{
    for (size_t i = 0; i < field_table.count; i++)
        if (strcmp(field_names[i].name, key) == 0)
            return fields & (unsigned int)field_names[i].value;
    return fields == ALL;
}

/* `identity` may be NULL. */
static void write_client(struct vg_json *w, virAdmClientPtr client, json_t *identity,
                         unsigned int fields)
{
    long long since = virAdmClientGetTimestamp(client);
    const char *key;
    json_t *value;

    vg_json_begin_object(w, NULL);
    if (fields & ID)
        vg_json_uint(w, "id", virAdmClientGetID(client));
    if (fields & CONNECTED_AT)
        vg_json_time(w, "connectedAt", since);
    if (fields & CONNECTED_AT_SECONDS)
        vg_json_int(w, "connectedAtSeconds", since);
    if (fields & TRANSPORT)
        vg_json_enum(w, "transport", &vg_enum_virClientTransport,
                     virAdmClientGetTransport(client));
    json_object_foreach (identity, key, value)
        if (is_wanted(fields, key))
            vg_json_value(w, key, value);
    vg_json_end_object(w);
}

/* ---- lists ------------------------------------------------------------------------- */

static int compare_clients(const void *a, const void *b)
{
    unsigned long long one = virAdmClientGetID(*(const virAdmClientPtr *)a);
    unsigned long long two = virAdmClientGetID(*(const virAdmClientPtr *)b);
    return (one > two) - (one < two);
}

/* One that has gone since the list was made is left out of it. */
static int write_listed(struct vg_request *rq, struct vg_json *w, virAdmClientPtr client,
                        unsigned int fields)
{
    bool asked = fields & ~(unsigned int)BRIEF;
    json_auto_t *identity = asked ? read_identity(rq, client) : NULL;

    if (!asked || identity) {
        write_client(w, client, identity, fields);
        return 0;
    }
    if (!vg_error_is_virt(vg_request_error(rq), VIR_ERR_NO_CLIENT))
        return -1;
    vg_error_clear(vg_request_error(rq));
    return 0;
}

struct page {
    unsigned int fields;
    int view;
    int64_t after, limit; /* -1, 0: not given */
};

/* *ret_next is where to go on; -1: there is no more. -1: the request's error is set. */
static int write_clients(struct vg_request *rq, struct vg_json *w,
                         const struct vg_client_list *list, const struct page *page,
                         int64_t *ret_next)
{
    int64_t taken = 0, last = -1;

    for (int i = 0; i < list->n; i++) {
        int64_t id = (int64_t)virAdmClientGetID(list->v[i]);
        if (id <= page->after)
            continue;
        if (page->limit && taken++ == page->limit) {
            *ret_next = last;
            return 0;
        }
        last = id;
        if (write_listed(rq, w, list->v[i], page->fields) < 0)
            return -1;
    }
    return 0;
}

static struct vg_reply reply_clients(struct vg_request *rq,
                                     const struct vg_client_list *list,
                                     const struct page *page)
{
    vg_auto_json w = vg_json_for(rq);
    int64_t next = -1;
    char cursor[24];

    vg_json_begin_object(&w, NULL);
    vg_json_begin_array(&w, "clients");
    if (write_clients(rq, &w, list, page, &next) < 0)
        return vg_fail(rq);
    vg_json_end_array(&w);
    snprintf(cursor, sizeof(cursor), "%lld", (long long)next);
    if (next >= 0)
        vg_json_string(&w, "next", cursor);
    vg_json_end_object(&w);
    return vg_with_next(rq, vg_ok_written(rq, &w), next >= 0 ? cursor : NULL);
}

static struct vg_reply list_clients(struct vg_request *rq)
{
    struct page page = {.after = -1};
    const struct vg_field args[] = {VG_NAMES("fields", &page.fields, &field_table),
                                    VG_ONE_OF("view", &page.view, &vg_list_views),
                                    VG_NUMBER("after", &page.after, 0, INT64_MAX),
                                    VG_NUMBER("limit", &page.limit, 1, VG_LIST_MAX_LIMIT),
                                    VG_END};
    vg_autolist(client) list = {0};

    vg_autoptr(virAdmServer) server = vg_args_server(rq, args);
    if (!server)
        return vg_fail(rq);
    list.n = virAdmServerListClients(server, &list.v, 0);
    if (list.n < 0)
        return vg_fail_virt(rq);
    if (list.n)
        qsort(list.v, (size_t)list.n, sizeof(virAdmClientPtr), compare_clients);
    if (!page.fields)
        page.fields = page.view == VG_LIST_FULL ? ALL : BRIEF;
    return reply_clients(rq, &list, &page);
}

static struct vg_reply get_client(struct vg_request *rq)
{
    vg_autoptr(virAdmServer) server = vg_path_server(rq);
    vg_autoptr(virAdmClient) client = server ? vg_path_client(rq, server) : NULL;
    json_auto_t *identity = client ? read_identity(rq, client) : NULL;
    if (!identity)
        return vg_fail(rq);
    vg_auto_json w = vg_json_for(rq);
    write_client(&w, client, identity, ALL);
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
