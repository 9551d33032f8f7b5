/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See libvirt/check.h. An answer that is kept is asked for anew. Where they differ the
 * event may be on its way: only if none has come a while later was memory wrong. That is
 * counted (and must stay 0), memory is dropped, and whoever watches is told to list
 * again.
 */
#include "server/libvirt/check.h"

#include "server/libvirt/event_draft.h"
#include "virtgate/cleanup.h"
#include "server/base/log.h"

#include <string.h>

/* One host is looked at every 15 s, many hosts once in a second together: a comparison
 * keeps a worker for a minute, and its connection. */
#define EVERY_NS    (15 * VG_SECOND_NS)
#define TURN_NS     VG_SECOND_NS
#define PATIENCE_NS VG_SECOND_NS
#define LIMIT_NS    (5 * VG_SECOND_NS)

struct vg_check {
    struct vg_host *host;
    pthread_mutex_t lock;
    int64_t every_ns;
    int64_t next_ns; /* the next comparison */
    bool asking;
    int64_t judge_ns;             /* 0: nothing to judge */
    struct vg_cached_answer kept; /* the one that is compared; owned */
};

struct vg_check *vg_check_new(struct vg_host *host, size_t turn, size_t turns)
{
    struct vg_check *check = calloc(1, sizeof(*check));
    if (!check)
        return NULL;
    check->host = host;
    check->every_ns = (int64_t)turns * TURN_NS;
    if (check->every_ns < EVERY_NS)
        check->every_ns = EVERY_NS;
    check->next_ns = vg_now_ns() + EVERY_NS + (int64_t)turn * TURN_NS;
    pthread_mutex_init(&check->lock, NULL);
    return check;
}

void vg_check_free(struct vg_check *check)
{
    if (!check)
        return;
    vg_cached_answer_clear(&check->kept);
    pthread_mutex_destroy(&check->lock);
    free(check);
}

bool vg_check_asks(struct vg_check *check)
{
    VG_LOCK(&check->lock);
    return check->asking;
}

static bool differ(const struct vg_reply *a, const struct vg_reply *b)
{
    return a->body->length != b->body->length ||
           memcmp(a->body->data, b->body->data, a->body->length) != 0;
}

/* The request's done(). An error (a host that went away) is no difference; a domain that
 * is gone is one. */
static void compare(struct vg_request *rq, struct vg_reply reply)
{
    struct vg_check *check = rq->done_data;
    VG_LOCK(&check->lock);
    bool same = reply.status != 404 && (reply.status != 200 || !reply.body ||
                                        !differ(&reply, &check->kept.reply));

    check->asking = false;
    check->judge_ns = same ? 0 : vg_now_ns() + PATIENCE_NS;
    vg_reply_clear(&check->kept.reply);
    vg_reply_clear(&reply);
}

static void judge(struct vg_check *check)
{
    struct vg_host *host = check->host;

    check->judge_ns = 0;
    if (!vg_answer_cache_unchanged(host->cache, &check->kept.reading))
        return;
    vg_log(VG_LOG_ERROR, "answer-cache",
           "%s: libvirt's answer is another than the one in memory, and no event said so",
           host->name);
    vg_answer_cache_note_difference(host->cache, check->kept.reading.kind);
    vg_event_connection(host, VG_EVENT_RESET, "an event was missed");
}

/* The request whose answer is compared with the one in memory. NULL: out of memory. */
static struct vg_request *make_request(struct vg_check *check, int64_t now)
{
    const struct vg_cached_answer *kept = &check->kept;
    struct vg_request *rq = vg_request_inner(kept->route, kept->target, kept->prefix);

    if (!rq)
        return NULL;
    vg_request_set_host(rq, check->host, check->host->name);
    rq->accept = kept->accept;
    rq->rights = kept->rights;
    rq->fresh = true; /* what memory it has is what is compared */
    rq->start_ns = now;
    rq->deadline_ns = now + LIMIT_NS;
    rq->done = compare;
    rq->done_data = check;
    if (vg_request_parse_target(rq, rq->target) == 0 && vg_request_common_args(rq) == 0)
        return rq;
    vg_request_unref(rq);
    return NULL;
}

/* Lock held. NULL: nothing is to be asked. */
static struct vg_request *begin(struct vg_check *check, int64_t now)
{
    if (check->asking || check->judge_ns || now < check->next_ns)
        return NULL;
    check->next_ns = now + check->every_ns;
    vg_cached_answer_clear(&check->kept);
    if (!vg_answer_cache_pick(check->host->cache, &check->kept))
        return NULL;
    struct vg_request *rq = make_request(check, now);
    check->asking = rq != NULL;
    return rq;
}

struct vg_request *vg_check_tick(struct vg_check *check, int64_t now_ns)
{
    VG_LOCK(&check->lock);
    if (check->judge_ns && check->judge_ns <= now_ns)
        judge(check);
    return begin(check, now_ns);
}
