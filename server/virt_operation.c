/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What operations are to libvirt: a call in progress on one connection, whose domain's
 * job other connections see and abort. Nothing is asked before a client asks.
 */
#include "virtgate/operation.h"

#include "server/operation.h"
#include "server/virt_conn.h"
#include "virtgate/autoptr.h"
#include "virtgate/host.h"
#include "virtgate/job.h"

#include <string.h>

int vg_operation_begin(struct vg_request *rq, virDomainPtr dom, int job)
{
    char uuid[VIR_UUID_STRING_BUFLEN] = "";

    if (dom)
        virDomainGetUUIDString(dom, uuid);
    if (vg_operation_note_begun(rq->operation, dom ? virDomainGetName(dom) : NULL, uuid,
                                job) < 0) {
        vg_error_set(&rq->error, VG_E_CONFLICT,
                     "The operation was cancelled before it began; nothing was done");
        return -1;
    }
    atomic_store(&rq->lease->cut_at_ns, rq->deadline_ns);
    return 0;
}

/* The job of the operation, while it is the domain's. NULL: there is none to see. */
static json_t *read_progress(const struct vg_request *rq,
                             const struct vg_operation_job *job)
{
    struct vg_error ignored = {0};
    json_t *progress = NULL;
    int operation = -1;
    vg_autoptr(virDomain) dom = virDomainLookupByUUIDString(vg_conn(rq), job->uuid);

    if (!dom || vg_job_read(dom, 0, &progress, &operation, &ignored) < 0) {
        vg_error_clear(&ignored);
        return NULL;
    }
    if (operation == job->job && job->first)
        return progress;
    json_decref(progress);
    return NULL;
}

struct vg_reply vg_operation_reply(struct vg_request *rq)
{
    struct vg_operation_job job;
    json_auto_t *progress = NULL;

    if (!rq->watched) {
        vg_operation_set_missing(rq, vg_path(rq, "operation"));
        return vg_fail(rq);
    }
    vg_operation_get_job(rq->watched, &job);
    if (vg_conn(rq) && job.state == VG_OPERATION_RUNNING && job.uuid[0])
        progress = read_progress(rq, &job);
    vg_auto_json w = vg_json_for(rq);
    vg_operation_write(rq->watched, &w, NULL, progress);
    return vg_ok_written(rq, &w);
}

/* ---- cancelling -------------------------------------------------------------------- */

static int fail_conflict(struct vg_request *rq, const char *why)
{
    vg_error_set(&rq->error, VG_E_CONFLICT, "%s", why);
    return -1;
}

/* Another job of the domain must not be aborted for this one, which waits for it. */
static int check_job(struct vg_request *rq, virDomainPtr dom,
                     const struct vg_operation_job *job)
{
    json_auto_t *now = NULL;
    int operation = -1;

    if (!job->first)
        return fail_conflict(rq,
                             "An earlier operation on the domain is at work, this one "
                             "waits for it; cancel that first");
    if (vg_job_read(dom, 0, &now, &operation, &rq->error) < 0)
        return -1;
    if (operation >= 0 && operation != job->job) {
        vg_error_set(&rq->error, VG_E_CONFLICT,
                     "The domain is at another job (%s), the operation waits for it",
                     json_string_value(json_object_get(now, "operation")));
        return -1;
    }
    return 0;
}

static int abort_job(struct vg_request *rq, const struct vg_operation_job *job,
                     unsigned int flags)
{
    vg_autoptr(virDomain) dom = virDomainLookupByUUIDString(vg_conn(rq), job->uuid);

    if (!dom) {
        vg_error_set_virt(&rq->error);
        return -1;
    }
    if (check_job(rq, dom, job) < 0)
        return -1;
    /* before the call: its end may come first */
    if (!vg_operation_request_cancel(rq->watched))
        return fail_conflict(rq, "The operation has ended");
    if (vg_job_abort(dom, flags) == 0)
        return 0;
    vg_error_set_virt(&rq->error);
    vg_operation_forget_cancel(rq->watched);
    return -1;
}

int vg_operation_cancel(struct vg_request *rq, unsigned int flags)
{
    struct vg_operation_job job;

    if (!rq->watched) {
        vg_operation_set_missing(rq, vg_path(rq, "operation"));
        return -1;
    }
    vg_operation_get_job(rq->watched, &job);
    if (!vg_request_may(rq, job.access)) {
        vg_error_set(&rq->error, VG_E_FORBIDDEN,
                     "To cancel an operation needs the role that began it");
        return -1;
    }
    if (job.state == VG_OPERATION_PENDING)
        return vg_operation_cancel_pending(rq->watched)
                   ? 0
                   : fail_conflict(rq, "The operation has just begun; try again");
    if (job.state != VG_OPERATION_RUNNING)
        return fail_conflict(rq, "The operation has ended");
    if (job.job < 0)
        return fail_conflict(rq, "This operation cannot be cancelled; it ends by itself");
    if (!vg_conn(rq)) {
        struct vg_host_status status;
        vg_host_status(rq, &status);
        vg_host_set_unreachable(rq, &status);
        vg_host_status_clear(&status);
        return -1;
    }
    return abort_job(rq, &job, flags);
}
