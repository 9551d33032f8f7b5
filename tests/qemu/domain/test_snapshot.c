/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Snapshots, checkpoints and backups of a real guest with a qcow2 disk.
 */
#include "tests/qemu/guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define DISK_GUEST GUEST_WITH_DISK("d1", "disk.qcow2")
#define CHECKPOINT(name)                                                                 \
    "<domaincheckpoint><name>" name "</name><disks><disk name='vda'/></disks>"           \
    "</domaincheckpoint>"

static const struct step snapshots[] = {
    {"POST", "/domains", 201, NULL, .xml = DISK_GUEST},
    {"POST", "/domains/d1/start", 204, ""},
    {"POST", "/domains/d1/snapshots", 202, "{'id':'$op','domain':{'name':'d1'}}",
     .json = "{'name':'s1'}", .headers = {"Prefer: respond-async"}},
    {"GET", "/operations/${op}?wait=60", 200,
     "{'state':'succeeded','status':201,'result':{'name':'s1','state':'running'}}"},
    {"POST", "/domains/d1/snapshots", 409, NULL, .json = "{'name':'s1'}"},
    {"POST", "/domains/d1/suspend", 204, ""},
    {"POST", "/domains/d1/snapshots/s1/revert", 204, ""},
    {"GET", "/domains/d1/state", 200, "{'state':'running'}"},
    {"GET", "/domains/d1/snapshots?flags=internal,active", 200,
     "{'hasCurrent':true,'snapshots':[{'name':'s1','current':true,'hasMetadata':true}]}"},
    {"DELETE", "/domains/d1/snapshots/s1", 204, ""},
    {"GET", "/domains/d1/snapshots/s1", 404, LIBVIRT("NO_DOMAIN_SNAPSHOT")},
};

static const struct step backup[] = {
    {"POST", "/domains/d1/checkpoints", 201, "{'name':'c1','parent':null}",
     .xml = CHECKPOINT("c1"), .wants = {"Location: /domains/d1/checkpoints/c1"}},
    {"GET", "/domains/d1/checkpoints/c1/xml?flags=no-domain,size", 200, NULL,
     .contains = "*<disk name='vda' *"},
    {"GET", "/domains/d1/backup", 404, "{'type':'~urn:libvirt:error:*'}"},
    {"POST", "/domains/d1/backup", 202,
     "{'id':'$backup','kind':'beginBackup','state':'running','job':'/domains/d1/job',"
     "'cancellable':true}",
     .json =
         "{'backup':'<domainbackup mode=\\u0027pull\\u0027><incremental>c1</incremental>"
         "<server transport=\\u0027unix\\u0027 socket=\\u0027${dir}/nbd\\u0027/><disks>"
         "<disk name=\\u0027vda\\u0027 type=\\u0027file\\u0027><scratch "
         "file=\\u0027${dir}/scratch\\u0027/></disk></disks></domainbackup>',"
         "'checkpoint':'<domaincheckpoint><name>c2</name></domaincheckpoint>'}",
     .wants = {"Location: /operations/*"}},
    {"GET", "/operations/${backup}", 200,
     "{'state':'running','progress':{'type':'unbounded','operation':'backup'}}"},
    {"GET", "/domains/d1/backup", 200, NULL, .contains = "<domainbackup mode='pull'*"},
    {"GET", "/domains/d1/job", 200, "{'type':'unbounded','operation':'backup'}"},
    {"DELETE", "/domains/d1/job", 204, ""},
    /* libvirt calls that the good end of a backup in pull mode */
    {"GET", "/operations/${backup}?wait=60", 200,
     "{'state':'succeeded','status':200,'cancelRequested':false}"},
};
static const struct step no_job = {"GET", "/domains/d1/job", 200, "{'type':'none'}"};

static const struct step checkpoints[] = {
    {"GET", "/domains/d1/checkpoints?tree=true", 200,
     "{'checkpoints':[{'name':'c1','children':[{'name':'c2','children':[]}]}]}"},
    {"GET", "/domains/d1/checkpoints/c2", 200, "{'parent':'c1'}"},
    {"GET", "/domains/d1/checkpoints/c2/parent", 200, "{'name':'c1'}"},
    {"GET", "/domains/d1/checkpoints/c1/children", 200,
     "{'checkpoints':[{'name':'c2'}]}"},
    {"POST", "/domains/d1/checkpoints", 409, NULL, .xml = CHECKPOINT("c1")},
    {"DELETE", "/domains/d1/checkpoints/c1?flags=children", 204, ""},
    {"GET", "/domains/d1/checkpoints", 200, "{'checkpoints':[]}"},
    {"GET", "/domains/d1/events?event=checkpoint-change&last=5&wait=0", 200,
     "{'events':[{'type':'created','checkpoint':'c1','object':'domain',"
     "'domain':{'name':'d1'}},{'type':'created','checkpoint':'c2'},"
     "{'type':'deleted','checkpoint':'c1'}]}"},
    {"POST", "/domains/d1/destroy", 204, ""},
    {"POST", "/domains/d1/checkpoints", 409, NULL, .xml = CHECKPOINT("c3")},
};

int main(void)
{
    char dir[] = "/tmp/vg-snap-XXXXXX", disk[64];
    struct scenario s;

    const char *const args[] = {"--connect", guest_uri(), NULL};
    if (!mkdtemp(dir) || chmod(dir, 0777) < 0)
        return 1;
    snprintf(disk, sizeof(disk), "%s/disk.qcow2", dir);
    run_program(ARGS("qemu-img", "create", "-q", "-f", "qcow2", disk, "8M"));
    chmod(disk, 0666);
    if (scenario_begin(&s, "snapshots", args)) {
        json_object_set_new(s.captures, "dir", json_string(dir));
        scenario_run(&s, snapshots, COUNT(snapshots));
        scenario_run(&s, backup, COUNT(backup));
        scenario_until(&s, &no_job, 60);
        scenario_run(&s, checkpoints, COUNT(checkpoints));
        guests_remove(&s);
        scenario_end(&s);
    }
    run_program(ARGS("rm", "-r", dir));
    return checks_report();
}
