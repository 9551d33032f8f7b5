/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/joined.h"

#include "server/core/event.h"
#include "server/core/identity.h"
#include "server/libvirt/host.h"
#include "virtgate/cleanup.h"

#include <string.h>

/* There are few forms of these lists, and each is as long as all hosts' together. */
#define ANSWERS   8
#define MAX_BYTES ((size_t)16 * 1024 * 1024)

static struct answer {
    char *target; /* owned; NULL: none is here */
    enum vg_accept accept;
    const struct vg_rights *rights;
    struct vg_joined_part *parts; /* owned, n of them */
    size_t n;
    int64_t at_ns;
    struct vg_reply reply; /* owned */
} answers[ANSWERS];
static unsigned int next_place;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void clear(struct answer *a)
{
    free(a->target);
    free(a->parts);
    vg_reply_clear(&a->reply);
    *a = (struct answer){0};
}

/* Lock held. NULL: nowhere. */
static struct answer *find(const struct vg_request *rq)
{
    for (size_t i = 0; i < ANSWERS; i++) {
        struct answer *a = &answers[i];
        if (a->target && a->accept == rq->accept && a->rights == rq->rights &&
            strcmp(a->target, rq->target) == 0)
            return a;
    }
    return NULL;
}

static bool holds(const struct answer *a)
{
    for (size_t i = 0; i < a->n; i++)
        if (!vg_host_holds(a->parts[i].host, &a->parts[i].reading))
            return false;
    return true;
}

bool vg_joined_find(const struct vg_request *rq, struct vg_reply *ret)
{
    if (!vg_request_is_shared(rq) || rq->fresh)
        return false;
    /* first: what holds after this reflects all events up to it */
    uint64_t revision = vg_event_head();
    VG_LOCK(&lock);
    struct answer *a = find(rq);
    if (!a || !holds(a))
        return false;
    *ret = vg_reply_share(&a->reply);
    ret->source = VG_SOURCE_INVENTORY;
    ret->has_revision = true;
    ret->revision = revision;
    ret->age_seconds = (unsigned int)((vg_now_ns() - a->at_ns) / VG_SECOND_NS);
    return true;
}

static int64_t oldest(const struct vg_joined_part *parts, size_t n)
{
    int64_t at_ns = vg_now_ns();
    for (size_t i = 0; i < n; i++)
        if (parts[i].reading.at_ns < at_ns)
            at_ns = parts[i].reading.at_ns;
    return at_ns;
}

void vg_joined_keep(const struct vg_request *rq, struct vg_joined_part *parts_steal,
                    size_t n, const struct vg_reply *reply)
{
    vg_autofree struct vg_joined_part *parts = parts_steal;
    vg_autofree char *target = strdup(rq->target);

    if (vg_identity_passes() || !target || !reply->body ||
        reply->body->length > MAX_BYTES)
        return;
    VG_LOCK(&lock);
    struct answer *a = find(rq);
    if (!a)
        a = &answers[next_place++ % ANSWERS];
    clear(a);
    *a = (struct answer){
        .target = vg_take(&target),
        .accept = rq->accept,
        .rights = rq->rights,
        .at_ns = oldest(parts, n),
        .n = n,
        .reply = vg_reply_share(reply),
    };
    a->parts = vg_take(&parts);
}

void vg_joined_free(void)
{
    for (size_t i = 0; i < ANSWERS; i++)
        clear(&answers[i]);
}
