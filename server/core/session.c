/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/core/session.h"

#include "server/base/clock.h"
#include "server/base/digits.h"
#include "server/base/list.h"
#include "server/core/access.h"
#include "server/core/scope.h"
#include "virtgate/cleanup.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* How long after a takeover began its victim's end is taken for it. */
#define TAKEOVER_NS (10 * VG_SECOND_NS)
#define ID_SIZE     40

static const struct vg_enum_value kind_names[] = {
    {"console", NULL, VG_SESSION_CONSOLE},
    {"channel", NULL, VG_SESSION_CHANNEL},
    {"display", NULL, VG_SESSION_DISPLAY},
    {"transfer", NULL, VG_SESSION_TRANSFER},
};
const struct vg_enum vg_session_kinds = {"kinds of sessions", kind_names,
                                         sizeof(kind_names) / sizeof(kind_names[0])};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct vg_session *sessions, **last = &sessions; /* the oldest first */
static uint64_t last_number;
static time_t epoch; /* of the first, so that no id of an earlier run is one of this */

/* ---- beginning and end ------------------------------------------------------------- */

void vg_session_begin(struct vg_session *s, const struct vg_request *rq)
{
    s->host = vg_host_name(rq);
    s->path = vg_request_path(rq);
    snprintf(s->principal, sizeof(s->principal), "%s", rq->principal);
    s->rights = rq->rights;
    s->needs = rq->needs;
    clock_gettime(CLOCK_REALTIME, &s->since);
    VG_LOCK(&lock);
    epoch = epoch ? epoch : s->since.tv_sec;
    s->begun = true;
    s->number = ++last_number;
    vg_list_insert(last, s);
    last = &s->next;
}

void vg_session_over(struct vg_session *s)
{
    if (!s->begun)
        return;
    VG_LOCK(&lock);
    s->begun = false;
    if (last == &s->next)
        last = s->link;
    vg_list_remove(s);
    free(vg_take(&s->path));
}

/* ---- what one is of ---------------------------------------------------------------- */

/* As of operations: one of a guest that is not seen is not there. */
static bool is_seen(const struct vg_session *s, const struct vg_request *rq)
{
    const struct vg_rights *rights = rq->rights;

    return !vg_scope_is_narrow(rights) || s->rights == rights ||
           (vg_scope_has_host(rights, s->host) && vg_scope_has_domain(rights, s->domain));
}

static bool is_here(const struct vg_session *s, const struct vg_request *rq)
{
    return !s->ending && (!rq->prefix || strcmp(s->host, vg_host_name(rq)) == 0) &&
           is_seen(s, rq);
}

static bool passes(const struct vg_session *s, const struct vg_session_filter *f)
{
    bool named = f->domain && s->domain &&
                 (strcmp(s->domain, f->domain) == 0 ||
                  (s->uuid && vg_uuid_is(s->uuid, f->domain)));

    return (!f->kinds || f->kinds & s->kind) && (!f->domain || named) &&
           (!f->principal || strcmp(s->principal, f->principal) == 0);
}

static void write_id(const struct vg_session *s, char ret[static ID_SIZE])
{
    snprintf(ret, ID_SIZE, "%jx-%" PRIu64, (uintmax_t)epoch, s->number);
}

static void write_session(struct vg_json *w, const struct vg_session *s)
{
    char id[ID_SIZE], since[40];
    vg_autofree char *whole = NULL;

    write_id(s, id);
    vg_write_time(since, sizeof(since), &s->since, 3);
    vg_json_begin_object(w, NULL);
    vg_json_string(w, "id", id);
    vg_json_enum(w, "kind", &vg_session_kinds, s->kind);
    vg_json_string(w, "host", s->host);
    if (s->uuid) {
        vg_json_begin_object(w, "domain");
        vg_json_string(w, "name", s->domain);
        vg_json_string(w, "uuid", s->uuid);
        vg_json_end_object(w);
    }
    if (s->kind != VG_SESSION_TRANSFER)
        vg_json_string(w, "device", s->device);
    if (asprintf(&whole, "%s%s", vg_path_prefix(), s->path ? s->path : "") < 0)
        whole = NULL;
    vg_json_string(w, "path", whole);
    if (s->operation)
        vg_json_string(w, "operation", s->operation);
    vg_json_string(w, "principal", s->principal[0] ? s->principal : NULL);
    vg_json_string(w, "since", since);
    vg_json_end_object(w);
}

/* ---- asking ------------------------------------------------------------------------ */

void vg_sessions_list(struct vg_request *rq, struct vg_json *w,
                      const struct vg_session_filter *filter)
{
    vg_json_begin_array(w, "sessions");
    VG_LOCK(&lock);
    for (const struct vg_session *s = sessions; s; s = s->next)
        if (is_here(s, rq) && passes(s, filter))
            write_session(w, s);
    vg_json_end_array(w);
}

/* The one that the caller may see. Lock held. */
static struct vg_session *find(const struct vg_request *rq, const char *id)
{
    char text[ID_SIZE];

    for (struct vg_session *s = sessions; s; s = s->next) {
        write_id(s, text);
        if (strcmp(text, id) == 0)
            return is_here(s, rq) ? s : NULL;
    }
    return NULL;
}

static int fail_missing(struct vg_request *rq, const char *id)
{
    vg_error_set(&rq->error, VG_E_NOT_FOUND,
                 "There is no session '%.60s': it may have ended; /sessions lists them",
                 id);
    return -1;
}

int vg_session_write(struct vg_request *rq, struct vg_json *w, const char *id)
{
    {
        VG_LOCK(&lock);
        const struct vg_session *s = find(rq, id);
        if (s) {
            write_session(w, s);
            return 0;
        }
    }
    return fail_missing(rq, id);
}

int vg_session_end(struct vg_request *rq, const char *id)
{
    struct vg_permissions needs = {0};
    bool there;
    {
        VG_LOCK(&lock);
        const struct vg_session *s = find(rq, id);
        there = s;
        if (s)
            needs = s->needs;
    }
    if (there && vg_access_ask(rq, &needs, "Ending a session is as opening it") < 0)
        return -1;
    {
        VG_LOCK(&lock);
        struct vg_session *s = there ? find(rq, id) : NULL;
        there = s;
        if (s) {
            s->ending = true;
            s->end(s->data, rq->principal);
        }
    }
    return there ? 0 : fail_missing(rq, id);
}

/* ---- who holds a device ------------------------------------------------------------ */

static bool holds(const struct vg_session *s, const struct vg_request *rq,
                  enum vg_session_kind kind, const char *uuid, const char *device)
{
    return s->kind == kind && s->uuid && strcmp(s->uuid, uuid) == 0 &&
           strcmp(s->host, vg_host_name(rq)) == 0 &&
           (!device || !s->device || strcmp(s->device, device) == 0);
}

void vg_sessions_take_over(const struct vg_request *rq, enum vg_session_kind kind,
                           const char *uuid, const char *device)
{
    int64_t now = vg_now_ns();
    VG_LOCK(&lock);

    for (struct vg_session *s = sessions; s; s = s->next) {
        if (!holds(s, rq, kind, uuid, device))
            continue;
        memcpy(s->taken_by, rq->principal, sizeof(s->taken_by));
        s->taken_ns = now;
    }
}

bool vg_session_is_taken(const struct vg_session *s,
                         char ret_by[static VG_TOKEN_NAME_SIZE])
{
    VG_LOCK(&lock);
    if (!s->taken_ns || s->taken_ns + TAKEOVER_NS < vg_now_ns())
        return false;
    memcpy(ret_by, s->taken_by, sizeof(s->taken_by));
    return true;
}

bool vg_sessions_find_holder(const struct vg_request *rq, enum vg_session_kind kind,
                             const char *uuid, const char *device,
                             char ret[static VG_TOKEN_NAME_SIZE])
{
    VG_LOCK(&lock);
    for (const struct vg_session *s = sessions; s; s = s->next) {
        if (!holds(s, rq, kind, uuid, device) || !s->principal[0])
            continue;
        memcpy(ret, s->principal, sizeof(s->principal));
        return true;
    }
    return false;
}
