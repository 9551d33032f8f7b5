/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is known of a host without asking it: include/virtgate/host.h.
 */
#include "server/libvirt/host.h"

#include "server/core/request.h"
#include "server/libvirt/error.h"
#include "server/libvirt/internal.h"
#include "virtgate/cleanup.h"

static void get_status(struct vg_host *host, struct vg_host_status *ret)
{
    struct vg_queue_load load = vg_queue_load(&host->general);
    *ret = (struct vg_host_status){
        .name = host->name, .uri = host->shown_uri, .read_only = host->read_only};
    /* the pool is of reads, and has grown by what changes hold */
    ret->pool_size = host->general.classes[VG_QUEUE_READS].max_in_flight + load.changes;
    ret->queue_size = host->general.max_waiting;
    ret->events = atomic_load_explicit(&host->events, memory_order_relaxed);
    ret->in_use = load.in_flight;
    ret->waiting = load.waiting;
    struct vg_history_size kept =
        host->history ? vg_history_size(host->history) : (struct vg_history_size){0};
    ret->history_domains = kept.domains;
    ret->history_bytes = kept.bytes;
    ret->idle = load.threads > load.in_flight ? load.threads - load.in_flight : 0;

    VG_LOCK(&host->lock);
    ret->state = host->state;
    ret->alive = host->state == VG_HOST_UP && !host->lost;
    vg_error_copy(&ret->error, &host->error);
    ret->reason = host->state == VG_HOST_DOWN ? host->reason
                  : host->full                ? "connection-limit"
                                              : NULL;
    ret->facts = vg_host_facts_ref(host->facts);
}

struct vg_host_facts *vg_host_facts(struct vg_request *rq)
{
    struct vg_host *host = rq->host;
    VG_LOCK(&host->lock);
    if (host->state == VG_HOST_UP)
        return vg_host_facts_ref(host->facts);
    vg_host_error_unreachable(&rq->error, host->name, &host->error);
    return NULL;
}

void vg_host_status(const struct vg_request *rq, struct vg_host_status *ret)
{
    get_status(rq->host, ret);
}

bool vg_host_status_at(size_t index, struct vg_host_status *ret)
{
    if (index >= vg_host_count()) {
        *ret = (struct vg_host_status){0};
        return false;
    }
    get_status(vg_host_at(index), ret);
    return true;
}

bool vg_host_status_of(const char *name, struct vg_host_status *ret)
{
    struct vg_host *host = vg_host_find(name);

    *ret = (struct vg_host_status){0};
    if (host)
        get_status(host, ret);
    return host;
}

void vg_host_status_clear(struct vg_host_status *status)
{
    vg_error_clear(&status->error);
    vg_host_facts_unref(status->facts);
    status->facts = NULL;
}

json_t *vg_host_problem(const struct vg_host_status *status)
{
    struct vg_error e = {0};

    vg_host_error_unreachable(&e, status->name, &status->error);
    json_t *problem = vg_error_to_json(&e);
    vg_error_clear(&e);
    return problem;
}

void vg_host_set_unreachable(struct vg_request *rq, const struct vg_host_status *status)
{
    vg_host_error_unreachable(&rq->error, status->name, &status->error);
}
