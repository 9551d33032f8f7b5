/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Long work on real guests: save, restore, dump, managed save; migration between two
 * libvirtds, slow enough to be looked at and cancelled; the lane's limit; stopping.
 */
#include "tests/qemu/guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INVALID LIBVIRT("OPERATION_INVALID")
#define ASYNC   "Prefer: respond-async"

/* 60 MiB that do not compress away: at 1 MiB a second, time enough to do things. */
#define HEAVY_GUEST(name)                                                                \
    "<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"       \
    "<name>" name "</name><memory unit='MiB'>96</memory><vcpu>1</vcpu>"                  \
    "<os><type arch='x86_64' machine='pc'>hvm</type></os>"                               \
    "<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>"                          \
    "<controller type='usb' model='none'/><memballoon model='none'/></devices>"          \
    "<qemu:commandline><qemu:arg value='-device'/><qemu:arg value='loader,"              \
    "file=${dir}/random,addr=0x1000000,force-raw=on'/></qemu:commandline></domain>"

static const struct step save[] = {
    {"POST", "/domains", 201, "{'uuid':'$uuid'}", .xml = GUEST("s1")},
    {"POST", "/domains/s1/save", 409, INVALID, .json = "{'file':'${dir}/image'}"},
    {"POST", "/domains/s1/start", 204, ""},
    {"GET", "/domains/s1/job", 200, "{'type':'none','operation':'<absent>'}"},
    {"DELETE", "/domains/s1/job", 409, INVALID},
    {"POST", "/domains/s1/save", 202,
     "{'kind':'saveDomain','id':'$op','domain':{'name':'s1','uuid':'$uuid'}}",
     .json = "{'file':'${dir}/image','flags':['paused']}", .headers = {ASYNC},
     .wants = {"Location: /operations/*", "Preference-Applied: respond-async"}},
    {"GET", "/operations/${op}?wait=60", 200, "{'state':'succeeded','status':204}"},
    {"GET", "/domains/s1/state", 200, "{'state':'shutoff','stateReason':'saved'}"},
    {"GET", "/save-images/xml?file=${dir}/image", 200, NULL,
     .contains = "<domain *<name>s1</name>*"},
    {"PUT", "/save-images/xml?file=${dir}/image", 204, "",
     .xml = GUEST_WITH("s1", "<uuid>${uuid}</uuid><title>changed</title>")},
    {"POST", "/save-images/restore", 204, "", .json = "{'file':'${dir}/image'}"},
    {"GET", "/operations?kind=restoreSaveImage&domain=s1", 200,
     "{'operations':[{'state':'succeeded','domain':{'name':'s1','uuid':'${uuid}'},"
     "'cancellable':false}]}"},
    {"GET", "/domains/s1", 200,
     "{'state':'paused','stateReason':'<string>','title':'changed'}"},
    {"POST", "/save-images/restore", 409, NULL, .json = "{'file':'${dir}/image'}"},
    {"POST", "/save-images/restore", 404, LIBVIRT("SYSTEM_ERROR"),
     .json = "{'file':'${dir}/none'}"},
    {"POST", "/save-images/restore", 404, LIBVIRT("SYSTEM_ERROR"),
     .json = "{'file':'${dir}/none'}", .headers = {ASYNC}},
    {"POST", "/domains/s1/save", 404, LIBVIRT("SYSTEM_ERROR"),
     .json = "{'file':'${dir}/none/image'}"},
    {"GET", "/domains/s1/state", 200, "{'state':'paused'}"},
    {"POST", "/domains/s1/dump", 204, "",
     .json = "{'to':'${dir}/core','format':'raw','flags':['memory-only','live']}"},
    {"GET", "/domains/s1/job?flags=completed", 200,
     "{'type':'completed','operation':'<string>','percent':100,'dataTotal':'<int>'}"},
    {"GET", "/domains/s1/job?flags=completed", 200, "{'type':'completed'}"},
    {"POST", "/domains/s1/resume", 204, ""},
    {"GET", "/domains/s1/managed-save", 200, "{'exists':false}"},
    {"GET", "/domains/s1/managed-save/xml", 404, INVALID},
    {"POST", "/domains/s1/managed-save", 204, ""},
    {"GET", "/domains/s1/managed-save", 200, "{'exists':true}"},
    {"GET", "/domains/s1/managed-save/xml", 200, NULL,
     .contains = "<domain *<name>s1</name>*",
     .wants = {"Content-Type: application/xml*"}},
    {"PUT", "/domains/s1/managed-save/xml", 204, "",
     .xml = GUEST_WITH("s1", "<uuid>${uuid}</uuid><title>twice</title>")},
    {"GET", "/domains/s1/managed-save/xml?flags=secure", 200, NULL,
     .contains = "*<title>twice</title>*"},
    {"POST", "/domains/s1/start", 204, ""},
    {"GET", "/domains/s1", 200, "{'managedSave':false,'title':'twice'}"},
    {"POST", "/domains/s1/managed-save", 204, ""},
    {"DELETE", "/domains/s1/managed-save", 204, ""},
    {"DELETE", "/domains/s1/managed-save", 404, LIBVIRT("SYSTEM_ERROR")},
    {"POST", "/domains/s1/migration/postcopy", 409, INVALID},
    {"GET", "/domains/s1/migration", 200, "{'maxSpeedMiBps':'<int>'}"},
    {"DELETE", "/domains/s1", 204, ""},
};

#define MIGRATE                                                                          \
    "{'destinationHost':'b','flags':['live'],'params':{'migrateUri':'unix://${dir}/m'}}"

static const struct step slow[] = {
    {"POST", "/domains", 201, "{'uuid':'$uuid'}", .xml = HEAVY_GUEST("m1")},
    {"POST", "/domains/m1/migrate", 409, INVALID, .json = MIGRATE},
    {"POST", "/domains/m1/start", 204, ""},
    {"PATCH", "/domains/m1/migration", 200, "{'maxSpeedMiBps':1,'maxDowntimeMs':'<int>'}",
     .json = "{'maxSpeedMiBps':1}"},
    {"POST", "/domains/m1/migrate", 202, "{'id':'$op','state':'running'}",
     .json = MIGRATE, .headers = {"Prefer: wait=1"},
     .wants = {"Preference-Applied: wait=1"}},
};

static const struct step at_work = {
    "GET", "/domains/m1/job", 200,
    "{'operation':'migration-out','percent':'<int>','memoryTotal':'<int>'}"};

static const struct step watched[] = {
    {"GET", "/operations/${op}?wait=1", 200,
     "{'state':'running','cancellable':true,'endedAt':null,'status':'<absent>',"
     "'progress':{'type':'unbounded','operation':'migration-out','percent':'<int>',"
     "'memoryTotal':'<int>','timeElapsed':'<int>'}}"},
    {"GET", "/operations?state=running", 200, "{'operations':[{'id':'$op'}]}"},
    {"PATCH", "/domains/m1/migration", 200, "{'maxDowntimeMs':700}",
     .json = "{'maxDowntimeMs':700}"},
    {"POST", "/domains/m1/migration/postcopy", 409, INVALID},
    /* the lane has one thread: the next waits, and is cancelled before it begins */
    {"POST", "/domains", 201, NULL, .xml = GUEST("s2")},
    {"POST", "/domains/s2/managed-save", 202, "{'id':'$next','state':'pending'}",
     .headers = {ASYNC}},
    {"DELETE", "/operations/${next}", 202, "{'cancelRequested':true,'state':'pending'}"},
    {"DELETE", "/operations/${op}", 202, "{'cancelRequested':true}",
     .wants = {"Location: /operations/${op}"}},
    {"GET", "/operations/${op}?wait=60", 200,
     "{'state':'cancelled','status':409,'cancellable':false,"
     "'error':{'type':'urn:libvirt:error:VIR_ERR_OPERATION_ABORTED'}}"},
    {"GET", "/operations/${next}?wait=60", 200,
     "{'state':'cancelled','startedAt':null,'error':{'type':'~*conflict'}}"},
    {"GET", "/domains/m1/state", 200, "{'state':'running'}"},
    {"GET", "/hosts/b/domains", 200, "{'domains':[]}"},
    /* by the domain's job instead */
    {"POST", "/domains/m1/migrate", 202, "{'id':'$second'}", .json = MIGRATE,
     .headers = {ASYNC}},
};

static const struct step aborted[] = {
    {"DELETE", "/domains/m1/job", 204, ""},
    {"GET", "/operations/${second}?wait=60", 200,
     "{'state':'cancelled','cancelRequested':false}"},
    {"DELETE", "/domains/s2", 204, ""},
    {"POST", "/domains/m1/migrate", 202, "{'id':'$third'}",
     .json = "{'destinationHost':'b','flags':['live','postcopy'],"
             "'params':{'migrateUri':'unix://${dir}/m'}}",
     .headers = {ASYNC}},
};

static const struct step postcopy[] = {
    {"POST", "/domains/m1/migration/postcopy", 204, ""},
    {"GET", "/operations/${third}?wait=60", 200, "{'state':'succeeded','status':204}"},
    {"GET", "/hosts/b/domains", 200,
     "{'domains':[{'name':'m1','state':'running','stateReason':'~*','persistent':false}]"
     "}"},
    {"POST", "/hosts/b/domains/m1/destroy", 204, ""},
};

static const struct step fast[] = {
    {"POST", "/domains/m1/start", 204, ""},
    {"PATCH", "/domains/m1/migration", 200, "{'maxSpeedMiBps':1000}",
     .json = "{'maxSpeedMiBps':1000}"},
    {"POST", "/domains/m1/migrate", 400, GATEWAY("invalid-value"),
     .json = "{'destinationHost':'default'}"},
    /* a name or a UUID that is taken there is known before, or said by that host */
    {"POST", "/hosts/b/domains", 201, NULL, .xml = GUEST("m1")},
    {"POST", "/domains/m1/migrate", 409,
     "{'type':'~urn:virtgate:error:conflict','host':'b'}",
     .json = "{'destinationHost':'b','flags':['live']}", .contains = "*name*'m1'*"},
    {"POST", "/domains/m1/migrate", 409, LIBVIRT("OPERATION_FAILED"),
     .json = "{'mode':'peer2peer','destinationUri':'${other}','flags':['live'],"
             "'params':{'migrateUri':'unix://${dir}/m'}}"},
    {"DELETE", "/hosts/b/domains/m1", 204, ""},
    {"GET", "/domains/m1", 200, "{'uuid':'$own','state':'running'}"},
    {"POST", "/hosts/b/domains", 201, NULL, .xml = GUEST_UUID("m2", "${own}")},
    {"POST", "/domains/m1/migrate", 409,
     "{'type':'~urn:virtgate:error:conflict','host':'b'}",
     .json = "{'destinationHost':'b','flags':['live']}",
     .contains = "*UUID*'m2'*; undefine it there*"},
    {"POST", "/hosts/b/domains", 201, NULL, .xml = GUEST("m1")},
    {"POST", "/domains/m1/migrate", 409,
     "{'type':'~urn:virtgate:error:conflict','host':'b'}",
     .json = "{'destinationHost':'b','flags':['live']}",
     .contains = "*name*'m1'*destinationName*"},
    {"DELETE", "/hosts/b/domains/m1", 204, ""},
    {"DELETE", "/hosts/b/domains/m2", 204, ""},
    {"POST", "/domains/m1/migrate", 204, "",
     .json = "{'mode':'managed','destinationHost':'b','flags':['live'],"
             "'params':{'migrateUri':'unix://${dir}/m','destinationName':'m1b'}}"},
    {"GET", "/domains/m1/state", 200, "{'state':'shutoff','stateReason':'migrated'}"},
    {"GET", "/hosts/b/domains/m1b", 200, "{'uuid':'$uuid','state':'running'}"},
    {"POST", "/hosts/b/domains/m1b/destroy", 204, ""},
    {"POST", "/domains/m1/start", 204, ""},
    /* by the host itself */
    {"POST", "/domains/m1/migrate", 204, "",
     .json = "{'mode':'peer2peer','destinationUri':'${other}','flags':['live'],"
             "'params':{'migrateUri':'unix://${dir}/m','bandwidth':1000}}"},
    {"GET", "/hosts/b/domains/m1", 200, "{'uuid':'$uuid','state':'running'}"},
    {"POST", "/hosts/b/domains/m1/destroy", 204, ""},
    {"POST", "/domains/m1/start", 204, ""},
    /* through the daemons' own connection; and with less to send */
    {"POST", "/domains/m1/migrate", 204, "",
     .json = "{'mode':'peer2peer','destinationUri':'${other}',"
             "'flags':['live','tunnelled'],'params':{'bandwidth':1000}}"},
    {"GET", "/hosts/b/domains/m1", 200, "{'uuid':'$uuid','state':'running'}"},
    {"POST", "/hosts/b/domains/m1/destroy", 204, ""},
    {"POST", "/domains/m1/start", 204, ""},
    {"PATCH", "/domains/m1/migration", 200, "{'compressionCacheBytes':16777216}",
     .json = "{'compressionCacheBytes':16777216}"},
    {"POST", "/domains/m1/migrate", 204, "",
     .json = "{'destinationHost':'b','flags':['live','compressed'],"
             "'params':{'migrateUri':'unix://${dir}/m','bandwidth':1000,"
             "'compression':{'value':'xbzrle','xbzrle':{'cache':33554432}}}}"},
    {"GET", "/hosts/b/domains/m1", 200, "{'uuid':'$uuid','state':'running'}"},
    {"POST", "/hosts/b/domains/m1/destroy", 204, ""},
    {"POST", "/domains/m1/start", 204, ""},
    /* nobody listens there, which says nothing of the gateway's own connections */
    {"POST", "/domains/m1/migrate", 502,
     "{'type':'~urn:libvirt:error:*',"
     "'outcome':'<absent>'}",
     .json = "{'destinationUri':'qemu+unix:///system?socket=/nonexistent'}"},
    {"POST", "/domains/m1/migrate", 422, LIBVIRT("ARGUMENT_UNSUPPORTED"),
     .json = "{'mode':'direct','destinationUri':'tcp://127.0.0.1'}"},
    {"GET", "/domains/m1/state", 200, "{'state':'running'}"},
};

/* The gateway ends though a migration is at work, and libvirt takes the guest back. */
static const struct step left[] = {
    {"PATCH", "/domains/m1/migration", 200, "{'maxSpeedMiBps':1}",
     .json = "{'maxSpeedMiBps':1}"},
    {"POST", "/domains/m1/migrate", 202, "{'id':'$old'}", .json = MIGRATE,
     .headers = {"Prefer: wait=1"}},
};
static const struct step after[] = {
    {"GET", "/operations/${old}", 410, GATEWAY("gone"), .contains = "*earlier run*"},
    {"GET", "/operations", 200, "{'operations':[]}"},
};
static const struct step back = {"GET", "/domains/m1/state", 200, "{'state':'running'}"};
static const struct step not_there = {"GET", "/hosts/b/domains", 200, "{'domains':[]}"};

/* A new libvirtd looks at its QEMU first, and keeps everybody waiting meanwhile. */
static const struct step warm = {"GET", "/hosts/b/connection/capabilities", 200, NULL,
                                 .contains = "<capabilities>*"};

static int second(const char *dir, const char *verb)
{
    char set[128];
    snprintf(set, sizeof(set), "VG_LIBVIRTD_DIR=%s-b", dir);
    return run_program(
        ARGS("env", set, "VG_LIBVIRTD_HOSTNAME=vg-other",
             /* post-copy needs userfaultfd(2), which is for root alone here and there */
             "VG_QEMU_CONF=user = \"root\"\nclear_emulator_capabilities = 0",
             "tests/qemu/libvirtd.sh", verb));
}

static void test_migration(const char *dir)
{
    struct scenario s;
    char host[256];
    snprintf(host, sizeof(host), "b=qemu+unix:///system?socket=%s-b/sock/libvirt-sock",
             dir);
    const char *const args[] = {"--connect",    guest_uri(), "--host", host,
                                "--operations", "1",         NULL};
    if (!scenario_begin(&s, "migration", args))
        return;
    json_object_set_new(s.captures, "dir", json_string(dir));
    json_object_set_new(s.captures, "other", json_string(host + 2));
    scenario_until(&s, &warm, 60);
    scenario_run(&s, slow, COUNT(slow));
    scenario_until(&s, &at_work, 60);
    scenario_run(&s, watched, COUNT(watched));
    scenario_until(&s, &at_work, 60);
    scenario_run(&s, aborted, COUNT(aborted));
    scenario_until(&s, &at_work, 60);
    scenario_run(&s, postcopy, COUNT(postcopy));
    scenario_run(&s, fast, COUNT(fast));
    scenario_run(&s, left, COUNT(left));
    json_t *captures = json_incref(s.captures);
    double begun = seconds_now();
    scenario_end(&s);
    check_that(seconds_now() - begun < 40,
               "stopping takes %.1f s, not the migration's 60", seconds_now() - begun);

    if (scenario_begin(&s, "after", args)) {
        json_object_update(s.captures, captures);
        scenario_run(&s, after, COUNT(after));
        scenario_until(&s, &back, 60);
        scenario_until(&s, &not_there, 60);
        guests_remove(&s);
        scenario_end(&s);
    }
    json_decref(captures);
}

int main(void)
{
    char dir[] = "/tmp/vg-op-XXXXXX", file[64];
    struct scenario s;

    const char *const args[] = {"--connect", guest_uri(), NULL};
    if (!mkdtemp(dir) || chmod(dir, 0777) < 0)
        return 1;
    snprintf(file, sizeof(file), "of=%s/random", dir);
    run_program(ARGS("dd", "if=/dev/urandom", file, "bs=1M", "count=60", "status=none"));
    if (scenario_begin(&s, "save", args)) {
        json_object_set_new(s.captures, "dir", json_string(dir));
        scenario_run(&s, save, COUNT(save));
        guests_remove(&s);
        scenario_end(&s);
    }
    if (second(dir, "start") == 0)
        test_migration(dir);
    else
        check_that(false, "no second libvirtd");
    second(dir, "stop");
    run_program(ARGS("rm", "-r", dir));
    return checks_report();
}
