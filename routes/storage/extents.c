/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `?extents=true`: data and holes of a volume, as a stream of libvirt's that stops at
 * holes tells them. It has to be read for that, all of it; what is found is sent
 * meanwhile, in an answer that may be of any length.
 */
#include "routes/storage/extent_text.h"
#include "routes/storage/volume_reading.h"

#include "virtgate/object_class.h"

/* What one stream reads: then the worker is free for others, and the client sees that it
 * goes on. */
#define STEP ((uint64_t)256 * 1024 * 1024)
/* What a message of libvirt's holds at most, about. */
#define PIECE ((size_t)256 * 1024)

struct scan {
    struct vg_volume_reading *reading;
    struct vg_byte_range range;
    struct vg_extents found;
};

static void end_scan(void *data, bool done)
{
    struct scan *scan = data;

    vg_volume_reading_free(scan->reading, done);
    vg_extents_clear(&scan->found);
    free(scan);
}

/* ---- reading ----------------------------------------------------------------------- */

/* One message of the stream. 0: it is at its end; -1: libvirt's error. */
static int read_piece(struct scan *scan, virStreamPtr stream, char *buffer)
{
    long long hole;
    int got = virStreamRecvFlags(stream, buffer, PIECE, VIR_STREAM_RECV_STOP_AT_HOLE);

    if (got > 0)
        vg_extents_add(&scan->found, (uint64_t)got, false);
    if (got != -3)
        return got;
    if (virStreamRecvHole(stream, &hole, 0) < 0)
        return -1;
    vg_extents_add(&scan->found, (uint64_t)hole, true);
    return 1;
}

/* Until the stream is at its end, or there is enough to be sent. -1: the request's error
 * is set. */
static int read_stream(struct scan *scan, struct vg_request *rq, virStreamPtr stream,
                       char *buffer, size_t enough)
{
    int got;

    do {
        if (vg_volume_reading_step(scan->reading, rq) < 0)
            return -1;
        got = read_piece(scan, stream, buffer);
    } while (got > 0 && scan->found.w.text.len < enough);
    if (got > 0)
        got = virStreamAbort(stream);
    return got < 0 ? vg_error_set_virt(vg_request_error(rq)) : 0;
}

/* -1: the request's error is set. */
static int read_step(struct scan *scan, struct vg_request *rq, virStorageVolPtr volume,
                     size_t enough)
{
    uint64_t begin = scan->found.at, left = scan->found.end - begin;
    uint64_t length = left < STEP ? left : STEP;
    vg_autofree char *buffer = malloc(PIECE);

    if (!buffer)
        return vg_error_set_memory(vg_request_error(rq));
    vg_autoptr(virStream) stream =
        vg_volume_reading_open(rq, volume, begin, length, true);
    if (!stream)
        return -1;
    int rc = read_stream(scan, rq, stream, buffer, enough);
    bool whole = scan->found.at >= begin + length;
    if (rc < 0) {
        (void)virStreamAbort(stream);
        return -1;
    }
    if (whole && virStreamFinish(stream) < 0)
        return vg_error_set_virt(vg_request_error(rq));
    if (scan->found.at > begin)
        return 0;
    vg_error_set(vg_request_error(rq), VG_E_CONFLICT,
                 "The volume ends before its size: it was cut while it was read");
    return -1;
}

/* -1: the request's error is set. */
static int look_further(struct scan *scan, struct vg_request *rq, size_t enough)
{
    uint64_t before = scan->found.at;

    if (vg_volume_reading_step(scan->reading, rq) < 0)
        return -1;
    vg_autoptr(virStorageVol) volume = vg_volume_reading_find(rq, scan->reading);
    int rc = volume ? read_step(scan, rq, volume, enough) : -1;
    if (rc == 0)
        rc = vg_volume_reading_check(rq, volume, scan->reading);
    vg_volume_reading_moved(scan->reading, rq, scan->found.at - before);
    return rc;
}

static ssize_t read_extents(void *data, struct vg_request *rq, uint64_t offset, char *ret,
                            size_t n)
{
    struct scan *scan = data;
    (void)offset;

    if (vg_extents_want(&scan->found, n) && look_further(scan, rq, n) < 0)
        return -1;
    return vg_extents_give(&scan->found, rq, ret, n);
}

static int begin_scan(void *data, struct vg_request *rq, uint64_t length)
{
    struct scan *scan = data;
    vg_autoptr(virStorageVol) volume = vg_path_object(rq, VG_KIND_VOLUME);

    (void)length;
    return volume ? vg_volume_reading_begin(scan->reading, rq, volume, scan->range.length)
                  : -1;
}

static bool is_cancelled(const void *data)
{
    const struct scan *scan = data;
    return vg_volume_reading_is_cancelled(scan->reading);
}

/* ---- the answer -------------------------------------------------------------------- */

struct vg_reply vg_volume_extents(struct vg_request *rq,
                                  struct vg_volume_reading *reading_steal)
{
    struct scan *scan = calloc(1, sizeof(*scan));

    if (!scan) {
        vg_volume_reading_free(reading_steal, false);
        return vg_fail_memory(rq);
    }
    scan->reading = reading_steal;
    uint64_t size = reading_steal->size;
    if (vg_request_range(rq, size, &scan->range) == VG_RANGE_UNSATISFIABLE) {
        end_scan(scan, false);
        return vg_fail_range(rq, size);
    }
    vg_extents_init(&scan->found, rq, "zero", size, &scan->range);
    const char *version = reading_steal->version;
    struct vg_content content = {
        .size = VG_CONTENT_UNSIZED,
        .type = "application/json",
        .version = version ? strdup(version) : NULL,
        .data = scan,
        .read = read_extents,
        .begin = begin_scan,
        .is_cancelled = is_cancelled,
        .end = end_scan,
    };
    return vg_ok_content(rq, &content);
}
