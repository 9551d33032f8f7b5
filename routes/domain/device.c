/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /domains/{domain}/devices: list and show (from virDomainGetXMLDesc), attach, update,
 * detach by XML or by alias: virDomainAttachDeviceFlags, UpdateDeviceFlags,
 * DetachDeviceFlags, DetachDeviceAlias.
 */
#include "virtgate/device.h"
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/conflict.h"
#include "virtgate/object.h"
#include "virtgate/xml.h"

#include <libvirt/virterror.h>

/* ---- reads ------------------------------------------------------------------------- */

static struct vg_reply list_devices(struct vg_request *rq)
{
    return vg_devices_reply(rq, "devices", NULL, vg_device_write);
}

static struct vg_reply get_device(struct vg_request *rq)
{
    unsigned int flags = 0;
    const struct vg_field args[] = {VG_NAMES("flags", &flags, &vg_devices_flags), VG_END};

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    vg_auto_devices *devices = vg_devices_read(dom, flags, vg_request_error(rq));
    if (!devices)
        return vg_fail(rq);
    const struct vg_device *device = vg_devices_by_alias(devices, vg_path(rq, "alias"));
    if (!device) {
        vg_error_set(vg_request_error(rq), VG_E_NOT_FOUND,
                     "The domain has no device with alias '%s'; GET .../devices lists "
                     "those it has",
                     vg_path(rq, "alias"));
        return vg_fail(rq);
    }
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_device_write(&w, device);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

/* ---- changes ----------------------------------------------------------------------- */

/* Whether a call with these flags changes the running domain. */
static bool is_live(virDomainPtr dom, unsigned int flags)
{
    if (flags & VIR_DOMAIN_DEVICE_MODIFY_LIVE)
        return true;
    return !(flags & VIR_DOMAIN_DEVICE_MODIFY_CONFIG) && virDomainIsActive(dom) == 1;
}

/* libvirt's error was vague and the domain's devices explain it. */
static struct vg_reply fail_explained(struct vg_request *rq, int status)
{
    vg_error_set_status(vg_request_error(rq), status);
    return vg_fail(rq);
}

/* The devices that a call with these flags changes, to explain the request's error. */
static struct vg_devices *read_again(virDomainPtr dom, unsigned int flags)
{
    struct vg_error unread = {0};
    struct vg_devices *devices =
        vg_devices_read(dom, is_live(dom, flags) ? 0 : VIR_DOMAIN_XML_INACTIVE, &unread);
    vg_error_clear(&unread);
    return devices;
}

/* A taken target or alias is one of these, like much else. */
static bool may_be_taken(const struct vg_error *e)
{
    return vg_error_is_virt(e, VIR_ERR_OPERATION_FAILED) ||
           vg_error_is_virt(e, VIR_ERR_CONFIG_UNSUPPORTED) ||
           vg_error_is_virt(e, VIR_ERR_XML_ERROR);
}

static struct vg_reply fail_attach(struct vg_request *rq, virDomainPtr dom,
                                   const char *xml, unsigned int flags)
{
    struct vg_error *e = vg_request_error(rq);

    vg_error_set_virt(e);
    if (vg_error_is_limit(e))
        return fail_explained(rq, 409);
    if (vg_error_is_of_document(e, xml) ||
        (is_live(dom, flags) && vg_error_is_refused(e, dom)))
        return fail_explained(rq, 422);
    if (!may_be_taken(e))
        return vg_fail(rq);
    vg_auto_devices *devices = read_again(dom, flags);
    bool taken = devices && vg_devices_collide(devices, xml);
    return taken ? fail_explained(rq, 409) : vg_fail(rq);
}

static bool are_several(virDomainPtr dom, unsigned int flags, const char *xml)
{
    vg_auto_devices *devices = read_again(dom, flags);
    return devices && vg_devices_meant(devices, xml) > 1;
}

/* libvirt changes no device where several are meant: one MAC address twice, or none. That
 * is the only operation that fails in its part that knows documents alone. */
static bool is_ambiguous(const struct vg_error *e, virDomainPtr dom, const char *xml,
                         unsigned int flags)
{
    const unsigned int config = VIR_DOMAIN_DEVICE_MODIFY_CONFIG;

    return vg_error_is_virt(e, VIR_ERR_OPERATION_FAILED) &&
           (vg_error_is_from(e, VIR_FROM_DOMAIN) || are_several(dom, flags, xml) ||
            (flags & config && are_several(dom, config, xml)));
}

/* What an update names is not there: INTERNAL_ERROR or INVALID_ARG. */
static struct vg_reply fail_update(struct vg_request *rq, virDomainPtr dom,
                                   const char *xml, unsigned int flags)
{
    struct vg_error *e = vg_request_error(rq);

    vg_error_set_virt(e);
    if (is_ambiguous(e, dom, xml, flags))
        return fail_explained(rq, 409);
    if (e->transport || !(vg_error_is_virt(e, VIR_ERR_INTERNAL_ERROR) ||
                          vg_error_is_virt(e, VIR_ERR_INVALID_ARG)))
        return vg_fail(rq);
    vg_auto_devices *devices = read_again(dom, flags);
    bool missing = devices && vg_devices_meant(devices, xml) == 0;
    bool wrong = vg_error_is_of_document(e, xml) ||
                 (is_live(dom, flags) && vg_error_is_refused(e, dom));
    return missing                ? fail_explained(rq, 404)
           : vg_error_is_limit(e) ? fail_explained(rq, 409)
           : wrong                ? fail_explained(rq, 422)
                                  : vg_fail(rq);
}

/* QEMU refuses what the guest was asked to let go of already. -1. */
static int set_refused(struct vg_request *rq, virDomainPtr dom, unsigned int flags)
{
    bool refused = is_live(dom, flags) && vg_error_is_refused(vg_request_error(rq), dom);
    vg_error_blame(rq, refused ? 409 : 0);
    return -1;
}

/* Where no place is looked for, libvirt's internal error of a domain is the document's.
 * -1. */
static int set_detach_error(struct vg_request *rq, virDomainPtr dom, const char *xml,
                            unsigned int flags)
{
    struct vg_error *e = vg_request_error(rq);

    vg_error_set_virt(e);
    if (is_ambiguous(e, dom, xml, flags))
        vg_error_set_status(e, 409);
    else if (vg_error_is_limit(e) || vg_error_is_of_document(e, xml))
        vg_error_set_status(e, 422);
    return set_refused(rq, dom, flags);
}

/* The arguments of every change by XML. NULL: the request's error is set. */
static virDomainPtr read_change(struct vg_request *rq, const char **ret_xml,
                                unsigned int *ret_flags)
{
    *ret_xml = vg_xml_and_flags(rq, &vg_enum_virDomainDeviceModifyFlags, ret_flags);
    return *ret_xml ? vg_path_domain(rq) : NULL;
}

static struct vg_reply attach_device(struct vg_request *rq)
{
    const char *xml = NULL;
    unsigned int flags = 0;

    vg_autoptr(virDomain) dom = read_change(rq, &xml, &flags);
    if (!dom)
        return vg_fail(rq);
    int rc = virDomainAttachDeviceFlags(dom, xml, flags);
    if (rc < 0 && !flags && virGetLastErrorCode() == VIR_ERR_NO_SUPPORT)
        rc = virDomainAttachDevice(dom, xml);
    return rc < 0 ? fail_attach(rq, dom, xml, flags) : vg_no_content(rq);
}

/* The password of a display that is updated is not seen by whoever read it. */
static struct vg_reply update_device(struct vg_request *rq)
{
    const char *xml = NULL;
    unsigned int flags = 0;
    vg_autofree char *made = NULL;

    vg_autoptr(virDomain) dom = read_change(rq, &xml, &flags);
    if (!dom)
        return vg_fail(rq);
    unsigned int which =
        flags & VIR_DOMAIN_AFFECT_CONFIG && !(flags & VIR_DOMAIN_AFFECT_LIVE)
            ? VIR_DOMAIN_XML_INACTIVE
            : 0;
    char *plain = virDomainGetXMLDesc(dom, which);
    char *full = plain ? virDomainGetXMLDesc(dom, which | VIR_DOMAIN_XML_SECURE) : NULL;
    const char *kept = vg_xml_keep_secrets(rq, xml, plain, full, &made);
    if (!kept)
        return vg_fail(rq);
    return virDomainUpdateDeviceFlags(dom, kept, flags) < 0
               ? fail_update(rq, dom, xml, flags)
               : vg_no_content(rq);
}

/* A guest lets go of a device when it likes: 202. A definition changes at once: 204. */
static struct vg_reply detach_device(struct vg_request *rq)
{
    const char *xml = NULL;
    unsigned int flags = 0;

    vg_autoptr(virDomain) dom = read_change(rq, &xml, &flags);
    if (!dom || vg_xml_check_detached(rq, xml) < 0)
        return vg_fail(rq);
    bool live = is_live(dom, flags);
    int rc = virDomainDetachDeviceFlags(dom, xml, flags);
    if (rc < 0 && !flags && virGetLastErrorCode() == VIR_ERR_NO_SUPPORT)
        rc = virDomainDetachDevice(dom, xml);
    if (rc < 0) {
        set_detach_error(rq, dom, xml, flags);
        return vg_fail(rq);
    }
    return live
               ? vg_accepted(rq, vg_domain_child_href(rq, dom, "devices", NULL, ""), NULL)
               : vg_no_content(rq);
}

/* A definition has no aliases of libvirt's own: there the running domain's device is
 * meant by what it is. -1: the request's error is set. */
static int call_detach(struct vg_request *rq, virDomainPtr dom, const char *alias,
                       unsigned int flags)
{
    const unsigned int both =
        VIR_DOMAIN_DEVICE_MODIFY_LIVE | VIR_DOMAIN_DEVICE_MODIFY_CONFIG;
    struct vg_error *e = vg_request_error(rq);

    if (virDomainDetachDeviceAlias(dom, alias, flags) == 0)
        return 0;
    vg_error_set_virt(e);
    if ((flags & both) != both || !vg_error_is_virt(e, VIR_ERR_INTERNAL_ERROR))
        return set_refused(rq, dom, flags);
    vg_auto_devices *devices = read_again(dom, VIR_DOMAIN_DEVICE_MODIFY_LIVE);
    const struct vg_device *device = devices ? vg_devices_by_alias(devices, alias) : NULL;
    vg_autofree char *xml = device ? vg_device_description(device) : NULL;
    if (!xml)
        return -1;
    vg_error_clear(e);
    return virDomainDetachDeviceFlags(dom, xml, flags) < 0
               ? set_detach_error(rq, dom, xml, flags)
               : 0;
}

static struct vg_reply detach_alias(struct vg_request *rq)
{
    const char *alias = vg_path(rq, "alias");
    unsigned int flags = 0;

    vg_autoptr(virDomain) dom =
        vg_flags_domain(rq, &vg_enum_virDomainDeviceModifyFlags, &flags);
    if (!dom)
        return vg_fail(rq);
    bool live = is_live(dom, flags);
    if (call_detach(rq, dom, alias, flags) < 0)
        return vg_fail(rq);
    return live ? vg_accepted(rq, vg_domain_child_href(rq, dom, "devices", alias, ""),
                              NULL)
                : vg_no_content(rq);
}

/* clang-format off */
const struct vg_route vg_routes_domain_device[] = {
    {VG_GET, "/domains/{domain}/devices", "listDomainDevices", list_devices,
     .needs = "domain:getattr domain:read", .takes = VG_TAKES_ARGS, .shared = true},
    {VG_POST, "/domains/{domain}/devices", "attachDomainDevice", attach_device,
     .needs = "domain:getattr domain:read domain:save domain:write gateway:document",
     .takes = VG_TAKES_XML},
    {VG_PUT, "/domains/{domain}/devices", "updateDomainDevice", update_device,
     .needs = "domain:getattr domain:read domain:save domain:write gateway:document",
     .takes = VG_TAKES_XML},
    /* no alias: a user's begin with "ua-", libvirt's own with the kind of device */
    {VG_POST, "/domains/{domain}/devices/detach", "detachDomainDevice", detach_device,
     .needs = "domain:getattr domain:read domain:save domain:write gateway:document",
     .takes = VG_TAKES_XML, .literal = true},
    {VG_GET, "/domains/{domain}/devices/{alias}", "getDomainDevice", get_device,
     .needs = "domain:getattr domain:read", .takes = VG_TAKES_ARGS, .shared = true},
    {VG_DELETE, "/domains/{domain}/devices/{alias}", "detachDomainDeviceAlias", detach_alias,
     .needs = "domain:getattr domain:read domain:save domain:write", .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
