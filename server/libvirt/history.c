/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See libvirt/history.h. Time is cut into steps; a ring has a point for each of the last
 * hour. A rate is that from the last sample of an earlier step to the last of this one,
 * so however often a host is asked, a point says what was between it and the one before.
 *
 * The lock is held for arithmetic alone: samples are taken apart before, answers written
 * after.
 */
#include "server/libvirt/history.h"

#include "server/base/clock.h"
#include "server/libvirt/internal.h"
#include "virtgate/history.h"
#include "virtgate/host.h"

#include <string.h>

#define STEP_NS (VG_HISTORY_STEP * VG_SECOND_NS)
/* Between samples that are further apart nobody knows what was. */
#define LONGEST_NS (6 * STEP_NS)
/* Of one sample no rate is known: so soon after the first of a domain is the next. */
#define HURRY_NS (2 * VG_SECOND_NS)
/* A domain that so many samples did not tell of is gone: one may leave it out. */
#define MAX_MISSED 2

/* ---- numbers in two bytes ---------------------------------------------------------- */

/* Eleven bits after the leading one, and a power of two: four digits are right, up to
 * four million millions. */
#define MANTISSA_BITS 11
#define MANTISSA      (1U << MANTISSA_BITS)
#define UNKNOWN       UINT16_MAX

static uint16_t pack(uint64_t n)
{
    unsigned int power = 0;

    for (; n >= 2 * MANTISSA; n >>= 1)
        power++;
    if (n < MANTISSA)
        return (uint16_t)n;
    unsigned int packed = (power + 1) << MANTISSA_BITS | (unsigned int)(n - MANTISSA);
    return packed < UNKNOWN ? (uint16_t)packed : UNKNOWN - 1;
}

static uint64_t unpack(uint16_t packed)
{
    unsigned int power = packed >> MANTISSA_BITS;
    uint64_t n = packed % MANTISSA;

    return power ? (n + MANTISSA) << (power - 1) : n;
}

/* ---- one domain -------------------------------------------------------------------- */

struct counter {
    uint64_t base, last;      /* at the end of an earlier step, and the newest */
    int64_t base_ns, last_ns; /* 0: it was never told */
    unsigned int parts;
};

struct ring {
    unsigned char uuid[VIR_UUID_BUFLEN]; /* first: sorted by it */
    int64_t newest;                      /* the step of the newest point */
    unsigned int missed;
    struct counter counters[VG_HISTORY_COUNTERS];
    uint16_t points[VG_HISTORY_POINTS][VG_HISTORY_SERIES];
};

/* Added to CLOCK_MONOTONIC, so that steps begin at whole ten seconds of the wall clock,
 * as it was when the gateway started. */
static int64_t origin_ns;
static bool is_kept;

static int64_t step_of(int64_t at_ns)
{
    return (at_ns + origin_ns) / STEP_NS;
}

static uint16_t *point_at(struct ring *ring, int64_t step)
{
    return ring->points[step % VG_HISTORY_POINTS];
}

/* Makes `step` the newest, with nothing known since the one that was. */
static void advance(struct ring *ring, int64_t step)
{
    int64_t first = ring->newest + 1;

    if (first <= step - VG_HISTORY_POINTS)
        first = step - VG_HISTORY_POINTS + 1;
    for (int64_t s = first; s <= step; s++)
        memset(point_at(ring, s), 0xFF, sizeof(ring->points[0])); /* UNKNOWN */
    ring->newest = step;
}

/* What it grew by in a second, in units of `unit`. One that falls, or is the sum of other
 * numbers than before, begins anew. False: not known. */
static bool count(struct counter *c, uint64_t value, unsigned int parts, int64_t at_ns,
                  double unit, uint64_t *ret)
{
    bool anew = !c->last_ns || value < c->last || parts != c->parts ||
                at_ns - c->last_ns > LONGEST_NS;

    if (anew)
        *c = (struct counter){.base = value, .base_ns = at_ns};
    else if (step_of(c->last_ns) != step_of(at_ns)) {
        c->base = c->last;
        c->base_ns = c->last_ns;
    }
    c->last = value;
    c->last_ns = at_ns;
    c->parts = parts;
    if (at_ns <= c->base_ns)
        return false;
    double seconds = (double)(at_ns - c->base_ns) / (double)VG_SECOND_NS;
    *ret = (uint64_t)((double)(value - c->base) / seconds / unit + 0.5);
    return true;
}

/* Rates of bytes are in bytes, that of the CPU in hundredths of a percent of all virtual
 * CPUs: a percent is 10,000,000 ns in each second. */
static double unit_of(const struct vg_figures *figures, size_t counter)
{
    return counter == VG_COUNTER_CPU ? 100000.0 * figures->vcpus : 1;
}

static void add_point(struct ring *ring, const struct vg_figures *figures, int64_t at_ns)
{
    uint16_t *point = point_at(ring, step_of(at_ns));
    uint64_t rate;

    for (size_t i = 0; i < VG_HISTORY_COUNTERS; i++)
        if (figures->parts[i] && (i != VG_COUNTER_CPU || figures->vcpus) &&
            count(&ring->counters[i], figures->counters[i], figures->parts[i], at_ns,
                  unit_of(figures, i), &rate))
            point[i] = pack(rate);
    for (size_t i = 0; i < VG_HISTORY_GAUGES; i++)
        if (figures->has_gauge[i])
            point[VG_HISTORY_COUNTERS + i] = pack(figures->gauges[i]);
}

static bool tells_anything(const struct vg_figures *figures)
{
    bool tells = false;

    for (size_t i = 0; i < VG_HISTORY_COUNTERS; i++)
        tells = tells || figures->parts[i];
    for (size_t i = 0; i < VG_HISTORY_GAUGES; i++)
        tells = tells || figures->has_gauge[i];
    return tells;
}

/* ---- a host ------------------------------------------------------------------------ */

struct vg_history {
    pthread_mutex_t lock;
    struct ring **rings; /* sorted; owned, as what they point at */
    size_t n, size;
    int64_t taken_ns; /* when the newest sample was; 0: there is none */
    bool hurries;     /* it told of a domain for the first time */
};

void vg_history_start(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    int64_t wall_ns = now.tv_sec % VG_HISTORY_STEP * VG_SECOND_NS + now.tv_nsec;
    origin_ns = (wall_ns - vg_now_ns() % STEP_NS + STEP_NS) % STEP_NS;
    is_kept = true;
}

bool vg_history_is_kept(void)
{
    return is_kept;
}

struct vg_history *vg_history_new(void)
{
    struct vg_history *history = calloc(1, sizeof(*history));

    if (history)
        pthread_mutex_init(&history->lock, NULL);
    return history;
}

void vg_history_free(struct vg_history *history)
{
    if (!history)
        return;
    for (size_t i = 0; i < history->n; i++)
        free(history->rings[i]);
    free(history->rings);
    pthread_mutex_destroy(&history->lock);
    free(history);
}

static int compare_uuids(const void *a, const void *b)
{
    return memcmp(a, b, VIR_UUID_BUFLEN);
}

static int compare_to_ring(const void *uuid, const void *ring)
{
    return compare_uuids(uuid, *(struct ring *const *)ring);
}

static int compare_rings(const void *a, const void *b)
{
    return compare_to_ring(*(struct ring *const *)a, b);
}

/* Among the first `n`, which are sorted. Lock held. */
static struct ring *find(const struct vg_history *history, const unsigned char *uuid,
                         size_t n)
{
    struct ring **found =
        n ? bsearch(uuid, history->rings, n, sizeof(*history->rings), compare_to_ring)
          : NULL;
    return found ? *found : NULL;
}

/* Room for so many. Lock held. */
static int resize(struct vg_history *history, size_t size)
{
    struct ring **rings = realloc(history->rings, size * sizeof(*rings));

    if (!rings)
        return -1;
    history->rings = rings;
    history->size = size;
    return 0;
}

/* Appended, not sorted in. NULL: no memory; the next sample tries again. Lock held. */
static struct ring *add_ring(struct vg_history *history, const unsigned char *uuid)
{
    if (history->n == history->size &&
        resize(history, history->size ? 2 * history->size : 8) < 0)
        return NULL;
    struct ring *ring = calloc(1, sizeof(*ring));
    if (!ring)
        return NULL;
    memcpy(ring->uuid, uuid, VIR_UUID_BUFLEN);
    history->rings[history->n++] = ring;
    return ring;
}

/* Forgets domains that are gone, and those that have been off for an hour. Lock held. */
static void forget(struct vg_history *history, int64_t step)
{
    size_t kept = 0;

    for (size_t i = 0; i < history->n; i++) {
        struct ring *ring = history->rings[i];
        if (ring->missed < MAX_MISSED && step - ring->newest < VG_HISTORY_POINTS)
            history->rings[kept++] = ring;
        else
            free(ring);
    }
    history->n = kept;
    if (history->size > 8 && kept < history->size / 4)
        (void)resize(history, kept < 8 ? 8 : kept);
}

/* Lock held. */
static void take_all(struct vg_history *history, const struct vg_figures *figures,
                     size_t n, int64_t at_ns)
{
    size_t known = history->n;
    int64_t step = step_of(at_ns);

    for (size_t i = 0; i < known; i++)
        history->rings[i]->missed++;
    for (size_t i = 0; i < n; i++) {
        struct ring *ring = find(history, figures[i].uuid, known);
        if (ring)
            ring->missed = 0;
        if (!tells_anything(&figures[i]))
            continue; /* off: what was stays */
        if (!ring && !(ring = add_ring(history, figures[i].uuid)))
            continue;
        if (ring->newest != step)
            advance(ring, step);
        add_point(ring, &figures[i], at_ns);
    }
    history->hurries = history->n > known;
    if (history->n > known)
        qsort(history->rings, history->n, sizeof(*history->rings), compare_rings);
    forget(history, step);
}

/* The same UUID twice, which a driver may tell of: the first counts. */
static size_t drop_doubles(struct vg_figures *figures, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++)
        if (!kept || compare_uuids(&figures[kept - 1], &figures[i]) != 0)
            figures[kept++] = figures[i];
    return kept;
}

void vg_history_take(struct vg_history *history, struct vg_figures *figures, size_t n,
                     int64_t at_ns)
{
    if (n)
        qsort(figures, n, sizeof(*figures), compare_uuids);
    n = drop_doubles(figures, n);
    VG_LOCK(&history->lock);
    if (at_ns <= history->taken_ns)
        return; /* one that began later was faster */
    history->taken_ns = at_ns;
    take_all(history, figures, n, at_ns);
}

int64_t vg_history_due_ns(struct vg_history *history, int64_t now_ns, int64_t phase_ns)
{
    VG_LOCK(&history->lock);
    if (!history->taken_ns)
        return now_ns;
    if (history->hurries)
        return history->taken_ns + HURRY_NS;
    int64_t step = step_of(now_ns);
    if (step_of(history->taken_ns) >= step)
        step = step_of(history->taken_ns) + 1;
    return step * STEP_NS - origin_ns + STEP_NS / 2 + phase_ns;
}

struct vg_history_size vg_history_size(struct vg_history *history)
{
    VG_LOCK(&history->lock);
    return (struct vg_history_size){
        .domains = history->n,
        .bytes = history->n * sizeof(struct ring) + history->size * sizeof(struct ring *),
    };
}

/* ---- reading ----------------------------------------------------------------------- */

/* Counters, then gauges, in their order. */
#define SERIES(place, name)                                                              \
    {                                                                                    \
        name, NULL, 1 << (place)                                                         \
    }
static const struct vg_enum_value series[VG_HISTORY_SERIES] = {
    SERIES(VG_COUNTER_CPU, "cpuPercent"),
    SERIES(VG_COUNTER_DISK_READ, "diskReadBytesPerSecond"),
    SERIES(VG_COUNTER_DISK_WRITE, "diskWriteBytesPerSecond"),
    SERIES(VG_COUNTER_NET_RECEIVE, "networkReceiveBytesPerSecond"),
    SERIES(VG_COUNTER_NET_TRANSMIT, "networkTransmitBytesPerSecond"),
    SERIES(VG_HISTORY_COUNTERS + VG_GAUGE_MEMORY, "memoryKiB"),
    SERIES(VG_HISTORY_COUNTERS + VG_GAUGE_MEMORY_USED, "memoryUsedKiB"),
    SERIES(VG_HISTORY_COUNTERS + VG_GAUGE_MEMORY_RSS, "memoryRssKiB"),
};
const struct vg_enum vg_history_fields = {"fields", series, VG_HISTORY_SERIES};

static void write_figure(struct vg_json *w, const char *key, size_t i, uint16_t packed)
{
    if (packed == UNKNOWN)
        vg_json_null(w, key);
    else if (i == VG_COUNTER_CPU)
        vg_json_hundredths(w, key, unpack(packed));
    else
        vg_json_uint(w, key, unpack(packed));
}

/* The step of the newest point: of this moment, or the one before while nobody has asked
 * the host in this one. Lock held. */
static int64_t newest_step(const struct vg_history *history, int64_t now_ns)
{
    int64_t now = step_of(now_ns);
    return history->taken_ns && step_of(history->taken_ns) == now ? now : now - 1;
}

static int64_t time_of(int64_t step, int64_t now_ns)
{
    struct timespec now;
    int64_t ago_ns = now_ns + origin_ns - step * STEP_NS;

    clock_gettime(CLOCK_REALTIME, &now);
    int64_t at_ns = now.tv_sec * VG_SECOND_NS + now.tv_nsec - ago_ns;
    return (at_ns + VG_SECOND_NS / 2) / VG_SECOND_NS;
}

static void write_series(struct vg_json *w, size_t i, struct ring *ring, int64_t first,
                         size_t n)
{
    vg_json_begin_array(w, series[i].name);
    for (int64_t step = first; step < first + (int64_t)n; step++) {
        bool there = step <= ring->newest && step > ring->newest - VG_HISTORY_POINTS;
        write_figure(w, NULL, i, there ? point_at(ring, step)[i] : UNKNOWN);
    }
    vg_json_end_array(w);
}

/* A copy of the domain's ring; an empty one if there is none. */
static int64_t copy_ring(struct vg_history *history, virDomainPtr dom, int64_t now_ns,
                         struct ring *ret)
{
    unsigned char uuid[VIR_UUID_BUFLEN];

    if (virDomainGetUUID(dom, uuid) < 0)
        memset(uuid, 0, sizeof(uuid));
    VG_LOCK(&history->lock);
    const struct ring *ring = find(history, uuid, history->n);
    if (ring)
        *ret = *ring;
    return newest_step(history, now_ns);
}

int vg_history_write(struct vg_request *rq, struct vg_json *w, virDomainPtr dom, size_t n,
                     unsigned int fields)
{
    vg_autofree struct ring *ring = calloc(1, sizeof(*ring));
    int64_t now_ns = vg_now_ns();

    if (!ring)
        return vg_error_set_memory(vg_request_error(rq));
    ring->newest = -1;
    int64_t newest = copy_ring(rq->host->history, dom, now_ns, ring);
    int64_t first = newest - (int64_t)n + 1;
    vg_json_int(w, "stepSeconds", VG_HISTORY_STEP);
    vg_json_time(w, "startTime", time_of(first, now_ns));
    vg_json_uint(w, "points", n);
    vg_json_begin_object(w, "series");
    for (size_t i = 0; i < VG_HISTORY_SERIES; i++)
        if (!fields || fields & (unsigned int)series[i].value)
            write_series(w, i, ring, first, n);
    vg_json_end_object(w);
    return 0;
}

static bool knows_rates(const uint16_t *point)
{
    for (size_t i = 0; i < VG_HISTORY_COUNTERS; i++)
        if (point[i] != UNKNOWN)
            return true;
    return false;
}

/* The newest point's step; -1: it is too old, or knows no rate. */
static int64_t copy_newest(struct vg_history *history, virDomainPtr dom, int64_t now_ns,
                           uint16_t ret[static VG_HISTORY_SERIES])
{
    unsigned char uuid[VIR_UUID_BUFLEN];

    if (virDomainGetUUID(dom, uuid) < 0)
        return -1;
    VG_LOCK(&history->lock);
    struct ring *ring = find(history, uuid, history->n);
    if (!ring || ring->newest < step_of(now_ns) - 2)
        return -1;
    memcpy(ret, point_at(ring, ring->newest), sizeof(ring->points[0]));
    return knows_rates(ret) ? ring->newest : -1;
}

void vg_history_write_rates(struct vg_request *rq, struct vg_json *w, virDomainPtr dom)
{
    struct vg_history *history = rq->host->history;
    uint16_t point[VG_HISTORY_SERIES];
    int64_t now_ns = vg_now_ns(), step;

    if (!history || virDomainGetID(dom) == (unsigned int)-1 ||
        (step = copy_newest(history, dom, now_ns, point)) < 0)
        return;
    vg_json_begin_object(w, "rates");
    vg_json_time(w, "time", time_of(step, now_ns));
    for (size_t i = 0; i < VG_HISTORY_COUNTERS; i++)
        if (point[i] != UNKNOWN)
            write_figure(w, series[i].name, i, point[i]);
    vg_json_end_object(w);
}
