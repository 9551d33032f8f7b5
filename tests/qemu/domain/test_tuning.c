/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/domain/tuning.c on QEMU: the configuration of an inactive domain; of a running
 * one, what needs no cgroups, which the private libvirtd has not.
 */
#include "tests/qemu/guest.h"

static const struct step configured[] = {
    {"POST", "/domains", 201, NULL, .xml = GUEST("v1")},
    {"GET", "/domains/v1/scheduler", 200, "{}"},
    {"PATCH", "/domains/v1/scheduler", 204, "", .json = "{'cpuShares':2048}"},
    {"GET", "/domains/v1/scheduler", 200, "{'cpuShares':2048}"},
    {"GET", "/domains/v1/scheduler?flags=config", 200, "{'cpuShares':2048}"},
    {"GET", "/domains/v1/scheduler?flags=live", 409, LIBVIRT("OPERATION_INVALID")},
    {"PATCH", "/domains/v1/scheduler", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'cpuShares':2048,'flags':['live']}"},
    {"PATCH", "/domains/v1/scheduler", 400, GATEWAY("invalid-value"),
     .json = "{'cpuShares':'x'}"},
    {"PATCH", "/domains/v1/scheduler", 400, GATEWAY("unknown-key"),
     .json = "{'nosuch':1}"},
    {"GET", "/domains/v1/memory-parameters", 200, "{}"},
    {"PATCH", "/domains/v1/memory-parameters", 204, "", .json = "{'hardLimit':1048576}"},
    {"GET", "/domains/v1/memory-parameters", 200, "{'hardLimit':1048576}"},
    {"GET", "/domains/v1/memory-parameters?flags=config", 200, "{'hardLimit':1048576}"},
    {"GET", "/domains/v1/memory-parameters?flags=live", 409,
     LIBVIRT("OPERATION_INVALID")},
    {"PATCH", "/domains/v1/memory-parameters", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'hardLimit':1048576,'flags':['live']}"},
    {"PATCH", "/domains/v1/memory-parameters", 400, GATEWAY("invalid-value"),
     .json = "{'hardLimit':-1}"},
    {"PATCH", "/domains/v1/memory-parameters", 400, GATEWAY("unknown-key"),
     .json = "{'nosuch':1}"},
    {"GET", "/domains/v1/blkio-parameters", 200, "{}"},
    {"PATCH", "/domains/v1/blkio-parameters", 204, "", .json = "{'weight':500}"},
    {"GET", "/domains/v1/blkio-parameters", 200, "{'weight':500}"},
    {"GET", "/domains/v1/blkio-parameters?flags=config", 200, "{'weight':500}"},
    {"GET", "/domains/v1/blkio-parameters?flags=live", 409, LIBVIRT("OPERATION_INVALID")},
    {"PATCH", "/domains/v1/blkio-parameters", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'weight':500,'flags':['live']}"},
    {"PATCH", "/domains/v1/blkio-parameters", 400, GATEWAY("invalid-value"),
     .json = "{'weight':'x'}"},
    {"PATCH", "/domains/v1/blkio-parameters", 400, GATEWAY("unknown-key"),
     .json = "{'nosuch':1}"},
    {"GET", "/domains/v1/numa-parameters", 200, "{}"},
    {"PATCH", "/domains/v1/numa-parameters", 204, "", .json = "{'numaNodeset':'0'}"},
    {"GET", "/domains/v1/numa-parameters", 200, "{'numaNodeset':'0'}"},
    {"GET", "/domains/v1/numa-parameters?flags=config", 200, "{'numaNodeset':'0'}"},
    {"GET", "/domains/v1/numa-parameters?flags=live", 409, LIBVIRT("OPERATION_INVALID")},
    {"PATCH", "/domains/v1/numa-parameters", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'numaNodeset':'0','flags':['live']}"},
    {"PATCH", "/domains/v1/numa-parameters", 400, GATEWAY("invalid-value"),
     .json = "{'numaNodeset':0}"},
    {"PATCH", "/domains/v1/numa-parameters", 400, GATEWAY("unknown-key"),
     .json = "{'nosuch':1}"},
    {"GET", "/domains/v1/perf-events", 200, "{}"},
    {"PATCH", "/domains/v1/perf-events", 204, "", .json = "{'cpuClock':true}"},
    {"GET", "/domains/v1/perf-events", 200, "{'cpuClock':true}"},
    {"GET", "/domains/v1/perf-events?flags=config", 200, "{'cpuClock':true}"},
    {"GET", "/domains/v1/perf-events?flags=live", 409, LIBVIRT("OPERATION_INVALID")},
    {"PATCH", "/domains/v1/perf-events", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'cpuClock':true,'flags':['live']}"},
    {"PATCH", "/domains/v1/perf-events", 400, GATEWAY("invalid-value"),
     .json = "{'cpuClock':1}"},
    {"PATCH", "/domains/v1/perf-events", 400, GATEWAY("unknown-key"),
     .json = "{'nosuch':1}"},
    {"GET", "/domains/v1/scheduler", 200,
     "{'type':'posix','cpuShares':2048,'vcpuQuota':'<int>'}"},
    {"PATCH", "/domains/v1/scheduler", 204, "",
     .json = "{'vcpuQuota':-1,'vcpuPeriod':100000,'type':'posix'}"},
    {"GET", "/domains/v1/scheduler", 200,
     "{'vcpuQuota':'<int>','vcpuPeriod':100000,'cpuShares':2048}"},
};

static const struct step running[] = {
    {"POST", "/domains", 201, NULL, .xml = GUEST("v2")},
    {"POST", "/domains/v2/start", 204, ""},
    {"GET", "/domains/v2/scheduler", 409, LIBVIRT("OPERATION_INVALID")},
    {"PATCH", "/domains/v2/scheduler", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'cpuShares':100}"},
    {"GET", "/domains/v2/memory-parameters", 409, LIBVIRT("OPERATION_INVALID")},
    {"PATCH", "/domains/v2/memory-parameters", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'hardLimit':100000}"},
    {"GET", "/domains/v2/blkio-parameters", 409, LIBVIRT("OPERATION_INVALID")},
    {"PATCH", "/domains/v2/blkio-parameters", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'weight':500}"},
    {"GET", "/domains/v2/scheduler?flags=config", 409, LIBVIRT("OPERATION_INVALID")},
    {"PATCH", "/domains/v2/memory-parameters?flags=config", 204, "",
     .json = "{'hardLimit':1048576}"},
    {"GET", "/domains/v2/memory-parameters?flags=config", 200, "{'hardLimit':1048576}"},
    {"GET", "/domains/v2/numa-parameters", 200, "{'numaMode':'strict'}"},
    {"GET", "/domains/v2/perf-events", 200, "{'cpuClock':false}"},
    {"PATCH", "/domains/v2/perf-events", 204, "",
     .json = "{'cpuClock':true,'flags':['config']}"},
    {"GET", "/domains/v2/perf-events?flags=config", 200, "{'cpuClock':true}"},
    {"POST", "/domain-stats", 200,
     "{'domains':[{'name':'v2','stats':{'cpu':{'time':'<int>'}}},{'name':'v1','id':null}]"
     "}",
     .json = "{'domains':['v2','v1'],'groups':['cpu-total','state']}"},
    {"GET", "/domains/v2", 200, "{'updated':'<bool>'}"},
};

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "tuning", ARGS("-c", guest_uri()))) {
        scenario_run(&s, configured, COUNT(configured));
        scenario_put_back(&s, "/domains/v1/scheduler");
        scenario_put_back(&s, "/domains/v1/memory-parameters");
        scenario_put_back(&s, "/domains/v1/blkio-parameters");
        scenario_put_back(&s, "/domains/v1/numa-parameters");
        scenario_put_back(&s, "/domains/v1/perf-events");
        scenario_run(&s, running, COUNT(running));
        scenario_put_back(&s, "/domains/v2/perf-events");
        guests_remove(&s);
        scenario_end(&s);
    }
    return checks_report();
}
