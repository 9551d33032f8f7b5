/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/domain/memory.c: memory and what the guest reports of it.
 */
#include "tests/harness/steps.h"

#define DOMAIN(name)                                                                     \
    "<domain type='test'><name>" name "</name><memory>65536</memory>"                    \
    "<vcpu>2</vcpu><os><type>hvm</type></os></domain>"

static const struct step rows[] = {
    {"PUT", "/domains/test/memory", 204, "", .json = "{'memoryKiB':1048576}"},
    {"GET", "/domains/test", 200, "{'memoryKiB':1048576,'maxMemoryKiB':8388608}"},
    {"PUT", "/domains/test/memory?memoryKiB=2097152&flags=live", 204, ""},
    {"GET", "/domains/test", 200, "{'memoryKiB':2097152}"},
    {"PUT", "/domains/test/memory", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'maxMemoryKiB':4194304}"},
    {"PUT", "/domains/test/memory", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'memoryKiB':4194304,'flags':['maximum']}"},
    {"PUT", "/domains/test/memory", 400, LIBVIRT("INVALID_ARG"),
     .json = "{'memoryKiB':9000000000}"},
    {"PUT", "/domains/test/memory", 400, GATEWAY("missing-key"), .json = "{}"},
    {"PUT", "/domains/test/memory", 400, GATEWAY("invalid-value"),
     .json = "{'memoryKiB':1,'maxMemoryKiB':1}"},
    {"PUT", "/domains/test/memory", 400, GATEWAY("invalid-value"),
     .json = "{'memoryKiB':0}"},
    {"PUT", "/domains/test/memory", 400, GATEWAY("invalid-value"),
     .json = "{'memoryKiB':-5}"},
    {"PUT", "/domains/test/memory", 400, GATEWAY("invalid-value"),
     .json = "{'memoryKiB':1.5}"},
    {"PUT", "/domains/test/memory", 400, GATEWAY("invalid-value"),
     .json = "{'memoryKiB':9223372036854775807}"},
    {"PUT", "/domains/test/memory", 400, GATEWAY("unknown-flag"),
     .json = "{'memoryKiB':1,'flags':['now']}"},
    {"PUT", "/domains/nosuch/memory", 404, LIBVIRT("NO_DOMAIN"),
     .json = "{'memoryKiB':1024}"},
    {"GET", "/domains/test/memory", 405, GATEWAY("method-not-allowed")},
    {"POST", "/domains", 201, NULL, .xml = DOMAIN("off")},
    {"PUT", "/domains/off/memory", 204, "", .json = "{'maxMemoryKiB':131072}"},
    {"GET", "/domains/off", 200, "{'maxMemoryKiB':131072}"},
    {"PUT", "/domains/off/memory", 204, "",
     .json = "{'memoryKiB':32768,'flags':['config']}"},
    {"PUT", "/domains/off/memory", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'memoryKiB':32768,'flags':['live']}"},
    {"GET", "/domains/test/memory-stats", 200,
     "{'actualBalloonKiB':2097152,'swapInKiB':0,'majorFault':0,'unusedKiB':'<int>','"
     "rssKiB':'<int>','lastUpdateSeconds':'<int>','hugetlbPgfail':0}"},
    {"GET", "/domains/off/memory-stats", 409, LIBVIRT("OPERATION_INVALID")},
    {"GET", "/domains/test/memory-stats?x=1", 400, GATEWAY("unknown-key")},
    {"GET", "/domains/nosuch/memory-stats", 404, LIBVIRT("NO_DOMAIN")},
    {"PUT", "/domains/test/memory-stats/period", 204, "", .json = "{'seconds':5}"},
    {"GET", "/domains/test/xml", 200, NULL, .contains = "*<stats period='5'/>*"},
    {"PUT", "/domains/test/memory-stats/period?seconds=0", 204, ""},
    {"PUT", "/domains/test/memory-stats/period", 400, GATEWAY("missing-key"),
     .json = "{}"},
    {"PUT", "/domains/test/memory-stats/period", 400, GATEWAY("invalid-value"),
     .json = "{'seconds':-1}"},
    {"PUT", "/domains/test/memory-stats/period", 400, GATEWAY("invalid-value"),
     .json = "{'seconds':2147483648}"},
    {"PUT", "/domains/off/memory-stats/period", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'seconds':1,'flags':['live']}"},
    {"PUT", "/domains/nosuch/memory-stats/period", 404, LIBVIRT("NO_DOMAIN"),
     .json = "{'seconds':1}"},
    {"POST", "/domains/test/dirty-rate", 501, LIBVIRT("NO_SUPPORT"),
     .json = "{'seconds':1}"},
    {"POST", "/domains/test/dirty-rate", 400, GATEWAY("missing-key"), .json = "{}"},
    {"POST", "/domains/test/dirty-rate", 400, GATEWAY("unknown-value"),
     .json = "{'seconds':1,'mode':'guess'}", .contains = "*dirty-bitmap*"},
    {"POST", "/domains/test/dirty-rate", 400, GATEWAY("unknown-flag"),
     .json = "{'seconds':1,'flags':['guess']}"},
    {"POST", "/domains/nosuch/dirty-rate", 404, LIBVIRT("NO_DOMAIN"),
     .json = "{'seconds':1}"},
};

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "memory", ARGS("-c", "test:///default"))) {
        scenario_run(&s, rows, COUNT(rows));
        scenario_end(&s);
    }
    return checks_report();
}
