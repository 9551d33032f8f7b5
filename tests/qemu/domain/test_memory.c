/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/domain/memory.c on QEMU: the balloon, and how fast memory is written.
 */
#include "tests/qemu/guest.h"

static const struct step rows[] = {
    {"POST", "/domains", 201, NULL, .xml = TWO_VCPUS("v1")},
    {"PUT", "/domains/v1/memory", 204, "", .json = "{'maxMemoryKiB':49152}"},
    {"PUT", "/domains/v1/memory", 204, "",
     .json = "{'memoryKiB':40960,'flags':['config']}"},
    {"GET", "/domains/v1", 200, "{'maxMemoryKiB':49152,'memoryKiB':40960}"},
    {"GET", "/domains/v1/memory-stats", 409, LIBVIRT("OPERATION_INVALID")},
    {"POST", "/domains/v1/dirty-rate", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'seconds':1}"},
    {"PUT", "/domains/v1/memory", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'memoryKiB':32768,'flags':['live']}"},
    {"PUT", "/domains/v1/memory-stats/period", 204, "", .json = "{'seconds':7}"},
    {"GET", "/domains/v1/xml", 200, NULL, .contains = "*<stats period='7'/>*"},
    {"POST", "/domains/v1/start", 204, ""},
    {"GET", "/domains/v1/memory-stats", 200,
     "{'actualBalloonKiB':'<int>','rssKiB':'<int>','lastUpdateSeconds':'<int>'}"},
    {"PUT", "/domains/v1/memory", 204, "",
     .json = "{'memoryKiB':32768,'flags':['live']}"},
    {"PUT", "/domains/v1/memory", 400, LIBVIRT("INVALID_ARG"),
     .json = "{'memoryKiB':65536}"},
    {"PUT", "/domains/v1/memory", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'maxMemoryKiB':65536,'flags':['live']}"},
    {"PUT", "/domains/v1/memory-stats/period", 204, "",
     .json = "{'seconds':3,'flags':['live']}"},
    {"POST", "/domains/v1/dirty-rate", 422, LIBVIRT("CONFIG_UNSUPPORTED"),
     .json = "{'seconds':61}"},
    {"POST", "/domains/v1/dirty-rate", 202, "{'seconds':1}",
     .json = "{'seconds':1,'mode':'page-sampling'}",
     .wants = {"Location: /domains/v1/stats[?]groups=dirtyrate"}},
};

/* QEMU may not have begun when the call returns. */
static const struct step measures = {
    "GET", "/domains/v1/stats?groups=dirtyrate", 200,
    "{'stats':{'dirtyrate':{'calcPeriod':1,'calcStatus':'~measur*'}}}"};

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "memory", ARGS("-c", guest_uri()))) {
        scenario_run(&s, rows, COUNT(rows));
        scenario_until(&s, &measures, 60);
        guests_remove(&s);
        scenario_end(&s);
    }
    return checks_report();
}
