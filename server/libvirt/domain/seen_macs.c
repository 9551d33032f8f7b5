/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See virtgate/seen_macs.h.
 */
#include "virtgate/seen_macs.h"

#include "virtgate/autoptr.h"
#include "virtgate/host.h"
#include "virtgate/scope.h"
#include "virtgate/xml_json.h"

#include <ctype.h>
#include <libvirt/virterror.h>
#include <stdio.h>

#define MAC_SIZE 32

/* False: it is too long for one. */
static bool write_key(const char *mac, char ret[static MAC_SIZE])
{
    int n = snprintf(ret, MAC_SIZE, "%s", mac);

    for (char *c = ret; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return n < MAC_SIZE;
}

static void add_mac(json_t *set, const json_t *interface)
{
    const char *mac = vg_json_inner_text(interface, "mac", "@address");
    char key[MAC_SIZE];

    if (mac && write_key(mac, key))
        json_object_set_new(set, key, json_true());
}

/* Those of one of the guest's documents; one that has gone meanwhile has none. */
static void add_document(json_t *set, virDomainPtr dom, unsigned int flags)
{
    struct vg_error ignored = {0};
    vg_autofree char *xml = virDomainGetXMLDesc(dom, flags);
    json_auto_t *document = xml ? vg_xml_to_json(xml, &ignored) : NULL;
    const json_t *domain = json_object_get(document, "domain");
    json_t *interface;
    size_t i;

    json_array_foreach (vg_json_inner(domain, "devices", "interface"), i, interface)
        add_mac(set, interface);
    vg_error_clear(&ignored);
}

int vg_seen_macs_read(struct vg_request *rq, struct vg_seen_macs *ret)
{
    vg_autolist(domain) list = {0};

    *ret = (struct vg_seen_macs){0};
    if (vg_sees_all_domains(rq))
        return 0;
    list.n = virConnectListAllDomains(vg_conn(rq), &list.v, 0);
    if (list.n < 0)
        return vg_error_set_virt(vg_request_error(rq));
    ret->set = json_object();
    if (!ret->set)
        return vg_error_set_memory(vg_request_error(rq));
    for (int i = 0; i < list.n; i++) {
        if (!vg_sees_domain(rq, virDomainGetName(list.v[i])))
            continue;
        add_document(ret->set, list.v[i], 0);
        if (virDomainIsActive(list.v[i]) == 1)
            add_document(ret->set, list.v[i], VIR_DOMAIN_XML_INACTIVE);
    }
    virResetLastError();
    return 0;
}

bool vg_seen_macs_have(const struct vg_seen_macs *macs, const char *mac)
{
    char key[MAC_SIZE];

    return !macs->set || (mac && write_key(mac, key) && json_object_get(macs->set, key));
}
