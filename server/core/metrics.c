/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The gateway's own counters. A request counts in the slot of its row of the route tables
 * (of two: HEAD has one for itself), so the number of series is bounded by what the API
 * is, never by what clients send.
 */
#include "virtgate/metrics.h"

#include "server/base/clock.h"
#include "virtgate/cleanup.h"
#include "virtgate/enum.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

typedef atomic_uint_fast64_t count;

static uint64_t get(const count *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

static void add(count *c, uint64_t n)
{
    atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

/* ---- histograms -------------------------------------------------------------------- */

/* Upper bounds, with a fraction always: OpenMetrics wants `le` as a float. */
static const struct {
    int64_t ns;
    const char *le;
} bounds[] = {
    {100000, "0.0001"},    {250000, "0.00025"},   {500000, "0.0005"},
    {1000000, "0.001"},    {2500000, "0.0025"},   {5000000, "0.005"},
    {10000000, "0.01"},    {25000000, "0.025"},   {50000000, "0.05"},
    {100000000, "0.1"},    {250000000, "0.25"},   {500000000, "0.5"},
    {1000000000, "1.0"},   {2500000000, "2.5"},   {5000000000, "5.0"},
    {10000000000, "10.0"}, {30000000000, "30.0"},
};
#define N_BOUNDS (sizeof(bounds) / sizeof(bounds[0]))

struct histogram {
    count buckets[N_BOUNDS + 1]; /* not cumulative */
    count sum_ns;
};

static void observe(struct histogram *h, int64_t ns)
{
    size_t i = 0;
    while (i < N_BOUNDS && ns > bounds[i].ns)
        i++;
    add(&h->buckets[i], 1);
    add(&h->sum_ns, ns > 0 ? (uint64_t)ns : 0);
}

static uint64_t total_of(const struct histogram *h)
{
    uint64_t n = 0;
    for (size_t i = 0; i <= N_BOUNDS; i++)
        n += get(&h->buckets[i]);
    return n;
}

struct request_labels {
    const char *route, *method;
};

static void begin_sample(struct vg_exposition *x, const char *name, const char *suffix,
                         const struct request_labels *labels)
{
    vg_exposition_name(x, name, suffix);
    vg_exposition_label(x, "route", labels->route);
    vg_exposition_label(x, "method", labels->method);
}

static void write_histogram(struct vg_exposition *x, const char *name,
                            const struct request_labels *labels,
                            const struct histogram *h)
{
    uint64_t n = 0;
    for (size_t i = 0; i <= N_BOUNDS; i++) {
        n += get(&h->buckets[i]);
        begin_sample(x, name, "_bucket", labels);
        vg_exposition_label(x, "le", i < N_BOUNDS ? bounds[i].le : "+Inf");
        vg_exposition_uint(x, n);
    }
    begin_sample(x, name, "_sum", labels);
    vg_exposition_decimal(x, get(&h->sum_ns), 9);
    begin_sample(x, name, "_count", labels);
    vg_exposition_uint(x, n); /* as the last bucket, whatever came meanwhile */
}

/* ---- requests ---------------------------------------------------------------------- */

/* Every status that the gateway answers; the first is for what is none of them. */
static const char *const codes[] = {
    "other", "101", "200", "201", "202", "204", "206", "304", "400", "401",
    "403",   "404", "405", "406", "408", "409", "410", "411", "412", "413",
    "414",   "415", "421", "422", "423", "424", "426", "428", "429", "431",
    "500",   "501", "502", "503", "504", "505", "507",
};
#define N_CODES    (sizeof(codes) / sizeof(codes[0]))
#define MAX_TABLES 256

struct slot {
    count by_code[N_CODES];
    struct histogram durations;
};

/* A table of routes and the first of its slots; sorted by address. */
struct table {
    const struct vg_route *begin, *end;
    struct slot *slots;
};

static struct table tables[MAX_TABLES];
static size_t n_tables;
static struct slot unmatched[VG_OPTIONS + 1]; /* by method */
static unsigned char code_index[600];

static int compare_tables(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t)((const struct table *)a)->begin;
    uintptr_t y = (uintptr_t)((const struct table *)b)->begin;
    return x < y ? -1 : x > y;
}

int vg_metrics_start(const struct vg_route *const *list)
{
    for (size_t i = 1; i < N_CODES; i++) {
        const char *c = codes[i];
        code_index[(c[0] - '0') * 100 + (c[1] - '0') * 10 + (c[2] - '0')] =
            (unsigned char)i;
    }
    for (; *list; list++) {
        const struct vg_route *end = *list;
        while (end->pattern)
            end++;
        if (n_tables == MAX_TABLES)
            return -1;
        struct table *t = &tables[n_tables];
        /* pages that no request touches stay with the kernel */
        t->slots = calloc((size_t)(end - *list + 1) * 2, sizeof(struct slot));
        if (!t->slots)
            return -1;
        t->begin = *list;
        t->end = end;
        n_tables++;
    }
    qsort(tables, n_tables, sizeof(tables[0]), compare_tables);
    return 0;
}

static struct slot *find_slot(const struct vg_route *route, enum vg_method method)
{
    size_t low = 0, high = n_tables;
    while (route && low < high) {
        size_t middle = (low + high) / 2;
        const struct table *t = &tables[middle];
        if (route < t->begin)
            high = middle;
        else if (route >= t->end)
            low = middle + 1;
        else
            return &t->slots[2 * (route - t->begin) + (method == VG_HEAD)];
    }
    return &unmatched[method <= VG_OPTIONS ? method : VG_NO_METHOD];
}

void vg_count_request(const struct vg_route *route, enum vg_method method, int status,
                      int64_t duration_ns)
{
    struct slot *slot = find_slot(route, method);
    bool known = status > 0 && status < (int)sizeof(code_index);
    add(&slot->by_code[known ? code_index[status] : 0], 1);
    if (status != 101) /* a WebSocket lasts as long as its client likes */
        observe(&slot->durations, duration_ns);
}

static const char *const methods[] = {"other", "GET",  "HEAD",   "PUT",
                                      "PATCH", "POST", "DELETE", "OPTIONS"};

static void each_slot(struct vg_exposition *x,
                      void (*write)(struct vg_exposition *, const struct request_labels *,
                                    const struct slot *))
{
    for (size_t i = 0; i < n_tables; i++) {
        const struct table *t = &tables[i];
        for (const struct vg_route *row = t->begin; row < t->end; row++) {
            const struct slot *slot = &t->slots[2 * (row - t->begin)];
            write(x, &(struct request_labels){row->pattern, methods[row->method]}, slot);
            write(x, &(struct request_labels){row->pattern, "HEAD"}, slot + 1);
        }
    }
    for (size_t m = 0; m <= VG_OPTIONS; m++)
        write(x, &(struct request_labels){"unmatched", methods[m]}, &unmatched[m]);
}

static const struct vg_family requests_family = {
    "virtgate_http_requests_total", VG_METRIC_COUNTER,
    "Requests answered, by route pattern, method and status."};
static const struct vg_family durations_family = {
    "virtgate_http_request_duration_seconds", VG_METRIC_HISTOGRAM,
    "Time from a request's first byte to the end of its answer, in seconds."};

static void write_codes(struct vg_exposition *x, const struct request_labels *labels,
                        const struct slot *slot)
{
    for (size_t i = 0; i < N_CODES; i++) {
        uint64_t n = get(&slot->by_code[i]);
        if (!n)
            continue;
        begin_sample(x, requests_family.name, NULL, labels);
        vg_exposition_label(x, "code", codes[i]);
        vg_exposition_uint(x, n);
    }
}

static void write_durations(struct vg_exposition *x, const struct request_labels *labels,
                            const struct slot *slot)
{
    if (total_of(&slot->durations))
        write_histogram(x, durations_family.name, labels, &slot->durations);
}

/* ---- single counters --------------------------------------------------------------- */

static count counters[VG_COUNTERS];
static atomic_int streams;
static struct histogram event_delays;
static count virt_errors[256]; /* by code; 0: beyond */

static const struct vg_family counter_families[VG_COUNTERS] = {
    [VG_COALESCED_READS] = {"virtgate_coalesced_reads_total", VG_METRIC_COUNTER,
                            "Reads that shared the libvirt call of an equal one."},
    [VG_ANSWER_CACHE_HITS] =
        {"virtgate_answer_cache_hits_total", VG_METRIC_COUNTER,
         "Reads answered from the answer cache, without a libvirt call."},
    [VG_ANSWER_CACHE_MISSES] =
        {"virtgate_answer_cache_misses_total", VG_METRIC_COUNTER,
         "Reads of what the answer cache holds that asked libvirt."},
    [VG_ANSWER_CACHE_DIFFERENCES] =
        {"virtgate_answer_cache_differences_total", VG_METRIC_COUNTER,
         "Differences found when the answer cache was compared with its host."},
    [VG_EVENTS_SENT] = {"virtgate_events_sent_total", VG_METRIC_COUNTER,
                        "Events sent to clients, on all streams."},
    [VG_STREAM_RESETS] = {"virtgate_event_stream_resets_total", VG_METRIC_COUNTER,
                          "Event streams that had to begin anew."},
};

void vg_count(enum vg_counter counter)
{
    add(&counters[counter], 1);
}

void vg_count_stream(int change)
{
    atomic_fetch_add_explicit(&streams, change, memory_order_relaxed);
}

void vg_count_event_delay(int64_t ns)
{
    observe(&event_delays, ns);
}

void vg_count_virt_error(int code)
{
    bool known = code > 0 && code < (int)(sizeof(virt_errors) / sizeof(virt_errors[0]));
    add(&virt_errors[known ? code : 0], 1);
}

static void write_virt_errors(struct vg_exposition *x)
{
    static const struct vg_family family = {
        "virtgate_libvirt_errors_total", VG_METRIC_COUNTER,
        "Errors of libvirt that became answers or put a host down, by code."};
    vg_exposition_family(x, &family);
    for (size_t i = 0; i < sizeof(virt_errors) / sizeof(virt_errors[0]); i++) {
        const struct vg_enum_value *code =
            i ? vg_enum_find(&vg_enum_virErrorNumber, (int64_t)i) : NULL;
        char number[24];
        uint64_t n = get(&virt_errors[i]);
        if (!n)
            continue;
        snprintf(number, sizeof(number), "%zu", i);
        vg_exposition_name(x, family.name, NULL);
        vg_exposition_label(x, "code", code ? code->symbol : i ? number : "other");
        vg_exposition_uint(x, n);
    }
}

/* ---- the process ------------------------------------------------------------------- */

static void write_one(struct vg_exposition *x, const struct vg_family *family,
                      uint64_t value, unsigned int digits)
{
    vg_exposition_family(x, family);
    vg_exposition_name(x, family->name, NULL);
    vg_exposition_decimal(x, value, digits);
}

/* Resident pages, of /proc/self/statm's second number. */
static uint64_t resident_bytes(void)
{
    char text[128] = "";
    vg_autofd int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    const char *space = n > 0 ? strchr(text, ' ') : NULL;
    errno = 0;
    unsigned long long pages = space ? strtoull(space, NULL, 10) : 0;
    return errno ? 0 : pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void write_process(struct vg_exposition *x)
{
    static const struct vg_family build = {"virtgate_build_info", VG_METRIC_GAUGE,
                                           "The gateway's version; always 1."};
    static const struct vg_family cpu = {
        "process_cpu_seconds_total", VG_METRIC_COUNTER,
        "User and system CPU time of the gateway, in seconds."};
    static const struct vg_family resident = {
        "process_resident_memory_bytes", VG_METRIC_GAUGE,
        "Resident memory of the gateway, in bytes."};
    struct rusage u = {0};

    vg_exposition_family(x, &build);
    vg_exposition_name(x, build.name, NULL);
    vg_exposition_label(x, "version", VG_VERSION);
    vg_exposition_uint(x, 1);
    getrusage(RUSAGE_SELF, &u);
    write_one(x, &cpu,
              (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
                  (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec),
              6);
    write_one(x, &resident, resident_bytes(), 0);
}

void vg_metrics_write(struct vg_exposition *x)
{
    static const struct vg_family streams_family = {
        "virtgate_event_streams", VG_METRIC_GAUGE, "Event streams that are open."};
    static const struct vg_family delay_family = {
        "virtgate_event_delay_seconds", VG_METRIC_HISTOGRAM,
        "Time from libvirt's event to its sending to a client, in seconds."};
    int open = atomic_load_explicit(&streams, memory_order_relaxed);

    write_process(x);
    vg_exposition_family(x, &requests_family);
    each_slot(x, write_codes);
    vg_exposition_family(x, &durations_family);
    each_slot(x, write_durations);
    for (size_t i = 0; i < VG_COUNTERS; i++)
        write_one(x, &counter_families[i], get(&counters[i]), 0);
    write_one(x, &streams_family, open > 0 ? (uint64_t)open : 0, 0);
    vg_exposition_family(x, &delay_family);
    write_histogram(x, delay_family.name, &(struct request_labels){NULL, NULL},
                    &event_delays);
    write_virt_errors(x);
}
