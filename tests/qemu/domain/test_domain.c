/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Domains on a real libvirtd: the life of persistent and transient guests, the two lists
 * that never mix, which guest a name means, and libvirt's own errors.
 */
#include "tests/qemu/guest.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define INVALID                                                                          \
    "{'type':'urn:libvirt:error:VIR_ERR_OPERATION_INVALID','status':409,"                \
    "'error':{'code':55,'level':2}}"
#define GONE "{'type':'urn:libvirt:error:VIR_ERR_NO_DOMAIN','status':404}"

static const struct step connection[] = {
    {"GET", "/version", 200,
     "{'hypervisor':{'type':'QEMU','version':'~[0-9]*.*','number':'<int>'},"
     "'libvirt':{'version':'$lv'},'client':{'version':'$lv'}}"},
    {"GET", "/connection", 200,
     "{'uri':'~qemu+unix:///system*','type':'QEMU','encrypted':false,'secure':true,"
     "'alive':true,'hostname':'<string>'}"},
    {"GET", "/connection/capabilities", 200, NULL, .contains = "*<arch name='x86_64'>*"},
    {"GET", "/domains", 200, "{'domains':[]}"},
};

static const struct step persistent[] = {
    {"POST", "/domains", 201,
     "{'id':null,'name':'p1','uuid':'$p1','state':'shutoff','active':false,"
     "'persistent':true,'autostart':false}",
     .xml = GUEST("p1"), .wants = {"Location: /domains/*"}},
    {"GET", "/domains/p1", 200,
     "{'uuid':'$p1','maxMemoryKiB':16384,'vcpus':1,'maxVcpus':1,'osType':'hvm'}"},
    {"POST", "/domains/p1/suspend", 409, INVALID},
    {"POST", "/domains/p1/resume", 409, INVALID},
    {"POST", "/domains/p1/destroy", 409, INVALID},
    {"POST", "/domains/p1/shutdown", 409, INVALID},
    {"POST", "/domains/p1/reset", 409, INVALID},
    {"POST", "/domains/p1/start", 204, ""},
    {"POST", "/domains/p1/start", 409, INVALID},
    {"GET", "/domains/p1", 200,
     "{'id':'$id','state':'running','stateReason':'booted','active':true,"
     "'cpuTimeNs':'<int>','memoryKiB':16384}"},
    {"GET", "/domains/${id}", 200, "{'name':'p1'}"},
    {"GET", "/domains/p1/xml", 200, NULL, .contains = "<domain type='qemu' id='*"},
    {"GET", "/domains/p1/xml?flags=inactive", 200, NULL,
     .contains = "<domain type='qemu'>*"},
    {"POST", "/domains/p1/suspend", 204, ""},
    {"GET", "/domains/p1/state", 200,
     "{'state':'paused','stateReason':'user','stateCode':3,'stateReasonCode':1}"},
    {"GET", "/domains?state=paused", 200, "{'domains':[{'name':'p1'}]}"},
    {"POST", "/domains/p1/resume", 204, ""},
    {"GET", "/domains/p1/state", 200, "{'state':'running','stateReason':'unpaused'}"},
    {"POST", "/domains/p1/reset", 204, ""},
    {"GET", "/domains/p1/stats", 200,
     "{'id':'$id','uuid':'$p1','stats':{'state':{},'cpu':{'time':'<int>'},'balloon':{}}"
     "}"},
    {"PUT", "/domains/p1/autostart", 200, "{'autostart':true}",
     .json = "{'autostart':true}"},
    {"GET", "/domains?autostart=true", 200, "{'domains':[{'name':'p1'}]}"},
    {"PUT", "/domains/p1/autostart", 200, "{'autostart':false}",
     .json = "{'autostart':false}"},
    {"POST", "/domains/p1/rename", 409, NULL, .json = "{'name':'p2'}"},
    {"POST", "/domains/p1/destroy", 204, ""},
    {"GET", "/domains/p1/state", 200, "{'state':'shutoff','stateReason':'destroyed'}"},
    {"GET", "/domains/${id}", 404, GONE},
    {"POST", "/domains/p1/start", 204, "", .json = "{'flags':['paused']}"},
    {"GET", "/domains/p1/state", 200, "{'state':'paused','stateReason':'user'}"},
    {"DELETE", "/domains/p1", 204, ""},
    {"GET", "/domains/p1", 200, "{'active':true,'persistent':false}"},
    {"POST", "/domains", 201, "{'uuid':'$p1','persistent':true}",
     .xml = GUEST_UUID("p1", "${p1}")},
    {"POST", "/domains/p1/destroy", 204, ""},
    {"POST", "/domains/p1/rename", 200, "{'name':'p2','uuid':'$p1'}",
     .json = "{'name':'p2'}"},
    {"GET", "/domains/p1", 404, GONE},
    {"DELETE", "/domains/p2", 204, ""},
    {"GET", "/domains/${p1}", 404, GONE},
};

static const struct step transient[] = {
    {"POST", "/domains?transient=true", 201,
     "{'id':'<int>','name':'t1','uuid':'$t1','active':true,'persistent':false,"
     "'state':'running'}",
     .xml = GUEST("t1"), .wants = {"Location: /domains/*"}},
    {"GET", "/domains?persistent=false", 200, "{'domains':[{'name':'t1'}]}"},
    {"PUT", "/domains/t1/autostart", 409, NULL, .json = "{'autostart':true}"},
    {"DELETE", "/domains/t1", 409, NULL},
    {"POST", "/domains?transient=true", 409, NULL, .xml = GUEST_UUID("t1", "${t1}")},
    {"POST", "/domains/t1/destroy", 204, ""},
    {"GET", "/domains/t1", 404, GONE},
    {"POST", "/domains?transient=true&flags=paused", 201,
     "{'state':'paused','persistent':false,'uuid':'$t2'}", .xml = GUEST("t2")},
    /* made persistent by defining it */
    {"POST", "/domains", 201,
     "{'uuid':'$t2','persistent':true,'active':true,'state':'paused'}",
     .xml = GUEST_UUID("t2", "${t2}")},
    {"GET", "/domains?persistent=false", 200, "{'domains':[]}"},
    {"POST", "/domains/t2/destroy", 204, ""},
    {"GET", "/domains/t2", 200, "{'active':false,'persistent':true,'id':null}"},
    {"DELETE", "/domains/t2", 204, ""},
};

#define UUID_A "aaaaaaaa-0000-4000-8000-000000000001"

static const struct step precedence[] = {
    {"POST", "/domains", 201, NULL, .xml = GUEST_UUID("real", UUID_A)},
    {"POST", "/domains", 201, "{'uuid':'$shape'}", .xml = GUEST(UUID_A)},
    {"POST", "/domains?transient=true&flags=paused", 201, "{'id':'$rid'}",
     .xml = GUEST("run")},
    {"POST", "/domains", 201, "{'uuid':'$digits'}", .xml = GUEST("${rid}")},
    {"GET", "/domains/" UUID_A, 200, "{'name':'real'}"},
    {"GET", "/domains/" UUID_A "?by=name", 200, "{'uuid':'$shape'}"},
    {"GET", "/domains/${rid}", 200, "{'name':'run'}"},
    {"GET", "/domains/${rid}?by=name", 200, "{'uuid':'$digits'}"},
    {"POST", "/domains/run/destroy", 204, ""},
    /* no id of that number is left, so the name is meant */
    {"GET", "/domains/${rid}", 200, "{'uuid':'$digits'}"},
    {"GET", "/domains/${rid}?by=id", 404, GONE},
    {"DELETE", "/domains/${digits}", 204, ""},
    {"DELETE", "/domains/${shape}", 204, ""},
    {"DELETE", "/domains/real", 204, ""},
};

static const struct step errors[] = {
    {"GET", "/domains/nosuch", 404,
     "{'title':'~Domain not found*','detail':'~Domain not found: no domain with matching "
     "name "
     "?nosuch?','error':{'code':42,'domain':10,'str2':'~*nosuch*'}}"},
    {"POST", "/domains", 400, "{'error':{'codeName':'VIR_ERR_XML_DETAIL'}}",
     .xml = "<domain"},
    {"POST", "/domains", 422, "{'error':{}}", .xml = "<domain type='qemu'/>"},
    {"POST", "/domains", 422, "{'error':{}}",
     .xml = "<domain type='qemu'><name>x</name><memory>1</memory>"
            "<os><type arch='vax'>hvm</type></os></domain>"},
    {"POST", "/domains", 201, NULL, .xml = GUEST_UUID("twice", UUID_A)},
    {"POST", "/domains", 409, "{'error':{'code':9}}", .xml = GUEST("twice")},
    {"POST", "/domains", 409, "{'error':{'code':9}}", .xml = GUEST_UUID("other", UUID_A)},
    {"PUT", "/domains/twice/xml", 409, NULL, .xml = GUEST("nosuch")},
    {"PUT", "/domains/twice/xml", 200, NULL,
     .xml = GUEST_WITH("twice", "<uuid>" UUID_A "</uuid><title>hello</title>")},
    {"GET", "/domains/twice", 200, "{'title':'hello'}"},
    {"DELETE", "/domains/twice", 204, ""},
};

/* ---- the two lists never mix ------------------------------------------------------- */

struct watch {
    struct server *server;
    atomic_bool stop;
    atomic_int lists, bad;
};

/* While a guest is started and stopped, every list must show it exactly once, with an id
 * if and only if it is active. libvirt's old two-list API shows it twice or not at all.
 */
static void *watch_lists(void *arg)
{
    struct watch *w = arg;
    struct client *c = client_new(w->server->base);
    while (!atomic_load(&w->stop)) {
        struct response *r = client_get(c, "/domains");
        json_t *body = json_loads(r->body, 0, NULL);
        int seen = 0;
        size_t i;
        json_t *dom;
        bool right = r->status == 200;
        json_array_foreach (json_object_get(body, "domains"), i, dom) {
            const char *name = json_string_value(json_object_get(dom, "name"));
            bool active = json_is_true(json_object_get(dom, "active"));
            seen += name && strcmp(name, "flip") == 0;
            right = right && active == json_is_integer(json_object_get(dom, "id"));
        }
        atomic_fetch_add(&w->lists, 1);
        if (!right || seen != 1) {
            atomic_fetch_add(&w->bad, 1);
            check_response(false, r, "flip is %d times in the list", seen);
        }
        json_decref(body);
        response_free(r);
    }
    client_free(c);
    return NULL;
}

static const struct step flip_define[] = {
    {"POST", "/domains", 201, NULL, .xml = GUEST("flip")}};
static const struct step flip[] = {
    {"POST", "/domains/flip/start", 204, "", .json = "{'flags':['paused']}"},
    {"GET", "/domains/flip", 200, "{'active':true}"},
    {"GET", "/domains?state=active", 200, "{'domains':[{'name':'flip'}]}"},
    {"POST", "/domains/flip/destroy", 204, ""},
    {"GET", "/domains/flip", 200, "{'active':false}"},
    {"GET", "/domains?state=active", 200, "{'domains':[]}"},
};

static void test_lists(struct scenario *s)
{
    scenario_run(s, flip_define, COUNT(flip_define));
    struct watch w = {.server = &s->server};
    pthread_t threads[2];
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_create(&threads[i], NULL, watch_lists, &w);
    for (int i = 0; i < 4; i++)
        scenario_run(s, flip, COUNT(flip));
    atomic_store(&w.stop, true);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    check_that(w.bad == 0 && w.lists > 10, "%d lists, %d wrong", w.lists, w.bad);
}

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "qemu", ARGS("-c", guest_uri()))) {
        scenario_run(&s, connection, COUNT(connection));
        scenario_run(&s, persistent, COUNT(persistent));
        scenario_run(&s, transient, COUNT(transient));
        scenario_run(&s, precedence, COUNT(precedence));
        scenario_run(&s, errors, COUNT(errors));
        test_lists(&s);
        guests_remove(&s);
        scenario_end(&s);
    }
    return checks_report();
}
