/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * POST /networks: a network from its document, or from a short form: a name, a mode, and
 * a subnet, which is one that is free where none is given.
 */
#include "routes/network/network.h"
#include "routes/network/subnet.h"
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/host.h"
#include "virtgate/object.h"
#include "virtgate/object_class.h"
#include "virtgate/xml_json.h"

#include <arpa/inet.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <string.h>

VG_AUTOLIST_DEFINE(network, virNetwork, virNetworkFree)
VG_AUTOLIST_DEFINE(interface, virInterface, virInterfaceFree)

enum mode { NAT, ROUTE, OPEN, ISOLATED, BRIDGE, MACVTAP };
static const struct vg_enum_value mode_names[] = {
    {"nat", NULL, NAT},           {"route", NULL, ROUTE},   {"open", NULL, OPEN},
    {"isolated", NULL, ISOLATED}, {"bridge", NULL, BRIDGE}, {"macvtap", NULL, MACVTAP}};
static const struct vg_enum modes = {"modes", mode_names, 6};

struct form {
    const char *name, *uuid, *subnet, *ipv6_subnet, *domain, *bridge, *device;
    int mode;
    json_t *dhcp; /* true, false, or {"start", "end"} */
};

/* ---- a free subnet ----------------------------------------------------------------- */

/* The addresses that are taken: of networks, and of the host's own interfaces where the
 * driver shows them. */
struct taken {
    struct vg_subnet *v; /* owned */
    size_t n;
};

static void clear_taken(struct taken *taken)
{
    free(taken->v);
}

static int add_taken(struct taken *taken, const json_t *ips)
{
    json_t *ip;
    size_t i;

    json_array_foreach (ips, i, ip) {
        void *grown = realloc(taken->v, (taken->n + 1) * sizeof(*taken->v));
        if (!grown)
            return -1;
        taken->v = grown;
        taken->n += vg_subnet_of_ip(ip, &taken->v[taken->n]);
    }
    return 0;
}

/* Of one document; what cannot be read takes nothing. -1: out of memory. */
static int add_document(struct taken *taken, const char *xml)
{
    struct vg_error ignored = {0};
    json_auto_t *document = xml ? vg_xml_to_json(xml, &ignored) : NULL;
    const json_t *network = json_object_get(document, "network");
    const json_t *interface = json_object_get(document, "interface");
    json_t *protocol;
    size_t i;
    int rc = add_taken(taken, json_object_get(network, "ip"));

    vg_error_clear(&ignored);
    json_array_foreach (json_object_get(interface, "protocol"), i, protocol)
        if (rc == 0)
            rc = add_taken(taken, json_object_get(protocol, "ip"));
    return rc;
}

/* Of all networks but the one of this name (NULL: of all). */
static int read_taken(struct vg_request *rq, const char *but, struct taken *taken)
{
    vg_autolist(network) networks = {0};
    vg_autolist(interface) interfaces = {0};
    int rc = 0;

    networks.n = virConnectListAllNetworks(vg_conn(rq), &networks.v, 0);
    if (networks.n < 0)
        return vg_error_set_virt(vg_request_error(rq));
    interfaces.n = virConnectListAllInterfaces(vg_conn(rq), &interfaces.v, 0);
    for (int i = 0; i < networks.n && rc == 0; i++) {
        if (but && strcmp(virNetworkGetName(networks.v[i]), but) == 0)
            continue;
        vg_autofree char *xml = virNetworkGetXMLDesc(networks.v[i], 0);
        rc = add_document(taken, xml);
    }
    for (int i = 0; i < interfaces.n && rc == 0; i++) {
        vg_autofree char *xml = virInterfaceGetXMLDesc(interfaces.v[i], 0);
        rc = add_document(taken, xml);
    }
    virResetLastError(); /* of a driver without interfaces */
    return rc < 0 ? vg_error_set_memory(vg_request_error(rq)) : 0;
}

static bool is_free(const struct taken *taken, const struct vg_subnet *subnet)
{
    for (size_t i = 0; i < taken->n; i++)
        if (vg_subnet_overlap(subnet, &taken->v[i]))
            return false;
    return true;
}

bool vg_network_is_taken(struct vg_request *rq, void *net)
{
    VG_CLEANUP(clear_taken) struct taken taken = {0};
    VG_CLEANUP(clear_taken) struct taken own = {0};
    struct vg_error kept = *vg_request_error(rq);
    vg_autofree char *xml = virNetworkGetXMLDesc(net, 0);
    bool is = false;

    *vg_request_error(rq) = (struct vg_error){0}; /* what is asked here is no answer */
    if (add_document(&own, xml) == 0 &&
        read_taken(rq, virNetworkGetName(net), &taken) == 0)
        for (size_t i = 0; i < own.n; i++)
            is = is || !is_free(&taken, &own.v[i]);
    vg_error_clear(vg_request_error(rq));
    *vg_request_error(rq) = kept;
    return is;
}

/* The first free one of 192.168.100.0/24 to 192.168.254.0/24, then of 10.100.0.0/24 to
 * 10.100.255.0/24. */
static int find_subnet(struct vg_request *rq, struct vg_subnet *ret)
{
    VG_CLEANUP(clear_taken) struct taken taken = {0};

    if (read_taken(rq, NULL, &taken) < 0)
        return -1;
    for (uint32_t i = 100; i < 511; i++) {
        *ret = (struct vg_subnet){
            i < 255 ? 0xC0A80000 + (i << 8) : 0x0A640000 + ((i - 255) << 8), 24};
        if (is_free(&taken, ret))
            return 0;
    }
    vg_error_set(vg_request_error(rq), VG_E_CONFLICT,
                 "No subnet is free; give one: 'subnet' as 10.20.30.0/24");
    return -1;
}

/* ---- the document ------------------------------------------------------------------ */

static json_t *address_text(uint32_t address)
{
    char text[INET_ADDRSTRLEN];
    struct in_addr in = {htonl(address)};
    return json_string(inet_ntop(AF_INET, &in, text, sizeof(text)));
}

static bool parse_address(const char *text, uint32_t *ret)
{
    struct in_addr in;
    if (inet_pton(AF_INET, text, &in) != 1)
        return false;
    *ret = ntohl(in.s_addr);
    return true;
}

/* From one address of the subnet to another, but its first and its last. */
static bool is_range(const struct vg_subnet *subnet, const char *start, const char *end)
{
    uint32_t from, to, last = subnet->base | ~vg_subnet_mask(subnet->prefix);
    return parse_address(start, &from) && parse_address(end, &to) &&
           from > subnet->base && from <= to && to < last;
}

/* The range that is given, or all but the first address, the host's own. NULL: none. -1:
 * the request's error is set. */
static int make_dhcp(struct vg_request *rq, const struct form *f,
                     const struct vg_subnet *subnet, json_t **ret)
{
    const char *start = NULL, *end = NULL;
    const struct vg_field fields[] = {VG_NEED_TEXT("start", &start),
                                      VG_NEED_TEXT("end", &end), VG_END};
    uint32_t last = subnet->base | ~vg_subnet_mask(subnet->prefix);

    *ret = NULL;
    if (json_is_false(f->dhcp))
        return 0;
    if (json_is_object(f->dhcp)) {
        if (vg_args_object(rq, "dhcp", f->dhcp, fields) < 0)
            return -1;
        if (!is_range(subnet, start, end))
            return vg_args_fail_member(
                rq, "dhcp",
                "'start' and 'end' within 'subnet', the first not above "
                "the second,");
        *ret = json_pack("{s:{s:s, s:s}}", "range", "@start", start, "@end", end);
        return 0;
    }
    if (f->dhcp && !json_is_true(f->dhcp))
        return vg_args_fail_member(rq, "dhcp", "true, false, or {\"start\", \"end\"}");
    *ret = json_pack("{s:{s:o, s:o}}", "range", "@start", address_text(subnet->base + 2),
                     "@end", address_text(last - 1));
    return 0;
}

static int add_ipv4(struct vg_request *rq, const struct form *f, json_t *ips)
{
    struct vg_subnet subnet;
    json_t *dhcp;
    char prefix[12];

    if (f->subnet ? vg_subnet_parse(f->subnet, &subnet) : 0)
        return vg_args_fail_member(
            rq, "subnet", "an IPv4 subnet as 192.168.50.0/24, of a prefix from 8 to 30,");
    if ((!f->subnet && find_subnet(rq, &subnet) < 0) ||
        make_dhcp(rq, f, &subnet, &dhcp) < 0)
        return -1;
    snprintf(prefix, sizeof(prefix), "%u", subnet.prefix);
    json_array_append_new(ips, json_pack("{s:o, s:s, s:o*}", "@address",
                                         address_text(subnet.base + 1), "@prefix", prefix,
                                         "dhcp", dhcp));
    return 0;
}

/* Whether no bit is set beyond the prefix. */
static bool is_base(const struct in6_addr *in, unsigned int prefix)
{
    for (unsigned int bit = prefix; bit < 128; bit++)
        if (in->s6_addr[bit / 8] & 0x80 >> bit % 8)
            return false;
    return in->s6_addr[0] != 0xFF; /* multicast */
}

/* The first address of the subnet is the host's; guests make their own from its
 * announcements. */
static int add_ipv6(struct vg_request *rq, const struct form *f, json_t *ips)
{
    char address[INET6_ADDRSTRLEN], prefix[12];
    struct in6_addr in;
    unsigned int length;

    if (!f->ipv6_subnet)
        return 0;
    if (vg_subnet_split(f->ipv6_subnet, address, sizeof(address), 126, &length) < 0 ||
        inet_pton(AF_INET6, address, &in) != 1 || !is_base(&in, length))
        return vg_args_fail_member(rq, "ipv6Subnet", "an IPv6 subnet as fd00:50::/64");
    in.s6_addr[15] = 1;
    snprintf(prefix, sizeof(prefix), "%u", length);
    json_array_append_new(ips,
                          json_pack("{s:s, s:s, s:s}", "@family", "ipv6", "@address",
                                    inet_ntop(AF_INET6, &in, address, sizeof(address)),
                                    "@prefix", prefix));
    return 0;
}

/* A network of the host's own, with addresses. */
static int add_own(struct vg_request *rq, const struct form *f, json_t *network)
{
    static const char *const names[] = {
        [NAT] = "nat", [ROUTE] = "route", [OPEN] = "open"};
    json_t *ips = json_array();

    if (f->bridge) {
        json_decref(ips);
        return vg_args_fail_member(rq, "bridge", "a bridge with mode bridge alone");
    }
    if (f->domain && !vg_network_is_dns_name(f->domain)) {
        json_decref(ips);
        return vg_args_fail_member(rq, "domain", "a domain's name as lab.example");
    }
    if (f->device && f->mode == ISOLATED) {
        json_decref(ips);
        return vg_args_fail_member(rq, "device", "a device with a mode that forwards");
    }
    if (f->mode != ISOLATED)
        json_object_set_new(
            network, "forward",
            json_pack("{s:s, s:s*}", "@mode", names[f->mode], "@dev", f->device));
    json_object_set_new(network, "bridge",
                        json_pack("{s:s, s:s}", "@stp", "on", "@delay", "0"));
    if (f->domain)
        json_object_set_new(network, "domain", json_pack("{s:s}", "@name", f->domain));
    json_object_set_new(network, "ip", ips);
    return add_ipv4(rq, f, ips) < 0 || add_ipv6(rq, f, ips) < 0 ? -1 : 0;
}

/* A network that is somebody else's: a bridge of the host, or its device. */
static int add_foreign(struct vg_request *rq, const struct form *f, json_t *network)
{
    bool bridge = f->mode == BRIDGE;

    if (f->subnet || f->ipv6_subnet || f->domain || f->dhcp)
        return vg_args_fail_member(
            rq, "mode",
            "with 'subnet', 'ipv6Subnet', 'domain' and 'dhcp', nat, route, "
            "open or isolated");
    if (bridge ? !f->bridge || f->device : !f->device || f->bridge)
        return vg_args_fail_member(rq, "mode",
                                   "bridge with 'bridge', macvtap with 'device'");
    json_t *forward = json_pack("{s:s}", "@mode", "bridge");
    if (bridge)
        json_object_set_new(network, "bridge", json_pack("{s:s}", "@name", f->bridge));
    else
        json_object_set_new(forward, "interface", json_pack("{s:s}", "@dev", f->device));
    json_object_set_new(network, "forward", forward);
    return 0;
}

static char *make_network(struct vg_request *rq, void *data)
{
    const struct form *f = data;

    if (!f->name) {
        vg_error_set(vg_request_error(rq), VG_E_MISSING_KEY, "'name' is missing");
        return NULL;
    }
    if (!*f->name || strpbrk(f->name, "/\n")) {
        vg_args_fail_member(rq, "name", "a name without '/' and line feed");
        return NULL;
    }
    if (f->uuid && !vg_is_uuid(f->uuid)) {
        vg_args_fail_member(rq, "uuid", "a UUID");
        return NULL;
    }
    json_auto_t *document =
        json_pack("{s:{s:s, s:s*}}", "network", "name", f->name, "uuid", f->uuid);
    json_t *network = json_object_get(document, "network");
    if (!network) {
        vg_error_set_memory(vg_request_error(rq));
        return NULL;
    }
    bool own = f->mode != BRIDGE && f->mode != MACVTAP;
    if ((own ? add_own(rq, f, network) : add_foreign(rq, f, network)) < 0)
        return NULL;
    return vg_xml_from_json(document, vg_request_error(rq));
}

/* {"name": "lab", "mode": "nat", "subnet": "192.168.50.0/24", "start": true} */
static struct vg_reply define_network(struct vg_request *rq)
{
    struct form f = {.mode = NAT};
    const struct vg_field fields[] = {
        VG_TEXT("name", &f.name),
        VG_TEXT("uuid", &f.uuid),
        VG_ONE_OF("mode", &f.mode, &modes),
        VG_TEXT("subnet", &f.subnet),
        VG_TEXT("ipv6Subnet", &f.ipv6_subnet),
        VG_TEXT("domain", &f.domain),
        VG_TEXT("bridge", &f.bridge),
        VG_TEXT("device", &f.device),
        VG_JSON("dhcp", &f.dhcp),
        VG_END,
    };
    return vg_object_post_form(
        rq, &(struct vg_object_form){.fields = fields, .make = make_network, .form = &f});
}

/* clang-format off */
const struct vg_route vg_routes_network_create[] = {
    {VG_POST, "/networks", "defineNetwork", define_network,
     .needs = "connect:search_networks connect:search_interfaces network:getattr network:read "
              "network:write network:save network:start network:delete interface:read "
              "gateway:document",
     .takes = VG_TAKES_XML},
    {0},
};
/* clang-format on */
