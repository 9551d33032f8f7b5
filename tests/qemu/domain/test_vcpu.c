/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/domain/vcpu.c, domain_cpu_stats.c, domain_iothread.c on QEMU: what is plugged
 * in, pinned and counted, of the running domain and of its configuration.
 */
#include "tests/qemu/guest.h"

static const struct step configured[] = {
    {"POST", "/domains", 201, NULL, .xml = TWO_VCPUS("v1")},
    {"GET", "/domains/v1/vcpus", 409, LIBVIRT("OPERATION_INVALID")},
    {"GET", "/domains/v1/vcpu-count", 200, "{'count':1}"},
    {"GET", "/domains/v1/vcpu-count?flags=maximum", 200, "{'count':2}"},
    {"PATCH", "/domains/v1/vcpus", 204, "", .json = "{'map':'1','enabled':true}"},
    {"GET", "/domains/v1/vcpu-count?flags=config", 200, "{'count':2}"},
    {"PATCH", "/domains/v1/vcpus", 204, "",
     .json = "{'map':[1],'enabled':false,'flags':['config']}"},
    {"GET", "/domains/v1/vcpu-count?flags=config", 200, "{'count':1}"},
    {"PATCH", "/domains/v1/vcpus", 400, LIBVIRT("INVALID_ARG"),
     .json = "{'map':[7],'enabled':true}"},
    {"PATCH", "/domains/v1/vcpus", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'map':[1],'enabled':true,'flags':['live']}"},
    {"PUT", "/domains/v1/vcpus/0/pin", 204, "", .json = "{'cpus':[0]}"},
    {"GET", "/domains/v1/vcpu-pins", 200,
     "{'vcpus':['...',{'number':0,'cpus':[0]},'...']}"},
    {"PUT", "/domains/v1/vcpus/0/pin", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'cpus':[0],'flags':['live']}"},
    {"PUT", "/domains/v1/emulator-pin", 204, "", .json = "{'cpus':'0'}"},
    {"GET", "/domains/v1/emulator-pin", 200, "{'cpus':[0]}"},
    {"PUT", "/domains/v1/emulator-pin", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'cpus':[0],'flags':['live']}"},
    {"GET", "/domains/v1/emulator-pin?flags=live", 409, LIBVIRT("OPERATION_INVALID")},
    {"GET", "/domains/v1/iothreads", 200, "{'iothreads':[{'id':1,'cpus':'<array>'}]}"},
    {"POST", "/domains/v1/iothreads", 201, "{'id':2}", .json = "{'id':2}",
     .wants = {"Location: /domains/v1/iothreads/2"}},
    {"GET", "/domains/v1/iothreads/2", 200, "{'id':2}"},
    {"PATCH", "/domains/v1/iothreads/2", 501, NULL, .json = "{'pollMaxNs':5}",
     .lacks = "set-configured-iothread"},
    {"PATCH", "/domains/v1/iothreads/2", 204, "", .json = "{'pollMaxNs':5,'pollGrow':2}",
     .needs = "set-configured-iothread"},
    {"DELETE", "/domains/v1/iothreads/2", 204, ""},
    {"GET", "/domains/v1/iothreads/2", 404, GATEWAY("not-found")},
    {"GET", "/domains/v1/cpu-stats", 409, LIBVIRT("OPERATION_INVALID")},
};

/* What may be pulled out again, and pins of what is not plugged in yet. */
#define COUNT_OF(domain, body)                                                           \
    {                                                                                    \
        "PUT", "/domains/" domain "/vcpu-count", 204, "", .json = body                   \
    }
static const struct step later[] = {
    {"GET", "/domains/v1/vcpu-count", 200, "{'count':1}"},
    {"GET", "/domains/v1/vcpu-pins?flags=config", 200,
     "{'vcpus':[{'number':0},{'number':1}]}"},
    {"POST", "/domains", 201, NULL, .xml = GUEST("v2")},
    COUNT_OF("v2", "{'count':3,'maximum':true,'flags':['config']}"),
    COUNT_OF("v2", "{'count':2,'flags':['config']}"),
    {"GET", "/domains/v2/xml?flags=inactive", 200, NULL,
     .contains = "*current='2'>3</vcpu>*"},
    COUNT_OF("v2", "{'count':1,'flags':['config']}"),
    COUNT_OF("v2", "{'count':2,'hotpluggable':true,'flags':['config']}"),
    {"GET", "/domains/v2/xml?flags=inactive", 200, NULL,
     .contains = "*id='1' enabled='yes' hotpluggable='yes'*"},
    {"GET", "/domains/v2/vcpu-count?maximum=true&flags=config", 200, "{'count':3}"},
};

static const struct step running[] = {
    {"POST", "/domains/v1/start", 204, ""},
    {"GET", "/domains/v1/vcpus", 200,
     "{'vcpus':[{'number':0,'state':'running','cpuTimeNs':'<int>','cpu':'<int>','cpus':["
     "0]}]}"},
    {"PUT", "/domains/v1/vcpus/0/pin", 204, "",
     .json = "{'cpus':'0','flags':['live','config']}"},
    {"GET", "/domains/v1/vcpu-pins?flags=live", 200,
     "{'vcpus':['...',{'number':0,'cpus':[0]},'...']}"},
    {"PUT", "/domains/v1/emulator-pin", 204, "", .json = "{'cpus':[0],'flags':['live']}"},
    {"GET", "/domains/v1/emulator-pin?flags=live", 200, "{'cpus':[0]}"},
    {"GET", "/domains/v1/vcpu-count?guest=true", 422, LIBVIRT("ARGUMENT_UNSUPPORTED")},
    {"PUT", "/domains/v1/vcpu-count", 422, LIBVIRT("ARGUMENT_UNSUPPORTED"),
     .json = "{'count':1,'guest':true}"},
    {"PUT", "/domains/v1/vcpu-count", 204, "", .json = "{'count':2,'flags':['live']}"},
    {"GET", "/domains/v1/vcpu-count?flags=live", 200, "{'count':2}"},
    {"GET", "/domains/v1/vcpu-count?flags=config", 200, "{'count':1}"},
    {"GET", "/domains/v1/vcpus", 200, "{'vcpus':[{'number':0},{'number':1}]}"},
    {"POST", "/domains/v1/iothreads", 201, "{'id':5}",
     .json = "{'id':5,'flags':['live']}"},
    {"PUT", "/domains/v1/iothreads/5/pin", 204, "", .json = "{'cpus':[0]}"},
    {"GET", "/domains/v1/iothreads/5", 200, "{'id':5,'cpus':[0]}"},
    {"PATCH", "/domains/v1/iothreads/5", 204, "",
     .json = "{'pollMaxNs':50000,'flags':['live']}"},
    {"GET", "/domains/v1/stats?groups=iothread", 200,
     "{'stats':{'iothread':['...',{'index':5,'pollMaxNs':50000}]}}"},
    {"POST", "/domains/v1/iothreads", 201, "{'id':6}",
     .json = "{'id':6,'flags':['config']}", .wants = {"Location: *[?]flags=config"}},
    {"GET", "/domains/v1/iothreads/6", 404, GATEWAY("not-found")},
    {"GET", "/domains/v1/iothreads/6?flags=config", 200, "{'id':6}"},
    {"DELETE", "/domains/v1/iothreads/5", 204, ""},
    {"DELETE", "/domains/v1/iothreads/5", 404, LIBVIRT("INVALID_ARG")},
    /* the private libvirtd has no cgroups */
    {"GET", "/domains/v1/cpu-stats", 409, LIBVIRT("OPERATION_INVALID"),
     .contains = "*CPUACCT*"},
    {"POST", "/domains/v1/destroy", 204, ""},
};

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "vcpu", ARGS("-c", guest_uri()))) {
        scenario_run(&s, configured, COUNT(configured));
        scenario_run(&s, later, COUNT(later));
        scenario_run(&s, running, COUNT(running));
        guests_remove(&s);
        scenario_end(&s);
    }
    return checks_report();
}
