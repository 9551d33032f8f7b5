/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/interface/: the host's interfaces, and changes of them that are taken back. The
 * test driver alone can change any; it refuses the flag for what is active next, and has
 * one interface, eth1.
 */
#include "tests/harness/steps.h"

#define MAC "aa:bb:cc:dd:ee:ff"
#define ETHERNET(name, mac)                                                              \
    "<interface type='ethernet' name='" name "'><start mode='onboot'/>"                  \
    "<mac address='" mac "'/><mtu size='1500'/></interface>"
#define BRIDGE(name)                                                                     \
    "<interface type='bridge' name='" name "'><start mode='onboot'/><bridge>"            \
    "<interface type='ethernet' name='eth8'><mac address='52:54:00:00:00:08'/>"          \
    "</interface><interface type='ethernet' name='eth9'/></bridge></interface>"

static const struct step show[] = {
    {"GET", "/interfaces", 200,
     "{'interfaces':[{'name':'eth1','mac':'" MAC "','active':true,'type':'<absent>'}],"
     "'next':'<absent>'}",
     .wants = {"ETag: \"*\"", "X-Virtgate-Source: libvirt", "!Link"}},
    {"GET", "/interfaces", 200, NULL, .wants = {"X-Virtgate-Source: libvirt"}},
    {"GET", "/interfaces?view=full", 200,
     "{'interfaces':[{'name':'eth1','type':'ethernet','mtu':1492,'ports':'<absent>',"
     "'link':'<absent>'}]}"},
    {"GET", "/interfaces?fields=mac,mtu", 200,
     "{'interfaces':[{'name':'<absent>','mac':'" MAC "','mtu':1492}]}"},
    {"GET", "/interfaces/eth1", 200,
     "{'name':'eth1','mac':'" MAC "','active':true,'type':'ethernet','mtu':1492}"},
    {"GET", "/interfaces/" MAC, 200, "{'name':'eth1','mac':'" MAC "'}"},
    {"GET", "/interfaces/AA:BB:cc:dd:ee:ff", 200, "{'name':'eth1','mac':'" MAC "'}"},
    {"GET", "/interfaces/" MAC "?by=mac", 200, "{'name':'eth1'}"},
    {"GET", "/interfaces/" MAC "?by=name", 404, LIBVIRT("NO_INTERFACE")},
    {"GET", "/interfaces/aa:bb:cc:dd:ee:f0?by=mac", 404, LIBVIRT("NO_INTERFACE")},
    {"GET", "/interfaces/aa:bb:cc:dd:ee:f0", 404, LIBVIRT("NO_INTERFACE")},
    {"GET", "/interfaces/aa:bb:cc:dd:ee:f?by=mac", 400, GATEWAY("invalid-value")},
    {"GET", "/interfaces/aa:bb:cc:dd:ee:ff0?by=mac", 400, GATEWAY("invalid-value")},
    {"GET", "/interfaces/aa:bb:cc:dd:ee-ff?by=mac", 400, GATEWAY("invalid-value")},
    {"GET", "/interfaces/eth1?by=mac", 400, GATEWAY("invalid-value")},
    {"GET", "/interfaces/eth1?by=uuid", 400, GATEWAY("unknown-value"),
     .contains = "*name, mac*"},
    {"GET", "/interfaces/eth1?view=config", 200,
     "{'interface':{'@name':'eth1','@type':'ethernet','mac':{'@address':'" MAC "'}}}"},
    {"GET", "/interfaces/eth1/xml", 200, NULL,
     .wants = {"Content-Type: application/xml*"}, .contains = "<interface*eth1*"},
    {"GET", "/interfaces/nosuch", 404, LIBVIRT("NO_INTERFACE")},
    {"GET", "/interfaces/nosuch/xml", 404, LIBVIRT("NO_INTERFACE")},
    {"GET", "/interfaces?state=active", 200, "{'interfaces':[{'name':'eth1'}]}"},
    {"GET", "/interfaces?state=inactive", 200, "{'interfaces':[]}"},
    {"GET", "/interfaces?flags=inactive&state=active", 200, "{'interfaces':[]}"},
    {"GET", "/interfaces?name=eth?", 200, "{'interfaces':[{'name':'eth1'}]}"},
    {"GET", "/interfaces?persistent=true", 400, GATEWAY("unknown-key")},
    {"GET", "/hosts/-/interfaces", 200,
     "{'interfaces':[{'name':'eth1','host':'default'}],'unreachable':[]}"},
    {"GET", "/interfaces/eth1/events", 404, GATEWAY("not-found")},
};

static const struct step change[] = {
    {"POST", "/interfaces", 201,
     "{'name':'eth5','mac':'52:54:00:00:00:05','active':false,'type':'ethernet',"
     "'mtu':1500}",
     .xml = ETHERNET("eth5", "52:54:00:00:00:05"),
     .wants = {"Location: /interfaces/eth5"}},
    {"POST", "/interfaces?start=true", 201,
     "{'name':'br0','active':true,'type':'bridge','ports':['eth8','eth9']}",
     .xml = BRIDGE("br0")},
    /* one without an address does not stand in the way */
    {"GET", "/interfaces/52:54:00:00:00:05", 200, "{'name':'eth5'}"},
    {"GET", "/interfaces/52:54:00:00:00:99?by=mac", 404, NULL},
    {"POST", "/interfaces", 201, "{'name':'eth6'}",
     .xml = ETHERNET("eth6", "52:54:00:00:00:05")},
    {"GET", "/interfaces/52:54:00:00:00:05", 409, LIBVIRT("MULTIPLE_INTERFACES")},
    {"GET", "/interfaces/eth6", 200, "{'mac':'52:54:00:00:00:05'}"},
    {"GET", "/interfaces?fields=name&limit=2", 200,
     "{'interfaces':[{'name':'br0'},{'name':'eth1'}],'next':'eth1'}"},
    {"GET", "/interfaces?fields=name&state=inactive", 200,
     "{'interfaces':[{'name':'eth5'},{'name':'eth6'}]}"},
    {"POST", "/interfaces", 412, GATEWAY("precondition-failed"),
     .xml = ETHERNET("eth5", "52:54:00:00:00:05"), .headers = {"If-None-Match: *"}},
    {"POST", "/interfaces", 200, "{'name':'eth5'}",
     .xml = ETHERNET("eth5", "52:54:00:00:00:05")},
    {"POST", "/interfaces?dryRun=true", 200, NULL,
     .xml = ETHERNET("eth7", "52:54:00:00:00:07"), .contains = "*eth7*"},
    {"GET", "/interfaces/eth7", 404, LIBVIRT("NO_INTERFACE")},
    {"POST", "/interfaces", 400, GATEWAY("missing-key"), .json = "{}"},
    {"POST", "/interfaces?transient=true", 400, GATEWAY("unknown-key"),
     .xml = ETHERNET("eth7", "52:54:00:00:00:07")},
    {"POST", "/interfaces", 422, NULL, .xml = "<interface/>"},
    {"POST", "/interfaces", 422, NULL,
     .xml = "<interface type='ethernet' name='eth7'><mtu size='x'/></interface>"},
    {"POST", "/interfaces/eth5/start", 204, ""},
    {"POST", "/interfaces/eth5/start", 409, LIBVIRT("OPERATION_INVALID")},
    {"GET", "/interfaces/eth5?fields=active", 200, "{'active':true}"},
    {"POST", "/interfaces/eth5/destroy", 204, ""},
    {"POST", "/interfaces/eth5/destroy", 409, LIBVIRT("OPERATION_INVALID")},
    {"POST", "/interfaces/nosuch/start", 404, LIBVIRT("NO_INTERFACE")},
    {"POST", "/interfaces/nosuch/destroy", 404, LIBVIRT("NO_INTERFACE")},
    {"PUT", "/interfaces/eth5", 200, "{'name':'eth5','mtu':9000}",
     .json = "{'interface':{'@type':'ethernet','@name':'eth5','start':{'@mode':'onboot'},"
             "'mtu':{'@size':9000}}}"},
    {"PUT", "/interfaces/eth5", 409, GATEWAY("conflict"),
     .json = "{'interface':{'@type':'ethernet','@name':'eth6'}}"},
    {"PUT", "/interfaces/eth5", 400, GATEWAY("missing-key"), .json = "{}"},
    {"PATCH", "/interfaces/eth5", 200, "{'mtu':1400}",
     .json = "{'interface':{'mtu':{'@size':1400}}}"},
    {"PATCH", "/interfaces/eth5", 400, GATEWAY("missing-key"), .json = "{}"},
    {"PATCH", "/interfaces/eth5", 400, GATEWAY("unknown-key"),
     .json = "{'autostart':true}"},
    {"PUT", "/interfaces/eth5/xml", 200, "{'mtu':1500}",
     .xml = ETHERNET("eth5", "52:54:00:00:00:05")},
    {"PUT", "/interfaces/eth5/xml", 409, GATEWAY("conflict"),
     .xml = ETHERNET("eth6", "52:54:00:00:00:05")},
    {"DELETE", "/interfaces/eth6", 204, ""},
    {"DELETE", "/interfaces/nosuch", 404, LIBVIRT("NO_INTERFACE")},
    {"GET", "/interfaces/52:54:00:00:00:05", 200, "{'name':'eth5'}"},
};

/* What is changed between the two comes and goes together. */
static const struct step take_back[] = {
    {"POST", "/interface-change/commit", 409, LIBVIRT("OPERATION_INVALID")},
    {"POST", "/interface-change/rollback", 409, LIBVIRT("OPERATION_INVALID")},
    {"POST", "/interface-change", 204, ""},
    {"POST", "/interface-change", 409, LIBVIRT("OPERATION_INVALID")},
    {"DELETE", "/interfaces/eth5", 204, ""},
    {"GET", "/interfaces/eth5", 404, LIBVIRT("NO_INTERFACE")},
    {"POST", "/interface-change/rollback", 204, ""},
    {"GET", "/interfaces/eth5", 200, "{'name':'eth5'}"},
    {"POST", "/interface-change", 204, ""},
    {"DELETE", "/interfaces/eth5", 204, ""},
    {"POST", "/interface-change/commit", 204, ""},
    {"POST", "/interface-change/rollback", 409, LIBVIRT("OPERATION_INVALID")},
    {"GET", "/interfaces/eth5", 404, LIBVIRT("NO_INTERFACE")},
    {"GET", "/interface-change", 405, GATEWAY("method-not-allowed")},
    {"POST", "/interface-change/nosuch", 404, GATEWAY("not-found")},
};

int main(void)
{
    struct scenario s;

    if (scenario_begin(&s, "interface", ARGS("-c", "test:///default"))) {
        scenario_run(&s, show, COUNT(show));
        scenario_run(&s, change, COUNT(change));
        scenario_run(&s, take_back, COUNT(take_back));
        scenario_end(&s);
    }
    return checks_report();
}
