/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/ticket.h"

#include "server/app.h"
#include "server/core/access.h"
#include "virtgate/cleanup.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define SECRET_SIZE 20 /* random bytes */
#define LIFE_NS     (VG_TICKET_SECONDS * VG_SECOND_NS)

struct ticket {
    struct ticket *next; /* a younger one */
    unsigned char secret[SECRET_SIZE];
    struct vg_caller caller;
    const char *page; /* as the request's */
    int64_t until_ns;
    char *path; /* owned */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct ticket *oldest, **end = &oldest;
static unsigned int n_tickets;

/* ---- the list, under its lock ------------------------------------------------------ */

static void free_ticket(struct ticket *t)
{
    if (!t)
        return;
    free(t->path);
    free(t);
}

static struct ticket *take_out(struct ticket **at)
{
    struct ticket *t = *at;
    *at = t->next;
    if (end == &t->next)
        end = at;
    n_tickets--;
    return t;
}

static void drop_old(int64_t now_ns)
{
    while (oldest && oldest->until_ns <= now_ns)
        free_ticket(take_out(&oldest));
}

static unsigned int count_of(const unsigned char caller[VG_CALLER_SIZE])
{
    unsigned int n = 0;
    for (const struct ticket *t = oldest; t; t = t->next)
        n += memcmp(t->caller.hash, caller, sizeof(t->caller.hash)) == 0;
    return n;
}

/* ---- making ------------------------------------------------------------------------ */

/* The path as nobody writes it in two ways; owned, NULL: out of memory. */
static char *spell_path(const struct vg_request *rq)
{
    vg_autofree char *path = strdup("");

    for (unsigned int i = 0; path && i < rq->n_segments; i++) {
        vg_autofree char *before = vg_take(&path);
        vg_autofree char *segment = vg_percent_encode(rq->segments[i]);
        if (!segment || asprintf(&path, "%s/%s", before, segment) < 0)
            path = NULL;
    }
    return vg_take(&path);
}

/* What is wrong with the path is wrong with an argument; the rest as it is. */
static void fail_path(struct vg_request *rq, const char *path, struct vg_error *e)
{
    if (e->status == 403 || e->status >= 500) {
        rq->error = *e;
        *e = (struct vg_error){0};
        return;
    }
    vg_error_set(&rq->error, VG_E_INVALID_VALUE,
                 "'path' is '%.200s', where there is no event stream and no "
                 "WebSocket; '%s/events' is one, '%s/domains/NAME/console' another",
                 path, vg_path_prefix(), vg_path_prefix());
}

/* Finds its route and host, as this caller sees them. -1: there is none. */
static int route_seen(struct vg_request *inner, const struct vg_request *rq)
{
    const char *allow;
    int rc = vg_app_route(inner, &allow);

    inner->rights = rq->rights;
    return vg_app_hide(inner, &allow) < 0 ? -1 : rc;
}

/* GET of that path, as this caller might send it; NULL: the request's error is set. */
static struct vg_request *route_path(struct vg_request *rq, const char *path)
{
    const char *below = vg_path_below_prefix(path);
    struct vg_request *inner = vg_request_new();

    if (!inner) {
        vg_error_set_memory(&rq->error);
        return NULL;
    }
    inner->method = VG_GET;
    inner->method_name = "GET";
    if (below && vg_request_parse_target(inner, below) == 0 &&
        route_seen(inner, rq) == 0 && vg_route_gives_session(inner->route) &&
        vg_access_permit(inner, rq->rights) == 0)
        return inner;
    fail_path(rq, path, &inner->error);
    vg_request_unref(inner);
    return NULL;
}

/* -1: there are too many. */
static int keep(struct ticket *t)
{
    VG_LOCK(&lock);
    drop_old(vg_now_ns());
    if (n_tickets >= VG_TICKETS || count_of(t->caller.hash) >= VG_TICKETS_OF_ONE)
        return -1;
    *end = t;
    end = &t->next;
    n_tickets++;
    return 0;
}

static void write_ticket(const struct ticket *t, struct vg_ticket *ret)
{
    struct timespec at;

    for (size_t i = 0; i < SECRET_SIZE; i++)
        snprintf(ret->text + 2 * i, 3, "%02x", t->secret[i]);
    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += VG_TICKET_SECONDS;
    vg_write_time(ret->expires_at, sizeof(ret->expires_at), &at, 3);
}

static void note_caller(const struct vg_request *rq, struct vg_caller *ret)
{
    ret->via = rq->via;
    ret->role = rq->rights->role;
    memcpy(ret->hash, rq->caller, sizeof(ret->hash));
    memcpy(ret->principal, rq->principal, sizeof(ret->principal));
}

int vg_ticket_new(struct vg_request *rq, const char *path, struct vg_ticket *ret)
{
    struct vg_request *inner = route_path(rq, path);
    struct ticket *t = inner ? calloc(1, sizeof(*t)) : NULL;

    if (!inner)
        return -1;
    if (t)
        t->path = spell_path(inner);
    vg_request_unref(inner);
    if (!t || !t->path ||
        getrandom(t->secret, sizeof(t->secret), 0) != (ssize_t)sizeof(t->secret)) {
        free_ticket(t);
        return vg_error_set_memory(&rq->error);
    }
    note_caller(rq, &t->caller);
    t->page = rq->page;
    t->until_ns = vg_now_ns() + LIFE_NS;
    write_ticket(t, ret);
    if (keep(t) == 0)
        return 0;
    free_ticket(t);
    vg_error_set(&rq->error, VG_E_OVERLOADED,
                 "Too many tickets wait to be used: %d of one token, %d of all",
                 VG_TICKETS_OF_ONE, VG_TICKETS);
    return -1;
}

/* ---- using ------------------------------------------------------------------------- */

/* In the same time wherever they differ. */
static bool is_secret(const struct ticket *t, const char *text)
{
    char own[2 * SECRET_SIZE + 1];
    unsigned int differs = 0;

    for (size_t i = 0; i < SECRET_SIZE; i++)
        snprintf(own + 2 * i, 3, "%02x", t->secret[i]);
    for (size_t i = 0; i < 2 * (size_t)SECRET_SIZE; i++)
        differs |= (unsigned int)(own[i] ^ text[i]);
    return differs == 0;
}

static struct ticket *find(const char *text)
{
    if (strlen(text) != 2 * (size_t)SECRET_SIZE)
        return NULL;
    for (struct ticket **at = &oldest; *at; at = &(*at)->next)
        if (is_secret(*at, text))
            return take_out(at);
    return NULL;
}

/* A page of the gateway's own that is not served over TLS may send nothing that tells it
 * with an EventSource; one of another origin always says which. */
static bool is_page(const char *made_by, const char *used_by)
{
    if (!made_by || !used_by)
        return !used_by && (!made_by || !*made_by);
    return strcmp(made_by, used_by) == 0;
}

bool vg_ticket_take(const char *text, const struct vg_request *rq, int64_t now_ns,
                    struct vg_caller *ret_caller)
{
    struct ticket *t;
    {
        VG_LOCK(&lock);
        drop_old(now_ns);
        t = find(text);
    }
    if (!t)
        return false;
    vg_autofree char *path = spell_path(rq);
    bool good = path && strcmp(path, t->path) == 0 && is_page(t->page, rq->page);
    *ret_caller = t->caller;
    free_ticket(t);
    return good;
}

void vg_tickets_clear(void)
{
    VG_LOCK(&lock);
    drop_old(INT64_MAX);
}
