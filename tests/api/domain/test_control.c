/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/domain/control.c: control, messages, lifecycle actions.
 */
#include "tests/harness/steps.h"

#define DOMAIN(name)                                                                     \
    "<domain type='test'><name>" name "</name><memory>65536</memory>"                    \
    "<vcpu>2</vcpu><os><type>hvm</type></os></domain>"

static const struct step rows[] = {
    {"GET", "/domains/test/control", 200,
     "{'state':'ok','details':'none','stateTimeMs':0}"},
    {"GET", "/domains/test/control?x=1", 400, GATEWAY("unknown-key")},
    {"GET", "/domains/nosuch/control", 404, LIBVIRT("NO_DOMAIN")},
    {"GET", "/domains/test/messages", 200, "{'messages':[]}"},
    {"GET", "/domains/test/messages?types=tainting,deprecation", 200, "{'messages':[]}"},
    {"GET", "/domains/test/messages?flags=tainting", 200, "{'messages':[]}"},
    {"GET", "/domains/test/messages?types=gossip", 400, GATEWAY("unknown-flag"),
     .contains = "*tainting*"},
    {"GET", "/domains/nosuch/messages", 404, LIBVIRT("NO_DOMAIN")},
    {"PUT", "/domains/test/lifecycle-actions/reboot", 204, "",
     .json = "{'action':'preserve'}"},
    {"GET", "/domains/test/xml", 200, NULL,
     .contains = "*<on_reboot>preserve</on_reboot>*"},
    {"PUT", "/domains/test/lifecycle-actions/crash?action=coredump-restart", 204, ""},
    {"GET", "/domains/test/xml", 200, NULL,
     .contains = "*<on_crash>coredump-restart</on_crash>*"},
    {"PUT", "/domains/test/lifecycle-actions/poweroff", 204, "",
     .json = "{'action':'restart','flags':['config']}"},
    {"GET", "/domains/test/xml?flags=inactive", 200, NULL,
     .contains = "*<on_poweroff>restart</on_poweroff>*"},
    {"PUT", "/domains/test/lifecycle-actions/birth", 400, GATEWAY("unknown-value"),
     .json = "{'action':'restart'}", .contains = "*poweroff, reboot, crash*"},
    {"PUT", "/domains/test/lifecycle-actions/reboot", 400, GATEWAY("unknown-value"),
     .json = "{'action':'nap'}", .contains = "*restart-rename*"},
    {"PUT", "/domains/test/lifecycle-actions/reboot", 400, GATEWAY("missing-key"),
     .json = "{}"},
    {"PUT", "/domains/test/lifecycle-actions/poweroff", 422,
     LIBVIRT("CONFIG_UNSUPPORTED"), .json = "{'action':'coredump-destroy'}"},
    {"PUT", "/domains/nosuch/lifecycle-actions/reboot", 404, LIBVIRT("NO_DOMAIN"),
     .json = "{'action':'restart'}"},
    {"POST", "/domains", 201, NULL, .xml = DOMAIN("off")},
    {"GET", "/domains/off/control", 409, LIBVIRT("OPERATION_INVALID")},
    {"PUT", "/domains/off/lifecycle-actions/reboot", 409, LIBVIRT("OPERATION_INVALID"),
     .json = "{'action':'restart','flags':['live']}"},
};

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "control", ARGS("-c", "test:///default"))) {
        scenario_run(&s, rows, COUNT(rows));
        scenario_end(&s);
    }
    return checks_report();
}
