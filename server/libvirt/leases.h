/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The DHCP leases of all active networks of a host, by MAC address: what tells a list of
 * guests their addresses. No event tells of a lease, so a table is shared for a few
 * seconds, and then read again by who asks.
 */
#pragma once

#include "virtgate/request.h"

#include <stdatomic.h>

/* How old a table may be that is given to others. */
#define VG_LEASES_SECONDS 3

struct vg_lease {
    char *mac, *address; /* owned; the MAC address in lower case */
    int type;            /* virIPAddrType */
    unsigned int prefix;
};

/* Never changed once it is made. */
struct vg_lease_table {
    atomic_uint refs;
    int64_t read_ns;    /* when the host was asked */
    struct vg_lease *v; /* sorted by MAC address; owned */
    size_t n;
};
void vg_lease_table_unref(struct vg_lease_table *table);
static inline void vg_lease_table_clean(struct vg_lease_table **table)
{
    vg_lease_table_unref(*table);
}
#define vg_auto_lease_table VG_CLEANUP(vg_lease_table_clean) struct vg_lease_table

/* The first lease of the MAC address, which has `n` characters; *ret_n of them. */
const struct vg_lease *vg_lease_table_find(const struct vg_lease_table *table,
                                           const char *mac, size_t n, size_t *ret_n);

struct vg_leases;
struct vg_leases *vg_leases_new(void);
void vg_leases_free(struct vg_leases *leases);

/* Those of the request's host into *ret, counted: a table that is young enough, unless
 * the request wants a fresh one, or by virConnectListAllNetworks and
 * virNetworkGetDHCPLeases of each. NULL: its driver has none, or cannot tell now. 1: the
 * host has to be asked, and the request's worker is to ask nothing that can block. -1:
 * libvirt's last error, or out of memory. */
int vg_leases_get(struct vg_request *rq, struct vg_lease_table **ret);
