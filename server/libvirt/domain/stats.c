/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See virtgate/domain_stats.h.
 */
#include "virtgate/domain_stats.h"

#include "server/base/clock.h"
#include "server/core/identity.h"
#include "server/core/request.h"
#include "server/libvirt/domain/figures.h"
#include "server/libvirt/host.h"
#include "virtgate/host.h"
#include "virtgate/scope.h"

#include <libvirt/virterror.h>

static int read_once(virConnectPtr conn, virDomainPtr *chosen, unsigned int groups,
                     unsigned int flags, struct vg_stats_list *ret)
{
    ret->n = chosen ? virDomainListGetStats(chosen, groups, &ret->v, flags)
                    : virConnectGetAllDomainStats(conn, groups, &ret->v, flags);
    return ret->n;
}

/* Whether libvirt's last error may be one guest's: not where the connection broke, or the
 * driver would say the same again. */
static bool may_be_one(void)
{
    const virError *e = virGetLastError();
    return e && e->domain != VIR_FROM_RPC && e->code != VIR_ERR_NO_SUPPORT &&
           e->code != VIR_ERR_ARGUMENT_UNSUPPORTED && e->code != VIR_ERR_INVALID_ARG;
}

/* Those flags that say which domains mean the same to virConnectListAllDomains(). */
#define FILTER                                                                           \
    (VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE |                                          \
     VIR_CONNECT_GET_ALL_DOMAINS_STATS_INACTIVE |                                        \
     VIR_CONNECT_GET_ALL_DOMAINS_STATS_PERSISTENT |                                      \
     VIR_CONNECT_GET_ALL_DOMAINS_STATS_TRANSIENT |                                       \
     VIR_CONNECT_GET_ALL_DOMAINS_STATS_RUNNING |                                         \
     VIR_CONNECT_GET_ALL_DOMAINS_STATS_PAUSED |                                          \
     VIR_CONNECT_GET_ALL_DOMAINS_STATS_SHUTOFF |                                         \
     VIR_CONNECT_GET_ALL_DOMAINS_STATS_OTHER)

/* Adds the record of one domain, if it has one. -1: the connection broke. */
static int add_one(virDomainPtr dom, unsigned int groups, unsigned int flags,
                   struct vg_stats_list *all)
{
    virDomainPtr one[] = {dom, NULL};
    virDomainStatsRecordPtr *v = NULL;
    int n = virDomainListGetStats(one, groups, &v, flags);

    if (n < 0)
        return may_be_one() ? 0 : -1;
    if (n == 0) {
        virDomainStatsRecordListFree(v);
        return 0;
    }
    all->v[all->n++] = v[0];
    free(v); /* the array alone: what it holds has moved */
    return 0;
}

/* Each alone. -1: the connection broke. No memory, and no domain, are an empty list. */
static int read_each(virDomainPtr *doms, int n, unsigned int groups, unsigned int flags,
                     struct vg_stats_list *ret)
{
    ret->n = 0;
    ret->v = calloc((size_t)n + 1, sizeof(*ret->v)); /* it ends with NULL */
    for (int i = 0; ret->v && i < n; i++)
        if (add_one(doms[i], groups, flags, ret) < 0)
            return -1;
    return 0;
}

static int count(virDomainPtr *doms)
{
    int n = 0;
    while (doms[n])
        n++;
    return n;
}

static int read_one_by_one(virConnectPtr conn, virDomainPtr *chosen, unsigned int groups,
                           unsigned int flags, struct vg_stats_list *ret)
{
    if (chosen)
        return read_each(chosen, count(chosen), groups, flags, ret);
    vg_autolist(domain) all = {0};
    all.n = virConnectListAllDomains(conn, &all.v, flags & FILTER);
    return all.n < 0
               ? -1
               : read_each(all.v, all.n, groups, flags & ~(unsigned int)FILTER, ret);
}

static int read_from_host(struct vg_request *rq, virDomainPtr *chosen,
                          unsigned int groups, unsigned int flags,
                          struct vg_stats_list *ret)
{
    virConnectPtr conn = vg_conn(rq);

    VG_PATIENCE(rq, flags & VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
    for (int i = 0; i < 2; i++)
        if (read_once(conn, chosen, groups, flags, ret) >= 0 || !may_be_one())
            return ret->n;
    if (read_one_by_one(conn, chosen, groups, flags, ret) == 0 && ret->n)
        return ret->n;
    vg_stats_list_clean(ret);
    *ret = (struct vg_stats_list){0};
    return read_once(conn, chosen, groups, flags,
                     ret); /* with its error, if it has one */
}

/* Whatever is read of all domains is a sample of the host's history, too; but not what
 * libvirt shows one caller. */
static int read_records(struct vg_request *rq, virDomainPtr *chosen, unsigned int groups,
                        unsigned int flags, struct vg_stats_list *ret)
{
    struct vg_history *history = vg_host_history(rq->host);
    const struct vg_identity gateway = {0}, caller = vg_identity_of(rq);
    int64_t now_ns = vg_now_ns();
    bool whole = !chosen && vg_identity_same(&gateway, &caller) && !(flags & FILTER) &&
                 (!groups || (groups & VG_FIGURES_GROUPS) == VG_FIGURES_GROUPS);

    int n = read_from_host(rq, chosen, groups, flags, ret);
    if (n >= 0 && whole && history)
        vg_figures_take(history, ret, now_ns);
    return n;
}

int vg_domain_stats_read_all(struct vg_request *rq, unsigned int groups,
                             unsigned int flags, struct vg_stats_list *ret)
{
    return read_records(rq, NULL, groups, flags, ret);
}

/* Takes away the records of domains that the caller may not see; of all, as libvirt's own
 * access control does, where it may not read domains. */
static void drop_hidden(const struct vg_request *rq, bool reads,
                        struct vg_stats_list *list)
{
    int kept = 0;

    for (int i = 0; i < list->n; i++) {
        virDomainStatsRecordPtr record = list->v[i];
        if (reads && vg_sees_domain(rq, virDomainGetName(record->dom))) {
            list->v[kept++] = record;
            continue;
        }
        virTypedParamsFree(record->params, record->nparams);
        virDomainFree(record->dom);
        free(record);
    }
    if (list->v)
        list->v[kept] = NULL; /* the list ends with it */
    list->n = kept;
}

int vg_domain_stats_read(struct vg_request *rq, virDomainPtr *chosen, unsigned int groups,
                         unsigned int flags, struct vg_stats_list *ret)
{
    int n = read_records(rq, chosen, groups, flags, ret);

    bool reads = vg_request_may(rq, VG_STATS_NEED);

    if (n < 0 || (reads && vg_sees_all_domains(rq)))
        return n;
    drop_hidden(rq, reads, ret);
    return ret->n;
}
