/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /domains/{domain}/interfaces: list (virDomainGetXMLDesc), stats
 * (virDomainInterfaceStats), bandwidth (virDomainGetInterfaceParameters, Set...).
 * {device} is a target ("vnet0") or a MAC address.
 */
#include "virtgate/device.h"
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/conflict.h"
#include "virtgate/object.h"
#include "virtgate/params.h"

static struct vg_reply list_interfaces(struct vg_request *rq)
{
    return vg_devices_reply(rq, "interfaces", "interface", vg_interface_write);
}

/* An interface that is there and has no device on the host (type='user') has no counters:
 * libvirt calls it an internal error that its name is missing. */
static struct vg_reply fail_stats(struct vg_request *rq, virDomainPtr dom)
{
    struct vg_error unread = {0};

    vg_error_set_virt(vg_request_error(rq));
    vg_auto_devices *devices = vg_devices_read(dom, 0, &unread);
    vg_error_clear(&unread);
    return vg_fail_explained(
        rq, devices && vg_devices_is_hostless(devices, vg_path(rq, "device")));
}

static struct vg_reply get_stats(struct vg_request *rq)
{
    virDomainInterfaceStatsStruct stats;

    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    if (virDomainInterfaceStats(dom, vg_path(rq, "device"), &stats, sizeof(stats)) < 0)
        return fail_stats(rq, dom);
    vg_auto_json w = vg_json_for(rq);
    vg_json_begin_object(&w, NULL);
    vg_json_count(&w, "rxBytes", stats.rx_bytes);
    vg_json_count(&w, "rxPackets", stats.rx_packets);
    vg_json_count(&w, "rxErrs", stats.rx_errs);
    vg_json_count(&w, "rxDrop", stats.rx_drop);
    vg_json_count(&w, "txBytes", stats.tx_bytes);
    vg_json_count(&w, "txPackets", stats.tx_packets);
    vg_json_count(&w, "txErrs", stats.tx_errs);
    vg_json_count(&w, "txDrop", stats.tx_drop);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

static const struct vg_domain_params bandwidth = {
    .segment = "device",
    .get_of = virDomainGetInterfaceParameters,
    .set_of = virDomainSetInterfaceParameters,
};

static struct vg_reply get_parameters(struct vg_request *rq)
{
    return vg_domain_params_get(rq, &bandwidth);
}

static struct vg_reply set_parameters(struct vg_request *rq)
{
    return vg_domain_params_patch_part(rq, &bandwidth);
}

/* clang-format off */
const struct vg_route vg_routes_domain_interface[] = {
    {VG_GET, "/domains/{domain}/interfaces", "listDomainInterfaces", list_interfaces,
     .needs = "domain:getattr domain:read", .takes = VG_TAKES_ARGS, .shared = true},
    {VG_GET, "/domains/{domain}/interfaces/{device}/stats", "getDomainInterfaceStats", get_stats,
     .needs = "domain:getattr domain:read", .shared = true},
    {VG_GET, "/domains/{domain}/interfaces/{device}/parameters", "getDomainInterfaceParameters",
     get_parameters,
     .needs = "domain:getattr domain:read", .takes = VG_TAKES_ARGS, .shared = true},
    {VG_PATCH, "/domains/{domain}/interfaces/{device}/parameters", "setDomainInterfaceParameters",
     set_parameters,
     .needs = "domain:getattr domain:read domain:save domain:write", .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
