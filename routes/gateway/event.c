/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * GET /events, /domains/{domain}/events and /domains/{domain}/qemu/events: what happens
 * on hosts, as it happens (virConnectDomainEventRegisterAny and its siblings).
 */
#include "virtgate/event.h"

#include "routes/routes.h"
#include "virtgate/host.h"
#include "virtgate/object.h"

#include <libvirt/libvirt-qemu.h>

#define MAX_WAIT_SECONDS 300
#define MAX_EVENTS       4096

/* What a client asked for, besides what it wants to see. */
struct manner {
    const char *since;
    int64_t wait, limit;
};

/* The arguments of both resources; the tables differ, so each has its own. */
#define MANNER_FIELDS(m)                                                                 \
    VG_TEXT("since", &(m).since), VG_NUMBER("wait", &(m).wait, 0, MAX_WAIT_SECONDS),     \
        VG_NUMBER("limit", &(m).limit, 1, MAX_EVENTS)

static struct vg_reply watch(struct vg_request *rq, const struct vg_event_filter *filter,
                             const struct manner *m)
{
    bool stream = m->wait < 0 && vg_wants_stream(rq), reset;
    uint64_t after;

    if (vg_event_check_names(rq, filter->events) < 0 ||
        vg_event_since(rq, m->since, stream, &after, &reset) < 0)
        return vg_fail(rq);
    if (stream)
        return vg_reply_stream(rq, filter, after, reset);
    return vg_reply_poll(rq, filter, after, m->wait < 0 ? 0 : (unsigned int)m->wait,
                         (unsigned int)m->limit);
}

/* All objects are those that the caller may see; one that is named is refused rather than
 * waited for in vain. */
static int check_objects(struct vg_request *rq, unsigned int objects)
{
    return objects & VG_EVENT_QEMU_MONITOR
               ? vg_request_ask(rq, "connect:write",
                                "Events of 'qemu-monitor' are QEMU's own")
               : 0;
}

/* Of the path's host; on the bare path of the hosts that `host` names. */
static struct vg_reply subscribe(struct vg_request *rq)
{
    struct manner m = {.wait = -1, .limit = MAX_EVENTS};
    struct vg_event_filter filter = {0};
    const struct vg_field args[] = {
        VG_NAMES("object", &filter.objects, &vg_event_objects),
        VG_TEXT("event", &filter.events),
        VG_TEXT("host", &filter.hosts),
        VG_TEXT("domain", &filter.domain),
        MANNER_FIELDS(m),
        VG_END,
    };

    if (vg_args(rq, args) < 0 || check_objects(rq, filter.objects) < 0 ||
        vg_event_check_hosts(rq, &filter.hosts) < 0)
        return vg_fail(rq);
    return watch(rq, &filter, &m);
}

/* Of one domain, whatever it is called by then. */
static struct vg_reply watch_domain(struct vg_request *rq)
{
    struct manner m = {.wait = -1, .limit = MAX_EVENTS};
    char uuid[VIR_UUID_STRING_BUFLEN];
    struct vg_event_filter filter = {.hosts = vg_host_name(rq), .uuid = uuid};
    const struct vg_field args[] = {
        VG_TEXT("event", &filter.events),
        MANNER_FIELDS(m),
        VG_END,
    };

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    if (virDomainGetUUIDString(dom, uuid) < 0)
        return vg_fail_virt(rq);
    return watch(rq, &filter, &m);
}

static void ignore_event(virConnectPtr conn, virDomainPtr dom, const char *event,
                         long long seconds, unsigned int micros, const char *details,
                         void *data)
{
    (void)conn;
    (void)dom;
    (void)event;
    (void)seconds;
    (void)micros;
    (void)details;
    (void)data;
}

/* The gateway listens to the monitors of all domains anyway, for whoever watches. Whether
 * libvirt would tell this caller of this domain, only libvirt knows. */
static int check_monitor(virConnectPtr conn, virDomainPtr dom)
{
    int callback = virConnectDomainQemuMonitorEventRegister(conn, dom, NULL, ignore_event,
                                                            NULL, NULL, 0);
    return callback < 0 ? -1 : virConnectDomainQemuMonitorEventDeregister(conn, callback);
}

/* Of one domain's QEMU, as QEMU tells them. `regex` is short for the flag. */
static struct vg_reply watch_monitor(struct vg_request *rq)
{
    struct manner m = {.wait = -1, .limit = MAX_EVENTS};
    char uuid[VIR_UUID_STRING_BUFLEN];
    bool regex = false;
    struct vg_event_filter filter = {
        .objects = VG_EVENT_QEMU_MONITOR, .hosts = vg_host_name(rq), .uuid = uuid};
    const struct vg_field args[] = {
        VG_TEXT("event", &filter.monitor),
        VG_BOOL("regex", &regex),
        VG_FLAGS("flags", &filter.monitor_match,
                 virConnectDomainQemuMonitorEventRegisterFlags),
        MANNER_FIELDS(m),
        VG_END,
    };

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    if (regex)
        filter.monitor_match |= VG_MATCH_REGEX;
    if (vg_event_check_monitor(rq, &filter) < 0)
        return vg_fail(rq);
    if (check_monitor(vg_conn(rq), dom) < 0 || virDomainGetUUIDString(dom, uuid) < 0)
        return vg_fail_virt(rq);
    return watch(rq, &filter, &m);
}

/* clang-format off */
const struct vg_route vg_routes_event[] = {
    {VG_GET, "/events", "watchEvents", subscribe,
     .needs = "connect:search_domains connect:search_networks connect:search_node_devices connect:search_secrets connect:search_storage_pools",
     .runs_on = VG_ON_NETWORK_THREAD, .gives = VG_GIVES_EVENTS, .takes = VG_TAKES_ARGS,
     .hosts = VG_ANY_OR_ALL_HOSTS},
    {VG_GET, "/domains/{domain}/events", "watchDomainEvents", watch_domain,
     .needs = "connect:search_domains domain:getattr", .runs_on = VG_ON_FAST,
     .gives = VG_GIVES_EVENTS, .takes = VG_TAKES_ARGS},
    {VG_GET, "/domains/{domain}/qemu/events", "watchMonitorEvents", watch_monitor,
     .needs = "connect:search_domains connect:write domain:getattr", .gives = VG_GIVES_EVENTS,
     .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
