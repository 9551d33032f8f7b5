/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Devices of real guests: attached, changed and detached, running and defined; disks and
 * their limits; interfaces; bytes of disk and memory.
 */
#include "tests/qemu/guest.h"

#include <stdio.h>
#include <stdlib.h>

#define INVALID_ARG LIBVIRT("INVALID_ARG")
#define NOT_RUNNING LIBVIRT("OPERATION_INVALID")

/* With ACPI, for hot-plugging; ${dir} is where the images are. */
#define MACHINE                                                                          \
    "<domain type='qemu'><name>dev</name><memory unit='MiB'>16</memory><vcpu>1</vcpu>"   \
    "<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>"   \
    "<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>"                          \
    "<controller type='usb' model='none'/><memballoon model='none'/>"                    \
    "<controller type='scsi' index='0' model='virtio-scsi'/>"                            \
    "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"                 \
    "<source file='${dir}/vda.qcow2'/><target dev='vda' bus='virtio'/></disk>"           \
    "<disk type='file' device='cdrom'><target dev='sdc' bus='scsi'/><readonly/>"         \
    "<alias name='ua-cd'/></disk></devices></domain>"

#define HOT(target, alias)                                                               \
    "<disk type='file' device='disk'><driver name='qemu' type='raw'/>"                   \
    "<source file='${dir}/hot.raw'/><target dev='" target "' bus='scsi'/>"               \
    "<alias name='" alias "'/></disk>"
#define CDROM(source)                                                                    \
    "<disk type='file' device='cdrom'>" source "<target dev='sdc' bus='scsi'/>"          \
    "<readonly/></disk>"
#define TAP(link)                                                                        \
    "<interface type='ethernet'><mac address='52:54:00:aa:bb:02'/>"                      \
    "<target dev='vgdevtest0'/><model type='virtio'/>" link                              \
    "<alias name='ua-tap'/></interface>"
#define DISK_MISSING LIBVIRT("DEVICE_MISSING")

static const struct step defined[] = {
    {"POST", "/domains", 201, NULL, .xml = MACHINE},
    {"GET", "/domains/dev/disks", 200,
     "{'disks':[{'target':'vda','source':'${dir}/vda.qcow2','format':'qcow2',"
     "'index':'<absent>','alias':null,'backingChain':[]},{'target':'sdc'}]}"},
    {"GET", "/domains/dev/disks/vda", 200, "{'capacityBytes':8388608}"},
    {"GET", "/domains/dev/disks?view=full", 200,
     "{'disks':[{'target':'vda','capacityBytes':8388608,'allocationBytes':'<int>'},"
     "{'target':'sdc','capacityBytes':null,'physicalBytes':null}]}"},
    {"GET", "/domains/dev/disks?view=default", 200,
     "{'disks':[{'capacityBytes':'<absent>'},{}]}"},
    {"GET", "/domains/dev/disks?view=full&flags=inactive", 400, GATEWAY("invalid-value")},
    {"GET", "/domains/dev/disks?view=config", 400, GATEWAY("unknown-value")},
    {"GET", "/domains/dev/disks/sdc", 200, "{'source':null,'capacityBytes':null}"},
    /* a definition changes at once */
    {"POST", "/domains/dev/devices", 204, "", .xml = HOT("sda", "ua-hot")},
    {"GET", "/domains/dev/devices/ua-hot", 200, "{'target':'sda','bus':'scsi'}"},
    {"POST", "/domains/dev/devices", 409, LIBVIRT("CONFIG_UNSUPPORTED"),
     .xml = HOT("sdb", "ua-hot")},
    {"POST", "/domains/dev/devices", 409, NULL, .xml = HOT("sda", "ua-other")},
    {"POST", "/domains/dev/devices?flags=live", 409, NOT_RUNNING,
     .xml = HOT("sdb", "ua-b")},
    {"POST", "/domains/dev/devices", 400, LIBVIRT("XML_DETAIL"), .xml = "<disk"},
    {"POST", "/domains/dev/devices", 422, "{'error':{}}", .xml = "<nosuch/>"},
    {"POST", "/domains/dev/devices?flags=force", 400, INVALID_ARG,
     .xml = HOT("sdb", "ua-b")},
    {"DELETE", "/domains/dev/devices/ua-nosuch", 404, "{'error':{}}"},
    {"DELETE", "/domains/dev/devices/ua-hot", 204, ""},
    {"DELETE", "/domains/dev/devices/ua-hot", 404, "{'error':{}}"},
    {"POST", "/domains/dev/devices", 204, "",
     .json =
         "{'xml':'<disk type=\\u0027file\\u0027><source "
         "file=\\u0027${dir}/hot.raw\\u0027/><target "
         "dev=\\u0027sda\\u0027 bus=\\u0027scsi\\u0027/></disk>','flags':['config']}"},
    {"POST", "/domains/dev/devices/detach?flags=config", 422, LIBVIRT("INTERNAL_ERROR"),
     .xml = "<input bus='usb'/>"},
    {"POST", "/domains/dev/devices/detach?flags=config", 204, "",
     .xml = HOT("sda", "ua-hot")},
    {"POST", "/domains/dev/devices/detach?flags=config", 404, DISK_MISSING,
     .xml = HOT("sda", "ua-hot")},
    {"PUT", "/domains/dev/devices", 204, "",
     .xml = CDROM("<source file='${dir}/hot.raw'/>")},
    {"GET", "/domains/dev/disks/sdc", 200, "{'source':'${dir}/hot.raw'}"},
    {"PUT", "/domains/dev/devices", 204, "", .xml = CDROM("")},
    {"PUT", "/domains/dev/devices", 404, INVALID_ARG, .xml = HOT("sdx", "ua-x")},
    /* what needs a running guest */
    {"GET", "/domains/dev/disks/vda/stats", 409, NOT_RUNNING},
    {"GET", "/domains/dev/disk-errors", 409, NOT_RUNNING},
    {"GET", "/domains/dev/memory/peek?size=1", 409, NOT_RUNNING},
    {"GET", "/domains/dev/interfaces/vgdevtest0/stats", 409, NOT_RUNNING},
    {"POST", "/domains/dev/disks/vda/resize", 409, NOT_RUNNING,
     .json = "{'size':16777216}"},
    {"PUT", "/domains/dev/disks/vda/threshold", 409, NOT_RUNNING, .json = "{'bytes':1}"},
};

/* It runs no code: a firmware that resets its drives closes their trays, which libvirt
 * opens to change a medium. */
static const struct step attached[] = {
    {"POST", "/domains/dev/start", 204, "", .json = "{'flags':['paused']}"},
    {"POST", "/domains/dev/devices?flags=live", 204, "", .xml = HOT("sda", "ua-hot")},
    {"GET", "/domains/dev/devices/ua-hot", 200, "{'type':'disk','target':'sda'}"},
    {"GET", "/domains/dev/devices/ua-hot?flags=inactive", 404, GATEWAY("not-found")},
    {"GET", "/domains/dev/devices", 200,
     "{'devices':['...',{'type':'disk','alias':'virtio-disk0'},'...']}"},
    {"POST", "/domains/dev/devices?flags=live", 409, NULL, .xml = HOT("sda", "ua-two")},
    {"POST", "/domains/dev/devices?flags=live,config", 204, "", .xml = TAP("")},
    {"GET", "/domains/dev/interfaces", 200,
     "{'interfaces':[{'target':'vgdevtest0','mac':'52:54:00:aa:bb:02','type':'ethernet',"
     "'source':null,'model':'virtio','linkUp':true,'alias':'ua-tap'}]}"},
    {"PUT", "/domains/dev/devices?flags=live", 204, "",
     .xml = TAP("<link state='down'/>")},
    {"GET", "/domains/dev/interfaces", 200, "{'interfaces':[{'linkUp':false}]}"},
    {"GET", "/domains/dev/interfaces?flags=inactive", 200,
     "{'interfaces':[{'linkUp':true}]}"},
    {"PUT", "/domains/dev/devices?flags=live", 204, "",
     .xml = CDROM("<source file='${dir}/cd.raw'/>")},
    {"GET", "/domains/dev/disks/sdc", 200,
     "{'source':'${dir}/cd.raw','readOnly':true,'capacityBytes':1048576}"},
    {"PUT", "/domains/dev/devices?flags=live,force", 204, "", .xml = CDROM("")},
    {"GET", "/domains/dev/disks/sdc", 200, "{'source':null}"},
};

static const struct step disk[] = {
    {"GET", "/domains/dev/disks/vda", 200,
     "{'index':'$index','alias':'virtio-disk0','capacityBytes':8388608,"
     "'physicalBytes':'<int>'}"},
    {"GET", "/domains/dev/disks/nosuch", 404, INVALID_ARG},
    {"GET", "/domains/dev/disks/vda/stats", 200,
     "{'rdOperations':'<int>','rdBytes':'<int>','rdTotalTimes':'<int>',"
     "'wrOperations':'<int>','wrBytes':'<int>','flushOperations':'<int>'}"},
    {"GET", "/domains/dev/disks/nosuch/stats", 404, INVALID_ARG},
    {"GET", "/domains/dev/disk-errors", 200, "{'errors':[]}"},
    {"PATCH", "/domains/dev/disks/vda/iotune", 200,
     "{'readBytesSec':1000000,'writeBytesSec':0}",
     .json = "{'readBytesSec':1000000,'flags':['live','config']}"},
    {"PATCH", "/domains/dev/disks/vda/iotune", 200,
     "{'readBytesSec':1000000,'writeIopsSec':50}", .json = "{'writeIopsSec':50}"},
    {"GET", "/domains/dev/disks/vda/iotune?flags=config", 200,
     "{'readBytesSec':1000000,'writeIopsSec':0}"},
    {"PATCH", "/domains/dev/disks/vda/iotune", 400, INVALID_ARG,
     .json = "{'readBytesSec':1,'totalBytesSec':1}"},
    {"PATCH", "/domains/dev/disks/nosuch/iotune", 404, INVALID_ARG,
     .json = "{'readBytesSec':1}"},
    {"POST", "/domains/dev/disks/vda/resize", 204, "", .json = "{'size':16777216}"},
    {"GET", "/domains/dev/disks/vda", 200, "{'capacityBytes':16777216}"},
    {"POST", "/domains/dev/disks/%2Fnosuch/resize", 404, INVALID_ARG,
     .json = "{'size':16777216}"},
    {"PUT", "/domains/dev/disks/vda/threshold", 204, "", .json = "{'bytes':4194304}"},
    {"GET", "/domains/dev/stats?groups=block", 200, NULL, .contains = "*4194304*"},
    {"PUT", "/domains/dev/disks/vda%5B${index}%5D/threshold", 204, "",
     .json = "{'bytes':0}"},
    {"PUT", "/domains/dev/disks/nosuch/threshold", 404, INVALID_ARG,
     .json = "{'bytes':1}"},
};

static const struct step peeks[] = {
    {"GET", "/domains/dev/disks/sda/peek?size=8", 200, NULL, .contains = "VIRTGATE",
     .wants = {"Content-Type: application/octet-stream"}},
    {"GET", "/domains/dev/disks/sda/peek?size=4&offset=4", 200, NULL, .contains = "GATE"},
    {"GET", "/domains/dev/disks/%2Fnosuch/peek?size=4", 404, INVALID_ARG},
    {"GET", "/domains/dev/disks/sda/peek?size=4&offset=1048575", 400, INVALID_ARG},
    {"GET", "/domains/dev/disks/vda/peek?size=4", 501, LIBVIRT("OPERATION_UNSUPPORTED")},
    /* the date of the firmware */
    {"GET", "/domains/dev/memory/peek?start=1048565&size=8", 200, NULL,
     .contains = "[0-9][0-9]/[0-9][0-9]/[0-9][0-9]"},
    {"GET", "/domains/dev/memory/peek?start=1048565&size=8&mode=virtual", 200, NULL,
     .wants = {"Content-Type: application/octet-stream"}},
};

static const struct step interfaces[] = {
    {"GET", "/domains/dev/interfaces/vgdevtest0/stats", 200,
     "{'rxBytes':'<int>','txPackets':'<int>','rxDrop':'<int>'}"},
    {"GET", "/domains/dev/interfaces/52:54:00:aa:bb:02/stats", 200, "{}"},
    {"GET", "/domains/dev/interfaces/nosuch/stats", 404, INVALID_ARG},
    {"GET", "/domains/dev/interfaces/vgdevtest0/parameters", 200,
     "{'inbound':{'average':0},'outbound':{'average':0}}"},
    /* of the running one: where the host's kernel can queue as libvirt wants it */
    {"PATCH", "/domains/dev/interfaces/52:54:00:aa:bb:02/parameters?flags=config", 200,
     "{'inbound':{'average':100,'peak':200,'burst':50},'outbound':{'average':0}}",
     .json = "{'inbound':{'average':100,'peak':200,'burst':50}}"},
    {"GET", "/domains/dev/interfaces/52:54:00:aa:bb:02/parameters?flags=live", 200,
     "{'inbound':{'average':0}}"},
    {"PATCH", "/domains/dev/interfaces/nosuch/parameters", 404, INVALID_ARG,
     .json = "{'inbound':{'average':1}}"},
};

/* The host lets go of a SCSI disk by itself; a PCI device waits for a guest, and this one
 * has no operating system, until a reset. */
static const struct step detached[] = {
    {"DELETE", "/domains/dev/devices/ua-nosuch?flags=live", 404, "{'error':{}}"},
    {"DELETE", "/domains/dev/devices/ua-hot?flags=live", 202, "",
     .wants = {"Location: /domains/dev/devices/ua-hot"}},
};
static const struct step hot_is_gone = {"GET", "/domains/dev/devices/ua-hot", 404};
static const struct step waiting[] = {
    {"POST", "/domains/dev/devices?flags=live", 204, "", .xml = HOT("sda", "ua-hot")},
    {"POST", "/domains/dev/devices/detach", 202, "", .xml = HOT("sda", "ua-hot"),
     .wants = {"Location: /domains/dev/devices"}},
    {"DELETE", "/domains/dev/devices/ua-tap", 202, "",
     .wants = {"Location: /domains/dev/devices/ua-tap"}},
    {"GET", "/domains/dev/devices/ua-tap", 200, "{'alias':'ua-tap'}"},
    {"POST", "/domains/dev/reset", 204, ""},
};
static const struct step tap_is_gone = {"GET", "/domains/dev/devices/ua-tap", 404};
static const struct step still_defined[] = {
    {"GET", "/domains/dev/devices/ua-tap?flags=inactive", 200, "{'type':'interface'}"},
    {"DELETE", "/domains/dev/devices/ua-tap?flags=config", 204, ""},
    {"GET", "/domains/dev/interfaces?flags=inactive", 200, "{'interfaces':[]}"},
};

static void test_devices(struct scenario *s)
{
    scenario_run(s, defined, COUNT(defined));
    scenario_run(s, attached, COUNT(attached));
    scenario_put_back(s, "/domains/dev/disks/vda/iotune");
    scenario_put_back(s, "/domains/dev/disks/vda/iotune?flags=config");
    scenario_put_back(s, "/domains/dev/interfaces/vgdevtest0/parameters");
    scenario_run(s, disk, COUNT(disk));
    scenario_run(s, peeks, COUNT(peeks));
    scenario_run(s, interfaces, COUNT(interfaces));
    scenario_run(s, detached, COUNT(detached));
    scenario_until(s, &hot_is_gone, 60);
    scenario_run(s, waiting, COUNT(waiting));
    scenario_until(s, &hot_is_gone, 60);
    scenario_until(s, &tap_is_gone, 60);
    scenario_run(s, still_defined, COUNT(still_defined));
}

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "qemu devices", ARGS("-c", guest_uri()))) {
        char *dir = guest_folder(&s);
        guest_image_raw(dir, "hot.raw", "VIRTGATE", 1 << 20);
        guest_image_raw(dir, "cd.raw", "CD", 1 << 20);
        guest_image_qcow2(dir, "vda.qcow2", NULL, "8M");
        test_devices(&s);
        guests_remove(&s);
        guest_folder_remove(dir);
        scenario_end(&s);
    }
    return checks_report();
}
