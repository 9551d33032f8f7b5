/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The JSON form of a domain. A list costs virConnectGetAllDomainStats and a filtered
 * virConnectListAllDomains for each yes-or-no field: never a call for each domain.
 */
#include "virtgate/domain.h"

#include "virtgate/autoptr.h"
#include "virtgate/host.h"
#include "virtgate/xml.h"

#include <fnmatch.h>
#include <libvirt/virterror.h>
#include <string.h>

#define INFO_FIELDS                                                                      \
    (VG_DOMAIN_MAX_MEMORY | VG_DOMAIN_MEMORY | VG_DOMAIN_VCPUS | VG_DOMAIN_CPU_TIME)
#define XML_FIELDS   (VG_DOMAIN_OS_TYPE | VG_DOMAIN_TITLE | VG_DOMAIN_MAX_VCPUS)
#define STATE_FIELDS (VG_DOMAIN_STATE | VG_DOMAIN_STATE_REASON)

static const struct vg_enum_value field_names[] = {
    {"id", NULL, VG_DOMAIN_ID},
    {"name", NULL, VG_DOMAIN_NAME},
    {"uuid", NULL, VG_DOMAIN_UUID},
    {"state", NULL, VG_DOMAIN_STATE},
    {"stateReason", NULL, VG_DOMAIN_STATE_REASON},
    {"active", NULL, VG_DOMAIN_ACTIVE},
    {"persistent", NULL, VG_DOMAIN_PERSISTENT},
    {"autostart", NULL, VG_DOMAIN_AUTOSTART},
    {"managedSave", NULL, VG_DOMAIN_MANAGED_SAVE},
    {"osType", NULL, VG_DOMAIN_OS_TYPE},
    {"maxMemoryKiB", NULL, VG_DOMAIN_MAX_MEMORY},
    {"memoryKiB", NULL, VG_DOMAIN_MEMORY},
    {"vcpus", NULL, VG_DOMAIN_VCPUS},
    {"maxVcpus", NULL, VG_DOMAIN_MAX_VCPUS},
    {"cpuTimeNs", NULL, VG_DOMAIN_CPU_TIME},
    {"title", NULL, VG_DOMAIN_TITLE},
    {"updated", NULL, VG_DOMAIN_UPDATED},
};
const struct vg_enum vg_domain_fields = {"domain fields", field_names,
                                         sizeof(field_names) / sizeof(field_names[0])};

/* What is known of one domain; `have` says which. */
struct view {
    virDomainPtr dom; /* borrowed */
    unsigned int have;
    int state, reason;
    bool persistent, autostart, managed_save, updated;
    unsigned long long max_memory, memory, cpu_time;
    unsigned int vcpus;
    struct vg_xml_domain xml;
};

/* ---- writing ----------------------------------------------------------------------- */

static const struct vg_enum *reasons_of(int state)
{
    static const struct vg_enum *const tables[] = {
        [VIR_DOMAIN_NOSTATE] = &vg_enum_virDomainNostateReason,
        [VIR_DOMAIN_RUNNING] = &vg_enum_virDomainRunningReason,
        [VIR_DOMAIN_BLOCKED] = &vg_enum_virDomainBlockedReason,
        [VIR_DOMAIN_PAUSED] = &vg_enum_virDomainPausedReason,
        [VIR_DOMAIN_SHUTDOWN] = &vg_enum_virDomainShutdownReason,
        [VIR_DOMAIN_SHUTOFF] = &vg_enum_virDomainShutoffReason,
        [VIR_DOMAIN_CRASHED] = &vg_enum_virDomainCrashedReason,
        [VIR_DOMAIN_PMSUSPENDED] = &vg_enum_virDomainPMSuspendedReason,
    };
    size_t n = sizeof(tables) / sizeof(tables[0]);
    return state >= 0 && (size_t)state < n ? tables[state]
                                           : &vg_enum_virDomainNostateReason;
}

void vg_domain_write_state(struct vg_json *w, const char *state_key,
                           const char *reason_key, int state, int reason)
{
    vg_json_enum(w, state_key, &vg_enum_virDomainState, state);
    vg_json_enum(w, reason_key, reasons_of(state), reason);
}

static void write_identity(struct vg_json *w, virDomainPtr dom, unsigned int fields)
{
    char uuid[VIR_UUID_STRING_BUFLEN];
    unsigned int id = virDomainGetID(dom);

    if (fields & VG_DOMAIN_ID && id == (unsigned int)-1)
        vg_json_null(w, "id");
    else if (fields & VG_DOMAIN_ID)
        vg_json_int(w, "id", id);
    if (fields & VG_DOMAIN_NAME)
        vg_json_string(w, "name", virDomainGetName(dom));
    if (fields & VG_DOMAIN_UUID && virDomainGetUUIDString(dom, uuid) == 0)
        vg_json_string(w, "uuid", uuid);
}

void vg_domain_write_identity(struct vg_json *w, virDomainPtr dom)
{
    write_identity(w, dom, VG_DOMAIN_ID | VG_DOMAIN_NAME | VG_DOMAIN_UUID);
}

static void write_view(struct vg_json *w, const char *key, const struct view *v,
                       unsigned int wanted)
{
    unsigned int f = wanted & v->have;

    vg_json_begin_object(w, key);
    write_identity(w, v->dom, wanted);
    if (f & VG_DOMAIN_STATE)
        vg_json_enum(w, "state", &vg_enum_virDomainState, v->state);
    if (f & VG_DOMAIN_STATE_REASON)
        vg_json_enum(w, "stateReason", reasons_of(v->state), v->reason);
    if (wanted & VG_DOMAIN_ACTIVE)
        vg_json_bool(w, "active", virDomainGetID(v->dom) != (unsigned int)-1);
    if (f & VG_DOMAIN_PERSISTENT)
        vg_json_bool(w, "persistent", v->persistent);
    if (f & VG_DOMAIN_AUTOSTART)
        vg_json_bool(w, "autostart", v->autostart);
    if (f & VG_DOMAIN_MANAGED_SAVE)
        vg_json_bool(w, "managedSave", v->managed_save);
    if (f & VG_DOMAIN_OS_TYPE)
        vg_json_string(w, "osType", v->xml.os_type);
    if (f & VG_DOMAIN_MAX_MEMORY)
        vg_json_uint(w, "maxMemoryKiB", v->max_memory);
    if (f & VG_DOMAIN_MEMORY)
        vg_json_uint(w, "memoryKiB", v->memory);
    if (f & VG_DOMAIN_VCPUS)
        vg_json_uint(w, "vcpus", v->vcpus);
    if (f & VG_DOMAIN_MAX_VCPUS)
        vg_json_int(w, "maxVcpus", v->xml.max_vcpus);
    if (f & VG_DOMAIN_CPU_TIME)
        vg_json_uint(w, "cpuTimeNs", v->cpu_time);
    if (f & VG_DOMAIN_TITLE && v->xml.title)
        vg_json_string(w, "title", v->xml.title);
    if (f & VG_DOMAIN_UPDATED)
        vg_json_bool(w, "updated", v->updated);
    vg_json_end_object(w);
}

/* ---- one domain -------------------------------------------------------------------- */

/* A field that the driver does not have is left out; any other failure is the request's.
 */
static int may_lack(void)
{
    return virGetLastErrorCode() == VIR_ERR_NO_SUPPORT ? 0 : -1;
}

static int read_updated(struct view *v)
{
    int value = virDomainIsUpdated(v->dom);
    if (value < 0)
        return may_lack();
    v->updated = value;
    v->have |= VG_DOMAIN_UPDATED;
    return 0;
}

static int read_flags(struct view *v, unsigned int fields)
{
    int value;

    if (fields & VG_DOMAIN_PERSISTENT) {
        if ((value = virDomainIsPersistent(v->dom)) < 0)
            return -1;
        v->persistent = value;
        v->have |= VG_DOMAIN_PERSISTENT;
    }
    if (fields & VG_DOMAIN_AUTOSTART) {
        if (virDomainGetAutostart(v->dom, &value) == 0) {
            v->autostart = value;
            v->have |= VG_DOMAIN_AUTOSTART;
        } else if (may_lack() < 0) {
            return -1;
        }
    }
    if (fields & VG_DOMAIN_MANAGED_SAVE) {
        if ((value = virDomainHasManagedSaveImage(v->dom, 0)) >= 0) {
            v->managed_save = value;
            v->have |= VG_DOMAIN_MANAGED_SAVE;
        } else if (may_lack() < 0) {
            return -1;
        }
    }
    return 0;
}

static int read_info(struct view *v)
{
    virDomainInfo info;

    if (virDomainGetInfo(v->dom, &info) < 0)
        return -1;
    v->max_memory = info.maxMem;
    v->memory = info.memory;
    v->vcpus = info.nrVirtCpu;
    v->cpu_time = info.cpuTime;
    v->state = info.state;
    v->have |= INFO_FIELDS | VG_DOMAIN_STATE; /* a call saved where no reason is wanted */
    return 0;
}

/* The test driver's document and its virDomainGetOSType differ; the function counts. */
static void correct_os_type(struct view *v)
{
    char *os_type = virDomainGetOSType(v->dom);
    if (!os_type)
        return;
    free(v->xml.os_type);
    v->xml.os_type = os_type;
}

static int read_xml(struct view *v)
{
    vg_autofree char *xml = virDomainGetXMLDesc(v->dom, 0);

    if (!xml)
        return may_lack();
    if (vg_xml_read_domain(xml, &v->xml) == 0)
        v->have |= XML_FIELDS;
    return 0;
}

static int read_view(struct view *v, unsigned int fields, bool in_process)
{
    unsigned int missing = fields & ~v->have;

    if (missing & INFO_FIELDS && read_info(v) < 0)
        return -1;
    if (missing & STATE_FIELDS & ~v->have) {
        if (virDomainGetState(v->dom, &v->state, &v->reason, 0) < 0)
            return -1;
        v->have |= STATE_FIELDS;
    }
    if (read_flags(v, missing) < 0)
        return -1;
    if (missing & VG_DOMAIN_UPDATED && read_updated(v) < 0)
        return -1;
    if (missing & XML_FIELDS && read_xml(v) < 0)
        return -1;
    if (missing & VG_DOMAIN_OS_TYPE && in_process)
        correct_os_type(v);
    return 0;
}

int vg_domain_write(struct vg_request *rq, struct vg_json *w, const char *key,
                    virDomainPtr dom, unsigned int fields)
{
    struct view v = {.dom = dom};
    int rc = read_view(&v, fields, vg_conn_in_process(rq));

    if (rc < 0)
        vg_error_set_virt(vg_request_error(rq));
    else
        write_view(w, key, &v, fields);
    vg_xml_domain_clear(&v.xml);
    return rc;
}

struct vg_reply vg_domain_reply(struct vg_request *rq, virDomainPtr dom)
{
    vg_auto_json w = vg_json_for(rq);
    if (vg_domain_write(rq, &w, NULL, dom, VG_DOMAIN_EVERYTHING) < 0)
        return vg_fail(rq);
    return vg_ok_written(rq, &w);
}

/* ---- sets of domains, by UUID ------------------------------------------------------ */

struct set {
    unsigned char (*v)[VIR_UUID_BUFLEN];
    size_t n, size;
};

static void free_set(struct set *set)
{
    free(set->v);
}
#define auto_set VG_CLEANUP(free_set) struct set

static int compare_uuid(const void *a, const void *b)
{
    return memcmp(a, b, VIR_UUID_BUFLEN);
}

static bool in_set(const struct set *set, virDomainPtr dom)
{
    unsigned char uuid[VIR_UUID_BUFLEN];
    return set->n && virDomainGetUUID(dom, uuid) == 0 &&
           bsearch(uuid, set->v, set->n, VIR_UUID_BUFLEN, compare_uuid);
}

/* Adds the domains that libvirt's filter gives, in one call. */
static int add_to_set(virConnectPtr conn, unsigned int filter, struct set *set)
{
    vg_auto_domain_list list = {0};

    list.n = virConnectListAllDomains(conn, &list.v, filter);
    if (list.n <= 0)
        return list.n;
    size_t n = set->n + (size_t)list.n;
    void *grown = realloc(set->v, n * VIR_UUID_BUFLEN);
    if (!grown)
        return -1;
    set->v = grown;
    for (int i = 0; i < list.n; i++)
        virDomainGetUUID(list.v[i], set->v[set->n++]);
    qsort(set->v, set->n, VIR_UUID_BUFLEN, compare_uuid);
    return 0;
}

/* ---- lists ------------------------------------------------------------------------- */

struct list {
    struct view *v;
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

static void take_parameter(struct view *v, const virTypedParameter *p)
{
    unsigned long long n = p->type == VIR_TYPED_PARAM_ULLONG ? p->value.ul
                           : p->type == VIR_TYPED_PARAM_UINT
                               ? p->value.ui
                               : (unsigned long long)p->value.i;
    const struct {
        const char *name;
        unsigned int field;
    } known[] = {
        {"state.state", VG_DOMAIN_STATE},      {"state.reason", VG_DOMAIN_STATE_REASON},
        {"balloon.current", VG_DOMAIN_MEMORY}, {"balloon.maximum", VG_DOMAIN_MAX_MEMORY},
        {"vcpu.current", VG_DOMAIN_VCPUS},     {"vcpu.maximum", VG_DOMAIN_MAX_VCPUS},
        {"cpu.time", VG_DOMAIN_CPU_TIME},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(known[i].name, p->field) != 0)
            continue;
        v->have |= known[i].field;
        switch (known[i].field) {
        case VG_DOMAIN_STATE:
            v->state = (int)n;
            return;
        case VG_DOMAIN_STATE_REASON:
            v->reason = (int)n;
            return;
        case VG_DOMAIN_MEMORY:
            v->memory = n;
            return;
        case VG_DOMAIN_MAX_MEMORY:
            v->max_memory = n;
            return;
        case VG_DOMAIN_VCPUS:
            v->vcpus = (unsigned int)n;
            return;
        case VG_DOMAIN_MAX_VCPUS:
            v->xml.max_vcpus = (int64_t)n;
            return;
        default:
            v->cpu_time = n;
            return;
        }
    }
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

/* Statistics of all domains that pass libvirt's filter: of all at once where the
 * statistics call knows the filter, else of those that a list call found. */
static int read_records(virConnectPtr conn, unsigned int filter, unsigned int fields,
                        struct list *list)
{
    const unsigned int known =
        VIR_CONNECT_LIST_DOMAINS_ACTIVE | VIR_CONNECT_LIST_DOMAINS_INACTIVE |
        VIR_CONNECT_LIST_DOMAINS_PERSISTENT | VIR_CONNECT_LIST_DOMAINS_TRANSIENT |
        VIR_CONNECT_LIST_DOMAINS_RUNNING | VIR_CONNECT_LIST_DOMAINS_PAUSED |
        VIR_CONNECT_LIST_DOMAINS_SHUTOFF | VIR_CONNECT_LIST_DOMAINS_OTHER;
    unsigned int nowait = VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT;
    unsigned int groups = groups_for(fields);

    if ((filter & ~known) == 0) {
        list->records.n =
            virConnectGetAllDomainStats(conn, groups, &list->records.v, filter | nowait);
        return list->records.n < 0 ? -1 : 0;
    }
    list->handles.n = virConnectListAllDomains(conn, &list->handles.v, filter);
    if (list->handles.n <= 0)
        return list->handles.n;
    list->records.n =
        virDomainListGetStats(list->handles.v, groups, &list->records.v, nowait);
    return list->records.n < 0 ? -1 : 0;
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
        struct view *v = &list->v[list->n];
        *v = (struct view){.dom = list->handles.v[i]};
        list->n += read_view(v, STATE_FIELDS, false) == 0; /* else it is gone meanwhile */
    }
    return 0;
}

static int read_list(virConnectPtr conn, unsigned int filter, unsigned int fields,
                     struct list *list)
{
    if (read_records(conn, filter, fields, list) < 0)
        return may_lack() < 0 ? -1 : read_handles(conn, filter, list);
    list->v = calloc((size_t)list->records.n + 1, sizeof(*list->v));
    if (!list->v)
        return -1;
    for (; list->n < (size_t)list->records.n; list->n++) {
        const virDomainStatsRecord *record = list->records.v[list->n];
        struct view *v = &list->v[list->n];
        v->dom = record->dom;
        for (int i = 0; i < record->nparams; i++)
            take_parameter(v, &record->params[i]);
    }
    return 0;
}

/* A yes-or-no field of the whole list. */
static int read_yes_no(virConnectPtr conn, struct list *list, unsigned int fields,
                       enum vg_domain_field field, unsigned int filter)
{
    auto_set set = {0};

    if (!(fields & field))
        return 0;
    if (add_to_set(conn, filter, &set) < 0)
        return may_lack();
    for (size_t i = 0; i < list->n; i++) {
        struct view *v = &list->v[i];
        bool yes = in_set(&set, v->dom);
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
static void set_persistent(struct list *list, const struct set *transient)
{
    for (size_t i = 0; i < list->n; i++) {
        list->v[i].persistent = !in_set(transient, list->v[i].dom);
        list->v[i].have |= VG_DOMAIN_PERSISTENT;
    }
}

static int fill_list(struct vg_request *rq, unsigned int filter, unsigned int fields,
                     struct list *list)
{
    virConnectPtr conn = vg_conn(rq);
    auto_set transient = {0};
    bool persistent = fields & VG_DOMAIN_PERSISTENT;

    if (persistent &&
        add_to_set(conn, VIR_CONNECT_LIST_DOMAINS_TRANSIENT, &transient) < 0)
        return -1;
    if (read_list(conn, filter, fields, list) < 0)
        return -1;
    if (persistent &&
        add_to_set(conn, VIR_CONNECT_LIST_DOMAINS_TRANSIENT, &transient) < 0)
        return -1;
    if (persistent)
        set_persistent(list, &transient);
    if (read_yes_no(conn, list, fields, VG_DOMAIN_AUTOSTART,
                    VIR_CONNECT_LIST_DOMAINS_AUTOSTART) < 0)
        return -1;
    return read_yes_no(conn, list, fields, VG_DOMAIN_MANAGED_SAVE,
                       VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(virDomainGetName(((const struct view *)a)->dom),
                  virDomainGetName(((const struct view *)b)->dom));
}

static bool passes(const struct view *v, const struct vg_domain_filter *filter)
{
    const char *name = virDomainGetName(v->dom);
    bool active = virDomainGetID(v->dom) != (unsigned int)-1;
    unsigned int bit = active ? VG_DOMAIN_STATES_ACTIVE : VG_DOMAIN_STATES_INACTIVE;

    if (v->state >= 0 && v->state < 30)
        bit |= 1U << v->state;
    if (filter->states && !(filter->states & bit))
        return false;
    if (filter->name && fnmatch(filter->name, name, 0) != 0)
        return false;
    return !filter->after || strcmp(name, filter->after) > 0;
}

/* Fields the list calls did not give: from the domain itself where that costs no RPC, or
 * where there is no other way. A domain that is gone meanwhile keeps what is known. */
static void complete(struct vg_request *rq, struct view *v, unsigned int fields)
{
    unsigned int missing = fields & ~v->have;
    if (vg_conn_in_process(rq) ||
        missing & (VG_DOMAIN_OS_TYPE | VG_DOMAIN_TITLE | VG_DOMAIN_UPDATED))
        (void)read_view(v, missing, vg_conn_in_process(rq));
}

static unsigned int pass_down(const struct vg_domain_filter *filter)
{
    if (filter->states == VG_DOMAIN_STATES_ACTIVE)
        return filter->flags | VIR_CONNECT_LIST_DOMAINS_ACTIVE;
    if (filter->states == VG_DOMAIN_STATES_INACTIVE)
        return filter->flags | VIR_CONNECT_LIST_DOMAINS_INACTIVE;
    return filter->flags;
}

int vg_domain_write_list(struct vg_request *rq, struct vg_json *w,
                         const struct vg_domain_filter *filter, unsigned int fields,
                         char **ret_next)
{
    auto_list list = {0};
    const char *last = NULL;
    int64_t written = 0;

    *ret_next = NULL;
    if (fill_list(rq, pass_down(filter), fields, &list) < 0) {
        vg_error_set_virt(vg_request_error(rq));
        return -1;
    }
    if (list.n)
        qsort(list.v, list.n, sizeof(*list.v), compare_names);
    vg_json_begin_array(w, "domains");
    for (size_t i = 0; i < list.n; i++) {
        struct view *v = &list.v[i];
        if (!passes(v, filter))
            continue;
        if (filter->limit && written == filter->limit) {
            *ret_next = strdup(last);
            if (!*ret_next) {
                vg_error_set(vg_request_error(rq), VG_E_INTERNAL, "Out of memory");
                return -1;
            }
            break;
        }
        complete(rq, v, fields);
        write_view(w, NULL, v, fields);
        last = virDomainGetName(v->dom);
        written++;
    }
    vg_json_end_array(w);
    return 0;
}
