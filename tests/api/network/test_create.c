/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/network/create.c: the short form of a network.
 */
#include "tests/harness/steps.h"

static const struct step create[] = {
    /* test:///default has 192.168.122.0/24 */
    {"POST", "/networks", 201,
     "{'name':'one','active':false,'forwardMode':'nat','ips':[{'family':'ipv4',"
     "'address':'192.168.100.1','prefix':24,'dhcp':{'ranges':["
     "{'start':'192.168.100.2','end':'192.168.100.254'}],'hosts':[]}}]}",
     .json = "{'name':'one'}", .wants = {"Location: /networks/one"}},
    {"POST", "/networks", 201,
     "{'name':'two','active':true,'autostart':true,'forwardMode':null,"
     "'ips':[{'address':'192.168.101.1','prefix':24,'dhcp':'<absent>'}]}",
     .json = "{'name':'two','mode':'isolated','dhcp':false,'start':true,"
             "'autostart':true}"},
    {"POST", "/networks", 201,
     "{'name':'three','uuid':'00000000-0000-4000-8000-000000000003',"
     "'forwardMode':'route','domain':'lab.example','ips':[{'address':'10.1.2.1',"
     "'prefix':28,'dhcp':{'ranges':[{'start':'10.1.2.2','end':'10.1.2.14'}]}},"
     "{'family':'ipv6','address':'fd00:50::1','prefix':64}]}",
     .json = "{'name':'three','uuid':'00000000-0000-4000-8000-000000000003',"
             "'mode':'route','subnet':'10.1.2.0/28','ipv6Subnet':'fd00:50::/64',"
             "'domain':'lab.example'}"},
    {"POST", "/networks", 201,
     "{'forwardMode':'open','ips':[{'dhcp':{'ranges':[{'start':'192.168.102.9',"
     "'end':'192.168.102.20'}]}}]}",
     .json = "{'name':'four','mode':'open',"
             "'dhcp':{'start':'192.168.102.9','end':'192.168.102.20'}}"},
    {"POST", "/networks", 201, "{'forwardMode':'bridge','bridge':'br0','ips':[]}",
     .json = "{'name':'five','mode':'bridge','bridge':'br0'}"},
    {"POST", "/networks", 201, "{'forwardMode':'bridge','bridge':null,'ips':[]}",
     .json = "{'name':'six','mode':'macvtap','device':'eth0'}"},
    {"POST", "/networks?dryRun=true", 200, NULL, .json = "{'name':'a&b<c'}",
     .contains = "*<name>a&amp;b&lt;c</name>*"},
    {"GET", "/networks/a%26b%3Cc", 404, LIBVIRT("NO_NETWORK")},
    {"POST", "/networks?dryRun=true&name=seven&subnet=10.9.0.0/16", 200, NULL,
     .contains = "*10.9.255.254*"},
    {"POST", "/networks", 409, NULL, .json = "{'name':'one'}"},
    {"POST", "/networks", 412, GATEWAY("precondition-failed"), .json = "{'name':'one'}",
     .headers = {"If-None-Match: *"}},
};

#define REFUSED(json_, slug, text)                                                       \
    {                                                                                    \
        "POST", "/networks", 400, GATEWAY(slug), .json = json_, .contains = text         \
    }
static const struct step refused[] = {
    REFUSED("{'mode':'nat'}", "missing-key", "*'name'*"),
    REFUSED("{'name':''}", "invalid-value", "*'name'*"),
    REFUSED("{'name':'a/b'}", "invalid-value", "*'name'*"),
    REFUSED("{'name':'x','uuid':'y'}", "invalid-value", "*'uuid'*"),
    REFUSED("{'name':'x','mode':'vepa'}", "unknown-value", "*macvtap*"),
    REFUSED("{'name':'x','subnet':'10.0.0.0'}", "invalid-value", "*'subnet'*"),
    REFUSED("{'name':'x','subnet':'10.0.0.1/24'}", "invalid-value", "*'subnet'*"),
    REFUSED("{'name':'x','subnet':'10.0.0.0/31'}", "invalid-value", "*'subnet'*"),
    REFUSED("{'name':'x','subnet':'10.0.0.0/7'}", "invalid-value", "*'subnet'*"),
    REFUSED("{'name':'x','subnet':'10.0.0.0/99999999999'}", "invalid-value",
            "*'subnet'*"),
    REFUSED("{'name':'x','subnet':'/24'}", "invalid-value", "*'subnet'*"),
    REFUSED("{'name':'x','ipv6Subnet':'fd00::1/64'}", "invalid-value", "*'ipv6Subnet'*"),
    REFUSED("{'name':'x','ipv6Subnet':'10.0.0.0/8'}", "invalid-value", "*'ipv6Subnet'*"),
    REFUSED("{'name':'x','dhcp':1}", "invalid-value", "*'dhcp'*"),
    REFUSED("{'name':'x','dhcp':{'start':'10.0.0.1'}}", "missing-key", "*'end'*"),
    REFUSED("{'name':'x','dhcp':{'start':'a','end':'b'}}", "invalid-value", "*'start'*"),
    REFUSED("{'name':'x','subnet':'10.0.0.0/24','dhcp':{'start':'10.0.1.2',"
            "'end':'10.0.1.9'}}",
            "invalid-value", "*'start'*"),
    REFUSED("{'name':'x','subnet':'10.0.0.0/24','dhcp':{'start':'10.0.0.9',"
            "'end':'10.0.0.2'}}",
            "invalid-value", "*'start'*"),
    REFUSED("{'name':'x','subnet':'10.0.0.0/24','dhcp':{'start':'10.0.0.2',"
            "'end':'10.0.0.255'}}",
            "invalid-value", "*'start'*"),
    REFUSED("{'name':'x','subnet':'0.0.0.0/8'}", "invalid-value", "*'subnet'*"),
    REFUSED("{'name':'x','subnet':'127.0.0.0/8'}", "invalid-value", "*'subnet'*"),
    REFUSED("{'name':'x','subnet':'224.0.0.0/24'}", "invalid-value", "*'subnet'*"),
    REFUSED("{'name':'x','ipv6Subnet':'fd00:1:2:3:4::/64'}", "invalid-value",
            "*'ipv6Subnet'*"),
    REFUSED("{'name':'x','ipv6Subnet':'ff00::/8'}", "invalid-value", "*'ipv6Subnet'*"),
    REFUSED("{'name':'x','domain':'lab\\ndhcp-script=/bin/sh'}", "invalid-value",
            "*'domain'*"),
    REFUSED("{'name':'x','domain':'a b'}", "invalid-value", "*'domain'*"),
    REFUSED("{'name':'x','domain':''}", "invalid-value", "*'domain'*"),
    REFUSED("{'name':'x','mode':'isolated','device':'eth0'}", "invalid-value",
            "*'device'*"),
    REFUSED("{'name':'x','bridge':'br0'}", "invalid-value", "*'bridge'*"),
    REFUSED("{'name':'x','mode':'bridge'}", "invalid-value", "*'bridge'*"),
    REFUSED("{'name':'x','mode':'macvtap','bridge':'br0'}", "invalid-value", "*device*"),
    REFUSED("{'name':'x','mode':'bridge','bridge':'b','subnet':'10.0.0.0/24'}",
            "invalid-value", "*'subnet'*"),
    REFUSED("{'name':'x','network':{}}", "invalid-value", "*exactly one*"),
    {"GET", "/networks/x", 404, LIBVIRT("NO_NETWORK")},
};

int main(void)
{
    struct scenario s;

    if (scenario_begin(&s, "network_create", ARGS("-c", "test:///default"))) {
        scenario_run(&s, create, COUNT(create));
        scenario_run(&s, refused, COUNT(refused));
        scenario_end(&s);
    }
    return checks_report();
}
