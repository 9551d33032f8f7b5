/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What routes/gateway/event.c needs of the ring and of the request.
 */
#include "server/core/event_reply.h"

#include "server/core/host_names.h"
#include "server/base/clock.h"
#include "server/base/pattern.h"
#include "server/core/scope.h"
#include "virtgate/cleanup.h"

#include <string.h>

void vg_subscription_free(struct vg_subscription *subscription)
{
    if (!subscription)
        return;
    vg_subscriber_free(subscription->subscriber);
    free(subscription);
}

bool vg_wants_stream(const struct vg_request *rq)
{
    return rq->accept == VG_ACCEPT_STREAM || rq->accept == VG_ACCEPT_NOTHING_SAID;
}

/* ---- names ------------------------------------------------------------------------- */

/* Those of the gateway itself, and of QEMU's monitor, whose events have their own. */
static const struct vg_enum_value own_names[] = {
    {"opened", NULL, 0},          {"closed", NULL, 1},
    {VG_EVENT_RESET, NULL, 2},    {"monitor", NULL, 3},
    {"begun", NULL, 4},           {"progress", NULL, 5},
    {"ended", NULL, 6},           {"autostart-change", NULL, 7},
    {"snapshot-change", NULL, 8}, {"checkpoint-change", NULL, 9}};
static const struct vg_enum own = {"own", own_names,
                                   sizeof(own_names) / sizeof(own_names[0])};

static const struct vg_enum *const known_names[] = {
    &vg_enum_virDomainEventID,      &vg_enum_virNetworkEventID,
    &vg_enum_virStoragePoolEventID, &vg_enum_virNodeDeviceEventID,
    &vg_enum_virSecretEventID,      &own,
};
#define N_KNOWN (sizeof(known_names) / sizeof(known_names[0]))

static bool is_known(const char *name, size_t length)
{
    for (size_t i = 0; i < N_KNOWN; i++)
        if (vg_enum_lookup(known_names[i], name, length))
            return true;
    return false;
}

static int fail_name(struct vg_request *rq, const char *name, size_t length)
{
    vg_autofree char *domain = vg_enum_names(&vg_enum_virDomainEventID);
    vg_error_set(&rq->error, VG_E_UNKNOWN_VALUE,
                 "There is no event '%.*s'; there are: %s, refresh, update, "
                 "value-changed, opened, closed, reset, monitor, begun, progress, ended, "
                 "autostart-change, snapshot-change, checkpoint-change",
                 (int)length, name, domain ? domain : "...");
    return -1;
}

int vg_event_check_names(struct vg_request *rq, const char *names)
{
    for (const char *p = names; p && *p; p += *p == ',') {
        size_t n = strcspn(p, ",");
        if (!is_known(p, n))
            return fail_name(rq, p, n);
        p += n;
    }
    return 0;
}

int vg_event_check_monitor(struct vg_request *rq, const struct vg_event_filter *filter)
{
    char why[200];

    if (!filter->monitor)
        return 0;
    struct vg_pattern *p =
        vg_pattern_new(filter->monitor, filter->monitor_match, why, sizeof(why));
    if (p) {
        vg_pattern_free(p);
        return 0;
    }
    if (!why[0])
        return vg_error_set_memory(&rq->error);
    vg_error_set(
        &rq->error, VG_E_INVALID_VALUE,
        "Query key 'event' is '%.60s', which is no regular expression of Perl's: "
        "%s",
        filter->monitor, why);
    return -1;
}

/* ---- hosts ------------------------------------------------------------------------- */

static bool may_mean(const struct vg_request *rq, const char *name, size_t n)
{
    char text[256];
    if (n == 0 || n >= sizeof(text))
        return false;
    memcpy(text, name, n);
    text[n] = '\0';
    return vg_host_name_is_here(rq, text);
}

int vg_event_check_hosts(struct vg_request *rq, const char **hosts)
{
    const char *given = *hosts;

    if (!given && !rq->host && !rq->prefix) {
        vg_error_set(
            &rq->error, VG_E_NOT_FOUND,
            "There is no host 'default' here: subscribe to /hosts/{host}/events, or "
            "/events?host=NAME,... or ?host=- for all; /hosts lists them");
        return -1;
    }
    if (!given) {
        *hosts = rq->host ? vg_host_name(rq) : NULL;
        return 0;
    }
    if (strcmp(given, "-") == 0 && !rq->prefix) {
        *hosts = NULL;
        return 0;
    }
    for (const char *p = given;; p++) {
        size_t n = strcspn(p, ",");
        if (!may_mean(rq, p, n)) {
            vg_error_set(&rq->error, VG_E_UNKNOWN_VALUE,
                         "There is no host '%.*s' here; /hosts lists them", (int)n, p);
            return -1;
        }
        p += n;
        if (*p == '\0')
            return 0;
    }
}

/* ---- from where -------------------------------------------------------------------- */

static int fail_gone(struct vg_request *rq)
{
    vg_error_set(&rq->error, VG_E_GONE,
                 "Events after this revision are not kept: they are too many, or the "
                 "gateway was started again; list again, and go on with the answer's "
                 "X-Virtgate-Revision");
    return -1;
}

int vg_event_since(struct vg_request *rq, const char *since, bool stream,
                   uint64_t *ret_after, bool *ret_reset)
{
    /* a browser that reconnects sends the same URL, and what it has seen since */
    const char *text = stream && rq->last_event ? rq->last_event : since;

    *ret_reset = false;
    *ret_after = vg_event_head();
    if (!text)
        return 0;
    switch (vg_event_read_revision(text, ret_after)) {
    case VG_REVISION_GOOD:
        return 0;
    case VG_REVISION_MALFORMED:
        vg_error_set(
            &rq->error, VG_E_INVALID_VALUE,
            "'%.60s' is no revision; X-Virtgate-Revision of an answer and `id` of "
            "an event are",
            text);
        return -1;
    case VG_REVISION_GONE:
        break;
    }
    if (text == since)
        return fail_gone(rq);
    *ret_after = vg_event_head();
    *ret_reset = true;
    return 0;
}

/* ---- replies ----------------------------------------------------------------------- */

static struct vg_reply reply_subscription(struct vg_request *rq,
                                          const struct vg_event_filter *filter,
                                          unsigned int last,
                                          const struct vg_subscription *how)
{
    struct vg_subscription *subscription = malloc(sizeof(*subscription));
    struct vg_event_filter seen = *filter;
    seen.rights = vg_scope_is_narrow(rq->rights) ? rq->rights : NULL;
    struct vg_subscriber *subscriber =
        vg_subscriber_new(&seen, how->after, vg_request_may(rq, "connect:write"));

    if (!subscription || !subscriber) {
        free(subscription);
        vg_subscriber_free(subscriber);
        return vg_fail_memory(rq);
    }
    *subscription = *how;
    subscription->close = vg_subscription_free;
    subscription->subscriber = subscriber;
    if (last)
        subscription->after = vg_subscriber_rewind(subscriber, last);
    return (struct vg_reply){.status = 200, .subscription = subscription};
}

static int check_last(struct vg_request *rq, const struct vg_event_manner *manner)
{
    if (!manner->last || !manner->since)
        return 0;
    vg_error_set(&rq->error, VG_E_INVALID_VALUE,
                 "'last' and 'since' both say where to begin: give one of them");
    return -1;
}

struct vg_reply vg_reply_events(struct vg_request *rq,
                                const struct vg_event_filter *filter,
                                const struct vg_event_manner *manner)
{
    bool stream = manner->wait < 0 && vg_wants_stream(rq);
    struct vg_subscription how = {.poll = !stream, .limit = (unsigned int)manner->limit};
    int64_t wait = manner->wait < 0 ? 0 : manner->wait;

    if (vg_event_check_names(rq, filter->events) < 0 || check_last(rq, manner) < 0 ||
        vg_event_since(rq, manner->since, stream, &how.after, &how.reset) < 0)
        return vg_fail(rq);
    how.due_ns = vg_now_ns() + wait * VG_SECOND_NS;
    /* a browser that reconnects sends the same URL, and what it has seen since */
    bool resumes = stream && rq->last_event;
    return reply_subscription(rq, filter, resumes ? 0 : (unsigned int)manner->last, &how);
}
