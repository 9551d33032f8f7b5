/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The metrics of one host's domains: one virConnectGetAllDomainStats, each typed
 * parameter into the families of its row below. The names are those of the exporters
 * that there are for libvirt (kumina's, which Debian has, Tinkoff's, inovex's); where
 * they disagree about a name, both are written.
 *
 * A domain is told by host, UUID and name, so two of one name are two series; a record,
 * disk or interface that comes twice is written once.
 */
#include "server/base/clock.h"
#include "server/base/digits.h"
#include "server/libvirt/domain/figures.h"
#include "server/libvirt/domain/set.h"
#include "server/libvirt/host_metrics.h"
#include "server/libvirt/domain/data.h"
#include "virtgate/autoptr.h"
#include "virtgate/domain_stats.h"
#include "virtgate/host.h"
#include "virtgate/metrics.h"

#include <errno.h>
#include <string.h>

#define GROUPS VG_FIGURES_GROUPS /* a scrape is a sample of the history, too */

enum unit {
    ONE,
    KIB,     /* libvirt's; bytes here */
    NANO,    /* seconds here */
    PRESENT, /* 1, the text is a label */
};

/* X(name, type, group, field, unit, help): a family and the parameter behind it. */
/* clang-format off */
#define ROWS \
    X("libvirt_domain_info_vstate", GAUGE, "state", "state", ONE, "State of the domain (virDomainState): 1 running, 3 paused, 5 shut off.") \
    X("libvirt_domain_info_state", GAUGE, "state", "state", ONE, "State of the domain (virDomainState), as libvirt_domain_info_vstate.") \
    X("libvirt_domain_state_code", GAUGE, "state", "state", ONE, "State of the domain (virDomainState), as libvirt_domain_info_vstate.") \
    X("libvirt_domain_state_reason", GAUGE, "state", "reason", ONE, "Reason of the state, by the state's own enum.") \
    X("libvirt_domain_info_cpu_time_seconds_total", COUNTER, "cpu", "time", NANO, "CPU time used by the domain, in seconds.") \
    X("libvirt_domain_info_cpu_user_seconds_total", COUNTER, "cpu", "user", NANO, "CPU time in user mode, in seconds.") \
    X("libvirt_domain_info_cpu_system_seconds_total", COUNTER, "cpu", "system", NANO, "CPU time in system mode, in seconds.") \
    X("libvirt_domain_info_maximum_memory_bytes", GAUGE, "balloon", "maximum", KIB, "Memory the domain may have, in bytes.") \
    X("libvirt_domain_memory_stats_maximum_bytes", GAUGE, "balloon", "maximum", KIB, "Memory the domain may have, in bytes.") \
    X("libvirt_domain_info_memory_usage_bytes", GAUGE, "balloon", "current", KIB, "Memory the domain has, in bytes.") \
    X("libvirt_domain_memory_stats_actual_balloon_bytes", GAUGE, "balloon", "current", KIB, "Size of the balloon, in bytes.") \
    X("libvirt_domain_memory_stats_current_balloon_bytes", GAUGE, "balloon", "current", KIB, "Size of the balloon, in bytes.") \
    X("libvirt_domain_memory_stats_swap_in_bytes", GAUGE, "balloon", "swap_in", KIB, "Read from swap by the guest, in bytes.") \
    X("libvirt_domain_memory_stats_swap_out_bytes", GAUGE, "balloon", "swap_out", KIB, "Written to swap by the guest, in bytes.") \
    X("libvirt_domain_memory_stats_major_fault_total", COUNTER, "balloon", "major_fault", ONE, "Page faults of the guest that needed I/O.") \
    X("libvirt_domain_memory_stats_minor_fault_total", COUNTER, "balloon", "minor_fault", ONE, "Page faults of the guest that needed no I/O.") \
    X("libvirt_domain_memory_stats_unused_bytes", GAUGE, "balloon", "unused", KIB, "Memory the guest does not use at all, in bytes.") \
    X("libvirt_domain_memory_stats_available_bytes", GAUGE, "balloon", "available", KIB, "Memory the guest sees, in bytes.") \
    X("libvirt_domain_memory_stats_usable_bytes", GAUGE, "balloon", "usable", KIB, "Memory the guest could give away without swapping, in bytes.") \
    X("libvirt_domain_memory_stats_disk_cache_bytes", GAUGE, "balloon", "disk_caches", KIB, "Memory of the guest's disk caches, in bytes.") \
    X("libvirt_domain_memory_stats_disk_caches_bytes", GAUGE, "balloon", "disk_caches", KIB, "Memory of the guest's disk caches, in bytes.") \
    X("libvirt_domain_memory_stats_hugetlb_pgalloc_total", COUNTER, "balloon", "hugetlb_pgalloc", ONE, "Huge pages the guest allocated.") \
    X("libvirt_domain_memory_stats_hugetlb_pgfail_total", COUNTER, "balloon", "hugetlb_pgfail", ONE, "Huge pages the guest failed to allocate.") \
    X("libvirt_domain_memory_stats_last_update_timestamp_seconds", GAUGE, "balloon", "last-update", ONE, "When the guest last told of its memory; 0: never.") \
    X("libvirt_domain_memory_stats_rss_bytes", GAUGE, "balloon", "rss", KIB, "Resident memory of the domain's process, in bytes.") \
    X("libvirt_domain_info_virtual_cpus", GAUGE, "vcpu", "current", ONE, "Virtual CPUs that are online.") \
    X("libvirt_domain_vcpu_current", GAUGE, "vcpu", "current", ONE, "Virtual CPUs that are online.") \
    X("libvirt_domain_vcpu_maximum", GAUGE, "vcpu", "maximum", ONE, "Virtual CPUs the domain may have.") \
    X("libvirt_domain_vcpu_state", GAUGE, "vcpu.", "state", ONE, "State of a virtual CPU: 0 offline, 1 running, 2 blocked.") \
    X("libvirt_domain_vcpu_time_seconds_total", COUNTER, "vcpu.", "time", NANO, "CPU time of a virtual CPU, in seconds.") \
    X("libvirt_domain_vcpu_wait_seconds_total", COUNTER, "vcpu.", "wait", NANO, "Time a virtual CPU waited for I/O, in seconds.") \
    X("libvirt_domain_vcpu_delay_seconds_total", COUNTER, "vcpu.", "delay", NANO, "Time a virtual CPU waited for the host's scheduler, in seconds.") \
    X("libvirt_domain_vcpu_halted", GAUGE, "vcpu.", "halted", ONE, "Whether a virtual CPU is halted.") \
    X("libvirt_domain_block_meta", GAUGE, "block.", "path", PRESENT, "Source file of a disk; always 1.") \
    X("libvirt_domain_block_stats_info", GAUGE, "block.", "path", PRESENT, "Source file of a disk; always 1.") \
    X("libvirt_domain_block_stats_read_requests_total", COUNTER, "block.", "rd.reqs", ONE, "Read requests to a disk.") \
    X("libvirt_domain_block_stats_read_bytes_total", COUNTER, "block.", "rd.bytes", ONE, "Bytes read from a disk.") \
    X("libvirt_domain_block_stats_read_time_seconds_total", COUNTER, "block.", "rd.times", NANO, "Time spent on reads from a disk, in seconds.") \
    X("libvirt_domain_block_stats_write_requests_total", COUNTER, "block.", "wr.reqs", ONE, "Write requests to a disk.") \
    X("libvirt_domain_block_stats_write_bytes_total", COUNTER, "block.", "wr.bytes", ONE, "Bytes written to a disk.") \
    X("libvirt_domain_block_stats_write_time_seconds_total", COUNTER, "block.", "wr.times", NANO, "Time spent on writes to a disk, in seconds.") \
    X("libvirt_domain_block_stats_flush_requests_total", COUNTER, "block.", "fl.reqs", ONE, "Flush requests to a disk.") \
    X("libvirt_domain_block_stats_flush_time_seconds_total", COUNTER, "block.", "fl.times", NANO, "Time spent on flushes of a disk, in seconds.") \
    X("libvirt_domain_block_stats_errors_total", COUNTER, "block.", "errors", ONE, "Errors of a disk, where the driver counts them.") \
    X("libvirt_domain_block_stats_allocation", GAUGE, "block.", "allocation", ONE, "Offset of the highest byte written to a disk.") \
    X("libvirt_domain_block_stats_capacity_bytes", GAUGE, "block.", "capacity", ONE, "Logical size of a disk, in bytes.") \
    X("libvirt_domain_block_stats_physicalsize_bytes", GAUGE, "block.", "physical", ONE, "Size of a disk's container on its host, in bytes.") \
    X("libvirt_domain_block_stats_threshold_bytes", GAUGE, "block.", "threshold", ONE, "Offset whose writing raises an event, in bytes.") \
    X("libvirt_domain_interface_stats_receive_bytes_total", COUNTER, "net.", "rx.bytes", ONE, "Bytes received by an interface.") \
    X("libvirt_domain_interface_stats_receive_packets_total", COUNTER, "net.", "rx.pkts", ONE, "Packets received by an interface.") \
    X("libvirt_domain_interface_stats_receive_errors_total", COUNTER, "net.", "rx.errs", ONE, "Errors in receiving by an interface.") \
    X("libvirt_domain_interface_stats_receive_drops_total", COUNTER, "net.", "rx.drop", ONE, "Packets dropped in receiving by an interface.") \
    X("libvirt_domain_interface_stats_transmit_bytes_total", COUNTER, "net.", "tx.bytes", ONE, "Bytes sent by an interface.") \
    X("libvirt_domain_interface_stats_transmit_packets_total", COUNTER, "net.", "tx.pkts", ONE, "Packets sent by an interface.") \
    X("libvirt_domain_interface_stats_transmit_errors_total", COUNTER, "net.", "tx.errs", ONE, "Errors in sending by an interface.") \
    X("libvirt_domain_interface_stats_transmit_drops_total", COUNTER, "net.", "tx.drop", ONE, "Packets dropped in sending by an interface.")

/* Families that are no single parameter. */
#define OTHERS \
    Y(DOMAINS, "libvirt_domains", GAUGE, "Domains of the host, active or not.") \
    Y(DOMAINS_NUMBER, "libvirt_domains_number", GAUGE, "Active domains of the host.") \
    Y(META, "libvirt_domain_info_meta", GAUGE, "Host, name and UUID of a domain; always 1.") \
    Y(USED_PERCENT, "libvirt_domain_memory_stats_used_percent", GAUGE, "Share of the guest's memory that is in use, in percent.")
/* clang-format on */

enum {
#define Y(id, name, type, help) id,
    OTHERS
#undef Y
        N_OTHERS
};

const struct vg_family vg_host_families[] = {
#define Y(id, name, type, help)                 {name, VG_METRIC_##type, help},
#define X(name, type, group, field, unit, help) {name, VG_METRIC_##type, help},
    OTHERS ROWS
#undef X
#undef Y
};

/* The parameter behind each family from N_OTHERS on. A group that ends with a dot has a
 * number after it. */
static const struct row {
    const char *group, *field;
    enum unit unit;
} rows[] = {
#define X(name, type, group, field, unit, help) {group, field, unit},
    ROWS
#undef X
};

#define N_ROWS     (sizeof(rows) / sizeof(rows[0]))
#define N_FAMILIES (N_OTHERS + N_ROWS)
const size_t vg_host_families_count = N_FAMILIES;

/* ---- one domain -------------------------------------------------------------------- */

/* What is written of a host, and of the domain and device at hand. */
struct part {
    struct vg_exposition families[N_FAMILIES];
    struct vg_exposition domain; /* its labels */
    const virDomainStatsRecord *record;
    const char *device;  /* name of the disk or interface that the parameters are of */
    unsigned long index; /* its number */
};

static void clear_part(struct part *part)
{
    for (size_t i = 0; i < N_FAMILIES; i++)
        vg_exposition_free(&part->families[i]);
    vg_exposition_free(&part->domain);
}

static struct vg_exposition *begin(struct part *part, size_t family)
{
    struct vg_exposition *x = &part->families[family];
    vg_exposition_name(x, vg_host_families[family].name, NULL);
    vg_exposition_raw(x, part->domain.text.data, part->domain.text.len);
    return x;
}

/* False: no number, or one that means "unknown" (-1). */
static bool read_number(const virTypedParameter *p, uint64_t *ret)
{
    int64_t n = 0;
    switch (p->type) {
    case VIR_TYPED_PARAM_INT:
        n = p->value.i;
        break;
    case VIR_TYPED_PARAM_LLONG:
        n = p->value.l;
        break;
    case VIR_TYPED_PARAM_UINT:
        n = p->value.ui;
        break;
    case VIR_TYPED_PARAM_BOOLEAN:
        n = p->value.b != 0;
        break;
    case VIR_TYPED_PARAM_ULLONG:
        *ret = p->value.ul;
        return true;
    default:
        return false;
    }
    *ret = n >= 0 ? (uint64_t)n : 0;
    return n >= 0;
}

static void write_value(struct vg_exposition *x, uint64_t n, enum unit unit)
{
    if (unit == NANO)
        vg_exposition_decimal(x, n, 9);
    else if (unit == KIB)
        vg_exposition_uint(x, n > UINT64_MAX / 1024 ? UINT64_MAX : n * 1024);
    else
        vg_exposition_uint(x, n);
}

/* "block.3.rd.reqs" is row "block." "rd.reqs" of number 3. */
static const char *field_of(const char *name, const struct row *row)
{
    size_t n = strlen(row->group);
    if (strncmp(name, row->group, n) != 0)
        return NULL;
    name += n;
    if (row->group[n - 1] == '.')
        name += strspn(name, "0123456789");
    return *name == '.' ? name + 1 : NULL;
}

static void write_parameter(struct part *part, const virTypedParameter *p, size_t i,
                            unsigned long index)
{
    const struct row *row = &rows[i];
    bool numbered = row->group[strlen(row->group) - 1] == '.';
    bool device = numbered && row->group[0] != 'v';
    uint64_t n = 1;
    char number[24];

    if (device && (!part->device || part->index != index))
        return; /* without a name, or met before */
    if (row->unit == PRESENT ? p->type != VIR_TYPED_PARAM_STRING : !read_number(p, &n))
        return;
    struct vg_exposition *x = begin(part, N_OTHERS + i);
    snprintf(number, sizeof(number), "%lu", index);
    if (device)
        vg_exposition_label(x, "target_device", part->device);
    else if (numbered)
        vg_exposition_label(x, "vcpu", number);
    if (row->unit == PRESENT)
        vg_exposition_label(x, "source_file", p->value.s);
    write_value(x, n, row->unit);
}

/* Whether an earlier parameter of this group gives the same name to a device. */
static bool met_before(const struct part *part, const virTypedParameter *name)
{
    const virTypedParameter *all = part->record->params;
    size_t group = strcspn(name->field, ".");
    for (const virTypedParameter *p = all; p < name; p++) {
        const char *dot = strrchr(p->field, '.');
        if (p->type == VIR_TYPED_PARAM_STRING && dot && strcmp(dot, ".name") == 0 &&
            strncmp(p->field, name->field, group + 1) == 0 &&
            strcmp(p->value.s, name->value.s) == 0)
            return true;
    }
    return false;
}

/* The number in "block.3.name"; 0 where there is none. */
static unsigned long number_in(const char *field)
{
    const char *dot = strchr(field, '.');
    errno = 0;
    unsigned long n =
        dot && dot[1] >= '0' && dot[1] <= '9' ? strtoul(dot + 1, NULL, 10) : 0;
    return errno ? 0 : n;
}

static void take_name(struct part *part, const virTypedParameter *p, unsigned long index)
{
    part->index = index;
    part->device =
        p->type == VIR_TYPED_PARAM_STRING && !met_before(part, p) ? p->value.s : NULL;
}

static void write_parameters(struct part *part)
{
    const virDomainStatsRecord *record = part->record;

    part->device = NULL;
    for (int k = 0; k < record->nparams; k++) {
        const virTypedParameter *p = &record->params[k];
        unsigned long index = number_in(p->field);
        bool device =
            strncmp(p->field, "block.", 6) == 0 || strncmp(p->field, "net.", 4) == 0;
        const char *dot = strrchr(p->field, '.');
        if (device && dot && strcmp(dot, ".name") == 0) {
            take_name(part, p, index);
            continue;
        }
        for (size_t i = 0; i < N_ROWS; i++) {
            if (rows[i].group[0] != p->field[0])
                continue;
            const char *field = field_of(p->field, &rows[i]);
            if (field && strcmp(field, rows[i].field) == 0)
                write_parameter(part, p, i, index);
        }
    }
}

static bool find_number(const virDomainStatsRecord *record, const char *name,
                        uint64_t *ret)
{
    const virTypedParameter *p = virTypedParamsGet(record->params, record->nparams, name);
    return p && read_number(p, ret);
}

/* As the exporters define it: what is not usable (for guests that cannot tell: unused).
 */
static void write_used_percent(struct part *part)
{
    uint64_t available, left;
    if (!find_number(part->record, "balloon.available", &available) || !available ||
        (!find_number(part->record, "balloon.usable", &left) &&
         !find_number(part->record, "balloon.unused", &left)))
        return;
    left = left < available ? left : available;
    if (available < UINT64_MAX / 10000)
        vg_exposition_decimal(begin(part, USED_PERCENT),
                              (available - left) * 10000 / available, 2);
}

static void write_domain(struct part *part, const char *host,
                         const struct vg_domain_data *v)
{
    char uuid[VIR_UUID_STRING_BUFLEN];

    vg_uuid_text(v->uuid, uuid);
    part->domain.text.len = 0;
    vg_exposition_label(&part->domain, "host", host);
    vg_exposition_label(&part->domain, "domain", v->name);
    vg_exposition_label(&part->domain, "uuid", uuid);
    vg_exposition_uint(begin(part, META), 1);
    write_parameters(part);
    write_used_percent(part);
}

/* ---- a host ------------------------------------------------------------------------ */

struct member {
    struct vg_domain_data view;
    const virDomainStatsRecord *record;
};

static int compare_members(const void *a, const void *b)
{
    return vg_compare_uuids(((const struct member *)a)->view.uuid,
                            ((const struct member *)b)->view.uuid);
}

/* In the order of their UUIDs, so that it does not change. NULL: out of memory. */
static struct member *sort_members(const struct vg_stats_list *list)
{
    size_t n = (size_t)list->n;
    struct member *members = calloc(n + 1, sizeof(*members));

    if (!members)
        return NULL;
    for (size_t i = 0; i < n; i++)
        members[i] = (struct member){vg_domain_data_of(list->v[i]->dom), list->v[i]};
    qsort(members, n, sizeof(*members), compare_members);
    return members;
}

static void write_host_number(struct part *part, size_t family, const char *host,
                              uint64_t n)
{
    struct vg_exposition *x = &part->families[family];
    vg_exposition_name(x, vg_host_families[family].name, NULL);
    vg_exposition_label(x, "host", host);
    vg_exposition_uint(x, n);
}

static void write_domains(struct part *part, const struct vg_stats_list *list,
                          const char *host)
{
    vg_autofree struct member *members = sort_members(list);
    uint64_t n = 0, active = 0;

    if (!members) {
        part->domain.text.failed = true;
        return;
    }
    for (int i = 0; i < list->n; i++) {
        const struct member *m = &members[i];
        if (i && compare_members(m - 1, m) == 0)
            continue;
        part->record = m->record;
        write_domain(part, host, &m->view);
        n++;
        active += vg_domain_data_is_active(&m->view);
    }
    write_host_number(part, DOMAINS, host, n);
    write_host_number(part, DOMAINS_NUMBER, host, active);
}

struct vg_reply vg_metrics_of_host(struct vg_request *rq)
{
    __attribute__((cleanup(clear_part))) struct part part = {0};
    vg_autolist(stats) list = {0};
    vg_auto_exposition all = {0};

    if (vg_domain_stats_read(rq, NULL, GROUPS, VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT,
                             &list) < 0)
        return vg_fail_virt(rq);
    write_domains(&part, &list, vg_host_name(rq));
    for (size_t i = 0; i < N_FAMILIES; i++) {
        const char separator = VG_METRICS_SEPARATOR;
        vg_exposition_raw(&all, part.families[i].text.data, part.families[i].text.len);
        vg_exposition_raw(&all, &separator, 1);
        all.text.failed = all.text.failed || part.families[i].text.failed;
    }
    all.text.failed = all.text.failed || part.domain.text.failed;
    vg_host_metrics_write(rq, &all);
    return vg_ok_text(rq, VG_TYPE_METRICS, vg_exposition_finish(&all));
}
