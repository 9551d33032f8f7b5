/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See include/virtgate/job.h.
 */
#include "virtgate/job.h"

#include "virtgate/autoptr.h"
#include "virtgate/device.h"
#include "virtgate/enum.h"
#include "virtgate/json.h"
#include "virtgate/params.h"

#include <libvirt/virterror.h>

/* The older call's struct by the names of the newer one's parameters. */
static int read_info(virDomainPtr dom, int *ret_type, struct vg_params *ret)
{
    virDomainJobInfo info = {0};
    int max = 0;

    if (virDomainGetJobInfo(dom, &info) < 0)
        return -1;
    const struct {
        const char *name;
        unsigned long long value;
    } fields[] = {
        {VIR_DOMAIN_JOB_TIME_ELAPSED, info.timeElapsed},
        {VIR_DOMAIN_JOB_TIME_REMAINING, info.timeRemaining},
        {VIR_DOMAIN_JOB_DATA_TOTAL, info.dataTotal},
        {VIR_DOMAIN_JOB_DATA_PROCESSED, info.dataProcessed},
        {VIR_DOMAIN_JOB_DATA_REMAINING, info.dataRemaining},
        {VIR_DOMAIN_JOB_MEMORY_TOTAL, info.memTotal},
        {VIR_DOMAIN_JOB_MEMORY_PROCESSED, info.memProcessed},
        {VIR_DOMAIN_JOB_MEMORY_REMAINING, info.memRemaining},
        {VIR_DOMAIN_JOB_DISK_TOTAL, info.fileTotal},
        {VIR_DOMAIN_JOB_DISK_PROCESSED, info.fileProcessed},
        {VIR_DOMAIN_JOB_DISK_REMAINING, info.fileRemaining},
    };
    *ret_type = info.type;
    for (size_t i = 0;
         info.type != VIR_DOMAIN_JOB_NONE && i < sizeof(fields) / sizeof(fields[0]); i++)
        if (virTypedParamsAddULLong(&ret->v, &ret->n, &max, fields[i].name,
                                    fields[i].value) < 0)
            return -1;
    return 0;
}

static int read_stats(virDomainPtr dom, unsigned int flags, int *ret_type,
                      struct vg_params *ret)
{
    if (virDomainGetJobStats(dom, ret_type, &ret->v, &ret->n, flags) == 0)
        return 0;
    return flags || virGetLastErrorCode() != VIR_ERR_NO_SUPPORT
               ? -1
               : read_info(dom, ret_type, ret);
}

/* False: the job does not tell, or tells nothing yet. */
static bool find_number(const struct vg_params *params, const char *name,
                        unsigned long long *ret)
{
    return virTypedParamsGetULLong(params->v, params->n, name, ret) == 1;
}

/* -1: these are not a part and its whole. */
static int part_of(unsigned long long done, unsigned long long total)
{
    return total && done <= total ? (int)((double)done * 100 / (double)total) : -1;
}

/* How much of the data is done; -1: the job does not tell. Backups tell it of disks only,
 * dumps of memory only. */
static int percent_of(const struct vg_params *params, int type)
{
    static const char *const parts[][2] = {
        {VIR_DOMAIN_JOB_DISK_TOTAL, VIR_DOMAIN_JOB_DISK_PROCESSED},
        {VIR_DOMAIN_JOB_MEMORY_TOTAL, VIR_DOMAIN_JOB_MEMORY_PROCESSED},
    };
    unsigned long long total = 0, remaining = 0, done = 0;

    if (type == VIR_DOMAIN_JOB_COMPLETED)
        return 100;
    if (find_number(params, VIR_DOMAIN_JOB_DATA_TOTAL, &total) && total &&
        find_number(params, VIR_DOMAIN_JOB_DATA_REMAINING, &remaining))
        return remaining > total ? -1 : part_of(total - remaining, total);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (find_number(params, parts[i][0], &total) && total &&
            find_number(params, parts[i][1], &done) && done <= total)
            return part_of(done, total);
    return -1;
}

int vg_job_read(virDomainPtr dom, unsigned int flags, json_t **ret, int *ret_operation,
                struct vg_error *reterr)
{
    vg_auto_params params = {0};
    int type = VIR_DOMAIN_JOB_NONE, operation = -1;

    if (read_stats(dom, flags, &type, &params) < 0)
        return vg_error_set_virt(reterr);
    virTypedParamsGetInt(params.v, params.n, VIR_DOMAIN_JOB_OPERATION, &operation);
    int percent = percent_of(&params, type);
    json_auto_t *job = vg_params_to_json(params.v, params.n);
    int bad = json_object_set_new(job, "type",
                                  vg_json_enum_value(&vg_enum_virDomainJobType, type));
    if (operation >= 0)
        bad |= json_object_set_new(
            job, "operation",
            vg_json_enum_value(&vg_enum_virDomainJobOperation, operation));
    if (type != VIR_DOMAIN_JOB_NONE)
        bad |= json_object_set_new(job, "percent",
                                   percent < 0 ? json_null() : json_integer(percent));
    if (bad)
        return vg_error_set_memory(reterr);
    if (ret_operation)
        *ret_operation = operation;
    *ret = vg_take(&job);
    return 0;
}

int vg_job_abort(virDomainPtr dom, unsigned int flags)
{
    if (virDomainAbortJobFlags(dom, flags) == 0)
        return 0;
    return flags || virGetLastErrorCode() != VIR_ERR_NO_SUPPORT ? -1
                                                                : virDomainAbortJob(dom);
}

/* ---- of disks ---------------------------------------------------------------------- */

/* Copies and active commits go on until they are pivoted or aborted. Only the XML says
 * when they have caught up. */
static json_t *read_ready(virDomainPtr dom, const char *name, struct vg_error *reterr)
{
    vg_auto_devices *devices = vg_devices_read(dom, 0, reterr);
    if (!devices)
        return NULL;
    const struct vg_device *disk = vg_devices_disk(devices, name);
    return json_boolean(disk && vg_disk_is_mirrored(disk));
}

static json_t *block_percent(const virDomainBlockJobInfo *info)
{
    int done = part_of(info->cur, info->end);
    return done < 0 ? json_null() : json_integer(done);
}

int vg_block_job_read(virDomainPtr dom, const char *disk, unsigned int flags,
                      json_t **ret, int *ret_type, struct vg_error *reterr)
{
    virDomainBlockJobInfo info = {0};
    int found = virDomainGetBlockJobInfo(dom, disk, &info, flags);

    if (found < 0)
        return vg_error_set_virt(reterr);
    json_auto_t *job = json_pack("{s:b}", "active", found > 0);
    int bad = !job;
    if (found > 0) {
        bad |= json_object_set_new(
            job, "type", vg_json_enum_value(&vg_enum_virDomainBlockJobType, info.type));
        bad |= json_object_set_new(job, "bandwidth",
                                   json_integer((json_int_t)info.bandwidth));
        bad |= json_object_set_new(job, "current", json_integer((json_int_t)info.cur));
        bad |= json_object_set_new(job, "end", json_integer((json_int_t)info.end));
        bad |= json_object_set_new(job, "percent", block_percent(&info));
    }
    if (bad)
        return vg_error_set_memory(reterr);
    if (found > 0 &&
        (info.type == VIR_DOMAIN_BLOCK_JOB_TYPE_COPY ||
         info.type == VIR_DOMAIN_BLOCK_JOB_TYPE_ACTIVE_COMMIT) &&
        json_object_set_new(job, "ready", read_ready(dom, disk, reterr)) < 0)
        return -1;
    if (ret_type)
        *ret_type = found > 0 ? info.type : -1;
    *ret = vg_take(&job);
    return 0;
}
