/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The devices of a domain's XML as JSON. See include/virtgate/device.h.
 */
#include "virtgate/device.h"

#include "server/core/request.h"
#include "server/xml/tree.h"
#include "virtgate/object.h"

#include <string.h>
#include <strings.h>

struct vg_devices {
    xmlDocPtr doc;
    const xmlNode *all; /* <devices> */
};

/* A struct vg_device is the element, under a name that routes may know. */
static const xmlNode *node_of(const struct vg_device *device)
{
    return (const void *)device;
}

/* ---- reading and finding ----------------------------------------------------------- */

struct vg_devices *vg_devices_read(virDomainPtr dom, unsigned int flags,
                                   struct vg_error *reterr)
{
    vg_autofree char *xml = virDomainGetXMLDesc(dom, flags);
    if (!xml) {
        vg_error_set_virt(reterr);
        return NULL;
    }
    vg_auto_devices *devices = calloc(1, sizeof(*devices));
    if (devices)
        devices->doc = vg_xml_parse(xml);
    if (!devices || !devices->doc) {
        vg_error_set(reterr, VG_E_INTERNAL, "The domain's XML could not be read");
        return NULL;
    }
    devices->all = vg_xml_child(xmlDocGetRootElement(devices->doc), "devices");
    return vg_take(&devices);
}

void vg_devices_free(struct vg_devices **devices)
{
    if (*devices)
        xmlFreeDoc((*devices)->doc);
    free(*devices);
}

static bool is_named(const xmlNode *node, const char *name)
{
    return strcmp((const char *)node->name, name) == 0;
}

/* The next device of a type ("disk"; NULL: of any) after `last` (NULL: the first). */
const struct vg_device *vg_devices_next(const struct vg_devices *devices,
                                        const struct vg_device *last, const char *type)
{
    const xmlNode *node = last           ? node_of(last)->next
                          : devices->all ? devices->all->children
                                         : NULL;
    for (; node; node = node->next)
        if (node->type == XML_ELEMENT_NODE &&
            (type ? is_named(node, type) : !is_named(node, "emulator")))
            return (const void *)node;
    return NULL;
}

static bool has_attribute(const xmlNode *node, const char *name, const char *value)
{
    const char *own = vg_xml_attribute(node, name);
    return own && strcmp(own, value) == 0;
}

const struct vg_device *vg_devices_by_alias(const struct vg_devices *devices,
                                            const char *alias)
{
    const struct vg_device *d = NULL;
    while ((d = vg_devices_next(devices, d, NULL)))
        if (has_attribute(vg_xml_child(node_of(d), "alias"), "name", alias))
            return d;
    return NULL;
}

bool vg_devices_is_hostless(const struct vg_devices *devices, const char *mac)
{
    const struct vg_device *d = NULL;
    while ((d = vg_devices_next(devices, d, "interface"))) {
        const char *own = vg_xml_attribute(vg_xml_child(node_of(d), "mac"), "address");
        if (own && strcasecmp(own, mac) == 0)
            return !vg_xml_attribute(vg_xml_child(node_of(d), "target"), "dev");
    }
    return false;
}

bool vg_devices_agent_is_connected(const struct vg_devices *devices)
{
    const struct vg_device *d = NULL;
    while ((d = vg_devices_next(devices, d, "channel"))) {
        const xmlNode *target = vg_xml_child(node_of(d), "target");
        if (has_attribute(target, "name", "org.qemu.guest_agent.0") &&
            has_attribute(target, "state", "connected"))
            return true;
    }
    return false;
}

/* Whether both are a controller of the same type and index. */
static bool is_same_controller(const xmlNode *a, const xmlNode *b)
{
    const char *type = vg_xml_attribute(a, "type"), *index = vg_xml_attribute(a, "index");
    return is_named(a, "controller") && is_named(b, "controller") && type && index &&
           has_attribute(b, "type", type) && has_attribute(b, "index", index);
}

bool vg_devices_collide(const struct vg_devices *devices, const char *xml)
{
    vg_auto_doc doc = vg_xml_parse(xml);
    const xmlNode *given = doc ? xmlDocGetRootElement(doc) : NULL;
    if (!given)
        return false;
    const char *alias = vg_xml_attribute(vg_xml_child(given, "alias"), "name");
    const char *target = vg_xml_attribute(vg_xml_child(given, "target"), "dev");
    const struct vg_device *d = NULL;

    if (alias && vg_devices_by_alias(devices, alias))
        return true;
    while ((d = vg_devices_next(devices, d, (const char *)given->name)))
        if (is_same_controller(given, node_of(d)) ||
            (target && has_attribute(vg_xml_child(node_of(d), "target"), "dev", target)))
            return true;
    return false;
}

static bool is_meant(const xmlNode *node, const xmlNode *given)
{
    static const char *const names[][2] = {{"target", "dev"}, {"mac", "address"}};
    const char *value = NULL, *own = NULL;

    for (size_t i = 0; !value && i < 2; i++) {
        value = vg_xml_attribute(vg_xml_child(given, names[i][0]), names[i][1]);
        own = vg_xml_attribute(vg_xml_child(node, names[i][0]), names[i][1]);
    }
    if (!value && is_named(given, "graphics")) {
        value = vg_xml_attribute(given, "type");
        own = vg_xml_attribute(node, "type");
    }
    return !value || (own && strcasecmp(own, value) == 0);
}

size_t vg_devices_meant(const struct vg_devices *devices, const char *xml)
{
    vg_auto_doc doc = vg_xml_parse(xml);
    const xmlNode *given = doc ? xmlDocGetRootElement(doc) : NULL;
    if (!given)
        return 1; /* libvirt took it */
    const char *alias = vg_xml_attribute(vg_xml_child(given, "alias"), "name");
    const struct vg_device *d = NULL;
    size_t n = 0;

    if (alias)
        return vg_devices_by_alias(devices, alias) ? 1 : 0;
    while ((d = vg_devices_next(devices, d, (const char *)given->name)))
        n += is_meant(node_of(d), given);
    return n;
}

/* ---- sources ----------------------------------------------------------------------- */

/* The first of some attributes that is there. */
static const char *first_attribute(const xmlNode *node, const char *const names[])
{
    const char *value = NULL;
    for (size_t i = 0; !value && names[i]; i++)
        value = vg_xml_attribute(node, names[i]);
    return value;
}

/* What an image is called: its file, device, folder, network name, volume or socket. */
static const char *image_of(const xmlNode *source)
{
    static const char *const names[] = {"file",   "dev",  "dir", "name",
                                        "volume", "path", NULL};
    return first_attribute(source, names);
}

const struct vg_device *vg_devices_disk(const struct vg_devices *devices,
                                        const char *disk)
{
    const struct vg_device *d = NULL;
    while ((d = vg_devices_next(devices, d, "disk"))) {
        const char *image = image_of(vg_xml_child(node_of(d), "source"));
        if (has_attribute(vg_xml_child(node_of(d), "target"), "dev", disk) ||
            (image && strcmp(image, disk) == 0))
            return d;
    }
    return NULL;
}

const char *vg_disk_target(const struct vg_device *disk)
{
    return vg_xml_attribute(vg_xml_child(node_of(disk), "target"), "dev");
}

/* What is not a file or a block device (NVMe, say) may have no name and is still there;
 * an ejected medium leaves a <source> without file. */
bool vg_disk_has_source(const struct vg_device *disk)
{
    const xmlNode *source = vg_xml_child(node_of(disk), "source");
    const char *image = image_of(source);
    bool named = has_attribute(node_of(disk), "type", "file") ||
                 has_attribute(node_of(disk), "type", "block");
    return image || (source && !named);
}

bool vg_disk_is_mirrored(const struct vg_device *disk)
{
    return has_attribute(vg_xml_child(node_of(disk), "mirror"), "ready", "yes");
}

const struct vg_device *vg_devices_cdrom(const struct vg_devices *devices,
                                         const char *target, size_t *ret_n)
{
    const struct vg_device *d = NULL, *found = NULL;
    *ret_n = 0;
    while ((d = vg_devices_next(devices, d, "disk"))) {
        if (!has_attribute(node_of(d), "device", "cdrom"))
            continue;
        ++*ret_n;
        const xmlNode *node = vg_xml_child(node_of(d), "target");
        if (!found && (!target || has_attribute(node, "dev", target)))
            found = d;
    }
    return found;
}

/* ---- writing ----------------------------------------------------------------------- */

/* Absent is absent. */
static void write_attribute(struct vg_json *w, const char *key, const xmlNode *node,
                            const char *name)
{
    const char *value = vg_xml_attribute(node, name);
    if (value)
        vg_json_string(w, key, value);
}

/* Absent is null. */
static void write_or_null(struct vg_json *w, const char *key, const xmlNode *node,
                          const char *name)
{
    const char *value = vg_xml_attribute(node, name);
    vg_json_string(w, key, value);
}

/* <model type='virtio'/> of most, model='virtio-scsi' of some. */
static void write_model(struct vg_json *w, const xmlNode *node)
{
    const xmlNode *model = vg_xml_child(node, "model");
    const char *value = vg_xml_attribute(model ? model : node, model ? "type" : "model");
    if (value)
        vg_json_string(w, "model", value);
}

static void write_xml(struct vg_json *w, const xmlNode *node)
{
    xmlBufferPtr text = xmlBufferCreate();
    if (!text || xmlNodeDump(text, node->doc, (xmlNode *)(uintptr_t)node, 0, 0) < 0)
        w->text.failed = true;
    else
        vg_json_string(w, "xml", (const char *)xmlBufferContent(text));
    xmlBufferFree(text);
}

static void drop_child(xmlNode *node, const char *name)
{
    xmlNode *child = (xmlNode *)(uintptr_t)vg_xml_child(node, name);
    if (child) {
        xmlUnlinkNode(child);
        xmlFreeNode(child);
    }
}

char *vg_device_description(const struct vg_device *device)
{
    vg_auto_xml_buffer text = xmlBufferCreate();
    vg_auto_doc doc = xmlNewDoc(NULL);
    xmlNode *node = text && doc
                        ? xmlDocCopyNode((xmlNode *)(uintptr_t)node_of(device), doc, 1)
                        : NULL;

    if (!node)
        return NULL;
    xmlDocSetRootElement(doc, node); /* which frees it */
    drop_child(node, "alias");
    if (vg_xml_child(node, "target") || vg_xml_child(node, "mac"))
        drop_child(node, "address");
    if (xmlNodeDump(text, doc, node, 0, 0) < 0)
        return NULL;
    return strdup((const char *)xmlBufferContent(text));
}

/* False: out of memory. */
static bool put_medium(xmlNode *drive, const struct vg_medium *medium)
{
    static const char *const of_the_old[] = {"source", "backingStore", "mirror",
                                             "driver"};
    bool block = medium->path && strncmp(medium->path, "/dev/", 5) == 0;
    const char *type = medium->volume ? "volume" : block ? "block" : "file";

    for (size_t i = 0; i < sizeof(of_the_old) / sizeof(of_the_old[0]); i++)
        drop_child(drive, of_the_old[i]);
    xmlNode *driver = xmlNewChild(drive, NULL, VG_XML("driver"), NULL);
    bool done = xmlSetProp(drive, VG_XML("type"), VG_XML(type)) && driver &&
                xmlSetProp(driver, VG_XML("name"), VG_XML("qemu")) &&
                xmlSetProp(driver, VG_XML("type"), VG_XML("raw"));
    if (!done || !(medium->volume || medium->path))
        return done;
    xmlNode *source = xmlNewChild(drive, NULL, VG_XML("source"), NULL);
    if (source && medium->volume)
        return xmlSetProp(source, VG_XML("pool"), VG_XML(medium->pool)) &&
               xmlSetProp(source, VG_XML("volume"), VG_XML(medium->volume));
    return source &&
           xmlSetProp(source, VG_XML(block ? "dev" : "file"), VG_XML(medium->path));
}

char *vg_cdrom_with(const struct vg_device *drive, const struct vg_medium *medium)
{
    vg_auto_xml_buffer text = xmlBufferCreate();
    vg_auto_doc doc = xmlNewDoc(NULL);
    xmlNode *node =
        text && doc ? xmlDocCopyNode((xmlNode *)(uintptr_t)node_of(drive), doc, 1) : NULL;

    if (!node)
        return NULL;
    xmlDocSetRootElement(doc, node); /* which frees it */
    const char *alias = vg_xml_attribute(vg_xml_child(node, "alias"), "name");
    if (alias && strncmp(alias, "ua-", 3) != 0)
        drop_child(node, "alias");
    if (!put_medium(node, medium) || xmlNodeDump(text, doc, node, 0, 0) < 0)
        return NULL;
    return strdup((const char *)xmlBufferContent(text));
}

void vg_device_write(struct vg_json *w, const struct vg_device *device)
{
    const xmlNode *node = node_of(device), *target = vg_xml_child(node, "target");

    vg_json_string(w, "type", (const char *)node->name);
    write_or_null(w, "alias", vg_xml_child(node, "alias"), "name");
    write_attribute(w, "target", target, "dev");
    write_attribute(w, "bus", target ? target : node, "bus");
    write_attribute(w, "mac", vg_xml_child(node, "mac"), "address");
    write_model(w, node);
    write_xml(w, node);
}

/* A number of libvirt's; absent is absent. */
static void write_number(struct vg_json *w, const char *key, const xmlNode *node)
{
    const char *value = vg_xml_attribute(node, key);
    size_t digits = value ? strspn(value, "0123456789") : 0;
    if (digits && !value[digits])
        vg_json_raw(w, key, value, digits);
}

/* Who has the image of a network disk. */
static void write_hosts(struct vg_json *w, const xmlNode *source)
{
    const xmlNode *host = vg_xml_child(source, "host");

    if (!host)
        return;
    vg_json_begin_array(w, "hosts");
    for (; host; host = host->next) {
        if (host->type != XML_ELEMENT_NODE || !is_named(host, "host"))
            continue;
        vg_json_begin_object(w, NULL);
        write_attribute(w, "name", host, "name");
        write_number(w, "port", host);
        write_attribute(w, "transport", host, "transport");
        write_attribute(w, "socket", host, "socket");
        vg_json_end_object(w);
    }
    vg_json_end_array(w);
}

/* source, protocol, hosts, pool: of a disk, and of each image below it. */
static void write_source(struct vg_json *w, const xmlNode *source)
{
    const char *image = image_of(source);
    vg_json_string(w, "source", image);
    write_attribute(w, "protocol", source, "protocol");
    write_hosts(w, source);
    write_attribute(w, "pool", source, "pool");
}

/* The images that a disk's image is based on, the nearest first. */
static void write_chain(struct vg_json *w, const xmlNode *disk)
{
    const xmlNode *image = vg_xml_child(disk, "backingStore");

    vg_json_begin_array(w, "backingChain");
    for (; image; image = vg_xml_child(image, "backingStore")) {
        if (!vg_xml_child(image, "source"))
            break; /* <backingStore/>: the end */
        vg_json_begin_object(w, NULL);
        write_attribute(w, "type", image, "type");
        write_attribute(w, "format", vg_xml_child(image, "format"), "type");
        write_source(w, vg_xml_child(image, "source"));
        write_number(w, "index", image);
        vg_json_end_object(w);
    }
    vg_json_end_array(w);
}

void vg_disk_write(struct vg_json *w, const struct vg_device *disk)
{
    const xmlNode *node = node_of(disk), *target = vg_xml_child(node, "target");
    const xmlNode *source = vg_xml_child(node, "source");
    const char *device = vg_xml_attribute(node, "device");

    write_or_null(w, "target", target, "dev");
    write_attribute(w, "bus", target, "bus");
    vg_json_string(w, "device", device ? device : "disk");
    write_attribute(w, "type", node, "type");
    write_attribute(w, "format", vg_xml_child(node, "driver"), "type");
    write_source(w, source);
    write_number(w, "index", source);
    vg_json_bool(w, "readOnly", vg_xml_child(node, "readonly") != NULL);
    vg_json_bool(w, "shareable", vg_xml_child(node, "shareable") != NULL);
    write_or_null(w, "alias", vg_xml_child(node, "alias"), "name");
    write_chain(w, node);
}

void vg_interface_write(struct vg_json *w, const struct vg_device *interface)
{
    static const char *const sources[] = {"network", "bridge", "dev",
                                          "name",    "path",   NULL};
    const xmlNode *node = node_of(interface), *link = vg_xml_child(node, "link");
    const char *source = first_attribute(vg_xml_child(node, "source"), sources);

    write_or_null(w, "target", vg_xml_child(node, "target"), "dev");
    write_or_null(w, "mac", vg_xml_child(node, "mac"), "address");
    write_attribute(w, "type", node, "type");
    vg_json_string(w, "source", source);
    write_model(w, node);
    vg_json_bool(w, "linkUp", !has_attribute(link, "state", "down"));
    write_or_null(w, "alias", vg_xml_child(node, "alias"), "name");
}

static const struct vg_enum_value flag_names[] = {
    {"inactive", "VIR_DOMAIN_XML_INACTIVE", VIR_DOMAIN_XML_INACTIVE}};
const struct vg_enum vg_devices_flags = {"virDomainXMLFlags", flag_names, 1};

struct vg_reply vg_devices_reply(struct vg_request *rq, const char *key, const char *type,
                                 void (*write)(struct vg_json *w,
                                               const struct vg_device *device))
{
    unsigned int flags = 0;
    const struct vg_field args[] = {VG_NAMES("flags", &flags, &vg_devices_flags), VG_END};

    vg_autoptr(virDomain) dom = vg_args_domain(rq, args);
    if (!dom)
        return vg_fail(rq);
    vg_auto_devices *devices = vg_devices_read(dom, flags, &rq->error);
    if (!devices)
        return vg_fail(rq);
    vg_auto_json w = vg_json_for(rq);
    const struct vg_device *device = NULL;
    vg_json_begin_object(&w, NULL);
    vg_json_begin_array(&w, key);
    while ((device = vg_devices_next(devices, device, type))) {
        vg_json_begin_object(&w, NULL);
        write(&w, device);
        vg_json_end_object(&w);
    }
    vg_json_end_array(&w);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}
