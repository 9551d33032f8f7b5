/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `?extents=true`: data and holes of a volume, as a stream of libvirt's that stops at
 * holes tells them. It has to be read for that, all of it; what is found is sent
 * meanwhile, in an answer that may be of any length.
 */
#include "routes/storage/volume_reading.h"

#include "virtgate/content.h"
#include "virtgate/json.h"
#include "virtgate/object_class.h"

#include <string.h>

/* What one stream reads: then the worker is free for others, and the client sees that it
 * goes on. */
#define STEP ((uint64_t)256 * 1024 * 1024)
/* What a message of libvirt's holds at most, about. */
#define PIECE ((size_t)256 * 1024)

struct scan {
    struct vg_volume_reading *reading;
    struct vg_byte_range range;
    struct vg_json w;  /* what is found and not sent yet */
    uint64_t at;       /* up to where it is read */
    uint64_t since;    /* where what is being read begins, */
    bool zero;         /* which is a hole */
    bool begun, ended; /* the text */
};

static void end_scan(void *data, bool done)
{
    struct scan *scan = data;

    vg_volume_reading_free(scan->reading, done);
    vg_json_free(&scan->w);
    free(scan);
}

/* ---- the text ---------------------------------------------------------------------- */

static void begin_text(struct scan *scan, const struct vg_request *rq)
{
    scan->w = vg_json_for(rq);
    vg_json_begin_object(&scan->w, NULL);
    vg_json_uint(&scan->w, "sizeBytes", scan->reading->size);
    vg_json_uint(&scan->w, "offset", scan->range.offset);
    vg_json_uint(&scan->w, "length", scan->range.length);
    vg_json_begin_array(&scan->w, "extents");
    scan->begun = true;
}

static void write_extent(struct scan *scan)
{
    if (scan->at == scan->since)
        return;
    vg_json_begin_object(&scan->w, NULL);
    vg_json_uint(&scan->w, "offset", scan->since);
    vg_json_uint(&scan->w, "length", scan->at - scan->since);
    vg_json_bool(&scan->w, "zero", scan->zero);
    vg_json_end_object(&scan->w);
    scan->since = scan->at;
}

static void end_text(struct scan *scan)
{
    write_extent(scan);
    vg_json_end_array(&scan->w);
    vg_json_end_object(&scan->w);
    scan->ended = true;
}

/* Moves what is written to the answer. While nothing is found, a blank says that it goes
 * on. -1: out of memory, the request's error is set. */
static ssize_t give_text(struct scan *scan, struct vg_request *rq, char *ret, size_t n)
{
    struct vg_text *text = &scan->w.text;

    if (text->failed)
        return vg_error_set_memory(vg_request_error(rq));
    if (!text->len && !scan->ended) {
        *ret = '\n';
        return 1;
    }
    n = text->len < n ? text->len : n;
    memcpy(ret, text->data, n);
    memmove(text->data, text->data + n, text->len - n);
    text->len -= n;
    return (ssize_t)n;
}

/* ---- reading ----------------------------------------------------------------------- */

static void take_piece(struct scan *scan, uint64_t n, bool zero)
{
    if (zero != scan->zero)
        write_extent(scan);
    scan->zero = zero;
    scan->at += n;
}

/* One message of the stream. 0: it is at its end; -1: libvirt's error. */
static int read_piece(struct scan *scan, virStreamPtr stream, char *buffer)
{
    long long hole;
    int got = virStreamRecvFlags(stream, buffer, PIECE, VIR_STREAM_RECV_STOP_AT_HOLE);

    if (got > 0)
        take_piece(scan, (uint64_t)got, false);
    if (got != -3)
        return got;
    if (virStreamRecvHole(stream, &hole, 0) < 0)
        return -1;
    take_piece(scan, (uint64_t)hole, true);
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
    } while (got > 0 && scan->w.text.len < enough);
    if (got > 0)
        got = virStreamAbort(stream);
    return got < 0 ? vg_error_set_virt(vg_request_error(rq)) : 0;
}

/* -1: the request's error is set. */
static int read_step(struct scan *scan, struct vg_request *rq, virStorageVolPtr volume,
                     size_t enough)
{
    uint64_t left = scan->range.offset + scan->range.length - scan->at, begin = scan->at;
    uint64_t length = left < STEP ? left : STEP;
    vg_autofree char *buffer = malloc(PIECE);

    if (!buffer)
        return vg_error_set_memory(vg_request_error(rq));
    vg_autoptr(virStream) stream =
        vg_volume_reading_open(rq, volume, begin, length, true);
    if (!stream)
        return -1;
    int rc = read_stream(scan, rq, stream, buffer, enough);
    bool whole = scan->at >= begin + length;
    if (rc < 0) {
        (void)virStreamAbort(stream);
        return -1;
    }
    if (whole && virStreamFinish(stream) < 0)
        return vg_error_set_virt(vg_request_error(rq));
    if (scan->at > begin)
        return 0;
    vg_error_set(vg_request_error(rq), VG_E_CONFLICT,
                 "The volume ends before its size: it was cut while it was read");
    return -1;
}

/* -1: the request's error is set. */
static int look_further(struct scan *scan, struct vg_request *rq, size_t enough)
{
    uint64_t before = scan->at;

    if (vg_volume_reading_step(scan->reading, rq) < 0)
        return -1;
    vg_autoptr(virStorageVol) volume = vg_volume_reading_find(rq, scan->reading);
    int rc = volume ? read_step(scan, rq, volume, enough) : -1;
    if (rc == 0)
        rc = vg_volume_reading_check(rq, volume, scan->reading);
    vg_volume_reading_moved(scan->reading, rq, scan->at - before);
    return rc;
}

static ssize_t read_extents(void *data, struct vg_request *rq, uint64_t offset, char *ret,
                            size_t n)
{
    struct scan *scan = data;
    (void)offset;

    if (!scan->begun)
        begin_text(scan, rq);
    bool more = scan->at < scan->range.offset + scan->range.length;
    if (more && scan->w.text.len < n) {
        if (look_further(scan, rq, n) < 0)
            return -1;
    } else if (!more && !scan->ended) {
        end_text(scan);
    }
    return give_text(scan, rq, ret, n);
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
    scan->at = scan->since = scan->range.offset;
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
