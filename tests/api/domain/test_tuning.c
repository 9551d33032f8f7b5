/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/domain/tuning.c: families of typed parameters. Each PATCH takes what GET gives.
 */
#include "tests/harness/steps.h"

#define DOMAIN(name)                                                                     \
    "<domain type='test'><name>" name "</name><memory>65536</memory>"                    \
    "<vcpu>2</vcpu><os><type>hvm</type></os></domain>"

static const struct step scheduler[] = {
    {"GET", "/domains/test/scheduler", 200, "{'type':'fair','weight':50}"},
    {"GET", "/domains/test/scheduler?flags=current", 200, "{}"},
    {"GET", "/domains/test/scheduler?flags=maximum", 400, GATEWAY("unknown-flag")},
    {"GET", "/domains/nosuch/scheduler", 404, LIBVIRT("NO_DOMAIN")},
    {"PATCH", "/domains/test/scheduler", 204, "", .json = "{'type':'fair','weight':70}"},
    {"GET", "/domains/test/scheduler", 200, "{'type':'fair'}"},
    {"PATCH", "/domains/test/scheduler", 204, "", .json = "{}"},
    {"PATCH", "/domains/test/scheduler", 400, GATEWAY("invalid-value"),
     .json = "{'weight':'x'}"},
    {"PATCH", "/domains/test/scheduler", 400, GATEWAY("unknown-key"),
     .json = "{'weigth':1}", .contains = "*weight*"},
    {"PATCH", "/domains/test/scheduler", 400, GATEWAY("invalid-json"), .json = "[]"},
    {"PATCH", "/domains/test/scheduler", 400, GATEWAY("unknown-flag"),
     .json = "{'type':'fair','weight':70,'flags':['nosuch']}"},
    {"PATCH", "/domains/nosuch/scheduler", 404, LIBVIRT("NO_DOMAIN"),
     .json = "{'type':'fair','weight':70}"},
    {"PATCH", "/domains/test/scheduler", 412, GATEWAY("precondition-failed"),
     .json = "{'type':'fair','weight':70}",
     .headers = {"If-Match: \"0000000000000000\""}},
    {"PATCH", "/domains/test/scheduler", 400, GATEWAY("invalid-value"),
     .json = "{'type':'credit','weight':1}", .contains = "*fair*"},
};

static const struct step memory[] = {
    {"GET", "/domains/test/memory-parameters", 200,
     "{'hardLimit':9007199254740991,'softLimit':'<int>','swapHardLimit':'<int>'}"},
    {"GET", "/domains/test/memory-parameters?flags=config", 200, "{}"},
    {"GET", "/domains/test/memory-parameters?flags=maximum", 400,
     GATEWAY("unknown-flag")},
    {"GET", "/domains/nosuch/memory-parameters", 404, LIBVIRT("NO_DOMAIN")},
    {"PATCH", "/domains/test/memory-parameters", 204, "",
     .json = "{'hardLimit':8388608,'swapHardLimit':9000000}"},
    {"GET", "/domains/test/memory-parameters", 200,
     "{'hardLimit':8388608,'softLimit':9007199254740991,'swapHardLimit':9000000}"},
    {"PATCH", "/domains/test/memory-parameters", 204, "", .json = "{}"},
    {"PATCH", "/domains/test/memory-parameters", 400, GATEWAY("invalid-value"),
     .json = "{'hardLimit':-1}"},
    {"PATCH", "/domains/test/memory-parameters", 400, GATEWAY("unknown-key"),
     .json = "{'hardLimits':1}", .contains = "*hardLimit*"},
    {"PATCH", "/domains/test/memory-parameters", 400, GATEWAY("invalid-json"),
     .json = "[]"},
    {"PATCH", "/domains/test/memory-parameters", 400, GATEWAY("unknown-flag"),
     .json = "{'hardLimit':8388608,'swapHardLimit':9000000,'flags':['nosuch']}"},
    {"PATCH", "/domains/nosuch/memory-parameters", 404, LIBVIRT("NO_DOMAIN"),
     .json = "{'hardLimit':8388608,'swapHardLimit':9000000}"},
    {"PATCH", "/domains/test/memory-parameters", 412, GATEWAY("precondition-failed"),
     .json = "{'hardLimit':8388608,'swapHardLimit':9000000}",
     .headers = {"If-Match: \"0000000000000000\""}},
    {"GET", "/domains/test/memory-parameters?flags=live,config", 400,
     LIBVIRT("INVALID_ARG")},
    {"PATCH", "/domains/test/memory-parameters", 400, LIBVIRT("INVALID_ARG"),
     .json = "{'softLimit':4194304,'flags':['live','config']}"},
    {"PATCH", "/domains/test/memory-parameters?flags=config", 204, "",
     .json = "{'softLimit':4194304}"},
    {"GET", "/domains/test/memory-parameters?flags=config", 200, "{'softLimit':4194304}"},
    {"GET", "/domains/test/memory-parameters?flags=live", 200,
     "{'softLimit':9007199254740991}"},
    {"PATCH", "/domains/test/memory-parameters", 400, LIBVIRT("INVALID_ARG"),
     .json = "{'hardLimit':9000000,'swapHardLimit':8000000}"},
    {"PATCH", "/domains/test/memory-parameters", 400, GATEWAY("invalid-value"),
     .json = "{'hardLimit':null}"},
    {"PATCH", "/domains/test/memory-parameters", 400, GATEWAY("invalid-value"),
     .json = "{'hardLimit':[1]}"},
};

static const struct step blkio[] = {
    {"GET", "/domains/test/blkio-parameters", 200,
     "{'weight':'<int>','deviceWeight':''}"},
    {"GET", "/domains/test/blkio-parameters?flags=config", 200, "{}"},
    {"GET", "/domains/test/blkio-parameters?flags=maximum", 400, GATEWAY("unknown-flag")},
    {"GET", "/domains/nosuch/blkio-parameters", 404, LIBVIRT("NO_DOMAIN")},
    {"PATCH", "/domains/test/blkio-parameters", 204, "",
     .json = "{'weight':600,'deviceWeight':'/dev/sda,300'}"},
    {"GET", "/domains/test/blkio-parameters", 200,
     "{'weight':600,'deviceWeight':'/dev/sda,300'}"},
    {"PATCH", "/domains/test/blkio-parameters", 204, "", .json = "{}"},
    {"PATCH", "/domains/test/blkio-parameters", 400, GATEWAY("invalid-value"),
     .json = "{'weight':-1}"},
    {"PATCH", "/domains/test/blkio-parameters", 400, GATEWAY("unknown-key"),
     .json = "{'deviceWeigth':'x'}", .contains = "*deviceWeight*"},
    {"PATCH", "/domains/test/blkio-parameters", 400, GATEWAY("invalid-json"),
     .json = "[]"},
    {"PATCH", "/domains/test/blkio-parameters", 400, GATEWAY("unknown-flag"),
     .json = "{'weight':600,'deviceWeight':'/dev/sda,300','flags':['nosuch']}"},
    {"PATCH", "/domains/nosuch/blkio-parameters", 404, LIBVIRT("NO_DOMAIN"),
     .json = "{'weight':600,'deviceWeight':'/dev/sda,300'}"},
    {"PATCH", "/domains/test/blkio-parameters", 412, GATEWAY("precondition-failed"),
     .json = "{'weight':600,'deviceWeight':'/dev/sda,300'}",
     .headers = {"If-Match: \"0000000000000000\""}},
};

static const struct step numa[] = {
    {"GET", "/domains/test/numa-parameters", 200,
     "{'numaMode':'strict','numaNodeset':''}"},
    {"GET", "/domains/test/numa-parameters?flags=config", 200, "{}"},
    /* what is not set may stay so */
    {"PATCH", "/domains/test/numa-parameters", 204, "", .json = "{'numaNodeset':''}"},
    {"GET", "/domains/test/numa-parameters?flags=maximum", 400, GATEWAY("unknown-flag")},
    {"GET", "/domains/nosuch/numa-parameters", 404, LIBVIRT("NO_DOMAIN")},
    {"PATCH", "/domains/test/numa-parameters", 204, "",
     .json = "{'numaMode':'interleave','numaNodeset':'0-1'}"},
    {"GET", "/domains/test/numa-parameters", 200,
     "{'numaMode':'interleave','numaNodeset':'0-1'}"},
    {"PATCH", "/domains/test/numa-parameters", 204, "", .json = "{}"},
    {"PATCH", "/domains/test/numa-parameters", 400, "{'error':{}}",
     .json = "{'numaNodeset':''}"},
    {"PATCH", "/domains/test/numa-parameters", 400, GATEWAY("unknown-value"),
     .json = "{'numaMode':'nosuch'}", .contains = "*must be one of: strict, preferred*"},
    {"PATCH", "/domains/test/numa-parameters", 400, GATEWAY("unknown-value"),
     .json = "{'numaMode':true}"},
    {"PATCH", "/domains/test/numa-parameters", 400, GATEWAY("unknown-key"),
     .json = "{'nodeset':'0'}", .contains = "*numaNodeset*"},
    {"PATCH", "/domains/test/numa-parameters", 400, GATEWAY("invalid-json"),
     .json = "[]"},
    {"PATCH", "/domains/test/numa-parameters", 400, GATEWAY("unknown-flag"),
     .json = "{'numaMode':2,'numaNodeset':'0-1','flags':['nosuch']}"},
    {"PATCH", "/domains/nosuch/numa-parameters", 404, LIBVIRT("NO_DOMAIN"),
     .json = "{'numaMode':2,'numaNodeset':'0-1'}"},
    {"PATCH", "/domains/test/numa-parameters", 412, GATEWAY("precondition-failed"),
     .json = "{'numaMode':2,'numaNodeset':'0-1'}",
     .headers = {"If-Match: \"0000000000000000\""}},
};

static const struct step perf[] = {
    {"GET", "/domains/test/perf-events", 200, "{'cpuClock':false,'cmt':false}"},
    {"GET", "/domains/test/perf-events?flags=config", 200, "{}"},
    {"GET", "/domains/test/perf-events?flags=maximum", 400, GATEWAY("unknown-flag")},
    {"GET", "/domains/nosuch/perf-events", 404, LIBVIRT("NO_DOMAIN")},
    {"PATCH", "/domains/test/perf-events", 204, "", .json = "{'cpuClock':true}"},
    {"GET", "/domains/test/perf-events", 200, "{'cpuClock':true,'cmt':false}"},
    {"PATCH", "/domains/test/perf-events", 204, "", .json = "{}"},
    {"PATCH", "/domains/test/perf-events", 400, GATEWAY("invalid-value"),
     .json = "{'cpuClock':1}"},
    {"PATCH", "/domains/test/perf-events", 400, GATEWAY("unknown-key"),
     .json = "{'cpuClocks':true}", .contains = "*cpuClock*"},
    {"PATCH", "/domains/test/perf-events", 400, GATEWAY("invalid-json"), .json = "[]"},
    {"PATCH", "/domains/test/perf-events", 400, GATEWAY("unknown-flag"),
     .json = "{'cpuClock':true,'flags':['nosuch']}"},
    {"PATCH", "/domains/nosuch/perf-events", 404, LIBVIRT("NO_DOMAIN"),
     .json = "{'cpuClock':true}"},
    {"PATCH", "/domains/test/perf-events", 412, GATEWAY("precondition-failed"),
     .json = "{'cpuClock':true}", .headers = {"If-Match: \"0000000000000000\""}},
};

static const struct step inactive[] = {
    {"POST", "/domains", 201, NULL, .xml = DOMAIN("off")},
    {"GET", "/domains/off/memory-parameters?flags=live", 409,
     LIBVIRT("OPERATION_INVALID")},
    {"PATCH", "/domains/off/memory-parameters", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'hardLimit':65536,'flags':['live']}"},
    {"PATCH", "/domains/off/memory-parameters", 204, "", .json = "{'hardLimit':65536}"},
    {"GET", "/domains/off/memory-parameters", 200, "{'hardLimit':65536}"},
    {"GET", "/domains/off/blkio-parameters?flags=live", 409,
     LIBVIRT("OPERATION_INVALID")},
    {"PATCH", "/domains/off/blkio-parameters", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'weight':500,'flags':['live']}"},
    {"PATCH", "/domains/off/blkio-parameters", 204, "", .json = "{'weight':500}"},
    {"GET", "/domains/off/blkio-parameters", 200, "{'weight':500}"},
    {"GET", "/domains/off/numa-parameters?flags=live", 409, LIBVIRT("OPERATION_INVALID")},
    {"PATCH", "/domains/off/numa-parameters", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'numaNodeset':'0','flags':['live']}"},
    {"PATCH", "/domains/off/numa-parameters", 204, "", .json = "{'numaNodeset':'0'}"},
    {"GET", "/domains/off/numa-parameters", 200, "{'numaNodeset':'0'}"},
    {"GET", "/domains/off/perf-events?flags=live", 409, LIBVIRT("OPERATION_INVALID")},
    {"PATCH", "/domains/off/perf-events", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'cpuClock':true,'flags':['live']}"},
    {"PATCH", "/domains/off/perf-events", 204, "", .json = "{'cpuClock':true}"},
    {"GET", "/domains/off/perf-events", 200, "{'cpuClock':true}"},
    {"GET", "/domains/off/scheduler", 200, "{'type':'fair'}"},
};

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "tuning", ARGS("-c", "test:///default"))) {
        scenario_put_back(&s, "/domains/test/scheduler");
        scenario_put_back(&s, "/domains/test/memory-parameters");
        scenario_put_back(&s, "/domains/test/blkio-parameters");
        scenario_put_back(&s, "/domains/test/perf-events");
        scenario_run(&s, scheduler, COUNT(scheduler));
        scenario_run(&s, memory, COUNT(memory));
        scenario_run(&s, blkio, COUNT(blkio));
        scenario_run(&s, numa, COUNT(numa));
        scenario_run(&s, perf, COUNT(perf));
        scenario_run(&s, inactive, COUNT(inactive));
        scenario_end(&s);
    }
    return checks_report();
}
