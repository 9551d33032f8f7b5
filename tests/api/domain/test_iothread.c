/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/domain/iothread.c: I/O threads.
 */
#include "tests/harness/steps.h"

#define DOMAIN(name)                                                                     \
    "<domain type='test'><name>" name "</name><memory>65536</memory>"                    \
    "<vcpu>2</vcpu><os><type>hvm</type></os></domain>"

static const struct step rows[] = {
    {"GET", "/domains/test/iothreads", 200, "{'iothreads':[]}"},
    {"POST", "/domains/test/iothreads", 201, "{'id':1}", .json = "{'id':1}",
     .wants = {"Location: /domains/test/iothreads/1"}},
    {"POST", "/domains/test/iothreads?id=2", 201, "{'id':2}"},
    {"POST", "/domains/test/iothreads", 201, "{'id':3}",
     .json = "{'id':3,'flags':['config']}",
     .wants = {"Location: /domains/test/iothreads/3[?]flags=config"}},
    {"GET", "/domains/test/iothreads", 200, "{'iothreads':'<array>'}"},
    {"GET", "/domains/test/iothreads/2", 200, "{'id':2,'cpus':'<array>'}"},
    {"GET", "/domains/test/iothreads/3?flags=config", 200, "{'id':3}"},
    {"GET", "/domains/test/iothreads/77", 404, GATEWAY("not-found")},
    {"GET", "/domains/test/iothreads/x", 400, GATEWAY("invalid-value")},
    {"GET", "/domains/test/iothreads?flags=nosuch", 400, GATEWAY("unknown-flag")},
    {"POST", "/domains/test/iothreads", 409, LIBVIRT("INVALID_ARG"), .json = "{'id':2}",
     .contains = "*already*"},
    {"POST", "/domains/test/iothreads", 400, GATEWAY("invalid-value"),
     .json = "{'id':0}"},
    {"POST", "/domains/test/iothreads", 400, GATEWAY("missing-key"), .json = "{}"},
    {"PUT", "/domains/test/iothreads/2/pin", 204, "", .json = "{'cpus':'1-3'}"},
    {"GET", "/domains/test/iothreads/2", 200, "{'id':2,'cpus':[1,2,3]}"},
    {"PUT", "/domains/test/iothreads/2/pin", 400, GATEWAY("invalid-value"),
     .json = "{'cpus':[]}"},
    {"PUT", "/domains/test/iothreads/77/pin", 404, LIBVIRT("INVALID_ARG"),
     .json = "{'cpus':[1]}"},
    {"PUT", "/domains/test/iothreads/x/pin", 400, GATEWAY("invalid-value"),
     .json = "{'cpus':[1]}"},
    {"PUT", "/domains/nosuch/iothreads/1/pin", 404, LIBVIRT("NO_DOMAIN"),
     .json = "{'cpus':[1]}"},
    {"PATCH", "/domains/test/iothreads/2", 204, "",
     .json = "{'pollMaxNs':4096,'pollGrow':2}"},
    {"GET", "/domains/test/stats?groups=iothread", 200,
     "{'stats':{'iothread':'<array>'}}", .contains = "*\"pollMaxNs\":4096*"},
    /* of a thread that runs, and of one that is only configured: nothing is shown of it
     */
    {"PATCH", "/domains/test/iothreads/2", 204, "", .json = "{'pollShrink':3}"},
    {"GET", "/domains/test/stats?groups=iothread", 200, NULL,
     .contains = "*\"pollShrink\":3*"},
    {"PATCH", "/domains/test/iothreads/2", 400, NULL, .json = "{'pollGrow':4294967296}"},
    {"PATCH", "/domains/test/iothreads/2", 204, "", .json = "{}"},
    {"PATCH", "/domains/test/iothreads/2", 400, GATEWAY("unknown-key"),
     .json = "{'pollMax':1}", .contains = "*pollMaxNs*"},
    {"PATCH", "/domains/test/iothreads/2", 400, GATEWAY("invalid-value"),
     .json = "{'pollMaxNs':'x'}"},
    {"PATCH", "/domains/test/iothreads/2", 400, GATEWAY("invalid-value"),
     .json = "{'pollMaxNs':-1}"},
    {"PATCH", "/domains/test/iothreads/2?pollMaxNs=1", 400, GATEWAY("unknown-key")},
    {"PATCH", "/domains/test/iothreads/77", 404, LIBVIRT("INVALID_ARG"),
     .json = "{'pollMaxNs':1}"},
    {"PATCH", "/domains/test/iothreads/x", 400, GATEWAY("invalid-value"),
     .json = "{'pollMaxNs':1}"},
    {"PATCH", "/domains/nosuch/iothreads/1", 404, LIBVIRT("NO_DOMAIN"),
     .json = "{'pollGrow':1}"},
    {"DELETE", "/domains/test/iothreads/2", 204, ""},
    {"DELETE", "/domains/test/iothreads/2", 404, LIBVIRT("INVALID_ARG")},
    {"DELETE", "/domains/test/iothreads/x", 400, GATEWAY("invalid-value")},
    {"DELETE", "/domains/nosuch/iothreads/1", 404, LIBVIRT("NO_DOMAIN")},
    {"DELETE", "/domains/test/iothreads/3?flags=config", 204, ""},
    {"GET", "/domains/test/iothreads/2", 404, GATEWAY("not-found")},
    {"GET", "/domains/nosuch/iothreads", 404, LIBVIRT("NO_DOMAIN")},
    {"POST", "/domains/nosuch/iothreads", 404, LIBVIRT("NO_DOMAIN"), .json = "{'id':1}"},
    {"GET", "/domains/nosuch/iothreads/1", 404, LIBVIRT("NO_DOMAIN")},
    {"POST", "/domains", 201, NULL, .xml = DOMAIN("off")},
    {"POST", "/domains/off/iothreads", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'id':1,'flags':['live']}"},
    {"GET", "/domains/off/iothreads?flags=live", 409, LIBVIRT("OPERATION_INVALID")},
};

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "iothreads", ARGS("-c", "test:///default"))) {
        scenario_run(&s, rows, COUNT(rows));
        scenario_end(&s);
    }
    return checks_report();
}
