/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /storage-pools/{pool}/volumes/{volume}/content: bytes into a volume
 * (virStorageVolUpload). What libvirt does not check is checked here: that the bytes fit,
 * that all came, that they are the announced ones, that no running guest uses the volume.
 */
#include "routes/storage/receive.h"

#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/body_stream.h"
#include "virtgate/host.h"
#include "virtgate/object_class.h"
#include "virtgate/operation.h"
#include "virtgate/volume.h"

#include <errno.h>
#include <inttypes.h>
#include <libvirt/virterror.h>
#include <string.h>

/* ---- where the bytes go -------------------------------------------------------------
 */

/* What a request writes. */
struct span {
    uint64_t offset;
    uint64_t length; /* UINT64_MAX: nobody knows yet */
    uint64_t total;  /* of the whole content, as the client says; 0: it does not */
    bool part;
};

static int fail_range(struct vg_request *rq, const char *text)
{
    return vg_fail_value(
        rq,
        "Content-Range is '%.100s'; 'bytes FIRST-LAST/TOTAL' is accepted, and * "
        "for a total that is not known",
        text);
}

/* Digits to a number of at most INT64_MAX; moves past them. */
static bool take_number(const char **p, uint64_t *ret)
{
    char *end;

    if (**p < '0' || **p > '9')
        return false;
    errno = 0;
    *ret = strtoull(*p, &end, 10);
    *p = end;
    return !errno && *ret <= INT64_MAX;
}

static bool take_text(const char **p, const char *text)
{
    size_t n = strlen(text);
    bool there = strncmp(*p, text, n) == 0;
    *p += there ? n : 0;
    return there;
}

/* RFC 9110, 14.4. */
static int read_range(struct vg_request *rq, const char *text, struct span *ret)
{
    const char *p = text;
    uint64_t last;

    bool good = take_text(&p, "bytes ") && take_number(&p, &ret->offset) &&
                take_text(&p, "-") && take_number(&p, &last) && take_text(&p, "/") &&
                (take_text(&p, "*") || take_number(&p, &ret->total)) && !*p;
    if (!good || last < ret->offset || (ret->total && last >= ret->total))
        return fail_range(rq, text);
    ret->length = last - ret->offset + 1;
    ret->part = true;
    return 0;
}

static int read_span(struct vg_request *rq, struct span *ret)
{
    const char *range = vg_body_fields(rq).content_range;
    int64_t sent = vg_body_length(rq);

    if (!range) {
        ret->length = ret->total = sent < 0 ? UINT64_MAX : (uint64_t)sent;
        return 0;
    }
    if (read_range(rq, range, ret) < 0)
        return -1;
    if (sent < 0 || (uint64_t)sent == ret->length)
        return 0;
    return vg_fail_value(
        rq, "Content-Range is of %" PRIu64 " bytes, Content-Length of %" PRId64,
        ret->length, sent);
}

static int fail_capacity(struct vg_request *rq, uint64_t capacity)
{
    vg_error_set(vg_request_error(rq), VG_E_BEYOND_CAPACITY,
                 "The volume has %" PRIu64 " bytes; ?grow=true makes it larger first",
                 capacity);
    return -1;
}

/* Whether the bytes fit, of those whose number is known; others are counted as they come.
 * *ret_needed is the capacity that the volume has to have, 0: it has it. */
static int find_room(struct vg_request *rq, virStorageVolPtr volume, bool grow,
                     struct span *span, uint64_t *ret_needed)
{
    virStorageVolInfo info;

    *ret_needed = 0;
    if (vg_volume_check_bytes(rq, volume, &info) < 0)
        return -1;
    if (span->length == UINT64_MAX) {
        span->length = info.capacity;
        if (!grow)
            return 0;
        vg_error_set(vg_request_error(rq), VG_E_LENGTH_REQUIRED,
                     "'grow' needs to know how many bytes come: send Content-Length, or "
                     "resize the volume first");
        return -1;
    }
    uint64_t end = span->offset + span->length;
    if (end <= info.capacity)
        return 0;
    *ret_needed = span->total > end ? span->total : end;
    return grow ? 0 : fail_capacity(rq, info.capacity);
}

/* Whether the volume's capacity is that of the file or device; else its own content says
 * what it is. -1: the request's error is set. */
static int is_raw(struct vg_request *rq, virStorageVolPtr volume)
{
    json_auto_t *document = vg_volume_document(rq, volume);
    const char *format = vg_volume_format(document);

    return !document ? -1 : !format || strcmp(format, "raw") == 0;
}

static int grow_to(struct vg_request *rq, virStorageVolPtr volume, uint64_t capacity)
{
    int raw = capacity ? is_raw(rq, volume) : 0;

    if (raw <= 0)
        return raw;
    return virStorageVolResize(volume, capacity, 0) < 0
               ? vg_error_set_virt(vg_request_error(rq))
               : 0;
}

/* ---- the handlers -------------------------------------------------------------------
 */

/* libvirt has read the file again when it has told of it. */
static struct vg_reply written(struct vg_request *rq, virStorageVolPtr volume)
{
    virStorageVolInfo info;
    return vg_done(rq, vg_volume_info(volume, &info));
}

/* All that was announced has come? */
static int check_whole(struct vg_request *rq, const struct span *span, uint64_t came)
{
    if (!span->part || came == span->length)
        return 0;
    vg_error_set(vg_request_error(rq), VG_E_BAD_REQUEST,
                 "The body had %" PRIu64 " bytes, Content-Range says %" PRIu64
                 "; those that came are written",
                 came, span->length);
    return -1;
}

static int receive(struct vg_request *rq, virStorageVolPtr volume,
                   const struct span *span, uint64_t needed, uint64_t total,
                   const struct vg_announced *announced)
{
    uint64_t came;
    struct vg_transfer *transfer = vg_transfer_begin(rq, volume, VG_VOLUME_WRITE, total);

    if (!transfer)
        return -1;
    int rc = grow_to(rq, volume, needed);
    if (rc == 0)
        rc = vg_content_receive(rq, transfer, volume, span->offset, span->length, 0,
                                announced, &came);
    vg_transfer_end(transfer, rc == 0);
    return rc == 0 ? check_whole(rq, span, came) : -1;
}

static struct vg_reply put_content(struct vg_request *rq)
{
    bool grow = false, force = false;
    struct span span = {0};
    uint64_t needed;
    vg_auto_announced announced = {0};
    const struct vg_field args[] = {VG_BOOL("grow", &grow), VG_BOOL("force", &force),
                                    VG_END};

    if (vg_args(rq, args) < 0 || read_span(rq, &span) < 0 ||
        vg_announced_read(rq, span.part, &announced) < 0 ||
        (grow &&
         vg_request_ask(rq, "storage_vol:resize", "'grow' makes the volume larger") < 0))
        return vg_fail(rq);
    uint64_t total = span.length == UINT64_MAX ? VG_TOTAL_UNKNOWN : span.length;
    vg_autoptr(virStorageVol) volume = vg_path_object(rq, VG_KIND_VOLUME);
    if (!volume || find_room(rq, volume, grow, &span, &needed) < 0 ||
        vg_volume_check_unused(rq, volume, force) < 0 ||
        receive(rq, volume, &span, needed, total, &announced) < 0)
        return vg_fail(rq);
    return written(rq, volume);
}

/* Zero bytes, not a hole: on a regular file libvirt 9.0.0 keeps the old bytes where a
 * hole is sent, and cuts off what follows. */
static int send_zeros(struct vg_request *rq, struct vg_transfer *transfer,
                      virStorageVolPtr volume, uint64_t offset, uint64_t length)
{
    static const char zeros[VG_PIECE_SIZE];
    struct vg_upload *upload = vg_upload_open(rq, transfer, volume, offset, length, 0);

    if (!upload)
        return -1;
    while (length) {
        size_t n = length < sizeof(zeros) ? (size_t)length : sizeof(zeros);
        if (vg_upload_write(upload, zeros, n) < 0) {
            vg_upload_abort(upload);
            return -1;
        }
        length -= n;
    }
    return vg_upload_finish(upload);
}

static int zero_span(struct vg_request *rq, virStorageVolPtr volume, uint64_t offset,
                     uint64_t length)
{
    struct vg_transfer *transfer = vg_transfer_begin(rq, volume, VG_VOLUME_WRITE, length);

    if (!transfer)
        return -1;
    int rc = length ? send_zeros(rq, transfer, volume, offset, length) : 0;
    vg_transfer_end(transfer, rc == 0);
    return rc;
}

static int find_zeros(struct vg_request *rq, virStorageVolPtr volume, uint64_t offset,
                      int64_t *length)
{
    virStorageVolInfo info;

    if (vg_volume_check_bytes(rq, volume, &info) < 0)
        return -1;
    if (*length < 0 && offset <= info.capacity)
        *length = (int64_t)(info.capacity - offset);
    if (*length >= 0 && offset <= info.capacity &&
        (uint64_t)*length <= info.capacity - offset)
        return 0;
    vg_error_set(vg_request_error(rq), VG_E_BEYOND_CAPACITY,
                 "The volume has %llu bytes; 'offset' and 'length' lie within them",
                 info.capacity);
    return -1;
}

static struct vg_reply zero_content(struct vg_request *rq)
{
    int64_t offset = 0, length = -1;
    bool force = false;
    const struct vg_field args[] = {VG_NUMBER("offset", &offset, 0, INT64_MAX),
                                    VG_NUMBER("length", &length, 0, INT64_MAX),
                                    VG_BOOL("force", &force), VG_END};

    vg_autoptr(virStorageVol) volume = vg_args_path_object(rq, VG_KIND_VOLUME, args);
    if (!volume || find_zeros(rq, volume, (uint64_t)offset, &length) < 0 ||
        vg_volume_check_unused(rq, volume, force) < 0 ||
        zero_span(rq, volume, (uint64_t)offset, (uint64_t)length) < 0)
        return vg_fail(rq);
    return written(rq, volume);
}

/* clang-format off */
const struct vg_route vg_routes_content[] = {
    {VG_PUT, "/storage-pools/{pool}/volumes/{volume}/content", "putVolumeContent", put_content,
     .needs = "storage_pool:getattr storage_vol:getattr storage_vol:read storage_vol:data_write "
              "connect:search_domains domain:getattr domain:read",
     .runs_on = VG_ON_TRANSFER, .takes = VG_TAKES_STREAM},
    {VG_POST, "/storage-pools/{pool}/volumes/{volume}/content/zero", "zeroVolumeContent", zero_content,
     .needs = "storage_pool:getattr storage_vol:getattr storage_vol:read storage_vol:data_write "
              "connect:search_domains domain:getattr domain:read",
     .runs_on = VG_ON_TRANSFER, .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
