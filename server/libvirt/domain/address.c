/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The addresses of a guest, from three sources. See include/virtgate/domain_address.h.
 * What the agent tells is as long as the guest likes: it is compared with the few that
 * the host knows, never with itself.
 */
#include "virtgate/domain_address.h"

#include "virtgate/cleanup.h"
#include "virtgate/device.h"
#include "virtgate/enum.h"
#include "virtgate/error.h"

#include <arpa/inet.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <strings.h>

#define LEASE   VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE
#define AGENT   VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT
#define ARP     VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP
#define SOURCES (ARP + 1)

_Static_assert(SOURCES == 3, "domain_address.h has as many");

void vg_domain_addresses_clear(struct vg_domain_addresses *addresses)
{
    for (int source = 0; source < SOURCES; source++) {
        for (int i = 0; i < addresses->of[source].n; i++)
            virDomainInterfaceFree(addresses->of[source].v[i]);
        free(addresses->of[source].v);
    }
    *addresses = (struct vg_domain_addresses){0};
}

/* ---- asking ------------------------------------------------------------------------ */

static int ask(virDomainPtr dom, int source, struct vg_domain_addresses *ret,
               struct vg_error *reterr)
{
    int n = virDomainInterfaceAddresses(dom, &ret->of[source].v, (unsigned int)source, 0);
    if (n < 0)
        return vg_error_set_virt(reterr);
    ret->of[source].n = n;
    return 0;
}

int vg_domain_addresses_from(struct vg_request *rq, virDomainPtr dom, int source,
                             struct vg_domain_addresses *ret)
{
    return ask(dom, source, ret, vg_request_error(rq));
}

/* Whether this says that the domain cannot be asked at all. */
static bool is_final(const struct vg_error *e)
{
    return e->transport || vg_error_is_virt(e, VIR_ERR_NO_DOMAIN) ||
           vg_error_is_virt(e, VIR_ERR_OPERATION_INVALID);
}

/* -1: *reterr. */
static int may_ask_agent(struct vg_request *rq, virDomainPtr dom, bool *ret,
                         struct vg_error *reterr)
{
    *ret = vg_request_may(rq, "domain:write");
    if (!*ret)
        return 0;
    vg_auto_devices *devices = vg_devices_read(dom, 0, reterr);
    *ret = devices && vg_devices_agent_is_connected(devices);
    return devices ? 0 : -1;
}

int vg_domain_addresses(struct vg_request *rq, virDomainPtr dom,
                        struct vg_domain_addresses *ret)
{
    struct vg_error *e = vg_request_error(rq);
    bool told = false, agent;

    if (may_ask_agent(rq, dom, &agent, e) < 0)
        return -1;
    for (int source = 0; source < SOURCES; source++) {
        if (source == AGENT && !agent)
            continue;
        vg_error_clear(e);
        if (ask(dom, source, ret, e) == 0)
            told = true;
        else if (e->transport || (source != AGENT && is_final(e)))
            return -1;
    }
    if (told)
        vg_error_clear(e);
    return told ? 0 : -1;
}

/* ---- what they are ----------------------------------------------------------------- */

static bool is_loopback(const virDomainIPAddress *address)
{
    return strncmp(address->addr, "127.", 4) == 0 || strcmp(address->addr, "::1") == 0;
}

static bool is_link_local(const virDomainIPAddress *address)
{
    struct in6_addr ip;
    if (address->type != VIR_IP_ADDR_TYPE_IPV6)
        return strncmp(address->addr, "169.254.", 8) == 0;
    return inet_pton(AF_INET6, address->addr, &ip) == 1 && IN6_IS_ADDR_LINKLOCAL(&ip);
}

bool vg_domain_addresses_reach(const struct vg_domain_addresses *addresses)
{
    for (int source = 0; source < SOURCES; source++)
        for (int i = 0; i < addresses->of[source].n; i++) {
            const virDomainInterface *iface = addresses->of[source].v[i];
            for (unsigned int k = 0; k < iface->naddrs; k++)
                if (!is_loopback(&iface->addrs[k]) && !is_link_local(&iface->addrs[k]))
                    return true;
        }
    return false;
}

/* ---- one list of them -------------------------------------------------------------- */

/* Guests name their interfaces otherwise than the host does. */
static bool is_same(const virDomainInterface *a, const virDomainInterface *b)
{
    return a->hwaddr && b->hwaddr && strcasecmp(a->hwaddr, b->hwaddr) == 0;
}

/* Whether a source before `source` knows the interface, and the address if one is given.
 */
static bool is_known(const struct vg_domain_addresses *all, int source,
                     const virDomainInterface *iface, const virDomainIPAddress *address)
{
    for (int s = 0; s < source; s++)
        for (int i = 0; i < all->of[s].n; i++) {
            const virDomainInterface *other = all->of[s].v[i];
            if (!is_same(other, iface))
                continue;
            bool known = !address;
            for (unsigned int k = 0; address && k < other->naddrs && !known; k++)
                known = strcmp(other->addrs[k].addr, address->addr) == 0;
            if (known)
                return true;
        }
    return false;
}

static void write_addresses(struct vg_json *w, const struct vg_domain_addresses *all,
                            int source, const virDomainInterface *iface)
{
    for (unsigned int i = 0; i < iface->naddrs; i++) {
        const virDomainIPAddress *address = &iface->addrs[i];
        if (is_known(all, source, iface, address))
            continue;
        vg_json_begin_object(w, NULL);
        vg_json_enum(w, "type", &vg_enum_virIPAddrType, address->type);
        vg_json_string(w, "address", address->addr);
        vg_json_uint(w, "prefix", address->prefix);
        vg_json_enum(w, "source", &vg_enum_virDomainInterfaceAddressesSource, source);
        vg_json_end_object(w);
    }
}

/* With what later sources know of it. */
static void write_interface(struct vg_json *w, const struct vg_domain_addresses *all,
                            int source, const virDomainInterface *iface)
{
    vg_json_begin_object(w, NULL);
    vg_json_string(w, "name", iface->name);
    vg_json_string(w, "mac", iface->hwaddr);
    vg_json_begin_array(w, "addresses");
    write_addresses(w, all, source, iface);
    for (int s = source + 1; s < SOURCES; s++)
        for (int i = 0; i < all->of[s].n; i++)
            if (is_same(all->of[s].v[i], iface))
                write_addresses(w, all, s, all->of[s].v[i]);
    vg_json_end_array(w);
    vg_json_end_object(w);
}

static bool is_loopback_alone(const virDomainInterface *iface)
{
    for (unsigned int i = 0; i < iface->naddrs; i++)
        if (!is_loopback(&iface->addrs[i]))
            return false;
    return iface->naddrs > 0;
}

void vg_domain_addresses_write(struct vg_json *w,
                               const struct vg_domain_addresses *addresses, bool whole)
{
    vg_json_begin_array(w, "interfaces");
    for (int source = 0; source < SOURCES; source++)
        for (int i = 0; i < addresses->of[source].n; i++) {
            const virDomainInterface *iface = addresses->of[source].v[i];
            if ((whole || !is_loopback_alone(iface)) &&
                !is_known(addresses, source, iface, NULL))
                write_interface(w, addresses, source, iface);
        }
    vg_json_end_array(w);
}
