/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /networks and /networks/{network}: the class of virtual networks. How one is made is in
 * create.c, its DHCP in dhcp.c, its ports in port.c.
 */
#include "routes/network/network.h"
#include "routes/network/subnet.h"
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/object.h"
#include "virtgate/object_class.h"
#include "virtgate/used_by.h"

#include <libvirt/virterror.h>

/* ---- fields ------------------------------------------------------------------------ */

/* A network of another device has none (macvtap, hostdev). */
static int write_bridge(struct vg_request *rq, struct vg_json *w, void *net,
                        const struct vg_wanted *wanted)
{
    (void)rq;
    (void)wanted;
    vg_autofree char *bridge = virNetworkGetBridgeName(net);
    if (!bridge && virGetLastErrorCode() != VIR_ERR_INTERNAL_ERROR)
        return -1;
    vg_json_string(w, "bridge", bridge);
    return 0;
}

static int write_used_by(struct vg_request *rq, struct vg_json *w, void *net,
                         const struct vg_wanted *wanted)
{
    const struct vg_use use = {.network = virNetworkGetName(net)};

    (void)wanted;
    return vg_write_used_by(rq, w, &use);
}

static json_t *get_forward_mode(const json_t *document)
{
    const json_t *forward = json_object_get(document, "forward");
    json_t *mode = json_object_get(forward, "@mode");

    if (mode)
        return json_incref(mode);
    return forward ? json_string("nat") : json_null(); /* libvirt's default; isolated */
}

static json_t *get_domain(const json_t *document)
{
    return json_incref(vg_json_inner(document, "domain", "@name"));
}

static json_t *get_mtu(const json_t *document)
{
    return vg_json_digits(vg_json_inner(document, "mtu", "@size"));
}

static json_t *get_virtual_port(const json_t *document)
{
    return json_incref(vg_json_inner(document, "virtualport", "@type"));
}

/* A copy of these attributes of each of the elements. */
static json_t *copy_attributes(const json_t *elements, const char *const names[])
{
    json_t *list = json_array(), *element;
    size_t i;

    json_array_foreach (elements, i, element) {
        json_t *item = json_object();
        for (size_t k = 0; names[k]; k++)
            json_object_set(item, names[k] + 1, json_object_get(element, names[k]));
        json_array_append_new(list, item);
    }
    return list;
}

static json_t *get_portgroups(const json_t *document)
{
    static const char *const names[] = {"@name", "@default", NULL};
    return copy_attributes(json_object_get(document, "portgroup"), names);
}

static json_t *get_dhcp(const json_t *dhcp)
{
    static const char *const range[] = {"@start", "@end", NULL};
    static const char *const host[] = {"@mac", "@id", "@name", "@ip", NULL};

    return json_pack("{s:o, s:o}", "ranges",
                     copy_attributes(json_object_get(dhcp, "range"), range), "hosts",
                     copy_attributes(json_object_get(dhcp, "host"), host));
}

/* libvirt's document has a netmask where the client gave one; the prefix is told of all.
 */
static json_t *get_ip(const json_t *ip)
{
    json_t *item = json_object(), *dhcp = json_object_get(ip, "dhcp");
    json_t *prefix = vg_json_digits(json_object_get(ip, "@prefix"));
    const json_t *family = json_object_get(ip, "@family");
    struct vg_subnet subnet;

    if (!prefix && vg_subnet_of_ip(ip, &subnet))
        prefix = json_integer(subnet.prefix);

    json_object_set_new(item, "family",
                        json_string(family ? json_string_value(family) : "ipv4"));
    json_object_set(item, "address", json_object_get(ip, "@address"));
    json_object_set(item, "netmask", json_object_get(ip, "@netmask"));
    if (prefix)
        json_object_set_new(item, "prefix", prefix);
    if (dhcp)
        json_object_set_new(item, "dhcp", get_dhcp(dhcp));
    return item;
}

static json_t *get_ips(const json_t *document)
{
    json_t *list = json_array(), *ip;
    size_t i;

    json_array_foreach (json_object_get(document, "ip"), i, ip)
        json_array_append_new(list, get_ip(ip));
    return list;
}

/* ---- the class --------------------------------------------------------------------- */

VG_OBJECT_FREE(free_network, virNetworkFree)
VG_OBJECT_TEXT(get_name, virNetworkGetName)
VG_OBJECT_UUID(get_uuid, virNetworkGetUUIDString)
VG_OBJECT_FIND(find_by_name, virNetworkLookupByName)
VG_OBJECT_FIND(find_by_uuid, virNetworkLookupByUUIDString)
VG_OBJECT_LIST(list_networks, virNetwork, virConnectListAllNetworks)
VG_OBJECT_XML(get_xml, virNetworkGetXMLDesc)
VG_OBJECT_MAKE(define_network, virNetworkDefineXMLFlags)
VG_OBJECT_MAKE(create_network, virNetworkCreateXMLFlags)
VG_OBJECT_CHANGE_PLAIN(start_network, virNetworkCreate)
VG_OBJECT_CHANGE_PLAIN(destroy_network, virNetworkDestroy)
VG_OBJECT_CHANGE_PLAIN(undefine_network, virNetworkUndefine)
VG_OBJECT_ASK(is_active, virNetworkIsActive)
VG_OBJECT_ASK(is_persistent, virNetworkIsPersistent)
VG_OBJECT_AUTOSTART(virNetworkGetAutostart, virNetworkSetAutostart)

#define LIST(what) VIR_CONNECT_LIST_NETWORKS_##what

static const struct vg_object_field fields[] = {
    {.name = "name", .view = VG_VIEW_BRIEF, .covered = true},
    {.name = "uuid", .view = VG_VIEW_BRIEF, .covered = true},
    {.name = "active",
     .view = VG_VIEW_BRIEF,
     .covered = true,
     .ask = is_active,
     .yes = LIST(ACTIVE),
     .no = LIST(INACTIVE)},
    {.name = "persistent",
     .view = VG_VIEW_BRIEF,
     .covered = true,
     .ask = is_persistent,
     .yes = LIST(PERSISTENT),
     .no = LIST(TRANSIENT)},
    {.name = "autostart",
     .ask = is_autostart,
     .yes = LIST(AUTOSTART),
     .no = LIST(NO_AUTOSTART)},
    {.name = "bridge", .covered = true, .read = write_bridge},
    {.name = "forwardMode", .view = VG_VIEW_ONE, .from = get_forward_mode},
    {.name = "domain", .view = VG_VIEW_ONE, .from = get_domain},
    {.name = "mtu", .view = VG_VIEW_ONE, .from = get_mtu},
    {.name = "ips", .view = VG_VIEW_ONE, .from = get_ips},
    {.name = "portgroups", .view = VG_VIEW_ONE, .from = get_portgroups},
    {.name = "virtualPort", .view = VG_VIEW_ONE, .from = get_virtual_port},
    {.name = "usedBy", .view = VG_VIEW_USE, .read = write_used_by},
    {.name = "lastEvent", .view = VG_VIEW_NAMED, .read = vg_object_write_last_event},
    {0},
};

const struct vg_object_class vg_network_class = {
    .kind = VG_KIND_NETWORK,
    .root = "network",
    .free = free_network,
    .name = get_name,
    .uuid = get_uuid,
    .lookups = {{VG_LOOKUP_UUID, find_by_uuid, vg_is_uuid},
                {VG_LOOKUP_NAME, find_by_name, NULL}},
    .list = list_networks,
    .list_flags = &vg_enum_virConnectListAllNetworksFlags,
    .fields = fields,
    .xml = get_xml,
    .xml_flags = &vg_enum_virNetworkXMLFlags,
    .xml_next = VIR_NETWORK_XML_INACTIVE,
    .define = {define_network, &vg_enum_virNetworkDefineFlags},
    .create = {create_network, &vg_enum_virNetworkCreateFlags},
    .start = {start_network, NULL},
    .destroy = {destroy_network, NULL},
    .undefine = {undefine_network, NULL},
    .is_taken = vg_network_is_taken,
    .is_active = is_active,
    .is_persistent = is_persistent,
    .get_autostart = get_autostart,
    .set_autostart = set_autostart,
};

/* clang-format off */
const struct vg_route vg_routes_network[] = {
    {VG_GET, "/networks", "listNetworks", vg_object_list,
     .needs = "connect:search_networks network:read", .runs_on = VG_ON_FAST,
     .takes = VG_TAKES_ARGS, .hosts = VG_ONE_OR_ALL_HOSTS, .shared = true},
    {VG_GET, "/networks/{network}", "getNetwork", vg_object_get,
     .needs = "network:getattr network:read", .gives = VG_GIVES_JSON_OR_XML,
     .takes = VG_TAKES_ARGS, .shared = true},
    {VG_PUT, "/networks/{network}", "replaceNetwork", vg_object_put,
     .needs = "network:getattr network:read network:write network:save gateway:document",
     .takes = VG_TAKES_DOCUMENT},
    {VG_PATCH, "/networks/{network}", "patchNetwork", vg_object_patch,
     .needs = "network:getattr network:read network:save network:write",
     .takes = VG_TAKES_DOCUMENT},
    {VG_DELETE, "/networks/{network}", "undefineNetwork", vg_object_delete,
     .needs = "network:getattr network:delete"},
    {VG_GET, "/networks/{network}/xml", "getNetworkXml", vg_object_get_xml,
     .needs = "network:getattr network:read", .gives = VG_GIVES_XML_OR_JSON,
     .takes = VG_TAKES_ARGS, .shared = true},
    {VG_PUT, "/networks/{network}/xml", "redefineNetwork", vg_object_put_xml,
     .needs = "network:getattr network:read network:write network:save gateway:document",
     .takes = VG_TAKES_XML},
    {VG_POST, "/networks/{network}/start", "startNetwork", vg_object_start,
     .needs = "network:getattr network:read network:start"},
    {VG_POST, "/networks/{network}/destroy", "destroyNetwork", vg_object_destroy,
     .needs = "network:getattr network:read network:stop"},
    {VG_GET, "/networks/{network}/autostart", "getNetworkAutostart", vg_object_get_autostart,
     .needs = "network:getattr network:read", .shared = true},
    {VG_PUT, "/networks/{network}/autostart", "setNetworkAutostart", vg_object_put_autostart,
     .needs = "network:getattr network:read network:write", .takes = VG_TAKES_ARGS},
    {VG_GET, "/networks/{network}/events", "watchNetworkEvents", vg_object_watch,
     .needs = "network:getattr", .runs_on = VG_ON_FAST, .gives = VG_GIVES_EVENTS,
     .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
