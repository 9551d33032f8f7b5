/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See libvirt/marks.h. A round is one reading of the lists: it is open to whoever comes
 * until it begins, and answers everybody who asked before it began.
 */
#include "server/libvirt/marks.h"

#include "server/libvirt/domain/set.h"
#include "server/libvirt/internal.h"
#include "virtgate/autoptr.h"
#include "virtgate/metrics.h"

#include <string.h>

#define PATIENCE_NS (VG_SECOND_NS / 50)
#define LIMIT_NS    (5 * VG_SECOND_NS)
/* How long it holds that lists are long, or do not come. */
#define LEARNT_NS VG_SECOND_NS
/* What a round costs, in calls on one domain: three lists, and being waited for. */
#define ROUND_CALLS 8
/* To list so many domains takes as long as such a call (measured). */
#define DOMAINS_A_CALL 20

/* What an inactive domain is, of which libvirtd need not ask a monitor. */
struct inactive {
    unsigned char uuid[VIR_UUID_BUFLEN]; /* first, for vg_compare_uuids() */
    unsigned int have;                   /* fields */
    int state, reason;
    unsigned int vcpus;
    int64_t max_vcpus;
    unsigned long long memory, max_memory;
};

/* Guarded by the lock; what was read is read without it once the round has ended. */
struct round {
    unsigned int refs;
    uint64_t number; /* by when it began; 0: it is open */
    bool ended;
    unsigned int wanted; /* fields */
    unsigned int told;   /* of these; what the driver does not have is missing */
    struct vg_domain_set autostart, managed_save;
    struct inactive *inactive; /* sorted; owned */
    size_t n_inactive;
};

struct vg_marks {
    struct vg_host *host;
    atomic_uint_fast64_t begun; /* rounds */
    pthread_mutex_t lock;
    pthread_cond_t ended;
    struct round *open;   /* counted; NULL: none */
    struct round *latest; /* that began; counted; NULL: none */
    size_t listed;        /* domains, by a round not long ago */
    int64_t listed_until; /* that is taken for true */
    int64_t paused_until; /* no rounds: lists do not come */
};

struct vg_marks *vg_marks_new(struct vg_host *host)
{
    struct vg_marks *marks = calloc(1, sizeof(*marks));
    if (!marks)
        return NULL;
    marks->host = host;
    pthread_mutex_init(&marks->lock, NULL);
    vg_cond_init(&marks->ended);
    return marks;
}

/* Lock held, or nobody else is there. */
static void unref_round(struct round *round)
{
    if (!round || --round->refs)
        return;
    vg_domain_set_clear(&round->autostart);
    vg_domain_set_clear(&round->managed_save);
    free(round->inactive);
    free(round);
}

static struct round *ref_round(struct round *round)
{
    round->refs++;
    return round;
}

void vg_marks_free(struct vg_marks *marks)
{
    if (!marks)
        return;
    unref_round(marks->open);
    unref_round(marks->latest);
    pthread_cond_destroy(&marks->ended);
    pthread_mutex_destroy(&marks->lock);
    free(marks);
}

/* ---- a round ----------------------------------------------------------------------- */

static struct inactive inactive_of(const virDomainStatsRecord *record)
{
    struct vg_view v = vg_view_of(record->dom);

    vg_view_take_stats(&v, record);
    struct inactive ret = {.have = v.have,
                           .state = v.state,
                           .reason = v.reason,
                           .vcpus = v.vcpus,
                           .max_vcpus = v.xml.max_vcpus,
                           .memory = v.memory,
                           .max_memory = v.max_memory};
    memcpy(ret.uuid, v.uuid, sizeof(ret.uuid));
    return ret;
}

static bool read_inactive(virConnectPtr conn, struct round *round)
{
    vg_autolist(stats) records = {0};

    records.n = virConnectGetAllDomainStats(
        conn, VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_BALLOON | VIR_DOMAIN_STATS_VCPU,
        &records.v,
        VIR_CONNECT_GET_ALL_DOMAINS_STATS_INACTIVE |
            VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
    if (records.n < 0)
        return false;
    round->inactive = calloc((size_t)records.n + 1, sizeof(*round->inactive));
    if (!round->inactive)
        return false;
    for (; round->n_inactive < (size_t)records.n; round->n_inactive++)
        round->inactive[round->n_inactive] = inactive_of(records.v[round->n_inactive]);
    qsort(round->inactive, round->n_inactive, sizeof(*round->inactive), vg_compare_uuids);
    return true;
}

/* The fields that were told. */
static unsigned int read_lists(virConnectPtr conn, struct round *round)
{
    unsigned int wanted = round->wanted, told = 0; /* nobody wants more since it began */

    if (wanted & VG_DOMAIN_AUTOSTART &&
        vg_domain_set_add(&round->autostart, conn, VIR_CONNECT_LIST_DOMAINS_AUTOSTART) ==
            0)
        told |= VG_DOMAIN_AUTOSTART;
    if (wanted & VG_DOMAIN_MANAGED_SAVE &&
        vg_domain_set_add(&round->managed_save, conn,
                          VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE) == 0)
        told |= VG_DOMAIN_MANAGED_SAVE;
    if (wanted & VG_DOMAIN_MAX_VCPUS && read_inactive(conn, round))
        told |= VG_DOMAIN_MAX_VCPUS;
    return told;
}

/* Lock held. NULL: the open one's end was told already. */
static struct round *begin_round(struct vg_marks *marks)
{
    struct round *round = vg_take(&marks->open);

    if (!round)
        return NULL;
    round->number = atomic_fetch_add(&marks->begun, 1) + 1;
    unref_round(marks->latest);
    marks->latest = ref_round(round);
    return round;
}

/* Lock held. */
static void end_round(struct vg_marks *marks, struct round *round, unsigned int told)
{
    round->ended = true;
    round->told = told;
    if (!told)
        marks->paused_until = vg_now_ns() + LEARNT_NS;
    pthread_cond_broadcast(&marks->ended);
}

/* The handler. */
static struct vg_reply read_round(struct vg_request *rq)
{
    struct vg_marks *marks = rq->host->marks;
    struct round *round;
    {
        VG_LOCK(&marks->lock);
        round = begin_round(marks);
    }
    if (!round)
        return vg_no_content(rq);
    unsigned int told = read_lists(vg_conn(rq), round);
    VG_LOCK(&marks->lock);
    marks->listed = round->autostart.n + round->managed_save.n + round->n_inactive;
    marks->listed_until = vg_now_ns() + LEARNT_NS;
    end_round(marks, round, told);
    unref_round(round);
    return vg_no_content(rq);
}

/* The request's done(): whatever came of it, nobody waits for the round any longer. */
static void close_round(struct vg_request *rq, struct vg_reply reply)
{
    struct vg_marks *marks = rq->host->marks;
    struct round *round = rq->done_data;

    vg_reply_clear(&reply);
    VG_LOCK(&marks->lock);
    if (marks->open == round)
        unref_round(vg_take(&marks->open));
    if (!round->ended)
        end_round(marks, round, 0);
    unref_round(round);
}

static const struct vg_route round_route = {VG_GET, "/domains", "listDomains", VG_READ,
                                            read_round};

/* A request that reads the open round. NULL: out of memory. Lock held. */
static struct vg_request *open_round(struct vg_marks *marks)
{
    struct vg_request *rq = vg_request_inner(&round_route, "/domains", 0);
    struct round *round = rq ? calloc(1, sizeof(*round)) : NULL;

    if (!round) {
        vg_request_unref(rq);
        return NULL;
    }
    round->refs = 1;
    marks->open = round;
    vg_request_set_host(rq, marks->host, marks->host->name);
    rq->moved = true; /* off the lane of reads that cannot block */
    rq->start_ns = vg_now_ns();
    rq->deadline_ns = rq->start_ns + LIMIT_NS;
    rq->done = close_round;
    rq->done_data = ref_round(round);
    return rq;
}

/* ---- asking ------------------------------------------------------------------------ */

uint64_t vg_marks_now(struct vg_marks *marks)
{
    return atomic_load(&marks->begun) + 1;
}

/* Whether lists take less than the calls of those who wait for a worker. Lock held. */
static bool is_worth(struct vg_marks *marks, unsigned int fields)
{
    int64_t now = vg_now_ns();
    size_t listed = now < marks->listed_until ? marks->listed : 0;
    unsigned int calls = (unsigned int)__builtin_popcount(fields);
    unsigned int running, waiting, threads;

    vg_lane_count(&marks->host->calls, &running, &waiting, &threads);
    return now >= marks->paused_until && waiting &&
           (running + waiting) * calls > ROUND_CALLS + listed / DOMAINS_A_CALL;
}

/* Whether the round tells the fields, and begins after everybody asked who waits for the
 * request's answer. One that is asked once more, or that made a change itself, asks now.
 */
static bool will_do(const struct round *latest, const struct vg_request *rq,
                    unsigned int fields)
{
    return latest && !(fields & ~latest->wanted) && rq->marks_from && !rq->again &&
           rq->route->flags & VG_READ && latest->number >= rq->marks_from;
}

/* The round that is to answer; counted. NULL: none. *ret_opened is to be submitted,
 * unless it is NULL. Lock held. */
static struct round *choose_round(struct vg_marks *marks, const struct vg_request *rq,
                                  unsigned int fields, struct vg_request **ret_opened)
{
    if (will_do(marks->latest, rq, fields))
        return ref_round(marks->latest);
    if (!is_worth(marks, fields))
        return NULL;
    if (!marks->open)
        *ret_opened = open_round(marks);
    if (!marks->open)
        return NULL;
    marks->open->wanted |= fields;
    return ref_round(marks->open);
}

/* Waits for the round's end, and a moment at most. Lock held. */
static void await_round(struct vg_marks *marks, const struct round *round)
{
    const struct timespec until = vg_from_now(PATIENCE_NS);

    while (!round->ended)
        if (pthread_cond_timedwait(&marks->ended, &marks->lock, &until) != 0) {
            marks->paused_until = vg_now_ns() + LEARNT_NS;
            return;
        }
}

/* All that virDomainGetInfo() would tell, too: an inactive domain has used no time. (One
 * without a balloon, but with less current memory than it has, is where libvirt's two
 * calls differ: statistics count all of it, as a guest would get it.) */
static void take_inactive(const struct inactive *is, struct vg_view *view)
{
    view->contradicted = view->have & VG_DOMAIN_STATE && view->state != is->state;
    view->state = is->state;
    view->reason = is->reason;
    view->vcpus = is->vcpus;
    view->xml.max_vcpus = is->max_vcpus;
    view->memory = is->memory;
    view->max_memory = is->max_memory;
    view->cpu_time = 0;
    view->have |= is->have | VG_DOMAIN_CPU_TIME;
}

static void take_marks(const struct round *round, struct vg_view *view)
{
    view->autostart = vg_domain_set_has(&round->autostart, view->uuid);
    view->managed_save = vg_domain_set_has(&round->managed_save, view->uuid);
    view->have |= round->told & (VG_DOMAIN_AUTOSTART | VG_DOMAIN_MANAGED_SAVE);
    if (!round->n_inactive || vg_view_is_active(view))
        return;
    const struct inactive *is = bsearch(view->uuid, round->inactive, round->n_inactive,
                                        sizeof(*is), vg_compare_uuids);
    if (is)
        take_inactive(is, view);
}

void vg_marks_read(struct vg_request *rq, struct vg_view *view, unsigned int fields)
{
    struct vg_marks *marks = rq->host->marks;
    struct vg_request *opened = NULL;
    struct round *round;

    fields &= VG_MARKS & ~view->have;
    if (!fields || vg_conn_in_process(rq))
        return;
    {
        VG_LOCK(&marks->lock);
        round = choose_round(marks, rq, fields, &opened);
    }
    if (opened)
        vg_host_submit(marks->host, opened);
    if (!round)
        return;
    VG_LOCK(&marks->lock);
    await_round(marks, round);
    if (round->ended && round->told) {
        take_marks(round, view);
        vg_count(VG_LISTED_READS);
    }
    unref_round(round);
}
