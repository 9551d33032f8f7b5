/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The connection of a host's queue for libvirt-admin. The queue has one thread and so one
 * connection; a daemon accepts only five. It is opened when it is needed, and closed when
 * a call breaks it. It is used whether the host is up or not: this socket helps a daemon
 * that has no room for more clients.
 */
#include "virtgate/admin.h"

#include <libvirt/virterror.h>
#include <string.h>

#include "server/core/request.h"
#include "server/libvirt/admin_uri.h"
#include "server/libvirt/internal.h"
#include "virtgate/cleanup.h"

/* A name without a scheme is an alias of libvirt.conf: the connection knows better. */
static char *find_uri(struct vg_host *host, const char **ret_why)
{
    *ret_why = NULL;
    if (host->admin_uri)
        return strdup(host->admin_uri);
    if (host->uri && strstr(host->uri, "://"))
        return vg_admin_uri_of(host->uri, ret_why);
    VG_LOCK(&host->lock);
    if (host->facts && host->facts->uri)
        return vg_admin_uri_of(host->facts->uri, ret_why);
    *ret_why = "it has not been reached yet, so its URI is not known";
    return NULL;
}

static int fail_no_uri(const struct vg_host *host, const char *why,
                       struct vg_error *reterr)
{
    if (!why)
        return vg_error_set_memory(reterr);
    vg_error_set(reterr, VG_E_NOT_SUPPORTED,
                 "Host '%s' has no admin socket that is known: %s; the option admin-uri "
                 "names one (libvirtd:///system)",
                 host->name, why);
    return -1;
}

static int fail_open(const struct vg_host *host, const char *uri, struct vg_error *reterr)
{
    vg_error_set_virt(reterr);
    json_t *virt = json_incref(reterr->virt);
    vg_error_set(reterr, VG_E_HOST_UNREACHABLE,
                 "The admin socket of host '%s', %s, cannot be reached: %s", host->name,
                 uri, reterr->detail ? reterr->detail : "out of memory");
    reterr->virt = virt;
    return -1;
}

static bool is_usable(const struct vg_virt_conn *virt_conn)
{
    return virt_conn->admin && !atomic_load(&virt_conn->cut) &&
           virAdmConnectIsAlive(virt_conn->admin) == 1;
}

int vg_admin_prepare(struct vg_host *host, struct vg_virt_conn *virt_conn,
                     struct vg_error *reterr)
{
    const char *why;

    if (is_usable(virt_conn))
        return 0;
    vg_virt_conn_close(virt_conn);
    vg_autofree char *uri = find_uri(host, &why);
    if (!uri)
        return fail_no_uri(host, why, reterr);
    vg_virt_conn_opening = virt_conn;
    virt_conn->admin = virAdmConnectOpen(uri, 0);
    vg_virt_conn_opening = NULL;
    if (virt_conn->admin)
        return 0;
    fail_open(host, uri, reterr);
    vg_virt_conn_close(virt_conn);
    return -1;
}

int vg_admin_reopen(struct vg_request *rq)
{
    vg_virt_conn_close(rq->virt_conn);
    vg_error_clear(&rq->error);
    return vg_admin_prepare(rq->host, rq->virt_conn, &rq->error);
}

virAdmConnectPtr vg_admin_conn(const struct vg_request *rq)
{
    return rq->virt_conn->admin;
}
