/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The other end of a call between two hosts: a connection made for this call alone, so
 * that no other host's workers are taken away.
 */
#include "server/libvirt/internal.h"

#include "server/core/request.h"

#include <stdlib.h>

#define OPEN_LIMIT (10 * VG_SECOND_NS)

struct vg_peer {
    const struct vg_host *host;
    struct vg_lease *lease;
};

static int open_lease(struct vg_request *rq, struct vg_host *host, struct vg_lease *lease)
{
    int64_t limit = vg_now_ns() + OPEN_LIMIT;

    atomic_store(&lease->cut_at_ns, limit < rq->deadline_ns ? limit : rq->deadline_ns);
    int rc = vg_host_prepare_lease(host, lease, &rq->error);
    atomic_store(&lease->cut_at_ns, rq->deadline_ns);
    if (rc < 0)
        rq->error.host = vg_host_get_name(host);
    return rc;
}

struct vg_peer *vg_peer_open(struct vg_request *rq, const char *name)
{
    struct vg_host *host = vg_host_find(name);
    if (!host) {
        vg_error_set(&rq->error, VG_E_INVALID_VALUE,
                     "There is no host '%.200s'; a name that /hosts lists is accepted",
                     name);
        return NULL;
    }
    struct vg_peer *peer = calloc(1, sizeof(*peer));
    if (peer) {
        peer->host = host;
        peer->lease = vg_lease_new();
    }
    if (!peer || !peer->lease)
        vg_error_set_memory(&rq->error);
    else if (open_lease(rq, host, peer->lease) == 0)
        return peer;
    vg_peer_close(peer);
    return NULL;
}

const char *vg_peer_name(const struct vg_peer *peer)
{
    return vg_host_get_name(peer->host);
}

virConnectPtr vg_peer_conn(const struct vg_peer *peer)
{
    return peer->lease->conn;
}

void vg_peer_close(struct vg_peer *peer)
{
    if (!peer)
        return;
    vg_lease_free(peer->lease);
    free(peer);
}
