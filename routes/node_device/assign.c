/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /node-devices/{device}/detach, reattach, reset: a PCI device leaves its driver to be
 * given to a guest, and comes back.
 */
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/object_class.h"

static struct vg_reply detach_device(struct vg_request *rq)
{
    const char *driver = NULL; /* NULL: libvirt's choice, vfio-pci */
    const struct vg_field args[] = {VG_TEXT("driver", &driver), VG_END};

    vg_autoptr(virNodeDevice) dev = vg_args_path_object(rq, VG_KIND_NODE_DEVICE, args);
    return dev ? vg_done(rq, virNodeDeviceDetachFlags(dev, driver, 0)) : vg_fail(rq);
}

static struct vg_reply reattach_device(struct vg_request *rq)
{
    vg_autoptr(virNodeDevice) dev = vg_path_object(rq, VG_KIND_NODE_DEVICE);
    return dev ? vg_done(rq, virNodeDeviceReAttach(dev)) : vg_fail(rq);
}

static struct vg_reply reset_device(struct vg_request *rq)
{
    vg_autoptr(virNodeDevice) dev = vg_path_object(rq, VG_KIND_NODE_DEVICE);
    return dev ? vg_done(rq, virNodeDeviceReset(dev)) : vg_fail(rq);
}

/* clang-format off */
const struct vg_route vg_routes_node_device_assign[] = {
    {VG_POST, "/node-devices/{device}/detach", "detachNodeDevice", detach_device,
     .needs = "node_device:getattr node_device:detach", .takes = VG_TAKES_ARGS},
    {VG_POST, "/node-devices/{device}/reattach", "reattachNodeDevice", reattach_device,
     .needs = "node_device:getattr node_device:detach"},
    {VG_POST, "/node-devices/{device}/reset", "resetNodeDevice", reset_device,
     .needs = "node_device:getattr node_device:detach"},
    {0},
};
/* clang-format on */
