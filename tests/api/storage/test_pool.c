/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/storage/pool.c: what pools have beside what all kinds of objects share
 * (network/test_network.c): types, sizes, the short form, their storage, and which paths
 * a driver in the gateway may be given.
 */
#include "tests/harness/steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define UUID "dfe224cb-28fb-8dd0-c4b2-64eb3f0f4566"
#define POOL(name)                                                                       \
    "<pool type='dir'><name>" name "</name><target><path>${dir}/" name                   \
    "</path></target></pool>"

static const struct step show[] = {
    {"GET", "/storage-pools", 200,
     "{'storagePools':[{'name':'default-pool','uuid':'" UUID
     "','active':true,'persistent':true,'type':'dir','autostart':'<absent>',"
     "'state':'<absent>'}],'next':'<absent>'}",
     .wants = {"ETag: \"*\"", "!Link"}},
    {"GET", "/storage-pools?view=full", 200,
     "{'storagePools':[{'name':'default-pool','type':'dir','autostart':false,"
     "'state':'running','capacityBytes':107374182400,'allocationBytes':'<int>',"
     "'availableBytes':'<int>','path':'<absent>'}]}"},
    {"GET", "/storage-pools?fields=availableBytes,path", 200,
     "{'storagePools':[{'name':'<absent>','state':'<absent>','availableBytes':'<int>',"
     "'path':'/default-pool'}]}"},
    {"GET", "/storage-pools/default-pool", 200,
     "{'name':'default-pool','uuid':'" UUID "','active':true,'persistent':true,"
     "'type':'dir','autostart':false,'state':'running','capacityBytes':107374182400,"
     "'path':'/default-pool','source':'<absent>'}",
     .wants = {"X-Virtgate-Source: libvirt"}},
    {"GET", "/storage-pools/" UUID, 200, "{'name':'default-pool'}"},
    {"GET", "/storage-pools/default-pool?by=name", 200, "{'name':'default-pool'}"},
    {"GET", "/storage-pools/default-pool?by=path", 400, GATEWAY("invalid-value")},
    {"GET", "/storage-pools/default-pool?by=id", 400, GATEWAY("unknown-value"),
     .contains = "*name, uuid, path*"},
    {"GET", "/storage-pools/%2Fdefault-pool", 501, LIBVIRT("NO_SUPPORT")},
    {"GET", "/storage-pools/default-pool?view=config", 200,
     "{'pool':{'@type':'dir','name':'default-pool','target':{'path':'/default-pool'}}}"},
    {"GET", "/storage-pools/default-pool/xml", 200, NULL,
     .wants = {"Content-Type: application/xml*"}, .contains = "<pool*default-pool*"},
    {"GET", "/storage-pools/default-pool/autostart", 200, "{'autostart':false}"},
    {"GET", "/storage-pools/nosuch", 404, LIBVIRT("NO_STORAGE_POOL")},
    {"POST", "/storage-pools/nosuch/start", 404, LIBVIRT("NO_STORAGE_POOL")},
    {"POST", "/storage-pools/nosuch/build", 404, LIBVIRT("NO_STORAGE_POOL")},
    {"POST", "/storage-pools/nosuch/refresh", 404, LIBVIRT("NO_STORAGE_POOL")},
    {"POST", "/storage-pools/nosuch/delete-data", 404, LIBVIRT("NO_STORAGE_POOL")},
};

static const struct step define[] = {
    {"POST", "/storage-pools", 201,
     "{'name':'alpha','uuid':'$alpha','active':false,'persistent':true,'type':'dir',"
     "'autostart':false,'state':'inactive','path':'${dir}/alpha'}",
     .xml = POOL("alpha"), .wants = {"Location: /storage-pools/alpha"}},
    {"POST", "/storage-pools?start=true", 201,
     "{'name':'beta','active':true,'autostart':true,'state':'running'}",
     .json = "{'pool':{'@type':'dir','name':'beta','target':{'path':'${dir}/beta'}},"
             "'autostart':true}"},
    {"POST", "/storage-pools", 201,
     "{'name':'gamma','type':'dir','active':true,'persistent':true,'autostart':true}",
     .json = "{'name':'gamma','path':'${dir}/gamma','build':true,'start':true,"
             "'autostart':true}"},
    {"POST", "/storage-pools?name=delta&path=${dir}", 201,
     "{'name':'delta','active':false,'path':'${dir}'}"},
    {"DELETE", "/storage-pools/delta", 204, ""},
    {"POST", "/storage-pools?transient=true", 201,
     "{'name':'delta','active':true,'persistent':false}", .xml = POOL("delta")},
    {"POST", "/storage-pools", 412, GATEWAY("precondition-failed"), .xml = POOL("alpha"),
     .headers = {"If-None-Match: *"}},
    {"POST", "/storage-pools?dryRun=true", 200, NULL,
     .json = "{'name':'nas','type':'netfs','path':'${dir}/nas','source':{'host':'nas',"
             "'port':2049,'dir':'${dir}','format':'nfs'}}",
     .contains = "*<pool type=*netfs*<host name=*nas*port=*2049*/>*<dir path=*"
                 "<format type=*nfs*/>*<path>*"},
    {"POST", "/storage-pools", 201,
     "{'name':'vg','type':'logical','source':{'name':'vg0'},'active':false}",
     .json = "{'name':'vg','type':'logical','source':{'name':'vg0'}}"},
    {"GET", "/storage-pools?type=logical,netfs", 200,
     "{'storagePools':[{'name':'vg','type':'logical'}]}"},
    {"GET", "/storage-pools?type=netfs", 200, "{'storagePools':[]}"},
    {"GET", "/storage-pools?type=nosuch", 400, GATEWAY("unknown-flag"),
     .contains = "*iscsi-direct*"},
    {"GET", "/storage-pools?fields=name,type&state=inactive", 200,
     "{'storagePools':[{'name':'alpha','type':'dir'},{'name':'vg','type':'logical'}]}"},
    {"GET", "/storage-pools?persistent=false", 200,
     "{'storagePools':[{'name':'delta','active':true,'type':'dir'}]}"},
    {"GET", "/storage-pools?limit=2", 200,
     "{'storagePools':[{'name':'alpha'},{'name':'beta'}],'next':'beta'}"},
    {"GET", "/hosts/-/storage-pools?limit=1", 200,
     "{'storagePools':[{'name':'alpha','host':'default'}],'unreachable':[]}"},
    /* what is none */
    {"POST", "/storage-pools", 400, GATEWAY("missing-key"), .json = "{'name':'x'}"},
    {"POST", "/storage-pools", 400, GATEWAY("missing-key"),
     .json = "{'path':'${dir}/x'}"},
    {"POST", "/storage-pools", 400, GATEWAY("invalid-value"),
     .json = "{'name':'x','path':'x'}", .contains = "*absolute*"},
    {"POST", "/storage-pools", 400, GATEWAY("unknown-value"),
     .json = "{'name':'x','type':'nfs','path':'${dir}/x'}", .contains = "*netfs*"},
    {"POST", "/storage-pools", 400, GATEWAY("unknown-key"),
     .json = "{'name':'x','path':'${dir}/x','source':{'url':'x'}}"},
    {"POST", "/storage-pools", 400, GATEWAY("invalid-value"),
     .json = "{'name':'x','xml':'<pool/>'}", .contains = "*short form*"},
    {"POST", "/storage-pools?transient=true&build=true", 400, GATEWAY("invalid-value"),
     .xml = POOL("x"), .contains = "*with-build*"},
};

static const struct step change[] = {
    {"POST", "/storage-pools/alpha/build", 204, ""},
    {"POST", "/storage-pools/alpha/start", 204, ""},
    {"POST", "/storage-pools/alpha/start", 409, LIBVIRT("OPERATION_INVALID")},
    {"POST", "/storage-pools/alpha/build", 409, LIBVIRT("OPERATION_INVALID")},
    {"POST", "/storage-pools/alpha/delete-data", 409, LIBVIRT("OPERATION_INVALID")},
    {"DELETE", "/storage-pools/alpha", 409, LIBVIRT("OPERATION_INVALID")},
    {"POST", "/storage-pools/alpha/refresh", 204, ""},
    {"POST", "/storage-pools/alpha/refresh", 202, "{'kind':'refreshStoragePool'}",
     .headers = {"Prefer: respond-async"}, .wants = {"Location: /operations/*"}},
    {"PUT", "/storage-pools/alpha/autostart", 200, "{'autostart':true}",
     .json = "{'autostart':true}"},
    {"PATCH", "/storage-pools/alpha", 200, "{'name':'alpha','autostart':false}",
     .json = "{'autostart':false}"},
    {"PATCH", "/storage-pools/alpha", 409, GATEWAY("conflict"),
     .json = "{'pool':{'name':'beta'}}"},
    {"PUT", "/storage-pools/alpha/xml", 409, GATEWAY("conflict"), .xml = POOL("beta")},
    {"POST", "/storage-pools/alpha/destroy", 204, ""},
    {"POST", "/storage-pools/alpha/destroy", 409, LIBVIRT("OPERATION_INVALID")},
    {"POST", "/storage-pools/alpha/refresh", 409, LIBVIRT("OPERATION_INVALID")},
    {"PATCH", "/storage-pools/alpha", 200, "{'name':'alpha','path':'${dir}/alpha2'}",
     .json = "{'pool':{'target':{'path':'${dir}/alpha2'}}}"},
    {"PUT", "/storage-pools/alpha/xml", 200, "{'path':'${dir}/alpha'}",
     .xml = "<pool type='dir'><name>alpha</name><uuid>${alpha}</uuid>"
            "<target><path>${dir}/alpha</path></target></pool>"},
    {"PUT", "/storage-pools/alpha", 200, "{'path':'${dir}/alpha3'}",
     .json = "{'pool':{'@type':'dir','name':'alpha','uuid':'${alpha}',"
             "'target':{'path':'${dir}/alpha3'}}}"},
    {"POST", "/storage-pools/alpha/build?flags=nosuch", 400, GATEWAY("unknown-flag"),
     .contains = "*no-overwrite*"},
    {"POST", "/storage-pools/alpha/start?flags=nosuch", 400, GATEWAY("unknown-flag"),
     .contains = "*with-build*"},
    {"POST", "/storage-pools/alpha/delete-data", 204, ""},
    {"DELETE", "/storage-pools/alpha", 204, ""},
    {"GET", "/storage-pools/alpha", 404, LIBVIRT("NO_STORAGE_POOL")},
};

/* Every way to name a path to a driver that runs in the gateway. */
static const struct step outside[] = {
    {"POST", "/storage-pools", 403, GATEWAY("local-path"),
     .json = "{'name':'x','path':'${out}'}", .contains = "*--local-dir*"},
    {"POST", "/storage-pools", 403, GATEWAY("local-path"),
     .json = "{'name':'x','path':'${dir}/../out'}"},
    {"POST", "/storage-pools", 403, GATEWAY("local-path"),
     .json = "{'pool':{'@type':'dir','name':'x','target':{'path':'${out}'}}}"},
    {"POST", "/storage-pools", 403, GATEWAY("local-path"),
     .json = "{'pool':{'@type':'dir','name':'x','target':{'path':{'#text':'${out}'}}}}"},
    {"POST", "/storage-pools?transient=true", 403, GATEWAY("local-path"),
     .xml = "<pool type='dir'><name>x</name><target><path>${out}</path></target></pool>"},
    {"POST", "/storage-pools", 403, GATEWAY("local-path"),
     .xml = "<pool type='dir'><name>x</name><target a='b'><path c='d'>${out}</path>"
            "</target></pool>"},
    {"POST", "/storage-pools", 403, GATEWAY("local-path"),
     .xml = "<pool type='fs'><name>x</name><source><device path='/dev/null'/></source>"
            "<target><path>${dir}/x</path></target></pool>"},
    {"POST", "/storage-pools", 403, GATEWAY("local-path"),
     .json =
         "{'name':'x','type':'fs','path':'${dir}/x','source':{'device':'/dev/null'}}"},
    {"PUT", "/storage-pools/beta/xml", 403, GATEWAY("local-path"),
     .xml = "<pool type='dir'><name>beta</name><target><path>${out}</path></target>"
            "</pool>"},
    {"PATCH", "/storage-pools/beta", 403, GATEWAY("local-path"),
     .json = "{'pool':{'target':{'path':'${out}'}}}"},
    {"GET", "/storage-pools/x", 404, LIBVIRT("NO_STORAGE_POOL")},
    {"GET", "/storage-pools/beta", 200, "{'path':'${dir}/beta'}"},
};

/* The default list and one pool's covered fields are kept, sizes are not; each change of
 * a pool is seen by the next read. */
static void check_memory(struct scenario *s)
{
    static const struct step from_memory = {"GET", "/storage-pools", 200, NULL,
                                            .wants = {"X-Virtgate-Source: inventory"}};
    static const struct step rows[] = {
        {"GET", "/storage-pools?type=dir", 200, NULL},
        {"GET", "/storage-pools?type=dir", 200, NULL,
         .wants = {"X-Virtgate-Source: inventory"}},
        {"GET", "/storage-pools?view=full", 200, NULL},
        {"GET", "/storage-pools?view=full", 200, NULL,
         .wants = {"X-Virtgate-Source: libvirt"}},
        {"POST", "/storage-pools/beta/destroy", 204, ""},
        {"GET", "/storage-pools?name=beta", 200, "{'storagePools':[{'active':false}]}"},
        {"POST", "/storage-pools/beta/start", 204, ""},
        {"GET", "/storage-pools?name=beta", 200, "{'storagePools':[{'active':true}]}"},
        {"POST", "/storage-pools", 201, NULL,
         .json = "{'name':'zeta','path':'${dir}/zeta'}"},
        {"GET", "/storage-pools?name=zeta", 200, "{'storagePools':[{'name':'zeta'}]}"},
        {"DELETE", "/storage-pools/zeta", 204, ""},
        {"GET", "/storage-pools?name=zeta", 200, "{'storagePools':[]}"},
    };
    scenario_until(s, &from_memory, 5);
    scenario_run(s, rows, COUNT(rows));
}

/* List, change, watch. */
static void check_events(struct scenario *s)
{
    struct response *list = scenario_send(s, "GET", "/storage-pools", NULL, NULL);
    char *since = response_header(list, "X-Virtgate-Revision");
    char path[128];

    snprintf(path, sizeof(path), "/storage-pools/beta/events?wait=5&since=%s",
             since ? since : "");
    const struct step watch[] = {
        {"POST", "/storage-pools/gamma/destroy", 204, ""},
        {"POST", "/storage-pools/beta/destroy", 204, ""},
        {"GET", path, 200,
         "{'events':[{'object':'storage-pool','event':'lifecycle','type':'stopped',"
         "'storagePool':{'name':'beta'}}],'revision':'<string>'}"},
    };
    scenario_run(s, watch, COUNT(watch));
    free(since);
    response_free(list);
}

int main(void)
{
    char dir[] = "/tmp/vg-pool-XXXXXX", in[32], out[32];
    struct scenario s;

    if (!mkdtemp(dir))
        return checks_report();
    snprintf(in, sizeof(in), "%s/in", dir);
    snprintf(out, sizeof(out), "%s/out", dir);
    mkdir(in, 0700);
    mkdir(out, 0700);
    if (scenario_begin(&s, "storage pool",
                       ARGS("-c", "test:///default", "--local-dir", in))) {
        json_object_set_new(s.captures, "dir", json_string(in));
        json_object_set_new(s.captures, "out", json_string(out));
        scenario_run(&s, show, COUNT(show));
        scenario_run(&s, define, COUNT(define));
        scenario_run(&s, change, COUNT(change));
        scenario_run(&s, outside, COUNT(outside));
        check_memory(&s);
        check_events(&s);
        scenario_end(&s);
    }
    run_program(ARGS("rm", "-r", dir));
    return checks_report();
}
