/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * GET /domains/{domain}/console, /channels/{name}, /graphics/{index}, as WebSockets:
 * virDomainOpenConsole, virDomainOpenChannel, virDomainOpenGraphicsFD.
 */
#include "routes/routes.h"
#include "virtgate/conflict.h"
#include "virtgate/console.h"
#include "virtgate/object.h"

#include <libvirt/virterror.h>

#define MAX_GRAPHICS 255

/* Somebody else has it: a general error in libvirt's words. */
static struct vg_reply fail_open(struct vg_request *rq, bool forced)
{
    return vg_fail_explained(
        rq, !forced && vg_error_is_virt(vg_request_error(rq), VIR_ERR_OPERATION_FAILED));
}

/* ?device=serial0&force=true&safe=true */
static struct vg_reply open_console(struct vg_request *rq)
{
    unsigned int flags = 0;
    const char *device = NULL;
    bool force = false, safe = false;
    const struct vg_field args[] = {
        VG_TEXT("device", &device), VG_BOOL("force", &force), VG_BOOL("safe", &safe),
        VG_FLAGS("flags", &flags, virDomainConsoleFlags), VG_END};

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    flags |=
        (force ? VIR_DOMAIN_CONSOLE_FORCE : 0u) | (safe ? VIR_DOMAIN_CONSOLE_SAFE : 0u);
    struct vg_channel *channel =
        vg_console_new(rq, dom, virDomainOpenConsole, device, flags);
    return channel ? vg_upgrade(rq, channel)
                   : fail_open(rq, flags & VIR_DOMAIN_CONSOLE_FORCE);
}

/* ?force=true; the name is that of <target>, or the device's alias */
static struct vg_reply open_channel(struct vg_request *rq)
{
    unsigned int flags = 0;
    bool force = false;
    const struct vg_field args[] = {VG_BOOL("force", &force),
                                    VG_FLAGS("flags", &flags, virDomainChannelFlags),
                                    VG_END};

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    flags |= force ? VIR_DOMAIN_CHANNEL_FORCE : 0u;
    struct vg_channel *channel =
        vg_console_new(rq, dom, virDomainOpenChannel, vg_path(rq, "name"), flags);
    return channel ? vg_upgrade(rq, channel)
                   : fail_open(rq, flags & VIR_DOMAIN_CHANNEL_FORCE);
}

/* ?flags=skipauth */
static struct vg_reply open_graphics(struct vg_request *rq)
{
    unsigned int flags = 0, index;
    const struct vg_field args[] = {VG_FLAGS("flags", &flags, virDomainOpenGraphicsFlags),
                                    VG_END};

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom || vg_path_number(rq, "index", MAX_GRAPHICS, &index) < 0)
        return vg_fail(rq);
    return vg_upgrade(rq, vg_graphics_new(rq, dom, index, flags));
}

/* clang-format off */
const struct vg_route vg_routes_domain_console[] = {
    {VG_GET, "/domains/{domain}/console", "openDomainConsole", open_console,
     .needs = "domain:getattr domain:open_device", .gives = VG_GIVES_WEBSOCKET,
     .takes = VG_TAKES_ARGS},
    {VG_GET, "/domains/{domain}/channels/{name}", "openDomainChannel", open_channel,
     .needs = "domain:getattr domain:open_device", .gives = VG_GIVES_WEBSOCKET,
     .takes = VG_TAKES_ARGS},
    {VG_GET, "/domains/{domain}/graphics/{index}", "openDomainGraphics", open_graphics,
     .needs = "domain:getattr domain:open_graphics", .gives = VG_GIVES_WEBSOCKET,
     .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
