/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The configuration of a domain, as libvirt's XML (/domains/{domain}/xml) and as the same
 * document in JSON (PUT and PATCH /domains/{domain}; GET ?view=config is in domain.c),
 * and its conversion from and to other formats, which defines nothing.
 */
#include "virtgate/domain_config.h"
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/domain.h"
#include "virtgate/host.h"
#include "virtgate/object.h"
#include "virtgate/xml.h"
#include "virtgate/xml_json.h"

static struct vg_reply get_domain_xml(struct vg_request *rq)
{
    unsigned int flags = 0;

    vg_autoptr(virDomain) dom = vg_flags_domain(rq, &vg_enum_virDomainXMLFlags, &flags);
    char *xml = dom ? vg_domain_xml(rq, dom, flags) : NULL;
    return xml ? vg_domain_tagged(rq, dom, flags, vg_reply_xml(rq, xml)) : vg_fail(rq);
}

static struct vg_reply redefine_domain(struct vg_request *rq)
{
    unsigned int flags = 0;

    const char *xml = vg_xml_and_flags(rq, &vg_enum_virDomainDefineFlags, &flags);
    vg_autoptr(virDomain) dom = xml ? vg_path_domain(rq) : NULL;
    return dom ? vg_domain_redefine(rq, dom, xml, flags) : vg_fail(rq);
}

/* ---- as JSON ----------------------------------------------------------------------- */

/* {"domain": {...}, "flags": ["validate"]} */
static struct vg_reply replace_domain(struct vg_request *rq)
{
    json_t *domain = NULL;
    unsigned int flags = 0;
    const struct vg_field args[] = {VG_JSON("domain", &domain),
                                    VG_FLAGS("flags", &flags, virDomainDefineFlags),
                                    VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    if (!domain) {
        vg_error_set(vg_request_error(rq), VG_E_MISSING_KEY,
                     "'domain' is missing: send the document as GET ...?view=config "
                     "gives it");
        return vg_fail(rq);
    }
    vg_autofree char *xml = vg_domain_xml_of_json(rq, domain);
    if (!xml)
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    return dom ? vg_domain_redefine(rq, dom, xml, flags) : vg_fail(rq);
}

/* What libvirt would start it with next, secrets included: without them a change would
 * take a password away. */
static json_t *read_config(struct vg_request *rq, virDomainPtr dom)
{
    vg_autofree char *xml =
        vg_domain_xml(rq, dom, VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE);
    return xml ? vg_xml_to_json(xml, vg_request_error(rq)) : NULL;
}

static struct vg_reply patch_config(struct vg_request *rq, virDomainPtr dom,
                                    json_t *domain, unsigned int flags)
{
    json_auto_t *config = read_config(rq, dom);
    if (!config)
        return vg_fail(rq);
    json_auto_t *merged =
        vg_json_merge(json_incref(json_object_get(config, "domain")), domain);
    if (!merged)
        return vg_fail_memory(rq);
    vg_autofree char *xml = vg_domain_xml_of_json(rq, merged);
    return xml ? vg_domain_redefine(rq, dom, xml, flags) : vg_fail(rq);
}

/* What of a domain can be patched; autostart -1: not given. */
struct patch {
    json_t *domain;
    const char *name;
    int autostart;
    unsigned int flags; /* of `domain` */
};

/* One of them: two calls of libvirt could end half done. */
static int check_patch(struct vg_request *rq, const struct patch *p)
{
    int n = !!p->domain + !!p->name + (p->autostart >= 0);

    if (n == 1 && (p->domain || !p->flags))
        return 0;
    vg_error_set(vg_request_error(rq), n ? VG_E_INVALID_VALUE : VG_E_MISSING_KEY,
                 "Either 'domain' (what is to change of the document that GET "
                 "...?view=config gives, with 'flags'), 'name' or 'autostart' is "
                 "accepted, one of them is required");
    return -1;
}

/* RFC 7396: {"domain": {"title": "x", "description": null}}, {"name": "new"},
 * {"autostart": true} */
static struct vg_reply patch_domain(struct vg_request *rq)
{
    struct patch p = {.autostart = -1};
    const struct vg_field args[] = {
        VG_JSON("domain", &p.domain),
        VG_TEXT("name", &p.name),
        VG_MAYBE("autostart", &p.autostart),
        VG_FLAGS("flags", &p.flags, virDomainDefineFlags),
        VG_END,
    };

    if (vg_args(rq, args) < 0 || check_patch(rq, &p) < 0)
        return vg_fail(rq);
    if (p.domain &&
        vg_request_ask(rq, "domain:save gateway:document", "'domain' is a document") < 0)
        return vg_fail(rq);
    if (p.name && vg_request_ask(rq, "domain:save", "'name' changes the definition") < 0)
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    if (p.domain)
        return patch_config(rq, dom, p.domain, p.flags);
    if (p.name)
        return vg_domain_rename(rq, dom, p.name);
    if (vg_domain_set_autostart(rq, dom, p.autostart) < 0)
        return vg_fail_virt(rq);
    return vg_domain_reply(rq, dom);
}

/* ---- other formats ----------------------------------------------------------------- */

/* {"format": "vmware-vmx", "config": "..."} */
static struct vg_reply convert_from_native(struct vg_request *rq)
{
    const char *format = NULL, *config = NULL;
    const struct vg_field args[] = {VG_NEED_TEXT("format", &format),
                                    VG_NEED_TEXT("config", &config), VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    return vg_reply_xml(rq,
                        virConnectDomainXMLFromNative(vg_conn(rq), format, config, 0));
}

/* {"format": "qemu-argv", "xml": "..."} or {"format": ..., "domain": {...}} */
static struct vg_reply convert_to_native(struct vg_request *rq)
{
    const char *format = NULL, *given = NULL;
    json_t *domain = NULL;
    const struct vg_field args[] = {VG_NEED_TEXT("format", &format),
                                    VG_TEXT("xml", &given), VG_JSON("domain", &domain),
                                    VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    if (!given == !domain) {
        vg_error_set(vg_request_error(rq), VG_E_MISSING_KEY,
                     "Send the domain's document as 'xml' or as 'domain', one of them");
        return vg_fail(rq);
    }
    vg_autofree char *made = domain ? vg_domain_xml_of_json(rq, domain) : NULL;
    const char *xml = domain ? made : vg_xml_argument(rq, "xml", given);
    if (!xml)
        return vg_fail(rq);
    vg_autofree char *native = virConnectDomainXMLToNative(vg_conn(rq), format, xml, 0);
    return native ? vg_ok(rq, json_pack("{s:o}", "config", vg_json_text(native)))
                  : vg_fail_virt(rq);
}

/* clang-format off */
const struct vg_route vg_routes_domain_config[] = {
    {VG_PUT, "/domains/{domain}", "replaceDomain", replace_domain,
     .needs = "domain:getattr domain:read domain:save domain:write gateway:document",
     .takes = VG_TAKES_DOCUMENT},
    {VG_PATCH, "/domains/{domain}", "patchDomain", patch_domain,
     .needs = "domain:getattr domain:read domain:write", .takes = VG_TAKES_DOCUMENT},
    {VG_GET, "/domains/{domain}/xml", "getDomainXml", get_domain_xml,
     .needs = "domain:getattr domain:read", .gives = VG_GIVES_XML_OR_JSON, .takes = VG_TAKES_ARGS,
     .shared = true},
    {VG_PUT, "/domains/{domain}/xml", "redefineDomain", redefine_domain,
     .needs = "domain:getattr domain:read domain:save domain:write gateway:document",
     .takes = VG_TAKES_XML},
    {VG_POST, "/connection/domain-xml-from-native", "convertNativeConfig", convert_from_native,
     .needs = "connect:write gateway:document", .takes = VG_TAKES_DOCUMENT},
    {VG_POST, "/connection/domain-xml-to-native", "convertDomainXml", convert_to_native,
     .needs = "connect:write gateway:document", .takes = VG_TAKES_DOCUMENT},
    {0},
};
/* clang-format on */
