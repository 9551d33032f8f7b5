/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See include/virtgate/domain_create.h. The document is made in its JSON form, so that
 * one place turns it into XML and escapes it (xml/from_json.c).
 */
#include "virtgate/domain_create.h"

#include "server/libvirt/domain/create.h"
#include "virtgate/autoptr.h"
#include "virtgate/domain_config.h"
#include "virtgate/host.h"
#include "virtgate/volume.h"
#include "virtgate/xml_json.h"

#include <stdio.h>
#include <string.h>

#define ROOT_PORTS 14

static bool is_x86(const struct vg_host_caps *o)
{
    return strcmp(o->arch, "x86_64") == 0 || strcmp(o->arch, "i686") == 0;
}

/* "pc-q35-7.2", "virt-7.2" of ARM and RISC-V. */
static bool has_pcie(const struct vg_host_caps *o)
{
    const char *machine = o->machine ? o->machine : "";
    return is_x86(o)
               ? strstr(machine, "q35") != NULL
               : strncmp(machine, "virt", 4) == 0 && strncmp(o->arch, "s390", 4) != 0;
}

/* ---- what the machine is ----------------------------------------------------------- */

/* Machines that have no other firmware than UEFI. */
static bool needs_efi(const struct vg_host_caps *o)
{
    return strcmp(o->arch, "aarch64") == 0 || strcmp(o->arch, "riscv64") == 0 ||
           strcmp(o->arch, "loongarch64") == 0;
}

static json_t *make_boot(const struct vg_new_domain *d)
{
    json_t *list = json_array();
    bool disk = false, cdrom = false;

    for (size_t i = 0; i < d->n_disks; i++) {
        disk |= d->disks[i].device == VG_NEW_DISK;
        cdrom |= d->disks[i].device == VG_NEW_CDROM;
    }
    /* an empty disk falls through to the next */
    const char *usual[] = {disk ? "hd" : NULL, cdrom ? "cdrom" : NULL,
                           d->n_interfaces ? "network" : NULL};
    for (size_t i = 0; i < 3 && !d->n_boot; i++)
        if (usual[i])
            json_array_append_new(list, json_pack("{s:s}", "@dev", usual[i]));
    for (size_t i = 0; i < d->n_boot; i++)
        json_array_append_new(list, json_pack("{s:s}", "@dev", d->boot[i]));
    return list;
}

/* Whether QEMU's firmware is to tell the guest of its seed: machines that have SMBIOS. */
static bool has_smbios(const struct vg_new_domain *d, const struct vg_host_caps *o)
{
    return d->nocloud && o->driver && (is_x86(o) || strcmp(o->arch, "aarch64") == 0);
}

static json_t *make_os(const struct vg_new_domain *d, const struct vg_host_caps *o)
{
    bool has_efi = vg_host_caps_has(o, "os", NULL, "firmware", "efi");
    bool efi = d->firmware == VG_NEW_EFI ||
               (d->firmware == VG_NEW_ANY_FIRMWARE && has_efi && needs_efi(o));
    return json_pack("{s:s*, s:{s:s, s:s*, s:s}, s:o, s:o*}", "@firmware",
                     efi ? "efi" : NULL, "type", "@arch", o->arch, "@machine", o->machine,
                     "#text", o->os_type, "boot", make_boot(d), "smbios",
                     has_smbios(d, o) ? json_pack("{s:s}", "@mode", "sysinfo") : NULL);
}

/* Some images look for a seed only where the serial number says that there is one. */
static json_t *make_sysinfo(const struct vg_new_domain *d, const struct vg_host_caps *o)
{
    return has_smbios(d, o)
               ? json_pack("{s:s, s:{s:[{s:s, s:s}]}}", "@type", "smbios", "system",
                           "entry", "@name", "serial", "#text", "ds=nocloud")
               : NULL;
}

/* All that the host can give: the host's own CPU, or the most that can be emulated. */
static json_t *make_cpu(const struct vg_host_caps *o)
{
    if (vg_host_caps_has_cpu(o, "host-passthrough"))
        return json_pack("{s:s, s:s}", "@mode", "host-passthrough", "@check", "none");
    if (strcmp(o->type, "kvm") == 0 && vg_host_caps_has_cpu(o, "host-model"))
        return json_pack("{s:s}", "@mode", "host-model");
    if (vg_host_caps_has_cpu(o, "maximum"))
        return json_pack("{s:s}", "@mode", "maximum");
    return NULL;
}

static json_t *make_clock(const struct vg_host_caps *o)
{
    json_t *timers = NULL;
    if (o->caps && is_x86(o)) /* what keeps the time when ticks are lost */
        timers = json_pack("[{s:s, s:s}, {s:s, s:s}, {s:s, s:s}]", "@name", "rtc",
                           "@tickpolicy", "catchup", "@name", "pit", "@tickpolicy",
                           "delay", "@name", "hpet", "@present", "no");
    return json_pack("{s:s, s:o*}", "@offset", "utc", "timer", timers);
}

/* ---- devices ----------------------------------------------------------------------- */

/* The first bus of a list that the host has. */
static const char *pick_bus(const struct vg_host_caps *o, int device)
{
    static const char *const disk[] = {"virtio", "scsi", "sata", "ide", "xen", NULL};
    static const char *const cdrom[] = {"sata", "scsi", "ide", "usb", "xen", NULL};
    const char *const *buses = device == VG_NEW_CDROM ? cdrom : disk;

    if (!vg_host_caps_tells(o, "devices", "disk"))
        return device == VG_NEW_CDROM ? "ide" : "virtio";
    for (size_t i = 0; buses[i]; i++)
        if (vg_host_caps_has(o, "devices", "disk", "bus", buses[i]))
            return buses[i];
    return buses[0];
}

/* The format that a volume's document tells. NULL: the request's error is set. */
static const char *read_format(struct vg_request *rq, virStorageVolPtr volume)
{
    static const char *const formats[] = {"qcow2", "qcow", "qed", "vmdk", "vdi", "vpc"};
    json_auto_t *document = vg_volume_document(rq, volume);
    const char *format = vg_volume_format(document);

    if (!document)
        return NULL;
    /* what is none of a disk's own formats (iso, dir, an unknown one) is raw bytes */
    for (size_t i = 0; format && i < sizeof(formats) / sizeof(formats[0]); i++)
        if (strcmp(format, formats[i]) == 0)
            return formats[i];
    return "raw";
}

/* Where a disk's bytes are: a <source>, and the format they have. NULL: the request's
 * error is set. */
static json_t *make_volume(struct vg_request *rq, const struct vg_new_disk *disk,
                           const char **ret_format)
{
    if (disk->absent) {
        size_t end = strcspn(disk->volume, "/");
        return json_pack("{s:s%, s:s}", "@pool", disk->volume, end, "@volume",
                         disk->volume + end + 1);
    }
    size_t n = strcspn(disk->volume, "/");
    vg_autofree char *pool_name = strndup(disk->volume, n);
    const char *name = disk->volume + n + 1;
    vg_autoptr(virStoragePool) pool =
        virStoragePoolLookupByName(vg_conn(rq), pool_name ? pool_name : "");
    vg_autoptr(virStorageVol) volume =
        pool ? virStorageVolLookupByName(pool, name) : NULL;

    if (!volume) {
        vg_error_set_virt(vg_request_error(rq));
        return NULL;
    }
    *ret_format = read_format(rq, volume);
    return *ret_format ? json_pack("{s:s, s:s}", "@pool", pool_name, "@volume", name)
                       : NULL;
}

/* A path's format is given, or that of a volume which is there; a CD-ROM is read alone,
 * so nothing is lost if it is taken for what it is not. A guess would let a guest write
 * over an image's header, or read a file that a header names. */
static json_t *make_path(struct vg_request *rq, const struct vg_new_disk *disk,
                         const char **ret_format)
{
    bool device = strncmp(disk->path, "/dev/", 5) == 0;
    vg_autoptr(virStorageVol) volume =
        disk->format || disk->absent ? NULL
                                     : virStorageVolLookupByPath(vg_conn(rq), disk->path);

    *ret_format = volume                         ? read_format(rq, volume)
                  : disk->device == VG_NEW_CDROM ? "raw"
                                                 : disk->format;
    if (*ret_format)
        return json_pack("{s:s}", device ? "@dev" : "@file", disk->path);
    if (!volume)
        vg_error_set(vg_request_error(rq), VG_E_MISSING_KEY,
                     "'format' is missing for the disk '%.300s', which is no volume of a "
                     "storage pool; give it: raw, qcow2, ...",
                     disk->path);
    return NULL;
}

static json_t *make_disk(struct vg_request *rq, const struct vg_new_disk *disk,
                         const struct vg_host_caps *o, unsigned int *count)
{
    const char *bus = pick_bus(o, disk->device);
    bool virtio = strcmp(bus, "virtio") == 0, ide = strcmp(bus, "ide") == 0,
         xen = strcmp(bus, "xen") == 0;
    unsigned int *n = &count[virtio ? 0 : ide ? 1 : xen ? 2 : 3];
    char target[8];
    const char *format = NULL, *type = "volume";
    json_t *source;

    snprintf(target, sizeof(target), "%s%c",
             virtio ? "vd"
             : ide  ? "hd"
             : xen  ? "xvd"
                    : "sd",
             (char)('a' + (*n)++));
    if (disk->volume) {
        source = make_volume(rq, disk, &format);
    } else {
        type = strncmp(disk->path, "/dev/", 5) == 0 ? "block" : "file";
        source = make_path(rq, disk, &format);
    }
    if (!source)
        return NULL;
    json_t *made =
        json_pack("{s:s, s:s, s:{s:s}, s:o, s:{s:s, s:s}, s:o*}", "@type", type,
                  "@device", disk->device == VG_NEW_CDROM ? "cdrom" : "disk", "driver",
                  "@type", disk->format ? disk->format : format, "source", source,
                  "target", "@dev", target, "@bus", bus, "readonly",
                  disk->read_only || disk->device == VG_NEW_CDROM ? json_object() : NULL);
    if (made && disk->alias)
        json_object_set_new(made, "alias", json_pack("{s:s}", "@name", disk->alias));
    if (made && o->driver) /* QEMU wants to know who reads the format */
        json_object_set_new(json_object_get(made, "driver"), "@name",
                            json_string(o->driver));
    return made;
}

static json_t *make_disks(struct vg_request *rq, const struct vg_new_domain *d,
                          const struct vg_host_caps *o)
{
    json_auto_t *list = json_array();
    unsigned int count[4] = {0};

    for (size_t i = 0; i < d->n_disks; i++) {
        json_t *disk = make_disk(rq, &d->disks[i], o, count);
        if (json_array_append_new(list, disk) < 0)
            return NULL;
    }
    return json_incref(list);
}

static json_t *make_interfaces(struct vg_request *rq, const struct vg_new_domain *d,
                               const struct vg_host_caps *o)
{
    json_auto_t *list = json_array();

    for (size_t i = 0; i < d->n_interfaces; i++) {
        const struct vg_new_interface *nic = &d->interfaces[i];
        const char *model = nic->model ? nic->model
                            : vg_host_caps_has(o, "devices", "disk", "bus", "virtio")
                                ? "virtio"
                                : NULL;
        vg_autoptr(virNetwork) net =
            nic->network ? virNetworkLookupByName(vg_conn(rq), nic->network) : NULL;
        if (nic->network && !net) {
            vg_error_set_virt(vg_request_error(rq));
            return NULL;
        }
        json_t *made =
            json_pack("{s:s, s:{s:s}}", "@type", nic->network ? "network" : "bridge",
                      "source", nic->network ? "@network" : "@bridge",
                      nic->network ? nic->network : nic->bridge);
        if (nic->mac)
            json_object_set_new(made, "mac", json_pack("{s:s}", "@address", nic->mac));
        if (model)
            json_object_set_new(made, "model", json_pack("{s:s}", "@type", model));
        json_array_append_new(list, made);
    }
    return json_incref(list);
}

/* A PCI Express machine takes a device while it runs only where a root port is free, and
 * makes none itself: as many as virt-install gives. */
static void add_ports(json_t *devices, const struct vg_host_caps *o)
{
    json_t *list = json_array();

    json_array_append_new(list,
                          json_pack("{s:s, s:s}", "@type", "pci", "@model", "pcie-root"));
    for (int i = 0; i < ROOT_PORTS; i++)
        json_array_append_new(
            list, json_pack("{s:s, s:s}", "@type", "pci", "@model", "pcie-root-port"));
    if (o->driver && has_pcie(o))
        json_object_set(devices, "controller", list);
    json_decref(list);
}

/* The way to the guest's agent, and to SPICE's. */
static json_t *make_channels(const struct vg_new_domain *d, const struct vg_host_caps *o)
{
    json_t *list = json_array();
    if (vg_host_caps_has(o, "devices", "channel", "type", "unix"))
        json_array_append_new(list, json_pack("{s:s, s:{s:s, s:s}}", "@type", "unix",
                                              "target", "@type", "virtio", "@name",
                                              "org.qemu.guest_agent.0"));
    if (d->graphics == VG_NEW_SPICE &&
        vg_host_caps_has(o, "devices", "channel", "type", "spicevmc"))
        json_array_append_new(list, json_pack("{s:s, s:{s:s, s:s}}", "@type", "spicevmc",
                                              "target", "@type", "virtio", "@name",
                                              "com.redhat.spice.0"));
    return list;
}

/* A screen on the host's loopback alone, with what belongs to it. */
static void add_screen(json_t *devices, const struct vg_new_domain *d,
                       const struct vg_host_caps *o)
{
    const char *type = d->graphics == VG_NEW_SPICE ? "spice" : "vnc";
    const char *model =
        vg_host_caps_has(o, "devices", "video", "modelType", "virtio") ? "virtio"
        : vg_host_caps_has(o, "devices", "video", "modelType", "vga")  ? "vga"
                                                                       : NULL;
    json_object_set_new(devices, "graphics",
                        json_pack("[{s:s, s:s, s:[{s:s, s:s}]}]", "@type", type,
                                  "@autoport", "yes", "listen", "@type", "address",
                                  "@address", "127.0.0.1"));
    if (model)
        json_object_set_new(devices, "video",
                            json_pack("[{s:{s:s}}]", "model", "@type", model));
    if (o->caps) /* a pointer that is where the user's is */
        json_object_set_new(devices, "input",
                            json_pack("[{s:s, s:s}]", "@type", "tablet", "@bus",
                                      is_x86(o) ? "usb" : "virtio"));
}

static json_t *make_devices(struct vg_request *rq, const struct vg_new_domain *d,
                            const struct vg_host_caps *o)
{
    json_auto_t *disks = make_disks(rq, d, o);
    json_auto_t *interfaces = disks ? make_interfaces(rq, d, o) : NULL;
    if (!interfaces)
        return NULL;
    json_t *devices =
        json_pack("{s:s*, s:O, s:O, s:o}", "emulator", o->emulator, "disk", disks,
                  "interface", interfaces, "channel", make_channels(d, o));
    add_ports(devices, o);
    if (d->console)
        json_object_set_new(devices, "console", json_pack("[{s:s}]", "@type", "pty"));
    if (d->graphics != VG_NEW_NO_GRAPHICS)
        add_screen(devices, d, o);
    if (vg_host_caps_has(o, "devices", "rng", "backendModel", "random"))
        json_object_set_new(devices, "rng",
                            json_pack("[{s:s, s:{s:s, s:s}}]", "@model", "virtio",
                                      "backend", "@model", "random", "#text",
                                      "/dev/urandom"));
    return devices;
}

/* ---- the whole --------------------------------------------------------------------- */

static int refuse(struct vg_request *rq, const char *key, const char *value,
                  const char *accepted)
{
    vg_error_set(vg_request_error(rq), VG_E_INVALID_VALUE,
                 "Body member '%s' is '%s'; this host has: %s", key, value,
                 accepted && *accepted ? accepted : "none");
    return -1;
}

/* Wishes that the host cannot grant. */
static int check_wishes(struct vg_request *rq, const struct vg_new_domain *d,
                        const struct vg_host_caps *o)
{
    const char *screen = d->graphics == VG_NEW_SPICE ? "spice" : "vnc";

    if (!o->caps)
        return 0;
    if (o->max_vcpus && (d->vcpus > o->max_vcpus || d->max_vcpus > o->max_vcpus)) {
        bool more = d->vcpus <= o->max_vcpus;
        vg_error_set(vg_request_error(rq), VG_E_INVALID_VALUE,
                     "Body member '%s' is %lld; 1 to %lld is accepted on this host",
                     more ? "maxVcpus" : "vcpus",
                     (long long)(more ? d->max_vcpus : d->vcpus),
                     (long long)o->max_vcpus);
        return -1;
    }
    if (d->graphics != VG_NEW_NO_GRAPHICS &&
        vg_host_caps_tells(o, "devices", "graphics") &&
        !vg_host_caps_has(o, "devices", "graphics", "type", screen)) {
        vg_autofree char *names = vg_host_caps_names(o, "devices", "graphics", "type");
        return refuse(rq, "graphics", screen, names);
    }
    if (d->firmware == VG_NEW_EFI && vg_host_caps_tells(o, "os", NULL) &&
        !vg_host_caps_has(o, "os", NULL, "firmware", "efi")) {
        vg_autofree char *names = vg_host_caps_names(o, "os", NULL, "firmware");
        return refuse(rq, "firmware", "efi", names && *names ? names : "bios");
    }
    return 0;
}

static json_t *make_memory(int64_t kib)
{
    bool whole = kib % 1024 == 0;
    return json_pack("{s:s, s:I}", "@unit", whole ? "MiB" : "KiB", "#text",
                     (json_int_t)(whole ? kib / 1024 : kib));
}

static json_t *make_vcpu(const struct vg_new_domain *d)
{
    return d->max_vcpus ? json_pack("{s:I, s:I}", "@current", (json_int_t)d->vcpus,
                                    "#text", (json_int_t)d->max_vcpus)
                        : json_integer(d->vcpus);
}

char *vg_new_domain_xml(struct vg_request *rq, const struct vg_new_domain *d)
{
    VG_CLEANUP(vg_host_caps_clear) struct vg_host_caps o = {0};

    if (vg_host_caps_read(rq, d, &o) < 0 || check_wishes(rq, d, &o) < 0)
        return NULL;
    json_auto_t *devices = make_devices(rq, d, &o);
    if (!devices && !vg_request_error(rq)->status)
        vg_error_set_memory(vg_request_error(rq));
    if (!devices)
        return NULL;
    /* <memory> is the most that the guest can have; its balloon holds the rest */
    int64_t most = d->max_memory_kib ? d->max_memory_kib : d->memory_kib;
    json_auto_t *domain = json_pack(
        "{s:s, s:s, s:s*, s:s*, s:s*, s:o, s:o*, s:o, s:o*, s:o, s:o*, s:o*, s:o, s:O}",
        "@type", o.type, "name", d->name, "uuid", d->uuid, "title", d->title,
        "description", d->description, "memory", make_memory(most), "currentMemory",
        d->max_memory_kib ? make_memory(d->memory_kib) : NULL, "vcpu", make_vcpu(d),
        "sysinfo", make_sysinfo(d, &o), "os", make_os(d, &o), "features",
        o.caps && is_x86(&o) ? json_pack("{s:{}, s:{}}", "acpi", "apic") : NULL, "cpu",
        make_cpu(&o), "clock", make_clock(&o), "devices", devices);
    if (domain)
        return vg_domain_xml_of_json(rq, domain);
    vg_error_set_memory(vg_request_error(rq));
    return NULL;
}
