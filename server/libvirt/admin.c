/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What rows of libvirt-admin have in common: looking up what their paths name, and
 * families of typed parameters. See include/virtgate/admin.h.
 */
#include "virtgate/admin.h"

#include <string.h>

#include "server/core/request.h"

/* ---- what paths name --------------------------------------------------------------- */

virAdmServerPtr vg_path_server(struct vg_request *rq)
{
    virAdmServerPtr server =
        virAdmConnectLookupServer(vg_admin_conn(rq), vg_path(rq, "server"), 0);
    if (!server)
        vg_error_set_virt(&rq->error);
    return server;
}

virAdmServerPtr vg_args_server(struct vg_request *rq, const struct vg_field *fields)
{
    return vg_args(rq, fields) < 0 ? NULL : vg_path_server(rq);
}

virAdmClientPtr vg_path_client(struct vg_request *rq, virAdmServerPtr server)
{
    const char *text = vg_path(rq, "client");
    unsigned long long id = 0;
    bool fits = *text && !text[strspn(text, "0123456789")];

    for (const char *c = text; fits && *c; c++)
        fits = !__builtin_mul_overflow(id, 10, &id) &&
               !__builtin_add_overflow(id, (unsigned long long)(*c - '0'), &id);
    if (!fits) {
        vg_error_set(&rq->error, VG_E_INVALID_VALUE,
                     "'%.100s' in the path is not a client's number, its `id` in the "
                     "list of clients",
                     text);
        return NULL;
    }
    virAdmClientPtr client = virAdmServerLookupClient(server, id, 0);
    if (!client)
        vg_error_set_virt(&rq->error);
    return client;
}

/* ---- typed parameters -------------------------------------------------------------- */

json_t *vg_server_params_json(struct vg_request *rq, virAdmServerPtr server,
                              const struct vg_server_params *family)
{
    vg_auto_params list = {0};

    if (family->get(server, &list.v, &list.n, 0) < 0) {
        vg_error_set_virt(&rq->error);
        return NULL;
    }
    json_t *object = vg_params_to_json(list.v, list.n);
    if (!object)
        vg_error_set_memory(&rq->error);
    return object;
}

static struct vg_reply reply_params(struct vg_request *rq, virAdmServerPtr server,
                                    const struct vg_server_params *family)
{
    json_t *object = vg_server_params_json(rq, server, family);
    return object ? vg_ok(rq, object) : vg_fail(rq);
}

struct vg_reply vg_server_params_get(struct vg_request *rq,
                                     const struct vg_server_params *family)
{
    vg_autoptr(virAdmServer) server = vg_path_server(rq);
    return server ? reply_params(rq, server, family) : vg_fail(rq);
}

static int set_params(struct vg_request *rq, virAdmServerPtr server,
                      const struct vg_server_params *family, json_t *object)
{
    vg_auto_params current = {0};
    vg_auto_params wanted = {0};

    if (family->get(server, &current.v, &current.n, 0) < 0)
        return vg_error_set_virt(&rq->error);
    /* GET also gives figures that only the daemon changes: a client may send them back */
    if (vg_params_take_unchanged(object, current.v, current.n, false, &rq->error) < 0)
        return -1;
    if (json_object_size(object) == 0)
        return 0;
    if (vg_params_from_json(object, current.v, current.n, &wanted.v, &wanted.n,
                            &rq->error) < 0)
        return -1;
    return family->set(server, wanted.v, wanted.n, 0) < 0 ? vg_error_set_virt(&rq->error)
                                                          : 0;
}

struct vg_reply vg_server_params_patch(struct vg_request *rq,
                                       const struct vg_server_params *family)
{
    json_t *object = NULL;
    const struct vg_field args[] = {VG_REST(&object), VG_END};

    vg_autoptr(virAdmServer) server = vg_args_server(rq, args);
    if (!server)
        return vg_fail(rq);
    if (!rq->json) {
        vg_error_set(&rq->error, VG_E_MISSING_KEY,
                     "Send the parameters to change as a JSON object");
        return vg_fail(rq);
    }
    return set_params(rq, server, family, object) < 0 ? vg_fail(rq)
                                                      : reply_params(rq, server, family);
}
