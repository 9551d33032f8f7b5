/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See include/virtgate/seed.h.
 */
#include "virtgate/seed.h"

#include "virtgate/cleanup.h"
#include "virtgate/text.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>
#include <sys/stat.h>

/* What a CD-ROM drive reads at a time; the image is whole ones. */
#define SECTOR 2048

static void free_archive(struct archive **a)
{
    if (*a)
        (void)archive_write_free(*a);
}
#define auto_archive VG_CLEANUP(free_archive) struct archive

static la_ssize_t append(struct archive *a, void *data, const void *bytes, size_t n)
{
    struct vg_text *image = data;

    (void)a;
    vg_text_add(image, bytes, n);
    return image->failed ? -1 : (la_ssize_t)n;
}

static int fail(struct archive *a, struct vg_error *reterr)
{
    const char *why = a ? archive_error_string(a) : NULL;

    if (!why)
        return vg_error_set_memory(reterr);
    vg_error_set(reterr, VG_E_INTERNAL, "The seed of cloud-init cannot be made: %s", why);
    return -1;
}

/* Readable by root alone, as far as the guest looks at that. */
static int add_file(struct archive *a, const char *name, const char *text)
{
    size_t n = strlen(text);
    struct archive_entry *entry = archive_entry_new2(a);

    if (!entry)
        return -1;
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, S_IFREG);
    archive_entry_set_perm(entry, 0400);
    archive_entry_set_size(entry, (la_int64_t)n);
    int rc = archive_write_header(a, entry);
    archive_entry_free(entry);
    return rc == ARCHIVE_OK && archive_write_data(a, text, n) == (la_ssize_t)n ? 0 : -1;
}

static int write_image(struct archive *a, const struct vg_seed *seed,
                       struct vg_text *image)
{
    if (archive_write_set_format_iso9660(a) != ARCHIVE_OK ||
        archive_write_set_options(a, "volume-id=cidata,joliet,rockridge=strict,!pad") !=
            ARCHIVE_OK ||
        archive_write_set_bytes_per_block(a, SECTOR) != ARCHIVE_OK ||
        archive_write_open2(a, image, NULL, append, NULL, NULL) != ARCHIVE_OK)
        return -1;
    if (add_file(a, "user-data", seed->user_data) < 0 ||
        add_file(a, "meta-data", seed->meta_data) < 0 ||
        (seed->network_config && add_file(a, "network-config", seed->network_config) < 0))
        return -1;
    return archive_write_close(a) == ARCHIVE_OK ? 0 : -1;
}

void *vg_seed_image(const struct vg_seed *seed, size_t *ret_n, struct vg_error *reterr)
{
    struct vg_text image = {0};
    auto_archive *a = archive_write_new();

    if (!a || write_image(a, seed, &image) < 0) {
        (void)fail(a, reterr);
        vg_text_free(&image);
        return NULL;
    }
    return vg_text_finish(&image, ret_n);
}
