/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /uploads: volumes by tus 1.0.0 (core, creation, termination, checksum, expiration), so
 * that an upload goes on where it broke off. What counts as arrived are bytes whose
 * stream libvirt has finished; a long request finishes one now and then, so that little
 * is sent again when the host's daemon dies.
 */
#include "routes/routes.h"
#include "routes/storage/new_volume.h"
#include "routes/storage/receive.h"
#include "virtgate/autoptr.h"
#include "virtgate/body_stream.h"
#include "virtgate/conflict.h"
#include "virtgate/digest.h"
#include "virtgate/host.h"
#include "virtgate/object_class.h"
#include "virtgate/transfer.h"
#include "virtgate/tus.h"
#include "virtgate/uploads.h"
#include "virtgate/xml_json.h"

#include <inttypes.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <string.h>

/* So many bytes are finished, and told of, at once. */
#define PART_SIZE ((uint64_t)256 << 20)

/* ---- what is said of one ----------------------------------------------------------- */

static char *write_number(uint64_t n)
{
    char *text = NULL;
    return asprintf(&text, "%" PRIu64, n) < 0 ? NULL : text;
}

/* RFC 9110, 5.6.7. */
static char *write_date(time_t at)
{
    char text[40];
    struct tm tm;

    gmtime_r(&at, &tm);
    size_t n = strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
    return n ? strdup(text) : NULL;
}

static struct vg_reply with_state(struct vg_request *rq, struct vg_resumable *upload,
                                  struct vg_reply reply)
{
    struct vg_resumable_state state = vg_resumable_state(upload);

    reply = vg_with_field(rq, reply, "Upload-Offset", write_number(state.offset));
    return state.done
               ? reply
               : vg_with_field(rq, reply, "Upload-Expires", write_date(state.expires));
}

static struct vg_reply describe(struct vg_request *rq, struct vg_resumable *upload)
{
    const struct vg_resumable_plan *plan = vg_resumable_plan(upload);
    vg_auto_json w = vg_json_for(rq);

    vg_resumable_write(upload, &w, NULL);
    struct vg_reply reply = vg_with_field(rq, vg_ok_written(rq, &w), "Upload-Length",
                                          write_number(plan->length));
    reply = vg_with_field(rq, reply, "Upload-Metadata", strdup(plan->metadata));
    return with_state(rq, upload, reply);
}

/* ---- the end ----------------------------------------------------------------------- */

/* The upload is no more, nor is the volume that it made. */
static void discard(struct vg_resumable *upload, virStorageVolPtr volume)
{
    if (volume && vg_resumable_plan(upload)->made) /* while nobody else may take it */
        (void)virStorageVolDelete(volume, 0);
    vg_resumable_end(upload);
}

static int check_whole(struct vg_request *rq, struct vg_resumable *upload)
{
    struct vg_digest *whole;

    if (vg_digest_copy(&whole, vg_resumable_digest(upload), vg_request_error(rq)) < 0)
        return -1;
    int rc = vg_digest_check(whole, vg_request_error(rq));
    vg_digest_free(whole);
    return rc;
}

/* libvirt reads the file again when it is asked. */
static int end_if_complete(struct vg_request *rq, struct vg_resumable *upload,
                           virStorageVolPtr volume)
{
    virStorageVolInfo info;

    if (vg_resumable_state(upload).offset < vg_resumable_plan(upload)->length)
        return 0;
    if (check_whole(rq, upload) < 0) {
        discard(upload, volume);
        return -1;
    }
    (void)vg_volume_info(volume, &info);
    vg_resumable_complete(upload);
    return 0;
}

/* ---- creation ---------------------------------------------------------------------- */

struct creation {
    struct vg_resumable_plan plan;
    char *format, *sha256; /* owned */
};

static void clear_creation(struct creation *c)
{
    vg_resumable_plan_clear(&c->plan);
    free(c->format);
    free(c->sha256);
}

static int read_length(struct vg_request *rq, uint64_t *ret)
{
    const struct vg_tus_fields *fields = vg_tus_fields(rq);

    if (fields->length && !fields->defer_length)
        return vg_tus_number(rq, "Upload-Length", fields->length, ret);
    vg_error_set(vg_request_error(rq), VG_E_LENGTH_REQUIRED,
                 "Upload-Length is needed, and no Upload-Defer-Length: how large the "
                 "volume is to be is said first");
    return -1;
}

static int read_creation(struct vg_request *rq, struct creation *c)
{
    const struct vg_field args[] = {VG_BOOL("force", &c->plan.force), VG_END};

    if (vg_args(rq, args) < 0 || read_length(rq, &c->plan.length) < 0 ||
        vg_tus_metadata(rq, "pool", &c->plan.pool) < 0 ||
        vg_tus_metadata(rq, "volume", &c->plan.volume) < 0 ||
        vg_tus_metadata(rq, "format", &c->format) < 0 ||
        vg_tus_metadata(rq, "sha256", &c->sha256) < 0)
        return -1;
    if (c->format && strcmp(c->format, "dir") == 0)
        return vg_fail_value(rq,
                             "Upload-Metadata: 'format' is 'dir'; a folder has no bytes");
    if (c->plan.pool && *c->plan.pool && c->plan.volume && *c->plan.volume) {
        c->plan.metadata = strdup(vg_tus_fields(rq)->metadata);
        return c->plan.metadata ? 0 : vg_error_set_memory(vg_request_error(rq));
    }
    vg_error_set(vg_request_error(rq), VG_E_MISSING_KEY,
                 "Upload-Metadata says where the bytes go: 'pool BASE64,volume BASE64', "
                 "and 'format' and 'sha256' where wanted");
    return -1;
}

/* Nothing is reserved, so that a pool that is too small is found now. */
static int check_pool(struct vg_request *rq, virStoragePoolPtr pool, uint64_t length)
{
    virStoragePoolInfo info;

    if (virStoragePoolGetInfo(pool, &info) < 0)
        return vg_error_set_virt(vg_request_error(rq));
    if (length <= info.available)
        return 0;
    vg_error_set(vg_request_error(rq), VG_E_BEYOND_CAPACITY,
                 "The pool has %llu bytes left, and %" PRIu64 " are to come",
                 info.available, length);
    return -1;
}

static virStorageVolPtr make_volume(struct vg_request *rq, virStoragePoolPtr pool,
                                    const struct creation *c)
{
    json_t *permissions = NULL;

    if (vg_request_ask(rq, "storage_vol:create gateway:document",
                       "There is no such volume, and it would be made") < 0 ||
        check_pool(rq, pool, c->plan.length) < 0 ||
        vg_volume_permissions(rq, pool, NULL, &permissions) < 0)
        return NULL;
    json_t *format = c->format ? json_pack("{s:s}", "@type", c->format) : NULL;
    json_auto_t *document = json_pack(
        "{s:{s:s, s:o, s:o, s:{s:o*, s:o*}}}", "volume", "name", c->plan.volume,
        "capacity", vg_volume_size(c->plan.length), "allocation", vg_volume_size(0),
        "target", "format", format, "permissions", permissions);
    if (!document) {
        (void)vg_error_set_memory(vg_request_error(rq));
        return NULL;
    }
    vg_autofree char *xml = vg_xml_from_json(document, vg_request_error(rq));
    virStorageVolPtr volume = xml ? virStorageVolCreateXML(pool, xml, 0) : NULL;
    if (xml && !volume)
        (void)vg_error_set_define(rq, xml);
    return volume;
}

/* One that is there keeps its size and format. */
static int check_volume(struct vg_request *rq, virStorageVolPtr volume,
                        const struct creation *c)
{
    vg_auto_image image = {0};
    virStorageVolInfo info;

    if (vg_volume_check_bytes(rq, volume, &info) < 0 ||
        vg_image_read(rq, volume, &image) < 0)
        return -1;
    if (c->format && strcmp(c->format, image.format) != 0) {
        vg_error_set(vg_request_error(rq), VG_E_CONFLICT,
                     "The volume is there, and its format is '%.40s'", image.format);
        return -1;
    }
    if (c->plan.length <= info.capacity)
        return vg_volume_check_unused(rq, volume, c->plan.force);
    vg_error_set(vg_request_error(rq), VG_E_BEYOND_CAPACITY,
                 "The volume has %llu bytes, and %" PRIu64
                 " are to come; resize it first, or delete it",
                 info.capacity, c->plan.length);
    return -1;
}

/* An upload of which nothing has come gives way to another of the same token. */
static void take_over(struct vg_request *rq, virStoragePoolPtr pool,
                      const struct creation *c)
{
    vg_auto_resumable *unused =
        vg_resumable_find_unused(rq, c->plan.pool, c->plan.volume);

    if (!unused)
        return;
    if (vg_resumable_begin(rq, unused, 0) < 0) {
        vg_error_clear(vg_request_error(rq)); /* it is at work after all: a conflict */
        return;
    }
    vg_autoptr(virStorageVol) volume = virStorageVolLookupByName(pool, c->plan.volume);
    discard(unused, volume);
    vg_resumable_pause(unused);
}

static virStorageVolPtr find_or_make(struct vg_request *rq, struct creation *c)
{
    vg_autoptr(virStoragePool) pool =
        virStoragePoolLookupByName(vg_conn(rq), c->plan.pool);
    if (!pool) {
        (void)vg_error_set_virt(vg_request_error(rq));
        return NULL;
    }
    take_over(rq, pool, c);
    vg_autoptr(virStorageVol) volume = virStorageVolLookupByName(pool, c->plan.volume);
    if (!volume && virGetLastErrorCode() != VIR_ERR_NO_STORAGE_VOL) {
        (void)vg_error_set_virt(vg_request_error(rq));
        return NULL;
    }
    c->plan.made = !volume;
    if (vg_request_check_new(rq, volume != NULL) < 0)
        return NULL;
    if (!volume)
        return make_volume(rq, pool, c);
    return check_volume(rq, volume, c) == 0 ? vg_take(&volume) : NULL;
}

/* Of a volume that was found, whoever made it may have taken it back before it was held.
 */
static int check_there(struct vg_request *rq, virStorageVolPtr volume)
{
    virStorageVolInfo info;

    if (virStorageVolGetInfo(volume, &info) == 0)
        return 0;
    if (virGetLastErrorCode() != VIR_ERR_NO_STORAGE_VOL)
        return vg_error_set_virt(vg_request_error(rq));
    vg_error_set(vg_request_error(rq), VG_E_VOLUME_IN_USE,
                 "Another request made the volume, and has taken it back; try again");
    return -1;
}

/* What the plan and the rest become the upload's. NULL: the request's error is set. */
static struct vg_resumable *add(struct vg_request *rq, struct creation *c,
                                virStorageVolPtr volume)
{
    struct vg_digest *digest = NULL;

    if (c->sha256 && vg_digest_read_hex(&digest, c->sha256, vg_request_error(rq)) < 0)
        return NULL;
    struct vg_volume_hold *hold = vg_volume_hold(rq, volume, VG_VOLUME_WRITE);
    struct vg_resumable *upload = hold && check_there(rq, volume) == 0
                                      ? vg_resumable_add(rq, &c->plan, hold, digest)
                                      : NULL;
    if (upload) {
        c->plan = (struct vg_resumable_plan){0};
        return upload;
    }
    vg_volume_release(hold);
    vg_digest_free(digest);
    return NULL;
}

static struct vg_reply created(struct vg_request *rq, struct vg_resumable *upload)
{
    vg_auto_json w = vg_json_for(rq);
    char *location = NULL;

    if (asprintf(&location, "%s/uploads/%s", vg_host_prefix(rq),
                 vg_resumable_id(upload)) < 0)
        return vg_fail_memory(rq);
    vg_resumable_write(upload, &w, NULL);
    return with_state(rq, upload, vg_created(rq, location, &w));
}

static struct vg_reply create_upload(struct vg_request *rq)
{
    VG_CLEANUP(clear_creation) struct creation c = {0};

    if (read_creation(rq, &c) < 0)
        return vg_fail(rq);
    vg_autoptr(virStorageVol) volume = find_or_make(rq, &c);
    vg_auto_resumable *upload = volume ? add(rq, &c, volume) : NULL;
    if (!upload) {
        if (volume && c.plan.made)
            (void)vg_volume_undo(rq, volume);
        return vg_fail(rq);
    }
    return end_if_complete(rq, upload, volume) < 0 ? vg_fail(rq) : created(rq, upload);
}

/* ---- the bytes of one request ------------------------------------------------------ */

struct arrival {
    struct vg_resumable *upload;
    struct vg_transfer *transfer;
    virStorageVolPtr volume;
    uint64_t offset;            /* of what comes next */
    uint64_t pending;           /* bytes that are written, and not told of yet */
    struct vg_digest *digest;   /* owned; of all that came, these included */
    struct vg_digest *checksum; /* owned; of this request alone */
    bool ended;                 /* the body has come to its end, */
    bool broken;                /* or never will */
};

static void clear_arrival(struct arrival *a)
{
    vg_digest_free(a->digest);
    vg_digest_free(a->checksum);
}

/* The next piece; one that broke off gives what came before. */
static int next_piece(struct vg_request *rq, struct arrival *a, const char **ret,
                      size_t *ret_n)
{
    int rc = a->broken ? vg_body_rest(rq, ret, ret_n) : vg_body_read(rq, ret, ret_n);

    if (rc < 0) {
        a->broken = true;
        rc = vg_body_rest(rq, ret, ret_n);
    }
    a->ended = rc == 0;
    return rc;
}

static int take_piece(struct arrival *a, struct vg_upload *sink, const char *data,
                      size_t n)
{
    if (vg_upload_write(sink, data, n) < 0)
        return -1;
    vg_digest_add(a->digest, data, n);
    vg_digest_add(a->checksum, data, n);
    a->pending += n;
    return 0;
}

/* Into a stream of its own. -1: what it was is not known, the request's error is set. */
static int receive_part(struct vg_request *rq, struct arrival *a)
{
    uint64_t left = vg_resumable_plan(a->upload)->length - a->offset;
    uint64_t end = a->pending + (left < PART_SIZE ? left : PART_SIZE);
    uint64_t before = a->pending;
    const char *data;
    size_t n;
    struct vg_upload *sink =
        vg_upload_open(rq, a->transfer, a->volume, a->offset, left, 0);

    if (!sink)
        return -1;
    while (a->pending < end && next_piece(rq, a, &data, &n) > 0) {
        if (take_piece(a, sink, data, n) < 0) {
            vg_upload_abort(sink);
            return -1;
        }
    }
    if (vg_upload_finish(sink) < 0)
        return -1;
    a->offset += a->pending - before;
    return 0;
}

/* What is pending has arrived. */
static int commit(struct vg_request *rq, struct arrival *a)
{
    struct vg_digest *digest;

    if (vg_digest_copy(&digest, a->digest, vg_request_error(rq)) < 0)
        return -1;
    vg_resumable_advance(a->upload, a->pending, digest);
    a->pending = 0;
    return 0;
}

/* Of a request with a checksum all counts, or nothing. */
static int receive_all(struct vg_request *rq, struct arrival *a)
{
    do {
        if (receive_part(rq, a) < 0 || (!a->checksum && commit(rq, a) < 0))
            return -1;
    } while (!a->ended && a->offset < vg_resumable_plan(a->upload)->length);
    if (a->broken || vg_digest_check(a->checksum, vg_request_error(rq)) < 0)
        return -1;
    return a->checksum ? commit(rq, a) : 0;
}

/* There is no room for more. */
static int expect_end(struct vg_request *rq)
{
    const char *data;
    size_t n;
    int rc = vg_body_read(rq, &data, &n);

    if (rc > 0)
        vg_error_set(vg_request_error(rq), VG_E_BEYOND_CAPACITY,
                     "More bytes come than Upload-Length says");
    return rc == 0 ? 0 : -1;
}

static int receive(struct vg_request *rq, struct arrival *a)
{
    uint64_t length = vg_resumable_plan(a->upload)->length;
    int64_t coming = vg_body_length(rq);

    if (coming >= 0 && (uint64_t)coming > length - a->offset) {
        vg_error_set(vg_request_error(rq), VG_E_BEYOND_CAPACITY,
                     "%" PRId64 " bytes come, and %" PRIu64 " are left of Upload-Length",
                     coming, length - a->offset);
        return -1;
    }
    if (a->offset < length && receive_all(rq, a) < 0)
        return -1;
    return a->ended ? 0 : expect_end(rq);
}

/* ---- the handlers ------------------------------------------------------------------ */

static virStorageVolPtr find_volume(struct vg_request *rq,
                                    const struct vg_resumable_plan *plan)
{
    vg_autoptr(virStoragePool) pool = virStoragePoolLookupByName(vg_conn(rq), plan->pool);
    virStorageVolPtr volume = pool ? virStorageVolLookupByName(pool, plan->volume) : NULL;

    if (!volume)
        (void)vg_error_set_virt(vg_request_error(rq));
    return volume;
}

/* Whoever cancels the operation means the upload. */
static void end_cancelled(struct vg_request *rq, const struct arrival *a)
{
    discard(a->upload, a->volume);
    vg_error_set(vg_request_error(rq), VG_E_GONE,
                 "The operation was cancelled, and the upload with it");
}

static int go_on(struct vg_request *rq, struct arrival *a)
{
    int64_t coming = vg_body_length(rq);

    if (vg_digest_copy(&a->digest, vg_resumable_digest(a->upload), vg_request_error(rq)) <
        0)
        return -1;
    a->transfer =
        vg_transfer_begin_held(rq, coming < 0 ? VG_TOTAL_UNKNOWN : (uint64_t)coming);
    if (!a->transfer)
        return -1;
    vg_resumable_set_transfer(a->upload, a->transfer);
    int rc = receive(rq, a);
    vg_resumable_set_transfer(a->upload, NULL);
    if (rc < 0 && vg_transfer_is_cancelled(a->transfer))
        end_cancelled(rq, a);
    else if (end_if_complete(rq, a->upload, a->volume) < 0)
        rc = -1;
    vg_transfer_end(a->transfer, rc == 0);
    return rc;
}

static int move(struct vg_request *rq, struct arrival *a)
{
    const char *checksum = vg_tus_fields(rq)->checksum;

    if (checksum &&
        vg_digest_read_checksum(&a->checksum, checksum, vg_request_error(rq)) < 0)
        return -1;
    const struct vg_resumable_plan *plan = vg_resumable_plan(a->upload);
    vg_autoptr(virStorageVol) volume = find_volume(rq, plan);
    if (!volume || vg_volume_check_unused(rq, volume, plan->force) < 0)
        return -1;
    a->volume = volume;
    int rc = go_on(rq, a);
    a->volume = NULL;
    return rc;
}

static struct vg_reply patch_upload(struct vg_request *rq)
{
    const struct vg_field args[] = {VG_END};
    VG_CLEANUP(clear_arrival) struct arrival a = {0};

    if (vg_args(rq, args) < 0 ||
        vg_tus_number(rq, "Upload-Offset", vg_tus_fields(rq)->offset, &a.offset) < 0)
        return vg_fail(rq);
    vg_auto_resumable *upload = vg_resumable_find(rq);
    if (!upload)
        return vg_fail(rq);
    a.upload = upload;
    if (vg_resumable_begin(rq, upload, a.offset) < 0)
        return with_state(rq, upload, vg_fail(rq));
    int rc = vg_resumable_state(upload).done ? expect_end(rq) : move(rq, &a);
    vg_resumable_pause(upload);
    return with_state(rq, upload, rc < 0 ? vg_fail(rq) : vg_no_content(rq));
}

/* HEAD is sent by a client that goes on: a request that still waits for its bytes has
 * been left. GET just looks. */
static struct vg_reply get_upload(struct vg_request *rq)
{
    vg_auto_resumable *upload = vg_resumable_find(rq);

    if (!upload || (vg_is_head(rq) && vg_resumable_settle(rq, upload) < 0))
        return vg_fail(rq);
    return describe(rq, upload);
}

static struct vg_reply list_uploads(struct vg_request *rq)
{
    vg_auto_json w = vg_json_for(rq);

    vg_json_begin_object(&w, NULL);
    vg_resumable_write_all(rq, &w, "uploads");
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

/* Of one that is complete the volume stays. -1: the request's error is set. */
static int terminate(struct vg_request *rq, struct vg_resumable *upload)
{
    const struct vg_resumable_plan *plan = vg_resumable_plan(upload);

    if (vg_resumable_state(upload).done || !plan->made) {
        vg_resumable_end(upload);
        return 0;
    }
    vg_autoptr(virStorageVol) volume = find_volume(rq, plan);
    if (volume ? virStorageVolDelete(volume, 0) < 0
               : !vg_error_is_virt(vg_request_error(rq), VIR_ERR_NO_STORAGE_VOL))
        return volume ? vg_error_set_virt(vg_request_error(rq)) : -1;
    vg_resumable_end(upload);
    return 0;
}

static struct vg_reply delete_upload(struct vg_request *rq)
{
    vg_auto_resumable *upload = vg_resumable_find(rq);

    if (!upload || vg_resumable_settle(rq, upload) < 0 ||
        vg_resumable_begin(rq, upload, vg_resumable_state(upload).offset) < 0)
        return vg_fail(rq);
    int rc = terminate(rq, upload);
    vg_resumable_pause(upload);
    return rc < 0 ? vg_fail(rq) : vg_no_content(rq);
}

/* clang-format off */
const struct vg_route vg_routes_upload[] = {
    {VG_GET, "/uploads", "listUploads", list_uploads,
     .needs = "connect:getattr", .runs_on = VG_ON_NETWORK_THREAD, .resumable = true},
    {VG_POST, "/uploads", "createUpload", create_upload,
     .needs = "storage_pool:getattr storage_pool:read storage_vol:getattr storage_vol:read storage_vol:data_write "
              "connect:search_domains domain:getattr domain:read",
     .takes = VG_TAKES_ARGS, .resumable = true},
    {VG_GET, "/uploads/{upload}", "getUpload", get_upload,
     .needs = "connect:getattr", .resumable = true},
    {VG_PATCH, "/uploads/{upload}", "patchUpload", patch_upload,
     .needs = "storage_pool:getattr storage_vol:getattr storage_vol:read storage_vol:data_write "
              "connect:search_domains domain:getattr domain:read",
     .runs_on = VG_ON_TRANSFER, .takes = VG_TAKES_STREAM, .resumable = true},
    {VG_DELETE, "/uploads/{upload}", "deleteUpload", delete_upload,
     .needs = "storage_pool:getattr storage_vol:getattr storage_vol:delete", .resumable = true},
    {0},
};
/* clang-format on */
