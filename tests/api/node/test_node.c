/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/node/node.c, numa.c, cpu.c and what hosts offer: the machine, its memory and
 * CPUs. What the test driver lacks, tests/qemu/node/test_node.c sees.
 */
#include "tests/harness/steps.h"

static const struct step machine[] = {
    {"GET", "/node", 200,
     "{'model':'i686','memoryKiB':3145728,'cpus':16,'mhz':1400,'nodes':2,'sockets':2,"
     "'cores':2,'threads':2}"},
    {"GET", "/node/cpu-map", 200, "{'cpus':8,'online':[0,2,4]}"},
    {"GET", "/node/cpu-stats", 200,
     "{'userNs':9797400000,'kernelNs':34678723400000,'idleNs':87264900000,"
     "'iowaitNs':763600000}"},
    {"GET", "/node/cpu-stats?cpu=1", 200, "{'userNs':'<int>'}"},
    {"GET", "/node/cpu-stats?cpu=-1", 400, GATEWAY("invalid-value")},
    {"GET", "/node/cpu-stats?cpu=x", 400, GATEWAY("invalid-value")},
    {"GET", "/node/memory", 200, "{'freeBytes':3145728}"},
    {"GET", "/node/memory/stats", 501, LIBVIRT("NO_SUPPORT")},
    {"GET", "/node/memory/parameters", 501, LIBVIRT("NO_SUPPORT")},
    {"PATCH", "/node/memory/parameters", 501, LIBVIRT("NO_SUPPORT"),
     .json = "{'shmPagesToScan':100}"},
    {"GET", "/node/cells/free-memory", 200,
     "{'cells':[{'cell':0,'freeBytes':2097152},{'cell':1,'freeBytes':4194304}]}"},
    {"GET", "/node/cells/free-memory?start=1&max=1", 200,
     "{'cells':[{'cell':1,'freeBytes':4194304}]}"},
    {"GET", "/node/cells/free-memory?start=2", 400, LIBVIRT("INVALID_ARG")},
    {"GET", "/node/pages", 200, "{'cells':'<array>'}"},
    {"GET", "/node/pages?sizeKiB=4&startCell=0&cellCount=1", 200, "{'cells':'<array>'}"},
    {"GET", "/node/pages?size=4", 400, GATEWAY("unknown-key"),
     .contains = "*accepted: sizeKiB, startCell, cellCount*"},
    {"POST", "/node/pages", 501, LIBVIRT("NO_SUPPORT"),
     .json = "{'pages':[{'sizeKiB':2048,'count':1}]}"},
    {"POST", "/node/pages", 400, GATEWAY("missing-key"), .json = "{}"},
    {"POST", "/node/pages", 400, GATEWAY("invalid-value"), .json = "{'pages':[]}"},
    {"POST", "/node/pages", 400, GATEWAY("invalid-value"), .json = "{'pages':4}"},
    {"POST", "/node/pages", 400, GATEWAY("missing-key"),
     .json = "{'pages':[{'sizeKiB':2048}]}", .contains = "*pages/0*count*"},
    {"POST", "/node/pages", 400, GATEWAY("unknown-value"),
     .json = "{'pages':[{'sizeKiB':2048,'count':1}],'mode':'take'}",
     .contains = "*add, set*"},
    {"GET", "/node/sysinfo", 200, NULL, .wants = {"Content-Type: application/xml*"},
     .contains = "<sysinfo type='smbios'>*"},
    {"GET", "/node/sysinfo", 200, "{'sysinfo':{'@type':'smbios'}}",
     .headers = {"Accept: application/json"}},
    {"GET", "/node/security-model", 200, "{'model':'testSecurity','doi':''}"},
    {"GET", "/node/sev", 501, LIBVIRT("NO_SUPPORT")},
    {"POST", "/node/suspend", 501, LIBVIRT("NO_SUPPORT"),
     .json = "{'target':'mem','durationSeconds':60}"},
    {"POST", "/node/suspend", 400, GATEWAY("missing-key"), .json = "{'target':'mem'}"},
    {"POST", "/node/suspend", 400, GATEWAY("unknown-value"),
     .json = "{'target':'ram','durationSeconds':60}", .contains = "*mem, disk, hybrid*"},
    {"GET", "/node?fields=cpus", 400, GATEWAY("unknown-key")},
    {"DELETE", "/node", 405, NULL, .wants = {"Allow: *GET*"}},
};

#define PENTIUM3 "{'arch':'i686','model':'pentium3'}"
#define QEMU32   "'<cpu><arch>i686</arch><model>qemu32</model></cpu>'"

static const struct step offers[] = {
    {"GET", "/connection/cpu/models", 200, "{'models':['...','pentium3','...']}"},
    {"GET", "/connection/cpu/models?arch=ppc64", 200,
     "{'models':['...','POWER8','...']}"},
    {"GET", "/connection/cpu/models?arch=vax", 400, LIBVIRT("INVALID_ARG")},
    {"GET", "/connection/max-vcpus", 200, "{'maxVcpus':'<int>'}"},
    {"GET", "/connection/max-vcpus?type=test", 200, "{'maxVcpus':'<int>'}"},
    {"POST", "/connection/cpu/baseline", 200, NULL,
     .json = "{'cpus':[" PENTIUM3 "," QEMU32 "]}", .contains = "<cpu *<model*",
     .wants = {"Content-Type: application/xml*"}},
    {"POST", "/connection/cpu/baseline", 200, "{'cpu':{'model':{'#text':'pentium3'}}}",
     .json = "{'cpus':[{'cpu':" PENTIUM3 "}],'flags':['expand-features']}",
     .headers = {"Accept: application/json"}},
    {"POST", "/connection/cpu/baseline", 400, GATEWAY("missing-key"), .json = "{}"},
    {"POST", "/connection/cpu/baseline", 400, GATEWAY("invalid-value"),
     .json = "{'cpus':[]}"},
    {"POST", "/connection/cpu/baseline", 400, GATEWAY("invalid-value"),
     .json = "{'cpus':[3]}", .contains = "*cpus/0*"},
    {"POST", "/connection/cpu/baseline", 400, GATEWAY("unknown-flag"),
     .json = "{'cpus':[" PENTIUM3 "],'flags':['x']}",
     .contains = "*expand-features, migratable*"},
    {"POST", "/connection/cpu/baseline", 422, LIBVIRT("XML_ERROR"),
     .json = "{'cpus':['<cpu><model>pentium3</model></cpu>']}"},
    {"POST", "/connection/cpu/baseline", 422, NULL,
     .json = "{'cpus':['<!DOCTYPE x><cpu/>']}"},
    {"POST", "/connection/cpu/baseline", 501, LIBVIRT("NO_SUPPORT"),
     .json = "{'cpus':[" PENTIUM3 "],'virttype':'qemu'}"},
    {"POST", "/connection/cpu/compare", 501, LIBVIRT("NO_SUPPORT"),
     .json = "{'cpu':" PENTIUM3 "}"},
    {"POST", "/connection/cpu/compare", 501, LIBVIRT("NO_SUPPORT"),
     .xml = "<cpu><arch>i686</arch><model>qemu32</model></cpu>"},
    {"POST", "/connection/cpu/compare", 400, GATEWAY("invalid-value"),
     .json = "{'cpu':['x']}"},
    {"POST", "/connection/cpu/compare", 400, GATEWAY("missing-key"), .json = "{}"},
    {"POST", "/connection/cpu/compare", 400, GATEWAY("invalid-value"),
     .json = "{'cpu':" PENTIUM3 ",'emulator':'/bin/sh'}"},
    {"GET", "/connection/storage-pool-capabilities", 501, LIBVIRT("NO_SUPPORT")},
};

/* The test driver finds what it says, of two types. */
static const struct step sources[] = {
    {"POST", "/connection/storage-pool-sources", 200,
     "{'sources':[{'name':['testvg1'],'format':{'@type':'lvm2'}},'...']}",
     .json = "{'type':'logical'}"},
    {"POST", "/connection/storage-pool-sources", 200,
     "{'sources':[{'host':[{'@name':'localhost'}],'dir':{'@path':'/testshare'}}]}",
     .json = "{'type':'netfs','source':{'host':{'@name':'localhost'}}}"},
    {"POST", "/connection/storage-pool-sources", 200, "{'sources':[{'dir':'<any>'}]}",
     .json = "{'type':'netfs','source':'<source><host name=\\'localhost\\'/></source>'}"},
    {"POST", "/connection/storage-pool-sources", 202, "{'id':'$search'}",
     .json = "{'type':'logical'}", .headers = {"Prefer: respond-async"}},
    {"GET", "/operations/${search}?wait=20", 200,
     "{'state':'succeeded','result':{'sources':['...']}}"},
    {"POST", "/connection/storage-pool-sources", 501, NULL, .json = "{'type':'dir'}"},
    {"POST", "/connection/storage-pool-sources", 501, LIBVIRT("NO_SUPPORT"),
     .json = "{'type':'zfs'}"},
    {"POST", "/connection/storage-pool-sources", 400, GATEWAY("unknown-value"),
     .json = "{'type':'floppy'}"},
    {"POST", "/connection/storage-pool-sources", 400, GATEWAY("unknown-value"),
     .json = "{'type':'active'}"},
    {"POST", "/connection/storage-pool-sources", 400, GATEWAY("missing-key"),
     .json = "{}"},
    {"POST", "/connection/storage-pool-sources", 400, NULL,
     .json = "{'type':'netfs','source':'<source'}"},
    /* libvirt's test driver dies of a source without a server */
    {"POST", "/connection/storage-pool-sources", 400, GATEWAY("invalid-value"),
     .json = "{'type':'netfs','source':{}}"},
    {"POST", "/connection/storage-pool-sources", 400, GATEWAY("invalid-value"),
     .json = "{'type':'netfs','source':{'dir':{'@path':'/a'}}}"},
    {"POST", "/connection/storage-pool-sources", 400, GATEWAY("invalid-value"),
     .json = "{'type':'netfs','source':{'host':{'@xmlns':'urn:a','@name':'a'}}}"},
    {"POST", "/connection/storage-pool-sources", 400, GATEWAY("invalid-value"),
     .json = "{'type':'netfs','source':"
             "'<source><p:host xmlns:p=\\'urn:a\\' name=\\'a\\'/></source>'}"},
    {"POST", "/connection/storage-pool-sources", 400, NULL, .json = "{'type':'netfs'}"},
};

int main(void)
{
    struct scenario s;

    if (!scenario_begin(&s, "node", ARGS("-c", "test:///default")))
        return 1;
    scenario_run(&s, machine, COUNT(machine));
    scenario_run(&s, offers, COUNT(offers));
    scenario_run(&s, sources, COUNT(sources));
    scenario_end(&s);
    return checks_report();
}
