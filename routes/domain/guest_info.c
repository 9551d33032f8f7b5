/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /domains/{domain}/hostname, addresses: what a guest is called and where it is reached,
 * as its agent, the DHCP leases or the host's ARP table know it.
 */
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/domain_address.h"
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

/* ?wait=SECONDS, of all sources or of one. */
static struct vg_reply list_addresses(struct vg_request *rq)
{
    int source = -1;
    int64_t wait = 0;
    vg_auto_addresses list = {0};
    const struct vg_field args[] = {
        VG_ENUM("source", &source, virDomainInterfaceAddressesSource),
        VG_NUMBER("wait", &wait, 0, VG_WAIT_MAX),
        VG_END,
    };

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    if (source == VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT &&
        vg_request_ask(rq, "domain:write", "This asks the guest's agent") < 0)
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom || (source < 0 ? vg_domain_addresses(rq, dom, &list)
                            : vg_domain_addresses_from(rq, dom, source, &list)) < 0)
        return vg_fail(rq);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_domain_addresses_write(&w, &list, source >= 0);
    vg_json_end_object(&w);
    struct vg_reply reply = vg_ok_written(rq, &w);
    return vg_domain_addresses_reach(&list) ? reply : vg_not_yet(reply, wait);
}

/* clang-format off */
const struct vg_route vg_routes_domain_guest_info[] = {
    {VG_GET, "/domains/{domain}/hostname", "getDomainHostname", get_hostname,
     .needs = "domain:getattr domain:write", .runs_on = VG_ON_AGENT_BY_DEFAULT,
     .takes = VG_TAKES_ARGS, .shared = true},
    {VG_GET, "/domains/{domain}/addresses", "listDomainAddresses", list_addresses,
     .needs = "domain:getattr domain:read", .runs_on = VG_ON_AGENT_BY_DEFAULT,
     .takes = VG_TAKES_ARGS, .shared = true},
    {0},
};
/* clang-format on */
