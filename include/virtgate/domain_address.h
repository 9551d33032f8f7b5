/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The network addresses of a running guest, from all who may know them: the DHCP leases
 * of libvirt's networks, the guest's agent, the host's ARP table.
 */
#pragma once

#include "virtgate/json.h"
#include "virtgate/request.h"

struct _virDomain;          /* a virDomainPtr's */
struct _virDomainInterface; /* a virDomainInterfacePtr's */

/* What each virDomainInterfaceAddressesSource knows; owned: vg_auto_addresses. */
struct vg_domain_addresses {
    struct {
        struct _virDomainInterface **v;
        int n;
    } of[3];
};
void vg_domain_addresses_clear(struct vg_domain_addresses *addresses);
#define vg_auto_addresses                                                                \
    __attribute__((cleanup(vg_domain_addresses_clear))) struct vg_domain_addresses

/* Asks each source (virDomainInterfaceAddresses) once; `ret` is empty before. The agent
 * is asked where the domain's XML says that it is connected and the caller may
 * (domain:write): it may take seconds, and where it hangs, as long as the call may. A
 * source that cannot tell tells nothing, unless none can. -1: the request's error is set;
 * of a domain that does not run it is libvirt's VIR_ERR_OPERATION_INVALID. */
int vg_domain_addresses(struct vg_request *rq, struct _virDomain *dom,
                        struct vg_domain_addresses *ret);

/* The same of one source, virDomainInterfaceAddressesSource, whatever the XML says. */
int vg_domain_addresses_from(struct vg_request *rq, struct _virDomain *dom, int source,
                             struct vg_domain_addresses *ret);

/* Whether the guest can be reached from elsewhere: one address is neither of the loopback
 * nor link-local. */
bool vg_domain_addresses_reach(const struct vg_domain_addresses *addresses);

/* Writes the array `interfaces`: one member for each MAC address, with the addresses that
 * any source knows, each once and with its `source`, which is the first that has it.
 * `whole`: also the guest's loopback, which only its agent knows. */
void vg_domain_addresses_write(struct vg_json *w,
                               const struct vg_domain_addresses *addresses, bool whole);
