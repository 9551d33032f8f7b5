/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * GET /domain-stats (one virConnectGetAllDomainStats for all), POST /domain-stats and
 * GET /domains/{domain}/stats (virDomainListGetStats): libvirt's typed parameters as
 * JSON, and beside them what the history knows of rates.
 */
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/domain.h"
#include "virtgate/domain_stats.h"
#include "virtgate/history.h"
#include "virtgate/host.h"
#include "virtgate/object.h"
#include "virtgate/params.h"

#include <stdio.h>
#include <string.h>

/* Domains that one request may name: each costs a call to find it. */
#define MAX_CHOSEN 1000

/* The numbers of state.state and state.reason become names, like everywhere. */
static void write_state(struct vg_json *w, const json_t *state)
{
    vg_json_begin_object(w, "state");
    vg_domain_write_state(w, "state", "reason",
                          (int)json_integer_value(json_object_get(state, "state")),
                          (int)json_integer_value(json_object_get(state, "reason")));
    vg_json_end_object(w);
}

static int write_record(struct vg_request *rq, struct vg_json *w, const char *key,
                        const virDomainStatsRecord *record)
{
    json_auto_t *stats = vg_params_to_json(record->params, record->nparams);
    const char *group;
    json_t *value;

    if (!stats)
        return vg_error_set_memory(vg_request_error(rq));
    vg_json_begin_object(w, key);
    vg_domain_write_identity(w, record->dom);
    vg_json_begin_object(w, "stats");
    json_object_foreach (stats, group, value) {
        if (strcmp(group, "state") == 0)
            write_state(w, value);
        else
            vg_json_value(w, group, value);
    }
    vg_json_end_object(w);
    vg_history_write_rates(rq, w, record->dom);
    vg_json_end_object(w);
    return 0;
}

#define WAIT   vg_enum_virConnectGetAllDomainStatsFlags_wait
#define NOWAIT VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT

/* What is asked for. Of many domains nobody waits for one unless `wait` says so. */
struct query {
    unsigned int groups, flags;
    bool nowait; /* unless a flag says it */
};

/* ?groups=state,balloon&flags=wait, and what one row has more: VG_END for nothing. */
static int read_args(struct vg_request *rq, struct query *q, struct vg_field more)
{
    const struct vg_field args[] = {
        VG_FLAGS("groups", &q->groups, virDomainStatsTypes),
        VG_FLAGS("flags", &q->flags, virConnectGetAllDomainStatsFlags),
        VG_BOOL("nowait", &q->nowait),
        more,
        VG_END,
    };

    if (vg_args(rq, args) < 0)
        return -1;
    if (q->flags & WAIT && q->flags & NOWAIT)
        return vg_fail_value(rq, "The flags 'wait' and 'nowait' exclude each other");
    if (q->nowait && !(q->flags & WAIT))
        q->flags |= NOWAIT;
    q->flags &= ~(unsigned int)WAIT;
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(virDomainGetName((*(const virDomainStatsRecordPtr *)a)->dom),
                  virDomainGetName((*(const virDomainStatsRecordPtr *)b)->dom));
}

static struct vg_reply reply_list(struct vg_request *rq, const struct vg_stats_list *list)
{
    vg_auto_json w = vg_json_for(rq);

    vg_json_begin_object(&w, NULL);
    vg_json_begin_array(&w, "domains");
    for (int i = 0; i < list->n; i++)
        if (write_record(rq, &w, NULL, list->v[i]) < 0)
            return vg_fail(rq);
    vg_json_end_array(&w);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

/* Those of the call's flags that say which domains, as the states of GET /domains. */
#define STATE(name, flag)                                                                \
    {                                                                                    \
        name, NULL, VIR_CONNECT_GET_ALL_DOMAINS_STATS_##flag                             \
    }
static const struct vg_enum_value state_names[] = {
    STATE("active", ACTIVE), STATE("inactive", INACTIVE), STATE("running", RUNNING),
    STATE("paused", PAUSED), STATE("shutoff", SHUTOFF),   STATE("other", OTHER)};
static const struct vg_enum states = {"states", state_names,
                                      sizeof(state_names) / sizeof(state_names[0])};

static struct vg_reply list_stats(struct vg_request *rq)
{
    struct query q = {.nowait = true};
    unsigned int state = 0;
    vg_autolist(stats) list = {0};

    if (read_args(rq, &q, (struct vg_field)VG_NAMES("state", &state, &states)) < 0)
        return vg_fail(rq);
    if (vg_domain_stats_read(rq, NULL, q.groups, q.flags | state, &list) < 0)
        return vg_fail_virt(rq);
    if (list.n > 1)
        qsort(list.v, (size_t)list.n, sizeof(virDomainStatsRecordPtr), compare_names);
    return reply_list(rq, &list);
}

/* ---- of some ----------------------------------------------------------------------- */

/* Each by id, name or UUID, as in paths; a number is an id. -1: the request's error. */
static int add_chosen(struct vg_request *rq, const json_t *item,
                      struct vg_domain_list *chosen)
{
    char id[24] = "";
    if (json_is_integer(item))
        snprintf(id, sizeof(id), "%lld", (long long)json_integer_value(item));
    const char *name = id[0] ? id : json_string_value(item);
    if (!name || !*name) {
        vg_error_set(
            vg_request_error(rq), VG_E_INVALID_VALUE,
            "Body member 'domains': an array of ids, names and UUIDs is accepted");
        return -1;
    }
    virDomainPtr dom = vg_find_domain(rq, name);
    if (!dom)
        return -1;
    chosen->v[chosen->n++] = dom;
    return 0;
}

static int find_chosen(struct vg_request *rq, const json_t *names,
                       struct vg_domain_list *chosen)
{
    size_t i, n = json_array_size(names);
    const json_t *item;

    if (n == 0 || n > MAX_CHOSEN)
        return vg_fail_value(rq, "Body member 'domains': an array of 1 to %d is accepted",
                             MAX_CHOSEN);
    /* ended by NULL, as virDomainListGetStats wants them */
    chosen->v = calloc(n + 1, sizeof(virDomainPtr));
    if (!chosen->v)
        return vg_error_set_memory(vg_request_error(rq));
    json_array_foreach (names, i, item)
        if (add_chosen(rq, item, chosen) < 0)
            return -1;
    return 0;
}

/* {"domains": ["web1", 7], "groups": ["balloon"]}: a list too long for a query. */
static struct vg_reply query_stats(struct vg_request *rq)
{
    struct query q = {.nowait = true};
    json_t *names = NULL;
    vg_autolist(domain) chosen = {0};
    vg_autolist(stats) list = {0};

    const struct vg_field domains = {
        .name = "domains", .kind = VG_FIELD_JSON, .ret = &names, .required = true};

    if (read_args(rq, &q, domains) < 0 || find_chosen(rq, names, &chosen) < 0 ||
        vg_request_ask(rq, VG_STATS_NEED, "Statistics are read") < 0)
        return vg_fail(rq);
    if (vg_domain_stats_read(rq, chosen.v, q.groups, q.flags, &list) < 0)
        return vg_fail_virt(rq);
    return reply_list(rq, &list);
}

/* Of one: it is waited for, as nobody else is held up. */
static struct vg_reply get_stats(struct vg_request *rq)
{
    struct query q = {0};
    vg_autolist(stats) list = {0};

    if (read_args(rq, &q, (struct vg_field)VG_END) < 0)
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom || vg_request_ask(rq, VG_STATS_NEED, "Statistics are read") < 0)
        return vg_fail(rq);
    virDomainPtr one[] = {dom, NULL};
    list.n = virDomainListGetStats(one, q.groups, &list.v, q.flags);
    if (list.n < 0)
        return vg_fail_virt(rq);
    vg_auto_json w = vg_json_for(rq);
    if (list.n == 0) {
        /* undefined since the lookup, or not what ?flags= asked for */
        vg_error_set(vg_request_error(rq), VG_E_NOT_FOUND,
                     "The host gives no statistics of this domain with these flags");
        return vg_fail(rq);
    }
    if (write_record(rq, &w, NULL, list.v[0]) < 0)
        return vg_fail(rq);
    return vg_ok_written(rq, &w);
}

/* clang-format off */
const struct vg_route vg_routes_domain_stats[] = {
    {VG_GET, "/domain-stats", "listDomainStats", list_stats,
     .needs = "connect:search_domains", .takes = VG_TAKES_ARGS, .hosts = VG_ONE_OR_ALL_HOSTS,
     .shared = true},
    {VG_POST, "/domain-stats", "queryDomainStats", query_stats,
     .needs = "connect:search_domains domain:getattr", .takes = VG_TAKES_ARGS,
     .changes_nothing = true},
    {VG_GET, "/domains/{domain}/stats", "getDomainStats", get_stats,
     .needs = "connect:search_domains domain:getattr", .takes = VG_TAKES_ARGS, .shared = true},
    {0},
};
/* clang-format on */
