/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /storage-pools/{pool}/volumes and below it, /volumes: the class of volumes. How one is
 * made by a few words is in new_volume.c. No event tells of them: nothing is kept in
 * memory.
 */
#include "routes/routes.h"
#include "routes/storage/import.h"
#include "routes/storage/new_volume.h"
#include "routes/storage/receive.h"
#include "virtgate/autoptr.h"
#include "virtgate/conflict.h"
#include "virtgate/host.h"
#include "virtgate/object_class.h"
#include "virtgate/operation.h"
#include "virtgate/used_by.h"

#include <errno.h>
#include <libvirt/virterror.h>

/* ---- fields ------------------------------------------------------------------------ */

static int write_info(struct vg_request *rq, struct vg_json *w, void *volume,
                      const struct vg_wanted *wanted)
{
    virStorageVolInfo info;

    (void)rq;
    if (vg_volume_info(volume, &info) < 0)
        return -1;
    if (vg_wants(wanted, "type"))
        vg_json_enum(w, "type", &vg_enum_virStorageVolType, info.type);
    if (vg_wants(wanted, "capacityBytes"))
        vg_json_uint(w, "capacityBytes", info.capacity);
    if (vg_wants(wanted, "allocationBytes"))
        vg_json_uint(w, "allocationBytes", info.allocation);
    return 0;
}

static int write_physical(struct vg_request *rq, struct vg_json *w, void *volume,
                          const struct vg_wanted *wanted)
{
    virStorageVolInfo info;

    (void)rq;
    (void)wanted;
    if (virStorageVolGetInfoFlags(volume, &info, VIR_STORAGE_VOL_GET_PHYSICAL) < 0)
        return -1;
    vg_json_uint(w, "physicalBytes", info.allocation);
    return 0;
}

static int write_path(struct vg_request *rq, struct vg_json *w, void *volume,
                      const struct vg_wanted *wanted)
{
    vg_autofree char *path = virStorageVolGetPath(volume);

    (void)rq;
    (void)wanted;
    if (!path)
        return -1;
    vg_json_string(w, "path", path);
    return 0;
}

static int write_pool(struct vg_request *rq, struct vg_json *w, void *volume,
                      const struct vg_wanted *wanted)
{
    vg_autoptr(virStoragePool) pool = virStoragePoolLookupByVolume(volume);

    (void)rq;
    (void)wanted;
    if (!pool)
        return -1;
    vg_json_string(w, "pool", virStoragePoolGetName(pool));
    return 0;
}

static int write_used_by(struct vg_request *rq, struct vg_json *w, void *volume,
                         const struct vg_wanted *wanted)
{
    vg_autoptr(virStoragePool) pool = virStoragePoolLookupByVolume(volume);
    vg_autofree char *path = pool ? virStorageVolGetPath(volume) : NULL;

    (void)wanted;
    if (!path)
        return -1;
    const struct vg_use use = {.pool = virStoragePoolGetName(pool),
                               .volume = virStorageVolGetName(volume),
                               .path = path,
                               .key = virStorageVolGetKey(volume)};
    return vg_write_used_by(rq, w, &use);
}

static json_t *get_format(const json_t *document)
{
    const json_t *target = json_object_get(document, "target");
    return json_incref(vg_json_inner(target, "format", "@type"));
}

static json_t *get_backing_store(const json_t *document)
{
    const json_t *backing = json_object_get(document, "backingStore");
    json_t *path = json_object_get(backing, "path");

    return path ? json_pack("{s:O, s:O*}", "path", path, "format",
                            vg_json_inner(backing, "format", "@type"))
                : NULL;
}

static json_t *get_permissions(const json_t *document)
{
    const json_t *given = vg_json_inner(document, "target", "permissions");

    return given ? json_pack("{s:O*, s:o*, s:o*, s:O*}", "mode",
                             json_object_get(given, "mode"), "owner",
                             vg_json_digits(json_object_get(given, "owner")), "group",
                             vg_json_digits(json_object_get(given, "group")), "label",
                             json_object_get(given, "label"))
                 : NULL;
}

/* ---- the class --------------------------------------------------------------------- */

VG_OBJECT_FREE(free_volume, virStorageVolFree)
VG_OBJECT_TEXT(get_name, virStorageVolGetName)
VG_OBJECT_TEXT(get_key, virStorageVolGetKey)
VG_OBJECT_FIND(find_by_name, virStorageVolLookupByName)
VG_OBJECT_LIST(list_volumes, virStorageVol, virStoragePoolListAllVolumes)
VG_OBJECT_XML(get_xml, virStorageVolGetXMLDesc)
VG_OBJECT_MAKE(create_volume, virStorageVolCreateXML)

static const struct vg_object_field fields[] = {
    {.name = "name", .view = VG_VIEW_BRIEF},
    {.name = "key", .view = VG_VIEW_BRIEF, .text = get_key},
    {.name = "path", .read = write_path},
    {.name = "type", .read = write_info},
    {.name = "capacityBytes", .read = write_info},
    {.name = "allocationBytes", .read = write_info},
    {.name = "physicalBytes", .read = write_physical},
    {.name = "format", .view = VG_VIEW_ONE, .from = get_format},
    {.name = "backingStore", .view = VG_VIEW_ONE, .from = get_backing_store},
    {.name = "permissions", .view = VG_VIEW_ONE, .from = get_permissions},
    {.name = "pool", .view = VG_VIEW_ONE, .read = write_pool},
    {.name = "usedBy", .view = VG_VIEW_USE, .read = write_used_by},
    {0},
};

const struct vg_object_class vg_volume_class = {
    .kind = VG_KIND_VOLUME,
    .root = "volume",
    .check = vg_new_volume_check,
    .free = free_volume,
    .name = get_name,
    .lookups = {{VG_LOOKUP_NAME, find_by_name, NULL}},
    .list = list_volumes,
    .fields = fields,
    .xml = get_xml,
    .define = {create_volume, &vg_enum_virStorageVolCreateFlags},
};

/* ---- lists ------------------------------------------------------------------------- */

/* ?refresh=true: also what was put there, or taken away, outside of libvirt. */
static int refresh_pool(struct vg_request *rq, void *pool, void *data)
{
    const bool *refresh = data;

    if (!*refresh)
        return 0;
    if (vg_request_ask(rq, "storage_pool:refresh", "'refresh' reads the pool again") < 0)
        return -1;
    return virStoragePoolRefresh(pool, 0) < 0 ? vg_error_set_virt(vg_request_error(rq))
                                              : 0;
}

static struct vg_reply list_of_pool(struct vg_request *rq)
{
    bool refresh = false;
    const struct vg_field own[] = {VG_BOOL("refresh", &refresh), VG_END};
    return vg_object_list_with(rq, own, refresh_pool, &refresh);
}

/* One volume of any pool, by what names it on the whole host. */
static struct vg_reply find_volume(struct vg_request *rq)
{
    const char *key = NULL, *path = NULL;
    const struct vg_field args[] = {VG_TEXT("key", &key), VG_TEXT("path", &path), VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    if (!key == !path) {
        vg_error_set(vg_request_error(rq), key ? VG_E_INVALID_VALUE : VG_E_MISSING_KEY,
                     "Exactly one of 'key' and 'path' is accepted");
        return vg_fail(rq);
    }
    vg_autoptr(virStorageVol) volume = key ? virStorageVolLookupByKey(vg_conn(rq), key)
                                           : virStorageVolLookupByPath(vg_conn(rq), path);
    return volume ? vg_object_reply(rq, VG_KIND_VOLUME, volume) : vg_fail_virt(rq);
}

/* ---- size -------------------------------------------------------------------------- */

struct resizing {
    struct vg_size size;
    bool shrink;
    unsigned int flags;
};

/* To this capacity, without a call where it has that already. -1: the request's error is
 * set. */
static int resize(struct vg_request *rq, virStorageVolPtr volume,
                  const struct resizing *r)
{
    uint64_t wanted = vg_size_bytes(&r->size);
    bool by = r->flags & VIR_STORAGE_VOL_RESIZE_DELTA;
    unsigned int flags = r->flags | (r->shrink ? VIR_STORAGE_VOL_RESIZE_SHRINK : 0);
    virStorageVolInfo info;

    if (vg_volume_check_bytes(rq, volume, &info) < 0)
        return -1;
    if (!by && wanted == info.capacity)
        return 0;
    if (!by && wanted < info.capacity && !(flags & VIR_STORAGE_VOL_RESIZE_SHRINK))
        return vg_fail_value(
            rq,
            "The volume has %llu bytes; what is beyond the new end is lost: say "
            "\"shrink\": true",
            info.capacity);
    return virStorageVolResize(volume, wanted, flags) < 0
               ? vg_error_set_virt(vg_request_error(rq))
               : 0;
}

static virStorageVolPtr read_resizing(struct vg_request *rq, struct resizing *ret)
{
    const struct vg_field args[] = {
        VG_SIZE_FIELDS("capacity", ret->size), VG_BOOL("shrink", &ret->shrink),
        VG_FLAGS("flags", &ret->flags, virStorageVolResizeFlags), VG_END};

    if (vg_args(rq, args) < 0 || vg_size_check(rq, "capacity", &ret->size, true) < 0)
        return NULL;
    virStorageVolPtr volume = vg_path_object(rq, VG_KIND_VOLUME);
    if (!volume || vg_operation_begin_call(rq) == 0)
        return volume;
    (void)virStorageVolFree(volume);
    return NULL;
}

static struct vg_reply resize_volume(struct vg_request *rq)
{
    struct resizing r = {.size = VG_SIZE};
    vg_autoptr(virStorageVol) volume = read_resizing(rq, &r);
    vg_auto_hold *hold = volume ? vg_volume_hold(rq, volume, VG_VOLUME_WRITE) : NULL;

    return hold && resize(rq, volume, &r) == 0 ? vg_no_content(rq) : vg_fail(rq);
}

static struct vg_reply patch_volume(struct vg_request *rq)
{
    struct resizing r = {.size = VG_SIZE};
    vg_autoptr(virStorageVol) volume = read_resizing(rq, &r);
    vg_auto_hold *hold = volume ? vg_volume_hold(rq, volume, VG_VOLUME_WRITE) : NULL;

    return hold && resize(rq, volume, &r) == 0
               ? vg_object_reply(rq, VG_KIND_VOLUME, volume)
               : vg_fail(rq);
}

/* libvirt overwrites as much as it last knew to be allocated, which is little of what a
 * guest has written since: asked, it looks. */
static struct vg_reply wipe(struct vg_request *rq, virStorageVolPtr volume,
                            unsigned int algorithm)
{
    virStorageVolInfo info;

    if (vg_volume_check_bytes(rq, volume, &info) < 0)
        return vg_fail(rq);
    return vg_done(rq, virStorageVolWipePattern(volume, algorithm, 0));
}

/* The path's volume, held by the caller alone, as an operation that has begun. NULL: the
 * request's error is set. */
static virStorageVolPtr begin_change(struct vg_request *rq, const struct vg_field *args,
                                     struct vg_volume_hold **ret_hold)
{
    vg_autoptr(virStorageVol) volume = vg_args_path_object(rq, VG_KIND_VOLUME, args);

    *ret_hold = volume ? vg_volume_hold(rq, volume, VG_VOLUME_WRITE) : NULL;
    return *ret_hold && vg_operation_begin_call(rq) == 0 ? vg_take(&volume) : NULL;
}

static struct vg_reply wipe_volume(struct vg_request *rq)
{
    int algorithm = VIR_STORAGE_VOL_WIPE_ALG_ZERO;
    bool force = false;
    const struct vg_field args[] = {
        VG_ENUM("algorithm", &algorithm, virStorageVolWipeAlgorithm),
        VG_BOOL("force", &force), VG_END};

    vg_auto_hold *hold = NULL;
    vg_autoptr(virStorageVol) volume = begin_change(rq, args, &hold);
    if (!volume || vg_volume_check_unused(rq, volume, force) < 0)
        return vg_fail(rq);
    return wipe(rq, volume, (unsigned int)algorithm);
}

static struct vg_reply delete_held(struct vg_request *rq)
{
    unsigned int flags = 0;
    const struct vg_field args[] = {VG_FLAGS("flags", &flags, virStorageVolDeleteFlags),
                                    VG_END};

    vg_auto_hold *hold = NULL;
    vg_autoptr(virStorageVol) volume = begin_change(rq, args, &hold);
    if (!volume)
        return vg_fail(rq);
    if (virStorageVolDelete(volume, flags) == 0)
        return vg_no_content(rq);
    const virError *last = virGetLastError();
    bool full = last && last->code == VIR_ERR_SYSTEM_ERROR && last->int1 == ENOTEMPTY;
    vg_error_set_virt(vg_request_error(rq));
    return vg_fail_explained(rq, full); /* a folder that is not empty */
}

static struct vg_reply make_volume(struct vg_request *rq)
{
    return vg_peek_member(rq, "import") ? vg_import_volume(rq) : vg_new_volume(rq);
}

/* clang-format off */
const struct vg_route vg_routes_volume[] = {
    {VG_GET, "/storage-pools/{pool}/volumes", "listVolumes", list_of_pool,
     .needs = "storage_pool:getattr storage_pool:search_storage_vols storage_vol:read",
     .takes = VG_TAKES_ARGS, .shared = true},
    {VG_POST, "/storage-pools/{pool}/volumes", "createVolume", make_volume,
     .needs = "storage_pool:getattr storage_pool:read storage_vol:getattr storage_vol:read "
              "storage_vol:create gateway:document",
     .runs_on = VG_ON_LONG, .takes = VG_TAKES_XML_OR_STREAM},
    {VG_GET, "/storage-pools/{pool}/volumes/{volume}", "getVolume", vg_object_get,
     .needs = "storage_pool:getattr storage_vol:getattr storage_vol:read",
     .gives = VG_GIVES_JSON_OR_XML, .takes = VG_TAKES_ARGS, .shared = true},
    {VG_PATCH, "/storage-pools/{pool}/volumes/{volume}", "patchVolume", patch_volume,
     .needs = "storage_pool:getattr storage_vol:getattr storage_vol:read storage_vol:resize",
     .runs_on = VG_ON_LONG, .takes = VG_TAKES_ARGS},
    {VG_DELETE, "/storage-pools/{pool}/volumes/{volume}", "deleteVolume", delete_held,
     .needs = "storage_pool:getattr storage_vol:getattr storage_vol:delete",
     .runs_on = VG_ON_LONG, .takes = VG_TAKES_ARGS},
    {VG_GET, "/storage-pools/{pool}/volumes/{volume}/xml", "getVolumeXml", vg_object_get_xml,
     .needs = "storage_pool:getattr storage_vol:getattr storage_vol:read",
     .gives = VG_GIVES_XML_OR_JSON, .shared = true},
    {VG_POST, "/storage-pools/{pool}/volumes/{volume}/resize", "resizeVolume", resize_volume,
     .needs = "storage_pool:getattr storage_vol:getattr storage_vol:read storage_vol:resize",
     .runs_on = VG_ON_LONG, .takes = VG_TAKES_ARGS},
    {VG_POST, "/storage-pools/{pool}/volumes/{volume}/wipe", "wipeVolume", wipe_volume,
     .needs = "storage_pool:getattr storage_vol:getattr storage_vol:read storage_vol:format "
              "connect:search_domains domain:getattr domain:read",
     .runs_on = VG_ON_LONG, .takes = VG_TAKES_ARGS},
    {VG_GET, "/volumes", "findVolume", find_volume,
     .needs = "storage_pool:getattr storage_vol:getattr storage_vol:read",
     .takes = VG_TAKES_ARGS, .shared = true},
    {0},
};
/* clang-format on */
