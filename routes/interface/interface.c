/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /interfaces and /interfaces/{interface}: the class of the host's network interfaces.
 * What is changed of all of them together is in change.c.
 */
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/object_class.h"

#include <string.h>

/* ---- fields ------------------------------------------------------------------------ */

static json_t *get_type(const json_t *document)
{
    return json_incref(json_object_get(document, "@type"));
}

static json_t *get_mtu(const json_t *document)
{
    return vg_json_digits(vg_json_inner(document, "mtu", "@size"));
}

static json_t *get_link(const json_t *document)
{
    const json_t *link = json_object_get(document, "link");
    json_t *speed = vg_json_digits(json_object_get(link, "@speed"));
    json_t *item = link ? json_object() : NULL;

    if (item)
        json_object_set(item, "state", json_object_get(link, "@state"));
    if (item && speed)
        json_object_set(item, "speedMbps", speed);
    json_decref(speed);
    return item;
}

static json_t *get_ports(const json_t *document)
{
    const json_t *bridge = json_object_get(document, "bridge");
    json_t *list = bridge ? json_array() : NULL, *port;
    size_t i;

    json_array_foreach (json_object_get(bridge, "interface"), i, port)
        json_array_append(list, json_object_get(port, "@name"));
    return list;
}

/* ---- lookup ------------------------------------------------------------------------ */

/* Six numbers of two hexadecimal digits. No name of an interface is as long. */
static bool is_mac(const char *text)
{
    for (size_t i = 0; i < 17; i++)
        if (i % 3 == 2 ? text[i] != ':'
                       : !strchr("0123456789abcdefABCDEF", text[i]) || !text[i])
            return false;
    return text[17] == '\0';
}

struct macs {
    virInterfacePtr *v; /* owned, as what it holds */
    int n;
};

static void free_macs(struct macs *list)
{
    for (int i = 0; i < list->n; i++)
        (void)virInterfaceFree(list->v[i]);
    free(list->v);
}

/* The one of the list that has the address; *ret_plain: libvirt can look as well. NULL:
 * none, or several, which are libvirt's to tell. */
static virInterfacePtr find_in_list(virConnectPtr conn, const char *mac, bool *ret_plain)
{
    VG_CLEANUP(free_macs) struct macs list = {0};
    virInterfacePtr found = NULL;
    bool all = true;
    int n = 0;

    list.n = virConnectListAllInterfaces(conn, &list.v, 0);
    for (int i = 0; i < list.n; i++) {
        const char *own = virInterfaceGetMACString(list.v[i]);
        bool same = own && strcasecmp(own, mac) == 0;
        all = all && own && *own;
        found = same ? list.v[i] : found;
        n += same;
    }
    *ret_plain = all || n > 1;
    return n == 1 && !all && virInterfaceRef(found) == 0 ? found : NULL;
}

/* The test driver compares with the address of each interface and complains on stderr of
 * one that has none: among such it is asked only where several have this one. Its handle
 * has the address as the client wrote it, so it is looked up again by its name. */
static void *find_by_mac(void *conn, const char *mac)
{
    bool plain = true;
    virInterfacePtr found = find_in_list(conn, mac, &plain);

    if (!plain)
        return found;
    vg_autoptr(virInterface) given = virInterfaceLookupByMACString(conn, mac);
    return given ? virInterfaceLookupByName(conn, virInterfaceGetName(given)) : NULL;
}

/* ---- the class --------------------------------------------------------------------- */

VG_OBJECT_FREE(free_interface, virInterfaceFree)
VG_OBJECT_TEXT(get_name, virInterfaceGetName)
VG_OBJECT_TEXT(get_mac, virInterfaceGetMACString)
VG_OBJECT_FIND(find_by_name, virInterfaceLookupByName)
VG_OBJECT_LIST(list_interfaces, virInterface, virConnectListAllInterfaces)
VG_OBJECT_XML(get_xml, virInterfaceGetXMLDesc)
VG_OBJECT_MAKE(define_interface, virInterfaceDefineXML)
VG_OBJECT_CHANGE(start_interface, virInterfaceCreate)
VG_OBJECT_CHANGE(destroy_interface, virInterfaceDestroy)
VG_OBJECT_CHANGE_PLAIN(undefine_interface, virInterfaceUndefine)
VG_OBJECT_ASK(is_active, virInterfaceIsActive)

/* An MTU that is no number: libvirt's test driver fails without a word. */
static int status_of(struct vg_request *rq, const json_t *document)
{
    const json_t *mtu = vg_json_inner(document, "mtu", "@size");
    json_auto_t *size = vg_json_digits(mtu);

    (void)rq;
    return mtu && !(json_integer_value(size) > 0 &&
                    json_integer_value(size) <= UINT32_MAX)
               ? 422
               : 0;
}

static const struct vg_object_field fields[] = {
    {.name = "name", .view = VG_VIEW_BRIEF},
    {.name = "mac", .view = VG_VIEW_BRIEF, .text = get_mac},
    {.name = "active",
     .view = VG_VIEW_BRIEF,
     .ask = is_active,
     .yes = VIR_CONNECT_LIST_INTERFACES_ACTIVE,
     .no = VIR_CONNECT_LIST_INTERFACES_INACTIVE},
    {.name = "type", .from = get_type},
    {.name = "mtu", .from = get_mtu},
    {.name = "link", .from = get_link},
    {.name = "ports", .from = get_ports},
    {0},
};

const struct vg_object_class vg_interface_class = {
    .kind = VG_KIND_INTERFACE,
    .root = "interface",
    .free = free_interface,
    .name = get_name,
    .lookups = {{VG_LOOKUP_MAC, find_by_mac, is_mac},
                {VG_LOOKUP_NAME, find_by_name, NULL}},
    .list = list_interfaces,
    .list_flags = &vg_enum_virConnectListAllInterfacesFlags,
    .fields = fields,
    .xml = get_xml,
    .xml_flags = &vg_enum_virInterfaceXMLFlags,
    .xml_next = VIR_INTERFACE_XML_INACTIVE,
    .define = {define_interface, &vg_enum_virInterfaceDefineFlags},
    .start = {start_interface, NULL},
    .destroy = {destroy_interface, NULL},
    .undefine = {undefine_interface, NULL},
    .status_of = status_of,
    .is_active = is_active,
};

/* clang-format off */
const struct vg_route vg_routes_interface[] = {
    {VG_GET, "/interfaces", "listInterfaces", vg_object_list,
     .needs = "connect:search_interfaces interface:read", .runs_on = VG_ON_FAST,
     .takes = VG_TAKES_ARGS, .hosts = VG_ONE_OR_ALL_HOSTS, .shared = true},
    {VG_POST, "/interfaces", "defineInterface", vg_object_post,
     .needs = "interface:getattr interface:read interface:write interface:save interface:start "
              "interface:delete gateway:document",
     .takes = VG_TAKES_XML},
    {VG_GET, "/interfaces/{interface}", "getInterface", vg_object_get,
     .needs = "connect:search_interfaces interface:getattr interface:read",
     .gives = VG_GIVES_JSON_OR_XML, .takes = VG_TAKES_ARGS, .shared = true},
    {VG_PUT, "/interfaces/{interface}", "replaceInterface", vg_object_put,
     .needs = "connect:search_interfaces interface:getattr interface:read interface:write "
              "interface:save gateway:document",
     .takes = VG_TAKES_DOCUMENT},
    {VG_PATCH, "/interfaces/{interface}", "patchInterface", vg_object_patch,
     .needs = "connect:search_interfaces interface:getattr interface:read interface:write "
              "interface:save gateway:document",
     .takes = VG_TAKES_DOCUMENT},
    {VG_DELETE, "/interfaces/{interface}", "undefineInterface", vg_object_delete,
     .needs = "connect:search_interfaces interface:getattr interface:delete"},
    {VG_GET, "/interfaces/{interface}/xml", "getInterfaceXml", vg_object_get_xml,
     .needs = "connect:search_interfaces interface:getattr interface:read",
     .gives = VG_GIVES_XML_OR_JSON, .takes = VG_TAKES_ARGS, .shared = true},
    {VG_PUT, "/interfaces/{interface}/xml", "redefineInterface", vg_object_put_xml,
     .needs = "connect:search_interfaces interface:getattr interface:read interface:write "
              "interface:save gateway:document",
     .takes = VG_TAKES_XML},
    {VG_POST, "/interfaces/{interface}/start", "startInterface", vg_object_start,
     .needs = "connect:search_interfaces interface:getattr interface:read interface:start"},
    {VG_POST, "/interfaces/{interface}/destroy", "destroyInterface", vg_object_destroy,
     .needs = "connect:search_interfaces interface:getattr interface:read interface:stop"},
    {0},
};
/* clang-format on */
