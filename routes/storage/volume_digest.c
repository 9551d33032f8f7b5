/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `?digest=sha-256`: the digest of what a volume holds, read on the host's side of the
 * network: to compare an image without fetching it. While it is read, blanks say that it
 * goes on.
 */
#include "routes/storage/volume_reading.h"

#include "virtgate/content.h"
#include "virtgate/digest.h"
#include "virtgate/json.h"
#include "virtgate/object_class.h"

#include <stdio.h>
#include <string.h>

/* What one stream reads: then the worker is free for others. */
#define STEP ((uint64_t)256 * 1024 * 1024)
/* What a message of libvirt's holds at most, about. */
#define PIECE ((size_t)256 * 1024)

struct hashing {
    struct vg_volume_reading *reading;
    struct vg_byte_range range;
    struct vg_digest *digest;
    uint64_t at; /* up to where it is read */
    char text[256];
    size_t sent; /* of the text */
};

static void end_hashing(void *data, bool done)
{
    struct hashing *h = data;

    vg_volume_reading_free(h->reading, done);
    vg_digest_free(h->digest);
    free(h);
}

/* One message of the stream, holes as zeros. 0: it is at its end; -1: the request's error
 * is set. */
static int read_piece(struct hashing *h, struct vg_request *rq, virStreamPtr stream,
                      char *buffer)
{
    if (vg_volume_reading_step(h->reading, rq) < 0)
        return -1;
    int got = virStreamRecv(stream, buffer, PIECE);
    if (got < 0)
        return vg_error_set_virt(vg_request_error(rq));
    vg_digest_add(h->digest, buffer, (size_t)got);
    h->at += (uint64_t)got;
    return got;
}

static int read_stream(struct hashing *h, struct vg_request *rq, virStreamPtr stream)
{
    vg_autofree char *buffer = malloc(PIECE);
    int got;

    if (!buffer)
        return vg_error_set_memory(vg_request_error(rq));
    do
        got = read_piece(h, rq, stream, buffer);
    while (got > 0);
    return got;
}

static int read_step(struct hashing *h, struct vg_request *rq, virStorageVolPtr volume)
{
    uint64_t left = h->range.offset + h->range.length - h->at, before = h->at;
    uint64_t length = left < STEP ? left : STEP;
    vg_autoptr(virStream) stream =
        vg_volume_reading_open(rq, volume, before, length, false);

    if (!stream)
        return -1;
    if (read_stream(h, rq, stream) < 0) {
        (void)virStreamAbort(stream);
        return -1;
    }
    if (virStreamFinish(stream) < 0)
        return vg_error_set_virt(vg_request_error(rq));
    if (h->at == before + length)
        return 0;
    vg_error_set(vg_request_error(rq), VG_E_CONFLICT,
                 "The volume ends before its size: it was cut while it was read");
    return -1;
}

static int read_further(struct hashing *h, struct vg_request *rq)
{
    uint64_t before = h->at;

    if (vg_volume_reading_step(h->reading, rq) < 0)
        return -1;
    vg_autoptr(virStorageVol) volume = vg_volume_reading_find(rq, h->reading);
    int rc = volume ? read_step(h, rq, volume) : -1;
    if (rc == 0)
        rc = vg_volume_reading_check(rq, volume, h->reading);
    vg_volume_reading_moved(h->reading, rq, h->at - before);
    return rc;
}

static int write_text(struct hashing *h, struct vg_request *rq)
{
    char value[VG_DIGEST_TEXT_SIZE];
    vg_auto_json w = vg_json_for(rq);
    char field[VG_DIGEST_TEXT_SIZE + 16];
    size_t n;

    if (vg_digest_write(h->digest, value) < 0)
        return vg_error_set_memory(vg_request_error(rq));
    snprintf(field, sizeof(field), "sha-256=:%s:", value);
    vg_json_begin_object(&w, NULL);
    vg_json_uint(&w, "sizeBytes", h->reading->size);
    vg_json_uint(&w, "offset", h->range.offset);
    vg_json_uint(&w, "length", h->range.length);
    vg_json_string(&w, "digest", field);
    vg_json_end_object(&w);
    vg_autofree char *text = vg_json_finish(&w, &n);
    if (!text || n >= sizeof(h->text))
        return vg_error_set_memory(vg_request_error(rq));
    memcpy(h->text, text, n + 1);
    return 0;
}

static ssize_t read_digest(void *data, struct vg_request *rq, uint64_t offset, char *ret,
                           size_t n)
{
    struct hashing *h = data;
    (void)offset;

    if (h->at < h->range.offset + h->range.length) {
        if (read_further(h, rq) < 0)
            return -1;
        *ret = '\n';
        return 1;
    }
    if (!h->text[0] && write_text(h, rq) < 0)
        return -1;
    size_t left = strlen(h->text + h->sent);
    n = left < n ? left : n;
    memcpy(ret, h->text + h->sent, n);
    h->sent += n;
    return (ssize_t)n;
}

static int begin_hashing(void *data, struct vg_request *rq, uint64_t length)
{
    struct hashing *h = data;
    vg_autoptr(virStorageVol) volume = vg_path_object(rq, VG_KIND_VOLUME);

    (void)length;
    return volume ? vg_volume_reading_begin(h->reading, rq, volume, h->range.length) : -1;
}

static bool is_cancelled(const void *data)
{
    const struct hashing *h = data;
    return vg_volume_reading_is_cancelled(h->reading);
}

struct vg_reply vg_volume_digest(struct vg_request *rq,
                                 struct vg_volume_reading *reading_steal)
{
    struct hashing *h = calloc(1, sizeof(*h));

    if (!h || vg_digest_new(&h->digest, vg_request_error(rq)) < 0) {
        free(h);
        vg_volume_reading_free(reading_steal, false);
        return vg_fail_memory(rq);
    }
    h->reading = reading_steal;
    uint64_t size = reading_steal->size;
    if (vg_request_range(rq, size, &h->range) == VG_RANGE_UNSATISFIABLE) {
        end_hashing(h, false);
        return vg_fail_range(rq, size);
    }
    h->at = h->range.offset;
    const char *version = reading_steal->version;
    struct vg_content content = {
        .size = VG_CONTENT_UNSIZED,
        .type = "application/json",
        .version = version ? strdup(version) : NULL,
        .data = h,
        .read = read_digest,
        .begin = begin_hashing,
        .is_cancelled = is_cancelled,
        .end = end_hashing,
    };
    return vg_ok_content(rq, &content);
}
