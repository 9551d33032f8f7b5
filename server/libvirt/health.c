/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is known of a host's health: whether it is up, why not, whether it takes more
 * connections. The breaker is here; who looks at the host is libvirt/monitor.c.
 */
#include "server/libvirt/internal.h"

#include "server/core/request.h"
#include "server/libvirt/error.h"
#include "virtgate/cleanup.h"
#include "server/base/log.h"

#include <string.h>

#define FAILURES_TO_OPEN 2 /* transport failures in a row, until the breaker opens */
#define OPEN_LEAST       (2 * VG_SECOND_NS)
#define OPEN_MOST        (5 * VG_SECOND_NS)

/* ---- facts ------------------------------------------------------------------------- */

struct vg_host_facts *vg_host_facts_ref(struct vg_host_facts *facts)
{
    if (facts)
        atomic_fetch_add(&facts->refs, 1);
    return facts;
}

void vg_host_facts_unref(struct vg_host_facts *facts)
{
    if (!facts || atomic_fetch_sub(&facts->refs, 1) != 1)
        return;
    vg_cached_clear(&facts->version_reply);
    free(facts->uri);
    free(facts->hostname);
    free(facts->type);
    free(facts);
}

/* ---- up and down ------------------------------------------------------------------- */

void vg_host_list_queues(struct vg_host *host,
                         struct vg_queue *queues[static VG_ALL_QUEUES])
{
    struct vg_queue *all[] = {&host->general, &host->fast,      &host->bulk,
                              &host->agents,  &host->long_work, &host->transfers,
                              &host->admins};
    memcpy(queues, all, sizeof(all));
}

void vg_host_pause(struct vg_host *host, bool paused)
{
    struct vg_queue *queues[VG_ALL_QUEUES];
    vg_host_list_queues(host, queues);
    for (size_t i = 0; i < VG_HOST_QUEUES; i++)
        vg_queue_pause(queues[i], paused);
}

const char *vg_host_state_name(enum vg_host_state state)
{
    return state == VG_HOST_UP ? "up" : state == VG_HOST_DOWN ? "down" : "connecting";
}

void vg_host_set_state(struct vg_host *host, enum vg_host_state state)
{
    if (host->state == state)
        return;
    host->state = state;
    host->full = false;
    atomic_store(&host->connecting, state == VG_HOST_CONNECTING);
    vg_host_pause(host, state == VG_HOST_CONNECTING);
    pthread_cond_broadcast(&host->wake); /* is_up_after_all() waits for it */
    vg_answer_cache_enable(host->cache,
                           state == VG_HOST_UP ? host->registered.covered : 0);
    struct vg_log_field fields[] = {
        VG_LOG_TEXT("host", host->name),
        VG_LOG_TEXT("state", vg_host_state_name(state)),
        VG_LOG_TEXT("error", state == VG_HOST_DOWN ? host->error.detail : NULL),
    };
    vg_log_fields(state == VG_HOST_DOWN ? VG_LOG_WARNING : VG_LOG_INFO, "host",
                  "host state", fields, 3);
}

/* libvirtd took the connection and refuses who asks: the same credentials do no better.
 */
static bool is_refused(const struct vg_error *why)
{
    static const int refusals[] = {VIR_ERR_AUTH_FAILED, VIR_ERR_AUTH_CANCELLED,
                                   VIR_ERR_AUTH_UNAVAILABLE, VIR_ERR_ACCESS_DENIED};
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        if (vg_error_is_virt(why, refusals[i]))
            return true;
    return false;
}

void vg_host_set_down(struct vg_host *host, const struct vg_error *error, bool silent)
{
    vg_error_copy(&host->error, error);
    host->reason = is_refused(error) ? "authentication-failed"
                   : silent          ? "no-answer"
                                     : "unreachable";
    vg_host_set_state(host, VG_HOST_DOWN);
}

void vg_host_error_unreachable(struct vg_error *e, const char *name,
                               const struct vg_error *why)
{
    /* keep libvirt's own error: it says what is wrong */
    if (why->status)
        vg_error_copy(e, why);
    vg_autofree char *reason = why->detail ? strdup(why->detail) : NULL;
    json_t *virt = json_incref(e->virt);
    vg_error_set(e, VG_E_HOST_UNREACHABLE, "Host '%s' cannot be reached: %s", name,
                 reason ? reason : "not connected yet");
    e->virt = virt;
    vg_error_set_retryable(e, !is_refused(why));
}

/* Wakes the host monitor, unless the host is down: then it looks anyway. Lock held. */
static void suspect(struct vg_host *host)
{
    if (host->state == VG_HOST_DOWN)
        return;
    host->suspect = true;
    vg_timer_hurry(&host->monitor);
}

void vg_monitor_note_failure(struct vg_host *host, const struct vg_error *error)
{
    VG_LOCK(&host->lock);
    suspect(host);
    if (++host->failures >= FAILURES_TO_OPEN && host->state != VG_HOST_DOWN)
        vg_host_set_down(host, error, false);
}

void vg_monitor_suspect(struct vg_host *host)
{
    VG_LOCK(&host->lock);
    suspect(host);
}

/* ---- full -------------------------------------------------------------------------- */

/* A multiple of the time that the host monitor needed: a host behind ssh is slow, not
 * full. */
int64_t vg_host_open_limit(struct vg_host *host)
{
    VG_LOCK(&host->lock);
    int64_t limit = 4 * host->open_ns;
    return limit < OPEN_LEAST ? OPEN_LEAST : limit > OPEN_MOST ? OPEN_MOST : limit;
}

void vg_host_set_full(struct vg_host *host, bool full)
{
    VG_LOCK(&host->lock);
    if (host->full == full)
        return;
    host->full = full;
    host->full_next_ns = vg_now_ns() + VG_FULL_RETRY;
    vg_log(full ? VG_LOG_WARNING : VG_LOG_INFO, "host",
           full ? "%s: takes no more connections; is max_clients of its libvirtd reached?"
                : "%s: takes connections again",
           host->name);
}
