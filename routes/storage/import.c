/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * {"name": "debian.qcow2", "import": {"url": "https://...", "sha256": "..."}}: what comes
 * first tells what it is, then the volume is made, and filled while the rest comes. A
 * qcow2 image is a qcow2 volume of the size that its header says; all else is raw.
 */
#include "routes/storage/import.h"

#include "routes/storage/receive.h"
#include "routes/storage/new_volume.h"
#include "virtgate/autoptr.h"
#include "virtgate/fetch.h"
#include "virtgate/host.h"
#include "virtgate/object_class.h"
#include "virtgate/operation.h"
#include "virtgate/xml_json.h"

#include <inttypes.h>
#include <string.h>

/* Of which the format is known: a qcow2 header's. */
#define HEAD_SIZE 512

struct import {
    const char *name, *format;
    struct vg_size capacity;
    json_t *permissions;
    struct vg_fetch_source source;
    bool insecure;

    /* What has come: the first bytes, and of the last piece what is not among them. */
    char head[HEAD_SIZE];
    size_t n_head;
    const char *rest;
    size_t n_rest;

    /* What is made of it. */
    bool is_qcow2;
    uint64_t size;     /* of a qcow2 image, as a guest sees it */
    uint64_t bytes;    /* the new volume's capacity */
    uint64_t limit;    /* so many bytes may come */
    uint64_t grown_to; /* at the end; 0: it is not resized */

    /* While it comes. */
    struct vg_transfer *transfer;
    struct vg_fetch *fetch;
    uint64_t total; /* VG_TOTAL_UNKNOWN */
};

/* ---- arguments ----------------------------------------------------------------------
 */

static int read_source(struct vg_request *rq, struct import *i, json_t *from)
{
    const struct vg_field members[] = {
        VG_NEED_TEXT("url", &i->source.url), VG_TEXT("sha256", &i->source.sha256),
        VG_BOOL("insecure", &i->insecure), VG_BOOL("unpack", &i->source.unpack), VG_END};

    if (vg_args_object(rq, "import", from, members) < 0)
        return -1;
    if (!i->source.sha256 == !i->insecure)
        return vg_fail_value(rq,
                             "Exactly one of 'import/sha256' and \"insecure\": true is "
                             "accepted");
    return vg_fetch_check(&i->source, vg_request_error(rq));
}

static int read_args(struct vg_request *rq, struct import *i)
{
    json_t *from = NULL;
    const struct vg_field args[] = {
        VG_NEED_TEXT("name", &i->name), VG_SIZE_FIELDS("capacity", i->capacity),
        VG_TEXT("format", &i->format),  VG_JSON("permissions", &i->permissions),
        VG_JSON("import", &from),       VG_END};

    if (vg_args(rq, args) < 0 || vg_size_check(rq, "capacity", &i->capacity, false) < 0 ||
        read_source(rq, i, from) < 0 ||
        vg_request_ask(rq, "storage_vol:data_write", "'import' fills the volume") < 0)
        return -1;
    if (vg_size_is_given(&i->capacity) &&
        vg_request_ask(rq, "storage_vol:resize", "'capacity' makes an image larger") < 0)
        return -1;
    if (i->format && strcmp(i->format, "raw") != 0 && strcmp(i->format, "qcow2") != 0)
        return vg_fail_value(rq, "'format': raw and qcow2 can be imported");
    return 0;
}

/* ---- what comes first ---------------------------------------------------------------
 */

static int read_head(struct vg_request *rq, struct import *i)
{
    while (i->n_head < HEAD_SIZE) {
        int rc = vg_fetch_read(i->fetch, &i->rest, &i->n_rest, vg_request_error(rq));
        if (rc <= 0) {
            i->n_rest = 0;
            return rc;
        }
        size_t room = HEAD_SIZE - i->n_head, n = i->n_rest < room ? i->n_rest : room;
        memcpy(i->head + i->n_head, i->rest, n);
        i->n_head += n;
        i->rest += n;
        i->n_rest -= n;
    }
    return 0;
}

/* Big-endian, as in QEMU's docs/interop/qcow2.txt. */
static uint64_t get_number(const char *at, size_t n)
{
    uint64_t number = 0;
    for (size_t i = 0; i < n; i++)
        number = number << 8 | (unsigned char)at[i];
    return number;
}

/* An image that names other files would show a guest whatever file of the host its author
 * likes. */
static int look_at_head(struct vg_request *rq, struct import *i)
{
    i->is_qcow2 = i->n_head >= 104 && memcmp(i->head, "QFI\xfb", 4) == 0;
    if (i->is_qcow2) {
        bool has_data_file =
            get_number(i->head + 4, 4) >= 3 && get_number(i->head + 72, 8) & 4;
        if (get_number(i->head + 8, 8) || has_data_file)
            return vg_fail_value(rq,
                                 "The image names another file as its backing store or "
                                 "its data: only one that stands alone is imported");
        i->size = get_number(i->head + 24, 8);
    }
    const char *found = i->is_qcow2 ? "qcow2" : "raw";
    if (!i->format || strcmp(i->format, found) == 0)
        return 0;
    return vg_fail_value(rq, "'format' is %s, and what comes is %s", i->format, found);
}

/* ---- the volume ---------------------------------------------------------------------
 */

static int fail_room(struct vg_request *rq, uint64_t room)
{
    vg_error_set(vg_request_error(rq), VG_E_BEYOND_CAPACITY,
                 "More bytes come than there is room for: %" PRIu64, room);
    return -1;
}

/* A qcow2 file has a size of its own; a raw one grows up to what is free. */
static int plan_file(struct vg_request *rq, struct import *i, uint64_t length,
                     virStoragePoolPtr pool)
{
    bool stated = vg_size_is_given(&i->capacity);
    uint64_t wanted = stated ? vg_size_bytes(&i->capacity) : 0;
    virStoragePoolInfo info;

    if (virStoragePoolGetInfo(pool, &info) < 0)
        return vg_error_set_virt(vg_request_error(rq));
    i->limit = info.available;
    if (i->is_qcow2 && stated && wanted < i->size)
        return vg_fail_value(rq,
                             "The image is larger than the capacity that is asked for");
    i->grown_to = i->is_qcow2 && wanted > i->size ? wanted : 0;
    i->bytes = i->is_qcow2                   ? i->size
               : stated                      ? wanted
               : length == VG_LENGTH_UNKNOWN ? 0
                                             : length;
    if (!i->is_qcow2 && stated && wanted < i->limit)
        i->limit = wanted;
    return 0;
}

/* What is no file has its size from the start. */
static int plan_device(struct vg_request *rq, struct import *i, uint64_t length)
{
    bool stated = vg_size_is_given(&i->capacity);

    if (!stated && length == VG_LENGTH_UNKNOWN) {
        vg_error_set(vg_request_error(rq), VG_E_LENGTH_REQUIRED,
                     "How large the volume is to be is not known before all has come: "
                     "say 'capacityBytes'");
        return -1;
    }
    i->is_qcow2 = false; /* there are bytes, and no formats */
    i->bytes = i->limit = stated ? vg_size_bytes(&i->capacity) : length;
    return 0;
}

static int plan(struct vg_request *rq, struct import *i, uint64_t length,
                virStoragePoolPtr pool)
{
    int files = vg_pool_has_files(rq, pool);
    int rc = files < 0 ? -1
             : files   ? plan_file(rq, i, length, pool)
                       : plan_device(rq, i, length);

    if (rc < 0)
        return -1;
    uint64_t least = length == VG_LENGTH_UNKNOWN ? i->n_head : length;
    return least > i->limit ? fail_room(rq, i->limit) : 0;
}

static char *make_document(struct vg_request *rq, const struct import *i,
                           virStoragePoolPtr pool)
{
    json_t *permissions = NULL;

    if (vg_volume_permissions(rq, pool, i->permissions, &permissions) < 0)
        return NULL;
    json_t *format = i->is_qcow2 ? json_pack("{s:s}", "@type", "qcow2") : NULL;
    json_auto_t *document = json_pack(
        "{s:{s:s, s:o, s:{s:o*, s:o*}}}", "volume", "name", i->name, "capacity",
        vg_volume_size(i->bytes), "target", "format", format, "permissions", permissions);
    if (document)
        return vg_xml_from_json(document, vg_request_error(rq));
    (void)vg_error_set_memory(vg_request_error(rq));
    return NULL;
}

/* ---- filling ------------------------------------------------------------------------
 */

/* To the end of what comes. */
static int pass_on(struct vg_request *rq, const struct import *i,
                   struct vg_upload *upload)
{
    const char *piece;
    size_t n;
    int rc;

    if (vg_upload_write(upload, i->head, i->n_head) < 0 ||
        (i->n_rest && vg_upload_write(upload, i->rest, i->n_rest) < 0))
        return -1;
    while ((rc = vg_fetch_read(i->fetch, &piece, &n, vg_request_error(rq))) > 0)
        if (vg_upload_write(upload, piece, n) < 0)
            return -1;
    return rc;
}

static int fill(struct vg_request *rq, virStorageVolPtr volume, void *import)
{
    const struct import *i = import;
    virStorageVolInfo info;

    if (vg_transfer_take_volume(i->transfer, rq, volume, VG_VOLUME_WRITE, i->total) < 0)
        return -1;
    if (!i->n_head) /* it is empty */
        return 0;
    struct vg_upload *upload = vg_upload_open(rq, i->transfer, volume, 0, i->limit, 0);
    if (!upload)
        return -1;
    if (pass_on(rq, i, upload) < 0) {
        vg_upload_abort(upload);
        return -1;
    }
    if (vg_upload_finish(upload) < 0)
        return -1;
    if ((i->grown_to && virStorageVolResize(volume, i->grown_to, 0) < 0) ||
        vg_volume_info(volume, &info) < 0) /* libvirt reads the file again */
        return vg_error_set_virt(vg_request_error(rq));
    return 0;
}

static virStorageVolPtr make(struct vg_request *rq, struct import *i)
{
    uint64_t length = vg_fetch_length(i->fetch);
    vg_autoptr(virStoragePool) pool = vg_path_object(rq, VG_KIND_STORAGE_POOL);

    i->total = length == VG_LENGTH_UNKNOWN ? VG_TOTAL_UNKNOWN : length;
    if (!pool || read_head(rq, i) < 0 || look_at_head(rq, i) < 0 ||
        plan(rq, i, length, pool) < 0)
        return NULL;
    vg_autofree char *xml = make_document(rq, i, pool);
    return xml ? vg_volume_make(rq, pool, xml, NULL, fill, i) : NULL;
}

static bool is_cancelled(void *transfer)
{
    return vg_transfer_is_cancelled(transfer);
}

struct vg_reply vg_import_volume(struct vg_request *rq)
{
    struct import i = {.capacity = VG_SIZE,
                       .source = {.unpack = true, .is_cancelled = is_cancelled}};

    if (read_args(rq, &i) < 0)
        return vg_fail(rq);
    i.transfer = vg_transfer_begin_without(rq);
    if (!i.transfer)
        return vg_fail(rq);
    i.source.data = i.transfer;
    vg_auto_fetch *fetch = vg_fetch_open(&i.source, vg_request_error(rq));
    i.fetch = fetch;
    vg_autoptr(virStorageVol) volume = fetch ? make(rq, &i) : NULL;
    vg_transfer_end(i.transfer, volume != NULL);
    return volume ? vg_object_created(rq, VG_KIND_VOLUME, volume) : vg_fail(rq);
}
