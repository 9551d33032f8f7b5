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
    struct vg_event_manner m = VG_EVENT_MANNER;
    struct vg_event_filter filter = {0};
    const struct vg_field args[] = {
        VG_NAMES("object", &filter.objects, &vg_event_objects),
        VG_TEXT("event", &filter.events),
        VG_TEXT("host", &filter.hosts),
        VG_TEXT("domain", &filter.domain),
        VG_EVENT_FIELDS(m),
        VG_END,
    };

    if (vg_args(rq, args) < 0 || check_objects(rq, filter.objects) < 0 ||
        vg_event_check_hosts(rq, &filter.hosts) < 0)
        return vg_fail(rq);
    return vg_reply_events(rq, &filter, &m);
}

/* Of one domain, whatever it is called by then. */
static struct vg_reply watch_domain(struct vg_request *rq)
{
    struct vg_event_manner m = VG_EVENT_MANNER;
    char uuid[VIR_UUID_STRING_BUFLEN];
    struct vg_event_filter filter = {.objects = VG_EVENT_DOMAIN | VG_EVENT_QEMU_MONITOR,
                                     .hosts = vg_host_name(rq),
                                     .uuid = uuid};
    const struct vg_field args[] = {
        VG_TEXT("event", &filter.events),
        VG_EVENT_FIELDS(m),
        VG_END,
    };

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    if (virDomainGetUUIDString(dom, uuid) < 0)
        return vg_fail_virt(rq);
    return vg_reply_events(rq, &filter, &m);
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
    struct vg_event_manner m = VG_EVENT_MANNER;
    char uuid[VIR_UUID_STRING_BUFLEN];
    bool regex = false;
    struct vg_event_filter filter = {
        .objects = VG_EVENT_QEMU_MONITOR, .hosts = vg_host_name(rq), .uuid = uuid};
    const struct vg_field args[] = {
        VG_TEXT("event", &filter.monitor),
        VG_BOOL("regex", &regex),
        VG_FLAGS("flags", &filter.monitor_match,
                 virConnectDomainQemuMonitorEventRegisterFlags),
        VG_EVENT_FIELDS(m),
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
    return vg_reply_events(rq, &filter, &m);
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
