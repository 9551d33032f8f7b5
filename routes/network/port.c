/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /networks/{network}/ports: what is connected to a network, guests' interfaces or others
 * (virNetworkPort).
 */
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/object.h"
#include "virtgate/object_class.h"
#include "virtgate/params.h"
#include "virtgate/xml.h"
#include "virtgate/xml_json.h"

#include <libvirt/virterror.h>

VG_AUTOPTR_DEFINE(virNetworkPort, virNetworkPortFree)

/* ---- fields ------------------------------------------------------------------------ */

static json_t *get_owner(const json_t *document)
{
    const json_t *owner = json_object_get(document, "owner");
    return owner ? json_pack("{s:O*, s:O*}", "name", json_object_get(owner, "name"),
                             "uuid", json_object_get(owner, "uuid"))
                 : NULL;
}

static json_t *get_mac(const json_t *document)
{
    return json_incref(vg_json_inner(document, "mac", "@address"));
}

static json_t *get_group(const json_t *document)
{
    return json_incref(json_object_get(document, "group"));
}

static json_t *get_plug(const json_t *document)
{
    const json_t *plug = json_object_get(document, "plug");
    return plug ? json_pack("{s:O*, s:O*, s:O*}", "type", json_object_get(plug, "@type"),
                            "bridge", json_object_get(plug, "@bridge"), "dev",
                            json_object_get(plug, "@dev"))
                : NULL;
}

static json_t *make_rate(const json_t *rate)
{
    return rate ? json_pack("{s:o*, s:o*, s:o*, s:o*}", "average",
                            vg_json_digits(json_object_get(rate, "@average")), "peak",
                            vg_json_digits(json_object_get(rate, "@peak")), "floor",
                            vg_json_digits(json_object_get(rate, "@floor")), "burst",
                            vg_json_digits(json_object_get(rate, "@burst")))
                : NULL;
}

static json_t *get_bandwidth(const json_t *document)
{
    const json_t *limits = json_object_get(document, "bandwidth");
    return json_object_size(limits)
               ? json_pack("{s:o*, s:o*}", "inbound",
                           make_rate(json_object_get(limits, "inbound")), "outbound",
                           make_rate(json_object_get(limits, "outbound")))
               : NULL;
}

/* ---- the class --------------------------------------------------------------------- */

/* libvirt 9 asks for a UUID: the document with one; NULL where it has one, or is none,
 * which is libvirt's to say. Owned by the caller. */
static char *add_uuid(const char *xml)
{
    struct vg_error ignored = {0};
    char uuid[VIR_UUID_STRING_BUFLEN], *made = NULL;
    json_auto_t *document = vg_xml_to_json(xml, &ignored);
    json_t *port = json_object_get(document, "networkport");

    if (json_is_object(port) && !json_object_get(port, "uuid")) {
        vg_make_uuid(uuid);
        json_object_set_new(port, "uuid", json_string(uuid));
        made = vg_xml_from_json(document, &ignored);
    }
    vg_error_clear(&ignored);
    return made;
}

static void *create_port(void *net, const char *xml, unsigned int flags)
{
    vg_autofree char *made = add_uuid(xml);
    return virNetworkPortCreateXML(net, made ? made : xml, flags);
}

VG_OBJECT_FREE(free_port, virNetworkPortFree)
VG_OBJECT_UUID(get_uuid, virNetworkPortGetUUIDString)
VG_OBJECT_FIND(find_by_uuid, virNetworkPortLookupByUUIDString)
VG_OBJECT_LIST(list_ports, virNetworkPort, virNetworkListAllPorts)
VG_OBJECT_XML(get_xml, virNetworkPortGetXMLDesc)
VG_OBJECT_CHANGE(delete_port, virNetworkPortDelete)

static char *get_guest(void *port)
{
    return vg_xml_owner(virNetworkPortGetXMLDesc(port, 0));
}

static int status_of(struct vg_request *rq, const json_t *document)
{
    (void)rq;
    return vg_document_has_owner(document) ? 0 : 422;
}

static const struct vg_object_field fields[] = {
    {.name = "uuid", .view = VG_VIEW_BRIEF},
    {.name = "owner", .from = get_owner},
    {.name = "mac", .from = get_mac},
    {.name = "group", .from = get_group},
    {.name = "plug", .from = get_plug},
    {.name = "bandwidth", .from = get_bandwidth},
    {0},
};

const struct vg_object_class vg_network_port_class = {
    .kind = VG_KIND_NETWORK_PORT,
    .root = "networkport",
    .free = free_port,
    .uuid = get_uuid,
    .lookups = {{VG_LOOKUP_UUID, find_by_uuid, vg_is_uuid}},
    .guest = get_guest,
    .list = list_ports,
    .fields = fields,
    .xml = get_xml,
    .create = {create_port, &vg_enum_virNetworkPortCreateFlags},
    .undefine = {delete_port, NULL},
    .status_of = status_of,
};

/* ---- parameters -------------------------------------------------------------------- */

static int read_params(struct vg_request *rq, virNetworkPortPtr port,
                       struct vg_params *ret)
{
    if (virNetworkPortGetParameters(port, &ret->v, &ret->n, 0) < 0)
        return vg_error_set_virt(vg_request_error(rq));
    return 0;
}

static struct vg_reply reply_params(struct vg_request *rq, virNetworkPortPtr port)
{
    vg_auto_params params = {0};
    return read_params(rq, port, &params) < 0
               ? vg_fail(rq)
               : vg_ok(rq, vg_params_to_json(params.v, params.n));
}

static struct vg_reply get_params(struct vg_request *rq)
{
    vg_autoptr(virNetworkPort) port = vg_path_object(rq, VG_KIND_NETWORK_PORT);
    return port ? reply_params(rq, port) : vg_fail(rq);
}

/* libvirt sets all at once: those that are not wanted otherwise stay as they are. */
static int keep_others(struct vg_request *rq, const struct vg_params *now,
                       struct vg_params *wanted)
{
    int room = wanted->n;

    for (int i = 0; i < now->n; i++)
        if (!virTypedParamsGet(wanted->v, wanted->n, now->v[i].field) &&
            virTypedParamsAddUInt(&wanted->v, &wanted->n, &room, now->v[i].field,
                                  now->v[i].value.ui) < 0)
            return vg_error_set_virt(vg_request_error(rq));
    return 0;
}

/* {"inbound": {"average": 1000}} */
static struct vg_reply patch_params(struct vg_request *rq)
{
    json_t *changes = NULL;
    const struct vg_field args[] = {VG_REST(&changes), VG_END};
    vg_auto_params now = {0}, wanted = {0};

    vg_autoptr(virNetworkPort) port = vg_args_path_object(rq, VG_KIND_NETWORK_PORT, args);
    if (!port || read_params(rq, port, &now) < 0 ||
        vg_params_from_json(changes, now.v, now.n, &wanted.v, &wanted.n,
                            vg_request_error(rq)) < 0 ||
        (wanted.n && keep_others(rq, &now, &wanted) < 0))
        return vg_fail(rq);
    if (wanted.n && virNetworkPortSetParameters(port, wanted.v, wanted.n, 0) < 0)
        return vg_fail_virt(rq);
    return reply_params(rq, port);
}

#define PORT "/networks/{network}/ports/{port}"
/* clang-format off */
const struct vg_route vg_routes_network_port[] = {
    {VG_GET, "/networks/{network}/ports", "listNetworkPorts", vg_object_list,
     .needs = "network:getattr network:search_ports network_port:read",
     .takes = VG_TAKES_ARGS, .shared = true},
    {VG_POST, "/networks/{network}/ports", "createNetworkPort", vg_object_post,
     .needs = "network:getattr network_port:getattr network_port:read network_port:create gateway:document",
     .takes = VG_TAKES_XML},
    {VG_GET, PORT, "getNetworkPort", vg_object_get,
     .needs = "network:getattr network_port:getattr network_port:read",
     .gives = VG_GIVES_JSON_OR_XML, .takes = VG_TAKES_ARGS, .shared = true},
    {VG_DELETE, PORT, "deleteNetworkPort", vg_object_delete,
     .needs = "network:getattr network_port:getattr network_port:delete"},
    {VG_GET, PORT "/xml", "getNetworkPortXml", vg_object_get_xml,
     .needs = "network:getattr network_port:getattr network_port:read",
     .gives = VG_GIVES_XML_OR_JSON, .shared = true},
    {VG_GET, PORT "/parameters", "getNetworkPortParameters", get_params,
     .needs = "network:getattr network_port:getattr network_port:read", .shared = true},
    {VG_PATCH, PORT "/parameters", "setNetworkPortParameters", patch_params,
     .needs = "network:getattr network_port:getattr network_port:read network_port:write",
     .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
