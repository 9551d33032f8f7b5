/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What operations are to libvirt: a call in progress on one connection, whose domain's
 * job other connections see and abort; or a job that the domain goes on with. Nothing is
 * asked before a client asks, but what became of jobs whose events were missed.
 */
#include "virtgate/operation.h"

#include "server/core/access.h"
#include "server/core/operation.h"
#include "server/libvirt/conn.h"
#include "server/libvirt/error.h"
#include "virtgate/autoptr.h"
#include "virtgate/device.h"
#include "virtgate/host.h"
#include "virtgate/job.h"
#include "virtgate/xml.h"

#include <libvirt/virterror.h>
#include <string.h>

#define NO_JOB (-1)

static int begin(struct vg_request *rq, const char *name, const char *uuid, int job)
{
    if (vg_operation_note_begun(rq, name, uuid, job) < 0) {
        vg_error_set(&rq->error, VG_E_CONFLICT,
                     "The operation was cancelled before it began; nothing was done");
        return -1;
    }
    atomic_store(&rq->virt_conn->cut_at_ns, rq->deadline_ns);
    return 0;
}

int vg_operation_begin(struct vg_request *rq, virDomainPtr dom, int job)
{
    char uuid[VIR_UUID_STRING_BUFLEN] = "";

    virDomainGetUUIDString(dom, uuid);
    return begin(rq, virDomainGetName(dom), uuid, job);
}

int vg_operation_begin_making(struct vg_request *rq, const char *xml)
{
    vg_autofree char *name = NULL;
    vg_autofree char *uuid = NULL;

    if (xml && vg_xml_identity(xml, &name, &uuid) < 0)
        return begin(rq, NULL, NULL, NO_JOB);
    return begin(rq, name, uuid, NO_JOB);
}

int vg_operation_begin_call(struct vg_request *rq)
{
    return begin(rq, NULL, NULL, NO_JOB);
}

/* Events name disks by their target, a path may name them by their image, too. */
static int begin_disk_job(struct vg_request *rq, virDomainPtr dom,
                          struct vg_host_job *job)
{
    if (job->disk[0] != '/')
        return vg_operation_new_job(rq, job);
    vg_auto_devices *devices = vg_devices_read(dom, 0, &rq->error);
    if (!devices)
        return -1;
    const struct vg_device *disk = vg_devices_disk(devices, job->disk);
    const char *target = disk ? vg_disk_target(disk) : NULL;
    job->disk = target ? target : job->disk; /* the call says what is wrong with it */
    return vg_operation_new_job(rq, job);
}

int vg_operation_begin_job(struct vg_request *rq, virDomainPtr dom, const char *disk,
                           int job)
{
    char uuid[VIR_UUID_STRING_BUFLEN] = "";
    struct vg_host_job begun = {
        .domain = virDomainGetName(dom), .uuid = uuid, .disk = disk, .job = job};

    virDomainGetUUIDString(dom, uuid);
    begun.domain_id = (int)virDomainGetID(dom);
    return disk ? begin_disk_job(rq, dom, &begun) : vg_operation_new_job(rq, &begun);
}

/* ---- asking ------------------------------------------------------------------------ */

/* What the host says of an operation's job. */
enum presence { THERE, GONE, NOT_TOLD };

/* libvirt's errors of a domain or a disk that has no such job. */
static enum presence explain(const struct vg_error *e)
{
    return vg_error_is_virt(e, VIR_ERR_NO_DOMAIN) ||
                   vg_error_is_virt(e, VIR_ERR_OPERATION_INVALID) ||
                   vg_error_is_virt(e, VIR_ERR_INVALID_ARG)
               ? GONE
               : NOT_TOLD;
}

/* Looks for the job of the operation; THERE: *ret is its statistics. */
static enum presence look_for(const struct vg_request *rq,
                              const struct vg_operation_job *job, json_t **ret)
{
    struct vg_error e = {0};
    json_auto_t *progress = NULL;
    int now = -1;
    vg_autoptr(virDomain) dom = virDomainLookupByUUIDString(vg_conn(rq), job->uuid);

    if (!dom) {
        vg_error_set_virt(&e);
    } else if (job->goes_on && (int)virDomainGetID(dom) != job->domain_id) {
        return GONE;
    } else if ((job->disk ? vg_block_job_read(dom, job->disk, 0, &progress, &now, &e)
                          : vg_job_read(dom, 0, &progress, &now, &e)) == 0) {
        *ret = now == job->job ? vg_take(&progress) : NULL;
        return *ret ? THERE : GONE;
    }
    enum presence told = explain(&e);
    vg_error_clear(&e);
    return told;
}

struct vg_reply vg_operation_left(struct vg_request *rq)
{
    struct vg_operation_job job;
    json_auto_t *progress = NULL;

    vg_operation_get_job(rq->operation, &job);
    if (vg_operation_has_early_end(rq->operation) &&
        look_for(rq, &job, &progress) == THERE)
        vg_operation_forget_early_end(rq->operation);
    return (struct vg_reply){.status = 202}; /* its operation answers */
}

/* The job of the operation, while it is the domain's. NULL: there is none to see. */
static json_t *read_progress(const struct vg_request *rq,
                             const struct vg_operation_job *job)
{
    json_t *progress = NULL;

    if (!job->first || (job->goes_on && !job->left))
        return NULL; /* what is there may be another's */
    enum presence told = look_for(rq, job, &progress);
    if (job->left && told == THERE)
        vg_operation_note_there(rq->watched);
    if (job->left && told == GONE)
        vg_operation_note_gone(rq->watched);
    return progress;
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
    if (vg_conn(rq) && vg_operation_has_job(rq->watched))
        progress = read_progress(rq, &job);
    vg_auto_json w = vg_json_for(rq);
    vg_operation_write(rq, rq->watched, &w, NULL, progress);
    return vg_ok_written(rq, &w);
}

/* ---- cancelling -------------------------------------------------------------------- */

/* Of the domain's job, whoever began it: what it needs to begin one. */
static const char *job_needs(int job)
{
    switch (job) {
    case VIR_DOMAIN_JOB_OPERATION_UNKNOWN:
        return "";
    case VIR_DOMAIN_JOB_OPERATION_START:
        return "domain:start";
    case VIR_DOMAIN_JOB_OPERATION_SAVE:
        return "domain:hibernate";
    case VIR_DOMAIN_JOB_OPERATION_SNAPSHOT:
    case VIR_DOMAIN_JOB_OPERATION_SNAPSHOT_REVERT:
    case VIR_DOMAIN_JOB_OPERATION_SNAPSHOT_DELETE:
        return "domain:snapshot";
    case VIR_DOMAIN_JOB_OPERATION_RESTORE:
        return "domain:start gateway:path";
    case VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN:
    case VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT:
        return "domain:migrate";
    case VIR_DOMAIN_JOB_OPERATION_DUMP:
        return "domain:core_dump gateway:path";
    case VIR_DOMAIN_JOB_OPERATION_BACKUP:
        return "domain:checkpoint domain:block_write gateway:document";
    default: /* what a newer libvirt has: it may be as much as any of these */
        return job < 0 ? "" : "domain:migrate domain:core_dump domain:block_write";
    }
}

int vg_operation_ask_abort(struct vg_request *rq, virDomainPtr dom)
{
    char uuid[VIR_UUID_STRING_BUFLEN] = "";
    struct vg_error untold = {0};
    json_auto_t *job = NULL;
    struct vg_permissions needs;
    char unknown[VG_PERMISSION_SIZE];
    int operation = -1;

    if (vg_access_has_all(rq))
        return 0;
    virDomainGetUUIDString(dom, uuid);
    if (vg_job_read(dom, 0, &job, &operation, &untold) < 0)
        vg_error_clear(&untold); /* the call itself says what is wrong */
    (void)vg_permissions_parse(job_needs(operation), &needs, unknown);
    vg_operations_add_needs(rq->host, uuid, &needs);
    return vg_access_ask(rq, &needs, "To abort a job needs what it needs to begin it");
}

static int fail_conflict(struct vg_request *rq, const char *why)
{
    vg_error_set(&rq->error, VG_E_CONFLICT, "%s", why);
    return -1;
}

/* A job that somebody else began since must not be aborted for this one. */
static int check_job_there(struct vg_request *rq, const struct vg_operation_job *job)
{
    json_auto_t *progress = NULL;

    if (look_for(rq, job, &progress) != GONE)
        return 0; /* where that is not told, the call says what is wrong */
    vg_operation_note_gone(rq->watched);
    return fail_conflict(rq, "The job is over; the operation is about to end");
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
    if (job->goes_on)
        return check_job_there(rq, job);
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

/* libvirt is not waited for: the event tells the end. */
static int call_abort(virDomainPtr dom, const struct vg_operation_job *job,
                      unsigned int flags)
{
    return job->disk
               ? virDomainBlockJobAbort(dom, job->disk, VIR_DOMAIN_BLOCK_JOB_ABORT_ASYNC)
               : vg_job_abort(dom, flags);
}

static int abort_job(struct vg_request *rq, const struct vg_operation_job *job,
                     unsigned int flags)
{
    vg_autoptr(virDomain) dom = virDomainLookupByUUIDString(vg_conn(rq), job->uuid);

    if (!dom)
        return vg_error_set_virt(&rq->error);
    if (job->disk && flags) {
        vg_error_set(
            &rq->error, VG_E_INVALID_VALUE,
            "'flags' is for domains' own jobs; a block job's operation has none");
        return -1;
    }
    if (check_job(rq, dom, job) < 0)
        return -1;
    /* before the call: its end may come first */
    if (!vg_operation_request_cancel(rq->watched))
        return fail_conflict(rq, "The operation has ended");
    if (call_abort(dom, job, flags) == 0)
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
    if (vg_access_ask(rq, &job.needs,
                      "To cancel an operation needs what it needs to begin it") < 0)
        return -1;
    if (job.state == VG_OPERATION_PENDING)
        return vg_operation_cancel_pending(rq->watched)
                   ? 0
                   : fail_conflict(rq, "The operation has just begun; try again");
    if (vg_operation_cancel_transfer(rq->watched))
        return 0;
    if (job.state != VG_OPERATION_RUNNING)
        return fail_conflict(rq, "The operation has ended");
    if (job.goes_on && !job.left)
        return fail_conflict(rq, "The operation has just begun; try again");
    if (vg_operation_stop(rq->watched))
        return 0;
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
