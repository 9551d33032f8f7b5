/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /domains/{domain}/hostname, addresses: what a guest is called and where it is reached,
 * as its agent, the DHCP leases or the host's ARP table know it.
 */
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/object.h"

/* ?source=agent, the same as ?flags=agent */
static struct vg_reply get_hostname(struct vg_request *rq)
{
    int source = 0;
    unsigned int flags = 0;
    const struct vg_field args[] = {
        VG_ENUM("source", &source, virDomainGetHostnameFlags),
        VG_FLAGS("flags", &flags, virDomainGetHostnameFlags),
        VG_END,
    };

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    vg_autofree char *hostname = virDomainGetHostname(dom, flags | (unsigned int)source);
    if (!hostname)
        return vg_fail_virt(rq);
    return vg_ok(rq, json_pack("{s:o}", "hostname", vg_json_text(hostname)));
}

VG_AUTOLIST_DEFINE(interface, virDomainInterface, virDomainInterfaceFree)

static void write_interface(struct vg_json *w, const virDomainInterface *iface)
{
    vg_json_begin_object(w, NULL);
    vg_json_string(w, "name", iface->name);
    vg_json_string(w, "mac", iface->hwaddr);
    vg_json_begin_array(w, "addresses");
    for (unsigned int i = 0; i < iface->naddrs; i++) {
        vg_json_begin_object(w, NULL);
        vg_json_enum(w, "type", &vg_enum_virIPAddrType, iface->addrs[i].type);
        vg_json_string(w, "address", iface->addrs[i].addr);
        vg_json_uint(w, "prefix", iface->addrs[i].prefix);
        vg_json_end_object(w);
    }
    vg_json_end_array(w);
    vg_json_end_object(w);
}

static struct vg_reply list_addresses(struct vg_request *rq)
{
    int source = VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE;
    vg_autolist(interface) list = {0};
    const struct vg_field args[] = {
        VG_ENUM("source", &source, virDomainInterfaceAddressesSource), VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    if (source == VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT &&
        vg_request_ask(rq, "domain:write", "This asks the guest's agent") < 0)
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    list.n = virDomainInterfaceAddresses(dom, &list.v, (unsigned int)source, 0);
    if (list.n < 0)
        return vg_fail_virt(rq);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_begin_array(&w, "interfaces");
    for (int i = 0; i < list.n; i++)
        write_interface(&w, list.v[i]);
    vg_json_end_array(&w);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

/* clang-format off */
const struct vg_route vg_routes_domain_guest_info[] = {
    {VG_GET, "/domains/{domain}/hostname", "getDomainHostname", get_hostname,
     .needs = "domain:getattr domain:write", .runs_on = VG_ON_AGENT_BY_DEFAULT,
     .takes = VG_TAKES_ARGS, .shared = true},
    {VG_GET, "/domains/{domain}/addresses", "listDomainAddresses", list_addresses,
     .needs = "domain:getattr domain:read", .runs_on = VG_ON_AGENT_IF_NAMED,
     .takes = VG_TAKES_ARGS, .shared = true},
    {0},
};
/* clang-format on */
