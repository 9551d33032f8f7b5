/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is to be made of `image` and `cloudInit`: names, formats, sizes, paths, looked up
 * before anything is made, so that ?dryRun= shows it. See create_from_image.h.
 */
#include "routes/domain/create_from_image.h"

#include "virtgate/autoptr.h"
#include "virtgate/host.h"
#include "virtgate/object.h"
#include "virtgate/xml_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void clear_volume(struct vg_guest_volume *v)
{
    if (v->made)
        (void)virStorageVolFree(v->made);
    if (v->pool)
        (void)virStoragePoolFree(v->pool);
    free(v->name);
    free(v->path);
    free(v->id);
    free(v->xml);
    if (v->base)
        (void)virStorageVolFree(v->base);
}

void vg_guest_clear(struct vg_guest *g)
{
    for (size_t i = 0; i < VG_GUEST_MAX_VOLUMES; i++)
        clear_volume(&g->disks[i]);
    clear_volume(&g->seed);
    if (g->source)
        (void)virDomainFree(g->source);
    if (g->dom)
        (void)virDomainFree(g->dom);
    json_decref(g->addresses);
}

bool vg_guest_is_wanted(const struct vg_guest *g)
{
    return g->image || g->from || g->cloud_init || g->wait_seconds;
}

/* ---- a volume's place -------------------------------------------------------------- */

/* The folder that the pool's volumes are in; NULL: its volumes have no paths, or the
 * request's error is set. Owned by the caller. */
static char *read_folder(struct vg_request *rq, virStoragePoolPtr pool)
{
    vg_autofree char *xml = virStoragePoolGetXMLDesc(pool, 0);
    const char *path = NULL;

    if (!xml) {
        (void)vg_error_set_virt(vg_request_error(rq));
        return NULL;
    }
    json_auto_t *document = vg_xml_to_json(xml, vg_request_error(rq));
    if (!document ||
        json_unpack(document, "{s:{s:{s:s}}}", "pool", "target", "path", &path) < 0)
        return NULL;
    return path[0] == '/' ? strdup(path) : NULL;
}

/* Where a volume of this name will be: by its path where it has one, because profiles of
 * AppArmor let a guest open no other source. Takes the pool; NULL: libvirt's last error.
 */
static int place(struct vg_request *rq, virStoragePoolPtr pool_steal, const char *name,
                 const char *tail, struct vg_guest_volume *ret)
{
    ret->pool = pool_steal;
    if (!ret->pool)
        return vg_error_set_virt(vg_request_error(rq));
    vg_autofree char *folder = read_folder(rq, ret->pool);
    if (vg_request_error(rq)->status)
        return -1;
    if (asprintf(&ret->name, "%s%s", name, tail) < 0)
        ret->name = NULL;
    if (asprintf(&ret->id, "%s/%s", virStoragePoolGetName(ret->pool), ret->name) < 0)
        ret->id = NULL;
    if (folder && asprintf(&ret->path, "%s/%s", folder, ret->name) < 0)
        ret->path = NULL;
    return ret->name && ret->id && (ret->path || !folder)
               ? 0
               : vg_error_set_memory(vg_request_error(rq));
}

static int add_disk(struct vg_request *rq, struct vg_new_domain *d,
                    const struct vg_new_disk *disk, size_t at)
{
    if (d->n_disks == VG_NEW_MAX_DISKS)
        return vg_args_fail_member(rq, "disks", "fewer disks beside those that are made");
    memmove(&d->disks[at + 1], &d->disks[at], (d->n_disks - at) * sizeof(d->disks[0]));
    d->disks[at] = *disk;
    d->n_disks++;
    return 0;
}

static struct vg_new_disk disk_of(const struct vg_guest_volume *v)
{
    return (struct vg_new_disk){.volume = v->path ? NULL : v->id,
                                .path = v->path,
                                .format = v->format,
                                .absent = true};
}

/* ---- a volume that is made of another ---------------------------------------------- */

/* The new volume's document; an overlay says which format its image has, so that nobody
 * guesses it from what a guest wrote there. */
static int write_document(struct vg_request *rq, struct vg_guest_volume *v,
                          const struct vg_image *image, uint64_t size)
{
    json_t *backing = v->copy ? NULL
                              : json_pack("{s:s, s:{s:s}}", "path", image->path, "format",
                                          "@type", image->format);
    json_auto_t *document =
        json_pack("{s:{s:s, s:o, s:{s:{s:s}}, s:o*}}", "volume", "name", v->name,
                  "capacity", vg_volume_size(size), "target", "format", "@type",
                  v->format, "backingStore", backing);
    if (!document)
        return vg_error_set_memory(vg_request_error(rq));
    v->xml = vg_xml_from_json(document, vg_request_error(rq));
    return v->xml ? 0 : -1;
}

/* What a name ends in: of raw bytes what their own does, ".img" say. */
static const char *find_tail(const struct vg_guest_volume *v, bool files)
{
    const char *dot = strrchr(virStorageVolGetName(v->base), '.');

    if (!files)
        return "";
    if (strcmp(v->format, "raw") != 0)
        return ".qcow2";
    return dot && strlen(dot) <= 5 && !strchr(dot, '/') ? dot : ".img";
}

static virStoragePoolPtr find_pool(struct vg_request *rq, virStorageVolPtr base,
                                   const char *name)
{
    return name ? virStoragePoolLookupByName(vg_conn(rq), name)
                : virStoragePoolLookupByVolume(base);
}

static int plan_volume(struct vg_request *rq, struct vg_guest_volume *v,
                       const struct vg_guest_wish *wish)
{
    vg_autoptr(virStoragePool) pool = find_pool(rq, v->base, wish->pool);
    if (!pool)
        return vg_error_set_virt(vg_request_error(rq));
    int files = vg_pool_has_files(rq, pool);
    if (files < 0)
        return -1;
    if (!wish->copy && (!files || wish->image->path[0] != '/'))
        return vg_args_fail_member(rq, wish->member, wish->refused);
    bool raw = !files || (wish->copy && wish->keeps_format &&
                          strcmp(wish->image->format, "raw") == 0);
    v->copy = wish->copy;
    v->format = raw ? "raw" : "qcow2";
    v->grown_bytes = v->copy && wish->size > wish->image->capacity ? wish->size : 0;
    return place(rq, vg_take(&pool), wish->stem, find_tail(v, files), v) < 0
               ? -1
               : write_document(rq, v, wish->image, wish->size);
}

struct vg_guest_volume *vg_guest_plan_volume(struct vg_request *rq, struct vg_guest *g,
                                             const struct vg_guest_wish *wish)
{
    if (g->n_disks == VG_GUEST_MAX_VOLUMES) {
        (void)virStorageVolFree(wish->base);
        (void)vg_args_fail_member(rq, wish->member, "a guest with fewer disks");
        return NULL;
    }
    struct vg_guest_volume *v = &g->disks[g->n_disks++];
    v->base = wish->base;
    return plan_volume(rq, v, wish) == 0 ? v : NULL;
}

/* ---- the image --------------------------------------------------------------------- */

struct image_form {
    const char *volume, *pool;
    struct vg_size size;
};

static int read_image_form(struct vg_request *rq, struct vg_guest *g,
                           struct image_form *f)
{
    const struct vg_field fields[] = {
        VG_NEED_TEXT("volume", &f->volume), VG_TEXT("pool", &f->pool),
        VG_BOOL("copy", &g->copy), VG_SIZE_FIELDS("size", f->size), VG_END};

    if (vg_args_object(rq, "image", g->image, fields) < 0)
        return -1;
    return vg_size_check(rq, "image/size", &f->size, false);
}

/* A guest's disk is no CD-ROM image, and nothing whose format nobody knows. */
static int check_image(struct vg_request *rq, const struct vg_guest *g,
                       const struct vg_image *image, uint64_t size)
{
    static const char *const formats[] = {"raw",  "qcow2", "qcow", "qed",
                                          "vmdk", "vdi",   "vpc"};
    bool known = false;

    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        known = known || strcmp(formats[i], image->format) == 0;
    if (!known && (!g->copy || strcmp(image->format, "iso") == 0))
        return vg_args_fail_member(rq, "image/volume",
                                   "the image of a disk (raw, qcow2, ...)");
    if (size >= image->capacity)
        return 0;
    return vg_fail_value(rq,
                         "Body member 'image/size...' is %" PRIu64 " bytes; %" PRIu64
                         " or more is accepted, which the image has",
                         size, image->capacity);
}

static int plan_image(struct vg_request *rq, struct vg_guest *g, struct vg_new_domain *d)
{
    struct image_form f = {.size = VG_SIZE};
    vg_auto_image image = {0};

    if (read_image_form(rq, g, &f) < 0 ||
        vg_request_ask(rq, "storage_pool:read storage_vol:create",
                       "'image' makes a volume") < 0)
        return -1;
    vg_autoptr(virStorageVol) base = vg_find_volume(rq, NULL, "image/volume", f.volume);
    if (!base || vg_image_read(rq, base, &image) < 0)
        return -1;
    uint64_t size = vg_size_is_given(&f.size) ? vg_size_bytes(&f.size) : image.capacity;
    if (g->copy && size > image.capacity &&
        vg_request_ask(rq, "storage_vol:resize", "A larger copy is resized") < 0)
        return -1;
    if (check_image(rq, g, &image, size) < 0)
        return -1;
    const struct vg_guest_wish wish = {
        .base = vg_take(&base),
        .image = &image,
        .stem = d->name,
        .pool = f.pool,
        .size = size,
        .copy = g->copy,
        .member = "image",
        .refused = "'copy': true, because such a pool has no overlays,"};
    const struct vg_guest_volume *v = vg_guest_plan_volume(rq, g, &wish);
    if (!v)
        return -1;
    const struct vg_new_disk disk = disk_of(v);
    return add_disk(rq, d, &disk, 0);
}

/* ---- the seed ---------------------------------------------------------------------- */

/* NULL: the request's error is set. */
static virStoragePoolPtr find_seed_pool(struct vg_request *rq, const struct vg_guest *g,
                                        const char *pool_name)
{
    const char *name = g->config.pool ? g->config.pool : pool_name;
    virStoragePoolPtr beside = g->n_disks ? g->disks[0].pool : NULL;

    if (beside && !g->config.pool) {
        (void)virStoragePoolRef(beside);
        return beside;
    }
    if (!name) {
        (void)vg_args_fail_member(
            rq, "cloudInit", "'pool', where the seed goes, as no disk is in a pool,");
        return NULL;
    }
    virStoragePoolPtr pool = virStoragePoolLookupByName(vg_conn(rq), name);
    if (!pool)
        (void)vg_error_set_virt(vg_request_error(rq));
    return pool;
}

int vg_guest_plan_seed(struct vg_request *rq, struct vg_guest *g, const char *pool_name)
{
    if (vg_cloud_init_read(rq, g->cloud_init, &g->config) < 0 ||
        vg_request_ask(rq, "storage_pool:read storage_vol:create storage_vol:data_write",
                       "'cloudInit' makes a volume and writes it") < 0)
        return -1;
    virStoragePoolPtr pool = find_seed_pool(rq, g, pool_name);
    g->seed.format = "raw";
    return pool ? place(rq, pool, g->name, "-seed.iso", &g->seed) : -1;
}

static int add_seed(struct vg_request *rq, struct vg_guest *g, struct vg_new_domain *d)
{
    const char *volume = d->n_disks ? d->disks[0].volume : NULL;
    vg_autofree char *pool = volume ? strndup(volume, strcspn(volume, "/")) : NULL;

    if (volume && !pool)
        return vg_error_set_memory(vg_request_error(rq));
    if (vg_guest_plan_seed(rq, g, pool) < 0)
        return -1;
    struct vg_new_disk disk = disk_of(&g->seed);
    disk.device = g->config.seed;
    disk.alias = VG_SEED_ALIAS;
    disk.read_only = true;
    d->nocloud = true;
    return add_disk(rq, d, &disk, d->n_disks);
}

void vg_guest_plan_uuid(struct vg_guest *g, const char *given)
{
    if (given && strlen(given) == 36)
        snprintf(g->uuid, sizeof(g->uuid), "%s", given);
    else if (given)
        snprintf(g->uuid, sizeof(g->uuid), "%.8s-%.4s-%.4s-%.4s-%.12s", given, given + 8,
                 given + 12, given + 16, given + 20);
    else
        vg_make_uuid(g->uuid);
}

int vg_guest_plan(struct vg_request *rq, struct vg_guest *g, struct vg_new_domain *d)
{
    g->name = d->name;
    if (g->image && plan_image(rq, g, d) < 0)
        return -1;
    if (!g->cloud_init)
        return 0;
    vg_guest_plan_uuid(g, d->uuid); /* its seed names the domain by it */
    d->uuid = g->uuid;
    return add_seed(rq, g, d);
}
