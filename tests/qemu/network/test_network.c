/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/network/ on a real libvirtd, in a network namespace of its own, with dnsmasq: a
 * network from its short form, what changes while it runs, its ports, and a guest that
 * asks for an address.
 */
#include "tests/qemu/guest.h"

#define HOSTS "/networks/lab/dhcp-hosts"
#define MAC   "52:54:00:00:00:07"

static const struct step define[] = {
    {"POST", "/networks", 201,
     "{'name':'lab','active':true,'persistent':true,'autostart':true,"
     "'bridge':'~virbr*','forwardMode':null,'ips':[{'family':'ipv4',"
     "'address':'192.168.50.1','prefix':24,'dhcp':{'ranges':'<array>','hosts':[]}}]}",
     .json = "{'name':'lab','mode':'isolated','subnet':'192.168.50.0/24','start':true,"
             "'autostart':true,'domain':'lab.example'}"},
    {"GET", "/networks?fields=name,active,persistent,autostart", 200,
     "{'networks':[{'name':'lab','active':true,'persistent':true,'autostart':true}]}"},
    {"POST", "/networks/lab/start", 409, LIBVIRT("OPERATION_INVALID")},
    /* the same subnet cannot be started: what was new is gone again */
    {"POST", "/networks", 409, LIBVIRT("INTERNAL_ERROR"),
     .json = "{'name':'twin','mode':'isolated','subnet':'192.168.50.0/24',"
             "'start':true}"},
    {"GET", "/networks/twin", 404, LIBVIRT("NO_NETWORK")},
    /* a free one is found beside it */
    {"POST", "/networks", 201, "{'name':'free','active':true}",
     .json = "{'name':'free','mode':'isolated','start':true}"},
    {"POST", "/networks/free/destroy", 204, ""},
    {"POST", "/networks/free/destroy", 409, LIBVIRT("OPERATION_INVALID")},
    {"DELETE", "/networks/free", 204, ""},
};

static const struct step change[] = {
    /* of what runs and of what it is started with next */
    {"POST", HOSTS, 201, "{'mac':'" MAC "','ip':'192.168.50.7'}",
     .json = "{'mac':'" MAC "','ip':'192.168.50.7','name':'seven'}"},
    {"GET", HOSTS, 200, "{'dhcpHosts':[{'mac':'" MAC "'}]}"},
    {"GET", HOSTS "?flags=inactive", 200, "{'dhcpHosts':[{'mac':'" MAC "'}]}"},
    {"POST", HOSTS, 201, NULL,
     .json = "{'mac':'52:54:00:00:00:08','ip':'192.168.50.8','flags':['config']}"},
    {"GET", HOSTS, 200, "{'dhcpHosts':[{'mac':'" MAC "'}]}"},
    {"GET", HOSTS "?flags=inactive", 200, "{'dhcpHosts':['<object>','<object>']}"},
    {"DELETE", HOSTS "/52:54:00:00:00:08", 204, ""},
    {"DELETE", HOSTS "/52:54:00:00:00:08", 404, GATEWAY("not-found")},
    {"POST", "/networks/lab/update", 204, "",
     .json = "{'command':'add-last','section':'dns-host',"
             "'element':{'host':{'@ip':'192.168.50.9','hostname':['nine']}},"
             "'flags':['live','config']}"},
    {"GET", "/networks/lab/xml?flags=inactive", 200, NULL, .contains = "*nine*"},
    {"POST", "/networks/lab/update", 501, LIBVIRT("OPERATION_UNSUPPORTED"),
     .json =
         "{'command':'modify','section':'domain','element':{'domain':{'@name':'x'}}}"},
    /* what it is started with next is guarded, too */
    {"PATCH", "/networks/lab", 200, "{'name':'lab'}",
     .json = "{'network':{'domain':{'@name':'next.example'}}}"},
    {"GET", "/networks/lab", 200, "{'domain':'lab.example'}"},
    {"GET", "/networks/lab?view=config&flags=inactive", 200,
     "{'network':{'domain':{'@name':'next.example'}}}"},
};

#define PORTS "/networks/lab/ports"
static const struct step ports[] = {
    {"GET", PORTS, 200, "{'ports':[]}"},
    {"POST", PORTS, 201,
     "{'uuid':'$port','owner':{'name':'web1',"
     "'uuid':'8b4a2a70-3f4b-4a53-9d0c-3f6f0e0f7c11'},'mac':'52:54:00:00:00:09',"
     "'plug':{'bridge':'~virbr*'},'bandwidth':{'inbound':{'average':1000}}}",
     .json = "{'networkport':{'owner':{'name':'web1',"
             "'uuid':'8b4a2a70-3f4b-4a53-9d0c-3f6f0e0f7c11'},"
             "'mac':{'@address':'52:54:00:00:00:09'},"
             "'bandwidth':{'inbound':{'@average':1000}}}}",
     .wants = {"Location: " PORTS "/*"}},
    {"GET", PORTS, 200, "{'ports':[{'uuid':'${port}','mac':'<absent>'}]}"},
    {"GET", PORTS "?view=full", 200, "{'ports':[{'mac':'52:54:00:00:00:09'}]}"},
    {"GET", PORTS "/${port}", 200, "{'uuid':'${port}'}"},
    {"GET", PORTS "/${port}/xml", 200, NULL, .contains = "<networkport*"},
    {"GET", PORTS "/${port}?view=config", 200, "{'networkport':{'uuid':'${port}'}}"},
    {"GET", PORTS "/${port}/parameters", 200, "{'inbound':{'average':1000}}"},
    {"PATCH", PORTS "/${port}/parameters", 200, "{'inbound':{'average':2000}}",
     .json = "{'inbound':{'average':2000}}"},
    /* libvirt itself would take the other limits away */
    {"PATCH", PORTS "/${port}/parameters", 200,
     "{'inbound':{'average':2000,'peak':0},'outbound':{'average':500}}",
     .json = "{'outbound':{'average':500}}"},
    {"PATCH", PORTS "/${port}/parameters", 200,
     "{'inbound':{'average':2000,'peak':4000},'outbound':{'average':500}}",
     .json = "{'inbound':{'peak':4000}}"},
    {"GET", PORTS "/${port}", 200,
     "{'bandwidth':{'inbound':{'average':2000,'peak':4000},'outbound':{'average':500}}}"},
    {"PATCH", PORTS "/${port}/parameters", 200,
     "{'inbound':'<absent>','outbound':{'average':500}}",
     .json = "{'inbound':{'average':0}}"},
    {"PATCH", PORTS "/${port}/parameters", 200, "{'outbound':'<absent>'}",
     .json = "{'outbound':{'average':0}}"},
    {"GET", PORTS "/${port}", 200, "{'bandwidth':'<absent>'}"},
    {"PATCH", PORTS "/${port}/parameters", 200, "{'outbound':{'average':100}}",
     .json = "{'outbound':{'average':100}}"},
    {"PATCH", PORTS "/${port}/parameters", 400, NULL, .json = "{'nosuch':1}"},
    {"POST", PORTS, 409, NULL,
     .json = "{'networkport':{'uuid':'${port}','owner':{'name':'web1',"
             "'uuid':'8b4a2a70-3f4b-4a53-9d0c-3f6f0e0f7c11'},"
             "'mac':{'@address':'52:54:00:00:00:09'}}}"},
    {"DELETE", PORTS "/${port}", 204, ""},
    {"GET", PORTS "/${port}", 404, NULL},
    {"DELETE", PORTS "/${port}", 404, NULL},
};

#define BOOTS(name)                                                                      \
    "<domain type='qemu'><name>" name "</name><memory unit='MiB'>64</memory>"            \
    "<vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type>"                      \
    "<boot dev='network'/></os><devices>"                                                \
    "<emulator>/usr/bin/qemu-system-x86_64</emulator>"                                   \
    "<controller type='usb' model='none'/><memballoon model='none'/>"                    \
    "<interface type='network'><source network='lab'/><mac address='" MAC "'/>"          \
    "<model type='e1000'/></interface></devices></domain>"
static const struct step boot[] = {
    {"GET", "/networks/lab/dhcp-leases", 200, "{'leases':[]}"},
    {"POST", "/domains?transient=true", 201, NULL, .xml = BOOTS("booting")},
    {"GET", PORTS "?view=full", 200,
     "{'ports':[{'owner':{'name':'booting'},'mac':'" MAC "'}]}"},
};
static const struct step leased = {
    "GET", "/networks/lab/dhcp-leases?mac=" MAC, 200,
    "{'leases':[{'interface':'~virbr*','expiryTimeSeconds':'<int>','expiryTime':'~*Z',"
    "'type':'ipv4','mac':'" MAC "','address':'192.168.50.7','prefix':24}]}"};

/* It is answered when the lease is there. */
static const struct step addressed[] = {
    {"GET", "/domains/booting/addresses?wait=100", 200,
     "{'interfaces':[{'name':'~vnet*','mac':'" MAC "','addresses':[{'type':'ipv4',"
     "'address':'192.168.50.7','prefix':24,'source':'lease'}]}]}"},
    {"GET", "/domains/booting/addresses?source=agent&wait=100", 422,
     LIBVIRT("ARGUMENT_UNSUPPORTED")},
};

static const struct step end[] = {
    {"GET", "/networks/lab/dhcp-leases?mac=52:54:00:00:00:01", 200, "{'leases':[]}"},
    {"GET", "/networks/nosuch/dhcp-leases", 404, LIBVIRT("NO_NETWORK")},
    /* a running one that is undefined goes on, transient */
    {"DELETE", "/networks/lab", 204, ""},
    {"GET", "/networks/lab?fields=active,persistent", 200,
     "{'active':true,'persistent':false}"},
    {"POST", "/networks/lab/destroy", 204, ""},
    {"GET", "/networks/lab", 404, LIBVIRT("NO_NETWORK")},
    {"GET", "/networks", 200, "{'networks':[]}"},
};

int main(void)
{
    struct scenario s;

    if (scenario_begin(&s, "network", ARGS("-c", guest_uri()))) {
        scenario_run(&s, define, COUNT(define));
        scenario_run(&s, change, COUNT(change));
        scenario_run(&s, ports, COUNT(ports));
        scenario_run(&s, boot, COUNT(boot));
        scenario_run(&s, addressed, COUNT(addressed));
        scenario_until(&s, &leased, 170);
        guests_remove(&s);
        scenario_run(&s, end, COUNT(end));
        scenario_end(&s);
    }
    return checks_report();
}
