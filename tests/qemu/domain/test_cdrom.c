/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/domain/cdrom.c: discs put into a guest's drives and taken out.
 */
#include "tests/qemu/guest.h"

#define DRIVE(target)                                                                    \
    "<disk type='file' device='cdrom'><target dev='" target "' bus='ide'/><readonly/>"   \
    "</disk>"
#define CDROM(name, drives)                                                              \
    "<domain type='qemu'><name>" name "</name>"                                          \
    "<memory unit='MiB'>16</memory><vcpu>1</vcpu>"                                       \
    "<os><type arch='x86_64' machine='pc'>hvm</type></os>"                               \
    "<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>"                          \
    "<controller type='usb' model='none'/><memballoon model='none'/>" drives             \
    "</devices></domain>"
#define DISKS     "/domains/cd/disks"
#define IS(image) "{'disks':[{'target':'hda','source':'~*/" image "'}]}"
#define EMPTY     "{'disks':[{'target':'hda','source':null}]}"

static const struct step rows[] = {
    {"POST", "/domains", 201, NULL, .xml = CDROM("none", "")},
    {"POST", "/domains", 201, NULL, .xml = CDROM("two", DRIVE("hda") DRIVE("hdb"))},
    {"POST", "/domains", 201, NULL, .xml = CDROM("cd", DRIVE("hda"))},
    {"POST", "/storage-pools?transient=true", 201, NULL,
     .json = "{'name':'discs','type':'dir','path':'${dir}'}"},

    {"PUT", "/domains/nosuch/cdrom", 404, LIBVIRT("NO_DOMAIN"),
     .json = "{'volume':null}"},
    {"PUT", "/domains/none/cdrom", 404, GATEWAY("not-found"), .json = "{'volume':null}"},
    {"PUT", "/domains/two/cdrom", 400, GATEWAY("missing-key"), .json = "{'volume':null}",
     .contains = "*target*2 CD-ROM*"},
    {"PUT", "/domains/two/cdrom", 404, GATEWAY("not-found"),
     .json = "{'volume':null,'target':'hdc'}"},
    {"PUT", "/domains/two/cdrom", 204, "",
     .json = "{'source':'${dir}/b.iso','target':'hdb'}"},
    {"GET", "/domains/two/disks", 200,
     "{'disks':[{'target':'hda','source':null},{'target':'hdb','source':'~*/b.iso'}]}"},
    {"PUT", "/domains/cd/cdrom", 400, GATEWAY("missing-key"), .json = "{}"},
    {"PUT", "/domains/cd/cdrom", 400, GATEWAY("invalid-value"), .json = "{'volume':'x'}"},
    {"PUT", "/domains/cd/cdrom", 400, GATEWAY("invalid-value"), .json = "{'volume':7}"},
    {"PUT", "/domains/cd/cdrom", 400, GATEWAY("invalid-value"),
     .json = "{'source':'b.iso'}"},
    {"PUT", "/domains/cd/cdrom", 400, GATEWAY("invalid-value"),
     .json = "{'volume':'discs/a.iso','source':'/b.iso'}"},
    {"PUT", "/domains/cd/cdrom", 404, LIBVIRT("NO_STORAGE_POOL"),
     .json = "{'volume':'nosuch/a.iso'}"},
    {"PUT", "/domains/cd/cdrom", 404, LIBVIRT("NO_STORAGE_VOL"),
     .json = "{'volume':'discs/nosuch.iso'}"},

    /* a definition, then a running guest, then both */
    {"PUT", "/domains/cd/cdrom", 204, "", .json = "{'source':'${dir}/a.iso'}"},
    {"GET", DISKS, 200, IS("a.iso")},
    {"DELETE", "/domains/cd/cdrom", 204, ""},
    {"DELETE", "/domains/cd/cdrom?target=hda", 204, ""},
    {"GET", DISKS, 200, EMPTY},
    {"PUT", "/domains/cd/cdrom", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'volume':'discs/a.iso','flags':['live']}"},
    /* paused: firmware that resets the drive closes its tray, and libvirt is not told */
    {"POST", "/domains/cd/start", 204, "", .json = "{'flags':['paused']}"},
    {"PUT", "/domains/cd/cdrom", 204, "", .json = "{'volume':'discs/a.iso'}"},
    {"GET", DISKS, 200, "{'disks':[{'target':'hda','source':'~*a.iso'}]}"},
    {"GET", DISKS "?flags=inactive", 200, EMPTY},
    {"PUT", "/domains/cd/cdrom", 204, "",
     .json = "{'source':'${dir}/b.iso','force':true,'flags':['live','config']}"},
    {"GET", DISKS, 200, IS("b.iso")},
    {"GET", DISKS "?flags=inactive", 200, IS("b.iso")},
    {"PUT", "/domains/cd/cdrom", 204, "", .json = "{'volume':null,'flags':['live']}"},
    {"GET", DISKS, 200, EMPTY},
    {"GET", DISKS "?flags=inactive", 200, IS("b.iso")},
    {"DELETE", "/domains/cd/cdrom?flags=live,config&force=true", 204, ""},
    {"GET", DISKS "?flags=inactive", 200, EMPTY},
    {"POST", "/storage-pools/discs/destroy", 204, ""},
};

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "qemu discs", ARGS("-c", guest_uri()))) {
        char *dir = guest_folder(&s);
        guest_image_raw(dir, "a.iso", "A", 1 << 20);
        guest_image_raw(dir, "b.iso", "B", 1 << 20);
        scenario_run(&s, rows, COUNT(rows));
        guests_remove(&s);
        guest_folder_remove(dir);
        scenario_end(&s);
    }
    return checks_report();
}
