/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See include/virtgate/fetch.h: what is downloaded is held against its digest, then
 * unpacked by libarchive.
 */
#include "virtgate/fetch.h"

#include "server/transfer/download.h"
#include "virtgate/digest.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>

/* What may follow the end of what is packed: some pad it. */
#define TAIL_MAX ((size_t)1 << 20)

struct vg_fetch {
    struct vg_fetch_source source;
    struct vg_download *download;
    struct vg_digest *digest; /* NULL: it is not checked */
    struct archive *archive;  /* NULL: it is not packed */
    struct vg_error *error;   /* of the call that is at work */
    bool failed;              /* and it is set: by the download, below libarchive */
    bool ended;
};

int vg_fetch_check(const struct vg_fetch_source *source, struct vg_error *reterr)
{
    struct vg_allowed allowed;
    struct vg_digest *digest = NULL;

    if (source->sha256 && vg_digest_read_hex(&digest, source->sha256, reterr) < 0)
        return -1;
    vg_digest_free(digest);
    return vg_allow_url(source->url, &allowed, reterr);
}

/* ---- as it comes --------------------------------------------------------------------
 */

static int read_raw(struct vg_fetch *f, const char **ret, size_t *ret_n,
                    struct vg_error *reterr)
{
    int rc = vg_download_read(f->download, ret, ret_n, reterr);

    if (rc > 0)
        vg_digest_add(f->digest, *ret, *ret_n);
    else if (rc == 0)
        return vg_digest_check(f->digest, reterr);
    return rc;
}

/* ---- packed -------------------------------------------------------------------------
 */

static const struct {
    const char *magic;
    size_t length;
    int filter;
} packers[] = {
    {"\x1f\x8b\x08", 3, ARCHIVE_FILTER_GZIP},
    {"\xfd"
     "7zXZ\0",
     6, ARCHIVE_FILTER_XZ},
    {"\x28\xb5\x2f\xfd", 4, ARCHIVE_FILTER_ZSTD},
};

static la_ssize_t feed(struct archive *archive, void *data, const void **ret)
{
    struct vg_fetch *f = data;
    const char *piece = NULL;
    size_t n = 0;
    int rc = read_raw(f, &piece, &n, f->error);

    if (rc < 0) {
        f->failed = true;
        archive_set_error(archive, ARCHIVE_FATAL, "it did not come");
        return -1;
    }
    f->ended = rc == 0;
    *ret = piece;
    return (la_ssize_t)n;
}

static int fail_packed(struct vg_fetch *f, struct vg_error *reterr)
{
    const char *why = f->archive ? archive_error_string(f->archive) : NULL;

    if (!f->failed)
        vg_error_set(
            reterr, VG_E_IMPORT_FAILED,
            "What '%.200s' gives cannot be unpacked: %s; \"unpack\": false takes "
            "it as it is",
            f->source.url, why ? why : "out of memory");
    return -1;
}

/* Finds out how it is packed, and opens it. */
static int open_packed(struct vg_fetch *f, struct vg_error *reterr)
{
    const char *head;
    size_t n;
    int filter = ARCHIVE_FILTER_NONE;
    struct archive_entry *entry;

    if (vg_download_peek(f->download, 6, &head, &n, reterr) < 0)
        return -1;
    for (size_t i = 0; i < sizeof(packers) / sizeof(packers[0]); i++)
        if (n >= packers[i].length &&
            memcmp(head, packers[i].magic, packers[i].length) == 0)
            filter = packers[i].filter;
    if (!f->source.unpack || filter == ARCHIVE_FILTER_NONE)
        return 0;
    f->archive = archive_read_new();
    f->error = reterr;
    if (f->archive && archive_read_append_filter(f->archive, filter) == ARCHIVE_OK &&
        archive_read_support_format_raw(f->archive) == ARCHIVE_OK &&
        archive_read_support_format_empty(f->archive) == ARCHIVE_OK &&
        archive_read_open(f->archive, f, NULL, feed, NULL) == ARCHIVE_OK) {
        int rc = archive_read_next_header(f->archive, &entry);
        if (rc == ARCHIVE_OK || rc == ARCHIVE_EOF)
            return 0;
    }
    return fail_packed(f, reterr);
}

/* What follows is received, too, for the digest's sake. */
static int read_tail(struct vg_fetch *f, struct vg_error *reterr)
{
    const char *piece;
    size_t n, all = 0;

    while (!f->ended) {
        int rc = read_raw(f, &piece, &n, reterr);
        if (rc < 0)
            return -1;
        f->ended = rc == 0;
        all += rc ? n : 0;
        if (all > TAIL_MAX) {
            vg_error_set(reterr, VG_E_IMPORT_FAILED,
                         "More than 1 MiB follows the end of what is packed");
            return -1;
        }
    }
    return 0;
}

static int read_packed(struct vg_fetch *f, const char **ret, size_t *ret_n,
                       struct vg_error *reterr)
{
    const void *piece = NULL;
    size_t n = 0;
    la_int64_t offset;
    int rc;

    f->error = reterr;
    do
        rc = archive_read_data_block(f->archive, &piece, &n, &offset);
    while (rc == ARCHIVE_OK && !n);
    if (rc == ARCHIVE_EOF)
        return read_tail(f, reterr);
    *ret = piece;
    *ret_n = n;
    return rc == ARCHIVE_OK ? 1 : fail_packed(f, reterr);
}

/* ---- the whole ----------------------------------------------------------------------
 */

struct vg_fetch *vg_fetch_open(const struct vg_fetch_source *source,
                               struct vg_error *reterr)
{
    struct vg_fetch *f = calloc(1, sizeof(*f));

    if (!f) {
        (void)vg_error_set_memory(reterr);
        return NULL;
    }
    f->source = *source;
    if (source->sha256 && vg_digest_read_hex(&f->digest, source->sha256, reterr) < 0) {
        vg_fetch_close(f);
        return NULL;
    }
    f->download = vg_download_open(&f->source, reterr);
    if (f->download && open_packed(f, reterr) == 0)
        return f;
    vg_fetch_close(f);
    return NULL;
}

uint64_t vg_fetch_length(const struct vg_fetch *f)
{
    return f->archive ? VG_LENGTH_UNKNOWN : vg_download_length(f->download);
}

int vg_fetch_read(struct vg_fetch *f, const char **ret, size_t *ret_n,
                  struct vg_error *reterr)
{
    return f->archive ? read_packed(f, ret, ret_n, reterr)
                      : read_raw(f, ret, ret_n, reterr);
}

void vg_fetch_close(struct vg_fetch *f)
{
    if (!f)
        return;
    if (f->archive)
        archive_read_free(f->archive);
    vg_download_close(f->download);
    vg_digest_free(f->digest);
    free(f);
}
