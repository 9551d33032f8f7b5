/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/http/session.h"

#include "server/base/clock.h"
#include "server/base/list.h"
#include "virtgate/cleanup.h"

#include <string.h>
#include <time.h>

#define LOOK_NS     (VG_SECOND_NS / 4)
#define PATIENCE_NS (2 * VG_SECOND_NS) /* with those that do not end */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct vg_http_session *sessions;

/* The earlier of two times, of which 0 is never. */
static time_t earlier(time_t a, time_t b)
{
    return !a || (b && b < a) ? b : a;
}

/* What the token file says of it by now. Lock held. */
static void ask_again(struct vg_http_session *s)
{
    time_t until = 0;

    s->generation = vg_http_auth_generation();
    s->revoked =
        s->via == VG_VIA_TOKEN && !vg_http_auth_holds(s->caller, s->rights, &until);
    s->until = earlier(until, s->certified_until);
}

void vg_http_session_begin(struct vg_http_session *s, struct vg_http_call *call,
                           void (*end)(void *data), void *data)
{
    memcpy(s->caller, call->rq->caller, sizeof(s->caller));
    s->rights = call->rq->rights;
    s->via = call->rq->via;
    s->certified_until = call->conn->certified_until;
    s->conn = call->conn;
    s->begun = true;
    s->end = end;
    s->data = data;
    VG_LOCK(&lock);
    ask_again(s);
    vg_list_insert(&sessions, s);
}

void vg_http_session_end(struct vg_http_session *s)
{
    if (!s->begun)
        return;
    s->begun = false;
    VG_LOCK(&lock);
    vg_list_remove(s);
}

bool vg_http_session_is_over(const struct vg_http_session *s)
{
    return atomic_load(&s->over);
}

/* Lock held. */
static void end_session(struct vg_http_session *s, int64_t now_ns)
{
    if (!s->cut_ns) {
        s->cut_ns = now_ns + PATIENCE_NS;
        atomic_store(&s->over, true);
        s->end(s->data);
    } else if (s->cut_ns <= now_ns) {
        s->cut_ns = INT64_MAX;
        vg_http_set_deadline(s->conn, 1);
    }
}

void vg_http_sessions_look(int64_t now_ns)
{
    unsigned int generation = vg_http_auth_generation();
    time_t now = time(NULL);
    VG_LOCK(&lock);
    for (struct vg_http_session *s = sessions; s; s = s->next) {
        if (s->generation != generation)
            ask_again(s);
        if (s->cut_ns || s->revoked || (s->until && s->until <= now))
            end_session(s, now_ns);
    }
}

void vg_http_sessions_tick(int64_t now_ns, const char *token_file)
{
    static int64_t next_ns; /* the watchdog's alone */

    if (now_ns < next_ns)
        return;
    next_ns = now_ns + LOOK_NS;
    if (token_file)
        vg_http_auth_tick(token_file);
    vg_http_sessions_look(now_ns);
}
