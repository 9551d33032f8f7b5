/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Lists of domains. One costs virConnectGetAllDomainStats and a filtered
 * virConnectListAllDomains for each yes-or-no field: never a call for each domain.
 */
#include "server/base/digits.h"
#include "server/core/identity.h"
#include "server/core/scope.h"
#include "server/libvirt/domain/set.h"
#include "server/libvirt/domain/data.h"
#include "server/libvirt/domain/cache.h"
#include "server/libvirt/domain/last_event.h"
#include "server/libvirt/internal.h"
#include "virtgate/autoptr.h"
#include "virtgate/domain_stats.h"
#include "virtgate/host.h"

#include <libvirt/virterror.h>
#include <string.h>

/* ---- lists ------------------------------------------------------------------------- */

struct list {
    struct vg_domain_data *v;
    size_t n;
    struct vg_stats_list records;
    struct vg_domain_list handles; /* when the driver has no statistics */
};

static void free_list(struct list *list)
{
    for (size_t i = 0; i < list->n; i++)
        vg_xml_domain_clear(&list->v[i].xml);
    free(list->v);
    vg_stats_list_clean(&list->records);
    vg_domain_list_clean(&list->handles);
}
#define auto_list VG_CLEANUP(free_list) struct list

#define FROM_EACH (VG_DOMAIN_UPDATED | VG_DOCUMENT_FIELDS)

/* What libvirtd itself knows of all is what a filter or the state group tells. */
bool vg_domain_asks_each(unsigned int fields)
{
    const unsigned int known = VG_DOMAIN_BRIEF | VG_DOMAIN_AUTOSTART |
                               VG_DOMAIN_MANAGED_SAVE | VG_DOMAIN_LAST_EVENT |
                               VG_DOCUMENT_FIELDS;
    return fields & ~known;
}

static unsigned int groups_for(unsigned int fields)
{
    unsigned int groups = VIR_DOMAIN_STATS_STATE;
    if (fields & (VG_DOMAIN_MEMORY | VG_DOMAIN_MAX_MEMORY))
        groups |= VIR_DOMAIN_STATS_BALLOON;
    if (fields & (VG_DOMAIN_VCPUS | VG_DOMAIN_MAX_VCPUS))
        groups |= VIR_DOMAIN_STATS_VCPU;
    if (fields & VG_DOMAIN_CPU_TIME)
        groups |= VIR_DOMAIN_STATS_CPU_TOTAL;
    return groups;
}

/* Filters that the statistics call knows; events cover them, too. */
#define STATE_FILTERS                                                                    \
    ((unsigned int)(VIR_CONNECT_LIST_DOMAINS_ACTIVE |                                    \
                    VIR_CONNECT_LIST_DOMAINS_INACTIVE |                                  \
                    VIR_CONNECT_LIST_DOMAINS_PERSISTENT |                                \
                    VIR_CONNECT_LIST_DOMAINS_TRANSIENT |                                 \
                    VIR_CONNECT_LIST_DOMAINS_RUNNING | VIR_CONNECT_LIST_DOMAINS_PAUSED | \
                    VIR_CONNECT_LIST_DOMAINS_SHUTOFF | VIR_CONNECT_LIST_DOMAINS_OTHER))

/* Statistics of all domains that pass libvirt's filter: of all at once where the
 * statistics call knows the filter, else of those that a list call found. */
static int read_records(struct vg_request *rq, unsigned int filter, unsigned int fields,
                        struct list *list)
{
    virConnectPtr conn = vg_conn(rq);
    unsigned int nowait = VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT;
    unsigned int groups = groups_for(fields);

    if ((filter & ~STATE_FILTERS) == 0)
        return vg_domain_stats_read_all(rq, groups, filter | nowait, &list->records);
    list->handles.n = virConnectListAllDomains(conn, &list->handles.v, filter);
    if (list->handles.n <= 0)
        return list->handles.n;
    return vg_domain_stats_read(rq, list->handles.v, groups, nowait, &list->records);
}

/* Whether libvirt's last error is that of a domain that ended since it was listed. */
static bool is_gone(void)
{
    int code = virGetLastErrorCode();
    return code == VIR_ERR_NO_DOMAIN || code == VIR_ERR_OPERATION_INVALID;
}

/* A driver without statistics: a list, and virDomainGetState for each. */
static int read_handles(virConnectPtr conn, unsigned int filter, struct list *list)
{
    if (!list->handles.v)
        list->handles.n = virConnectListAllDomains(conn, &list->handles.v, filter);
    if (list->handles.n < 0)
        return -1;
    list->v = calloc((size_t)list->handles.n + 1, sizeof(*list->v));
    if (!list->v)
        return -1;
    for (int i = 0; i < list->handles.n; i++) {
        struct vg_domain_data *v = &list->v[list->n];
        *v = vg_domain_data_of(list->handles.v[i]);
        if (vg_domain_data_read(v, VG_STATE_FIELDS, false) == 0)
            list->n++;
        else if (!is_gone())
            return -1;
    }
    return 0;
}

static int read_list(struct vg_request *rq, unsigned int filter, unsigned int fields,
                     struct list *list)
{
    if (read_records(rq, filter, fields, list) < 0)
        return vg_domain_data_may_lack() < 0 ? -1
                                             : read_handles(vg_conn(rq), filter, list);
    list->v = calloc((size_t)list->records.n + 1, sizeof(*list->v));
    if (!list->v)
        return -1;
    for (; list->n < (size_t)list->records.n; list->n++) {
        const virDomainStatsRecord *record = list->records.v[list->n];
        struct vg_domain_data *v = &list->v[list->n];
        *v = vg_domain_data_of(record->dom);
        vg_domain_data_take_stats(v, record);
    }
    return 0;
}

/* A yes-or-no field of the whole list. */
static int read_yes_no(virConnectPtr conn, struct list *list, unsigned int fields,
                       enum vg_domain_field field, unsigned int filter)
{
    vg_auto_domain_set set = {0};

    if (!(fields & field))
        return 0;
    if (vg_domain_set_add(&set, conn, filter) < 0)
        return vg_domain_data_may_lack();
    for (size_t i = 0; i < list->n; i++) {
        struct vg_domain_data *v = &list->v[i];
        bool yes = vg_domain_set_has(&set, v->uuid);
        if (field == VG_DOMAIN_AUTOSTART)
            v->autostart = yes;
        else
            v->managed_save = yes;
        v->have |= field;
    }
    return 0;
}

/* Transient ones are asked for before and after the list, so that one which ended or
 * became persistent in between is not shown as what it never was. */
static void set_persistent(struct list *list, const struct vg_domain_set *transient)
{
    for (size_t i = 0; i < list->n; i++) {
        list->v[i].persistent = !vg_domain_set_has(transient, list->v[i].uuid);
        list->v[i].have |= VG_DOMAIN_PERSISTENT;
    }
}

static int read_persistent(struct vg_request *rq, unsigned int filter,
                           unsigned int fields, struct list *list)
{
    virConnectPtr conn = vg_conn(rq);
    vg_auto_domain_set transient = {0};

    if (vg_domain_set_add(&transient, conn, VIR_CONNECT_LIST_DOMAINS_TRANSIENT) < 0 ||
        read_list(rq, filter, fields, list) < 0 ||
        vg_domain_set_add(&transient, conn, VIR_CONNECT_LIST_DOMAINS_TRANSIENT) < 0)
        return -1;
    set_persistent(list, &transient);
    vg_domain_cache_keep_persistent(rq, list->v, list->n);
    return 0;
}

static int fill_list(struct vg_request *rq, unsigned int filter, unsigned int fields,
                     struct list *list)
{
    virConnectPtr conn = vg_conn(rq);
    bool persistent = fields & VG_DOMAIN_PERSISTENT;
    bool recall = persistent && !vg_domain_data_is_covered(fields) &&
                  vg_domain_cache_is_current(rq);
    int rc = 0;

    if (recall || !persistent)
        rc = read_list(rq, filter, fields, list);
    if (rc == 0 && recall && !vg_domain_cache_persistent(rq, list->v, list->n)) {
        free_list(list); /* they changed: their events are on the way */
        *list = (struct list){0};
        recall = false;
    }
    if (rc == 0 && persistent && !recall)
        rc = read_persistent(rq, filter, fields, list);
    if (rc < 0 || read_yes_no(conn, list, fields, VG_DOMAIN_AUTOSTART,
                              VIR_CONNECT_LIST_DOMAINS_AUTOSTART) < 0)
        return -1;
    return read_yes_no(conn, list, fields, VG_DOMAIN_MANAGED_SAVE,
                       VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct vg_domain_data *)a)->name,
                  ((const struct vg_domain_data *)b)->name);
}

static bool passes(const struct vg_domain_data *v, const struct vg_domain_filter *filter)
{
    unsigned int bit =
        vg_domain_data_is_active(v) ? VG_DOMAIN_STATES_ACTIVE : VG_DOMAIN_STATES_INACTIVE;

    if (v->state >= 0 && v->state < 30)
        bit |= 1U << v->state;
    if (filter->states && !(filter->states & bit))
        return false;
    if (filter->list.uuids) {
        char uuid[VIR_UUID_STRING_BUFLEN];
        vg_uuid_text(v->uuid, uuid);
        if (!vg_list_has_uuid(&filter->list, uuid))
            return false;
    }
    return vg_list_passes(&filter->list, v->name);
}

/* Whether libvirt's last error is about the domain that was asked, and not about the
 * connection. */
static bool is_its_own(void)
{
    const virError *e = virGetLastError();
    return e && e->domain != VIR_FROM_RPC;
}

/* What is told of one caller is not for others, and a driver in this process is asked as
 * fast as memory. */
static struct vg_documents *documents_of(const struct vg_request *rq)
{
    return rq->reading.generation && !vg_conn_in_process(rq) && !vg_identity_passes()
               ? rq->host->documents
               : NULL;
}

static struct vg_guest_id id_of(const struct vg_domain_data *v)
{
    return (struct vg_guest_id){v->uuid, v->name, v->id};
}

static int ask_domain(struct vg_request *rq, struct vg_domain_data *v,
                      unsigned int missing)
{
    unsigned int asked = missing | VG_DOMAIN_SENDABLE;
    if (vg_domain_data_is_active(v))
        asked |= VG_DOMAIN_PROMPT;
    return vg_domain_data_read(v, asked, vg_conn_in_process(rq));
}

/* The same, and keeps what is remembered of it. One that hangs tells nothing. */
static int ask_and_keep(struct vg_request *rq, struct vg_documents *documents,
                        struct vg_domain_data *v, unsigned int missing)
{
    struct vg_guest_id id = id_of(v);
    uint64_t reading;

    if (!vg_documents_begin(documents, &id, &reading))
        return 0;
    int rc = ask_domain(rq, v, missing);
    if (rc == 0 || is_its_own())
        vg_documents_keep(documents, v->uuid, reading, rc == 0 ? &v->xml : NULL,
                          v->have & VG_DOCUMENT_FIELDS);
    return rc;
}

/* Fields the list calls did not give: of what is remembered; from the domain itself where
 * that costs no RPC, or where there is no other way. A domain that cannot tell, because
 * it is gone meanwhile or for a reason of its own, is shown with what is known. 1: it is
 * to be asked on another queue. */
static int complete(struct vg_request *rq, struct vg_domain_data *v, unsigned int fields)
{
    struct vg_documents *documents = documents_of(rq);
    struct vg_guest_id id = id_of(v);

    if (!vg_domain_data_is_active(v))
        v->have |= VG_DOCUMENT_ONLY; /* it has neither */
    unsigned int missing = fields & ~v->have;
    if (missing & VG_DOCUMENT_FIELDS && documents && !rq->fresh) {
        vg_documents_recall(documents, &id, &v->xml, &v->have);
        missing = fields & ~v->have;
    }
    if (!(missing & FROM_EACH) && !vg_conn_in_process(rq))
        return 0;
    if (missing & FROM_EACH && vg_on_fast_queue(rq))
        return 1;
    int rc = documents && missing & VG_DOCUMENT_FIELDS
                 ? ask_and_keep(rq, documents, v, missing)
                 : ask_domain(rq, v, missing);
    return rc == 0 || is_its_own() ? 0 : -1;
}

/* The host may leave out what `states` leave out; with flags of the same kind, which it
 * would or, it must not be told. */
static unsigned int pass_down(const struct vg_domain_filter *filter)
{
    const unsigned int told =
        VIR_CONNECT_LIST_DOMAINS_ACTIVE | VIR_CONNECT_LIST_DOMAINS_INACTIVE;

    if (filter->list.flags & told)
        return filter->list.flags;
    if (filter->states == VG_DOMAIN_STATES_ACTIVE)
        return filter->list.flags | VIR_CONNECT_LIST_DOMAINS_ACTIVE;
    if (filter->states == VG_DOMAIN_STATES_INACTIVE)
        return filter->list.flags | VIR_CONNECT_LIST_DOMAINS_INACTIVE;
    return filter->list.flags;
}

/* The whole list, of which the request wants all or a page: the one that is kept, or a
 * fresh one. -1: libvirt's last error. */
static int find_list(struct vg_request *rq, const struct vg_domain_filter *filter,
                     unsigned int fields, struct list *list,
                     const struct vg_domain_cached_list **ret_cached)
{
    unsigned int flags = pass_down(filter);
    bool covered =
        !(fields & ~(unsigned int)VG_DOMAIN_BRIEF) && !(flags & ~STATE_FILTERS);

    *ret_cached = covered ? vg_domain_cache_list(rq, flags, fields) : NULL;
    if (*ret_cached)
        return 0;
    if (fill_list(rq, flags, fields, list) < 0)
        return -1;
    if (list->n)
        qsort(list->v, list->n, sizeof(*list->v), compare_names);
    if (covered && filter->list.limit && list->n > (size_t)filter->list.limit)
        vg_domain_cache_keep_list(rq, flags, list->v, list->n);
    return 0;
}

/* Where the names after that one begin. */
static size_t find_after(const struct vg_domain_data *v, size_t n, const char *after)
{
    size_t from = 0;
    while (after && from < n) {
        size_t middle = from + (n - from) / 2;
        if (strcmp(v[middle].name, after) > 0)
            n = middle;
        else
            from = middle + 1;
    }
    return from;
}

/* What is asked beside the list itself. */
struct writing {
    struct vg_request *rq;
    const struct vg_domain_filter *filter;
    unsigned int fields;
    struct vg_lease_table *leases; /* counted */
    struct vg_last_events last_events;
};

static void end_writing(struct writing *x)
{
    vg_lease_table_unref(x->leases);
    vg_last_events_clear(&x->last_events);
}
#define auto_writing VG_CLEANUP(end_writing) struct writing

/* 1, -1: as vg_leases_get(). Where the driver has none, nobody is asked for them. */
static int find_leases(struct writing *x)
{
    if (!(x->fields & VG_DOMAIN_ADDRESSES))
        return 0;
    int rc = vg_leases_get(x->rq, &x->leases);
    if (rc == 0 && !x->leases)
        x->fields &= ~(unsigned int)VG_DOMAIN_ADDRESSES;
    return rc;
}

/* One that passes the filter; 1, -1: as complete(). */
static int write_one(struct writing *x, struct vg_json *w, struct vg_domain_data *v,
                     struct vg_domain_listed *ret)
{
    int rc = complete(x->rq, v, x->fields);
    if (rc != 0)
        return rc;
    ret->is_part = ret->is_part || x->fields & VG_DOMAIN_TITLE & ~v->have;
    v->leases = x->leases;
    v->last_event = vg_last_event_of(&x->last_events, v->uuid);
    vg_domain_data_write(w, NULL, v, x->fields);
    return 0;
}

/* Those after the cursor, up to the limit; 1, -1: as complete(). */
static int write_page(struct writing *x, struct vg_json *w, struct vg_domain_data *all,
                      size_t n, struct vg_domain_listed *ret)
{
    const struct vg_list_args *list = &x->filter->list;
    const struct vg_rights *rights = x->rq->rights;
    const char *last = NULL;
    int64_t written = 0;
    int rc = 0;

    VG_PATIENCE(x->rq, x->fields & VG_DOCUMENT_ONLY);
    for (size_t i = find_after(all, n, list->after); i < n && rc == 0; i++) {
        struct vg_domain_data *v = &all[i];
        if (!passes(v, x->filter) || !vg_scope_has_domain(rights, v->name))
            continue;
        if (list->limit && written++ == list->limit) {
            ret->next = strdup(last);
            return ret->next ? 0 : vg_error_set_memory(vg_request_error(x->rq));
        }
        rc = write_one(x, w, v, ret);
        last = v->name;
    }
    return rc < 0 ? vg_error_set_virt(vg_request_error(x->rq)) : rc;
}

int vg_domain_write_list(struct vg_request *rq, struct vg_json *w,
                         const struct vg_domain_filter *filter, unsigned int fields,
                         struct vg_domain_listed *ret)
{
    auto_writing x = {.rq = rq, .filter = filter, .fields = fields};
    auto_list list = {0};
    const struct vg_domain_cached_list *cached = NULL;

    *ret = (struct vg_domain_listed){0};
    int rc = find_leases(&x);
    if (rc == 0)
        rc = find_list(rq, filter, x.fields, &list, &cached);
    if (rc < 0)
        return vg_error_set_virt(vg_request_error(rq));
    if (rc > 0)
        return rc;
    struct vg_domain_data *all = cached ? cached->v : list.v;
    size_t n = cached ? cached->n : list.n;
    if (fields & VG_DOMAIN_LAST_EVENT &&
        vg_last_events_find(&x.last_events, rq, all, n) < 0)
        return -1;
    vg_json_begin_array(w, "domains");
    rc = write_page(&x, w, all, n, ret);
    vg_json_end_array(w);
    return rc;
}
