/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * GET /storage-pools/{pool}/volumes/{volume}/content: the bytes of a volume. A window of
 * them is a stream of libvirt's of its own: between two windows a download holds nothing
 * of its host.
 */
#include "routes/routes.h"
#include "routes/storage/receive.h"
#include "routes/storage/volume_reading.h"
#include "virtgate/content.h"
#include "virtgate/host.h"
#include "virtgate/object_class.h"

#include <string.h>

/* A hole comes as its length, which may be more than is read now. How much of it is;
 * -1: libvirt's error. */
static int take_hole(struct vg_volume_reading *reading, char *ret, size_t room)
{
    long long length = 0;

    if (!reading->hole && virStreamRecvHole(reading->stream, &length, 0) < 0)
        return -1;
    reading->hole += (uint64_t)length;
    size_t n = reading->hole < room ? (size_t)reading->hole : room;
    memset(ret, 0, n);
    reading->hole -= n;
    return (int)n;
}

static int take_some(struct vg_volume_reading *reading, char *ret, size_t room)
{
    if (reading->hole)
        return take_hole(reading, ret, room);
    int got =
        virStreamRecvFlags(reading->stream, ret, room, VIR_STREAM_RECV_STOP_AT_HOLE);
    return got == -3 ? take_hole(reading, ret, room) : got;
}

/* Until n bytes are there, or the stream is at its end. How many came; -1: the request's
 * error is set. */
static ssize_t receive(struct vg_request *rq, struct vg_volume_reading *reading,
                       char *ret, size_t n)
{
    size_t at = 0;
    int got;

    do {
        if (vg_volume_reading_step(reading, rq) < 0)
            return -1;
        got = take_some(reading, ret + at, n - at);
        at += got > 0 ? (size_t)got : 0;
    } while (got > 0 && at < n);
    return got < 0 ? vg_error_set_virt(vg_request_error(rq)) : (ssize_t)at;
}

static void close_volume(void *data, struct vg_request *rq)
{
    struct vg_volume_reading *reading = data;
    (void)rq;

    if (reading->stream) {
        (void)virStreamAbort(reading->stream);
        virStreamFree(vg_take(&reading->stream));
    }
    if (reading->from)
        virStorageVolFree(vg_take(&reading->from));
}

static int open_volume(void *data, struct vg_request *rq, uint64_t offset,
                       uint64_t length)
{
    struct vg_volume_reading *reading = data;

    if (vg_volume_reading_step(reading, rq) < 0)
        return -1;
    reading->left = length;
    reading->hole = 0;
    reading->from = vg_volume_reading_find(rq, reading);
    if (reading->from)
        reading->stream =
            vg_volume_reading_open(rq, reading->from, offset, length, reading->sparse);
    vg_volume_reading_moved(reading, rq, 0);
    if (reading->stream)
        return 0;
    close_volume(data, rq);
    return -1;
}

/* All of it was read: nothing of its last bytes goes out before it is sure that they are
 * of the same content as the first ones. */
static int finish_volume(struct vg_volume_reading *reading, struct vg_request *rq)
{
    vg_autoptr(virStream) stream = vg_take(&reading->stream);

    if (virStreamFinish(stream) < 0)
        return vg_error_set_virt(vg_request_error(rq));
    return vg_volume_reading_check(rq, reading->from, reading);
}

static ssize_t read_on(struct vg_volume_reading *reading, struct vg_request *rq,
                       char *ret, size_t n)
{
    ssize_t got = receive(rq, reading, ret, n);

    reading->left -= got > 0 ? (uint64_t)got : 0;
    if (got >= 0 && (!reading->left || (size_t)got < n) && finish_volume(reading, rq) < 0)
        got = -1;
    vg_volume_reading_moved(reading, rq, got > 0 ? (uint64_t)got : 0);
    return got;
}

static ssize_t read_volume(void *data, struct vg_request *rq, uint64_t offset, char *ret,
                           size_t n)
{
    struct vg_volume_reading *reading = data;

    if (reading->from)
        return read_on(reading, rq, ret, n);
    if (open_volume(data, rq, offset, n) < 0)
        return -1;
    ssize_t got = read_on(reading, rq, ret, n);
    close_volume(data, rq);
    return got;
}

static int begin_transfer(void *data, struct vg_request *rq, uint64_t length)
{
    vg_autoptr(virStorageVol) volume = vg_path_object(rq, VG_KIND_VOLUME);
    return volume ? vg_volume_reading_begin(data, rq, volume, length) : -1;
}

static bool is_cancelled(const void *data)
{
    return vg_volume_reading_is_cancelled(data);
}

static void end_transfer(void *data, bool done)
{
    vg_volume_reading_free(data, done);
}

/* The test driver has no streams of volumes, and says so only when it is asked for one:
 * then HEAD, and an empty volume, say it, too. */
static int check_driver(struct vg_request *rq, virStorageVolPtr volume)
{
    if (!vg_conn_in_process(rq))
        return 0;
    vg_autoptr(virStream) stream = vg_volume_reading_open(rq, volume, 0, 0, false);
    if (!stream)
        return -1;
    (void)virStreamAbort(stream);
    return 0;
}

static struct vg_reply send_volume(struct vg_request *rq,
                                   struct vg_volume_reading *reading_steal)
{
    struct vg_content content = {
        .size = reading_steal->size,
        .filename = strdup(reading_steal->volume),
        .version = reading_steal->version ? strdup(reading_steal->version) : NULL,
        .data = reading_steal,
        .read = read_volume,
        .open = open_volume,
        .close = close_volume,
        .begin = begin_transfer,
        .is_cancelled = is_cancelled,
        .end = end_transfer,
    };
    return vg_ok_content(rq, &content);
}

static const struct vg_enum_value digest_values[] = {{"sha-256", NULL, 0}};
static const struct vg_enum digests = {"digests", digest_values, 1};

static int check_choice(struct vg_request *rq, bool extents, bool digest)
{
    if (!extents || !digest)
        return 0;
    return vg_fail_value(rq, "One of 'extents' and 'digest' is accepted");
}

static struct vg_reply get_content(struct vg_request *rq)
{
    bool extents = false;
    int digest = -1;
    const struct vg_field args[] = {VG_BOOL("extents", &extents),
                                    VG_ONE_OF("digest", &digest, &digests), VG_END};
    virStorageVolInfo info;
    vg_autoptr(virStorageVol) volume = vg_args_path_object(rq, VG_KIND_VOLUME, args);

    if (!volume || check_choice(rq, extents, digest >= 0) < 0 ||
        check_driver(rq, volume) < 0 || vg_volume_check_bytes(rq, volume, &info) < 0)
        return vg_fail(rq);
    struct vg_volume_reading *reading = vg_volume_reading_new(rq, volume);
    if (!reading)
        return vg_fail(rq);
    return digest >= 0 ? vg_volume_digest(rq, reading)
           : extents   ? vg_volume_extents(rq, reading)
                       : send_volume(rq, reading);
}

/* clang-format off */
const struct vg_route vg_routes_download[] = {
    {VG_GET, "/storage-pools/{pool}/volumes/{volume}/content", "getVolumeContent", get_content,
     .needs = "storage_pool:getattr storage_vol:getattr storage_vol:read storage_vol:data_read",
     .runs_on = VG_ON_TRANSFER, .gives = VG_GIVES_CONTENT, .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
