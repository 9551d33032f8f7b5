/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See libvirt/leases.h.
 */
#include "server/libvirt/leases.h"

#include "server/base/clock.h"
#include "server/core/identity.h"
#include "server/core/request.h"
#include "server/libvirt/internal.h"
#include "virtgate/autoptr.h"
#include "virtgate/host.h"

#include <ctype.h>
#include <libvirt/virterror.h>
#include <string.h>

VG_AUTOLIST_DEFINE(network, virNetwork, virNetworkFree)
VG_AUTOLIST_DEFINE(lease, virNetworkDHCPLease, virNetworkDHCPLeaseFree)

struct vg_leases {
    pthread_mutex_t lock;
    struct vg_lease_table *table; /* counted; NULL: none yet */
};

struct vg_leases *vg_leases_new(void)
{
    struct vg_leases *leases = calloc(1, sizeof(*leases));
    if (leases)
        pthread_mutex_init(&leases->lock, NULL);
    return leases;
}

void vg_leases_free(struct vg_leases *leases)
{
    if (!leases)
        return;
    vg_lease_table_unref(leases->table);
    pthread_mutex_destroy(&leases->lock);
    free(leases);
}

void vg_lease_table_unref(struct vg_lease_table *table)
{
    if (!table || atomic_fetch_sub(&table->refs, 1) != 1)
        return;
    for (size_t i = 0; i < table->n; i++) {
        free(table->v[i].mac);
        free(table->v[i].address);
    }
    free(table->v);
    free(table);
}

static struct vg_lease_table *ref(struct vg_lease_table *table)
{
    if (table)
        atomic_fetch_add(&table->refs, 1);
    return table;
}

/* ---- looking up -------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    const struct vg_lease *one = a, *other = b;
    int order = strcmp(one->mac, other->mac);
    return order ? order : strcmp(one->address, other->address);
}

static int compare_mac(const struct vg_lease *lease, const char *mac, size_t n)
{
    int order = strncmp(lease->mac, mac, n);
    return order ? order : lease->mac[n] != '\0';
}

const struct vg_lease *vg_lease_table_find(const struct vg_lease_table *table,
                                           const char *mac, size_t n, size_t *ret_n)
{
    size_t from = 0, to = table->n;

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (compare_mac(&table->v[middle], mac, n) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    for (*ret_n = 0; from + *ret_n < table->n; ++*ret_n)
        if (compare_mac(&table->v[from + *ret_n], mac, n) != 0)
            break;
    return &table->v[from];
}

/* ---- asking ------------------------------------------------------------------------ */

/* -1: out of memory. */
static int add_lease(struct vg_lease_table *table, const virNetworkDHCPLease *lease)
{
    struct vg_lease *v = reallocarray(table->v, table->n + 1, sizeof(*v));

    if (!v)
        return -1;
    table->v = v;
    struct vg_lease *added = &v[table->n++];
    *added = (struct vg_lease){.mac = strdup(lease->mac),
                               .address = strdup(lease->ipaddr),
                               .type = lease->type,
                               .prefix = lease->prefix};
    for (char *c = added->mac; c && *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return added->mac && added->address ? 0 : -1;
}

/* Whether libvirt's last error is of the connection, and not the answer of a host that
 * has no such thing, or has it no longer. */
static bool is_lost(void)
{
    const virError *e = virGetLastError();
    return e && e->domain == VIR_FROM_RPC;
}

/* Those of one network; 1: the driver has none. -1: as vg_leases_get(). */
static int add_network(struct vg_lease_table *table, virNetworkPtr network)
{
    vg_autolist(lease) leases = {0};

    leases.n = virNetworkGetDHCPLeases(network, NULL, &leases.v, 0);
    if (leases.n < 0 && virGetLastErrorCode() == VIR_ERR_NO_SUPPORT)
        return 1;
    if (leases.n < 0)
        return is_lost() ? -1 : 0; /* it has just ended */
    for (int i = 0; i < leases.n; i++)
        if (leases.v[i]->mac && leases.v[i]->ipaddr && add_lease(table, leases.v[i]) < 0)
            return -1;
    return 0;
}

static int add_all(struct vg_lease_table *table, virConnectPtr conn)
{
    vg_autolist(network) networks = {0};
    int rc = 0;

    networks.n =
        virConnectListAllNetworks(conn, &networks.v, VIR_CONNECT_LIST_NETWORKS_ACTIVE);
    if (networks.n < 0)
        return is_lost() ? -1 : 1;
    for (int i = 0; i < networks.n && rc == 0; i++)
        rc = add_network(table, networks.v[i]);
    if (rc == 0 && table->n)
        qsort(table->v, table->n, sizeof(*table->v), compare);
    return rc;
}

/* What is told of one caller is not for others. */
static bool is_shared(const struct vg_request *rq)
{
    return rq->reading.generation && !vg_identity_passes();
}

static void share(struct vg_leases *leases, struct vg_lease_table *table)
{
    VG_LOCK(&leases->lock);
    struct vg_lease_table *old = leases->table;

    if (old && old->read_ns > table->read_ns)
        return;
    leases->table = ref(table);
    vg_lease_table_unref(old);
}

/* NULL: it is too old. */
static struct vg_lease_table *find_shared(const struct vg_request *rq)
{
    struct vg_leases *leases = rq->host->leases;
    const int64_t limit = VG_LEASES_SECONDS * VG_SECOND_NS;

    if (rq->fresh || !is_shared(rq))
        return NULL;
    VG_LOCK(&leases->lock);
    return leases->table && vg_now_ns() - leases->table->read_ns < limit
               ? ref(leases->table)
               : NULL;
}

int vg_leases_get(struct vg_request *rq, struct vg_lease_table **ret)
{
    *ret = find_shared(rq);
    if (*ret)
        return 0;
    if (vg_on_fast_queue(rq))
        return 1;
    vg_auto_lease_table *table = calloc(1, sizeof(*table));
    if (!table)
        return -1;
    atomic_init(&table->refs, 1);
    table->read_ns = vg_now_ns();
    int rc = add_all(table, vg_conn(rq));
    if (rc != 0)
        return rc < 0 ? -1 : 0;
    if (is_shared(rq))
        share(rq->host->leases, table);
    *ret = vg_take(&table);
    return 0;
}
