/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/domain/stats.c: /domains/{domain}/stats and /domain-stats, of all and of some.
 */
#include "tests/harness/steps.h"

#define UUID "6695eb01-f6a4-8304-79aa-97f2502e193f"

static const struct step rows[] = {
    {"GET", "/domains/test/stats", 200,
     "{'id':1,'name':'test','uuid':'" UUID "','stats':{'state':{'state':'<any>',"
     "'reason':'<any>'}}}"},
    {"GET", "/domain-stats", 200,
     "{'domains':[{'id':1,'name':'test','uuid':'" UUID "','stats':{'state':{}}}]}"},
    {"POST", "/domains", 201, "{'name':'alpha'}",
     .xml = "<domain type='test'><name>alpha</name><memory>65536</memory>"
            "<os><type>hvm</type></os></domain>"},
    {"GET", "/domain-stats", 200,
     "{'domains':[{'name':'alpha','id':null,'stats':{'state':{}}},{'name':'test'}]}"},
    {"GET", "/domains/alpha/stats", 200,
     "{'id':null,'name':'alpha','stats':{'state':{}}}"},
    {"GET", "/domains/nosuch/stats", 404, LIBVIRT("NO_DOMAIN")},
    {"GET", "/domain-stats?groups=dirtyrate&flags=enforce-stats", 422,
     LIBVIRT("ARGUMENT_UNSUPPORTED")},
    {"GET", "/domain-stats?nosuch=1", 400, GATEWAY("unknown-key")},
    {"GET", "/domain-stats?flags=nosuch", 400, GATEWAY("unknown-flag")},
    {"GET", "/domain-stats?flags=wait", 200, "{'domains':[{'name':'alpha'},{}]}"},
    {"GET", "/domain-stats?flags=nowait,active", 200, "{'domains':[{'name':'test'}]}"},
    {"GET", "/domain-stats?flags=wait,nowait", 400, GATEWAY("invalid-value")},
    {"GET", "/domains/test/stats?flags=wait", 200, "{'name':'test'}"},
    {"POST", "/domain-stats", 200, "{'domains':[{'name':'test'}]}",
     .json = "{'domains':['test'],'flags':['wait'],'nowait':true}"},
    {"GET", "/domain-stats?numbers=string", 200, "{'domains':[{},{}]}"},
    {"GET", "/domain-stats?state=active", 200, "{'domains':[{'name':'test'}]}"},
    {"GET", "/domain-stats?state=shutoff,paused", 200, "{'domains':[{'name':'alpha'}]}"},
    {"GET", "/domain-stats?state=running&flags=inactive", 200, "{'domains':[]}"},
    {"GET", "/domain-stats?state=flying", 400, NULL, .contains = "*inactive*"},
    {"GET", "/domains/test/stats?state=active", 400, GATEWAY("unknown-key")},
    /* of some, in their order */
    {"POST", "/domain-stats", 200,
     "{'domains':[{'name':'test','id':1,'stats':{'state':{'state':'running'}}},"
     "{'name':'alpha','id':null}]}",
     .json = "{'domains':[1,'alpha'],'groups':['state']}"},
    {"POST", "/domain-stats?groups=state&nowait=true", 200,
     "{'domains':[{'name':'test'}]}", .json = "{'domains':['" UUID "']}"},
    {"POST", "/domain-stats?flags=inactive", 200, "{'domains':[]}",
     .json = "{'domains':['test']}"},
    {"POST", "/domain-stats", 404, LIBVIRT("NO_DOMAIN"),
     .json = "{'domains':['test','nosuch']}"},
    {"POST", "/domain-stats", 400, GATEWAY("invalid-value"), .json = "{'domains':[]}"},
    {"POST", "/domain-stats", 400, GATEWAY("invalid-value"),
     .json = "{'domains':[true]}"},
    {"POST", "/domain-stats", 400, GATEWAY("invalid-value"),
     .json = "{'domains':'test'}"},
    {"POST", "/domain-stats", 400, GATEWAY("missing-key"), .json = "{}"},
    {"POST", "/domain-stats", 400, GATEWAY("unknown-flag"),
     .json = "{'domains':['test'],'groups':['nosuch']}", .contains = "*balloon*"},
    {"POST", "/domains/test/stats", 405, GATEWAY("method-not-allowed"),
     .wants = {"Allow: *GET*"}},
};

/* It asks, whatever its method. */
static const struct step read_only[] = {
    {"POST", "/domain-stats", 200, "{'domains':[{'name':'test'}]}",
     .json = "{'domains':['test']}"},
    {"PUT", "/domains/test/vcpu-count", 403, GATEWAY("read-only"), .json = "{'count':1}"},
};

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "stats", ARGS("-c", "test:///default"))) {
        scenario_run(&s, rows, COUNT(rows));
        scenario_end(&s);
    }
    if (scenario_begin(&s, "read-only", ARGS("-c", "test:///default", "--read-only"))) {
        scenario_run(&s, read_only, COUNT(read_only));
        scenario_end(&s);
    }
    return checks_report();
}
