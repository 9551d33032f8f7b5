/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Connections for requests: opened when they are needed, and not where the host has no
 * room for them. See libvirt/internal.h.
 */
#include "server/core/request.h"
#include "server/libvirt/identity.h"
#include "server/libvirt/internal.h"
#include "server/base/log.h"
#include "virtgate/cleanup.h"

#include <string.h>

/* How long the host monitor may take to say whether the host is up. */
#define ASK_LIMIT (5 * VG_SECOND_NS)

/* Whether a new connection may be tried now. On a host that is full only once in a while,
 * because the attempt has to wait. Lock held. */
static bool may_open(struct vg_host *host)
{
    int64_t now = vg_now_ns();
    if (!host->full)
        return true;
    if (now < host->full_next_ns)
        return false;
    host->full_next_ns = now + VG_FULL_RETRY;
    return true;
}

static int fail_full(const struct vg_host *host, struct vg_error *reterr)
{
    vg_error_set(
        reterr, VG_E_OVERLOADED,
        "Host '%s' takes no more connections, and those that are open are in use: "
        "try again shortly, or raise max_clients of its libvirtd",
        host->name);
    return VG_HOST_FULL;
}

/* A connection got no answer: lets the host monitor ask the host, and tells whether it is
 * up. Blocks until then, at most until `until_ns`. */
static bool is_up_after_all(struct vg_host *host, int64_t until_ns)
{
    const struct timespec until = vg_timespec(until_ns);

    vg_monitor_suspect(host);
    VG_LOCK(&host->lock);
    int rc = 0;
    while (host->suspect && host->state == VG_HOST_UP && rc == 0)
        rc = pthread_cond_timedwait(&host->wake, &host->lock, &until);
    return host->state == VG_HOST_UP && !host->suspect && !host->lost;
}

/* ---- in whose name --------------------------------------------------------------------
 *
 * An identity is set once in a connection's life. So a worker that has another caller's
 * connection leaves it with the host, and takes the one that is there for this caller.
 */

static bool is_for(const struct vg_virt_conn *virt_conn,
                   const struct vg_identity *identity)
{
    return vg_identity_same(&virt_conn->identity, identity);
}

/* Where the caller's connection is kept, else the place that waited longest. NULL: out of
 * memory. Lock held. */
static struct vg_virt_conn *find_spare(struct vg_host *host,
                                       const struct vg_identity *identity)
{
    for (size_t i = 0; i < VG_SPARE_CONNS; i++) {
        struct vg_virt_conn *spare = host->spares[i];
        if (spare && spare->conn && is_for(spare, identity) &&
            spare->epoch == host->epoch)
            return spare;
    }
    struct vg_virt_conn **at = &host->spares[host->next_spare++ % VG_SPARE_CONNS];
    if (!*at)
        *at = vg_virt_conn_new();
    return *at;
}

/* Changes the connection for the caller's; one of nobody that is closed, or still
 * another's, where there is none. Those that move bytes are not kept, nor is the driver's
 * own. Lock held. */
static void change_conn(struct vg_host *host, struct vg_virt_conn *virt_conn,
                        const struct vg_identity *identity)
{
    if (virt_conn->streams || virt_conn->in_process || is_for(virt_conn, identity))
        return;
    struct vg_virt_conn *spare = find_spare(host, identity);
    if (spare)
        vg_virt_conn_swap(virt_conn, spare);
}

/* The host is full: what is kept for callers makes room. */
static void drop_spares(struct vg_host *host)
{
    struct vg_virt_conn *dropped[VG_SPARE_CONNS];
    {
        VG_LOCK(&host->lock);
        memcpy(dropped, host->spares, sizeof(dropped));
        memset(host->spares, 0, sizeof(host->spares));
    }
    for (size_t i = 0; i < VG_SPARE_CONNS; i++)
        vg_virt_conn_free(dropped[i]);
}

void vg_host_free_spares(struct vg_host *host)
{
    for (size_t i = 0; i < VG_SPARE_CONNS; i++)
        vg_virt_conn_free(vg_take(&host->spares[i]));
}

/* Not without it: the gateway itself may do more than the caller. */
static int take_identity(struct vg_host *host, struct vg_virt_conn *virt_conn,
                         const struct vg_identity *identity, struct vg_error *reterr)
{
    if (virt_conn->in_process || is_for(virt_conn, identity))
        return 0;
    if (vg_identity_set(virt_conn->conn, identity, reterr) == 0) {
        virt_conn->identity = *identity;
        return 0;
    }
    vg_log(VG_LOG_ERROR, "host", "%s: the identity of `%s` was not taken", host->name,
           identity->principal);
    vg_virt_conn_close(virt_conn);
    return -1;
}

/* A host that answers on open connections and not on a new one has no room for it. */
static int open_conn(struct vg_host *host, struct vg_virt_conn *virt_conn,
                     struct vg_error *reterr)
{
    struct vg_error why = {0};
    int64_t cut_at = atomic_load(&virt_conn->cut_at_ns);
    int64_t until = vg_now_ns() + vg_host_open_limit(host);
    bool patient = !cut_at || until < cut_at;

    if (patient)
        atomic_store(&virt_conn->cut_at_ns, until);
    int rc = vg_virt_conn_open(virt_conn, host->uri, host->read_only, host->name, &why);
    bool cut = atomic_load(&virt_conn->cut);
    atomic_store(&virt_conn->cut_at_ns, cut_at);
    if (rc < 0 && cut && patient &&
        is_up_after_all(host, cut_at ? cut_at : until + ASK_LIMIT)) {
        vg_host_set_full(host, true);
        rc = fail_full(host, reterr);
    } else if (rc < 0) {
        vg_monitor_note_failure(host, &why);
        vg_host_error_unreachable(reterr, host->name, &why);
    } else {
        vg_host_set_full(host, false);
    }
    vg_error_clear(&why);
    return rc;
}

int vg_host_prepare_conn(struct vg_host *host, struct vg_virt_conn *virt_conn,
                         struct vg_request *rq)
{
    struct vg_error *reterr = &rq->error;
    const struct vg_identity identity = vg_identity_of(rq);
    unsigned int epoch;
    bool full;
    {
        VG_LOCK(&host->lock);
        if (host->state == VG_HOST_DOWN) {
            vg_host_error_unreachable(reterr, host->name, &host->error);
            return -1;
        }
        epoch = host->epoch;
        full = host->full;
        change_conn(host, virt_conn, &identity);
        if (vg_virt_conn_usable(virt_conn) && virt_conn->epoch == epoch &&
            (is_for(virt_conn, &identity) || virt_conn->in_process))
            return 0;
        if (host->state == VG_HOST_UP && host->virt_conn->in_process) {
            if (host->virt_conn->conn)
                vg_virt_conn_share(virt_conn, host->virt_conn->conn);
            virt_conn->epoch = epoch;
            return 0;
        }
        if (!may_open(host))
            return fail_full(host, reterr);
    }
    if (full)
        drop_spares(host);
    int rc = open_conn(host, virt_conn, reterr);
    if (rc < 0)
        return rc;
    virt_conn->epoch = epoch;
    return take_identity(host, virt_conn, &identity, reterr);
}

struct vg_patience vg_patience_begin(struct vg_request *rq, bool nowait)
{
    struct vg_patience patience = {0};
    int64_t now = vg_now_ns();

    if (!nowait || rq->again || !rq->virt_conn || rq->call_until_ns <= now)
        return patience;
    patience.rq = rq;
    patience.cut_at_ns = atomic_load(&rq->virt_conn->cut_at_ns);
    atomic_store(&rq->virt_conn->cut_at_ns, now + (rq->call_until_ns - now) / 3);
    return patience;
}

void vg_patience_end(struct vg_patience *patience)
{
    if (patience->rq)
        atomic_store(&patience->rq->virt_conn->cut_at_ns, patience->cut_at_ns);
}
