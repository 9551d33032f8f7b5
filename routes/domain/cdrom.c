/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /domains/{domain}/cdrom: the medium of a drive, put in and taken out
 * (virDomainUpdateDeviceFlags).
 */
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/cleanup.h"
#include "virtgate/device.h"
#include "virtgate/host.h"
#include "virtgate/object.h"

#include <libvirt/virterror.h>
#include <string.h>

/* What a request says of the drive. */
struct change {
    const char *target;
    bool force;
    unsigned int flags;
};

#define CHANGE_FIELDS(c)                                                                 \
    VG_TEXT("target", &(c).target), VG_BOOL("force", &(c).force),                        \
        VG_FLAGS("flags", &(c).flags, virDomainDeviceModifyFlags)

/* Which drive is meant. NULL: the request's error is set. */
static const struct vg_device *
find_drive(struct vg_request *rq, const struct vg_devices *devices, const char *target)
{
    size_t n = 0;
    const struct vg_device *drive = vg_devices_cdrom(devices, target, &n);
    struct vg_error *e = vg_request_error(rq);

    if (drive && (target || n == 1))
        return drive;
    if (n > 1 && !target)
        vg_error_set(e, VG_E_MISSING_KEY,
                     "'target' is missing: the domain has %zu CD-ROM drives, GET "
                     ".../disks lists them",
                     n);
    else if (n)
        vg_error_set(e, VG_E_NOT_FOUND,
                     "The domain has no CD-ROM drive '%.100s'; GET .../disks lists those "
                     "it has",
                     target);
    else
        vg_error_set(e, VG_E_NOT_FOUND,
                     "The domain has no CD-ROM drive; POST .../devices adds one");
    return NULL;
}

/* QEMU's words for a tray that the guest closed, or keeps closed: a moment later, or with
 * `force`, it may be open. */
static struct vg_reply fail_update(struct vg_request *rq)
{
    struct vg_error *e = vg_request_error(rq);
    vg_error_set_virt(e);
    bool shut = vg_error_is_virt(e, VIR_ERR_INTERNAL_ERROR) && e->detail &&
                strstr(e->detail, "Tray of device");
    if (shut) {
        vg_error_set_status(e, 409);
        vg_error_set_retryable(e, true);
    }
    return vg_fail(rq);
}

static struct vg_reply change_medium(struct vg_request *rq, const struct change *c,
                                     const struct vg_medium *medium)
{
    const unsigned int live = VIR_DOMAIN_DEVICE_MODIFY_LIVE;
    const unsigned int config = VIR_DOMAIN_DEVICE_MODIFY_CONFIG;
    bool definition = c->flags & config && !(c->flags & live);

    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    vg_auto_devices *devices = vg_devices_read(
        dom, definition ? VIR_DOMAIN_XML_INACTIVE : 0, vg_request_error(rq));
    const struct vg_device *drive = devices ? find_drive(rq, devices, c->target) : NULL;
    if (!drive)
        return vg_fail(rq);
    vg_autofree char *xml = vg_cdrom_with(drive, medium);
    if (!xml)
        return vg_fail_memory(rq);
    unsigned int force = c->force ? VIR_DOMAIN_DEVICE_MODIFY_FORCE : 0;
    return virDomainUpdateDeviceFlags(dom, xml, c->flags | force) < 0 ? fail_update(rq)
                                                                      : vg_no_content(rq);
}

/* A definition would take a volume that is not there. -1: the request's error is set. */
static int check_volume(struct vg_request *rq, const struct vg_medium *medium)
{
    vg_autoptr(virStoragePool) pool =
        virStoragePoolLookupByName(vg_conn(rq), medium->pool);
    vg_autoptr(virStorageVol) volume =
        pool ? virStorageVolLookupByName(pool, medium->volume) : NULL;
    return volume ? 0 : vg_error_set_virt(vg_request_error(rq));
}

/* "pool/volume" becomes two words in *ret_pool, owned by the caller. -1: the request's
 * error is set. */
static int split_volume(struct vg_request *rq, const char *name, char **ret_pool,
                        struct vg_medium *medium)
{
    const char *slash = strchr(name, '/');
    if (!slash || slash == name || !slash[1]) {
        vg_error_set(vg_request_error(rq), VG_E_INVALID_VALUE,
                     "Body member 'volume': POOL/VOLUME is accepted");
        return -1;
    }
    *ret_pool = strndup(name, (size_t)(slash - name));
    if (!*ret_pool)
        return vg_error_set_memory(vg_request_error(rq));
    medium->pool = *ret_pool;
    medium->volume = slash + 1;
    return vg_request_ask(rq,
                          "storage_pool:getattr storage_vol:getattr "
                          "storage_vol:data_read",
                          "The guest reads the volume") < 0
               ? -1
               : check_volume(rq, medium);
}

/* -1: the request's error is set. */
static int read_medium(struct vg_request *rq, json_t *volume, const char *source,
                       char **ret_pool, struct vg_medium *medium)
{
    struct vg_error *e = vg_request_error(rq);
    if (!volume == !source) {
        vg_error_set(e, volume ? VG_E_INVALID_VALUE : VG_E_MISSING_KEY,
                     "Send one of: 'volume' as POOL/VOLUME, or null, which ejects; "
                     "'source', the absolute path of a file or device of the host");
        return -1;
    }
    if (json_is_string(volume))
        return split_volume(rq, json_string_value(volume), ret_pool, medium);
    if (volume && !json_is_null(volume)) {
        vg_error_set(e, VG_E_INVALID_VALUE,
                     "Body member 'volume': POOL/VOLUME or null is accepted");
        return -1;
    }
    if (source && source[0] != '/') {
        vg_error_set(e, VG_E_INVALID_VALUE,
                     "Body member 'source': an absolute path is accepted");
        return -1;
    }
    medium->path = source;
    return source ? vg_request_ask(rq, "gateway:document",
                                   "'source' may name any file of the host")
                  : 0;
}

static struct vg_reply insert(struct vg_request *rq)
{
    json_t *volume = NULL;
    const char *source = NULL;
    struct change c = {0};
    struct vg_medium medium = {0};
    vg_autofree char *pool = NULL;
    const struct vg_field args[] = {
        VG_JSON("volume", &volume),
        VG_TEXT("source", &source),
        CHANGE_FIELDS(c),
        VG_END,
    };

    if (vg_args(rq, args) < 0 || read_medium(rq, volume, source, &pool, &medium) < 0)
        return vg_fail(rq);
    return change_medium(rq, &c, &medium);
}

static struct vg_reply eject(struct vg_request *rq)
{
    struct change c = {0};
    const struct vg_medium nothing = {0};
    const struct vg_field args[] = {CHANGE_FIELDS(c), VG_END};

    return vg_args(rq, args) < 0 ? vg_fail(rq) : change_medium(rq, &c, &nothing);
}

/* clang-format off */
const struct vg_route vg_routes_domain_cdrom[] = {
    {VG_PUT, "/domains/{domain}/cdrom", "insertMedium", insert,
     .needs = "domain:getattr domain:read domain:save domain:write", .takes = VG_TAKES_DOCUMENT},
    {VG_DELETE, "/domains/{domain}/cdrom", "ejectMedium", eject,
     .needs = "domain:getattr domain:read domain:save domain:write", .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
