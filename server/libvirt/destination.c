/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The other end of a call between two hosts: a connection made for this call alone, so
 * that no other host's workers are taken away.
 */
#include "server/libvirt/internal.h"

#include "server/core/answer_cache.h"
#include "server/core/request.h"
#include "virtgate/scope.h"

#include <stdlib.h>

#define OPEN_LIMIT (10 * VG_SECOND_NS)

struct vg_destination {
    const struct vg_host *host;
    struct vg_virt_conn *virt_conn;
};

static int open_conn(struct vg_request *rq, struct vg_host *host,
                     struct vg_virt_conn *virt_conn)
{
    int64_t limit = vg_now_ns() + OPEN_LIMIT;

    atomic_store(&virt_conn->cut_at_ns,
                 limit < rq->deadline_ns ? limit : rq->deadline_ns);
    int rc = vg_host_prepare_conn(host, virt_conn, rq);
    atomic_store(&virt_conn->cut_at_ns, rq->deadline_ns);
    if (rc < 0)
        rq->error.host = vg_host_get_name(host);
    return rc;
}

struct vg_destination *vg_destination_open(struct vg_request *rq, const char *name)
{
    struct vg_host *host = vg_sees_host(rq, name) ? vg_host_find(name) : NULL;
    if (!host) {
        vg_error_set(&rq->error, VG_E_INVALID_VALUE,
                     "There is no host '%.200s'; a name that /hosts lists is accepted",
                     name);
        return NULL;
    }
    struct vg_destination *destination = calloc(1, sizeof(*destination));
    if (destination) {
        destination->host = host;
        destination->virt_conn = vg_virt_conn_new();
    }
    if (!destination || !destination->virt_conn)
        vg_error_set_memory(&rq->error);
    else if (open_conn(rq, host, destination->virt_conn) == 0)
        return destination;
    vg_destination_close(destination);
    return NULL;
}

const char *vg_destination_name(const struct vg_destination *destination)
{
    return vg_host_get_name(destination->host);
}

virConnectPtr vg_destination_conn(const struct vg_destination *destination)
{
    return destination->virt_conn->conn;
}

void vg_destination_close(struct vg_destination *destination)
{
    if (!destination)
        return;
    /* what was done there is seen by whoever hears of it, before its events have come */
    vg_answer_cache_invalidate(destination->host->cache, VG_KIND_DOMAIN);
    vg_virt_conn_free(destination->virt_conn);
    free(destination);
}
