/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/libvirt/operation_event.h"

#include "server/core/operation.h"
#include "server/libvirt/error.h"

static struct vg_host_job name_job(virDomainPtr dom, char *uuid, const char *disk,
                                   int job)
{
    virDomainGetUUIDString(dom, uuid);
    return (struct vg_host_job){.uuid = uuid, .disk = disk, .job = job};
}

void vg_operations_on_block_job(struct vg_host *host, virDomainPtr dom, const char *disk,
                                int type, int status)
{
    char uuid[VIR_UUID_STRING_BUFLEN] = "";
    struct vg_host_job job = name_job(dom, uuid, disk, type);

    if (status == VIR_DOMAIN_BLOCK_JOB_COMPLETED)
        vg_operations_job_ended(host, &job, VG_OPERATION_SUCCEEDED, NULL, false);
    else if (status == VIR_DOMAIN_BLOCK_JOB_FAILED)
        vg_operations_job_ended(host, &job, VG_OPERATION_FAILED, NULL, false);
    else if (status == VIR_DOMAIN_BLOCK_JOB_CANCELED)
        vg_operations_job_ended(host, &job, VG_OPERATION_CANCELLED, NULL, false);
}

void vg_operations_on_lifecycle(struct vg_host *host, virDomainPtr dom, int type)
{
    char uuid[VIR_UUID_STRING_BUFLEN] = "";

    if (type != VIR_DOMAIN_EVENT_STOPPED)
        return;
    virDomainGetUUIDString(dom, uuid);
    vg_operations_domain_ended(host, uuid, "the domain stopped before the job was done");
}

/* A backup in pull mode ends only by being aborted: that is a success of libvirt's. */
void vg_operations_on_job(struct vg_host *host, virDomainPtr dom,
                          virTypedParameterPtr params, int n)
{
    char uuid[VIR_UUID_STRING_BUFLEN] = "";
    int operation = -1, success = 0;
    const char *why = NULL;

    virTypedParamsGetInt(params, n, VIR_DOMAIN_JOB_OPERATION, &operation);
    virTypedParamsGetBoolean(params, n, VIR_DOMAIN_JOB_SUCCESS, &success);
    virTypedParamsGetString(params, n, VIR_DOMAIN_JOB_ERRMSG, &why);
    struct vg_host_job job = name_job(dom, uuid, NULL, operation);
    bool stopped = vg_virt_text_is(VG_TEXT_JOB_ABORTED, why);
    enum vg_operation_state state = success   ? VG_OPERATION_SUCCEEDED
                                    : stopped ? VG_OPERATION_CANCELLED
                                              : VG_OPERATION_FAILED;
    vg_operations_job_ended(host, &job, state, why, stopped);
}
