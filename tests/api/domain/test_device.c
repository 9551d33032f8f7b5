/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/domain/device.c, domain_disk.c, domain_interface.c, domain_peek.c,
 * domain_blockjob.c: what the test driver can do of them, how it says what it cannot, and
 * bad input. The rest: tests/qemu/domain/test_device.c, test_domain_blockjob.c.
 */
#include "tests/harness/steps.h"

#include <stdio.h>
#include <stdlib.h>

#define NO_SUPPORT  LIBVIRT("NO_SUPPORT")
#define NOT_RUNNING LIBVIRT("OPERATION_INVALID")

#define DOMAIN                                                                           \
    "<domain type='test'><name>d</name><memory>65536</memory><os><type>hvm</type></os>"  \
    "<devices><emulator>/usr/bin/true</emulator>"                                        \
    "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"                 \
    "<source file='/img/a &amp; b.qcow2'/><target dev='vda' bus='virtio'/><shareable/>"  \
    "<alias name='ua-data'/></disk>"                                                     \
    "<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/><readonly/></disk>"   \
    "<interface type='network'><mac address='52:54:00:11:22:33'/>"                       \
    "<source network='default'/><target dev='net0'/><model type='virtio'/>"              \
    "<link state='down'/></interface>"                                                   \
    "<interface type='user'><mac address='52:54:00:11:22:44'/></interface>"              \
    "<sound model='ac97'/></devices></domain>"

#define NETWORK_DISK                                                                     \
    "<domain type='test'><name>far</name><memory>65536</memory><os><type>hvm</type>"     \
    "</os><devices><disk type='network' device='disk'>"                                  \
    "<source protocol='rbd' name='pool/image'><host name='mon1' port='6789'/>"           \
    "<host name='mon2'/></source><target dev='vda' bus='virtio'/></disk></devices>"      \
    "</domain>"

#define DISK                                                                             \
    "{'target':'vda','bus':'virtio','device':'disk','type':'file','format':'qcow2',"     \
    "'source':'/img/a & b.qcow2','readOnly':false,'shareable':true,'alias':'ua-data',"   \
    "'backingChain':[]}"

static const struct step lists[] = {
    {"POST", "/domains", 201, NULL, .xml = DOMAIN},
    {"GET", "/domains/test/devices", 200,
     "{'devices':[{'type':'disk','target':'vda'},{'type':'interface'},'...']}"},
    {"GET", "/domains/test/disks", 200, "{'disks':[{'target':'vda','alias':null}]}"},
    {"GET", "/domains/test/interfaces", 200,
     "{'interfaces':[{'target':'testnet0','mac':'aa:bb:cc:dd:ee:ff'}]}"},
    {"GET", "/domains/d/devices", 200,
     "{'devices':[{'type':'disk','alias':'ua-data','target':'vda','bus':'virtio',"
     "'xml':'~<disk type=?file?*<source file=*</disk>'},"
     "{'type':'disk','alias':null,'target':'hdc','bus':'ide'},'...',"
     "{'type':'interface','alias':null,'target':'net0','mac':'52:54:00:11:22:33',"
     "'model':'virtio','bus':'<absent>'},"
     "{'type':'interface','mac':'52:54:00:11:22:44','model':'<absent>'},"
     "{'type':'sound','model':'ac97','alias':null},'...']}"},
    {"GET", "/domains/d/devices?flags=inactive", 200,
     "{'devices':[{},{},{},{},{},'...']}"},
    {"GET", "/domains/d/devices?flags=secure", 400, GATEWAY("unknown-flag"),
     .contains = "*inactive*"},
    {"GET", "/domains/d/devices?x=1", 400, GATEWAY("unknown-key")},
    {"GET", "/domains/nosuch/devices", 404, LIBVIRT("NO_DOMAIN")},
    {"GET", "/domains/d/devices/ua-data", 200,
     "{'type':'disk','alias':'ua-data','target':'vda'}"},
    {"GET", "/domains/d/devices/ua-data?flags=inactive", 200, "{'type':'disk'}"},
    {"GET", "/domains/d/devices/ua-nosuch", 404, GATEWAY("not-found")},
    {"GET", "/domains/nosuch/devices/ua-data", 404, LIBVIRT("NO_DOMAIN")},
    {"GET", "/domains/d/disks", 200,
     "{'disks':[" DISK ",{'target':'hdc','device':'cdrom','source':null,"
     "'readOnly':true,'shareable':false,'alias':null,'hosts':'<absent>'}]}"},
    {"POST", "/domains", 201, NULL, .xml = NETWORK_DISK},
    {"GET", "/domains/far/disks", 200,
     "{'disks':[{'type':'network','protocol':'rbd','source':'pool/image',"
     "'hosts':[{'name':'mon1','port':6789},{'name':'mon2','port':'<absent>'}]}]}"},
    {"DELETE", "/domains/far", 204, ""},
    {"GET", "/domains/d/disks?flags=inactive", 200, "{'disks':[{},{}]}"},
    {"GET", "/domains/nosuch/disks", 404, LIBVIRT("NO_DOMAIN")},
    {"GET", "/domains/d/interfaces", 200,
     "{'interfaces':[{'target':'net0','mac':'52:54:00:11:22:33','type':'network',"
     "'source':'default','model':'virtio','linkUp':false,'alias':null},"
     "{'target':'<any>','mac':'52:54:00:11:22:44','type':'user','source':null,"
     "'linkUp':true}]}"},
    {"GET", "/domains/d/interfaces?flags=live", 400, GATEWAY("unknown-flag")},
    {"GET", "/domains/nosuch/interfaces", 404, LIBVIRT("NO_DOMAIN")},
};

static const struct step disks[] = {
    {"GET", "/domains/d/disks/vda", 200,
     "{'target':'vda','alias':'ua-data','capacityBytes':'<int>',"
     "'allocationBytes':'<int>','physicalBytes':'<int>'}"},
    {"GET", "/domains/d/disks/%2Fimg%2Fa%20%26%20b.qcow2", 200, "{'target':'vda'}"},
    {"GET", "/domains/d/disks/hdc", 200,
     "{'target':'hdc','source':null,'capacityBytes':null,'allocationBytes':null,"
     "'physicalBytes':null}"},
    {"GET", "/domains/d/disks/nosuch", 404, LIBVIRT("INVALID_ARG")},
    {"GET", "/domains/nosuch/disks/vda", 404, LIBVIRT("NO_DOMAIN")},
    {"GET", "/domains/d/disks/vda/stats", 409, NOT_RUNNING},
    {"GET", "/domains/d/disk-errors", 409, NOT_RUNNING},
    {"POST", "/domains/d/start", 204, ""},
    {"GET", "/domains/d/disks/vda/stats", 200,
     "{'rdOperations':'<int>','rdBytes':'<int>','wrOperations':'<int>',"
     "'wrBytes':'<int>','errs':'<int>'}"},
    {"GET", "/domains/d/disks/nosuch/stats", 404, LIBVIRT("INVALID_ARG")},
    {"GET", "/domains/d/disks/vda/stats?flags=x", 400, GATEWAY("unknown-key")},
    {"GET", "/domains/d/disk-errors", 200,
     "{'errors':[{'disk':'vda','error':'unspec'},"
     "{'disk':'hdc','error':'no-space'}]}"},
    {"GET", "/domains/nosuch/disk-errors", 404, LIBVIRT("NO_DOMAIN")},
};

static const struct step limits[] = {
    {"GET", "/domains/d/disks/vda/iotune", 200,
     "{'totalBytesSec':0,'sizeIopsSec':0,'groupName':'','writeIopsSecMaxLength':0}"},
    {"PATCH", "/domains/d/disks/vda/iotune", 200,
     "{'totalBytesSecMax':2000,'groupName':'slow','totalBytesSec':0}",
     .json = "{'totalBytesSecMax':2000,'groupName':'slow'}"},
    {"GET", "/domains/d/disks/vda/iotune?flags=live", 200, "{'totalBytesSecMax':2000}"},
    {"GET", "/domains/d/disks/vda/iotune?flags=config", 200, "{'totalBytesSecMax':0}"},
    {"PATCH", "/domains/d/disks/vda/iotune", 200, "{'readIopsSecMax':77}",
     .json = "{'readIopsSecMax':77,'flags':['live']}"},
    {"PATCH", "/domains/d/disks/vda/iotune", 200, "{'readIopsSecMax':88}",
     .json = "{'readIopsSecMax':88,'flags':['config']}"},
    {"GET", "/domains/d/disks/vda/iotune?flags=config", 200,
     "{'totalBytesSecMax':0,'readIopsSecMax':88}"},
    /* QEMU takes both at once, this driver does not */
    {"PATCH", "/domains/d/disks/vda/iotune", 400, LIBVIRT("INVALID_ARG"),
     .json = "{'readIopsSecMax':77,'flags':['live','config']}"},
    {"PATCH", "/domains/d/disks/vda/iotune?flags=config", 200, "{'sizeIopsSec':4096}",
     .json = "{'size_iops_sec':4096}"},
    {"PATCH", "/domains/d/disks/vda/iotune", 200, "{'readIopsSecMax':77}", .json = "{}"},
    /* more than the most: libvirt's own refusal */
    {"PATCH", "/domains/d/disks/vda/iotune", 400, LIBVIRT("INVALID_ARG"),
     .json = "{'writeIopsSec':100}"},
    {"PATCH", "/domains/d/disks/vda/iotune", 400, GATEWAY("missing-key")},
    {"PATCH", "/domains/d/disks/vda/iotune", 400, GATEWAY("unknown-key"),
     .json = "{'totalBytes':1}", .contains = "*totalBytesSec*"},
    {"PATCH", "/domains/d/disks/vda/iotune", 400, GATEWAY("invalid-value"),
     .json = "{'totalBytesSec':-1}"},
    {"PATCH", "/domains/d/disks/vda/iotune", 400, GATEWAY("invalid-value"),
     .json = "{'totalBytesSec':null}"},
    {"PATCH", "/domains/d/disks/vda/iotune?flags=now", 400, GATEWAY("unknown-flag"),
     .json = "{'totalBytesSecMax':1}", .contains = "*live*config*"},
    {"PATCH", "/domains/d/disks/nosuch/iotune", 404, LIBVIRT("INVALID_ARG"),
     .json = "{'totalBytesSecMax':1}"},
    {"PATCH", "/domains/nosuch/disks/vda/iotune", 404, LIBVIRT("NO_DOMAIN"),
     .json = "{'totalBytesSecMax':1}"},
    {"GET", "/domains/d/disks/nosuch/iotune", 404, LIBVIRT("INVALID_ARG")},
    {"GET", "/domains/d/disks/vda/iotune?flags=live,config", 400, LIBVIRT("INVALID_ARG")},
    {"GET", "/domains/d/disks/vda/iotune", 200,
     "{'totalBytesSecMax':2000,'readIopsSecMax':77,'writeIopsSec':0}"},
};

static const struct step interfaces[] = {
    {"GET", "/domains/d/interfaces/net0/stats", 200,
     "{'rxBytes':'<int>','rxPackets':'<int>','rxErrs':'<int>','rxDrop':'<int>',"
     "'txBytes':'<int>','txPackets':'<int>','txErrs':'<int>','txDrop':'<int>'}"},
    {"GET", "/domains/d/interfaces/52:54:00:11:22:33/stats", 200, "{'rxBytes':'<int>'}"},
    {"GET", "/domains/d/interfaces/52%3A54%3A00%3A11%3A22%3A33/stats", 200, "{}"},
    {"GET", "/domains/d/interfaces/nosuch/stats", 404, LIBVIRT("INVALID_ARG")},
    {"GET", "/domains/d/interfaces/net0/stats?x=1", 400, GATEWAY("unknown-key")},
    {"GET", "/domains/d/interfaces/net0/parameters", 200,
     "{'inbound':{'average':0,'peak':0,'burst':0,'floor':0},"
     "'outbound':{'average':0,'peak':0,'burst':0}}"},
    {"PATCH", "/domains/d/interfaces/net0/parameters", 200,
     "{'inbound':{'average':100,'peak':200},'outbound':{'average':0}}",
     .json = "{'inbound':{'average':100,'peak':200},'flags':['live']}"},
    {"PATCH", "/domains/d/interfaces/net0/parameters", 200,
     "{'inbound':{'average':100},'outbound':{'average':50}}",
     .json = "{'outbound':{'average':50}}"},
    {"GET", "/domains/d/interfaces/net0/parameters?flags=config", 200,
     "{'inbound':{'average':0},'outbound':{'average':0}}"},
    {"PATCH", "/domains/d/interfaces/net0/parameters", 400, GATEWAY("unknown-key"),
     .json = "{'inbound':{'mean':1}}"},
    {"PATCH", "/domains/d/interfaces/net0/parameters", 400, GATEWAY("invalid-value"),
     .json = "{'inbound':{'average':'1k'}}"},
    {"PATCH", "/domains/d/interfaces/net0/parameters", 400, GATEWAY("missing-key")},
    {"PATCH", "/domains/d/interfaces/nosuch/parameters", 404, LIBVIRT("INVALID_ARG"),
     .json = "{'inbound':{'average':1}}"},
    {"GET", "/domains/d/interfaces/nosuch/parameters", 404, LIBVIRT("INVALID_ARG")},
    {"GET", "/domains/d/interfaces/net0/parameters?flags=x", 400,
     GATEWAY("unknown-flag")},
};

static const struct step peeks[] = {
    {"GET", "/domains/d/memory/peek?size=16", 200, NULL,
     .wants = {"Content-Type: application/octet-stream", "Content-Length: 16"}},
    {"GET", "/domains/d/memory/peek?size=1&start=4096&mode=virtual", 200, NULL,
     .wants = {"Content-Length: 1"}},
    {"GET", "/domains/d/memory/peek?size=1&flags=physical", 200, NULL,
     .wants = {"Content-Type: application/octet-stream"}},
    {"GET", "/domains/d/memory/peek?size=4194304", 200, NULL,
     .wants = {"Content-Length: 4194304"}},
    {"GET", "/domains/d/memory/peek?size=1", 200, NULL,
     .headers = {"Accept: application/octet-stream"}},
    {"GET", "/domains/d/memory/peek?size=1", 200, NULL, .headers = {"Accept: */*"}},
    {"GET", "/domains/d/memory/peek?size=1", 200, NULL,
     .headers = {"Accept: text/html, application/*;q=0.5"}},
    {"GET", "/domains/d/memory/peek?size=1", 406, GATEWAY("not-acceptable"),
     .headers = {"Accept: application/json"}, .contains = "*application/octet-stream*"},
    {"GET", "/domains/d/disks", 406, GATEWAY("not-acceptable"),
     .headers = {"Accept: application/octet-stream"}, .contains = "*application/json*"},
    {"GET", "/domains/d/memory/peek?size=1&flags=physical,virtual", 400,
     LIBVIRT("INVALID_ARG")},
    {"GET", "/domains/d/memory/peek", 400, GATEWAY("missing-key")},
    {"GET", "/domains/d/memory/peek?size=0", 400, GATEWAY("invalid-value")},
    {"GET", "/domains/d/memory/peek?size=4194305", 400, GATEWAY("invalid-value")},
    {"GET", "/domains/d/memory/peek?size=1&start=-1", 400, GATEWAY("invalid-value"),
     .contains = "*18446744073709551615*"},
    {"GET", "/domains/d/memory/peek?size=1&start=0xffffffff81000000&mode=virtual", 200,
     NULL},
    {"GET", "/domains/d/memory/peek?size=1&start=18446744073709551616", 400,
     GATEWAY("invalid-value")},
    {"GET", "/domains/d/memory/peek?size=1&mode=other", 400, GATEWAY("unknown-value"),
     .contains = "*virtual*physical*"},
    {"GET", "/domains/nosuch/memory/peek?size=1", 404, LIBVIRT("NO_DOMAIN")},
    {"GET", "/domains/d/disks/vda/peek?size=1", 501, NO_SUPPORT},
    {"GET", "/domains/d/disks/vda/peek", 400, GATEWAY("missing-key")},
    {"GET", "/domains/d/disks/vda/peek?size=99999999", 400, GATEWAY("invalid-value")},
    {"GET", "/domains/d/disks/vda/peek?size=1&offset=x", 400, GATEWAY("invalid-value")},
};

#define A_DISK "<disk type='file'><source file='/x'/><target dev='vdb'/></disk>"

/* The test driver of libvirt 9 has none of these. */
static const struct step changes[] = {
    {"POST", "/domains/d/devices", 501, NO_SUPPORT, .xml = A_DISK,
     .lacks = "attach-device"},
    {"POST", "/domains/d/devices?flags=live,config", 501, NO_SUPPORT, .xml = A_DISK,
     .lacks = "attach-device"},
    {"PUT", "/domains/d/devices", 501, NO_SUPPORT, .xml = A_DISK,
     .lacks = "update-device"},
    {"POST", "/domains/d/devices/detach", 501, NO_SUPPORT, .xml = A_DISK},
    {"POST", "/domains/d/devices/detach", 501, NO_SUPPORT,
     .json = "{'xml':'<disk><target dev=\\u0027vdq\\u0027/></disk>','flags':['config']}"},
    {"DELETE", "/domains/d/devices/ua-data", 501, NO_SUPPORT, .lacks = "detach-by-alias"},
    {"POST", "/domains/d/disks/vda/resize", 501, NO_SUPPORT,
     .json = "{'size':1048576,'shrink':true}"},
    {"POST", "/domains/d/disks/vda/resize", 400, GATEWAY("invalid-value"),
     .json = "{'size':1048576}", .contains = "*shrink*"},
    {"POST", "/domains/d/disks/vda/resize", 400, GATEWAY("invalid-value"),
     .json = "{'size':1048576,'shrink':1}"},
    {"PUT", "/domains/d/disks/vda/threshold", 501, NO_SUPPORT, .json = "{'bytes':1}"},
    {"POST", "/domains/d/disks/vda/pull", 501, NO_SUPPORT, .wants = {"!Location"}},
    {"POST", "/domains/d/disks/vda/pull", 501, NO_SUPPORT,
     .headers = {"Prefer: respond-async"}, .wants = {"!Preference-Applied"}},
    {"POST", "/domains/d/disks/%2Fsrv%2Fdata/pull", 501, NO_SUPPORT,
     .headers = {"Prefer: wait=5"}},
    {"POST", "/domains/d/disks/vda/rebase", 501, NO_SUPPORT, .json = "{'base':'/x'}"},
    {"POST", "/domains/d/disks/vda/commit", 501, NO_SUPPORT},
    {"POST", "/domains/d/disks/vda/copy", 501, NO_SUPPORT,
     .json = "{'dest':'<disk/>','bandwidth':1}"},
    {"GET", "/domains/d/disks/vda/job", 501, NO_SUPPORT},
    {"PATCH", "/domains/d/disks/vda/job", 501, NO_SUPPORT, .json = "{'bandwidth':1}"},
    {"DELETE", "/domains/d/disks/vda/job?flags=pivot,async", 501, NO_SUPPORT},
    {"DELETE", "/domains/d/disks/vda/job?pivot=true&async=true", 501, NO_SUPPORT},
    /* a call that fails has been no operation */
    {"GET", "/operations", 200, "{'operations':[]}"},
};

static const struct step bad_input[] = {
    {"POST", "/domains/d/devices", 400, GATEWAY("missing-key"), .json = "{}"},
    {"POST", "/domains/d/devices", 400, GATEWAY("missing-key")},
    {"POST", "/domains/d/devices", 400, NULL, .json = "{'xml':1}"},
    {"POST", "/domains/d/devices", 400, GATEWAY("unknown-key"),
     .json = "{'xml':'<disk/>','live':true}"},
    {"POST", "/domains/d/devices?flags=hot", 400, GATEWAY("unknown-flag"), .xml = A_DISK,
     .contains = "*current*live*config*force*"},
    {"POST", "/domains/d/devices", 422, GATEWAY("unsafe-xml"),
     .xml = "<!DOCTYPE disk><disk/>"},
    {"POST", "/domains/nosuch/devices", 404, LIBVIRT("NO_DOMAIN"), .xml = A_DISK},
    {"PUT", "/domains/d/devices", 422, GATEWAY("unsafe-xml"),
     .json = "{'xml':'<!DOCTYPE disk><disk/>'}"},
    {"PUT", "/domains/d/devices", 415, GATEWAY("unsupported-media-type"),
     .headers = {"Content-Type: text/plain"}, .xml = A_DISK},
    {"POST", "/domains/d/devices/detach", 400, GATEWAY("missing-key")},
    {"DELETE", "/domains/d/devices/ua-data?flags=soon", 400, GATEWAY("unknown-flag")},
    {"DELETE", "/domains/nosuch/devices/ua-data", 404, LIBVIRT("NO_DOMAIN")},
    {"POST", "/domains/d/disks/vda/resize", 400, GATEWAY("missing-key")},
    {"POST", "/domains/d/disks/vda/resize", 400, GATEWAY("invalid-value"),
     .json = "{'size':'1G'}"},
    {"POST", "/domains/d/disks/vda/resize", 400, GATEWAY("invalid-value"),
     .json = "{'size':0}"},
    {"POST", "/domains/d/disks/vda/resize?flags=kib", 400, GATEWAY("unknown-flag"),
     .json = "{'size':1}", .contains = "*bytes*"},
    {"PUT", "/domains/d/disks/vda/threshold", 400, GATEWAY("missing-key")},
    {"PUT", "/domains/d/disks/vda/threshold", 400, GATEWAY("invalid-value"),
     .json = "{'bytes':-1}"},
    {"POST", "/domains/d/disks/vda/pull", 400, GATEWAY("invalid-value"),
     .json = "{'bandwidth':-1}"},
    {"POST", "/domains/d/disks/vda/pull", 400, GATEWAY("unknown-key"),
     .json = "{'base':'/x'}"},
    {"POST", "/domains/d/disks/vda/pull?flags=active", 400, GATEWAY("unknown-flag"),
     .contains = "*bandwidth-bytes*"},
    {"POST", "/domains/d/disks/vda/rebase", 400, GATEWAY("invalid-value"),
     .json = "{'base':3}"},
    {"POST", "/domains/d/disks/vda/commit", 400, GATEWAY("unknown-flag"),
     .json = "{'flags':['pivot']}", .contains = "*shallow*active*"},
    {"POST", "/domains/d/disks/vda/copy", 400, GATEWAY("missing-key"), .json = "{}"},
    {"POST", "/domains/d/disks/vda/copy", 422, GATEWAY("unsafe-xml"),
     .json = "{'dest':'<!DOCTYPE disk><disk/>'}"},
    {"POST", "/domains/d/disks/vda/copy", 400, GATEWAY("invalid-value"),
     .json = "{'dest':'<disk/>','granularity':4294967296}"},
    {"PATCH", "/domains/d/disks/vda/job", 400, GATEWAY("missing-key"), .json = "{}"},
    {"GET", "/domains/d/disks/vda/job?flags=x", 400, GATEWAY("unknown-flag")},
    {"DELETE", "/domains/d/disks/vda/job?flags=now", 400, GATEWAY("unknown-flag"),
     .contains = "*async*pivot*"},
    {"DELETE", "/domains/d/disks/vda/job?pivot=maybe", 400, GATEWAY("invalid-value"),
     .contains = "*true*false*"},
    {"DELETE", "/domains/d/disks/vda", 405, GATEWAY("method-not-allowed"),
     .wants = {"Allow: *GET*"}},
};

/* Those that libvirt 11's has: tests/qemu/domain/test_device.c sees all. */
static const struct step done[] = {
    {"POST", "/domains/d/devices", 204, "", .xml = A_DISK, .needs = "attach-device"},
    {"GET", "/domains/d/disks", 200, NULL, .contains = "*\"vdb\"*\"/x\"*",
     .needs = "attach-device"},
    {"POST", "/domains/d/devices?flags=live,config", 400, LIBVIRT("INVALID_ARG"),
     .xml = A_DISK, .needs = "attach-device"},
    {"PUT", "/domains/d/devices", 204, "", .xml = A_DISK, .needs = "update-device"},
    {"DELETE", "/domains/d/devices/ua-data", 202, "",
     .wants = {"Location: /domains/d/devices/ua-data"}, .needs = "detach-by-alias"},
};

/* What a guest holds may be secret. */
static const struct step read_only[] = {
    {"GET", "/domains/test/disks", 200, "{'disks':[{}]}"},
    {"GET", "/domains/test/memory/peek?size=1", 403, GATEWAY("read-only")},
    {"GET", "/domains/test/disks/vda/peek?size=1", 403, GATEWAY("read-only")},
    {"POST", "/domains/test/devices", 403, GATEWAY("read-only"), .xml = A_DISK},
    {"DELETE", "/domains/test/devices/x", 403, GATEWAY("read-only")},
};

/* If-Match of an action means the list it is below, though GET takes its name for an
 * alias. */
static void test_if_match(struct scenario *s)
{
    char header[64];
    struct response *list = scenario_send(s, "GET", "/domains/d/devices", NULL, NULL);
    char *tag = response_header(list, "ETag");
    const char *const headers[] = {"Content-Type: application/xml", header, NULL};

    for (int stale = 0; stale < 2; stale++) {
        snprintf(header, sizeof(header), "If-Match: %s",
                 stale ? "\"0\""
                 : tag ? tag
                       : "");
        struct response *r =
            scenario_send(s, "POST", "/domains/d/devices/detach", headers, A_DISK);
        check_response(r->status == (stale ? 412 : 501), r, "detach with %s", header);
        response_free(r);
    }
    free(tag);
    response_free(list);
}

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "devices", ARGS("-c", "test:///default"))) {
        scenario_run(&s, lists, COUNT(lists));
        scenario_run(&s, disks, COUNT(disks));
        scenario_run(&s, limits, COUNT(limits));
        scenario_run(&s, interfaces, COUNT(interfaces));
        scenario_run(&s, peeks, COUNT(peeks));
        scenario_run(&s, changes, COUNT(changes));
        scenario_run(&s, bad_input, COUNT(bad_input));
        test_if_match(&s);
        scenario_run(&s, done, COUNT(done));
        scenario_end(&s);
    }
    if (scenario_begin(&s, "read-only", ARGS("-c", "test:///default", "--read-only"))) {
        scenario_run(&s, read_only, COUNT(read_only));
        scenario_end(&s);
    }
    return checks_report();
}
