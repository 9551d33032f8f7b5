/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See own_volumes.h.
 */
#include "routes/domain/own_volumes.h"

#include "routes/domain/create_from_image.h"
#include "virtgate/domain_config.h"
#include "virtgate/host.h"
#include "virtgate/used_by.h"
#include "virtgate/volume.h"
#include "virtgate/xml_json.h"

#include <libvirt/virterror.h>
#include <string.h>

VG_AUTOLIST_DEFINE(pool, virStoragePool, virStoragePoolFree)

/* ---- which they are ---------------------------------------------------------------- */

bool vg_disk_is_seed(const json_t *disk)
{
    const char *alias = vg_json_inner_text(disk, "alias", "@name");
    return alias && strcmp(alias, VG_SEED_ALIAS) == 0;
}

bool vg_disk_is_own(const json_t *disk)
{
    const char *device = json_string_value(json_object_get(disk, "@device"));

    if (vg_disk_is_seed(disk))
        return true;
    return (!device || strcmp(device, "disk") == 0 || strcmp(device, "lun") == 0) &&
           !json_object_get(disk, "readonly") && !json_object_get(disk, "shareable");
}

virStorageVolPtr vg_disk_volume(struct vg_request *rq, const json_t *disk)
{
    const char *pool_name = vg_json_inner_text(disk, "source", "@pool");
    const char *name = vg_json_inner_text(disk, "source", "@volume");
    const char *file = vg_json_inner_text(disk, "source", "@file");
    const char *path = file ? file : vg_json_inner_text(disk, "source", "@dev");

    if (path)
        return virStorageVolLookupByPath(vg_conn(rq), path);
    vg_autoptr(virStoragePool) pool =
        pool_name && name ? virStoragePoolLookupByName(vg_conn(rq), pool_name) : NULL;
    return pool ? virStorageVolLookupByName(pool, name) : NULL;
}

static int list_own(struct vg_request *rq, virDomainPtr dom, struct vg_volume_list *ret)
{
    vg_autofree char *xml = vg_domain_xml(rq, dom, VIR_DOMAIN_XML_INACTIVE);
    json_auto_t *document = xml ? vg_xml_to_json(xml, vg_request_error(rq)) : NULL;
    const json_t *disks =
        json_object_get(vg_json_inner(document, "domain", "devices"), "disk");
    const json_t *disk;
    size_t i;

    if (!document)
        return -1;
    ret->v = calloc(json_array_size(disks) + 1, sizeof(virStorageVolPtr));
    if (!ret->v)
        return vg_error_set_memory(vg_request_error(rq));
    json_array_foreach (disks, i, disk) {
        virStorageVolPtr volume = vg_disk_is_own(disk) ? vg_disk_volume(rq, disk) : NULL;
        if (volume)
            ret->v[ret->n++] = volume;
    }
    virResetLastError(); /* what is no volume stays */
    return 0;
}

/* ---- who else needs them ----------------------------------------------------------- */

static int fail_used(struct vg_request *rq, virStorageVolPtr volume, const char *what,
                     const char *name)
{
    vg_error_set(vg_request_error(rq), VG_E_CONFLICT,
                 "The volume '%s' is used by the %s '%s'; nothing was deleted. Without "
                 "'volumes' only the domain goes",
                 virStorageVolGetName(volume), what, name);
    return -1;
}

static int check_guests(struct vg_request *rq, virDomainPtr dom,
                        const struct vg_volume_list *own)
{
    vg_autofree char *guest = NULL;
    int which = 0;

    if (vg_volumes_other_guest(rq, own->v, own->n, dom, &which, &guest) < 0)
        return -1;
    return guest ? fail_used(rq, own->v[which], "domain", guest) : 0;
}

/* Whether the volume's document says that it stands on that path. */
static bool stands_on(struct vg_request *rq, virStorageVolPtr volume, const char *path)
{
    json_auto_t *document = vg_volume_document(rq, volume);
    const char *backing = vg_json_inner_text(document, "backingStore", "path");

    vg_error_clear(vg_request_error(rq)); /* one that has gone stands on nothing */
    return backing && strcmp(backing, path) == 0;
}

static bool is_among(const struct vg_volume_list *list, virStorageVolPtr volume)
{
    for (int i = 0; i < list->n; i++)
        if (strcmp(virStorageVolGetKey(list->v[i]), virStorageVolGetKey(volume)) == 0)
            return true;
    return false;
}

static int check_pool(struct vg_request *rq, virStoragePoolPtr pool,
                      const struct vg_volume_list *own)
{
    vg_autolist(volume) all = {0};
    all.n = virStoragePoolListAllVolumes(pool, &all.v, 0);

    if (all.n < 0)
        return vg_error_set_virt(vg_request_error(rq));
    for (int k = 0; k < own->n; k++) {
        vg_autofree char *path = virStorageVolGetPath(own->v[k]);
        for (int i = 0; path && i < all.n; i++)
            if (!is_among(own, all.v[i]) && stands_on(rq, all.v[i], path))
                return fail_used(rq, own->v[k], "volume", virStorageVolGetName(all.v[i]));
    }
    return 0;
}

static int check_overlays(struct vg_request *rq, const struct vg_volume_list *own)
{
    vg_autolist(pool) pools = {0};
    pools.n = virConnectListAllStoragePools(vg_conn(rq), &pools.v,
                                            VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE);
    if (pools.n < 0)
        return vg_error_set_virt(vg_request_error(rq));
    for (int i = 0; own->n && i < pools.n; i++)
        if (check_pool(rq, pools.v[i], own) < 0)
            return -1;
    return 0;
}

int vg_own_volumes_find(struct vg_request *rq, virDomainPtr dom,
                        struct vg_volume_list *ret)
{
    if (vg_request_ask(rq,
                       "connect:search_domains connect:search_storage_pools domain:read "
                       "storage_pool:getattr storage_pool:search_storage_vols "
                       "storage_vol:delete storage_vol:getattr storage_vol:read",
                       "'volumes' deletes what only this domain uses") < 0)
        return -1;
    int active = virDomainIsActive(dom);
    if (active < 0)
        return vg_error_set_virt(vg_request_error(rq));
    if (active) {
        vg_error_set(vg_request_error(rq), VG_E_CONFLICT,
                     "The domain runs: its volumes cannot be deleted; stop it first");
        return -1;
    }
    return list_own(rq, dom, ret) < 0 || check_guests(rq, dom, ret) < 0
               ? -1
               : check_overlays(rq, ret);
}

int vg_own_volumes_hold(struct vg_request *rq, const struct vg_volume_list *list,
                        struct vg_own_holds *ret)
{
    ret->v = calloc((size_t)list->n + 1, sizeof(struct vg_volume_hold *));
    if (!ret->v)
        return vg_error_set_memory(vg_request_error(rq));
    for (int i = 0; i < list->n; i++) {
        ret->v[i] = vg_volume_hold(rq, list->v[i], VG_VOLUME_WRITE);
        if (!ret->v[i])
            return -1;
    }
    return 0;
}

void vg_own_holds_clear(struct vg_own_holds *holds)
{
    for (size_t i = 0; holds->v && holds->v[i]; i++)
        vg_volume_release(holds->v[i]);
    free(holds->v);
}

int vg_own_volumes_delete(struct vg_request *rq, const struct vg_volume_list *list)
{
    struct vg_error *e = vg_request_error(rq);

    for (int i = 0; i < list->n; i++)
        if (virStorageVolDelete(list->v[i], 0) < 0 && !e->status)
            (void)vg_error_set_virt(e);
    return e->status ? -1 : 0;
}
