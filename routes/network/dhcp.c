/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /networks/{network}/dhcp-leases, /dhcp-hosts and /update: addresses that were given,
 * those that are fixed, and whatever else of a network changes without a restart
 * (virNetworkGetDHCPLeases, virNetworkUpdate).
 */
#include "routes/network/network.h"
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/conflict.h"
#include "virtgate/object_class.h"
#include "virtgate/seen_macs.h"
#include "virtgate/xml.h"
#include "virtgate/xml_json.h"

#include <arpa/inet.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <string.h>

VG_AUTOLIST_DEFINE(lease, virNetworkDHCPLease, virNetworkDHCPLeaseFree)

/* ---- leases ------------------------------------------------------------------------ */

static void write_lease(struct vg_json *w, const virNetworkDHCPLease *lease)
{
    vg_json_begin_object(w, NULL);
    vg_json_string(w, "interface", lease->iface);
    vg_json_int(w, "expiryTimeSeconds", lease->expirytime);
    if (lease->expirytime)
        vg_json_time(w, "expiryTime", lease->expirytime);
    else
        vg_json_null(w, "expiryTime"); /* never */
    vg_json_enum(w, "type", &vg_enum_virIPAddrType, lease->type);
    vg_json_string(w, "mac", lease->mac);
    vg_json_string(w, "iaid", lease->iaid);
    vg_json_string(w, "address", lease->ipaddr);
    vg_json_uint(w, "prefix", lease->prefix);
    vg_json_string(w, "hostname", lease->hostname);
    vg_json_string(w, "clientId", lease->clientid);
    vg_json_end_object(w);
}

static struct vg_reply list_leases(struct vg_request *rq)
{
    const char *mac = NULL;
    const struct vg_field args[] = {VG_TEXT("mac", &mac), VG_END};

    vg_autoptr(virNetwork) net = vg_args_path_object(rq, VG_KIND_NETWORK, args);
    if (!net)
        return vg_fail(rq);
    vg_autolist(lease) leases = {0};
    leases.n = virNetworkGetDHCPLeases(net, mac, &leases.v, 0);
    if (leases.n < 0)
        return vg_fail_virt(rq);
    vg_auto_seen_macs seen = {0};
    if (vg_seen_macs_read(rq, &seen) < 0)
        return vg_fail(rq);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_begin_array(&w, "leases");
    for (int i = 0; i < leases.n; i++)
        if (vg_seen_macs_have(&seen, leases.v[i]->mac))
            write_lease(&w, leases.v[i]);
    vg_json_end_array(&w);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

/* ---- update ------------------------------------------------------------------------ */

struct update {
    int command, section;
    int64_t parent; /* -1: libvirt finds it */
    unsigned int flags;
};

/* The element as XML, given so or in its JSON form, {"host": {"@mac": ...}}. Owned by the
 * caller; NULL: the request's error is set. */
static char *element_of(struct vg_request *rq, const char *xml, const json_t *element)
{
    if (!xml == !element || (element && json_object_size(element) != 1)) {
        vg_error_set(vg_request_error(rq), VG_E_INVALID_VALUE,
                     "Send the element as 'xml' or as 'element', an object with one "
                     "member as {\"host\": {\"@mac\": ...}}, one of them");
        return NULL;
    }
    if (element)
        return vg_xml_from_json(element, vg_request_error(rq));
    if (vg_xml_check(rq, xml) < 0)
        return NULL;
    char *copy = strdup(xml);
    if (!copy)
        vg_error_set_memory(vg_request_error(rq));
    return copy;
}

/* {"command": "add-last", "section": "dns-host", "xml": "<host ip='..'>...</host>"} */
static struct vg_reply update_network(struct vg_request *rq)
{
    struct update u = {.parent = -1};
    const char *given = NULL;
    json_t *element = NULL;
    const struct vg_field args[] = {
        VG_NEED_ENUM("command", &u.command, virNetworkUpdateCommand),
        VG_NEED_ENUM("section", &u.section, virNetworkUpdateSection),
        VG_NUMBER("parentIndex", &u.parent, -1, INT16_MAX),
        VG_TEXT("xml", &given),
        VG_JSON("element", &element),
        VG_FLAGS("flags", &u.flags, virNetworkUpdateFlags),
        VG_END,
    };

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    vg_autofree char *xml = element_of(rq, given, element);
    vg_autoptr(virNetwork) net = xml ? vg_path_object(rq, VG_KIND_NETWORK) : NULL;
    if (!net)
        return vg_fail(rq);
    if (virNetworkUpdate(net, (unsigned int)u.command, (unsigned int)u.section,
                         (int)u.parent, xml, u.flags) == 0)
        return vg_no_content(rq);
    vg_error_set_virt(vg_request_error(rq));
    vg_error_blame(rq, vg_error_is_of_document(vg_request_error(rq), xml) ? 422 : 0);
    return vg_fail(rq);
}

/* ---- fixed addresses ----------------------------------------------------------------
 */

/* The hosts of the document that these flags show: new array; NULL: the request's error
 * is set. */
static json_t *read_hosts(struct vg_request *rq, virNetworkPtr net, unsigned int flags)
{
    vg_autofree char *xml = virNetworkGetXMLDesc(net, flags);
    if (!xml && flags && virGetLastErrorCode() == VIR_ERR_INVALID_ARG)
        xml = virNetworkGetXMLDesc(net, 0); /* a driver with one document */
    if (!xml) {
        vg_error_set_virt(vg_request_error(rq));
        return NULL;
    }
    json_auto_t *document = vg_xml_to_json(xml, vg_request_error(rq));
    json_t *hosts = document ? json_array() : NULL, *ip, *host;
    size_t i, k;
    const json_t *ips = vg_json_inner(document, "network", "ip");

    json_array_foreach (ips, i, ip) {
        json_array_foreach (vg_json_inner(ip, "dhcp", "host"), k, host) {
            json_t *item = json_object();
            static const char *const names[] = {"@mac", "@id", "@name", "@ip"};
            for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++)
                if (json_object_get(host, names[n]))
                    json_object_set(item, names[n] + 1, json_object_get(host, names[n]));
            json_array_append_new(hosts, item);
        }
    }
    return hosts;
}

static bool is_seen(const struct vg_seen_macs *seen, const json_t *host)
{
    return vg_seen_macs_have(seen, json_string_value(json_object_get(host, "mac")));
}

/* Those of guests that the caller may see: new array; NULL: the request's error is set.
 */
static json_t *read_seen_hosts(struct vg_request *rq, virNetworkPtr net,
                               unsigned int flags)
{
    vg_auto_seen_macs seen = {0};
    json_t *hosts = vg_seen_macs_read(rq, &seen) < 0 ? NULL : read_hosts(rq, net, flags);

    for (size_t i = json_array_size(hosts); i-- > 0;)
        if (!is_seen(&seen, json_array_get(hosts, i)))
            json_array_remove(hosts, i);
    return hosts;
}

/* The one of this MAC; borrowed. */
static json_t *find_host(const json_t *hosts, const char *mac)
{
    json_t *host;
    size_t i;

    json_array_foreach (hosts, i, host) {
        const char *own = json_string_value(json_object_get(host, "mac"));
        if (own && strcasecmp(own, mac) == 0)
            return host;
    }
    return NULL;
}

static struct vg_reply list_hosts(struct vg_request *rq)
{
    unsigned int flags = 0;
    const struct vg_field args[] = {VG_FLAGS("flags", &flags, virNetworkXMLFlags),
                                    VG_END};

    vg_autoptr(virNetwork) net = vg_args_path_object(rq, VG_KIND_NETWORK, args);
    json_t *hosts = net ? read_seen_hosts(rq, net, flags) : NULL;
    return hosts ? vg_ok(rq, json_pack("{s:o}", "dhcpHosts", hosts)) : vg_fail(rq);
}

static struct vg_reply fail_host(struct vg_request *rq, const char *mac)
{
    vg_error_set(vg_request_error(rq), VG_E_NOT_FOUND,
                 "The network has no fixed address for '%.100s'", mac);
    return vg_fail(rq);
}

static struct vg_reply get_host(struct vg_request *rq)
{
    vg_autoptr(virNetwork) net = vg_path_object(rq, VG_KIND_NETWORK);
    json_auto_t *hosts = net ? read_seen_hosts(rq, net, 0) : NULL;
    if (!hosts)
        return vg_fail(rq);
    json_t *host = find_host(hosts, vg_path(rq, "mac"));
    return host ? vg_ok(rq, json_incref(host)) : fail_host(rq, vg_path(rq, "mac"));
}

/* What is to change: the network that runs, its definition, or both. 0: the request's
 * error is set. */
static unsigned int affected(struct vg_request *rq, virNetworkPtr net)
{
    int active = virNetworkIsActive(net), persistent = virNetworkIsPersistent(net);

    if (active < 0 || persistent < 0) {
        vg_error_set_virt(vg_request_error(rq));
        return 0;
    }
    return (active ? VIR_NETWORK_UPDATE_AFFECT_LIVE : 0u) |
           (persistent ? VIR_NETWORK_UPDATE_AFFECT_CONFIG : 0u);
}

static int update_host(struct vg_request *rq, virNetworkPtr net, unsigned int command,
                       json_t *host_steal, unsigned int flags)
{
    json_auto_t *document = json_pack("{s:o}", "host", host_steal);
    vg_autofree char *xml =
        document ? vg_xml_from_json(document, vg_request_error(rq)) : NULL;

    if (!document)
        return vg_error_set_memory(vg_request_error(rq));
    if (!xml)
        return -1;
    if (virNetworkUpdate(net, command, VIR_NETWORK_SECTION_IP_DHCP_HOST, -1, xml, flags) <
        0)
        return vg_error_set_virt(vg_request_error(rq));
    return 0;
}

bool vg_network_is_dns_name(const char *text)
{
    static const char known[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789-._";
    size_t n = strspn(text, known);
    return n && n <= 253 && !text[n] && !strchr("0123456789-._", text[0]);
}

static int check_host(struct vg_request *rq, const char *ip, const char *name)
{
    struct in_addr in;

    if (inet_pton(AF_INET, ip, &in) == 1 && (!name || vg_network_is_dns_name(name)))
        return 0;
    return vg_fail_value(
        rq, "'ip' is an IPv4 address as 192.168.50.5, 'name' a host's name: a "
            "letter, then letters, digits, '-', '.' and '_'; what else a fixed "
            "address may have is for POST .../update");
}

/* {"mac": "52:54:00:12:34:56", "ip": "192.168.50.5", "name": "web"} */
static struct vg_reply add_host(struct vg_request *rq)
{
    const char *mac = NULL, *ip = NULL, *name = NULL;
    unsigned int flags = 0;
    char *href = NULL;
    const struct vg_field args[] = {
        VG_NEED_TEXT("mac", &mac),
        VG_NEED_TEXT("ip", &ip),
        VG_TEXT("name", &name),
        VG_FLAGS("flags", &flags, virNetworkUpdateFlags),
        VG_END,
    };

    if (vg_args(rq, args) < 0 || check_host(rq, ip, name) < 0)
        return vg_fail(rq);
    vg_autoptr(virNetwork) net = vg_path_object(rq, VG_KIND_NETWORK);
    if (!net || (!flags && !(flags = affected(rq, net))))
        return vg_fail(rq);
    if (update_host(rq, net, VIR_NETWORK_UPDATE_COMMAND_ADD_LAST,
                    json_pack("{s:s, s:s, s:s*}", "@mac", mac, "@ip", ip, "@name", name),
                    flags) < 0)
        return vg_fail(rq);
    vg_autofree char *network = vg_object_href(rq, VG_KIND_NETWORK, net, "/dhcp-hosts");
    if (!network || asprintf(&href, "%s/%s", network, mac) < 0)
        return vg_fail_memory(rq);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_string(&w, "mac", mac);
    if (name)
        vg_json_string(&w, "name", name);
    vg_json_string(&w, "ip", ip);
    vg_json_end_object(&w);
    return vg_created(rq, href, &w);
}

/* Those of the two that have it. */
static int find_affected(struct vg_request *rq, virNetworkPtr net, const char *mac,
                         unsigned int *ret)
{
    unsigned int both = affected(rq, net);
    const unsigned int live = VIR_NETWORK_UPDATE_AFFECT_LIVE,
                       config = VIR_NETWORK_UPDATE_AFFECT_CONFIG;
    json_auto_t *now = both & live ? read_hosts(rq, net, 0) : NULL;
    /* of what is off there is one document */
    json_auto_t *next =
        both & config && (now || !(both & live))
            ? read_hosts(rq, net, both & live ? VIR_NETWORK_XML_INACTIVE : 0)
            : NULL;

    if (!both || (both & live && !now) || (both & config && !next))
        return -1;
    *ret = (find_host(now, mac) ? live : 0) | (find_host(next, mac) ? config : 0);
    return 0;
}

static struct vg_reply remove_host(struct vg_request *rq)
{
    const char *mac = vg_path(rq, "mac");
    unsigned int flags = 0;
    const struct vg_field args[] = {VG_FLAGS("flags", &flags, virNetworkUpdateFlags),
                                    VG_END};

    vg_autoptr(virNetwork) net = vg_args_path_object(rq, VG_KIND_NETWORK, args);
    unsigned int there = 0;
    if (!net || find_affected(rq, net, mac, &there) < 0)
        return vg_fail(rq);
    if (!there)
        return fail_host(rq, mac);
    if (update_host(rq, net, VIR_NETWORK_UPDATE_COMMAND_DELETE,
                    json_pack("{s:s}", "@mac", mac), flags ? flags : there) < 0)
        return vg_fail(rq);
    return vg_no_content(rq);
}

/* clang-format off */
const struct vg_route vg_routes_network_dhcp[] = {
    {VG_GET, "/networks/{network}/dhcp-leases", "listDhcpLeases", list_leases,
     .needs = "network:getattr network:read", .takes = VG_TAKES_ARGS, .shared = true},
    {VG_POST, "/networks/{network}/update", "updateNetwork", update_network,
     .needs = "network:getattr network:write network:save gateway:document",
     .takes = VG_TAKES_DOCUMENT},
    {VG_GET, "/networks/{network}/dhcp-hosts", "listDhcpHosts", list_hosts,
     .needs = "network:getattr network:read", .takes = VG_TAKES_ARGS, .shared = true},
    {VG_POST, "/networks/{network}/dhcp-hosts", "addDhcpHost", add_host,
     .needs = "network:getattr network:read network:write network:save",
     .takes = VG_TAKES_ARGS},
    {VG_GET, "/networks/{network}/dhcp-hosts/{mac}", "getDhcpHost", get_host,
     .needs = "network:getattr network:read", .shared = true},
    {VG_DELETE, "/networks/{network}/dhcp-hosts/{mac}", "removeDhcpHost", remove_host,
     .needs = "network:getattr network:read network:write network:save",
     .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
