/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/domain/vcpu.c: virtual CPUs, their number, and where they run.
 */
#include "tests/harness/steps.h"

#define DOMAIN(name)                                                                     \
    "<domain type='test'><name>" name "</name><memory>65536</memory>"                    \
    "<vcpu>2</vcpu><os><type>hvm</type></os></domain>"

static const struct step show[] = {
    {"GET", "/domains/test/vcpus", 200,
     "{'vcpus':[{'number':0,'state':'running','cpuTimeNs':'<int>','cpu':'<int>','cpus':["
     "0,1,2,3,4,5,6,7]},{'number':1}]}"},
    {"GET", "/domains/test/vcpu-count", 200, "{'count':2}"},
    {"GET", "/domains/test/vcpu-count?flags=maximum,config", 200, "{'count':2}"},
    {"GET", "/domains/test/vcpu-count?maximum=true", 200, "{'count':2}"},
    {"GET", "/domains/test/vcpu-count?flags=nosuch", 400, GATEWAY("unknown-flag"),
     .contains = "*hotpluggable*"},
    {"GET", "/domains/test/vcpu-count?flags=live,config", 400, LIBVIRT("INVALID_ARG")},
    {"GET", "/domains/test/vcpu-pins", 200,
     "{'vcpus':[{'number':0,'cpus':[0,1,2,3,4,5,6,7]},{'number':1}]}"},
    {"GET", "/domains/test/vcpu-pins?flags=config", 200, "{'vcpus':[{},{}]}"},
    {"GET", "/domains/test/emulator-pin", 200, "{'cpus':[0,1,2,3,4,5,6,7]}"},
    {"GET", "/domains/nosuch/vcpus", 404, LIBVIRT("NO_DOMAIN")},
    {"GET", "/domains/nosuch/vcpu-pins", 404, LIBVIRT("NO_DOMAIN")},
    {"GET", "/domains/nosuch/emulator-pin", 404, LIBVIRT("NO_DOMAIN")},
    {"GET", "/domains/nosuch/vcpu-count", 404, LIBVIRT("NO_DOMAIN")},
};

static const struct step count[] = {
    {"PUT", "/domains/test/vcpu-count", 204, "", .json = "{'count':1}"},
    {"GET", "/domains/test/vcpu-count", 200, "{'count':1}"},
    {"GET", "/domains/test/vcpus", 200, "{'vcpus':[{'number':0}]}"},
    {"GET", "/domains/test/vcpu-count?flags=config", 200, "{'count':2}"},
    {"PUT", "/domains/test/vcpu-count?count=2", 204, ""},
    {"PUT", "/domains/test/vcpu-count", 204, "",
     .json = "{'count':4,'maximum':true,'flags':['config']}"},
    {"GET", "/domains/test/vcpu-count?flags=config,maximum", 200, "{'count':4}"},
    {"GET", "/domains/test/vcpu-count?flags=live&maximum=true", 200, "{'count':2}"},
    {"PUT", "/domains/test/vcpu-count", 400, LIBVIRT("INVALID_ARG"),
     .json = "{'count':3}", .contains = "*exceeds maximum*"},
    {"PUT", "/domains/test/vcpu-count", 400, GATEWAY("invalid-value"),
     .json = "{'count':0}"},
    {"PUT", "/domains/test/vcpu-count", 400, GATEWAY("invalid-value"),
     .json = "{'count':16385}"},
    {"PUT", "/domains/test/vcpu-count", 400, GATEWAY("invalid-value"),
     .json = "{'count':'2'}"},
    {"PUT", "/domains/test/vcpu-count", 400, GATEWAY("missing-key"), .json = "{}"},
    {"PUT", "/domains/nosuch/vcpu-count", 404, LIBVIRT("NO_DOMAIN"),
     .json = "{'count':1}"},
    {"PUT", "/domains/test/vcpu-count", 412, GATEWAY("precondition-failed"),
     .json = "{'count':1}", .headers = {"If-Match: \"0000000000000000\""}},
    {"GET", "/domains/test/vcpu-count", 200, "{'count':2}"},
};

static const struct step pins[] = {
    {"PUT", "/domains/test/vcpus/0/pin", 204, "", .json = "{'cpus':'0-3,^2'}"},
    {"GET", "/domains/test/vcpu-pins", 200,
     "{'vcpus':[{'number':0,'cpus':[0,1,3]},{'number':1,'cpus':[0,1,2,3,4,5,6,7]}]}"},
    {"GET", "/domains/test/vcpus", 200, "{'vcpus':[{'cpus':[0,1,3]},{}]}"},
    {"PUT", "/domains/test/vcpus/1/pin", 204, "", .json = "{'cpus':[7,0]}"},
    {"PUT", "/domains/test/vcpus/1/pin?cpus=5", 204, ""},
    {"GET", "/domains/test/vcpu-pins", 200, "{'vcpus':[{},{'cpus':[5]}]}"},
    {"PUT", "/domains/test/vcpus/1/pin", 400, LIBVIRT("INVALID_ARG"),
     .json = "{'cpus':[2],'flags':['config']}"},
    {"GET", "/domains/test/vcpu-pins?flags=live", 200, "{'vcpus':[{},{'cpus':[5]}]}"},
    {"PUT", "/domains/test/vcpus/9/pin", 404, LIBVIRT("INVALID_ARG"),
     .json = "{'cpus':[0]}"},
    {"PUT", "/domains/test/vcpus/x/pin", 400, GATEWAY("invalid-value"),
     .json = "{'cpus':[0]}"},
    {"PUT", "/domains/test/vcpus/99999999999999999999/pin", 400, GATEWAY("invalid-value"),
     .json = "{'cpus':[0]}"},
    {"PUT", "/domains/test/vcpus/0/pin", 400, GATEWAY("invalid-value"),
     .json = "{'cpus':[]}", .contains = "*cpus*0-3,^2*"},
    {"PUT", "/domains/test/vcpus/0/pin", 400, GATEWAY("invalid-value"),
     .json = "{'cpus':'0-'}"},
    {"PUT", "/domains/test/vcpus/0/pin", 400, GATEWAY("invalid-value"),
     .json = "{'cpus':[-1]}"},
    {"PUT", "/domains/test/vcpus/0/pin", 400, GATEWAY("invalid-value"),
     .json = "{'cpus':['0']}"},
    {"PUT", "/domains/test/vcpus/0/pin", 400, GATEWAY("invalid-value"),
     .json = "{'cpus':7}"},
    {"PUT", "/domains/test/vcpus/0/pin", 400, GATEWAY("invalid-value"),
     .json = "{'cpus':'0-16384'}"},
    {"PUT", "/domains/test/vcpus/0/pin?cpus=^1", 400, GATEWAY("invalid-value")},
    {"PUT", "/domains/test/vcpus/0/pin", 400, GATEWAY("missing-key"), .json = "{}"},
    {"PUT", "/domains/nosuch/vcpus/0/pin", 404, LIBVIRT("NO_DOMAIN"),
     .json = "{'cpus':[0]}"},
    {"PUT", "/domains/test/vcpus/0/pin", 412, GATEWAY("precondition-failed"),
     .json = "{'cpus':[0]}", .headers = {"If-Match: \"0000000000000000\""}},
    {"PUT", "/domains/test/vcpus/0/pin", 204, "", .json = "{'cpus':'0-3,^2'}",
     .headers = {"If-Match: *"}},
    {"GET", "/domains/test/vcpu-pins", 200, "{'vcpus':[{'cpus':[0,1,3]},{'cpus':[5]}]}"},
    {"PUT", "/domains/test/emulator-pin", 204, "", .json = "{'cpus':[1,2]}"},
    {"GET", "/domains/test/emulator-pin", 200, "{'cpus':[1,2]}"},
    {"PUT", "/domains/test/emulator-pin", 400, GATEWAY("invalid-value"),
     .json = "{'cpus':''}"},
    {"PUT", "/domains/test/emulator-pin", 400, GATEWAY("unknown-key"),
     .json = "{'cpu':'1'}"},
    {"PUT", "/domains/nosuch/emulator-pin", 404, LIBVIRT("NO_DOMAIN"),
     .json = "{'cpus':[0]}"},
};

static const struct step switched[] = {
    {"PATCH", "/domains/test/vcpus", 501, LIBVIRT("NO_SUPPORT"),
     .json = "{'map':'0,1','enabled':true}"},
    {"PATCH", "/domains/test/vcpus", 400, GATEWAY("missing-key"), .json = "{'map':'0'}"},
    {"PATCH", "/domains/test/vcpus", 400, GATEWAY("invalid-value"),
     .json = "{'map':'a','enabled':true}"},
    {"PATCH", "/domains/nosuch/vcpus", 404, LIBVIRT("NO_DOMAIN"),
     .json = "{'map':[1],'enabled':false}"},
};

static const struct step inactive[] = {
    {"POST", "/domains", 201, NULL, .xml = DOMAIN("off")},
    {"GET", "/domains/off/vcpus", 409, LIBVIRT("OPERATION_INVALID")},
    {"GET", "/domains/off/vcpu-count", 200, "{'count':2}"},
    {"GET", "/domains/off/vcpu-count?flags=live", 409, LIBVIRT("OPERATION_INVALID")},
    {"GET", "/domains/off/vcpu-pins", 200, "{'vcpus':[{},{}]}"},
    /* those that are not plugged in have theirs, too */
    {"PUT", "/domains/off/vcpu-count", 204, "", .json = "{'count':1}"},
    {"GET", "/domains/off/vcpu-pins", 200, "{'vcpus':[{'number':0},{'number':1}]}"},
    {"PUT", "/domains/off/vcpu-count", 204, "", .json = "{'count':2}"},
    {"GET", "/domains/off/vcpu-pins?flags=live", 409, LIBVIRT("OPERATION_INVALID")},
    {"GET", "/domains/off/emulator-pin?flags=live", 409, LIBVIRT("OPERATION_INVALID")},
    {"PUT", "/domains/off/vcpus/0/pin", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'cpus':[0]}"},
    {"PUT", "/domains/off/emulator-pin", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'cpus':[0],'flags':['live']}"},
    {"PUT", "/domains/off/vcpu-count", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'count':1,'flags':['live']}"},
    {"PUT", "/domains/off/vcpu-count", 204, "", .json = "{'count':1,'flags':['config']}"},
    {"GET", "/domains/off/vcpu-count", 200, "{'count':1}"},
};

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "vcpu", ARGS("-c", "test:///default"))) {
        scenario_run(&s, show, COUNT(show));
        scenario_run(&s, count, COUNT(count));
        scenario_run(&s, pins, COUNT(pins));
        scenario_run(&s, switched, COUNT(switched));
        scenario_run(&s, inactive, COUNT(inactive));
        scenario_end(&s);
    }
    return checks_report();
}
