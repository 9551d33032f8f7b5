/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See libvirt/domain/figures.h. A host of 2,000 domains tells some 200,000 parameters at
 * a time: each is looked at once.
 */
#include "server/libvirt/domain/figures.h"

#include <string.h>

/* Where a parameter belongs: "block.3.rd.bytes" is "block." and ".rd.bytes". */
struct place {
    const char *group, *field;
    size_t index;
};

static const struct place counters[] = {
    {"cpu.", "time", VG_COUNTER_CPU},
    {"block.", ".rd.bytes", VG_COUNTER_DISK_READ},
    {"block.", ".wr.bytes", VG_COUNTER_DISK_WRITE},
    {"net.", ".rx.bytes", VG_COUNTER_NET_RECEIVE},
    {"net.", ".tx.bytes", VG_COUNTER_NET_TRANSMIT},
};

enum memory { CURRENT, AVAILABLE, USABLE, UNUSED, RSS, MEMORIES };

static const struct place memories[] = {
    {"balloon.", "current", CURRENT}, {"balloon.", "available", AVAILABLE},
    {"balloon.", "usable", USABLE},   {"balloon.", "unused", UNUSED},
    {"balloon.", "rss", RSS},
};

/* Only what no domain has less than nothing of. */
static bool read_number(const virTypedParameter *p, uint64_t *ret)
{
    switch (p->type) {
    case VIR_TYPED_PARAM_ULLONG:
        *ret = p->value.ul;
        return true;
    case VIR_TYPED_PARAM_UINT:
        *ret = p->value.ui;
        return true;
    case VIR_TYPED_PARAM_LLONG:
        *ret = (uint64_t)p->value.l;
        return p->value.l >= 0;
    case VIR_TYPED_PARAM_INT:
        *ret = (uint64_t)p->value.i;
        return p->value.i >= 0;
    default:
        return false;
    }
}

static const struct place *find_place(const struct place *places, size_t n,
                                      const char *name)
{
    for (size_t i = 0; i < n; i++) {
        size_t group = strlen(places[i].group);
        if (strncmp(name, places[i].group, group) != 0)
            continue;
        const char *rest = name + group;
        if (strcmp(rest + strspn(rest, "0123456789"), places[i].field) == 0)
            return &places[i];
    }
    return NULL;
}

/* A guest that tells of its memory uses what is not usable; an old one tells only what
 * it has not touched. */
static void set_memory(struct vg_figures *figures, const uint64_t *memory,
                       unsigned int have)
{
    enum memory left = have & 1U << USABLE ? USABLE : UNUSED;

    figures->has_gauge[VG_GAUGE_MEMORY] = have & 1U << CURRENT;
    figures->gauges[VG_GAUGE_MEMORY] = memory[CURRENT];
    figures->has_gauge[VG_GAUGE_MEMORY_RSS] = have & 1U << RSS;
    figures->gauges[VG_GAUGE_MEMORY_RSS] = memory[RSS];
    figures->has_gauge[VG_GAUGE_MEMORY_USED] =
        have & 1U << AVAILABLE && have & 1U << left;
    figures->gauges[VG_GAUGE_MEMORY_USED] =
        memory[left] < memory[AVAILABLE] ? memory[AVAILABLE] - memory[left] : 0;
}

static void take_parameters(struct vg_figures *figures,
                            const virDomainStatsRecord *record)
{
    uint64_t memory[MEMORIES] = {0};
    unsigned int have = 0;

    for (int k = 0; k < record->nparams; k++) {
        const virTypedParameter *p = &record->params[k];
        const struct place *place;
        uint64_t n;

        if (!read_number(p, &n))
            continue;
        if ((place = find_place(counters, sizeof(counters) / sizeof(counters[0]),
                                p->field))) {
            figures->counters[place->index] += n;
            figures->parts[place->index]++;
        } else if ((place = find_place(memories, MEMORIES, p->field))) {
            memory[place->index] = n;
            have |= 1U << place->index;
        } else if (strcmp(p->field, "vcpu.current") == 0) {
            figures->vcpus = (unsigned int)n;
        }
    }
    set_memory(figures, memory, have);
}

void vg_figures_take(struct vg_history *history, const struct vg_stats_list *all,
                     int64_t at_ns)
{
    size_t n = (size_t)all->n;
    vg_autofree struct vg_figures *figures = calloc(n + 1, sizeof(*figures));

    if (!figures)
        return;
    for (size_t i = 0; i < n; i++) {
        virDomainPtr dom = all->v[i]->dom;
        virDomainGetUUID(dom, figures[i].uuid);
        if (virDomainGetID(dom) != (unsigned int)-1)
            take_parameters(&figures[i], all->v[i]);
    }
    vg_history_take(history, figures, n, at_ns);
}
