/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/node_device/ on the test driver: it has a machine and host bus adapters, makes
 * and ends virtual ones, tells of them by events, and knows nothing of active devices,
 * definitions and PCI.
 */
#include "tests/harness/steps.h"

#include <stdio.h>
#include <stdlib.h>

#define VHBA(wwpn)                                                                       \
    "<device><parent>scsi_host1</parent><capability type='scsi_host'>"                   \
    "<capability type='fc_host'><wwnn>2000000012341234</wwnn><wwpn>" wwpn                \
    "</wwpn></capability></capability></device>"
#define MDEV                                                                             \
    "<device><parent>computer</parent><capability type='mdev'><type id='t'/>"            \
    "</capability></device>"

static const struct step show[] = {
    {"GET", "/node-devices", 200,
     "{'nodeDevices':[{'name':'computer','parent':'<absent>'},{'name':'scsi_host1'},"
     "{'name':'scsi_host11'},{'name':'scsi_host2'}],'next':'<absent>'}",
     .wants = {"ETag: \"*\"", "!Link"}},
    {"GET", "/node-devices?view=full&name=c*", 200,
     "{'nodeDevices':[{'name':'computer','parent':null,'capabilities':['system'],"
     "'capability':[{'@type':'system','hardware':{'vendor':'Libvirt'}}],"
     "'path':'<absent>','driver':'<absent>'}]}"},
    {"GET", "/node-devices?fields=parent&limit=2&after=computer", 200,
     "{'nodeDevices':[{'name':'scsi_host1','parent':'computer'},"
     "{'name':'scsi_host11','parent':'scsi_host1'}],'next':'scsi_host11'}"},
    {"GET", "/node-devices?capability=system", 200,
     "{'nodeDevices':[{'name':'computer'}]}"},
    {"GET", "/node-devices?capability=system,scsi_host&limit=2", 200,
     "{'nodeDevices':[{'name':'computer'},{'name':'scsi_host1'}]}"},
    {"GET", "/node-devices?capability=pci", 200, "{'nodeDevices':[]}"},
    {"GET", "/node-devices?capability=system&flags=cap-scsi-host", 200,
     "{'nodeDevices':[]}"},
    {"GET", "/node-devices?flags=cap-system", 200,
     "{'nodeDevices':[{'name':'computer'}]}"},
    {"GET", "/node-devices?capability=nosuch", 400, GATEWAY("unknown-flag"),
     .contains = "*usb_device*mdev_types*"},
    /* the driver refuses these two */
    {"GET", "/node-devices?state=active", 400, LIBVIRT("INVALID_ARG"),
     .lacks = "list-active-devices"},
    {"GET", "/node-devices?state=active", 200, "{'nodeDevices':'<array>'}",
     .needs = "list-active-devices"},
    {"GET", "/node-devices?wwnn=2000000012341234&wwpn=1000000012341234", 501,
     LIBVIRT("NO_SUPPORT")},
    {"GET", "/node-devices?wwnn=2000000012341234", 400, GATEWAY("missing-key")},
    {"GET", "/node-devices?persistent=true", 501, LIBVIRT("NO_SUPPORT"),
     .lacks = "tell-persistent-devices"},
    {"GET", "/node-devices?persistent=true", 200, "{'nodeDevices':'<array>'}",
     .needs = "tell-persistent-devices"},
    {"GET", "/node-devices?wwpn=2000000012341234", 400, GATEWAY("missing-key")},
    {"GET", "/node-devices?autostart=true", 400, GATEWAY("unknown-key"),
     .contains = "*wwnn*"},
    {"GET", "/node-devices/scsi_host1", 200,
     "{'name':'scsi_host1','parent':'computer','capabilities':['scsi_host'],"
     "'capability':[{'@type':'scsi_host','host':'1'}]}"},
    {"GET", "/node-devices/scsi_host1?by=name", 200, "{'name':'scsi_host1'}"},
    {"GET", "/node-devices/scsi_host1?by=uuid", 400, GATEWAY("unknown-value")},
    {"GET", "/node-devices/scsi_host1?fields=name,parent", 200,
     "{'name':'scsi_host1','parent':'computer','capabilities':'<absent>'}"},
    {"GET", "/node-devices/scsi_host1?view=config", 200,
     "{'device':{'name':'scsi_host1','capability':[{'@type':'scsi_host'}]}}"},
    {"GET", "/node-devices/scsi_host1/xml", 200, NULL,
     .wants = {"Content-Type: application/xml*"}, .contains = "<device>*scsi_host1*"},
    {"GET", "/node-devices/nosuch", 404, LIBVIRT("NO_NODE_DEVICE")},
    {"GET", "/node-devices/nosuch/xml", 404, LIBVIRT("NO_NODE_DEVICE")},
    {"GET", "/node-devices/nosuch/autostart", 404, LIBVIRT("NO_NODE_DEVICE")},
    {"GET", "/node-devices/nosuch/events", 404, LIBVIRT("NO_NODE_DEVICE")},
    {"GET", "/hosts/-/node-devices?limit=1", 200,
     "{'nodeDevices':[{'name':'computer','host':'default'}],'unreachable':[]}"},
};

static const struct step change[] = {
    {"GET", "/events?object=node-device&wait=0", 200, "{'revision':'$start'}"},
    {"POST", "/node-devices?transient=true", 201,
     "{'name':'$vhba','parent':'scsi_host1','capabilities':['scsi_host']}",
     .xml = VHBA("1000000012341235"), .wants = {"Location: /node-devices/scsi_host*"}},
    {"GET", "/node-devices/${vhba}", 200, "{'name':'${vhba}'}"},
    {"POST", "/node-devices/${vhba}/destroy", 204, ""},
    {"GET", "/node-devices/${vhba}", 404, LIBVIRT("NO_NODE_DEVICE")},
    {"POST", "/node-devices/nosuch/destroy", 404, LIBVIRT("NO_NODE_DEVICE")},
    {"POST", "/node-devices?dryRun=true", 200, NULL, .xml = MDEV, .contains = "*mdev*"},
    {"POST", "/node-devices?dryRun=true", 400, GATEWAY("invalid-value"),
     .xml = "<network/>"},
    /* what libvirt calls an internal error of its own */
    {"POST", "/node-devices?transient=true", 422, NULL, .xml = "<device/>"},
    {"POST", "/node-devices?transient=true", 422, NULL,
     .xml = "<device><parent>scsi_host1</parent><capability type='scsi_host'/></device>"},
    {"POST", "/node-devices?transient=true", 422, NULL, .contains = "*parent*",
     .xml = "<device><parent>nosuch</parent><capability type='scsi_host'>"
            "<capability type='fc_host'><wwnn>2000000012341234</wwnn>"
            "<wwpn>1000000012341237</wwpn></capability></capability></device>"},
    {"POST", "/node-devices", 400, GATEWAY("missing-key"), .json = "{}"},
    {"POST", "/node-devices?transient=true&autostart=true", 400, GATEWAY("invalid-value"),
     .xml = MDEV},
    {"PUT", "/node-devices/computer", 405, GATEWAY("method-not-allowed"), .json = "{}"},
    /* what it has not */
    {"POST", "/node-devices", 501, LIBVIRT("NO_SUPPORT"), .xml = MDEV},
    {"DELETE", "/node-devices/computer", 501, LIBVIRT("NO_SUPPORT")},
    {"POST", "/node-devices/computer/start", 501, LIBVIRT("NO_SUPPORT")},
    {"GET", "/node-devices/computer/autostart", 501, LIBVIRT("NO_SUPPORT")},
    {"PUT", "/node-devices/computer/autostart", 501, LIBVIRT("NO_SUPPORT"),
     .json = "{'autostart':true}"},
    {"PUT", "/node-devices/computer/autostart", 400, GATEWAY("missing-key"),
     .json = "{}"},
    {"POST", "/node-devices/computer/detach", 501, LIBVIRT("NO_SUPPORT"),
     .json = "{'driver':'vfio'}"},
    {"POST", "/node-devices/computer/detach", 400, NULL, .json = "{'driver':1}"},
    {"POST", "/node-devices/computer/detach", 501, LIBVIRT("NO_SUPPORT")},
    {"POST", "/node-devices/computer/reattach", 501, LIBVIRT("NO_SUPPORT")},
    {"POST", "/node-devices/computer/reset", 501, LIBVIRT("NO_SUPPORT")},
    {"POST", "/node-devices/nosuch/detach", 404, LIBVIRT("NO_NODE_DEVICE")},
    {"POST", "/node-devices/nosuch/reattach", 404, LIBVIRT("NO_NODE_DEVICE")},
    {"POST", "/node-devices/nosuch/reset", 404, LIBVIRT("NO_NODE_DEVICE")},
};

/* What events cover is given from memory until a device comes or goes. */
static void check_memory(struct scenario *s)
{
    static const struct step from_memory[] = {
        {"GET", "/node-devices", 200, NULL, .wants = {"X-Virtgate-Source: inventory"}},
        {"GET", "/node-devices?fields=name,parent,capabilities&capability=scsi_host", 200,
         NULL, .wants = {"X-Virtgate-Source: inventory"}},
        {"GET", "/node-devices/computer?fields=parent", 200, "{'parent':null}",
         .wants = {"X-Virtgate-Source: inventory"}},
    };
    static const struct step own[] = {
        {"GET", "/node-devices?view=full", 200, NULL},
        {"GET", "/node-devices?view=full", 200, NULL,
         .wants = {"X-Virtgate-Source: libvirt"}},
        {"POST", "/node-devices?transient=true", 201, "{'name':'$vhba'}",
         .xml = VHBA("1000000012341236")},
        {"GET", "/node-devices?fields=name&name=${vhba}", 200,
         "{'nodeDevices':[{'name':'${vhba}'}]}"},
        {"GET", "/node-devices", 200, NULL, .wants = {"X-Virtgate-Source: libvirt"}},
        {"POST", "/node-devices/${vhba}/destroy", 204, ""},
        {"GET", "/node-devices?name=${vhba}", 200, "{'nodeDevices':[]}"},
    };

    for (size_t i = 0; i < COUNT(from_memory); i++)
        scenario_until(s, &from_memory[i], 5);
    scenario_run(s, own, COUNT(own));
}

/* List, change, watch; what was before has been told by then. */
static void check_events(struct scenario *s)
{
    static const struct step told = {
        "GET", "/events?object=node-device&wait=0&since=${start}", 200,
        "{'events':[{'type':'created'},{'type':'deleted'},{'type':'created'},"
        "{'type':'deleted'}]}"};

    scenario_until(s, &told, 5);
    struct response *list = scenario_send(s, "GET", "/node-devices", NULL, NULL);
    char *since = response_header(list, "X-Virtgate-Revision");
    char path[128], one[128], other[128];

    snprintf(path, sizeof(path), "/events?object=node-device&wait=5&since=%s",
             since ? since : "");
    snprintf(one, sizeof(one), "/node-devices/${vhba}/events?wait=5&since=%s",
             since ? since : "");
    snprintf(other, sizeof(other), "/node-devices/scsi_host1/events?wait=0&since=%s",
             since ? since : "");
    const struct step watch[] = {
        {"POST", "/node-devices?transient=true", 201, "{'name':'$vhba'}",
         .xml = VHBA("1000000012341237")},
        {"GET", path, 200,
         "{'events':[{'object':'node-device','event':'lifecycle','type':'created',"
         "'nodeDevice':{'name':'${vhba}'}}],'revision':'$revision'}"},
        {"GET", one, 200, "{'events':[{'type':'created'}],'revision':'${revision}'}"},
        {"GET", other, 200, "{'events':[],'revision':'${revision}'}"},
        {"POST", "/node-devices/${vhba}/destroy", 204, ""},
        {"GET", "/node-devices/${vhba}/events", 404, LIBVIRT("NO_NODE_DEVICE")},
        {"GET", "/events?object=node-device&wait=5&since=${revision}", 200,
         "{'events':[{'type':'deleted','nodeDevice':{'name':'${vhba}'}}]}"},
    };
    scenario_run(s, watch, COUNT(watch));
    free(since);
    response_free(list);
}

int main(void)
{
    struct scenario s;

    if (scenario_begin(&s, "node_device", ARGS("-c", "test:///default"))) {
        scenario_run(&s, show, COUNT(show));
        scenario_run(&s, change, COUNT(change));
        check_memory(&s);
        check_events(&s);
        scenario_end(&s);
    }
    return checks_report();
}
