/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/gateway/host.c and the /hosts/{host}/... prefix, with a live host and a dead one
 * beside the default one.
 */
#include "tests/harness/steps.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct step rows[] = {
    {"GET", "/hosts", 200,
     "{'hosts':['...',{'host':'a','uri':'test:///default','state':'up','readOnly':false},"
     "'...']}"},
    {"GET", "/hosts", 200, "{'hosts':['...',{'host':'default','state':'up'},'...']}"},
    {"GET", "/hosts", 200, "{'hosts':['...',{'host':'b','uri':'~test+unix:*'},'...']}"},
    {"GET", "/hosts?view=default", 200,
     "{'hosts':['...',{'host':'a','domains':'<absent>','node':'<absent>'},'...']}"},
    {"GET", "/hosts?view=full", 200,
     "{'hosts':['...',{'host':'a','state':'up','error':'<absent>',"
     "'domains':{'running':1,'paused':0,'shutoff':0,'total':1},"
     "'node':{'cpus':16,'model':'i686','memoryKiB':3145728,'freeMemoryKiB':'<int>'},"
     "'hypervisor':{'type':'TEST'},'libvirt':{'version':'<string>','number':'<int>'}},"
     "'...']}"},
    {"GET", "/hosts?view=all", 400, GATEWAY("unknown-value"),
     .contains = "*default, full*"},
    {"GET", "/hosts?nosuch=1", 400, GATEWAY("unknown-key")},
    {"GET", "/hosts?view=full&nosuch=1", 400, GATEWAY("unknown-key")},
    {"GET", "/hosts/a", 200, "{'host':'a','uri':'test:///default','state':'up'}"},
    {"GET", "/hosts/b", 200, "{'host':'b','state':'~[cd]o*'}"},
    {"GET", "/hosts/a/domains", 200, "{'domains':[{'name':'test','host':'<absent>'}]}"},
    {"GET", "/hosts/default/domains", 200, "{'domains':[{'name':'test'}]}"},
    {"GET", "/hosts/a/domains/test", 200, "{'name':'test'}"},
    {"GET", "/hosts/a/domains/test/xml", 200, NULL, .contains = "<domain *"},
    {"GET", "/hosts/a/version", 200, "{'hypervisor':{'type':'TEST'}}"},
    {"GET", "/hosts/a/connection", 200, "{'host':'a','uri':'test:///default'}"},
    {"GET", "/hosts/a/domains/nosuch", 404,
     "{'host':'a','instance':'/hosts/a/domains/nosuch'}"},
    {"POST", "/hosts/a/domains", 201, "{'name':'on-a'}",
     .xml = "<domain type='test'><name>on-a</name><memory>65536</memory>"
            "<os><type>hvm</type></os></domain>",
     .wants = {"Location: /hosts/a/domains/*"}},
    {"GET", "/hosts/a/domains?limit=1", 200, "{'domains':[{'name':'on-a'}]}",
     .wants = {"Link: </hosts/a/domains[?]*>; rel=\"next\""}},
    {"GET", "/hosts?view=full", 200,
     "{'hosts':['...',{'host':'a','domains':{'running':1,'shutoff':1,'total':2}},'...']"
     "}"},
    {"POST", "/hosts/a/domains/on-a/start", 204, ""},
    {"POST", "/hosts/a/domains/on-a/suspend", 204, ""},
    {"GET", "/hosts?view=full", 200,
     "{'hosts':['...',{'host':'a','domains':{'running':1,'paused':1,'shutoff':0,"
     "'total':2}},'...']}"},
    {"POST", "/hosts/a/domains/on-a/destroy", 204, ""},
    {"DELETE", "/hosts/a/domains/on-a", 204, ""},
    {"GET", "/hosts/nosuch/domains", 404, GATEWAY("not-found")},
    {"GET", "/hosts/nosuch", 404, GATEWAY("not-found")},
    {"GET", "/hosts/a/health/live", 404, GATEWAY("not-found")},
    {"GET", "/hosts/a/nosuch", 404, GATEWAY("not-found")},
    {"DELETE", "/hosts/a", 405, GATEWAY("method-not-allowed"), .wants = {"Allow: *GET*"}},
};

/* The dead host fails alone, at once, and says how it may be retried. */
static const struct step dead[] = {
    {"GET", "/hosts/b", 200,
     "{'state':'down','error':{'type':'urn:virtgate:error:host-unreachable','status':503,"
     "'retryable':true}}"},
    {"GET", "/hosts/b/domains", 503,
     "{'status':503,'retryable':true,'host':'b','type':'~urn:*'}",
     .wants = {"Retry-After: [0-9]*"}},
    {"GET", "/hosts?view=full", 200,
     "{'hosts':['...',{'host':'b','state':'down','error':{'status':503},"
     "'domains':'<absent>','node':'<absent>'},'...']}"},
    {"POST", "/hosts/b/domains/test/start", 503,
     "{'status':503,'host':'b','retryable':true}"},
    {"GET", "/hosts/-/domains", 200,
     "{'domains':['...',{'name':'test','host':'a'},'...'],"
     "'unreachable':[{'host':'b','error':{}}]}"},
    {"GET", "/hosts/-/domains", 200,
     "{'domains':['...',{'name':'test','host':'default'},"
     "'...']}"},
    {"GET", "/hosts/-/domains?state=inactive", 200,
     "{'domains':[],'unreachable':[{'host':'b'}]}"},
    /* items without names are sorted and paged all the same */
    {"GET", "/hosts/-/domains?fields=state", 200, NULL,
     .contains = "*{\"domains\":[{\"state\":*"},
    {"GET", "/hosts/-/domains?fields=state&limit=1", 200, NULL,
     .contains = "*\"name\":\"test\"*"},
    {"GET", "/hosts/-/domains?nosuch=1", 400, GATEWAY("unknown-key")},
    {"POST", "/hosts/-/domains/test/destroy", 404, GATEWAY("not-found")},
    {"GET", "/domains", 200, "{'domains':[{'name':'test'}],'unreachable':'<absent>'}"},
};

/* Two hosts with the same domains: by name, then by host; pages never part a name. */
#define BOTH(name) "{'name':'" name "','host':'a'},{'name':'" name "','host':'default'}"
static const struct step joined[] = {
    {"POST", "/hosts/a/domains", 201, "{'name':'alpha'}",
     .xml = "<domain type='test'><name>alpha</name><memory>65536</memory>"
            "<os><type>hvm</type></os></domain>"},
    {"GET", "/hosts/-/domains", 200,
     "{'domains':[" BOTH("alpha") "," BOTH("test") "],'next':'<absent>'}",
     .wants = {"!Link"}},
    {"GET", "/hosts/-/domains?limit=1", 200,
     "{'domains':[" BOTH("alpha") "],'next':'alpha'}",
     .wants = {"Link: </hosts/-/domains[?]*after=alpha*>; rel=\"next\""}},
    {"GET", "/hosts/-/domains?limit=2", 200,
     "{'domains':[" BOTH("alpha") "],'next':'alpha'}"},
    {"GET", "/hosts/-/domains?limit=3", 200,
     "{'domains':[" BOTH("alpha") "," BOTH("test") "],'next':'<absent>'}"},
    {"GET", "/hosts/-/domains?limit=4", 200,
     "{'domains':[" BOTH("alpha") "," BOTH("test") "],'next':'<absent>'}"},
    {"GET", "/hosts/-/domains?limit=1&after=alpha", 200,
     "{'domains':[" BOTH("test") "],'next':'<absent>'}"},
    {"GET", "/hosts/-/domains?limit=1&after=test", 200,
     "{'domains':[],'next':'<absent>'}"},
    {"GET", "/hosts/-/domains?state=active&limit=1", 200,
     "{'domains':[" BOTH("test") "],'next':'<absent>'}"},
    {"GET", "/hosts/-/domains?limit=1&name=nosuch", 200, "{'domains':[]}"},
    {"DELETE", "/hosts/a/domains/alpha", 204, ""},
};

static void test_dead_is_fast(struct scenario *s)
{
    for (int i = 0; i < 20; i++) {
        const char *path = i % 2 ? "/hosts/b/domains" : "/hosts/-/domains";
        struct response *r = scenario_send(s, "GET", path, NULL, NULL);
        check_response(r->status == (i % 2 ? 503 : 200) && r->seconds < 10, r,
                       "%s with a dead host took %.3f s", path, r->seconds);
        response_free(r);
    }
}

/* ---- no host `default` ------------------------------------------------------------- */

#define NO_DEFAULT                                                                       \
    "{'type':'urn:virtgate:error:not-found','detail':'~*/hosts*','host':'<absent>'}"

/* Nobody said which host the bare paths mean, so they mean none, by whatever method. */
static const struct step without[] = {
    {"GET", "/hosts", 200, "{'hosts':[{'host':'a','state':'up'}]}"},
    {"GET", "/health/ready", 200, "{'status':'ready','hosts':[{'host':'a'}]}"},
    {"GET", "/hosts/default", 404, GATEWAY("not-found")},
    {"GET", "/hosts/default/domains", 404, GATEWAY("not-found")},
    {"GET", "/version", 404, NO_DEFAULT},
    {"GET", "/connection", 404, NO_DEFAULT},
    {"GET", "/connection/capabilities", 404, NO_DEFAULT},
    {"GET", "/domains", 404, "{'detail':'~*/hosts/{host}/domains;*'}"},
    {"HEAD", "/domains", 404, ""},
    {"OPTIONS", "/domains", 404, NULL},
    {"GET", "/domains?view=full", 404, NO_DEFAULT},
    {"GET", "/domains/test", 404, NO_DEFAULT},
    {"GET", "/domains/test/events", 404, NO_DEFAULT},
    {"POST", "/domains/test/destroy", 404, NO_DEFAULT},
    {"POST", "/domains", 404, NO_DEFAULT, .xml = "<domain/>"},
    {"DELETE", "/domains/test", 404, NO_DEFAULT},
    {"GET", "/events", 404, NO_DEFAULT},
    {"GET", "/events?wait=0", 404, NO_DEFAULT},
    {"GET", "/events?wait=0&host=a", 200, "{'events':[]}"},
    {"GET", "/events?wait=0&host=-", 200, "{'events':[]}"},
    {"GET", "/events?wait=0&host=default", 400, GATEWAY("unknown-value")},
    {"GET", "/hosts/-/events?wait=0", 200, "{'events':[]}"},
    {"GET", "/hosts/a/events?wait=0", 200, "{'events':[]}"},
    {"GET", "/operations", 200, "{'operations':[]}"},
    {"GET", "/operations/nosuch", 404, GATEWAY("not-found")},
    {"GET", "/hosts/a/domains", 200, "{'domains':[{'name':'test'}]}"},
    {"GET", "/hosts/-/domains", 200,
     "{'domains':[{'name':'test','host':'a'}],'unreachable':[]}"},
    {"GET", "/metrics", 200, NULL, .contains = "*libvirt_up{host=\"a\"} 1\n*"},
    {"GET", "/metrics?host=default", 404, GATEWAY("not-found")},
    {"GET", "/", 200,
     "{'links':{'hosts':'/hosts','sessions':'/sessions','domains':'<absent>',"
     "'uploads':'<absent>'}}"},
};

static void test_without_default(void)
{
    struct scenario s;
    if (!scenario_begin(&s, "no default", ARGS("--host", "a=test:///default")))
        return;
    scenario_run(&s, without, COUNT(without));
    struct response *r = scenario_send(&s, "GET", "/metrics", NULL, NULL);
    check_response(!strstr(r->body, "host=\"default\""), r,
                   "no metric of a default host");
    response_free(r);
    scenario_end(&s);
}

/* ---- a host that takes connections and never says a word --------------------------- */

static void test_hung(void)
{
    char path[64], uri[128];
    snprintf(path, sizeof(path), "/tmp/vg-test-mute.%d", (int)getpid());
    snprintf(uri, sizeof(uri), "h=qemu+unix:///system?socket=%s", path);
    int fd = listen_mutely(path);
    check_that(fd >= 0, "a socket at %s", path);
    struct scenario s;
    double begun = seconds_now();
    if (scenario_begin_unready(&s, "hung host",
                               ARGS("-c", "test:///default", "--host", uri,
                                    "--read-deadline", "4", "--log-level", "1",
                                    "--drain-seconds", "50"))) {
        static const struct step live = {"GET", "/domains", 200,
                                         "{'domains':[{'name':'test'}]}"};
        static const struct step all = {"GET", "/hosts/-/domains", 200,
                                        "{'domains':[{'name':'test','host':'default'}],'"
                                        "unreachable':[{'host':'h'}]}"};
        scenario_until(&s, &live, 60);
        /* far from the time that opening the mute host takes; not a measurement */
        double t = seconds_now() - begun;
        check_that(t < 30, "a hung host: first answer of another after %.2f s", t);
        begun = seconds_now();
        scenario_run(&s, &all, 1);
        t = seconds_now() - begun;
        check_that(t < 30, "a hung host: all hosts took %.2f s", t);
        struct response *r = scenario_send(&s, "GET", "/hosts/h/domains", NULL, NULL);
        check_response((is_problem(r, 504, "") || is_problem(r, 503, "")) &&
                           r->seconds < 30,
                       r, "a hung host: %.2f s", r->seconds);
        response_free(r);
        for (int i = 0; i < 50; i++) {
            r = scenario_send(&s, "GET", "/domains/test", NULL, NULL);
            if (r->status != 200) /* 504 is what those get that wait for it */
                check_response(false, r, "beside a hung host: %.2f s", r->seconds);
            response_free(r);
        }
        begun = seconds_now();
        scenario_end(&s);
        t = seconds_now() - begun;
        check_that(t < 20, "a hung host: exit took %.2f s", t);
    }
    close(fd);
    unlink(path);
}

int main(void)
{
    struct scenario s;
    const char *const args[] = {"-c",     "test:///default",
                                "--host", "a=test:///default",
                                "--host", "b=test+unix:///nosuch?socket=/nonexistent",
                                NULL};
    if (scenario_begin(&s, "host", args)) {
        scenario_run(&s, rows, COUNT(rows));
        scenario_run(&s, dead, COUNT(dead));
        scenario_run(&s, joined, COUNT(joined));
        test_dead_is_fast(&s);
        scenario_end(&s);
    }
    test_without_default();
    test_hung();
    return checks_report();
}
