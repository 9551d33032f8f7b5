/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/network/dhcp.c and port.c, as far as the test driver has them; the rest is in
 * tests/qemu/network/.
 */
#include "tests/harness/steps.h"

#define HOSTS "/networks/default/dhcp-hosts"
#define MAC   "52:54:00:00:00:07"

static const struct step hosts[] = {
    {"GET", HOSTS, 200, "{'dhcpHosts':[]}"},
    {"POST", HOSTS, 201, "{'mac':'" MAC "','name':'seven','ip':'192.168.122.7'}",
     .json = "{'mac':'" MAC "','name':'seven','ip':'192.168.122.7'}",
     .wants = {"Location: " HOSTS "/" MAC}},
    {"POST", HOSTS, 201, "{'mac':'52:54:00:00:00:0a','name':'<absent>'}",
     .json = "{'mac':'52:54:00:00:00:0a','ip':'192.168.122.10'}"},
    {"GET", HOSTS, 200,
     "{'dhcpHosts':[{'mac':'" MAC "','name':'seven','ip':'192.168.122.7'},"
     "{'mac':'52:54:00:00:00:0a','ip':'192.168.122.10'}]}"},
    {"GET", HOSTS "?flags=inactive", 200, "{'dhcpHosts':[{'mac':'" MAC "'},'...']}"},
    {"GET", HOSTS "/" MAC, 200, "{'ip':'192.168.122.7'}"},
    {"GET", HOSTS "/52:54:00:00:00:0A", 200, "{'ip':'192.168.122.10'}"},
    {"GET", HOSTS "/52:54:00:00:00:08", 404, GATEWAY("not-found")},
    {"POST", HOSTS, 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'mac':'" MAC "','ip':'192.168.122.7'}"},
    {"POST", HOSTS, 400, GATEWAY("missing-key"), .json = "{'mac':'" MAC "'}"},
    {"POST", HOSTS, 400, GATEWAY("invalid-value"), .contains = "*'ip'*",
     .json = "{'mac':'" MAC "','ip':'192.168.122'}"},
    {"POST", HOSTS, 400, GATEWAY("invalid-value"), .contains = "*'name'*",
     .json = "{'mac':'" MAC "','ip':'192.168.122.7','name':'a\\nb'}"},
    {"POST", HOSTS, 400, GATEWAY("invalid-value"),
     .json = "{'mac':'" MAC "','ip':'192.168.122.7','name':''}"},
    {"POST", HOSTS, 400, GATEWAY("invalid-value"),
     .json = "{'mac':'" MAC "','ip':'192.168.122.7','name':'7a'}"},
    {"POST", HOSTS, 422, LIBVIRT("XML_ERROR"),
     .json = "{'mac':'x','ip':'192.168.122.7'}"},
    {"DELETE", HOSTS "/" MAC, 204, ""},
    {"DELETE", HOSTS "/" MAC, 404, GATEWAY("not-found")},
    {"GET", HOSTS, 200, "{'dhcpHosts':[{'mac':'52:54:00:00:00:0a'}]}"},
    {"GET", "/networks/nosuch/dhcp-hosts", 404, LIBVIRT("NO_NETWORK")},
    {"POST", "/networks/nosuch/dhcp-hosts", 404, LIBVIRT("NO_NETWORK"),
     .json = "{'mac':'" MAC "','ip':'192.168.122.7'}"},
    {"GET", "/networks/nosuch/dhcp-hosts/" MAC, 404, LIBVIRT("NO_NETWORK")},
    {"DELETE", "/networks/nosuch/dhcp-hosts/" MAC, 404, LIBVIRT("NO_NETWORK")},
};

#define UPDATE "/networks/default/update"
static const struct step update[] = {
    {"POST", UPDATE, 204, "",
     .json = "{'command':'add-last','section':'portgroup',"
             "'element':{'portgroup':{'@name':'fast'}}}"},
    {"GET", "/networks/default?fields=portgroups", 200,
     "{'portgroups':[{'name':'fast'}]}"},
    {"POST", UPDATE, 204, "",
     .json = "{'command':'delete','section':'portgroup',"
             "'xml':'<portgroup name=\\u0027fast\\u0027/>'}"},
    {"GET", "/networks/default?fields=portgroups", 200, "{'portgroups':[]}"},
    {"POST", UPDATE, 501, LIBVIRT("OPERATION_UNSUPPORTED"),
     .json =
         "{'command':'modify','section':'bridge','element':{'bridge':{'@name':'b'}}}"},
    {"POST", UPDATE, 422, NULL, .contains = "*'9.x'*",
     .json = "{'command':'add-last','section':'ip-dhcp-range',"
             "'xml':'<range start=\\u00279.x\\u0027 end=\\u0027x\\u0027/>'}"},
    {"POST", UPDATE, 400, GATEWAY("missing-key"), .json = "{'command':'delete'}"},
    {"POST", UPDATE, 400, GATEWAY("unknown-value"), .contains = "*dns-srv*",
     .json = "{'command':'delete','section':'x','xml':'<a/>'}"},
    {"POST", UPDATE, 400, GATEWAY("invalid-value"), .contains = "*'element'*",
     .json = "{'command':'delete','section':'ip'}"},
    {"POST", UPDATE, 400, GATEWAY("invalid-value"),
     .json = "{'command':'delete','section':'ip','element':{'a':{},'b':{}}}"},
    {"POST", UPDATE, 422, GATEWAY("unsafe-xml"),
     .json = "{'command':'delete','section':'ip','xml':'<!DOCTYPE a><a/>'}"},
    {"POST", "/networks/nosuch/update", 404, LIBVIRT("NO_NETWORK"),
     .json = "{'command':'delete','section':'ip','xml':'<ip/>'}"},
};

static const struct step unsupported[] = {
    {"GET", "/networks/nosuch/metadata?type=title", 404, LIBVIRT("NO_NETWORK")},
    {"GET", "/networks/default/metadata?type=title", 501, GATEWAY("not-supported"),
     .lacks = "network-metadata"},
    {"GET", "/networks/default/metadata?type=title", 404, LIBVIRT("NO_NETWORK_METADATA"),
     .needs = "network-metadata"},
    {"PUT", "/networks/default/metadata", 501, GATEWAY("not-supported"),
     .json = "{'type':'title','value':'x'}", .lacks = "network-metadata"},
    {"PUT", "/networks/default/metadata", 204, "",
     .json = "{'type':'title','value':'called so'}", .needs = "network-metadata"},
    {"GET", "/networks/default/metadata?type=title", 200, NULL, .contains = "*called so*",
     .needs = "network-metadata"},
    {"PUT", "/networks/default/metadata", 400, GATEWAY("missing-key"),
     .json = "{'value':'x'}"},
    {"PUT", "/networks/default/metadata", 400, GATEWAY("missing-key"),
     .json = "{'type':'element','value':'<x/>'}"},
    {"DELETE", "/networks/default/metadata?type=title", 501, GATEWAY("not-supported"),
     .lacks = "network-metadata"},
    {"DELETE", "/networks/default/metadata?type=title", 204, "",
     .needs = "network-metadata"},
    {"GET", "/networks/default/dhcp-leases", 501, LIBVIRT("NO_SUPPORT")},
    {"GET", "/networks/nosuch/dhcp-leases?mac=52:54:00:00:00:07", 404,
     LIBVIRT("NO_NETWORK")},
    {"GET", "/networks/default/ports", 501, LIBVIRT("NO_SUPPORT")},
    {"GET", "/networks/default/ports/00000000-0000-4000-8000-000000000001", 501,
     LIBVIRT("NO_SUPPORT")},
    {"GET", "/networks/default/ports/x", 404, GATEWAY("not-found"), .contains = "*uuid*"},
    {"GET", "/networks/nosuch/ports", 404, LIBVIRT("NO_NETWORK")},
    {"POST", "/networks/default/ports", 501, LIBVIRT("NO_SUPPORT"),
     .json = "{'networkport':{'owner':{'name':'x'}}}"},
    {"POST", "/networks/default/ports?dryRun=true", 200, NULL,
     .json = "{'networkport':{'owner':{'name':'x'}}}", .contains = "*<networkport>*"},
};

int main(void)
{
    struct scenario s;

    if (scenario_begin(&s, "network_dhcp", ARGS("-c", "test:///default"))) {
        scenario_run(&s, hosts, COUNT(hosts));
        scenario_run(&s, update, COUNT(update));
        scenario_run(&s, unsupported, COUNT(unsupported));
        scenario_end(&s);
    }
    return checks_report();
}
