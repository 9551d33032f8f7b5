/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See include/virtgate/domain_config.h.
 */
#include "virtgate/domain_config.h"

#include "server/core/request.h"
#include "virtgate/autoptr.h"
#include "virtgate/conflict.h"
#include "virtgate/domain.h"
#include "virtgate/host.h"
#include "virtgate/xml.h"
#include "virtgate/xml_json.h"

#include <string.h>

char *vg_domain_xml(struct vg_request *rq, virDomainPtr dom, unsigned int flags)
{
    /* libvirt counts the second among those, too */
    if (vg_request_ask_secrets(
            rq, flags & (VIR_DOMAIN_XML_SECURE | VIR_DOMAIN_XML_MIGRATABLE)) < 0)
        return NULL;
    char *xml = virDomainGetXMLDesc(dom, flags);
    if (!xml)
        vg_error_set_virt(vg_request_error(rq));
    return xml;
}

struct vg_reply vg_domain_tagged(struct vg_request *rq, virDomainPtr dom,
                                 unsigned int flags, struct vg_reply reply)
{
    bool runs = virDomainGetID(dom) != (unsigned int)-1; /* the handle's: costs no call */
    bool shows_next = !runs || flags & VIR_DOMAIN_XML_INACTIVE;
    unsigned int secure = flags & VIR_DOMAIN_XML_SECURE;

    if (shows_next || reply.status != 200)
        return reply;
    vg_autofree char *next = vg_domain_xml(rq, dom, VIR_DOMAIN_XML_INACTIVE | secure);
    if (next)
        return vg_tagged_with(reply, next);
    vg_reply_clear(&reply);
    return vg_fail(rq);
}

char *vg_domain_xml_of_json(struct vg_request *rq, const json_t *domain)
{
    if (!json_is_object(domain)) {
        vg_error_set(
            vg_request_error(rq), VG_E_INVALID_VALUE,
            "'/domain' must be an object, as GET /domains/{domain}?view=config gives it");
        return NULL;
    }
    json_auto_t *document = json_pack("{s:O}", "domain", domain);
    if (!document) {
        vg_error_set_memory(vg_request_error(rq));
        return NULL;
    }
    char *xml = vg_xml_from_json(document, vg_request_error(rq));
    rq->sent = xml ? strlen(xml) : 0;
    return xml;
}

/* Whether the document is of this domain and not of another. What is not well-formed is
 * nobody's: libvirt, asked to define it, says what is wrong. */
static bool is_same(struct vg_request *rq, virDomainPtr dom, const char *xml)
{
    vg_autofree char *name = NULL;
    vg_autofree char *uuid = NULL;
    char own[VIR_UUID_STRING_BUFLEN] = "";

    if (vg_xml_identity(xml, &name, &uuid) < 0)
        return true;
    virDomainGetUUIDString(dom, own);
    if ((!name || strcmp(name, virDomainGetName(dom)) == 0) &&
        (!uuid || strcasecmp(uuid, own) == 0))
        return true;
    vg_error_set(
        vg_request_error(rq), VG_E_CONFLICT,
        "The document is of '%s' (%s), this domain is '%s' (%s); to change a name, "
        "POST .../rename",
        name ? name : "?", uuid ? uuid : "no uuid", virDomainGetName(dom), own);
    return false;
}

const char *vg_domain_keep_secrets(struct vg_request *rq, virDomainPtr dom,
                                   const char *xml, char **ret_made)
{
    const unsigned int next = VIR_DOMAIN_XML_INACTIVE;
    char *plain = virDomainGetXMLDesc(dom, next);
    char *full = plain ? virDomainGetXMLDesc(dom, next | VIR_DOMAIN_XML_SECURE) : NULL;
    return vg_xml_keep_secrets(rq, xml, plain, full, ret_made);
}

struct vg_reply vg_domain_redefine(struct vg_request *rq, virDomainPtr dom,
                                   const char *xml, unsigned int flags)
{
    vg_autofree char *made = NULL;

    if (!is_same(rq, dom, xml) || vg_xml_ask_name(rq, xml) < 0)
        return vg_fail(rq);
    const char *kept = vg_domain_keep_secrets(rq, dom, xml, &made);
    if (!kept)
        return vg_fail(rq);
    vg_autoptr(virDomain) defined = virDomainDefineXMLFlags(vg_conn(rq), kept, flags);
    if (!defined)
        return vg_fail_define(rq, kept);
    return vg_domain_reply(rq, defined);
}
