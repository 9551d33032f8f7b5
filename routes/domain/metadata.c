/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /domains/{domain}/metadata: title, description, and elements of other programs, each by
 * the URI of its namespace (virDomainGetMetadata, virDomainSetMetadata).
 */
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/object.h"
#include "virtgate/xml.h"

#include <libvirt/virterror.h>

#define NO_TYPE (-1)

/* A URI is of an element. -1: the request's error is set. */
static int complete_type(struct vg_request *rq, int *type, const char *uri)
{
    if (*type == NO_TYPE && uri)
        *type = VIR_DOMAIN_METADATA_ELEMENT;
    if (*type != NO_TYPE && (*type != VIR_DOMAIN_METADATA_ELEMENT || uri))
        return 0;
    vg_error_set(vg_request_error(rq), VG_E_MISSING_KEY,
                 *type == NO_TYPE
                     ? "'type' is missing: title, description, or element with its 'uri'"
                     : "'uri' is missing: the namespace of the element");
    return -1;
}

/* Writes one of the texts that a domain has at most one of, null for none. */
static int write_text(struct vg_json *w, const char *key, virDomainPtr dom, int type,
                      unsigned int flags)
{
    vg_autofree char *text = virDomainGetMetadata(dom, type, NULL, flags);
    const virError *e = text ? NULL : virGetLastError();

    if (e && e->code != VIR_ERR_NO_DOMAIN_METADATA)
        return -1;
    vg_json_string(w, key, text);
    return 0;
}

/* Without a type: both texts. With one: that alone, and 404 when it is not set. */
static struct vg_reply get_metadata(struct vg_request *rq)
{
    int type = NO_TYPE;
    const char *uri = NULL;
    unsigned int flags = 0;
    const struct vg_field args[] = {
        VG_ENUM("type", &type, virDomainMetadataType),
        VG_TEXT("uri", &uri),
        VG_FLAGS("flags", &flags, virDomainModificationImpact),
        VG_END,
    };

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    if (type == NO_TYPE && !uri) {
        if (write_text(&w, "title", dom, VIR_DOMAIN_METADATA_TITLE, flags) < 0 ||
            write_text(&w, "description", dom, VIR_DOMAIN_METADATA_DESCRIPTION, flags) <
                0)
            return vg_fail_virt(rq);
    } else {
        if (complete_type(rq, &type, uri) < 0)
            return vg_fail(rq);
        vg_autofree char *value = virDomainGetMetadata(dom, type, uri, flags);
        if (!value)
            return vg_fail_virt(rq);
        vg_json_string(&w, vg_enum_find(&vg_enum_virDomainMetadataType, type)->name,
                       value);
    }
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

/* {"type": "title", "value": "Mail"} */
static struct vg_reply set_metadata(struct vg_request *rq)
{
    int type = NO_TYPE;
    const char *value = NULL, *key = NULL, *uri = NULL;
    unsigned int flags = 0;
    const struct vg_field args[] = {
        VG_ENUM("type", &type, virDomainMetadataType),
        VG_NEED_TEXT("value", &value),
        VG_TEXT("key", &key),
        VG_TEXT("uri", &uri),
        VG_FLAGS("flags", &flags, virDomainModificationImpact),
        VG_END,
    };

    if (vg_args(rq, args) < 0 || complete_type(rq, &type, uri) < 0)
        return vg_fail(rq);
    if (type == VIR_DOMAIN_METADATA_ELEMENT &&
        (vg_request_ask(rq, "gateway:document", "'value' is a document") < 0 ||
         vg_xml_check_namespace(rq, key, uri) < 0 || vg_xml_check(rq, value) < 0))
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    return vg_done(rq, virDomainSetMetadata(dom, type, value, key, uri, flags));
}

static struct vg_reply remove_metadata(struct vg_request *rq)
{
    int type = NO_TYPE;
    const char *uri = NULL;
    unsigned int flags = 0;
    const struct vg_field args[] = {
        VG_ENUM("type", &type, virDomainMetadataType),
        VG_TEXT("uri", &uri),
        VG_FLAGS("flags", &flags, virDomainModificationImpact),
        VG_END,
    };

    if (vg_args(rq, args) < 0 || complete_type(rq, &type, uri) < 0)
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    return vg_done(rq, virDomainSetMetadata(dom, type, NULL, NULL, uri, flags));
}

/* clang-format off */
const struct vg_route vg_routes_domain_metadata[] = {
    {VG_GET, "/domains/{domain}/metadata", "getDomainMetadata", get_metadata,
     .needs = "domain:getattr domain:read", .takes = VG_TAKES_ARGS, .shared = true},
    {VG_PUT, "/domains/{domain}/metadata", "setDomainMetadata", set_metadata,
     .needs = "domain:getattr domain:save domain:write", .takes = VG_TAKES_DOCUMENT},
    {VG_DELETE, "/domains/{domain}/metadata", "removeDomainMetadata", remove_metadata,
     .needs = "domain:getattr domain:save domain:write", .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
