/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See http/rate.h. A rate is kept by the generic cell rate algorithm (ITU-T I.371): of
 * each client one time, when all that it sent would be due had it come evenly. What is
 * due already needs no memory.
 */
#include "server/http/rate.h"

#include "server/base/clock.h"
#include "server/http/account.h"
#include "server/http/internal.h"
#include "virtgate/cleanup.h"

#include <stdlib.h>

struct client {
    struct client *next;
    uint64_t who;
    int64_t due_ns;
};

struct rate {
    const char *name;
    unsigned int window; /* seconds; as many calls as it allows may come at once */
    int64_t quota;       /* calls in a window; 0: no limit */
    pthread_mutex_t lock;
    struct client *buckets[VG_ACCOUNT_BUCKETS];
};

static struct rate reads = {
    .name = "reads", .window = 1, .lock = PTHREAD_MUTEX_INITIALIZER};
static struct rate changes = {
    .name = "changes", .window = 1, .lock = PTHREAD_MUTEX_INITIALIZER};
static struct rate failures = {
    .name = "failed-tokens", .window = 60, .lock = PTHREAD_MUTEX_INITIALIZER};

/* Sessions of one kind: how many one client may have. */
struct share {
    const char *name, *option;
    int64_t limit; /* 0: none */
    struct vg_accounts accounts;
};
static struct share streams = {.name = "event streams",
                               .option = "streams-per-token",
                               .accounts = VG_ACCOUNTS_INITIALIZER};
static struct share consoles = {.name = "consoles",
                                .option = "consoles-per-token",
                                .accounts = VG_ACCOUNTS_INITIALIZER};

void vg_http_rate_start(const struct vg_config *config)
{
    reads.quota = config->reads_per_second;
    changes.quota = config->changes_per_second;
    failures.quota = config->failed_tokens;
    streams.limit = config->streams_per_token;
    consoles.limit = config->consoles_per_token;
}

/* ---- rates ------------------------------------------------------------------------- */

/* The client's entry; those of its bucket that are due go. Lock held. NULL: it has none.
 */
static struct client *find_client(struct client **bucket, uint64_t who, int64_t now_ns)
{
    struct client *found = NULL;

    for (struct client **at = bucket; *at;) {
        struct client *c = *at;
        if (c->who == who) {
            found = c;
        } else if (c->due_ns <= now_ns) {
            *at = c->next;
            free(c);
            continue;
        }
        at = &c->next;
    }
    return found;
}

static struct client *add_client(struct client **bucket, uint64_t who)
{
    struct client *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->who = who;
    c->next = *bucket;
    *bucket = c;
    return c;
}

/* Counts one call of that client. False: it is past the rate; *ret says which. */
static bool count(struct rate *r, uint64_t who, struct vg_http_rate_limit *ret)
{
    const int64_t window_ns = (int64_t)r->window * VG_SECOND_NS;
    const int64_t each_ns = window_ns / r->quota, now_ns = vg_now_ns();
    struct client **bucket = &r->buckets[vg_account_bucket(who)];

    VG_LOCK(&r->lock);
    struct client *c = find_client(bucket, who, now_ns);
    if (!c && !(c = add_client(bucket, who)))
        return true; /* nobody is refused for want of memory */
    int64_t due_ns = (c->due_ns > now_ns ? c->due_ns : now_ns) + each_ns;
    int64_t wait_ns = due_ns - now_ns - window_ns;
    if (wait_ns <= 0) {
        c->due_ns = due_ns;
        return true;
    }
    *ret = (struct vg_http_rate_limit){
        r->name, r->quota, r->window,
        (unsigned int)((wait_ns + VG_SECOND_NS - 1) / VG_SECOND_NS)};
    return false;
}

static void refuse(struct vg_http_call *call, const char *what)
{
    const struct vg_http_rate_limit *past = &call->past;

    vg_error_set(&call->rq->error, VG_E_RATE_LIMITED,
                 "%s: %lld in %u s are accepted; try again in %u s", what,
                 (long long)past->quota, past->window, past->until_next);
    call->rq->error.retry_after = past->until_next;
}

/* ---- sessions ---------------------------------------------------------------------- */

static struct share *share_of(const struct vg_route *route)
{
    return route->gives == VG_GIVES_WEBSOCKET ? &consoles : &streams;
}

static int take_share(struct vg_http_call *call)
{
    struct share *share = share_of(call->rq->route);
    uint64_t who = vg_http_limit_payer(call);

    if (!share->limit)
        return 0;
    if (vg_account_take(&share->accounts, who, 1, (size_t)share->limit)) {
        call->session_payer = who;
        call->has_session = true;
        return 0;
    }
    vg_error_set(&call->rq->error, VG_E_RATE_LIMITED,
                 "This client has %lld %s already, as many as it may (--%s): end one",
                 (long long)share->limit, share->name, share->option);
    return -1;
}

void vg_http_rate_leave(struct vg_http_call *call)
{
    if (!call->has_session)
        return;
    call->has_session = false;
    vg_account_give(&share_of(call->rq->route)->accounts, call->session_payer, 1);
}

/* ---- a call ------------------------------------------------------------------------ */

int vg_http_rate_admit(struct vg_http_call *call)
{
    const struct vg_route *route = call->rq->route;
    bool read = vg_route_is_read(route);
    struct rate *r = read ? &reads : &changes;

    if (!route->needs)
        return 0; /* health, docs: anybody's */
    if (r->quota && !count(r, vg_http_limit_payer(call), &call->past)) {
        refuse(call, read ? "This client reads too often"
                          : "This client changes things too often");
        return -1;
    }
    return vg_route_gives_session(route) ? take_share(call) : 0;
}

void vg_http_rate_refused(struct vg_http_call *call)
{
    if (failures.quota && call->rq->rights->role == VG_ROLE_NONE &&
        call->headers.authorization &&
        !count(&failures, vg_http_limit_address(call), &call->past))
        refuse(call, "Too many wrong tokens came from this address");
}
