/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /domains/{domain}/memory, memory-stats, memory-stats/period, dirty-rate: how much
 * memory a domain has, and what its guest does with it.
 */
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/object.h"

#include <limits.h>
#include <stdio.h>

/* More tags than any libvirt has; it takes at most 1024. */
#define MAX_STATS 64

/* Either {"memoryKiB": ...} or {"maxMemoryKiB": ...}: two calls could end half done. */
static struct vg_reply set_memory(struct vg_request *rq)
{
    int64_t memory = -1, maximum = -1;
    unsigned int flags = 0;
    const struct vg_field args[] = {
        VG_NUMBER("memoryKiB", &memory, 1, INT64_MAX / 1024),
        VG_NUMBER("maxMemoryKiB", &maximum, 1, INT64_MAX / 1024),
        VG_FLAGS("flags", &flags, virDomainMemoryModFlags),
        VG_END,
    };

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    if ((memory < 0) == (maximum < 0)) {
        vg_error_set(vg_request_error(rq),
                     memory < 0 ? VG_E_MISSING_KEY : VG_E_INVALID_VALUE,
                     memory < 0 ? "'memoryKiB' or 'maxMemoryKiB' is needed"
                                : "One of 'memoryKiB' and 'maxMemoryKiB' is accepted at "
                                  "a time");
        return vg_fail(rq);
    }
    if (maximum >= 0)
        flags |= VIR_DOMAIN_MEM_MAXIMUM;
    unsigned long size = (unsigned long)(maximum >= 0 ? maximum : memory);
    return vg_done(rq, virDomainSetMemoryFlags(dom, size, flags));
}

/* ---- statistics of the balloon ----------------------------------------------------- */

static const char *const stat_keys[] = {
    [VIR_DOMAIN_MEMORY_STAT_SWAP_IN] = "swapInKiB",
    [VIR_DOMAIN_MEMORY_STAT_SWAP_OUT] = "swapOutKiB",
    [VIR_DOMAIN_MEMORY_STAT_MAJOR_FAULT] = "majorFault",
    [VIR_DOMAIN_MEMORY_STAT_MINOR_FAULT] = "minorFault",
    [VIR_DOMAIN_MEMORY_STAT_UNUSED] = "unusedKiB",
    [VIR_DOMAIN_MEMORY_STAT_AVAILABLE] = "availableKiB",
    [VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON] = "actualBalloonKiB",
    [VIR_DOMAIN_MEMORY_STAT_RSS] = "rssKiB",
    [VIR_DOMAIN_MEMORY_STAT_USABLE] = "usableKiB",
    [VIR_DOMAIN_MEMORY_STAT_LAST_UPDATE] = "lastUpdateSeconds",
    [VIR_DOMAIN_MEMORY_STAT_DISK_CACHES] = "diskCachesKiB",
    [VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGALLOC] = "hugetlbPgalloc",
    [VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGFAIL] = "hugetlbPgfail",
};

/* What is newer than this build goes by its number. */
static void write_stat(struct vg_json *w, const virDomainMemoryStatStruct *stat)
{
    char number[16];
    unsigned int tag = (unsigned int)stat->tag;

    snprintf(number, sizeof(number), "%u", tag);
    bool known = tag < sizeof(stat_keys) / sizeof(stat_keys[0]);
    vg_json_uint(w, known ? stat_keys[tag] : number, stat->val);
}

static struct vg_reply get_memory_stats(struct vg_request *rq)
{
    virDomainMemoryStatStruct stats[MAX_STATS];
    vg_autoptr(virDomain) dom = vg_path_domain(rq);

    if (!dom)
        return vg_fail(rq);
    int n = virDomainMemoryStats(dom, stats, MAX_STATS, 0);
    if (n < 0)
        return vg_fail_virt(rq);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    for (int i = 0; i < n; i++)
        write_stat(&w, &stats[i]);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

/* {"seconds": 5}; 0 ends it. */
static struct vg_reply set_stats_period(struct vg_request *rq)
{
    int64_t seconds = 0;
    unsigned int flags = 0;
    const struct vg_field args[] = {
        VG_NEED_NUMBER("seconds", &seconds, 0, INT_MAX),
        VG_FLAGS("flags", &flags, virDomainMemoryModFlags),
        VG_END,
    };

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    return vg_done(rq, virDomainSetMemoryStatsPeriod(dom, (int)seconds, flags));
}

/* ---- how fast memory is written ---------------------------------------------------- */

/* {"seconds": 1, "mode": "dirty-bitmap"}; what it found is in the statistics then. */
static struct vg_reply start_dirty_rate(struct vg_request *rq)
{
    int64_t seconds = 0;
    int mode = 0;
    unsigned int flags = 0;
    const struct vg_field args[] = {
        VG_NEED_NUMBER("seconds", &seconds, 0, INT_MAX),
        VG_ENUM("mode", &mode, virDomainDirtyRateCalcFlags),
        VG_FLAGS("flags", &flags, virDomainDirtyRateCalcFlags),
        VG_END,
    };

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    flags |= (unsigned int)mode;
    if (virDomainStartDirtyRateCalc(dom, (int)seconds, flags) < 0)
        return vg_fail_virt(rq);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_int(&w, "seconds", seconds);
    vg_json_end_object(&w);
    char *href = vg_domain_child_href(rq, dom, "stats", NULL, "?groups=dirtyrate");
    return vg_accepted(rq, href, &w);
}

/* clang-format off */
const struct vg_route vg_routes_domain_memory[] = {
    {VG_PUT, "/domains/{domain}/memory", "setDomainMemory", set_memory,
     .needs = "domain:getattr domain:save domain:write", .takes = VG_TAKES_ARGS},
    {VG_GET, "/domains/{domain}/memory-stats", "getDomainMemoryStats", get_memory_stats,
     .needs = "domain:getattr domain:read", .shared = true},
    {VG_PUT, "/domains/{domain}/memory-stats/period", "setDomainMemoryStatsPeriod",
     set_stats_period,
     .needs = "domain:getattr domain:save domain:write", .takes = VG_TAKES_ARGS},
    {VG_POST, "/domains/{domain}/dirty-rate", "startDomainDirtyRate", start_dirty_rate,
     .needs = "domain:getattr domain:write", .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
