/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The JSON form of a domain. What lists are made of is in libvirt/domain/list.c.
 */
#include "server/libvirt/domain/data.h"

#include "server/base/digits.h"
#include "server/core/event_text.h"
#include "server/core/request.h"
#include "server/libvirt/domain/cache.h"
#include "server/libvirt/domain/last_event.h"
#include "virtgate/autoptr.h"
#include "virtgate/event.h"
#include "virtgate/host.h"
#include "virtgate/scope.h"

#include <libvirt/virterror.h>
#include <string.h>
#include <xxhash.h>

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
    {"lastEvent", NULL, VG_DOMAIN_LAST_EVENT},
    {"agent", NULL, VG_DOMAIN_AGENT},
    {"addresses", NULL, VG_DOMAIN_ADDRESSES},
};
const struct vg_enum vg_domain_fields = {"domain fields", field_names,
                                         sizeof(field_names) / sizeof(field_names[0])};

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

struct vg_domain_data vg_domain_data_of(virDomainPtr dom)
{
    struct vg_domain_data v = {
        .dom = dom, .name = virDomainGetName(dom), .id = virDomainGetID(dom)};
    virDomainGetUUID(dom, v.uuid);
    return v;
}

static void write_identity(struct vg_json *w, const struct vg_domain_data *v,
                           unsigned int fields)
{
    char uuid[VIR_UUID_STRING_BUFLEN];

    if (fields & VG_DOMAIN_ID && !vg_domain_data_is_active(v))
        vg_json_null(w, "id");
    else if (fields & VG_DOMAIN_ID)
        vg_json_int(w, "id", v->id);
    if (fields & VG_DOMAIN_NAME)
        vg_json_string(w, "name", v->name);
    if (fields & VG_DOMAIN_UUID) {
        vg_uuid_text(v->uuid, uuid);
        vg_json_string(w, "uuid", uuid);
    }
}

void vg_domain_write_identity(struct vg_json *w, virDomainPtr dom)
{
    struct vg_domain_data v = vg_domain_data_of(dom);
    write_identity(w, &v, VG_DOMAIN_ID | VG_DOMAIN_NAME | VG_DOMAIN_UUID);
}

static const char *const agent_names[] = {
    [VG_XML_NO_AGENT] = NULL,
    [VG_XML_AGENT_AWAY] = "disconnected",
    [VG_XML_AGENT_HERE] = "connected",
};

static void write_last_event(struct vg_json *w, const struct vg_event *e)
{
    char time[VG_EVENT_TIME_SIZE];

    if (!e) {
        vg_json_null(w, "lastEvent");
        return;
    }
    vg_event_write_time(e, time);
    vg_json_begin_object(w, "lastEvent");
    vg_json_string(w, "type", e->type ? e->type : e->name);
    vg_json_string(w, "time", time);
    vg_json_end_object(w);
}

static void write_leases(struct vg_json *w, const struct vg_lease_table *table,
                         const char *mac, size_t length)
{
    size_t n;
    const struct vg_lease *lease = vg_lease_table_find(table, mac, length, &n);

    for (; n; n--, lease++) {
        vg_json_begin_object(w, NULL);
        vg_json_string(w, "mac", lease->mac);
        vg_json_enum(w, "type", &vg_enum_virIPAddrType, lease->type);
        vg_json_string(w, "address", lease->address);
        vg_json_uint(w, "prefix", lease->prefix);
        vg_json_enum(w, "source", &vg_enum_virDomainInterfaceAddressesSource,
                     VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE);
        vg_json_end_object(w);
    }
}

/* One that is off has none: its leases may not have run out yet. */
static void write_addresses(struct vg_json *w, const struct vg_domain_data *v)
{
    const char *macs = vg_domain_data_is_active(v) && v->xml.macs ? v->xml.macs : "";

    vg_json_begin_array(w, "addresses");
    while (*macs) {
        size_t length = strcspn(++macs, " ");
        write_leases(w, v->leases, macs, length);
        macs += length;
    }
    vg_json_end_array(w);
}

void vg_domain_data_write(struct vg_json *w, const char *key,
                          const struct vg_domain_data *v, unsigned int wanted)
{
    unsigned int f = wanted & v->have;

    vg_json_begin_object(w, key);
    write_identity(w, v, wanted);
    if (f & VG_DOMAIN_STATE)
        vg_json_enum(w, "state", &vg_enum_virDomainState, v->state);
    if (f & VG_DOMAIN_STATE_REASON)
        vg_json_enum(w, "stateReason", reasons_of(v->state), v->reason);
    if (wanted & VG_DOMAIN_ACTIVE)
        vg_json_bool(w, "active", vg_domain_data_is_active(v));
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
        vg_json_volatile(w, "cpuTimeNs", v->cpu_time);
    if (f & VG_DOMAIN_TITLE)
        vg_json_string(w, "title", v->xml.title);
    if (f & VG_DOMAIN_UPDATED)
        vg_json_bool(w, "updated", v->updated);
    if (f & VG_DOMAIN_AGENT)
        vg_json_string(w, "agent", agent_names[v->xml.agent]);
    if (f & VG_DOMAIN_ADDRESSES && v->leases)
        write_addresses(w, v);
    if (wanted & VG_DOMAIN_LAST_EVENT)
        write_last_event(w, v->last_event);
    vg_json_end_object(w);
}

/* ---- by statistics ----------------------------------------------------------------- */

/* Whether the parameter is the one of that name, which then tells the field. */
static bool tells(struct vg_domain_data *v, const virTypedParameter *p, const char *name,
                  enum vg_domain_field field)
{
    if (strcmp(p->field, name) != 0)
        return false;
    v->have |= field;
    return true;
}

static void take_parameter(struct vg_domain_data *v, const virTypedParameter *p)
{
    unsigned long long n = p->type == VIR_TYPED_PARAM_ULLONG ? p->value.ul
                           : p->type == VIR_TYPED_PARAM_UINT
                               ? p->value.ui
                               : (unsigned long long)p->value.i;

    if (tells(v, p, "state.state", VG_DOMAIN_STATE))
        v->state = (int)n;
    else if (tells(v, p, "state.reason", VG_DOMAIN_STATE_REASON))
        v->reason = (int)n;
    else if (tells(v, p, "balloon.current", VG_DOMAIN_MEMORY))
        v->memory = n;
    else if (tells(v, p, "balloon.maximum", VG_DOMAIN_MAX_MEMORY))
        v->max_memory = n;
    else if (tells(v, p, "vcpu.current", VG_DOMAIN_VCPUS))
        v->vcpus = (unsigned int)n;
    else if (tells(v, p, "vcpu.maximum", VG_DOMAIN_MAX_VCPUS))
        v->xml.max_vcpus = (int64_t)n;
    else if (tells(v, p, "cpu.time", VG_DOMAIN_CPU_TIME))
        v->cpu_time = n;
}

void vg_domain_data_take_stats(struct vg_domain_data *v,
                               const virDomainStatsRecord *record)
{
    for (int i = 0; i < record->nparams; i++)
        take_parameter(v, &record->params[i]);
}

/* ---- one domain -------------------------------------------------------------------- */

/* A field that the driver does not have is left out; any other failure is the request's.
 */
int vg_domain_data_may_lack(void)
{
    return virGetLastErrorCode() == VIR_ERR_NO_SUPPORT ? 0 : -1;
}

/* The document is longer than the daemon may send. */
static bool is_unsendable(void)
{
    return virGetLastErrorCode() == VIR_ERR_RPC;
}

static int read_updated(struct vg_domain_data *v)
{
    int value = virDomainIsUpdated(v->dom);
    if (value < 0)
        return vg_domain_data_may_lack();
    v->updated = value;
    v->have |= VG_DOMAIN_UPDATED;
    return 0;
}

static int read_flags(struct vg_domain_data *v, unsigned int fields)
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
        } else if (vg_domain_data_may_lack() < 0) {
            return -1;
        }
    }
    if (fields & VG_DOMAIN_MANAGED_SAVE) {
        if ((value = virDomainHasManagedSaveImage(v->dom, 0)) >= 0) {
            v->managed_save = value;
            v->have |= VG_DOMAIN_MANAGED_SAVE;
        } else if (vg_domain_data_may_lack() < 0) {
            return -1;
        }
    }
    return 0;
}

static int read_info(struct vg_domain_data *v)
{
    virDomainInfo info;

    if (virDomainGetInfo(v->dom, &info) < 0)
        return -1;
    v->max_memory = info.maxMem;
    v->memory = info.memory;
    v->vcpus = info.nrVirtCpu;
    v->cpu_time = info.cpuTime;
    v->contradicted = v->have & VG_DOMAIN_STATE && v->state != info.state;
    v->state = info.state;
    v->have |=
        VG_INFO_FIELDS | VG_DOMAIN_STATE; /* a call saved where no reason is wanted */
    return 0;
}

static int read_os_type(struct vg_domain_data *v)
{
    char *os_type = virDomainGetOSType(v->dom);
    if (!os_type)
        return vg_domain_data_may_lack();
    free(v->xml.os_type);
    v->xml.os_type = os_type;
    v->have |= VG_DOMAIN_OS_TYPE;
    return 0;
}

static int read_max_vcpus(struct vg_domain_data *v)
{
    int n = virDomainGetVcpusFlags(v->dom, VIR_DOMAIN_VCPU_MAXIMUM);
    if (n < 0)
        return vg_domain_data_may_lack();
    v->xml.max_vcpus = n;
    v->have |= VG_DOMAIN_MAX_VCPUS;
    return 0;
}

static void take_definition(struct vg_domain_data *v, const char *xml)
{
    v->definition = XXH3_64bits(xml, strlen(xml));
    v->have |= VG_DOMAIN_DEFINITION;
}

static int read_definition(struct vg_domain_data *v)
{
    vg_autofree char *xml = virDomainGetXMLDesc(
        v->dom, vg_domain_data_is_active(v) ? VIR_DOMAIN_XML_INACTIVE : 0U);

    if (!xml) /* what is shown does not need it */
        return is_unsendable() ? 0 : vg_domain_data_may_lack();
    take_definition(v, xml);
    return 0;
}

/* What else tells of the document's fields, but for the title. */
static int read_xml_fields(struct vg_domain_data *v, unsigned int fields)
{
    if (fields & VG_DOMAIN_OS_TYPE && read_os_type(v) < 0)
        return -1;
    return fields & VG_DOMAIN_MAX_VCPUS ? read_max_vcpus(v) : 0;
}

/* Without the document. 1: the driver tells a title nowhere else. */
static int read_title(struct vg_domain_data *v)
{
    char *title = virDomainGetMetadata(v->dom, VIR_DOMAIN_METADATA_TITLE, NULL, 0);

    if (!title && virGetLastErrorCode() != VIR_ERR_NO_DOMAIN_METADATA)
        return vg_domain_data_may_lack() < 0 ? -1 : 1;
    free(v->xml.title);
    v->xml.title = title;
    v->have |= VG_DOMAIN_TITLE;
    return 0;
}

static int read_xml(struct vg_domain_data *v, unsigned int fields)
{
    vg_autofree char *xml = virDomainGetXMLDesc(v->dom, 0);

    if (!xml && is_unsendable() &&
        (fields & VG_DOMAIN_SENDABLE || !(fields & VG_DOMAIN_TITLE)))
        return read_xml_fields(v, fields & ~v->have);
    if (!xml)
        return vg_domain_data_may_lack();
    if (!vg_domain_data_is_active(v)) /* costs no call */
        take_definition(v, xml);
    vg_xml_domain_clear(&v->xml);
    if (vg_xml_read_domain(xml, &v->xml) == 0)
        v->have |= VG_XML_FIELDS;
    return 0;
}

/* By the document, or by what costs less. */
static int read_document(struct vg_domain_data *v, unsigned int fields)
{
    unsigned int missing = fields & ~v->have & VG_XML_FIELDS;
    int rc;

    if (missing == VG_DOMAIN_MAX_VCPUS)
        return read_max_vcpus(v);
    if (!(fields & VG_DOMAIN_PROMPT) || missing & VG_DOCUMENT_ONLY)
        return read_xml(v, fields);
    if (read_xml_fields(v, missing) < 0)
        return -1;
    rc = missing & VG_DOMAIN_TITLE ? read_title(v) : 0;
    return rc == 1 ? read_xml(v, fields) : rc;
}

int vg_domain_data_read(struct vg_domain_data *v, unsigned int fields, bool in_process)
{
    unsigned int missing = fields & ~v->have;

    if (missing & VG_INFO_FIELDS && read_info(v) < 0)
        return -1;
    if (missing & VG_STATE_FIELDS & ~v->have) {
        if (virDomainGetState(v->dom, &v->state, &v->reason, 0) < 0)
            return -1;
        v->have |= VG_STATE_FIELDS;
    }
    if (read_flags(v, missing) < 0)
        return -1;
    if (missing & VG_DOMAIN_UPDATED && read_updated(v) < 0)
        return -1;
    if (missing & VG_XML_FIELDS && read_document(v, fields) < 0)
        return -1;
    if (missing & VG_DOMAIN_OS_TYPE && in_process)
        (void)read_os_type(
            v); /* the test driver's document differs; the function counts */
    return missing & VG_DOMAIN_DEFINITION & ~v->have ? read_definition(v) : 0;
}

int vg_domain_write(struct vg_request *rq, struct vg_json *w, const char *key,
                    virDomainPtr dom, unsigned int fields)
{
    struct vg_domain_data v = vg_domain_data_of(dom);
    bool recalled = !vg_domain_data_is_covered(fields) && vg_domain_cache_data(rq, &v);

    vg_auto_last_events last = {0};
    vg_auto_lease_table *leases = NULL;

    if (fields & VG_DOMAIN_LAST_EVENT && vg_last_events_find(&last, rq, &v, 1) < 0)
        return -1;
    if (fields & VG_DOMAIN_ADDRESSES && vg_leases_get(rq, &leases) < 0)
        return vg_error_set_virt(vg_request_error(rq));
    v.leases = leases;
    if (!leases)
        fields &= ~(unsigned int)VG_DOMAIN_ADDRESSES;
    int rc = vg_domain_data_read(&v, fields, vg_conn_in_process(rq));
    v.last_event = vg_last_event_of(&last, v.uuid);
    if (rc < 0) {
        vg_error_set_virt(vg_request_error(rq));
    } else if (recalled && v.contradicted) {
        vg_error_set(vg_request_error(rq), VG_E_CONFLICT, "The domain is changing");
        rq->contradicted = true;
        rc = -1;
    } else {
        vg_domain_data_write(w, key, &v, fields);
        if (fields & VG_DOMAIN_DEFINITION)
            vg_json_etag_extra(w, v.definition);
        vg_domain_cache_keep_data(rq, &v);
    }
    vg_xml_domain_clear(&v.xml);
    return rc;
}

static bool is_qemu(struct vg_request *rq)
{
    struct vg_host_facts *facts = vg_host_facts(rq);
    bool qemu = facts && strcmp(facts->type, "QEMU") == 0;
    vg_host_facts_unref(facts);
    return qemu;
}

/* Of one of QEMU's that was defined: what it is when it is off, which is all that
 * virDomainGetInfo takes then, even where another client has started it meanwhile. */
static void read_defined(struct vg_domain_data *v)
{
    vg_autofree char *xml = virDomainGetXMLDesc(v->dom, VIR_DOMAIN_XML_INACTIVE);

    if (!xml || vg_xml_read_domain(xml, &v->xml) < 0 || v->xml.max_memory <= 0)
        return;
    v->max_memory = (unsigned long long)v->xml.max_memory;
    v->memory = (unsigned long long)v->xml.memory;
    v->vcpus = (unsigned int)v->xml.vcpus;
    v->have |= VG_XML_FIELDS | VG_INFO_FIELDS;
}

int vg_domain_write_new(struct vg_request *rq, struct vg_json *w, virDomainPtr dom)
{
    const unsigned int fields = VG_DOMAIN_EVERYTHING | VG_DOMAIN_SENDABLE;
    struct vg_domain_data v = vg_domain_data_of(dom);

    if (vg_domain_data_is_active(&v) || !is_qemu(rq))
        return vg_domain_write(rq, w, NULL, dom, fields);
    v.state = VIR_DOMAIN_SHUTOFF;
    v.reason = VIR_DOMAIN_SHUTOFF_UNKNOWN;
    v.persistent = true; /* and neither started with the host, saved, nor changed */
    v.have = VG_STATE_FIELDS | VG_DOMAIN_PERSISTENT | VG_DOMAIN_AUTOSTART |
             VG_DOMAIN_MANAGED_SAVE | VG_DOMAIN_UPDATED;
    read_defined(&v);
    int rc = vg_domain_data_read(&v, fields, false);
    if (rc < 0)
        vg_error_set_virt(vg_request_error(rq));
    else
        vg_domain_data_write(w, NULL, &v, fields);
    vg_xml_domain_clear(&v.xml);
    return rc;
}

struct vg_reply vg_domain_reply(struct vg_request *rq, virDomainPtr dom)
{
    vg_auto_json w = vg_json_for(rq);
    if (vg_domain_write(rq, &w, NULL, dom, VG_DOMAIN_EVERYTHING | VG_DOMAIN_SENDABLE) < 0)
        return vg_fail(rq);
    return vg_ok_written(rq, &w);
}

struct vg_reply vg_domain_rename(struct vg_request *rq, virDomainPtr dom,
                                 const char *name)
{
    if (vg_ask_domain_name(rq, name) < 0)
        return vg_fail(rq);
    if (virDomainRename(dom, name, 0) < 0)
        return vg_fail_virt(rq);
    /* the handle keeps the old name */
    vg_autoptr(virDomain) renamed = virDomainLookupByName(vg_conn(rq), name);
    return renamed ? vg_domain_reply(rq, renamed) : vg_fail_virt(rq);
}

int vg_domain_set_autostart(struct vg_request *rq, virDomainPtr dom, bool autostart)
{
    if (virDomainSetAutostart(dom, autostart) < 0)
        return -1;
    vg_event_autostart_changed(rq, dom, autostart);
    return 0;
}
