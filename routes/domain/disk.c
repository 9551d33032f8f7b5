/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /domains/{domain}/disks: list and show (virDomainGetXMLDesc, virDomainGetBlockInfo),
 * stats, iotune, resize, threshold; /domains/{domain}/disk-errors. {disk} is a target
 * ("vda") or the path of its source.
 */
#include "virtgate/device.h"
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/list.h"
#include "virtgate/object.h"
#include "virtgate/params.h"

#include <libvirt/virterror.h>

/* ---- the disks --------------------------------------------------------------------- */

static void write_sizes(struct vg_json *w, const virDomainBlockInfo *info)
{
    vg_json_uint(w, "capacityBytes", info->capacity);
    vg_json_uint(w, "allocationBytes", info->allocation);
    vg_json_uint(w, "physicalBytes", info->physical);
}

/* An empty drive has no sizes, and libvirt, asked for them, an error. */
static void write_no_sizes(struct vg_json *w)
{
    vg_json_null(w, "capacityBytes");
    vg_json_null(w, "allocationBytes");
    vg_json_null(w, "physicalBytes");
}

/* Those of one disk among several: one that has none, or that cannot tell, fails no list.
 */
static void write_known_sizes(struct vg_json *w, virDomainPtr dom,
                              const struct vg_device *disk)
{
    virDomainBlockInfo info;

    if (vg_disk_has_source(disk) &&
        virDomainGetBlockInfo(dom, vg_disk_target(disk), &info, 0) == 0)
        write_sizes(w, &info);
    else
        write_no_sizes(w);
}

static struct vg_reply reply_disks(struct vg_request *rq, virDomainPtr dom,
                                   const struct vg_devices *devices, bool full)
{
    const struct vg_device *disk = NULL;
    vg_auto_json w = vg_json_for(rq);

    vg_json_begin_object(&w, NULL);
    vg_json_begin_array(&w, "disks");
    while ((disk = vg_devices_next(devices, disk, "disk"))) {
        vg_json_begin_object(&w, NULL);
        vg_disk_write(&w, disk);
        if (full)
            write_known_sizes(&w, dom, disk);
        vg_json_end_object(&w);
    }
    vg_json_end_array(&w);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

/* ?view=full: with their sizes, a call for each. */
static struct vg_reply list_disks(struct vg_request *rq)
{
    unsigned int flags = 0;
    int view = VG_LIST_DEFAULT;
    const struct vg_field args[] = {VG_NAMES("flags", &flags, &vg_devices_flags),
                                    VG_ONE_OF("view", &view, &vg_list_views), VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    if (flags && view == VG_LIST_FULL) {
        vg_error_set(vg_request_error(rq), VG_E_INVALID_VALUE,
                     "'view=full' has the sizes of the disks that there are: it goes "
                     "without 'flags=inactive'");
        return vg_fail(rq);
    }
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    vg_auto_devices *devices = vg_devices_read(dom, flags, vg_request_error(rq));
    return devices ? reply_disks(rq, dom, devices, view == VG_LIST_FULL) : vg_fail(rq);
}

static struct vg_reply get_disk(struct vg_request *rq)
{
    const char *name = vg_path(rq, "disk");
    virDomainBlockInfo info;

    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    vg_auto_devices *devices = vg_devices_read(dom, 0, vg_request_error(rq));
    if (!devices)
        return vg_fail(rq);
    const struct vg_device *disk = vg_devices_disk(devices, name);
    bool empty = disk && !vg_disk_has_source(disk);
    if (!empty && virDomainGetBlockInfo(dom, name, &info, 0) < 0)
        return vg_fail_virt(rq);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    if (disk)
        vg_disk_write(&w, disk);
    if (empty)
        write_no_sizes(&w);
    else
        write_sizes(&w, &info);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

static struct vg_reply get_disk_errors(struct vg_request *rq)
{
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    int max = virDomainGetDiskErrors(dom, NULL, 0, 0);
    if (max < 0)
        return vg_fail_virt(rq);
    vg_autofree virDomainDiskErrorPtr errors = calloc((size_t)max + 1, sizeof(*errors));
    int n = max && errors ? virDomainGetDiskErrors(dom, errors, (unsigned int)max, 0) : 0;
    if (n < 0)
        return vg_fail_virt(rq);
    vg_auto_json w = vg_json_for(rq);
    w.text.failed = !errors;
    vg_json_begin_object(&w, NULL);
    vg_json_begin_array(&w, "errors");
    for (int i = 0; i < n; i++) {
        vg_json_begin_object(&w, NULL);
        vg_json_string(&w, "disk", errors[i].disk);
        vg_json_enum(&w, "error", &vg_enum_virDomainDiskErrorCode, errors[i].error);
        vg_json_end_object(&w);
        free(errors[i].disk);
    }
    vg_json_end_array(&w);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

/* ---- statistics -------------------------------------------------------------------- */

/* The older call, by the names of the newer one. */
static struct vg_reply get_few_stats(struct vg_request *rq, virDomainPtr dom)
{
    virDomainBlockStatsStruct stats;

    if (virDomainBlockStats(dom, vg_path(rq, "disk"), &stats, sizeof(stats)) < 0)
        return vg_fail_virt(rq);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_count(&w, "rdOperations", stats.rd_req);
    vg_json_count(&w, "rdBytes", stats.rd_bytes);
    vg_json_count(&w, "wrOperations", stats.wr_req);
    vg_json_count(&w, "wrBytes", stats.wr_bytes);
    vg_json_count(&w, "errs", stats.errs);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

static struct vg_reply get_stats(struct vg_request *rq)
{
    static const struct vg_domain_params which = {.segment = "disk",
                                                  .get_of = virDomainBlockStatsFlags};

    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    json_t *stats = vg_domain_params_json(rq, dom, &which, 0);
    if (stats)
        return vg_ok(rq, stats);
    if (!vg_error_is_virt(vg_request_error(rq), VIR_ERR_NO_SUPPORT))
        return vg_fail(rq);
    vg_error_clear(vg_request_error(rq));
    return get_few_stats(rq, dom);
}

/* ---- limits and sizes -------------------------------------------------------------- */

static const struct vg_domain_params io_tune = {
    .segment = "disk",
    .get_of = virDomainGetBlockIoTune,
    .set_of = virDomainSetBlockIoTune,
};

static struct vg_reply get_io_tune(struct vg_request *rq)
{
    return vg_domain_params_get(rq, &io_tune);
}

static struct vg_reply set_io_tune(struct vg_request *rq)
{
    return vg_domain_params_patch_part(rq, &io_tune);
}

/* What lies beyond the new end is lost: libvirt and QEMU cut a disk without a question.
 */
static int check_shrink(struct vg_request *rq, virDomainPtr dom, int64_t size)
{
    virDomainBlockInfo info;

    if (virDomainGetBlockInfo(dom, vg_path(rq, "disk"), &info, 0) < 0)
        return vg_error_set_virt(vg_request_error(rq));
    if ((unsigned long long)size >= info.capacity)
        return 0;
    vg_error_set(
        vg_request_error(rq), VG_E_INVALID_VALUE,
        "The disk has %llu bytes; with 'size' %lld what is beyond is lost, which "
        "needs \"shrink\": true",
        info.capacity, (long long)size);
    return -1;
}

/* {"size": BYTES, "shrink": true}; libvirt counts in KiB unless told. */
static struct vg_reply resize_disk(struct vg_request *rq)
{
    int64_t size = 0;
    bool shrink = false;
    unsigned int flags = 0;
    const struct vg_field args[] = {
        VG_NEED_NUMBER("size", &size, 1, INT64_MAX),
        VG_BOOL("shrink", &shrink),
        VG_FLAGS("flags", &flags, virDomainBlockResizeFlags),
        VG_END,
    };

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom || (!shrink && check_shrink(rq, dom, size) < 0))
        return vg_fail(rq);
    return vg_done(rq, virDomainBlockResize(dom, vg_path(rq, "disk"),
                                            (unsigned long long)size,
                                            flags | VIR_DOMAIN_BLOCK_RESIZE_BYTES));
}

static struct vg_reply set_threshold(struct vg_request *rq)
{
    int64_t bytes = 0;
    const struct vg_field args[] = {VG_NEED_NUMBER("bytes", &bytes, 0, INT64_MAX),
                                    VG_END};

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    return vg_done(rq, virDomainSetBlockThreshold(dom, vg_path(rq, "disk"),
                                                  (unsigned long long)bytes, 0));
}

/* clang-format off */
const struct vg_route vg_routes_domain_disk[] = {
    {VG_GET, "/domains/{domain}/disks", "listDomainDisks", list_disks,
     .needs = "domain:getattr domain:read", .takes = VG_TAKES_ARGS, .shared = true},
    {VG_GET, "/domains/{domain}/disks/{disk}", "getDomainDisk", get_disk,
     .needs = "domain:getattr domain:read", .shared = true},
    {VG_GET, "/domains/{domain}/disks/{disk}/stats", "getDomainDiskStats", get_stats,
     .needs = "domain:getattr domain:read", .shared = true},
    {VG_GET, "/domains/{domain}/disks/{disk}/iotune", "getDomainDiskIoTune", get_io_tune,
     .needs = "domain:getattr domain:read", .takes = VG_TAKES_ARGS, .shared = true},
    {VG_PATCH, "/domains/{domain}/disks/{disk}/iotune", "setDomainDiskIoTune", set_io_tune,
     .needs = "domain:getattr domain:read domain:save domain:write", .takes = VG_TAKES_ARGS},
    {VG_POST, "/domains/{domain}/disks/{disk}/resize", "resizeDomainDisk", resize_disk,
     .needs = "domain:getattr domain:read domain:block_write", .takes = VG_TAKES_ARGS},
    {VG_PUT, "/domains/{domain}/disks/{disk}/threshold", "setDomainDiskThreshold", set_threshold,
     .needs = "domain:getattr domain:write", .takes = VG_TAKES_ARGS},
    {VG_GET, "/domains/{domain}/disk-errors", "listDomainDiskErrors", get_disk_errors,
     .needs = "domain:getattr domain:read", .shared = true},
    {0},
};
/* clang-format on */
