/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/domain/input.c: keys by code and by name, an NMI, signals; what the test driver
 * does not do (sleep) is in tests/qemu/domain/test_agent.c.
 */
#include "tests/harness/steps.h"

#define KEYS(status, want, body)                                                         \
    {                                                                                    \
        "POST", "/domains/test/send-key", status, want, .json = body                     \
    }
#define SIGNAL(pid, status, want, body)                                                  \
    {                                                                                    \
        "POST", "/domains/test/processes/" pid "/signal", status, want, .json = body     \
    }

static const struct step keys[] = {
    KEYS(204, "", "{'keycodes':[29,56,111]}"),
    KEYS(204, "", "{'keycodes':['leftctrl','KEY_LEFTALT',111],'holdTimeMs':10}"),
    KEYS(204, "", "{'keycodes':['1','a','f12','KEY_KPASTERISK']}"),
    KEYS(204, "", "{'codeset':'usb','keycodes':[4]}"),
    KEYS(204, "", "{'codeset':'linux','keycodes':['enter']}"),
    {"POST", "/domains/test/send-key?codeset=win32&holdTimeMs=5", 204, "",
     .json = "{'keycodes':[65]}"},
    /* nothing of this was pressed */
    KEYS(400, GATEWAY("invalid-value"), "{'keycodes':[]}"),
    KEYS(400, GATEWAY("invalid-value"), "{}"),
    KEYS(400, GATEWAY("invalid-value"), "{'keycodes':'a'}"),
    KEYS(400, GATEWAY("invalid-value"),
         "{'keycodes':[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}"),
    KEYS(204, "", "{'keycodes':[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]}"),
    KEYS(400, GATEWAY("invalid-value"), "{'keycodes':[-1]}"),
    KEYS(400, GATEWAY("invalid-value"), "{'keycodes':[4294967297]}"),
    KEYS(400, GATEWAY("invalid-value"), "{'keycodes':[1.5]}"),
    KEYS(400, GATEWAY("invalid-value"), "{'keycodes':[null]}"),
    KEYS(400, GATEWAY("unknown-value"), "{'keycodes':['nokey']}"),
    KEYS(400, GATEWAY("unknown-value"), "{'keycodes':['']}"),
    KEYS(400, GATEWAY("unknown-value"), "{'keycodes':['KEY_']}"),
    KEYS(400, GATEWAY("unknown-value"), "{'keycodes':['Enter']}"),
    KEYS(400, GATEWAY("unknown-value"), "{'keycodes':['key_enter']}"),
    KEYS(400, GATEWAY("unknown-value"), "{'keycodes':['KEY_MAX']}"),
    KEYS(400, GATEWAY("unknown-value"),
         "{'keycodes':['aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa']}"),
    {"POST", "/domains/test/send-key", 400, GATEWAY("invalid-value"),
     .json = "{'codeset':'usb','keycodes':['a']}", .contains = "*codeset is not*linux*"},
    {"POST", "/domains/test/send-key", 400, GATEWAY("unknown-value"),
     .json = "{'codeset':'morse','keycodes':[1]}", .contains = "*win32*"},
    KEYS(400, GATEWAY("invalid-value"), "{'keycodes':[1],'holdTimeMs':-1}"),
    KEYS(400, GATEWAY("invalid-value"), "{'keycodes':[1],'holdTimeMs':4294967296}"),
    KEYS(400, GATEWAY("unknown-key"), "{'keys':[1]}"),
    {"POST", "/domains/nosuch/send-key", 404, LIBVIRT("NO_DOMAIN"),
     .json = "{'keycodes':[1]}"},
};

static const struct step others[] = {
    {"POST", "/domains/test/nmi", 204, ""},
    {"POST", "/domains/test/nmi?hard=1", 400, GATEWAY("unknown-key")},
    {"POST", "/domains/nosuch/nmi", 404, LIBVIRT("NO_DOMAIN")},
    SIGNAL("1", 204, "", "{'signal':'term'}"),
    SIGNAL("-1", 400, LIBVIRT("INVALID_ARG"), "{'signal':'term'}"),
    {"POST", "/domains/test/processes/1/signal?signal=rt32", 204, ""},
    SIGNAL("1", 400, GATEWAY("unknown-value"), "{'signal':'sigterm'}"),
    SIGNAL("1", 400, GATEWAY("missing-key"), "{}"),
    SIGNAL("1", 400, GATEWAY("invalid-value"), "{'signal':15}"),
    SIGNAL("0", 400, GATEWAY("invalid-value"), "{'signal':'hup'}"),
    SIGNAL("init", 400, GATEWAY("invalid-value"), "{'signal':'hup'}"),
    SIGNAL("1x", 400, GATEWAY("invalid-value"), "{'signal':'hup'}"),
    SIGNAL("+1", 400, GATEWAY("invalid-value"), "{'signal':'hup'}"),
    SIGNAL("%201", 400, GATEWAY("invalid-value"), "{'signal':'hup'}"),
    SIGNAL("99999999999999999999", 400, GATEWAY("invalid-value"), "{'signal':'hup'}"),
    /* the test driver's guests do not sleep */
    {"POST", "/domains/test/pm-suspend", 501, LIBVIRT("NO_SUPPORT"),
     .json = "{'target':'mem'}"},
    {"POST", "/domains/test/pm-suspend", 501, LIBVIRT("NO_SUPPORT")},
    {"POST", "/domains/test/pm-suspend", 400, GATEWAY("unknown-value"),
     .json = "{'target':'ram'}", .contains = "*hybrid*"},
    {"POST", "/domains/test/pm-suspend", 400, GATEWAY("invalid-value"),
     .json = "{'durationSeconds':-1}"},
    {"POST", "/domains/test/pm-wakeup", 501, LIBVIRT("NO_SUPPORT")},
    /* a guest that is off */
    {"POST", "/domains/test/destroy", 204, ""},
    KEYS(409, LIBVIRT("OPERATION_INVALID"), "{'keycodes':[1]}"),
    {"POST", "/domains/test/nmi", 409, NULL},
};

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "input", ARGS("-c", "test:///default"))) {
        scenario_run(&s, keys, COUNT(keys));
        scenario_run(&s, others, COUNT(others));
        scenario_end(&s);
    }
    return checks_report();
}
