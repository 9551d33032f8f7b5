/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/domain/power.c: start, shutdown, reboot, reset, suspend, resume, destroy. The
 * test driver says "internal error" where QEMU says "operation invalid"; clients get 409
 * from both.
 */
#include "tests/harness/steps.h"

#define STATE(state, reason)                                                             \
    {                                                                                    \
        "GET", "/domains/test/state", 200,                                               \
            "{'state':'" state "','stateReason':'" reason "'}"                           \
    }
#define ACT(verb, status)                                                                \
    {                                                                                    \
        "POST", "/domains/test/" verb, status, NULL                                      \
    }

static const struct step rows[] = {
    {"POST", "/domains/test/suspend", 204, ""},
    STATE("paused", "user"),
    {"GET", "/domains/test", 200, "{'state':'paused','active':true}"},
    {"GET", "/domains?state=paused", 200, "{'domains':[{'name':'test'}]}"},
    {"GET", "/domains?state=running", 200, "{'domains':[]}"},
    {"POST", "/domains/test/resume", 204, ""},
    STATE("running", "unpaused"),
    ACT("resume", 409),
    {"POST", "/domains/test/reboot", 204, ""},
    STATE("running", "booted"),
    {"POST", "/domains/test/reset", 204, ""},
    STATE("running", "booted"),
    {"POST", "/domains/test/start", 409,
     "{'status':409,'error':{'codeName':'<string>','message':'~*already*'},"
     "'retryable':false}"},
    {"POST", "/domains/test/shutdown", 202, "",
     .wants = {"Location: /domains/test/state"}},
    STATE("shutoff", "shutdown"),
    {"GET", "/domains/test", 200, "{'id':null,'active':false,'state':'shutoff'}"},
    {"GET", "/domains/1", 404, LIBVIRT("NO_DOMAIN")},
    ACT("shutdown", 409),
    ACT("destroy", 409),
    ACT("suspend", 409),
    ACT("resume", 409),
    ACT("reboot", 409),
    ACT("reset", 409),
    /* the test driver starts no domain paused; libvirt's own error says so */
    {"POST", "/domains/test/start", 400, LIBVIRT("INVALID_ARG"),
     .json = "{'flags':['paused']}"},
    {"POST", "/domains/test/start?flags=paused,force-boot", 400, LIBVIRT("INVALID_ARG")},
    {"POST", "/domains/test/start", 204, "", .json = "{}"},
    {"POST", "/domains/test/destroy", 204, "", .json = "{'flags':['graceful']}"},
    STATE("shutoff", "destroyed"),
    {"POST", "/domains/test/start", 204, ""},
    {"POST", "/domains/test/destroy?flags=graceful", 204, ""},
    /* arguments */
    {"POST", "/domains/test/start", 400, GATEWAY("unknown-flag"),
     .json = "{'flags':['fast']}", .contains = "*paused*autodestroy*"},
    {"POST", "/domains/test/start?flags=fast", 400, GATEWAY("unknown-flag")},
    {"POST", "/domains/test/start", 400, NULL, .json = "{'flags':'paused'}"},
    {"POST", "/domains/test/start", 400, NULL, .json = "{'flags':[1]}"},
    {"POST", "/domains/test/start", 400, NULL, .json = "{'flags':1}"},
    {"POST", "/domains/test/start", 400, GATEWAY("unknown-key"), .json = "{'flag':[]}",
     .contains = "*flags*"},
    {"POST", "/domains/test/start?flags=paused", 400, GATEWAY("duplicate-key"),
     .json = "{'flags':['paused']}"},
    {"POST", "/domains/test/start", 400, NULL, .json = "[]"},
    {"POST", "/domains/test/start", 400, GATEWAY("invalid-json"), .json = "{"},
    {"GET", "/domains/test/state", 200, "{'state':'shutoff'}"},
    {"POST", "/domains/test/start", 204, "", .json = "{'flags':[]}"},
    STATE("running", "booted"),
    /* who and how */
    {"POST", "/domains/nosuch/start", 404, LIBVIRT("NO_DOMAIN")},
    {"GET", "/domains/test/start", 405, GATEWAY("method-not-allowed"),
     .wants = {"Allow: *POST*"}},
    {"PUT", "/domains/test/destroy", 405, GATEWAY("method-not-allowed"),
     .wants = {"Allow: *POST*"}},
    {"POST", "/domains/test/fly", 404, GATEWAY("not-found")},
};

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "power", ARGS("-c", "test:///default"))) {
        scenario_run(&s, rows, COUNT(rows));
        scenario_end(&s);
    }
    return checks_report();
}
