/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /node-devices and /node-devices/{device}: the class of the host's devices. How one is
 * given to guests and taken back is in assign.c.
 */
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/host.h"
#include "virtgate/object.h"
#include "virtgate/object_class.h"

#include <ctype.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- fields ------------------------------------------------------------------------ */

/* The root of the tree has none, of which drivers make an error: null. */
static int write_parent(struct vg_request *rq, struct vg_json *w, void *dev,
                        const struct vg_wanted *wanted)
{
    (void)rq;
    (void)wanted;
    const char *parent = virNodeDeviceGetParent(dev);
    if (!parent && virGetLastErrorCode() != VIR_ERR_OK &&
        virGetLastErrorCode() != VIR_ERR_INTERNAL_ERROR)
        return -1;
    vg_json_string(w, "parent", parent);
    return 0;
}

struct caps {
    char **v; /* owned, as what it holds */
    int n;
};

static void free_caps(struct caps *caps)
{
    for (int i = 0; i < caps->n; i++)
        free(caps->v[i]);
    free(caps->v);
}

static int write_capabilities(struct vg_request *rq, struct vg_json *w, void *dev,
                              const struct vg_wanted *wanted)
{
    (void)rq;
    (void)wanted;
    int max = virNodeDeviceNumOfCaps(dev);
    VG_CLEANUP(free_caps) struct caps caps = {0};

    if (max < 0 || !(caps.v = calloc((size_t)max + 1, sizeof(*caps.v))))
        return -1;
    caps.n = virNodeDeviceListCaps(dev, caps.v, max);
    if (caps.n < 0)
        return -1;
    vg_json_begin_array(w, "capabilities");
    for (int i = 0; i < caps.n; i++)
        vg_json_string(w, NULL, caps.v[i]);
    vg_json_end_array(w);
    return 0;
}

static json_t *get_path(const json_t *document)
{
    return json_incref(json_object_get(document, "path"));
}

static json_t *get_driver(const json_t *document)
{
    return json_incref(vg_json_inner(document, "driver", "name"));
}

static json_t *get_capability(const json_t *document)
{
    return json_incref(json_object_get(document, "capability"));
}

/* ---- lists ------------------------------------------------------------------------- */

/* As `capabilities` have them. */
#define CAP(name, flag)                                                                  \
    {                                                                                    \
        name, NULL, VIR_CONNECT_LIST_NODE_DEVICES_CAP_##flag                             \
    }
static const struct vg_enum_value capability_names[] = {
    CAP("system", SYSTEM),
    CAP("pci", PCI_DEV),
    CAP("usb_device", USB_DEV),
    CAP("usb", USB_INTERFACE),
    CAP("net", NET),
    CAP("scsi_host", SCSI_HOST),
    CAP("scsi_target", SCSI_TARGET),
    CAP("scsi", SCSI),
    CAP("storage", STORAGE),
    CAP("fc_host", FC_HOST),
    CAP("vports", VPORTS),
    CAP("scsi_generic", SCSI_GENERIC),
    CAP("drm", DRM),
    CAP("mdev_types", MDEV_TYPES),
    CAP("mdev", MDEV),
    CAP("ccw", CCW_DEV),
    CAP("css", CSS_DEV),
    CAP("vdpa", VDPA),
    CAP("ap_card", AP_CARD),
    CAP("ap_queue", AP_QUEUE),
    CAP("ap_matrix", AP_MATRIX),
    CAP("vpd", VPD),
};
static const struct vg_enum capabilities = {"capabilities", capability_names,
                                            sizeof(capability_names) /
                                                sizeof(capability_names[0])};

static const struct vg_object_choice choices[] = {
    {"capability", &capabilities, true},
    {0},
};

/* The two names of a Fibre Channel host; NULL: not asked for. */
struct wwn {
    const char *node, *port;
};

static int find_by_wwn(struct vg_request *rq, void *conn, void *data, void **ret_only)
{
    const struct wwn *wwn = data;

    if (!wwn->node && !wwn->port)
        return 0;
    if (!wwn->node || !wwn->port) {
        vg_error_set(vg_request_error(rq), VG_E_MISSING_KEY,
                     "'wwnn' and 'wwpn' together name a host bus adapter");
        return -1;
    }
    *ret_only = virNodeDeviceLookupSCSIHostByWWN(conn, wwn->node, wwn->port, 0);
    if (*ret_only)
        return 0;
    return vg_object_not_found(rq, VG_KIND_NODE_DEVICE, wwn->port);
}

static struct vg_reply list_node_devices(struct vg_request *rq)
{
    struct wwn wwn = {0};
    const struct vg_field own[] = {VG_TEXT("wwnn", &wwn.node), VG_TEXT("wwpn", &wwn.port),
                                   VG_END};
    return vg_object_list_found(rq, own, find_by_wwn, &wwn);
}

/* ---- the class --------------------------------------------------------------------- */

VG_OBJECT_FREE(free_device, virNodeDeviceFree)
VG_OBJECT_TEXT(get_name, virNodeDeviceGetName)
VG_OBJECT_FIND(find_by_name, virNodeDeviceLookupByName)
VG_OBJECT_LIST(list_devices, virNodeDevice, virConnectListAllNodeDevices)
VG_OBJECT_XML(get_xml, virNodeDeviceGetXMLDesc)
VG_OBJECT_MAKE(create_device, virNodeDeviceCreateXML)
VG_OBJECT_CHANGE(start_device, virNodeDeviceCreate)
VG_OBJECT_CHANGE_PLAIN(destroy_device, virNodeDeviceDestroy)
VG_OBJECT_ASK(is_active, virNodeDeviceIsActive)
VG_OBJECT_ASK(is_persistent, virNodeDeviceIsPersistent)
VG_OBJECT_AUTOSTART(virNodeDeviceGetAutostart, virNodeDeviceSetAutostart)

/* The mediated device of this document. Its name is libvirt's to make: of its UUID, and
 * the address that its parent's name has after the bus. */
static void *find_mdev(void *conn, const json_t *document)
{
    const char *parent = json_string_value(json_object_get(document, "parent"));
    const json_t *capability = json_array_get(json_object_get(document, "capability"), 0);
    const char *uuid = json_string_value(json_object_get(capability, "uuid"));
    const char *address = parent ? strchr(parent, '_') : NULL;
    char name[256];

    if (!uuid || !address)
        return NULL;
    snprintf(name, sizeof(name), "mdev_%s%s", uuid, address);
    for (char *c = name; *c; c++)
        *c = *c == '-' ? '_' : (char)tolower((unsigned char)*c);
    return virNodeDeviceLookupByName(conn, name);
}

/* libvirt reads the definitions of mediated devices anew some 100 ms after each change,
 * and knows until then what it read before: one that has gone is there, one that is new
 * goes for a moment when the change before it is read. Whoever lists next is to find what
 * was done. */
static void await_definition(virNodeDevicePtr dev, bool there)
{
    const struct timespec pause = {.tv_nsec = 20000000};

    for (int i = 0; i < 100 && (virNodeDeviceIsPersistent(dev) == 1) != there; i++)
        nanosleep(&pause, NULL);
}

static void *define_device(void *conn, const char *xml, unsigned int flags)
{
    virNodeDevicePtr dev = virNodeDeviceDefineXML(conn, xml, flags);

    if (dev)
        await_definition(dev, true);
    return dev;
}

static int undefine_device(void *dev, unsigned int flags)
{
    if (virNodeDeviceUndefine(dev, flags) < 0)
        return -1;
    await_definition(dev, false);
    return 0;
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* Whether it is a device that can be made: mediated, its UUID, where it says one, being
 * one, or an HBA of its own (NPIV), whose names may be libvirt's to make. */
static bool can_be_made(const json_t *capability)
{
    const char *type = text_of(capability, "@type");
    const char *uuid = text_of(capability, "uuid");
    const json_t *inner = json_array_get(json_object_get(capability, "capability"), 0);
    const char *inner_type = text_of(inner, "@type");

    if (type && strcmp(type, "mdev") == 0)
        return !uuid || vg_is_uuid(uuid);
    return type && strcmp(type, "scsi_host") == 0 && inner_type &&
           strcmp(inner_type, "fc_host") == 0;
}

static bool is_there(struct vg_request *rq, const char *name)
{
    vg_autoptr(virNodeDevice) dev = virNodeDeviceLookupByName(vg_conn(rq), name);
    return dev || virGetLastErrorCode() != VIR_ERR_NO_NODE_DEVICE;
}

/* libvirt's internal errors of documents, and of parents that are not there, or, which it
 * calls a document that it could not parse, have no address. */
static int status_of(struct vg_request *rq, const json_t *document)
{
    const struct vg_error *e = vg_request_error(rq);
    const json_t *by = json_object_get(document, "parent");
    const char *parent =
        json_is_object(by) ? text_of(by, "#text") : json_string_value(by);
    const json_t *capability = json_array_get(json_object_get(document, "capability"), 0);

    if (!vg_error_is_from(e, VIR_FROM_NODEDEV))
        return 0;
    if (vg_error_is_virt(e, VIR_ERR_PARSE_FAILED))
        return 422;
    return vg_error_is_virt(e, VIR_ERR_INTERNAL_ERROR) &&
                   (!can_be_made(capability) || (by && !(parent && is_there(rq, parent))))
               ? 422
               : 0;
}

static const struct vg_object_field fields[] = {
    {.name = "name", .view = VG_VIEW_BRIEF, .covered = true},
    {.name = "active",
     .view = VG_VIEW_BRIEF,
     .covered = true,
     .ask = is_active,
     .yes = VIR_CONNECT_LIST_NODE_DEVICES_ACTIVE,
     .no = VIR_CONNECT_LIST_NODE_DEVICES_INACTIVE},
    {.name = "persistent", .covered = true, .ask = is_persistent, .filter = true},
    {.name = "autostart", .ask = is_autostart},
    {.name = "parent", .covered = true, .read = write_parent},
    {.name = "capabilities", .covered = true, .read = write_capabilities},
    {.name = "path", .from = get_path},
    {.name = "driver", .from = get_driver},
    {.name = "capability", .from = get_capability},
    {.name = "lastEvent", .view = VG_VIEW_NAMED, .read = vg_object_write_last_event},
    {0},
};

const struct vg_object_class vg_node_device_class = {
    .kind = VG_KIND_NODE_DEVICE,
    .root = "device",
    .free = free_device,
    .name = get_name,
    .lookups = {{VG_LOOKUP_NAME, find_by_name, NULL}},
    .find_same = find_mdev,
    .list = list_devices,
    .list_flags = &vg_enum_virConnectListAllNodeDeviceFlags,
    .choices = choices,
    .fields = fields,
    .xml = get_xml,
    .define = {define_device, &vg_enum_virNodeDeviceDefineXMLFlags},
    .create = {create_device, &vg_enum_virNodeDeviceCreateXMLFlags},
    .start = {start_device, NULL},
    .destroy = {destroy_device, NULL},
    .undefine = {undefine_device, NULL},
    .status_of = status_of,
    .is_active = is_active,
    .is_persistent = is_persistent,
    .get_autostart = get_autostart,
    .set_autostart = set_autostart,
};

/* clang-format off */
const struct vg_route vg_routes_node_device[] = {
    {VG_GET, "/node-devices", "listNodeDevices", list_node_devices,
     .needs = "connect:search_node_devices node_device:getattr node_device:read",
     .runs_on = VG_ON_FAST, .takes = VG_TAKES_ARGS, .hosts = VG_ONE_OR_ALL_HOSTS,
     .shared = true},
    {VG_POST, "/node-devices", "defineNodeDevice", vg_object_post,
     .needs = "node_device:getattr node_device:read node_device:write node_device:start "
              "node_device:delete gateway:document",
     .takes = VG_TAKES_XML},
    {VG_GET, "/node-devices/{device}", "getNodeDevice", vg_object_get,
     .needs = "node_device:getattr node_device:read", .gives = VG_GIVES_JSON_OR_XML,
     .takes = VG_TAKES_ARGS, .shared = true},
    {VG_DELETE, "/node-devices/{device}", "undefineNodeDevice", vg_object_delete,
     .needs = "node_device:getattr node_device:read node_device:delete"},
    {VG_GET, "/node-devices/{device}/xml", "getNodeDeviceXml", vg_object_get_xml,
     .needs = "node_device:getattr node_device:read", .gives = VG_GIVES_XML_OR_JSON,
     .shared = true},
    {VG_POST, "/node-devices/{device}/start", "startNodeDevice", vg_object_start,
     .needs = "node_device:getattr node_device:read node_device:start"},
    {VG_POST, "/node-devices/{device}/destroy", "destroyNodeDevice", vg_object_destroy,
     .needs = "node_device:getattr node_device:read node_device:stop"},
    {VG_GET, "/node-devices/{device}/autostart", "getNodeDeviceAutostart",
     vg_object_get_autostart,
     .needs = "node_device:getattr node_device:read", .shared = true},
    {VG_PUT, "/node-devices/{device}/autostart", "setNodeDeviceAutostart",
     vg_object_put_autostart,
     .needs = "node_device:getattr node_device:read node_device:write",
     .takes = VG_TAKES_ARGS},
    {VG_GET, "/node-devices/{device}/events", "watchNodeDeviceEvents", vg_object_watch,
     .needs = "node_device:getattr", .runs_on = VG_ON_FAST, .gives = VG_GIVES_EVENTS,
     .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
