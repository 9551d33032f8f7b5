/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See volume_reading.h.
 */
#include "routes/storage/volume_reading.h"

#include "virtgate/host.h"
#include "virtgate/volume.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Within this time a file may be written again and show the same time of its last change:
 * then nothing tells its contents apart. */
#define SETTLED_SECONDS 2

/* ---- what a volume is like --------------------------------------------------------- */

/* What libvirt writes; 0: it is no number. */
static uint64_t read_number(const char *text)
{
    errno = 0;
    uint64_t n = text ? strtoull(text, NULL, 10) : 0;
    return errno ? 0 : n;
}

static uint64_t get_bytes(const json_t *volume, const char *key)
{
    const json_t *member = json_object_get(volume, key);
    return read_number(json_string_value(json_object_get(member, "#text")));
}

/* A time that is to come is of a host whose clock is wrong: it tells nothing. */
static bool is_settled(const char *mtime)
{
    time_t at = (time_t)read_number(mtime);
    return at && time(NULL) - at >= SETTLED_SECONDS;
}

/* -1: out of memory. */
static int read_version(const json_t *root, struct vg_volume_reading *ret)
{
    const json_t *target = json_object_get(root, "target");
    const json_t *times = json_object_get(target, "timestamps");
    const char *mtime = json_string_value(json_object_get(times, "mtime"));
    const char *path = json_string_value(json_object_get(target, "path"));

    if (!mtime || !path || !is_settled(mtime))
        return 0;
    if (asprintf(&ret->version, "%s %llu %s %llu", path, (unsigned long long)ret->size,
                 mtime, (unsigned long long)ret->writes) >= 0)
        return 0;
    ret->version = NULL;
    return -1;
}

/* All of one moment: libvirt looks at the file when it is asked for the document. -1: the
 * request's error is set. */
static int look(struct vg_request *rq, virStorageVolPtr volume,
                struct vg_volume_reading *ret)
{
    ret->writes = vg_volume_writes(rq, volume); /* before its time is looked at */
    json_auto_t *root = vg_volume_document(rq, volume);

    if (!root)
        return -1;
    const char *type = json_string_value(json_object_get(root, "@type"));
    bool is_file = type && strcmp(type, "file") == 0;
    ret->size = get_bytes(root, is_file ? "physical" : "capacity");
    ret->sparse = is_file && get_bytes(root, "allocation") < ret->size;
    if (!is_file) /* a device has no time of its last change */
        return 0;
    return read_version(root, ret) < 0 ? vg_error_set_memory(vg_request_error(rq)) : 0;
}

/* ---- readings ---------------------------------------------------------------------- */

void vg_volume_reading_free(struct vg_volume_reading *reading, bool done)
{
    if (!reading)
        return;
    vg_transfer_end(reading->transfer, done);
    free(reading->pool);
    free(reading->volume);
    free(reading->version);
    free(reading);
}

static void clean(struct vg_volume_reading **reading)
{
    vg_volume_reading_free(*reading, false);
}

struct vg_volume_reading *vg_volume_reading_new(struct vg_request *rq,
                                                virStorageVolPtr volume)
{
    VG_CLEANUP(clean)
    struct vg_volume_reading *reading = calloc(1, sizeof(*reading));
    vg_autoptr(virStoragePool) pool = virStoragePoolLookupByVolume(volume);

    if (!pool) {
        vg_error_set_virt(vg_request_error(rq));
        return NULL;
    }
    if (reading) {
        reading->pool = strdup(virStoragePoolGetName(pool));
        reading->volume = strdup(virStorageVolGetName(volume));
    }
    if (!reading || !reading->pool || !reading->volume) {
        vg_error_set_memory(vg_request_error(rq));
        return NULL;
    }
    return look(rq, volume, reading) == 0 ? vg_take(&reading) : NULL;
}

virStorageVolPtr vg_volume_reading_find(struct vg_request *rq,
                                        const struct vg_volume_reading *reading)
{
    vg_autoptr(virStoragePool) pool =
        virStoragePoolLookupByName(vg_conn(rq), reading->pool);
    virStorageVolPtr volume =
        pool ? virStorageVolLookupByName(pool, reading->volume) : NULL;

    if (!volume)
        vg_error_set_virt(vg_request_error(rq));
    return volume;
}

/* The daemon looks for holes from where it is to the next one, which may be far: that
 * pays where there are some. */
virStreamPtr vg_volume_reading_open(struct vg_request *rq, virStorageVolPtr volume,
                                    uint64_t offset, uint64_t length, bool holes)
{
    unsigned int flags = holes ? VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM : 0;
    vg_autoptr(virStream) stream = virStreamNew(vg_conn(rq), 0);

    if (stream && virStorageVolDownload(volume, stream, offset, length, flags) == 0)
        return vg_take(&stream);
    vg_error_set_virt(vg_request_error(rq));
    return NULL;
}

int vg_volume_reading_check(struct vg_request *rq, virStorageVolPtr volume,
                            const struct vg_volume_reading *reading)
{
    struct vg_volume_reading now = {0};

    if (!reading->version && vg_volume_writes(rq, volume) == reading->writes)
        return 0;
    if (look(rq, volume, &now) < 0)
        return -1;
    vg_autofree char *version = now.version;
    if (version && reading->version && strcmp(version, reading->version) == 0)
        return 0;
    vg_error_set(vg_request_error(rq), VG_E_CONFLICT,
                 "The volume was written while it was read");
    return -1;
}

/* ---- transfers --------------------------------------------------------------------- */

int vg_volume_reading_begin(struct vg_volume_reading *reading, struct vg_request *rq,
                            virStorageVolPtr volume, uint64_t length)
{
    reading->transfer = vg_transfer_begin(rq, volume, VG_VOLUME_READ, length);
    if (!reading->transfer)
        return -1;
    vg_transfer_outlive(reading->transfer);
    return 0;
}

bool vg_volume_reading_is_cancelled(const struct vg_volume_reading *reading)
{
    return reading->transfer && vg_transfer_is_cancelled(reading->transfer);
}

int vg_volume_reading_step(const struct vg_volume_reading *reading, struct vg_request *rq)
{
    return reading->transfer ? vg_transfer_step(reading->transfer, rq) : 0;
}

void vg_volume_reading_moved(const struct vg_volume_reading *reading,
                             struct vg_request *rq, uint64_t n)
{
    if (reading->transfer)
        vg_transfer_moved(reading->transfer, rq, n);
}
