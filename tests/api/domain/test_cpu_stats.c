/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/domain/cpu_stats.c: CPU time by CPU of the host.
 */
#include "tests/harness/steps.h"

#define DOMAIN(name)                                                                     \
    "<domain type='test'><name>" name "</name><memory>65536</memory>"                    \
    "<vcpu>2</vcpu><os><type>hvm</type></os></domain>"

static const struct step rows[] = {
    {"GET", "/domains/test/cpu-stats", 200,
     "{'total':{'cpuTime':'<int>','userTime':'<int>','systemTime':'<int>','number':'<"
     "absent>'},'cpus':[{'number':0,'cpuTime':'<int>','vcpuTime':'<int>'},{'number':1}]"
     "}"},
    {"GET", "/domains/test/cpu-stats?total=true", 200, "{'total':{},'cpus':'<absent>'}"},
    {"GET", "/domains/test/cpu-stats?total=false", 200,
     "{'total':'<absent>','cpus':[{},{}]}"},
    {"GET", "/domains/test/cpu-stats?start=1&count=1&total=false", 200,
     "{'cpus':[{'number':1}]}"},
    {"GET", "/domains/test/cpu-stats?start=1&count=99&total=false", 200,
     "{'cpus':[{'number':1}]}"},
    {"GET", "/domains/test/cpu-stats?start=9000&total=false", 200, "{'cpus':[]}"},
    {"GET", "/domains/test/cpu-stats?start=-1", 400, GATEWAY("invalid-value")},
    {"GET", "/domains/test/cpu-stats?count=0", 400, GATEWAY("invalid-value")},
    {"GET", "/domains/test/cpu-stats?total=some", 400, GATEWAY("invalid-value")},
    {"GET", "/domains/test/cpu-stats?cpu=1", 400, GATEWAY("unknown-key")},
    {"GET", "/domains/nosuch/cpu-stats", 404, LIBVIRT("NO_DOMAIN")},
    {"POST", "/domains", 201, NULL, .xml = DOMAIN("off")},
    {"GET", "/domains/off/cpu-stats", 409, LIBVIRT("OPERATION_INVALID")},
};

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "cpu-stats", ARGS("-c", "test:///default"))) {
        scenario_run(&s, rows, COUNT(rows));
        scenario_end(&s);
    }
    return checks_report();
}
