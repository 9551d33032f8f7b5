/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The daemon behind a host, by libvirt-admin: for rows with VG_ON_ADMIN.
 */
#pragma once

#include "virtgate/autoptr.h"
#include "virtgate/params.h"
#include "virtgate/request.h"

#include <libvirt/libvirt-admin.h>

VG_AUTOPTR_DEFINE(virAdmServer, virAdmServerFree)
VG_AUTOPTR_DEFINE(virAdmClient, virAdmClientFree)
VG_AUTOLIST_DEFINE(server, virAdmServer, virAdmServerFree)
VG_AUTOLIST_DEFINE(client, virAdmClient, virAdmClientFree)

/* The connection to the daemon's admin socket, the handler's alone until its request is
 * answered. Borrowed. Never NULL in a handler of a VG_ON_ADMIN row. */
virAdmConnectPtr vg_admin_conn(const struct vg_request *rq);

/* Opens the connection anew, where a call ended with it. The objects of the one before
 * are to be freed first. -1: the request's error is set. Blocks. */
int vg_admin_reopen(struct vg_request *rq);

/* The path's {server} (virAdmConnectLookupServer). NULL: the request's error is
 * libvirt's. The caller owns the object. */
virAdmServerPtr vg_path_server(struct vg_request *rq);

/* vg_args(), then vg_path_server(). */
virAdmServerPtr vg_args_server(struct vg_request *rq, const struct vg_field *fields);

/* The path's {client} of the server: its number (virAdmServerLookupClient). The same. */
virAdmClientPtr vg_path_client(struct vg_request *rq, virAdmServerPtr server);

/* A family of a server's typed parameters. */
struct vg_server_params {
    int (*get)(virAdmServerPtr server, virTypedParameterPtr *params, int *nparams,
               unsigned int flags);
    int (*set)(virAdmServerPtr server, virTypedParameterPtr params, int nparams,
               unsigned int flags);
};

/* The parameters as a JSON object. New reference; NULL: the request's error is set. */
json_t *vg_server_params_json(struct vg_request *rq, virAdmServerPtr server,
                              const struct vg_server_params *family);

/* GET of a family, and PATCH, which sets those that the body names and answers all. */
struct vg_reply vg_server_params_get(struct vg_request *rq,
                                     const struct vg_server_params *family) VG_MUST_USE;
struct vg_reply vg_server_params_patch(struct vg_request *rq,
                                       const struct vg_server_params *family) VG_MUST_USE;
