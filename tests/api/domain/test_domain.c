/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/domain/domain.c: list, define, show, XML, undefine, rename, state, autostart.
 */
#include "tests/harness/steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UUID "6695eb01-f6a4-8304-79aa-97f2502e193f"
#define DOMAIN(name)                                                                     \
    "<domain type='test'><name>" name "</name><memory>65536</memory>"                    \
    "<os><type>hvm</type></os></domain>"
#define DOMAIN_UUID(name, uuid)                                                          \
    "<domain type='test'><name>" name "</name><uuid>" uuid "</uuid>"                     \
    "<memory>65536</memory><os><type>hvm</type></os></domain>"

static const struct step show[] = {
    {"GET", "/domains", 200,
     "{'domains':[{'id':1,'name':'test','uuid':'" UUID "','state':'running',"
     "'stateReason':'<string>','active':true,'persistent':true}],'next':'<absent>'}",
     .wants = {"Content-Type: application/json*", "!Link", "ETag: \"*\""}},
    {"GET", "/domains/test", 200,
     "{'id':1,'name':'test','uuid':'" UUID "','state':'running','stateReason':'<string>',"
     "'active':true,'persistent':true,'autostart':false,'managedSave':false,"
     "'osType':'linux','maxMemoryKiB':8388608,'memoryKiB':2097152,'vcpus':2,'maxVcpus':2,"
     "'cpuTimeNs':'<int>','updated':false,'agent':null}"},
    {"GET", "/domains?fields=name,updated", 200,
     "{'domains':[{'name':'test','updated':false}]}"},
    {"GET", "/domains?fields=name,lastEvent", 200,
     "{'domains':[{'name':'test','lastEvent':null}]}"},
    {"GET", "/domains?uuid=" UUID, 200, "{'domains':[{'name':'test'}]}"},
    {"GET",
     "/domains?uuid=00000000-0000-4000-8000-000000000000,6695EB01F6A4830479AA97F2502E193F"
     "&fields=uuid",
     200, "{'domains':[{'uuid':'" UUID "'}]}"},
    {"GET", "/domains?uuid=00000000-0000-4000-8000-000000000000", 200, "{'domains':[]}"},
    {"GET", "/domains?uuid=" UUID "&name=x*", 200, "{'domains':[]}"},
    {"GET", "/domains?uuid=" UUID ",test", 400, GATEWAY("invalid-value"),
     .contains = "*'test'*no UUID*"},
    {"GET", "/domains?uuid=", 400, GATEWAY("invalid-value")},
    {"GET", "/domains?uuid=" UUID ",", 400, GATEWAY("invalid-value")},
    {"GET", "/hosts/-/domains?uuid=" UUID, 200,
     "{'domains':[{'name':'test','host':'default'}]}"},
    {"GET", "/domains/1", 200, "{'name':'test','id':1}"},
    {"GET", "/domains/" UUID, 200, "{'name':'test'}"},
    {"GET", "/domains/6695eb01f6a4830479aa97f2502e193f", 200, "{'name':'test'}"},
    {"GET", "/domains/6695EB01-F6A4-8304-79AA-97F2502E193F", 200, "{'name':'test'}"},
    {"GET", "/domains/t%65st", 200, "{'name':'test'}"},
    {"GET", "/domains/test?by=name", 200, "{'name':'test'}"},
    {"GET", "/domains/1?by=id", 200, "{'name':'test'}"},
    {"GET", "/domains/" UUID "?by=uuid", 200, "{'name':'test'}"},
    {"GET", "/domains/1?by=name", 404, LIBVIRT("NO_DOMAIN")},
    {"GET", "/domains/test?by=id", 400, GATEWAY("invalid-value")},
    {"GET", "/domains/test?by=uuid", 400, GATEWAY("invalid-value"),
     .contains = "*32 hexadecimal digits*"},
    {"GET", "/domains/" UUID "?by=name", 404, LIBVIRT("NO_DOMAIN")},
    {"GET", "/domains/test?by=title", 400, GATEWAY("unknown-value"),
     .contains = "*id*name*uuid*"},
    {"GET", "/domains/nosuch", 404,
     "{'type':'urn:libvirt:error:VIR_ERR_NO_DOMAIN','title':'<string>','status':404,"
     "'detail':'Domain not found','instance':'/domains/nosuch','requestId':'<string>',"
     "'host':'default','retryable':false,'error':{'code':42,'codeName':'VIR_ERR_NO_"
     "DOMAIN',"
     "'domain':12,'domainName':'VIR_FROM_TEST','level':2,'levelName':'VIR_ERR_ERROR',"
     "'message':'Domain not found','str1':'Domain not found','str2':null,'str3':null,"
     "'int1':-1,'int2':-1}}",
     .wants = {"Content-Type: application/problem+json*"}},
    {"GET", "/domains/7", 404, LIBVIRT("NO_DOMAIN")},
    {"GET", "/domains/99999999999999999999", 404, LIBVIRT("NO_DOMAIN")},
    {"GET", "/domains/00000000-0000-4000-8000-000000000000", 404, LIBVIRT("NO_DOMAIN")},
    {"GET", "/domains/test?x=1", 400, GATEWAY("unknown-key")},
    {"GET", "/domains/test/state", 200,
     "{'state':'running','stateReason':'<string>','stateCode':1,'stateReasonCode':'<int>'"
     "}"},
    {"GET", "/domains/test/autostart", 200, "{'autostart':false}"},
    {"GET", "/domains/nosuch/xml", 404, LIBVIRT("NO_DOMAIN")},
    {"GET", "/domains/nosuch/autostart", 404, LIBVIRT("NO_DOMAIN")},
    {"GET", "/domains/test/xml", 200, NULL, .wants = {"Content-Type: application/xml*"},
     .contains = "<domain *<name>test</name>*" UUID "*</domain>*"},
    {"GET", "/domains/test/xml?flags=inactive,secure", 200, NULL,
     .contains = "<domain *"},
    {"GET", "/domains/test/xml?flags=nosuch", 400, GATEWAY("unknown-flag"),
     .contains = "*inactive*"},
    {"GET", "/domains/test", 200, NULL, .headers = {"Accept: application/xml"},
     .wants = {"Content-Type: application/xml*"}, .contains = "<domain *"},
    {"GET", "/domains/test/xml", 200, NULL,
     .contains = "*{\"xml\":\"<domain *<name>test</name>*",
     .headers = {"Accept: application/json"}},
};

static const struct step define[] = {
    {"POST", "/domains", 201,
     "{'id':null,'name':'alpha','uuid':'$alpha','state':'shutoff','active':false,"
     "'persistent':true}",
     .xml = DOMAIN("alpha"), .wants = {"Location: /domains/*"}},
    {"POST", "/domains", 201, "{'name':'beta','persistent':true}",
     .json =
         "{'xml':'<domain type=\\u0027test\\u0027><name>beta</name><memory>65536</memory>"
         "<os><type>hvm</type></os></domain>'}",
     .wants = {"Location: /domains/*"}},
    {"POST", "/domains?transient=true", 201,
     "{'id':'<int>','name':'gamma','active':true,'persistent':false,'state':'running'}",
     .xml = DOMAIN("gamma"), .wants = {"Location: /domains/*"}},
    {"GET", "/domains?fields=name", 200,
     "{'domains':[{'name':'alpha','id':'<absent>'},{'name':'beta'},{'name':'gamma'},"
     "{'name':'test'}]}"},
    {"GET", "/domains/alpha", 200, "{'uuid':'$alpha','id':null}"},
    {"GET", "/domains/${alpha}", 200, "{'name':'alpha'}"},
    /* taken names and UUIDs */
    {"POST", "/domains", 409, NULL, .xml = DOMAIN_UUID("alpha", UUID)},
    {"POST", "/domains", 409, NULL,
     .xml = DOMAIN_UUID("alpha", "00000000-0000-4000-8000-000000000001")},
    {"POST", "/domains?transient=true", 409, NULL, .xml = DOMAIN("gamma")},
    /* what is no domain */
    {"POST", "/domains", 400, NULL, .xml = "<domain"},
    {"POST", "/domains", 422, NULL, .xml = "<network><name>x</name></network>"},
    {"POST", "/domains", 422, NULL, .xml = "<domain type='test'></domain>"},
    {"POST", "/domains", 422, LIBVIRT("INTERNAL_ERROR"),
     .xml = "<domain type='test'><name>addressed</name><memory>8192</memory>"
            "<os><type>hvm</type></os><devices><disk type='file'><target dev='vda'/>"
            "<address type='usb' bus='0' port='x'/></disk></devices></domain>"},
    {"POST", "/domains", 422, NULL, .contains = "*wwn*",
     .xml = "<domain type='test'><name>named</name><memory>8192</memory>"
            "<os><type>hvm</type></os><devices><disk type='file'><source file='/a'/>"
            "<target dev='vda'/><wwn>x</wwn></disk></devices></domain>"},
    /* libvirt dies of it */
    {"POST", "/domains", 400, GATEWAY("invalid-value"), .contains = "*iSCSI*",
     .xml = "<domain type='test'><name>nameless</name><memory>8192</memory>"
            "<os><type>hvm</type></os><devices><disk type='network'>"
            "<source protocol='iscsi' name=''><host name='127.0.0.1'/></source>"
            "<target dev='vda'/></disk></devices></domain>"},
    {"POST", "/domains", 422, GATEWAY("unsafe-xml"),
     .xml = "<!DOCTYPE domain [<!ENTITY a 'b'>]><domain "
            "type='test'><name>&a;</name></domain>"},
    {"POST", "/domains", 400, GATEWAY("missing-key"), .json = "{}"},
    {"POST", "/domains", 400, GATEWAY("unknown-key"), .json = "{'xml':'<a/>','y':1}"},
    {"POST", "/domains", 400, NULL, .json = "{'xml':1}"},
    {"POST", "/domains?transient=maybe", 400, GATEWAY("invalid-value"),
     .xml = DOMAIN("delta")},
    {"POST", "/domains?flags=nosuch", 400, GATEWAY("unknown-flag"),
     .xml = DOMAIN("delta")},
    {"GET", "/domains/delta", 404, LIBVIRT("NO_DOMAIN")},
    /* what is defined again is there already */
    {"GET", "/domains/alpha", 200, "{'uuid':'$again'}"},
    {"POST", "/domains", 200, "{'name':'alpha','uuid':'${again}'}",
     .xml = DOMAIN_UUID("alpha", "${again}"), .wants = {"Location: /domains/alpha"}},
    {"POST", "/domains", 412, GATEWAY("precondition-failed"),
     .xml = DOMAIN_UUID("alpha", "${again}"), .headers = {"If-None-Match: *"}},
    {"POST", "/domains", 412, GATEWAY("precondition-failed"), .xml = DOMAIN("alpha"),
     .headers = {"If-None-Match: *"}},
    {"POST", "/domains", 409, LIBVIRT("OPERATION_FAILED"), .xml = DOMAIN("alpha")},
    {"POST", "/domains", 201, "{'name':'only-new'}", .xml = DOMAIN("only-new"),
     .headers = {"If-None-Match: *"}},
    {"DELETE", "/domains/only-new", 204, ""},
    /* a transient one is made persistent by defining it */
    {"GET", "/domains/gamma", 200, "{'uuid':'$gamma','persistent':false}"},
    {"POST", "/domains", 201,
     "{'name':'gamma','uuid':'$gamma','persistent':true,"
     "'active':true}",
     .xml = DOMAIN_UUID("gamma", "${gamma}")},
    {"POST", "/domains/gamma/destroy", 204, ""},
    {"GET", "/domains/gamma", 200, "{'active':false,'persistent':true,'id':null}"},
};

/* Where a name would lead elsewhere, Location has the UUID. */
#define ODD_UUID "0d0d0d0d-0000-4000-8000-00000000000d"
#define ODD(name)                                                                        \
    {"POST",                                                                             \
     "/domains",                                                                         \
     201,                                                                                \
     "{'name':'" name "'}",                                                              \
     .xml = DOMAIN_UUID(name, ODD_UUID),                                                 \
     .wants = {"Location: /domains/" ODD_UUID}},                                         \
        {"GET", "/domains/" ODD_UUID, 200, "{'name':'" name "'}"},                       \
    {                                                                                    \
        "DELETE", "/domains/" ODD_UUID, 204, ""                                          \
    }
static const struct step odd_names[] = {
    ODD("17"),
    ODD("0d0d0d0d-0000-4000-8000-00000000000e"),
    /* no domain is called as folders are */
    {"POST", "/domains", 400, GATEWAY("invalid-value"),
     .xml = DOMAIN_UUID(".", ODD_UUID)},
    {"POST", "/domains", 400, GATEWAY("invalid-value"),
     .xml = DOMAIN_UUID("..", ODD_UUID)},
    {"POST", "/domains", 201, NULL, .xml = DOMAIN_UUID("..a %", ODD_UUID),
     .wants = {"Location: /domains/..a%20%25"}},
    {"DELETE", "/domains/..a%20%25", 204, ""},
};

/* Whatever it is called, its name leads to it: words of the API, too. */
#define NAMED(name)                                                                      \
    {"POST",                                                                             \
     "/domains",                                                                         \
     201,                                                                                \
     "{'name':'" name "'}",                                                              \
     .xml = DOMAIN(name),                                                                \
     .wants = {"Location: /domains/" name}},                                             \
        {"GET", "/domains/" name, 200, "{'name':'" name "'}"},                           \
        {"GET", "/hosts/default/domains/" name "/state", 200, "{'state':'shutoff'}"},    \
        {"GET", "/domains/" name "/stats", 200, "{'name':'" name "'}"},                  \
        {"POST", "/domains/" name "/start", 204, ""},                                    \
        {"POST", "/domains/" name "/destroy", 204, ""},                                  \
    {                                                                                    \
        "DELETE", "/domains/" name, 204, ""                                              \
    }
static const struct step named[] = {
    NAMED("stats"),
    NAMED("convert"),
    NAMED("current"),
    NAMED("detach"),
    NAMED("hosts"),
    NAMED("xml"),
    NAMED("-"),
    NAMED("domains"),
    /* nothing else is left at the old places */
    {"GET", "/domains/stats", 404, LIBVIRT("NO_DOMAIN")},
    {"POST", "/domains/stats", 405, GATEWAY("method-not-allowed"), .json = "{}"},
    {"POST", "/domains/convert", 405, GATEWAY("method-not-allowed"), .json = "{}"},
};

static const struct step filters[] = {
    {"GET", "/domains?state=active", 200, "{'domains':[{'name':'test'}]}"},
    {"GET", "/domains?state=inactive", 200,
     "{'domains':[{'name':'alpha'},{'name':'beta'},{'name':'gamma'}]}"},
    {"GET", "/domains?state=running", 200, "{'domains':[{'name':'test'}]}"},
    {"GET", "/domains?state=shutoff", 200, "{'domains':[{},{},{}]}"},
    {"GET", "/domains?state=paused", 200, "{'domains':[]}"},
    {"GET", "/domains?state=running,shutoff", 200, "{'domains':[{},{},{},{}]}"},
    {"GET", "/domains?state=flying", 400, "{'type':'~urn:virtgate:error:unknown-*'}",
     .contains = "*active*"},
    {"GET", "/domains?persistent=true", 200, "{'domains':[{},{},{},{}]}"},
    {"GET", "/domains?persistent=false", 200, "{'domains':[]}"},
    /* both hold, whichever way they are said */
    {"GET", "/domains?persistent=true&flags=transient", 200, "{'domains':[]}"},
    {"GET", "/domains?persistent=true&flags=transient,persistent", 200,
     "{'domains':[{},{},{},{}]}"},
    {"GET", "/domains?state=inactive&flags=active", 200, "{'domains':[]}"},
    {"GET", "/domains?state=running&flags=active", 200, "{'domains':[{'name':'test'}]}"},
    {"GET", "/domains?autostart=true", 200, "{'domains':[]}"},
    {"GET", "/domains?managedSave=true", 200, "{'domains':[]}"},
    {"GET", "/domains?name=*a", 200,
     "{'domains':[{'name':'alpha'},{'name':'beta'},"
     "{'name':'gamma'}]}"},
    {"GET", "/domains?name=%3Feta", 200, "{'domains':[{'name':'beta'}]}"},
    {"GET", "/domains?name=nosuch", 200, "{'domains':[]}"},
    {"GET", "/domains?name=test&state=inactive", 200, "{'domains':[]}"},
    {"GET", "/domains?fields=name,vcpus", 200,
     "{'domains':[{'name':'alpha','vcpus':'<int>','uuid':'<absent>'},'...']}"},
    {"GET", "/domains?fields=nosuch", 400, NULL, .contains = "*cpuTimeNs*"},
    {"GET", "/domains?view=full", 200,
     "{'domains':['...',{'name':'test','autostart':false,'managedSave':false,"
     "'maxMemoryKiB':8388608,'memoryKiB':2097152,'vcpus':2,'maxVcpus':2,"
     "'cpuTimeNs':'<int>'}]}"},
    {"GET", "/domains?view=nosuch", 400, GATEWAY("unknown-value")},
    {"GET", "/domains/test?view=full", 200,
     "{'name':'test','autostart':false,'maxVcpus':'<int>'}"},
    {"GET", "/domains/test?view=full&fields=name", 200,
     "{'name':'test','state':'<absent>'}"},
    {"GET", "/domains/test?view=nosuch", 400, GATEWAY("unknown-value"),
     .contains = "*default, full, config*"},
    {"GET", "/domains?limit=2", 200,
     "{'domains':[{'name':'alpha'},{'name':'beta'}],'next':'$next'}",
     .wants = {"Link: <*>; rel=\"next\""}},
    {"GET", "/domains?limit=2&after=${next}", 200,
     "{'domains':[{'name':'gamma'},{'name':'test'}],'next':'<absent>'}",
     .wants = {"!Link"}},
    {"GET", "/domains?limit=4", 200, "{'domains':[{},{},{},{}],'next':'<absent>'}"},
    {"GET", "/domains?limit=0", 400, GATEWAY("invalid-value")},
    {"GET", "/domains?limit=-1", 400, GATEWAY("invalid-value")},
    {"GET", "/domains?limit=x", 400, GATEWAY("invalid-value")},
    {"GET", "/domains?after=zzz", 200, "{'domains':[]}"},
    {"GET", "/domains?nosuch=1", 400, GATEWAY("unknown-key"), .contains = "*state*"},
    {"GET", "/domains?limit=1&limit=2", 400, GATEWAY("duplicate-key")},
    {"GET", "/domains?numbers=string", 200, "{'domains':[{},{},{},{}]}"},
};

static const struct step change[] = {
    {"PUT", "/domains/alpha/autostart", 200, "{'autostart':true}",
     .json = "{'autostart':true}"},
    {"GET", "/domains/alpha/autostart", 200, "{'autostart':true}"},
    {"GET", "/domains?autostart=true", 200, "{'domains':[{'name':'alpha'}]}"},
    {"GET", "/domains?fields=name,autostart&name=a*", 200,
     "{'domains':[{'name':'alpha','autostart':true}]}"},
    {"PUT", "/domains/alpha/autostart", 200, "{'autostart':false}",
     .json = "{'autostart':false}"},
    {"PUT", "/domains/alpha/autostart", 400, GATEWAY("missing-key"), .json = "{}"},
    {"PUT", "/domains/alpha/autostart", 400, NULL, .json = "{'autostart':'yes'}"},
    {"PUT", "/domains/nosuch/autostart", 404, LIBVIRT("NO_DOMAIN"),
     .json = "{'autostart':true}"},
    {"POST", "/domains/alpha/rename", 400, GATEWAY("invalid-value"),
     .json = "{'name':'.'}"},
    {"PATCH", "/domains/alpha", 400, GATEWAY("invalid-value"), .json = "{'name':'..'}"},
    {"POST", "/domains/alpha/rename", 200, "{'name':'a b%c','uuid':'$alpha'}",
     .json = "{'name':'a b%c'}"},
    {"GET", "/domains/alpha", 404, LIBVIRT("NO_DOMAIN")},
    {"GET", "/domains/a%20b%25c", 200, "{'name':'a b%c','uuid':'$alpha'}"},
    {"GET", "/domains/%61%20b%25c/state", 200, "{'state':'shutoff'}"},
    {"GET", "/domains/a%20b/25c", 404, GATEWAY("not-found")},
    {"POST", "/domains/a%20b%25c/rename", 200, "{'name':'alpha'}",
     .json = "{'name':'alpha'}"},
    {"POST", "/domains/alpha/rename", 409, NULL, .json = "{'name':'beta'}"},
    {"POST", "/domains/alpha/rename", 400, GATEWAY("missing-key"), .json = "{}"},
    {"POST", "/domains/alpha/rename?name=omega", 200, "{'name':'omega'}"},
    {"POST", "/domains/omega/rename?name=alpha", 400, GATEWAY("duplicate-key"),
     .json = "{'name':'alpha'}"},
    {"POST", "/domains/omega/rename", 200, "{'name':'alpha'}",
     .json = "{'name':'alpha'}"},
    /* new XML for the same domain, and for another's name */
    {"PUT", "/domains/alpha/xml", 200, NULL, .xml = DOMAIN_UUID("alpha", "${alpha}")},
    {"PUT", "/domains/alpha/xml", 409, GATEWAY("conflict"), .xml = DOMAIN("beta")},
    {"PUT", "/domains/alpha/xml", 409, GATEWAY("conflict"),
     .xml = DOMAIN_UUID("alpha", UUID)},
    {"PUT", "/domains/nosuch/xml", 404, LIBVIRT("NO_DOMAIN"), .xml = DOMAIN("nosuch")},
    {"PUT", "/domains/alpha/xml", 400, "{'type':'~urn:*:error:*'}", .xml = "<domain"},
    {"GET", "/domains/alpha", 200, "{'name':'alpha','uuid':'$alpha'}"},
    {"GET", "/domains/beta", 200, "{'name':'beta'}"},
    {"DELETE", "/domains/alpha", 204, ""},
    {"DELETE", "/domains/alpha", 404, LIBVIRT("NO_DOMAIN")},
    {"DELETE", "/domains/beta?flags=nosuch", 400, GATEWAY("unknown-flag"),
     .contains = "*managed-save*"},
    {"DELETE", "/domains/beta?flags=managed-save", 204, ""},
    {"GET", "/domains?fields=name", 200,
     "{'domains':[{'name':'gamma'},{'name':'test'}]}"},
    /* undefining a running domain leaves it running, transient */
    {"DELETE", "/domains/test", 204, ""},
    {"GET", "/domains/test", 200, "{'active':true,'persistent':false}"},
    {"GET", "/domains?persistent=false", 200, "{'domains':[{'name':'test'}]}"},
    {"POST", "/domains/1/destroy", 204, ""},
    {"GET", "/domains/test", 404, LIBVIRT("NO_DOMAIN")},
};

/* A name that is digits, and one that is another domain's UUID: which one is meant. */
static const struct step precedence[] = {
    {"POST", "/domains", 201, "{'uuid':'$digits'}", .xml = DOMAIN("1")},
    {"POST", "/domains", 201, "{'uuid':'$other'}", .xml = DOMAIN("42")},
    {"POST", "/domains", 201, "{'uuid':'$shape'}", .xml = DOMAIN(UUID)},
    {"POST", "/domains", 201, "{'uuid':'$free'}",
     .xml = DOMAIN("11111111-2222-4333-8444-555555555555")},
    {"GET", "/domains/1", 200, "{'name':'test'}"},
    {"GET", "/domains/1?by=name", 200, "{'uuid':'$digits'}"},
    {"GET", "/domains/42", 200, "{'uuid':'$other'}"},
    {"GET", "/domains/42?by=id", 404, LIBVIRT("NO_DOMAIN")},
    {"GET", "/domains/" UUID, 200, "{'name':'test'}"},
    {"GET", "/domains/" UUID "?by=name", 200, "{'uuid':'$shape'}"},
    {"GET", "/domains/11111111-2222-4333-8444-555555555555", 200, "{'uuid':'$free'}"},
    {"GET", "/domains/11111111-2222-4333-8444-555555555555?by=uuid", 404,
     LIBVIRT("NO_DOMAIN")},
    {"POST", "/domains/1/destroy?by=name", 409, NULL},
    {"GET", "/domains/test", 200, "{'active':true}"},
};

/* Paging over many domains gives each exactly once, in order. */
static void test_paging(struct scenario *s)
{
    for (int i = 0; i < 50; i++) {
        char xml[256];
        snprintf(xml, sizeof(xml), DOMAIN("page-%02d"), i);
        struct response *r = scenario_send(s, "POST", "/domains",
                                           ARGS("Content-Type: application/xml"), xml);
        check_response(r->status == 201, r, "define page-%02d", i);
        response_free(r);
    }
    char path[1024] = "/domains?name=page-*&limit=7";
    int seen = 0;
    for (int pages = 0; path[0] && pages < 20; pages++) {
        struct response *r = scenario_send(s, "GET", path, NULL, NULL);
        char *link = response_header(r, "Link");
        json_t *body = json_loads(r->body, 0, NULL);
        size_t i;
        json_t *dom;
        json_array_foreach (json_object_get(body, "domains"), i, dom) {
            char want[16];
            snprintf(want, sizeof(want), "page-%02d", seen++);
            const char *name = json_string_value(json_object_get(dom, "name"));
            check_response(name && strcmp(name, want) == 0, r, "page %d: %s", pages,
                           want);
        }
        path[0] = '\0';
        if (link) /* the link as given must lead on */
            snprintf(path, sizeof(path), "%.*s", (int)strcspn(link + 1, ">"), link + 1);
        json_decref(body);
        free(link);
        response_free(r);
    }
    check_that(seen == 50, "paging saw %d of 50 domains", seen);
}

/* What changes between two pages is neither lost nor doubled, nor shown as it was. */
static const struct step pages[] = {
    {"GET", "/domains?limit=2&after=page", 200,
     "{'domains':[{'name':'page-00'},{'name':'page-01'}],'next':'page-01'}"},
    {"POST", "/domains", 201, NULL, .xml = DOMAIN("page-01x")},
    {"DELETE", "/domains/page-02", 204, ""},
    {"POST", "/domains/page-03/start", 204, ""},
    {"GET", "/domains?limit=2&after=page-01", 200,
     "{'domains':[{'name':'page-01x'},{'name':'page-03','state':'running'}],"
     "'next':'page-03'}"},
    {"GET", "/domains?limit=2&after=page-02", 200,
     "{'domains':[{'name':'page-03'},{'name':'page-04'}]}"},
    {"GET", "/domains?limit=1&after=page-03&state=inactive&fields=name", 200,
     "{'domains':[{'name':'page-04'}]}"},
    {"GET", "/domains?limit=1&after=page-01x&state=running", 200,
     "{'domains':[{'name':'page-03'}]}"},
    {"GET", "/domains?limit=1&after=page-03&fields=name,memoryKiB", 200,
     "{'domains':[{'name':'page-04','memoryKiB':'<int>'}]}"},
    {"GET", "/domains?limit=3&after=page-49", 200, "{'domains':[{}],'next':'<absent>'}"},
    {"GET", "/domains?limit=3&after=zz", 200, "{'domains':[],'next':'<absent>'}"},
};

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "domain", ARGS("-c", "test:///default"))) {
        scenario_run(&s, show, COUNT(show));
        scenario_run(&s, define, COUNT(define));
        scenario_run(&s, filters, COUNT(filters));
        scenario_run(&s, change, COUNT(change));
        scenario_run(&s, odd_names, COUNT(odd_names));
        scenario_run(&s, named, COUNT(named));
        scenario_end(&s);
    }
    if (scenario_begin(&s, "precedence", ARGS("-c", "test:///default"))) {
        scenario_run(&s, precedence, COUNT(precedence));
        test_paging(&s);
        scenario_run(&s, pages, COUNT(pages));
        scenario_end(&s);
    }
    return checks_report();
}
