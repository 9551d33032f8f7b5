/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/domain/history.c: its form, on a driver that tells nothing to keep; what it
 * keeps is tested on QEMU.
 */
#include "tests/harness/steps.h"

#define UUID "6695eb01-f6a4-8304-79aa-97f2502e193f"

static const struct step rows[] = {
    {"GET", "/domains/test/history?seconds=30", 200,
     "{'id':1,'name':'test','uuid':'" UUID "','stepSeconds':10,'points':3,"
     "'startTime':'~20*T*:*0Z','series':{'cpuPercent':[null,null,null],"
     "'diskReadBytesPerSecond':[null,null,null],'memoryKiB':[null,null,null]}}"},
    {"GET", "/domains/" UUID "/history?seconds=21&fields=memoryRssKiB,cpuPercent", 200,
     "{'points':3,'series':{'cpuPercent':[null,null,null],'memoryRssKiB':[null,null,null]"
     "}}",
     .contains = "*\"series\":{\"cpuPercent\":*,\"memoryRssKiB\":*}}"},
    {"GET", "/hosts/default/domains/1/history", 200, "{'name':'test','points':360}"},
    {"GET", "/", 200, NULL, .contains = "*\"features\":*\"history\"*"},
    {"GET", "/domains/test/history?seconds=9", 400, GATEWAY("invalid-value")},
    {"GET", "/domains/test/history?seconds=3601", 400, GATEWAY("invalid-value")},
    {"GET", "/domains/test/history?fields=cpu", 400, GATEWAY("unknown-flag"),
     .contains = "*cpuPercent*"},
    {"GET", "/domains/test/history?nosuch=1", 400, GATEWAY("unknown-key")},
    {"GET", "/domains/nosuch/history", 404, LIBVIRT("NO_DOMAIN")},
    {"POST", "/domains/test/history", 405, GATEWAY("method-not-allowed")},
    {"GET", "/hosts/-/domains/test/history", 404, GATEWAY("not-found")},
    {"POST", "/domains", 201, "{'name':'off'}",
     .xml = "<domain type='test'><name>off</name><memory>65536</memory>"
            "<os><type>hvm</type></os></domain>"},
    {"GET", "/domains/off/history?seconds=10", 200,
     "{'id':null,'name':'off','series':{'cpuPercent':[null]}}"},
};

static const struct step none[] = {
    {"GET", "/domains/test/history", 404, GATEWAY("not-found"),
     .contains = "*--history*"},
    {"GET", "/domains/nosuch/history", 404, LIBVIRT("NO_DOMAIN")},
    {"GET", "/domain-stats", 200, "{'domains':[{'name':'test'}]}"},
};

/* Statistics of all hosts: each item says its host, one that is down is named. */
static const struct step all_hosts[] = {
    {"GET", "/hosts/-/domain-stats", 200,
     "{'domains':[{'name':'test','host':'a','stats':{'state':{'state':'running'}}},"
     "{'name':'test','host':'b'}],'unreachable':[{'host':'down','error':"
     "{'status':503}}]}"},
    {"GET", "/hosts/-/domain-stats?state=inactive", 200,
     "{'domains':[],'unreachable':[{'host':'down'}]}"},
    {"GET", "/hosts/-/domain-stats?groups=nosuch", 400, GATEWAY("unknown-flag")},
    {"POST", "/hosts/-/domain-stats", 405, GATEWAY("method-not-allowed"),
     .json = "{'domains':['test']}"},
    {"GET", "/hosts/b/domains/test/history?seconds=10", 200, "{'points':1}"},
    {"GET", "/hosts/down/domains/test/history", 503, GATEWAY("host-unreachable")},
};

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "history", ARGS("-c", "test:///default"))) {
        scenario_run(&s, rows, COUNT(rows));
        scenario_end(&s);
    }
    if (scenario_begin(&s, "no history",
                       ARGS("-c", "test:///default", "--history", "no"))) {
        scenario_run(&s, none, COUNT(none));
        scenario_end(&s);
    }
    if (scenario_begin(&s, "all hosts",
                       ARGS("--host", "a=test:///default", "--host", "b=test:///default",
                            "--host", "down=qemu+unix:///system?socket=/nonexistent"))) {
        scenario_run(&s, all_hosts, COUNT(all_hosts));
        scenario_end(&s);
    }
    return checks_report();
}
