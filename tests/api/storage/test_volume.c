/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/storage/volume.c and new_volume.c, as far as the test driver goes; what needs
 * real files is in tests/qemu/storage/.
 */
#include "tests/harness/steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define VOLUMES "/storage-pools/default-pool/volumes"
#define GIB     "1073741824"

static const struct step create[] = {
    {"GET", VOLUMES, 200, "{'volumes':[],'next':'<absent>'}",
     .wants = {"X-Virtgate-Source: libvirt"}},
    {"POST", VOLUMES, 201,
     "{'name':'a.qcow2','key':'/default-pool/a.qcow2','path':'/default-pool/a.qcow2',"
     "'type':'file','capacityBytes':" GIB ",'allocationBytes':'<int>','format':'qcow2',"
     "'backingStore':'<absent>','pool':'default-pool','usedBy':'<absent>'}",
     .json = "{'name':'a.qcow2','capacityGiB':1,'format':'qcow2'}",
     .wants = {"Location: " VOLUMES "/a.qcow2"}},
    {"POST", VOLUMES, 201,
     "{'name':'b','capacityBytes':10485760,'format':'raw','permissions':"
     "{'mode':'0640','owner':107,'group':108}}",
     .json = "{'name':'b','capacityMiB':10,'allocationKiB':0,"
             "'permissions':{'mode':'0640','owner':107,'group':108}}"},
    {"POST", VOLUMES, 201,
     "{'name':'o','capacityBytes':" GIB ",'format':'qcow2',"
     "'backingStore':{'path':'/default-pool/a.qcow2','format':'qcow2'}}",
     .json = "{'name':'o','backing':'a.qcow2'}"},
    {"POST", VOLUMES "?dryRun=true", 200, NULL,
     .json = "{'name':'x','backing':'default-pool/b','capacityBytes':20}",
     .contains = "*>20</capacity>*qcow2*<path>/default-pool/b</path>*raw*"},
    {"POST", VOLUMES, 201, "{'name':'c','capacityBytes':" GIB ",'format':'qcow2'}",
     .json = "{'name':'c','clone':'default-pool/a.qcow2'}"},
    {"POST", VOLUMES, 202, "{'kind':'createVolume'}",
     .json = "{'name':'later','clone':'default-pool/a.qcow2'}",
     .headers = {"Prefer: respond-async"}, .wants = {"Location: /operations/*"}},
    {"POST", VOLUMES "?clone=default-pool/b", 201, "{'name':'d'}",
     .xml = "<volume><name>d</name><capacity unit='MiB'>10</capacity></volume>"},
    {"POST", VOLUMES, 201, "{'name':'e'}",
     .json = "{'volume':{'name':'e','capacity':{'@unit':'MiB','#text':'1'}}}"},
    {"POST", VOLUMES "?name=f&capacityKiB=4", 201, "{'name':'f','capacityBytes':4096}"},
    {"POST", VOLUMES, 409, NULL, .json = "{'name':'a.qcow2','capacityGiB':1}"},
    {"POST", VOLUMES, 412, GATEWAY("precondition-failed"),
     .json = "{'name':'a.qcow2','capacityGiB':1}", .headers = {"If-None-Match: *"}},
    /* what is none */
    {"POST", VOLUMES, 400, GATEWAY("missing-key"), .json = "{'name':'x'}",
     .contains = "*capacityGiB*"},
    {"POST", VOLUMES, 400, GATEWAY("missing-key"), .json = "{'capacityGiB':1}",
     .contains = "*name*"},
    {"POST", VOLUMES, 400, GATEWAY("invalid-value"),
     .json = "{'name':'x','capacityGiB':1,'capacityMiB':1}"},
    {"POST", VOLUMES, 400, GATEWAY("invalid-value"),
     .json = "{'name':'x','capacityGiB':-1}"},
    {"POST", VOLUMES, 400, GATEWAY("invalid-value"),
     .json = "{'name':'x','capacityGiB':8589934592}"},
    {"POST", VOLUMES, 400, GATEWAY("invalid-value"),
     .json = "{'name':'x','capacityGiB':1,'permissions':{'mode':'rw'}}",
     .contains = "*0640*"},
    {"POST", VOLUMES, 400, GATEWAY("invalid-value"),
     .json = "{'name':'x','clone':'a.qcow2'}", .contains = "*POOL/VOLUME*"},
    {"POST", VOLUMES, 404, LIBVIRT("NO_STORAGE_VOL"),
     .json = "{'name':'x','clone':'default-pool/nosuch'}"},
    {"POST", VOLUMES, 404, LIBVIRT("NO_STORAGE_POOL"),
     .json = "{'name':'x','clone':'nosuch/a.qcow2'}"},
    {"POST", VOLUMES, 404, LIBVIRT("NO_STORAGE_VOL"),
     .json = "{'name':'x','backing':'nosuch'}"},
    {"POST", VOLUMES, 403, GATEWAY("local-path"),
     .json = "{'name':'x','capacityGiB':1,'backing':'/etc/passwd'}"},
    {"POST", VOLUMES, 403, GATEWAY("local-path"),
     .xml = "<volume><name>x</name><capacity>1</capacity><backingStore><path>/etc/passwd"
            "</path></backingStore></volume>"},
    {"POST", VOLUMES, 400, GATEWAY("missing-key"),
     .json = "{'name':'x','capacityGiB':1,'backing':'${dir}/image'}",
     .contains = "*backingFormat*"},
    {"POST", VOLUMES "?dryRun=true", 200, NULL,
     .json = "{'name':'x','capacityGiB':1,'backing':'${dir}/image',"
             "'backingFormat':'vmdk'}",
     .contains = "*vmdk*"},
    {"POST", "/storage-pools/nosuch/volumes", 404, LIBVIRT("NO_STORAGE_POOL"),
     .json = "{'name':'x','capacityGiB':1}"},
};

static const struct step show[] = {
    {"GET", VOLUMES, 200,
     "{'volumes':[{'name':'a.qcow2','key':'/default-pool/a.qcow2','path':'<absent>'},"
     "{'name':'b'},{'name':'c'},{'name':'d'},{'name':'e'},{'name':'f'},"
     "{'name':'later'},{'name':'o'}]}"},
    {"GET", VOLUMES "?view=full&name=a*", 200,
     "{'volumes':[{'name':'a.qcow2','path':'/default-pool/a.qcow2','type':'file',"
     "'capacityBytes':" GIB ",'allocationBytes':'<int>','format':'<absent>'}]}"},
    {"GET", VOLUMES "?fields=format,backingStore&name=o", 200,
     "{'volumes':[{'name':'<absent>','format':'qcow2','backingStore':"
     "{'path':'/default-pool/a.qcow2','format':'qcow2'}}]}"},
    {"GET", VOLUMES "?limit=2", 200,
     "{'volumes':[{'name':'a.qcow2'},{'name':'b'}],'next':'b'}",
     .wants = {"Link: <" VOLUMES "?*after=b*>; rel=\"next\""}},
    {"GET", VOLUMES "?limit=9&after=f", 200,
     "{'volumes':[{'name':'later'},{'name':'o'}],'next':'<absent>'}"},
    {"GET", VOLUMES "?refresh=true&name=a*", 200, "{'volumes':[{'name':'a.qcow2'}]}"},
    {"GET", VOLUMES "?fields=size", 400, GATEWAY("unknown-flag"),
     .contains = "*capacityBytes*"},
    {"GET", VOLUMES "/a.qcow2", 200, "{'name':'a.qcow2','pool':'default-pool'}"},
    {"GET", VOLUMES "/a.qcow2?view=full", 200, "{'name':'a.qcow2','usedBy':[]}"},
    {"GET", VOLUMES "/a.qcow2?fields=key", 200, "{'key':'<string>','name':'<absent>'}"},
    {"GET", VOLUMES "/a.qcow2?view=config", 200, "{'volume':{'name':'a.qcow2'}}"},
    {"GET", VOLUMES "/a.qcow2/xml", 200, NULL,
     .wants = {"Content-Type: application/xml*"}, .contains = "<volume*a.qcow2*"},
    {"GET", VOLUMES "/nosuch", 404, LIBVIRT("NO_STORAGE_VOL")},
    {"GET", "/storage-pools/nosuch/volumes/a", 404, LIBVIRT("NO_STORAGE_POOL")},
    {"GET", "/volumes?path=/default-pool/b", 200, "{'name':'b','pool':'default-pool'}"},
    {"GET", "/volumes?key=/default-pool/b", 200, "{'name':'b','pool':'default-pool'}"},
    {"GET", "/volumes?key=nosuch", 404, LIBVIRT("NO_STORAGE_VOL")},
    {"GET", "/volumes?path=/nosuch", 404, LIBVIRT("NO_STORAGE_VOL")},
    {"GET", "/volumes", 400, GATEWAY("missing-key")},
    {"GET", "/volumes?key=a&path=b", 400, GATEWAY("invalid-value")},
};

static const struct step change[] = {
    {"PATCH", VOLUMES "/b", 200, "{'name':'b','capacityBytes':10485760}",
     .json = "{'capacityMiB':10}"},
    {"PATCH", VOLUMES "/b", 400, GATEWAY("invalid-value"), .json = "{'capacityMiB':9}",
     .contains = "*shrink*"},
    {"POST", VOLUMES "/b/resize", 204, "", .json = "{'capacityBytes':10485760}"},
    {"POST", VOLUMES "/b/resize", 501, LIBVIRT("NO_SUPPORT"),
     .json = "{'capacityGiB':1}"},
    {"POST", VOLUMES "/b/resize", 400, GATEWAY("missing-key"), .json = "{'shrink':true}"},
    {"POST", VOLUMES "/b/content/zero", 501, LIBVIRT("NO_SUPPORT")},
    {"POST", VOLUMES "/b/content/zero", 413, GATEWAY("beyond-capacity"),
     .json = "{'offset':1,'length':1099511627776}", .contains = "*volume has*"},
    {"PUT", VOLUMES "/b/content", 415, GATEWAY("unsupported-media-type"), .json = "{}",
     .contains = "*octet-stream*"},
    {"PUT", VOLUMES "/b/content", 400, GATEWAY("invalid-value"),
     .headers = {"Content-Range: bytes 3-2/4"}, .contains = "*FIRST-LAST/TOTAL*"},
    {"PUT", VOLUMES "/b/content?nosuch=1", 400, GATEWAY("unknown-key"),
     .contains = "*grow*force*"},
    {"PUT", VOLUMES "/nosuch/content", 404, LIBVIRT("NO_STORAGE_VOL")},
    {"POST", VOLUMES "/b/wipe", 501, LIBVIRT("NO_SUPPORT")},
    {"POST", VOLUMES "/b/wipe?algorithm=nosuch", 400, GATEWAY("unknown-value"),
     .contains = "*gutmann*"},
    {"POST", VOLUMES "/nosuch/wipe", 404, LIBVIRT("NO_STORAGE_VOL")},
    {"DELETE", VOLUMES "/b?flags=nosuch", 400, GATEWAY("unknown-flag"),
     .contains = "*zeroed*"},
    {"DELETE", VOLUMES "/b", 204, ""},
    {"DELETE", VOLUMES "/b", 404, LIBVIRT("NO_STORAGE_VOL")},
    {"GET", VOLUMES "?name=b", 200, "{'volumes':[]}"},
};

/* Guests by a volume's path, by pool and volume, through a backing store. */
static const struct step use[] = {
    {"POST", "/domains", 201, "{'uuid':'$user'}",
     .xml = "<domain type='test'><name>user</name><memory>65536</memory>"
            "<os><type>hvm</type></os><devices>"
            "<disk type='file'><source file='/default-pool/a.qcow2'/>"
            "<target dev='vda'/></disk>"
            "<disk type='volume'><source pool='default-pool' volume='c'/>"
            "<target dev='vdb'/></disk></devices></domain>"},
    {"GET", VOLUMES "/a.qcow2?fields=usedBy", 200,
     "{'usedBy':[{'name':'user','uuid':'${user}','devices':['vda']}]}"},
    {"GET", VOLUMES "/c?view=full", 200,
     "{'usedBy':[{'name':'user','devices':['vdb']}]}"},
    {"GET", VOLUMES "/d?view=full", 200, "{'usedBy':[]}"},
    {"GET", "/storage-pools/default-pool?view=full", 200,
     "{'usedBy':[{'name':'user','devices':['vda','vdb']}]}"},
    {"GET", "/storage-pools/default-pool", 200, "{'usedBy':'<absent>'}"},
    {"DELETE", "/domains/user", 204, ""},
};

int main(void)
{
    char dir[] = "/tmp/vg-volume-XXXXXX";
    struct scenario s;

    if (!mkdtemp(dir))
        return checks_report();
    if (scenario_begin(&s, "volume", ARGS("-c", "test:///default", "--local-dir", dir))) {
        static const struct step later = {"GET", VOLUMES "/later", 200, NULL};
        json_object_set_new(s.captures, "dir", json_string(dir));
        scenario_run(&s, create, COUNT(create));
        scenario_until(&s, &later, 10);
        scenario_run(&s, show, COUNT(show));
        scenario_run(&s, change, COUNT(change));
        scenario_run(&s, use, COUNT(use));
        scenario_end(&s);
    }
    run_program(ARGS("rm", "-r", dir));
    return checks_report();
}
