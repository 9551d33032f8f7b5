/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Guests in files: /domains/{domain}/save, managed-save and dump, /save-images. All that
 * writes a guest's memory is long work.
 */
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/conflict.h"
#include "virtgate/host.h"
#include "virtgate/object.h"
#include "virtgate/operation.h"
#include "virtgate/params.h"
#include "virtgate/save_image.h"
#include "virtgate/scope.h"
#include "virtgate/xml.h"

#include <errno.h>
#include <libvirt/virterror.h>

/* libvirt's error of a call with a file that the client named: that it, or its folder, is
 * not there is no failure of the host. Else as of a call that needs a running guest. */
static struct vg_reply fail_file(struct vg_request *rq, virDomainPtr dom)
{
    const virError *e = virGetLastError();
    bool missing = e && e->code == VIR_ERR_SYSTEM_ERROR && e->int1 == ENOENT;

    if (dom && !missing)
        return vg_fail_in_state(rq, dom, VG_NEEDS_ACTIVE);
    (void)vg_error_set_file(rq);
    return vg_fail(rq);
}

/* The end of such a call, by its result. */
static struct vg_reply done_file(struct vg_request *rq, virDomainPtr dom, int result)
{
    return result < 0 ? fail_file(rq, dom) : vg_no_content(rq);
}

/* {"file": "/path", "xml": "<domain>...", "flags": ["bypass-cache"]} */
struct image {
    const char *file;
    const char *xml; /* NULL: as it was */
    unsigned int flags;
};

static int read_image(struct vg_request *rq, struct image *ret)
{
    const struct vg_field args[] = {
        VG_NEED_TEXT("file", &ret->file),
        VG_TEXT("xml", &ret->xml),
        VG_FLAGS("flags", &ret->flags, virDomainSaveRestoreFlags),
        VG_END,
    };

    if (vg_args(rq, args) < 0 || vg_xml_check_domain(rq, ret->xml) < 0)
        return -1;
    return vg_host_file_check(rq, "file", ret->file);
}

/* The same as libvirt's parameters; n is 0 when out of memory. */
static struct vg_params image_params(const struct image *image)
{
    struct vg_params p = {0};
    int max = 0;

    if (virTypedParamsAddString(&p.v, &p.n, &max, VIR_DOMAIN_SAVE_PARAM_FILE,
                                image->file) < 0 ||
        (image->xml && virTypedParamsAddString(
                           &p.v, &p.n, &max, VIR_DOMAIN_SAVE_PARAM_DXML, image->xml) < 0))
        vg_params_clean(&p);
    return p;
}

/* ---- save and restore -------------------------------------------------------------- */

/* Daemons before 8.4.0 and small drivers have only the call with flags. */
static int call_save(virDomainPtr dom, const struct image *image)
{
    vg_auto_params p = image_params(image);
    int rc = p.n ? virDomainSaveParams(dom, p.v, p.n, image->flags) : -1;
    if (rc < 0 && virGetLastErrorCode() == VIR_ERR_NO_SUPPORT)
        rc = virDomainSaveFlags(dom, image->file, image->xml, image->flags);
    return rc;
}

/* What a restore starts has the secrets that this request's document does not show. */
static int keep_running_secrets(struct vg_request *rq, virDomainPtr dom,
                                struct image *image, char **ret_made)
{
    char *plain = virDomainGetXMLDesc(dom, 0);
    char *full = plain ? virDomainGetXMLDesc(dom, VIR_DOMAIN_XML_SECURE) : NULL;

    image->xml = vg_xml_keep_secrets(rq, image->xml, plain, full, ret_made);
    return image->xml ? 0 : -1;
}

static struct vg_reply save_domain(struct vg_request *rq)
{
    struct image image = {0};

    if (read_image(rq, &image) < 0)
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    vg_autofree char *made = NULL;
    if (!dom || (image.xml && keep_running_secrets(rq, dom, &image, &made) < 0) ||
        vg_operation_begin(rq, dom, VIR_DOMAIN_JOB_OPERATION_SAVE) < 0)
        return vg_fail(rq);
    return done_file(rq, dom, call_save(dom, &image));
}

static int call_restore(virConnectPtr conn, const struct image *image)
{
    vg_auto_params p = image_params(image);
    int rc = p.n ? virDomainRestoreParams(conn, p.v, p.n, image->flags) : -1;
    if (rc < 0 && virGetLastErrorCode() == VIR_ERR_NO_SUPPORT)
        rc = virDomainRestoreFlags(conn, image->file, image->xml, image->flags);
    return rc;
}

/* `plain_steal` is the image's document as this call would show it. */
static int keep_image_secrets(struct vg_request *rq, struct image *image,
                              char *plain_steal, char **ret_made)
{
    char *full = virDomainSaveImageGetXMLDesc(vg_conn(rq), image->file,
                                              VIR_DOMAIN_SAVE_IMAGE_XML_SECURE);
    image->xml = vg_xml_keep_secrets(rq, image->xml, plain_steal, full, ret_made);
    return image->xml ? 0 : -1;
}

static struct vg_reply restore_image(struct vg_request *rq)
{
    struct image image = {0};

    if (read_image(rq, &image) < 0)
        return vg_fail(rq);
    /* whose it is; and what is no image is refused before 202 is answered */
    vg_autofree char *xml = vg_save_image_xml(rq, image.file, 0);
    if (!xml && (!vg_sees_all_domains(rq) ||
                 !vg_error_is_virt(vg_request_error(rq), VIR_ERR_NO_SUPPORT)))
        return vg_fail(rq);
    vg_error_clear(vg_request_error(rq));
    if (vg_operation_begin_making(rq, xml) < 0)
        return vg_fail(rq);
    vg_autofree char *made = NULL;
    if (xml && image.xml && keep_image_secrets(rq, &image, vg_take(&xml), &made) < 0)
        return vg_fail(rq);
    return done_file(rq, NULL, call_restore(vg_conn(rq), &image));
}

static struct vg_reply get_image_xml(struct vg_request *rq)
{
    const char *file = NULL;
    unsigned int flags = 0;
    const struct vg_field args[] = {
        VG_NEED_TEXT("file", &file),
        VG_FLAGS("flags", &flags, virDomainSaveImageXMLFlags),
        VG_END,
    };

    if (vg_args(rq, args) < 0 ||
        vg_request_ask_secrets(rq, flags & VIR_DOMAIN_SAVE_IMAGE_XML_SECURE) < 0 ||
        vg_host_file_check(rq, "file", file) < 0)
        return vg_fail(rq);
    char *xml = vg_save_image_xml(rq, file, flags);
    return xml ? vg_reply_xml(rq, xml) : vg_fail(rq);
}

static struct vg_reply set_image_xml(struct vg_request *rq)
{
    struct image image = {0};

    if (read_image(rq, &image) < 0)
        return vg_fail(rq);
    image.xml = vg_xml_argument(rq, "xml", image.xml);
    if (!image.xml || vg_xml_ask_name(rq, image.xml) < 0)
        return vg_fail(rq);
    virConnectPtr conn = vg_conn(rq);
    vg_autofree char *made = NULL;
    char *plain = vg_save_image_xml(rq, image.file, 0);
    if (!plain)
        return vg_fail(rq);
    if (keep_image_secrets(rq, &image, plain, &made) < 0)
        return vg_fail(rq);
    return done_file(
        rq, NULL, virDomainSaveImageDefineXML(conn, image.file, image.xml, image.flags));
}

/* ---- managed save ------------------------------------------------------------------ */

static struct vg_reply get_managed_save(struct vg_request *rq)
{
    vg_autoptr(virDomain) dom = vg_path_domain(rq);

    if (!dom)
        return vg_fail(rq);
    int exists = virDomainHasManagedSaveImage(dom, 0);
    if (exists < 0)
        return vg_fail_virt(rq);
    if (!exists && vg_is_head(rq)) {
        vg_error_set(vg_request_error(rq), VG_E_NOT_FOUND,
                     "The domain has no managed save image");
        return vg_fail(rq);
    }
    return vg_ok(rq, json_pack("{s:b}", "exists", exists));
}

static struct vg_reply make_managed_save(struct vg_request *rq)
{
    unsigned int flags = 0;

    vg_autoptr(virDomain) dom =
        vg_flags_domain(rq, &vg_enum_virDomainSaveRestoreFlags, &flags);
    if (!dom || vg_operation_begin(rq, dom, VIR_DOMAIN_JOB_OPERATION_SAVE) < 0)
        return vg_fail(rq);
    return vg_done_in_state(rq, dom, VG_NEEDS_ACTIVE, virDomainManagedSave(dom, flags));
}

/* libvirt's error of a call with an image that may not be there. */
static struct vg_reply fail_managed(struct vg_request *rq, virDomainPtr dom)
{
    struct vg_error *e = vg_request_error(rq);

    vg_error_set_virt(e);
    if (e->transport || vg_error_is_virt(e, VIR_ERR_NO_SUPPORT) ||
        virDomainHasManagedSaveImage(dom, 0) != 0)
        return vg_fail(rq);
    vg_error_set_status(e, 404);
    return vg_fail(rq);
}

static struct vg_reply remove_managed_save(struct vg_request *rq)
{
    vg_autoptr(virDomain) dom = vg_path_domain(rq);

    if (!dom)
        return vg_fail(rq);
    return virDomainManagedSaveRemove(dom, 0) < 0 ? fail_managed(rq, dom)
                                                  : vg_no_content(rq);
}

static struct vg_reply get_managed_save_xml(struct vg_request *rq)
{
    unsigned int flags = 0;

    if (vg_xml_flags(rq, &vg_enum_virDomainSaveImageXMLFlags,
                     VIR_DOMAIN_SAVE_IMAGE_XML_SECURE, &flags) < 0)
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    char *saved = virDomainManagedSaveGetXMLDesc(dom, flags);
    return saved ? vg_reply_xml(rq, saved) : fail_managed(rq, dom);
}

static struct vg_reply set_managed_save_xml(struct vg_request *rq)
{
    unsigned int flags = 0;

    const char *xml = vg_xml_and_flags(rq, &vg_enum_virDomainSaveRestoreFlags, &flags);
    vg_autoptr(virDomain) dom = xml ? vg_path_domain(rq) : NULL;
    if (!dom)
        return vg_fail(rq);
    vg_autofree char *made = NULL;
    char *plain = virDomainManagedSaveGetXMLDesc(dom, 0);
    if (!plain)
        return fail_managed(rq, dom);
    char *full = virDomainManagedSaveGetXMLDesc(dom, VIR_DOMAIN_SAVE_IMAGE_XML_SECURE);
    xml = vg_xml_keep_secrets(rq, xml, plain, full, &made);
    if (!xml || vg_xml_ask_name(rq, xml) < 0)
        return vg_fail(rq);
    return virDomainManagedSaveDefineXML(dom, xml, flags) < 0 ? fail_managed(rq, dom)
                                                              : vg_no_content(rq);
}

/* ---- core dump --------------------------------------------------------------------- */

static int call_dump(virDomainPtr dom, const char *to, int format, unsigned int flags)
{
    int rc = virDomainCoreDumpWithFormat(dom, to, (unsigned int)format, flags);
    if (rc < 0 && format == VIR_DOMAIN_CORE_DUMP_FORMAT_RAW &&
        virGetLastErrorCode() == VIR_ERR_NO_SUPPORT)
        rc = virDomainCoreDump(dom, to, flags);
    return rc;
}

static struct vg_reply dump_domain(struct vg_request *rq)
{
    const char *to = NULL;
    int format = VIR_DOMAIN_CORE_DUMP_FORMAT_RAW;
    unsigned int flags = 0;
    const struct vg_field args[] = {
        VG_NEED_TEXT("to", &to),
        VG_ENUM("format", &format, virDomainCoreDumpFormat),
        VG_FLAGS("flags", &flags, virDomainCoreDumpFlags),
        VG_END,
    };

    if (vg_args(rq, args) < 0 || vg_host_file_check(rq, "to", to) < 0)
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom || vg_operation_begin(rq, dom, VIR_DOMAIN_JOB_OPERATION_DUMP) < 0)
        return vg_fail(rq);
    return done_file(rq, dom, call_dump(dom, to, format, flags));
}

/* clang-format off */
const struct vg_route vg_routes_domain_save[] = {
    {VG_POST, "/domains/{domain}/save", "saveDomain", save_domain,
     .needs = "domain:getattr domain:read domain:hibernate gateway:path", .runs_on = VG_ON_LONG,
     .takes = VG_TAKES_DOCUMENT},
    {VG_GET, "/domains/{domain}/managed-save", "getManagedSave", get_managed_save,
     .needs = "domain:getattr domain:read"},
    {VG_POST, "/domains/{domain}/managed-save", "managedSaveDomain", make_managed_save,
     .needs = "domain:getattr domain:hibernate", .runs_on = VG_ON_LONG, .takes = VG_TAKES_ARGS},
    {VG_DELETE, "/domains/{domain}/managed-save", "removeManagedSave", remove_managed_save,
     .needs = "domain:getattr domain:read domain:hibernate"},
    {VG_GET, "/domains/{domain}/managed-save/xml", "getManagedSaveXml", get_managed_save_xml,
     .needs = "domain:getattr domain:read", .gives = VG_GIVES_XML_OR_JSON, .takes = VG_TAKES_ARGS,
     .shared = true},
    {VG_PUT, "/domains/{domain}/managed-save/xml", "setManagedSaveXml", set_managed_save_xml,
     .needs = "domain:getattr domain:read domain:hibernate domain:write gateway:document",
     .takes = VG_TAKES_XML},
    {VG_POST, "/domains/{domain}/dump", "dumpDomain", dump_domain,
     .needs = "domain:getattr domain:core_dump gateway:path", .runs_on = VG_ON_LONG,
     .takes = VG_TAKES_ARGS},
    {VG_POST, "/save-images/restore", "restoreSaveImage", restore_image,
     .needs = "domain:start domain:write gateway:path", .runs_on = VG_ON_LONG,
     .takes = VG_TAKES_DOCUMENT},
    {VG_GET, "/save-images/xml", "getSaveImageXml", get_image_xml,
     .needs = "domain:write gateway:path", .gives = VG_GIVES_XML_OR_JSON, .takes = VG_TAKES_ARGS},
    {VG_PUT, "/save-images/xml", "setSaveImageXml", set_image_xml,
     .needs = "domain:hibernate domain:write gateway:document gateway:path", .takes = VG_TAKES_XML},
    {0},
};
/* clang-format on */
