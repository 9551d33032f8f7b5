/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * {"from": "web", "name": "web2"}: the source's document, without what is the source's
 * alone, and with volumes of its own. What the guest itself knows its disks by (their
 * serial numbers, their addresses) stays. See create_from_image.h.
 */
#include "routes/domain/create_from_image.h"

#include "routes/domain/own_volumes.h"
#include "virtgate/autoptr.h"
#include "virtgate/domain_config.h"
#include "virtgate/host.h"
#include "virtgate/object.h"
#include "virtgate/volume.h"
#include "virtgate/xml_json.h"

#include <libvirt/virterror.h>
#include <stdio.h>
#include <string.h>

static bool is_text(const json_t *value, const char *text)
{
    const char *given = json_string_value(value);
    return given && strcmp(given, text) == 0;
}

/* Of one that may stand more than once, an array, or not. */
static void for_each(json_t *parent, const char *name, void (*change)(json_t *item))
{
    json_t *found = json_object_get(parent, name), *item;
    size_t i;

    if (json_is_object(found))
        change(found);
    json_array_foreach (found, i, item)
        change(item);
}

/* ---- what is the source's alone ---------------------------------------------------- */

static void renew_virtual_port(json_t *port)
{
    json_t *parameters = json_object_get(port, "parameters");

    json_object_del(parameters, "@interfaceid");
    json_object_del(parameters, "@instanceid");
}

/* libvirt makes a new address, and a name for the device of the host. */
static void renew_interface(json_t *interface)
{
    json_object_del(interface, "mac");
    json_object_del(interface, "target");
    json_object_del(json_object_get(interface, "source"), "@portid");
    for_each(interface, "virtualport", renew_virtual_port);
}

static void free_socket(json_t *listen)
{
    json_object_del(listen, "@socket");
}

/* Two displays at one port, and only the first guest could start. */
static void renew_graphics(json_t *graphics)
{
    static const char *const ports[] = {"@port", "@tlsPort", "@websocket"};

    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
        if (json_object_get(graphics, ports[i]))
            json_object_set_new(graphics, ports[i], json_string("-1"));
    if (json_object_get(graphics, "@port"))
        json_object_set_new(graphics, "@autoport", json_string("yes"));
    free_socket(graphics);
    for_each(graphics, "listen", free_socket);
}

/* libvirt makes one of each guest's own. */
static void renew_channel(json_t *channel)
{
    if (is_text(json_object_get(channel, "@type"), "unix") &&
        is_text(vg_json_inner(channel, "target", "@type"), "virtio"))
        json_object_del(channel, "source");
}

static void renew_vsock(json_t *vsock)
{
    json_object_set_new(vsock, "cid", json_pack("{s:s}", "@auto", "yes"));
}

/* The state of an emulated one is kept by the domain's UUID: it begins anew. */
static void renew_tpm(json_t *tpm)
{
    json_object_del(json_object_get(tpm, "backend"), "source");
}

/* Serial numbers of the machine and its parts. */
static void renew_smbios_part(json_t *part)
{
    static const char *const own[] = {"uuid", "serial", "asset"};
    json_t *entries = json_object_get(part, "entry");

    for (size_t k = json_array_size(entries); k-- > 0;)
        for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
            if (is_text(json_object_get(json_array_get(entries, k), "@name"), own[i]))
                json_array_remove(entries, k);
}

static void renew_sysinfo(json_t *sysinfo)
{
    for_each(sysinfo, "system", renew_smbios_part);
    for_each(sysinfo, "baseBoard", renew_smbios_part);
    for_each(sysinfo, "chassis", renew_smbios_part);
}

static void renew(json_t *domain)
{
    json_t *devices = json_object_get(domain, "devices");

    json_object_del(domain, "@id");
    if (json_object_get(domain, "genid")) /* which is to be another for a clone */
        json_object_set_new(domain, "genid", json_object());
    for_each(domain, "sysinfo", renew_sysinfo);
    for_each(devices, "interface", renew_interface);
    for_each(devices, "graphics", renew_graphics);
    for_each(devices, "channel", renew_channel);
    for_each(devices, "vsock", renew_vsock);
    for_each(devices, "tpm", renew_tpm);
}

/* ---- what the request says --------------------------------------------------------- */

static void set_text(json_t *domain, const char *name, const char *text)
{
    if (text)
        json_object_set_new(domain, name, json_string(text));
}

static void set_memory(json_t *domain, int64_t kib)
{
    json_t *memory = json_pack("{s:s, s:I}", "@unit", "KiB", "#text", (json_int_t)kib);

    json_object_set(domain, "memory", memory);
    json_object_set_new(domain, "currentMemory", memory);
}

static int apply_wishes(struct vg_request *rq, json_t *domain,
                        const struct vg_new_domain *d)
{
    if ((d->memory_kib || d->vcpus) && vg_json_inner(domain, "cpu", "numa"))
        return vg_fail_value(
            rq, "memory and 'vcpus' are the source's, which lays them out in "
                "NUMA cells");
    set_text(domain, "title", d->title);
    set_text(domain, "description", d->description);
    if (d->memory_kib)
        set_memory(domain, d->memory_kib);
    if (d->vcpus) {
        json_object_set_new(domain, "vcpu", json_integer(d->vcpus));
        json_object_del(domain, "vcpus");
        json_object_del(json_object_get(domain, "cpu"), "topology");
    }
    return 0;
}

/* ---- disks ------------------------------------------------------------------------- */

/* What a guest has written and not flushed is in no copy of its disks. */
static int check_still(struct vg_request *rq, const struct vg_guest *g)
{
    int active = virDomainIsActive(g->source);
    int saved = active ? 0 : virDomainHasManagedSaveImage(g->source, 0);

    if (active < 0 || saved < 0)
        return vg_error_set_virt(vg_request_error(rq));
    if (!active && !saved)
        return 0;
    vg_error_set(vg_request_error(rq), VG_E_CONFLICT,
                 active ? "The domain '%s' runs: its disks cannot be cloned while it "
                          "writes them; shut it down first"
                        : "The domain '%s' is saved (managed-save), and its disks are "
                          "those of a guest that runs; start it and shut it down, or "
                          "delete what is saved",
                 virDomainGetName(g->source));
    return -1;
}

static int fail_disk(struct vg_request *rq, const char *target, const char *why)
{
    vg_error_set(vg_request_error(rq), VG_E_CONFLICT,
                 "The disk '%.40s' of the source cannot be cloned: %s", target, why);
    return -1;
}

/* By the path where it has one: see guest_plan.c. */
static void point_at(json_t *disk, const struct vg_guest_volume *v)
{
    bool device = v->path && strncmp(v->path, "/dev/", 5) == 0;
    json_t *source = v->path
                         ? json_pack("{s:s}", device ? "@dev" : "@file", v->path)
                         : json_pack("{s:s, s:s}", "@pool",
                                     virStoragePoolGetName(v->pool), "@volume", v->name);

    json_object_set_new(disk, "@type",
                        json_string(!v->path ? "volume"
                                    : device ? "block"
                                             : "file"));
    json_object_set_new(disk, "source", source);
    if (!json_object_get(disk, "driver"))
        json_object_set_new(disk, "driver", json_object());
    json_object_set_new(json_object_get(disk, "driver"), "@type", json_string(v->format));
    json_object_del(disk, "backingStore");
    json_object_del(disk, "mirror");
}

/* A guest can write what it likes onto a disk of raw bytes, a qcow2 header that names a
 * file of the host, too, and libvirt tells a volume's format by its content: to copy it
 * would give the clone that file. `format`: what the guest reads; NULL: nobody says. */
static int read_image(struct vg_request *rq, virStorageVolPtr volume, const char *format,
                      bool copy, struct vg_image *ret)
{
    if (vg_image_read(rq, volume, ret) < 0)
        return -1;
    if (!format || strcmp(ret->format, format) == 0)
        return 0;
    if (copy) {
        vg_error_set(
            vg_request_error(rq), VG_E_CONFLICT,
            "The volume '%s' looks like %s, and the source uses it as %s: a copy "
            "would be of what its content names",
            virStorageVolGetName(volume), ret->format, format);
        return -1;
    }
    free(ret->format);
    ret->format = strdup(format);
    return ret->format ? 0 : vg_error_set_memory(vg_request_error(rq));
}

/* Its volume is copied, or stood on; `stem` is the new one's name. NULL: the request's
 * error is set. */
static const struct vg_guest_volume *
plan_volume(struct vg_request *rq, struct vg_guest *g, virStorageVolPtr volume_steal,
            const char *format, const char *stem, bool copy)
{
    vg_auto_image image = {0};

    if (read_image(rq, volume_steal, format, copy, &image) < 0) {
        (void)virStorageVolFree(volume_steal);
        return NULL;
    }
    const struct vg_guest_wish wish = {
        .base = volume_steal,
        .image = &image,
        .stem = stem,
        .pool = g->pool,
        .size = image.capacity,
        .copy = copy,
        .keeps_format = true,
        .member = "copy",
        .refused = "true, because such a pool has no overlays,",
    };
    return vg_guest_plan_volume(rq, g, &wish);
}

/* The first is NAME, another NAME-TARGET. */
static int plan_disk(struct vg_request *rq, struct vg_guest *g, json_t *disk)
{
    const char *target = vg_json_inner_text(disk, "target", "@dev");
    vg_autofree char *stem = NULL;

    target = target ? target : "?";
    if (!json_object_size(json_object_get(disk, "source")))
        return 0; /* it is empty */
    if (json_object_get(disk, "encryption") ||
        vg_json_inner(disk, "source", "encryption"))
        return fail_disk(rq, target, "it is encrypted");
    if (!g->n_disks && check_still(rq, g) < 0)
        return -1;
    virStorageVolPtr volume = vg_disk_volume(rq, disk);
    if (!volume)
        return fail_disk(rq, target,
                         "its source is no volume of an active storage pool; make a pool "
                         "of where it is, or refresh that pool");
    int n = g->n_disks ? asprintf(&stem, "%s-%s", g->name, target)
                       : asprintf(&stem, "%s", g->name);
    if (n < 0) {
        (void)virStorageVolFree(volume);
        stem = NULL;
        return vg_error_set_memory(vg_request_error(rq));
    }
    const struct vg_guest_volume *v = plan_volume(
        rq, g, volume, vg_json_inner_text(disk, "driver", "@type"), stem, g->copy);
    if (!v)
        return -1;
    point_at(disk, v);
    return 0;
}

/* Media and disks that are read alone, or shared, are the clone's, too; the source's seed
 * is not: it says who the source is. New reference in *ret_seed, or NULL. */
static int plan_disks(struct vg_request *rq, struct vg_guest *g, json_t *devices,
                      json_t **ret_seed)
{
    json_t *disks = json_object_get(devices, "disk");

    for (size_t i = 0; i < json_array_size(disks);) {
        json_t *disk = json_array_get(disks, i);
        if (vg_disk_is_seed(disk)) {
            json_decref(*ret_seed);
            *ret_seed = json_incref(disk);
            json_array_remove(disks, i);
            continue;
        }
        if (vg_disk_is_own(disk) && plan_disk(rq, g, disk) < 0)
            return -1;
        i++;
    }
    return 0;
}

/* A file in which the guest itself writes what its memory holds. */
static int check_memory(struct vg_request *rq, const json_t *devices)
{
    const json_t *memories = json_object_get(devices, "memory"), *memory;
    size_t i;

    json_array_foreach (memories, i, memory) {
        if (!vg_json_inner_text(memory, "source", "path"))
            continue;
        vg_error_set(vg_request_error(rq), VG_E_CONFLICT,
                     "The source has memory that is kept in a file (%s): two guests "
                     "cannot have the same",
                     vg_json_inner_text(memory, "source", "path"));
        return -1;
    }
    return 0;
}

/* ---- the firmware's variables ------------------------------------------------------ */

static const char *find_nvram(const json_t *nvram)
{
    const char *path = json_is_string(nvram)
                           ? json_string_value(nvram)
                           : vg_json_inner_text(nvram, "source", "@file");
    return path ? path : json_string_value(json_object_get(nvram, "#text"));
}

static int name_variables(struct vg_request *rq, const struct vg_guest *g, char **ret)
{
    if (asprintf(ret, "%s_VARS", g->name) >= 0)
        return 0;
    *ret = NULL;
    return vg_error_set_memory(vg_request_error(rq));
}

/* Copied where they are a volume; else libvirt makes new ones of the template when the
 * clone starts first. */
static int plan_nvram(struct vg_request *rq, struct vg_guest *g, json_t *os)
{
    json_t *nvram = json_object_get(os, "nvram");
    const char *path = find_nvram(nvram);
    const json_t *type = json_object_get(nvram, "@type");
    const char *format = json_string_value(json_object_get(nvram, "@format"));
    vg_autofree char *stem = NULL;

    if (type && !is_text(type, "file")) {
        vg_error_set(vg_request_error(rq), VG_E_CONFLICT,
                     "The variables of the source's firmware are no file: they cannot be "
                     "cloned");
        return -1;
    }
    virStorageVolPtr volume = path ? virStorageVolLookupByPath(vg_conn(rq), path) : NULL;
    const struct vg_guest_volume *v = NULL;
    if (volume && (check_still(rq, g) < 0 || name_variables(rq, g, &stem) < 0)) {
        (void)virStorageVolFree(volume);
        return -1;
    }
    if (volume && !(v = plan_volume(rq, g, volume, format ? format : "raw", stem, true)))
        return -1;
    virResetLastError();
    if (json_is_string(nvram))
        json_object_set_new(os, "nvram", json_object());
    nvram = json_object_get(os, "nvram");
    json_object_del(nvram, "#text");
    json_object_del(nvram, "@type");
    json_object_del(nvram, "source");
    if (v)
        json_object_set_new(nvram, "#text", json_string(v->path));
    else if (!json_object_size(nvram))
        json_object_del(os, "nvram");
    return 0;
}

/* ---- the seed ---------------------------------------------------------------------- */

static bool is_taken(const json_t *disks, const char *target)
{
    const json_t *disk;
    size_t i;

    json_array_foreach (disks, i, disk)
        if (is_text(vg_json_inner(disk, "target", "@dev"), target))
            return true;
    return false;
}

/* The bus of the source's other devices of that kind, which its machine has. */
static const char *find_bus(const json_t *domain, const char *device)
{
    const json_t *disks = vg_json_inner(domain, "devices", "disk"), *disk;
    const char *machine =
        vg_json_inner_text(json_object_get(domain, "os"), "type", "@machine");
    size_t i;

    json_array_foreach (disks, i, disk)
        if (is_text(json_object_get(disk, "@device"), device) &&
            vg_json_inner_text(disk, "target", "@bus"))
            return vg_json_inner_text(disk, "target", "@bus");
    if (strcmp(device, "disk") == 0)
        return "virtio";
    return machine && strstr(machine, "i440fx") ? "ide" : "sata";
}

static json_t *make_seed(const json_t *domain, const char *device)
{
    const char *bus = find_bus(domain, device);
    const char *prefix = strcmp(bus, "virtio") == 0 ? "vd"
                         : strcmp(bus, "ide") == 0  ? "hd"
                         : strcmp(bus, "xen") == 0  ? "xvd"
                                                    : "sd";
    char target[8], letter = 'a';

    do
        snprintf(target, sizeof(target), "%s%c", prefix, letter);
    while (is_taken(vg_json_inner(domain, "devices", "disk"), target) && letter++ < 'z');
    return json_pack("{s:s, s:{s:s, s:s}, s:{}, s:{s:s}}", "@device", device, "target",
                     "@dev", target, "@bus", bus, "readonly", "alias", "@name",
                     VG_SEED_ALIAS);
}

static bool has_smbios(const json_t *domain)
{
    const char *type = json_string_value(json_object_get(domain, "@type"));
    const char *arch = vg_json_inner_text(json_object_get(domain, "os"), "type", "@arch");
    return type && (strcmp(type, "kvm") == 0 || strcmp(type, "qemu") == 0) && arch &&
           (strcmp(arch, "x86_64") == 0 || strcmp(arch, "i686") == 0 ||
            strcmp(arch, "aarch64") == 0);
}

/* As of a new guest: some images look for a seed only where the serial number says so.
 * Another sysinfo of the source's stays alone. */
static void add_sysinfo(json_t *domain)
{
    json_t *list = json_object_get(domain, "sysinfo");
    json_t *os = json_object_get(domain, "os");
    json_t *serial = json_pack("{s:s, s:s}", "@name", "serial", "#text", "ds=nocloud");
    json_t *system = vg_json_inner(json_array_get(list, 0), "system", "entry");

    if (!list && !json_object_get(os, "smbios")) {
        json_object_set_new(domain, "sysinfo",
                            json_pack("[{s:s, s:{s:[O]}}]", "@type", "smbios", "system",
                                      "entry", serial));
        json_object_set_new(os, "smbios", json_pack("{s:s}", "@mode", "sysinfo"));
    } else if (json_is_array(system)) {
        json_array_append(system, serial);
    }
    json_decref(serial);
}

/* In the place of the source's, where it had one of that kind. */
static int plan_seed(struct vg_request *rq, struct vg_guest *g, json_t *domain,
                     json_t *old)
{
    json_t *devices = json_object_get(domain, "devices");

    if (vg_guest_plan_seed(rq, g, NULL) < 0)
        return -1;
    const char *device = g->config.seed == VG_NEW_CDROM ? "cdrom" : "disk";
    json_t *disk = is_text(json_object_get(old, "@device"), device)
                       ? json_incref(old)
                       : make_seed(domain, device);
    point_at(disk, &g->seed);
    if (!json_object_get(devices, "disk"))
        json_object_set_new(devices, "disk", json_array());
    json_array_append_new(json_object_get(devices, "disk"), disk);
    if (has_smbios(domain))
        add_sysinfo(domain);
    return 0;
}

/* ---- the source -------------------------------------------------------------------- */

/* Whoever makes a clone with passwords has that of a display, so may see the source's.
 * NULL: the request's error is set. */
static json_t *read_source(struct vg_request *rq, const struct vg_guest *g, bool shown)
{
    const unsigned int next = VIR_DOMAIN_XML_INACTIVE;
    vg_autofree char *plain = virDomainGetXMLDesc(g->source, next);
    vg_autofree char *full =
        plain && !shown ? virDomainGetXMLDesc(g->source, next | VIR_DOMAIN_XML_SECURE)
                        : NULL;

    if (!plain || (!shown && !full)) {
        (void)vg_error_set_virt(vg_request_error(rq));
        return NULL;
    }
    if (full && strcmp(plain, full) != 0 &&
        vg_request_ask(rq, "domain:read_secure",
                       "The source has passwords, which the clone would have, too") < 0)
        return NULL;
    return vg_xml_to_json(full ? full : plain, vg_request_error(rq));
}

static int plan(struct vg_request *rq, struct vg_guest *g, const struct vg_new_domain *d,
                json_t *domain)
{
    json_t *devices = json_object_get(domain, "devices");
    json_auto_t *seed = NULL;

    renew(domain);
    set_text(domain, "name", g->name);
    set_text(domain, "uuid", g->uuid);
    if (apply_wishes(rq, domain, d) < 0 || check_memory(rq, devices) < 0 ||
        plan_disks(rq, g, devices, &seed) < 0 ||
        plan_nvram(rq, g, json_object_get(domain, "os")) < 0)
        return -1;
    return g->cloud_init ? plan_seed(rq, g, domain, seed) : 0;
}

char *vg_guest_plan_clone(struct vg_request *rq, struct vg_guest *g,
                          const struct vg_new_domain *d, bool shown)
{
    if (vg_request_ask(rq,
                       "storage_pool:getattr storage_pool:read storage_vol:create "
                       "storage_vol:getattr storage_vol:read",
                       "'from' makes volumes like those of the source") < 0)
        return NULL;
    g->name = d->name;
    g->copy = g->copies != 0;
    vg_guest_plan_uuid(g, d->uuid);
    g->source = vg_find_domain(rq, g->from);
    json_auto_t *document = g->source ? read_source(rq, g, shown) : NULL;
    if (!document)
        return NULL;
    json_t *domain = json_object_get(document, "domain");
    return plan(rq, g, d, domain) < 0 ? NULL : vg_domain_xml_of_json(rq, domain);
}
