/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/network/network.c, and what all kinds of objects share (object_class.h): list,
 * define, show, change, start, stop, autostart, events, memory.
 */
#include "tests/harness/steps.h"

#include <stdio.h>
#include <stdlib.h>

#define UUID  "dd8fe884-6c02-601e-7551-cca97df1c5df"
#define OTHER "00000000-0000-4000-8000-000000000009"
#define NETWORK(name)                                                                    \
    "<network><name>" name "</name><forward mode='nat'/>"                                \
    "<ip address='192.168.77.1' netmask='255.255.255.0'><dhcp>"                          \
    "<range start='192.168.77.2' end='192.168.77.9'/>"                                   \
    "<host mac='52:54:00:00:00:01' name='a' ip='192.168.77.5'/></dhcp></ip></network>"
#define NETWORK_UUID(name, uuid)                                                         \
    "<network><name>" name "</name><uuid>" uuid "</uuid></network>"

static const struct step show[] = {
    {"GET", "/networks", 200,
     "{'networks':[{'name':'default','uuid':'" UUID
     "','active':true,'persistent':true,'autostart':'<absent>','bridge':'<absent>'}],"
     "'next':'<absent>'}",
     .wants = {"ETag: \"*\"", "!Link"}},
    {"GET", "/networks?uuid=" UUID, 200, "{'networks':[{'name':'default'}]}"},
    {"GET", "/networks?uuid=00000000-0000-4000-8000-000000000000", 200,
     "{'networks':[]}"},
    {"GET", "/networks?uuid=default", 400, GATEWAY("invalid-value"),
     .contains = "*UUID*"},
    {"GET", "/networks?view=full", 200,
     "{'networks':[{'name':'default','autostart':'<bool>','bridge':'virbr0',"
     "'ips':'<absent>'}]}"},
    {"GET", "/networks?fields=forwardMode,ips", 200,
     "{'networks':[{'name':'<absent>','forwardMode':'nat',"
     "'ips':[{'family':'ipv4','address':'192.168.122.1','netmask':'255.255.255.0','"
     "prefix':24,"
     "'dhcp':{'ranges':[{'start':'192.168.122.2','end':'192.168.122.254'}],"
     "'hosts':[]}}]}]}"},
    {"GET", "/networks/default", 200,
     "{'name':'default','uuid':'" UUID "','active':true,'persistent':true,"
     "'autostart':'<bool>','bridge':'virbr0','forwardMode':'nat','ips':'<array>'}",
     .wants = {"X-Virtgate-Source: libvirt"}},
    {"GET", "/networks/" UUID, 200, "{'name':'default'}"},
    {"GET", "/networks/default?by=name", 200, "{'name':'default'}"},
    {"GET", "/networks/" UUID "?by=uuid", 200, "{'name':'default'}"},
    {"GET", "/networks/" UUID "?by=name", 404, LIBVIRT("NO_NETWORK")},
    {"GET", "/networks/default?by=uuid", 400, GATEWAY("invalid-value")},
    {"GET", "/networks/default?by=id", 400, GATEWAY("unknown-value"),
     .contains = "*name, uuid*"},
    {"GET", "/networks/default?fields=uuid,bridge", 200,
     "{'uuid':'" UUID "','bridge':'virbr0','name':'<absent>'}"},
    {"GET", "/networks/default?view=full", 200,
     "{'name':'default','usedBy':[{'name':'test','devices':['testnet0']}]}"},
    {"GET", "/networks/default?view=config", 200,
     "{'network':{'name':'default','bridge':{'@name':'virbr0'},'ip':'<array>'}}"},
    {"GET", "/networks/default", 200, NULL, .headers = {"Accept: application/xml"},
     .wants = {"Content-Type: application/xml*"}, .contains = "<network*default*"},
    {"GET", "/networks/default/xml", 200, NULL,
     .wants = {"Content-Type: application/xml*"}, .contains = "<network*default*"},
    {"GET", "/networks/default?view=config&fields=name", 400, GATEWAY("invalid-value")},
    {"GET", "/networks/default?flags=inactive", 400, GATEWAY("invalid-value")},
    {"GET", "/networks/default?fields=nosuch", 400, GATEWAY("unknown-flag"),
     .contains = "*forwardMode*"},
    {"GET", "/networks/nosuch", 404, LIBVIRT("NO_NETWORK")},
    {"GET", "/networks/nosuch/xml", 404, LIBVIRT("NO_NETWORK")},
    {"GET", "/networks/nosuch/autostart", 404, LIBVIRT("NO_NETWORK")},
    {"GET", "/networks/nosuch/events", 404, LIBVIRT("NO_NETWORK")},
    {"GET", "/networks/00000000-0000-4000-8000-000000000000", 404, LIBVIRT("NO_NETWORK")},
    {"GET", "/networks/default/autostart", 200, "{'autostart':'<bool>'}"},
};

#define TIMES8(x) x x x x x x x x
#define LONG_NAME TIMES8(TIMES8("seventeen letters"))
#define LONG_UUID "00000000-0000-4000-8000-00000000107e"

static const struct step define[] = {
    {"POST", "/networks", 201,
     "{'name':'alpha','uuid':'$alpha','active':false,'persistent':true,"
     "'autostart':false,'forwardMode':'nat','ips':[{'dhcp':{'hosts':["
     "{'mac':'52:54:00:00:00:01','name':'a','ip':'192.168.77.5'}]}}]}",
     .xml = NETWORK("alpha"), .wants = {"Location: /networks/alpha"}},
    {"POST", "/networks", 201, "{'name':'beta'}",
     .json = "{'xml':'<network><name>beta</name></network>'}"},
    {"POST", "/networks?start=true", 201,
     "{'name':'gamma','active':true,'autostart':true,'forwardMode':null}",
     .json = "{'network':{'name':'gamma'},'autostart':true}"},
    {"POST", "/networks?transient=true", 201,
     "{'name':'delta','active':true,'persistent':false}",
     .xml = "<network><name>delta</name></network>"},
    {"GET", "/networks?fields=name", 200,
     "{'networks':[{'name':'alpha'},{'name':'beta'},{'name':'default'},"
     "{'name':'delta'},{'name':'gamma'}]}"},
    /* taken names and UUIDs */
    {"POST", "/networks", 409, NULL, .xml = NETWORK_UUID("alpha", OTHER)},
    {"POST", "/networks", 409, NULL, .xml = NETWORK_UUID("epsilon", UUID)},
    {"POST", "/networks", 412, GATEWAY("precondition-failed"),
     .xml = NETWORK_UUID("alpha", "${alpha}"), .headers = {"If-None-Match: *"}},
    {"POST", "/networks", 200, "{'name':'alpha','uuid':'${alpha}'}",
     .xml = NETWORK_UUID("alpha", "${alpha}"), .wants = {"Location: /networks/alpha"}},
    {"POST", "/networks", 201, "{'name':'epsilon'}",
     .xml = "<network><name>epsilon</name></network>", .headers = {"If-None-Match: *"}},
    {"DELETE", "/networks/epsilon", 204, ""},
    /* a name that makes too long a path */
    {"POST", "/networks", 201, "{'uuid':'" LONG_UUID "'}",
     .xml = NETWORK_UUID(LONG_NAME, LONG_UUID),
     .wants = {"Location: /networks/" LONG_UUID}},
    {"DELETE", "/networks/" LONG_UUID, 204, ""},
    /* only shown */
    {"POST", "/networks?dryRun=true", 200, NULL, .xml = NETWORK("zeta"),
     .contains = "*<name>zeta</name>*"},
    {"GET", "/networks/zeta", 404, LIBVIRT("NO_NETWORK")},
    {"POST", "/networks?dryRun=true", 400, GATEWAY("invalid-value"), .xml = "<domain/>",
     .contains = "*<network>*"},
    /* what is none */
    {"POST", "/networks", 400, NULL, .xml = "<network"},
    {"POST", "/networks", 422, NULL, .xml = "<network></network>"},
    /* what libvirt calls an internal or a system error */
    {"POST", "/networks", 422, NULL, .contains = "*uuid*",
     .xml = "<network><name>zeta</name><uuid>x</uuid></network>"},
    {"POST", "/networks", 422, NULL, .contains = "*'9.x'*",
     .xml = "<network><name>zeta</name><ip address='192.168.9.1' prefix='24'><dhcp>"
            "<range start='9.x' end='192.168.9.9'/></dhcp></ip></network>"},
    {"POST", "/networks", 400, GATEWAY("missing-key"), .json = "{}"},
    {"POST", "/networks", 400, GATEWAY("invalid-value"),
     .json = "{'xml':'<network/>','network':{}}"},
    {"POST", "/networks", 400, GATEWAY("invalid-value"), .json = "{'network':1}"},
    {"POST", "/networks", 400, GATEWAY("unknown-key"), .json = "{'nosuch':1}"},
    {"POST", "/networks?transient=true&autostart=true", 400, GATEWAY("invalid-value"),
     .xml = NETWORK("zeta")},
    {"POST", "/networks?flags=nosuch", 400, GATEWAY("unknown-flag"),
     .xml = NETWORK("zeta")},
};

static const struct step lists[] = {
    {"GET", "/networks?state=inactive", 200,
     "{'networks':[{'name':'alpha'},{'name':'beta'}]}"},
    {"GET", "/networks?state=active,inactive&fields=name,active", 200,
     "{'networks':[{'name':'alpha','active':false},{'active':false},{'active':true},"
     "{'active':true},{'active':true}]}"},
    {"GET", "/networks?persistent=false", 200,
     "{'networks':[{'name':'delta','active':true,'persistent':false}]}"},
    {"GET", "/networks?autostart=true&name=g*", 200, "{'networks':[{'name':'gamma'}]}"},
    {"GET", "/networks?flags=inactive", 200,
     "{'networks':[{'name':'alpha','active':false},{'name':'beta','active':false}]}"},
    {"GET", "/networks?flags=inactive&state=active", 200, "{'networks':[]}"},
    {"GET", "/networks?name=?e*", 200,
     "{'networks':[{'name':'beta'},{'name':'default'},{'name':'delta'}]}"},
    {"GET", "/networks?limit=2&fields=active", 200,
     "{'networks':[{'name':'alpha','active':false},{'name':'beta'}],'next':'beta'}",
     .wants = {"Link: </networks?*after=beta*>; rel=\"next\""}},
    {"GET", "/networks?limit=9&after=beta", 200,
     "{'networks':[{'name':'default'},{'name':'delta'},{'name':'gamma'}],"
     "'next':'<absent>'}",
     .wants = {"!Link"}},
    {"GET", "/networks?state=running", 400, GATEWAY("unknown-flag"),
     .contains = "*active, inactive*"},
    {"GET", "/networks?type=dir", 400, GATEWAY("unknown-key")},
    {"GET", "/networks?limit=0", 400, GATEWAY("invalid-value")},
    {"GET", "/hosts/-/networks?limit=1", 200,
     "{'networks':[{'name':'alpha','host':'default'}],'unreachable':[],'next':'alpha'}"},
    {"GET", "/hosts/default/networks?limit=1", 200, "{'networks':[{'name':'alpha'}]}"},
    {"POST", "/hosts/-/networks", 405, GATEWAY("method-not-allowed"),
     .xml = NETWORK("x")},
    {"GET", "/hosts/-/networks/default", 404, GATEWAY("not-found")},
};

static const struct step change[] = {
    {"POST", "/networks/alpha/start", 204, ""},
    {"GET", "/networks/alpha?fields=active", 200, "{'active':true}"},
    {"POST", "/networks/alpha/start", 409, LIBVIRT("OPERATION_INVALID")},
    {"POST", "/networks/alpha/destroy", 204, ""},
    {"POST", "/networks/nosuch/start", 404, LIBVIRT("NO_NETWORK")},
    {"POST", "/networks/nosuch/destroy", 404, LIBVIRT("NO_NETWORK")},
    {"DELETE", "/networks/nosuch", 404, LIBVIRT("NO_NETWORK")},
    {"POST", "/networks/delta/destroy", 204, ""},
    {"GET", "/networks/delta", 404, LIBVIRT("NO_NETWORK")},
    {"PUT", "/networks/alpha/autostart", 200, "{'autostart':true}",
     .json = "{'autostart':true}"},
    {"PUT", "/networks/alpha/autostart", 400, GATEWAY("missing-key"), .json = "{}"},
    {"PUT", "/networks/nosuch/autostart", 404, LIBVIRT("NO_NETWORK"),
     .json = "{'autostart':true}"},
    {"GET", "/networks/alpha/autostart", 200, "{'autostart':true}"},
    {"PATCH", "/networks/alpha", 200, "{'autostart':false}",
     .json = "{'autostart':false}"},
    {"PATCH", "/networks/alpha", 200, "{'domain':'lab.example','uuid':'${alpha}'}",
     .json = "{'network':{'domain':{'@name':'lab.example'}}}"},
    {"PATCH", "/networks/alpha", 200, "{'domain':'<absent>'}",
     .json = "{'network':{'domain':null}}"},
    {"PATCH", "/networks/alpha", 400, GATEWAY("missing-key"), .json = "{}"},
    {"PATCH", "/networks/alpha", 400, GATEWAY("invalid-value"),
     .json = "{'autostart':true,'network':{}}"},
    {"PATCH", "/networks/alpha", 409, GATEWAY("conflict"),
     .json = "{'network':{'name':'other'}}"},
    {"PATCH", "/networks/nosuch", 404, LIBVIRT("NO_NETWORK"),
     .json = "{'autostart':true}"},
    {"PUT", "/networks/alpha", 200, "{'name':'alpha','mtu':1400}",
     .json = "{'network':{'name':'alpha','uuid':'${alpha}','mtu':{'@size':1400}}}"},
    {"PUT", "/networks/alpha", 400, GATEWAY("missing-key"), .json = "{}"},
    {"PUT", "/networks/alpha", 409, GATEWAY("conflict"),
     .json = "{'network':{'name':'beta'}}"},
    {"PUT", "/networks/alpha", 422, NULL,
     .json = "{'network':{'name':'alpha','uuid':'${alpha}','forward':{'@mode':'x'}}}"},
    {"PUT", "/networks/alpha", 422, NULL,
     .json =
         "{'network':{'name':'alpha','uuid':'${alpha}','ip':[{'@address':"
         "'192.168.9.1','@prefix':24,'dhcp':{'bootp':{'@file':'a','@server':'9.x'}}}]}}"},
    {"PUT", "/networks/nosuch", 404, LIBVIRT("NO_NETWORK"),
     .json = "{'network':{'name':'alpha'}}"},
    {"PUT", "/networks/alpha/xml", 200, "{'name':'alpha','mtu':'<absent>'}",
     .xml = NETWORK_UUID("alpha", "${alpha}")},
    {"PUT", "/networks/alpha/xml", 409, GATEWAY("conflict"),
     .xml = NETWORK_UUID("beta", "${alpha}")},
    {"PUT", "/networks/alpha/xml", 409, GATEWAY("conflict"),
     .xml = NETWORK_UUID("alpha", UUID)},
    {"PUT", "/networks/nosuch/xml", 404, LIBVIRT("NO_NETWORK"), .xml = NETWORK("nosuch")},
};

/* If-Match guards what PUT and PATCH change. */
static void check_conditions(struct scenario *s)
{
    char *match = scenario_if_match(s, "/networks/alpha");
    const struct step rows[] = {
        {"PATCH", "/networks/alpha", 200, "{'domain':'one'}",
         .json = "{'network':{'domain':{'@name':'one'}}}", .headers = {match}},
        {"PATCH", "/networks/alpha", 412, GATEWAY("precondition-failed"),
         .json = "{'network':{'domain':{'@name':'two'}}}", .headers = {match}},
        {"GET", "/networks/alpha", 200, "{'domain':'one'}"},
        {"DELETE", "/networks/alpha", 412, GATEWAY("precondition-failed"),
         .headers = {match}},
    };
    scenario_run(s, rows, COUNT(rows));
    free(match);
}

/* The list is given from memory until a network changes; what of a domain changes leaves
 * it there. */
static void check_memory(struct scenario *s)
{
    static const struct step from_memory = {"GET", "/networks", 200, NULL,
                                            .wants = {"X-Virtgate-Source: inventory"}};
    static const struct step domains_from_memory = {
        "GET", "/domains", 200, NULL, .wants = {"X-Virtgate-Source: inventory"}};
    static const struct step other[] = {
        {"POST", "/domains/test/suspend", 204, ""},
        {"GET", "/networks", 200, NULL, .wants = {"X-Virtgate-Source: inventory"}},
        {"POST", "/domains/test/resume", 204, ""},
        {"GET", "/networks", 200, NULL, .wants = {"X-Virtgate-Source: inventory"}},
        {"GET", "/networks", 200, NULL, .headers = {"Cache-Control: no-cache"},
         .wants = {"X-Virtgate-Source: libvirt"}},
    };
    static const struct step own[] = {
        {"POST", "/networks/beta/start", 204, ""},
        {"GET", "/networks?name=beta", 200, "{'networks':[{'active':true}]}",
         .wants = {"X-Virtgate-Source: libvirt"}},
        {"GET", "/networks", 200, NULL, .wants = {"X-Virtgate-Source: libvirt"}},
        {"GET", "/domains", 200, NULL, .wants = {"X-Virtgate-Source: inventory"}},
        {"GET", "/networks?view=full", 200, NULL},
        {"GET", "/networks?view=full", 200, NULL,
         .wants = {"X-Virtgate-Source: libvirt"}},
        {"GET", "/networks?autostart=true", 200, NULL},
        {"GET", "/networks?autostart=true", 200, NULL,
         .wants = {"X-Virtgate-Source: libvirt"}},
        {"POST", "/networks/beta/destroy", 204, ""},
    };

    scenario_until(s, &from_memory, 5);
    scenario_run(s, other, COUNT(other));
    scenario_until(s, &domains_from_memory, 5);
    scenario_run(s, own, COUNT(own));
}

/* List, change, watch: only this network's events, also when it has gone. */
static void check_events(struct scenario *s)
{
    static const struct step gone[] = {
        {"POST", "/networks/alpha/destroy", 204, ""},
        {"DELETE", "/networks/alpha", 204, ""},
        {"GET", "/networks/alpha", 404, LIBVIRT("NO_NETWORK")},
        {"GET", "/networks/alpha/events?event=nosuch", 404, LIBVIRT("NO_NETWORK")},
        {"GET", "/networks/beta/events?event=nosuch", 400, GATEWAY("unknown-value")},
    };
    struct response *list = scenario_send(s, "GET", "/networks", NULL, NULL);
    char *since = response_header(list, "X-Virtgate-Revision");
    char path[128];

    snprintf(path, sizeof(path), "/networks/alpha/events?wait=5&since=%s",
             since ? since : "");
    const struct step watch[] = {
        {"POST", "/networks/beta/start", 204, ""},
        {"POST", "/networks/alpha/start", 204, ""},
        {"GET", path, 200,
         "{'events':[{'object':'network','event':'lifecycle','type':'started',"
         "'network':{'name':'alpha'}}],'revision':'<string>'}"},
    };
    scenario_run(s, watch, COUNT(watch));
    free(since);
    response_free(list);
    scenario_run(s, gone, COUNT(gone));
}

int main(void)
{
    struct scenario s;

    if (scenario_begin(&s, "network", ARGS("-c", "test:///default"))) {
        scenario_run(&s, show, COUNT(show));
        scenario_run(&s, define, COUNT(define));
        scenario_run(&s, lists, COUNT(lists));
        scenario_run(&s, change, COUNT(change));
        check_conditions(&s);
        check_memory(&s);
        check_events(&s);
        scenario_end(&s);
    }
    return checks_report();
}
