/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/domain/config.c: the configuration as JSON, shown, replaced and changed by merge
 * patch; If-Match of what was shown; conversion.
 */
#include "tests/harness/steps.h"

#include <stdlib.h>
#include <string.h>

#define FROM_NATIVE "/connection/domain-xml-from-native"
#define TO_NATIVE   "/connection/domain-xml-to-native"
#define MERGE       "Content-Type: application/merge-patch+json"

static const struct step show[] = {
    {"GET", "/domains/test?view=config", 200,
     "{'domain':{'@type':'test','@id':'1','name':'test',"
     "'memory':{'@unit':'KiB','#text':'8388608'},'os':{'boot':[{'@dev':'hd'}]},"
     "'devices':{'disk':[{'@type':'file','source':{'@file':'/guest/diskimage1'}}],"
     "'interface':[{'mac':{'@address':'aa:bb:cc:dd:ee:ff'}}],"
     "'memballoon':{'@model':'virtio'}}}}",
     .wants = {"ETag: \"*\"", "Content-Type: application/json*"}},
    {"GET", "/domains/test?view=config&flags=inactive,secure", 200,
     "{'domain':{'name':'test','@id':'<absent>'}}"},
    {"GET", "/domains/test?view=config", 200, NULL,
     .headers = {"Accept: application/xml"}, .contains = "<domain type='test' id='1'>*"},
    {"GET", "/domains/test?flags=inactive", 200, NULL,
     .headers = {"Accept: application/xml"}, .contains = "<domain type='test'>*"},
    {"GET", "/domains/test?view=default", 200, "{'name':'test','domain':'<absent>'}"},
    {"GET", "/domains/test?view=nosuch", 400, GATEWAY("unknown-value"),
     .contains = "*default, full, config*"},
    {"GET", "/domains/test?view=config&flags=nosuch", 400, GATEWAY("unknown-flag")},
    {"GET", "/domains/test?view=config&fields=name", 400, GATEWAY("invalid-value")},
    {"GET", "/domains/test?flags=inactive", 400, GATEWAY("invalid-value")},
    {"GET", "/domains/nosuch?view=config", 404, LIBVIRT("NO_DOMAIN")},
};

#define ALPHA                                                                            \
    "'@type':'test','name':'alpha','memory':{'@unit':'MiB','#text':'64'},"               \
    "'os':{'type':'hvm'}"

static const struct step change[] = {
    {"POST", "/domains", 201, "{'name':'alpha','uuid':'$uuid','persistent':true}",
     .json = "{'domain':{" ALPHA "}}", .wants = {"Location: /domains/alpha"}},
    {"PATCH", "/domains/alpha", 200,
     "{'name':'alpha','title':'one','maxMemoryKiB':65536}",
     .json = "{'domain':{'title':'one'}}"},
    {"GET", "/domains/alpha?view=config", 200,
     "{'domain':{'title':'one','uuid':'${uuid}','devices':{}}}"},
    {"PATCH", "/domains/alpha", 200, "{'title':null,'maxVcpus':3}",
     .json = "{'domain':{'title':null,'vcpu':{'#text':3}}}"},
    /* arrays are replaced as a whole */
    {"PATCH", "/domains/alpha", 200, NULL,
     .json = "{'domain':{'devices':{'interface':[{'@type':'network',"
             "'source':{'@network':'default'}},{'@type':'user'}]}}}"},
    {"GET", "/domains/alpha?view=config", 200,
     "{'domain':{'devices':{'interface':[{'@type':'network'},{'@type':'user'}]}}}"},
    {"PATCH", "/domains/alpha", 200, NULL,
     .json = "{'domain':{'devices':{'interface':null}}}"},
    {"GET", "/domains/alpha?view=config", 200,
     "{'domain':{'devices':{'interface':'<absent>'}}}"},
    /* a foreign namespace in the metadata */
    {"PATCH", "/domains/alpha", 200, NULL,
     .json = "{'domain':{'metadata':{'my:app':{'@xmlns:my':'urn:my','@n':'1',"
             "'my:x':'y'}}}}"},
    {"GET", "/domains/alpha/xml", 200, NULL,
     .contains = "*<my:app xmlns:my=\"urn:my\" n=\"1\">*<my:x>y</my:x>*"},
    {"GET", "/domains/alpha?view=config", 200,
     "{'domain':{'metadata':{'my:app':{'@xmlns:my':'urn:my','@n':'1','my:x':'y'}}}}"},
    /* what is no part of the document */
    {"PATCH", "/domains/alpha", 200, "{'name':'omega','uuid':'${uuid}'}",
     .json = "{'name':'omega'}"},
    {"GET", "/domains/alpha", 404, LIBVIRT("NO_DOMAIN")},
    {"PATCH", "/domains/omega?name=alpha", 200, "{'name':'alpha','uuid':'${uuid}'}"},
    {"PATCH", "/domains/alpha", 200, "{'name':'alpha','autostart':true}",
     .json = "{'autostart':true}", .headers = {MERGE}},
    {"GET", "/domains/alpha/autostart", 200, "{'autostart':true}"},
    {"PATCH", "/domains/alpha?autostart=false", 200, "{'autostart':false}"},
    {"GET", "/domains/alpha/autostart", 200, "{'autostart':false}"},
    /* the whole */
    {"PUT", "/domains/alpha", 200, "{'uuid':'${uuid}','maxVcpus':1}",
     .json = "{'domain':{" ALPHA ",'uuid':'${uuid}'}}"},
    {"PUT", "/domains/alpha?flags=validate", 200, "{'uuid':'${uuid}'}",
     .json = "{'domain':{" ALPHA ",'uuid':'${uuid}'}}"},
    {"PUT", "/domains/alpha", 200, NULL,
     .json = "{'flags':['validate'],'domain':{" ALPHA ",'uuid':'${uuid}'}}"},
};

static const struct step refused[] = {
    /* another domain's document */
    {"PUT", "/domains/alpha", 409, GATEWAY("conflict"),
     .json = "{'domain':{'@type':'test','name':'beta','memory':1,'os':{'type':'hvm'}}}"},
    {"PATCH", "/domains/alpha", 409, GATEWAY("conflict"),
     .json = "{'domain':{'name':'beta'}}"},
    {"PATCH", "/domains/alpha", 409, GATEWAY("conflict"),
     .json = "{'domain':{'uuid':'00000000-0000-4000-8000-000000000001'}}"},
    /* an element of that name, but not a domain's document */
    {"PUT", "/domains/alpha", 400, GATEWAY("invalid-value"), .json = "{'domain':7}",
     .contains = "*'/domain' must be an object*"},
    {"PATCH", "/domains/alpha", 400, GATEWAY("invalid-value"), .json = "{'domain':'x'}",
     .contains = "*'/domain' must be an object*"},
    {"POST", "/domains", 400, GATEWAY("invalid-value"), .json = "{'domain':[]}",
     .contains = "*'/domain' must be an object*"},
    {"POST", TO_NATIVE, 400, GATEWAY("invalid-value"),
     .json = "{'format':'qemu-argv','domain':true}",
     .contains = "*'/domain' must be an object*"},
    /* what has no XML */
    {"PATCH", "/domains/alpha", 400, GATEWAY("invalid-value"),
     .json = "{'domain':{'devices':{'disk':[{'source':[null]}]}}}",
     .contains = "*'/domain/devices/disk/0/source/0'*"},
    {"PUT", "/domains/alpha", 400, GATEWAY("invalid-value"),
     .json = "{'domain':{'title':true}}", .contains = "*'/domain/title'*"},
    {"PUT", "/domains/alpha", 400, GATEWAY("invalid-value"), .json = "{'domain':[]}",
     .contains = "*'/domain'*"},
    {"PATCH", "/domains/alpha", 400, GATEWAY("invalid-value"), .json = "{'domain':null}"},
    {"PATCH", "/domains/alpha", 400, GATEWAY("missing-key"), .json = "{}",
     .contains = "*'domain'*'name'*'autostart'*"},
    {"PATCH", "/domains/alpha", 400, GATEWAY("missing-key"),
     .json = "{'flags':['validate']}"},
    {"PATCH", "/domains/alpha", 400, GATEWAY("invalid-value"),
     .json = "{'name':'beta','autostart':true}", .contains = "*one of them*"},
    {"PATCH", "/domains/alpha", 400, GATEWAY("invalid-value"),
     .json = "{'name':'beta','domain':{}}"},
    {"PATCH", "/domains/alpha", 400, GATEWAY("invalid-value"),
     .json = "{'autostart':true,'flags':['validate']}"},
    {"PATCH", "/domains/alpha", 400, NULL, .json = "{'autostart':'yes'}"},
    {"PATCH", "/domains/alpha", 400, NULL, .json = "{'name':null}"},
    {"PATCH", "/domains/alpha", 409, NULL, .json = "{'name':'test'}"},
    {"PATCH", "/domains/nosuch", 404, LIBVIRT("NO_DOMAIN"), .json = "{'autostart':true}"},
    {"GET", "/domains/alpha/autostart", 200, "{'autostart':false}"},
    {"PUT", "/domains/alpha", 400, GATEWAY("missing-key"), .json = "{}"},
    {"PUT", "/domains/alpha", 400, GATEWAY("unknown-key"), .json = "{'xml':'<a/>'}"},
    {"PATCH", "/domains/alpha?flags=nosuch", 400, GATEWAY("unknown-flag"),
     .json = "{'domain':{}}"},
    {"PATCH", "/domains/alpha", 415, GATEWAY("unsupported-media-type"),
     .xml = "<domain/>", .contains = "*application/merge-patch+json*"},
    {"PUT", "/domains/alpha", 415, GATEWAY("unsupported-media-type"),
     .json = "{'domain':{}}", .headers = {MERGE}},
    {"PUT", "/domains/alpha", 412, GATEWAY("precondition-failed"),
     .json = "{'domain':{" ALPHA ",'uuid':'${uuid}'}}",
     .headers = {"If-Match: \"0123456789abcdef\""}},
    /* what libvirt refuses */
    {"PATCH", "/domains/alpha", 422, "{'error':{}}",
     .json = "{'domain':{'memory':{'#text':'much'}}}"},
    {"PATCH", "/domains/nosuch", 404, LIBVIRT("NO_DOMAIN"), .json = "{'domain':{}}"},
    {"PUT", "/domains/nosuch", 404, LIBVIRT("NO_DOMAIN"),
     .json = "{'domain':{" ALPHA "}}"},
    {"GET", "/domains/alpha", 200,
     "{'uuid':'${uuid}','maxVcpus':1,'maxMemoryKiB':65536}"},
    {"POST", FROM_NATIVE, 501, LIBVIRT("NO_SUPPORT"),
     .json = "{'format':'qemu-argv','config':'x'}"},
    {"POST", TO_NATIVE, 501, LIBVIRT("NO_SUPPORT"),
     .json = "{'format':'qemu-argv','xml':'<domain/>'}"},
    {"POST", FROM_NATIVE, 400, GATEWAY("missing-key"), .json = "{}"},
    {"POST", FROM_NATIVE, 400, GATEWAY("missing-key"), .json = "{'format':'x'}"},
    {"POST", FROM_NATIVE, 400, GATEWAY("unknown-key"),
     .json = "{'format':'x','config':'x','xml':'x'}"},
    {"POST", TO_NATIVE, 400, GATEWAY("missing-key"), .json = "{}"},
    {"POST", TO_NATIVE, 400, GATEWAY("missing-key"), .json = "{'format':'x'}",
     .contains = "*'xml'*'domain'*"},
    {"POST", TO_NATIVE, 400, GATEWAY("missing-key"),
     .json = "{'format':'x','xml':'<domain/>','domain':{}}"},
    {"POST", TO_NATIVE, 400, GATEWAY("invalid-value"),
     .json = "{'format':'x','domain':true}", .contains = "*'/domain'*"},
    {"POST", TO_NATIVE, 422, GATEWAY("unsafe-xml"),
     .json = "{'format':'x','xml':'<!DOCTYPE a><a/>'}"},
};

/* The tag of what was shown lets one change through, not a second: of a running domain,
 * too, whose own document does not change by it. */
static void test_if_match(struct scenario *s, const char *path)
{
    static const char *const flags[] = {
        "",
        "&flags=inactive",
        "&flags=secure",
        "&flags=inactive,secure",
    };
    for (size_t i = 0; i < COUNT(flags); i++) {
        char shown[100];
        snprintf(shown, sizeof(shown), "%s?view=config%s", path, flags[i]);
        struct response *seen = scenario_send(s, "GET", shown, NULL, NULL);
        char *tag = response_header(seen, "ETag");
        char match[160] = "If-Match: ", body[64];
        strncat(match, tag ? tag : "none", sizeof(match) - strlen(match) - 1);
        snprintf(body, sizeof(body), "{\"domain\":{\"title\":\"v%zu\"}}", i);
        const char *const *headers = ARGS(MERGE, match);
        struct response *r = scenario_send(s, "PATCH", path, headers, body);
        check_response(r->status == 200, r, "the tag of %s", shown);
        response_free(r);
        r = scenario_send(s, "PATCH", path, headers, body);
        check_response(is_problem(r, 412, "precondition-failed"), r, "the same again");
        response_free(r);
        /* as it was shown, it can be put back */
        r = scenario_send(s, "PUT", path, ARGS("Content-Type: application/json"),
                          seen->body);
        check_response(r->status == 200, r, "what was shown, put");
        response_free(r);
        free(tag);
        response_free(seen);
    }
}

/* The tag of the default answer guards what that does not show, too. */
static void test_if_match_of_default(struct scenario *s, const char *path)
{
    for (int i = 0; i < 2; i++) {
        char *match = scenario_if_match(s, path);
        long first = scenario_patch_title(s, path, i ? "two" : "one", match);
        long second = scenario_patch_title(s, path, "three", match);
        check_that(first == 200 && second == 412, "PATCH %s, %s: %ld, again %ld", path,
                   match, first, second);
        free(match);
    }
}

/* As XML, the same. */
static void test_if_match_of_xml(struct scenario *s)
{
    struct response *seen = scenario_send(s, "GET", "/domains/test/xml", NULL, NULL);
    char *tag = response_header(seen, "ETag");
    char match[160] = "If-Match: ";
    strncat(match, tag ? tag : "none", sizeof(match) - strlen(match) - 1);
    const char *const *headers = ARGS("Content-Type: application/xml", match);
    static const char title[] = "<title>once</title>";
    char *end = strstr(seen->body, "<memory"), *xml = NULL;
    check_response(end && asprintf(&xml, "%.*s%s%s", (int)(end - seen->body), seen->body,
                                   title, end) > 0,
                   seen, "a document");
    for (int again = 0; again < 2; again++) {
        struct response *r =
            scenario_send(s, "PUT", "/domains/test/xml", headers, xml ? xml : "");
        check_response(r->status == (again ? 412 : 200), r,
                       "PUT of XML with the tag of the running one, %d", again);
        response_free(r);
    }
    free(xml);
    free(tag);
    response_free(seen);
}

static void test_stale_action(struct scenario *s, const char *shown)
{
    struct response *seen = scenario_send(s, "GET", shown, NULL, NULL);
    char *tag = response_header(seen, "ETag");
    char match[200];
    snprintf(match, sizeof(match), "If-Match: %s", tag ? tag : "");
    for (int again = 0; again < 2; again++) {
        struct response *r =
            scenario_send(s, "POST", "/domains/test/suspend", ARGS(match), NULL);
        check_response(r->status == (again ? 412 : 204), r,
                       "suspend what %s showed running, %d", shown, again);
        response_free(r);
    }
    response_free(scenario_send(s, "POST", "/domains/test/resume", NULL, NULL));
    free(tag);
    response_free(seen);
}

/* A tag says by itself what it is of: an action takes that of any GET of its domain. */
static void test_if_match_of_actions(struct scenario *s)
{
    static const struct {
        const char *shown, *accept;
        long status;
    } tags[] = {
        {"/domains/test?fields=name,state", "Accept: */*", 204},
        {"/domains/test", "Accept: */*", 204}, /* cpuTimeNs is another by now */
        {"/domains/test?numbers=string", "Accept: */*", 204},
        {"/domains/test?fields=cpuTimeNs", "Accept: */*", 204},
        {"/domains/test?view=config&flags=inactive", "Accept: */*", 204},
        {"/domains/test?fields=uuid&numbers=string&by=name", "Accept: */*", 204},
        {"/domains/test", "Accept: application/xml", 204},
        {"/domains/test?fields=name%2Cstate", "Accept-Encoding: gzip", 204},
        {"/domains/test/state", "Accept: */*", 412}, /* of something else */
        {"/domains/nosuch", "Accept: */*", 412},     /* of nothing */
    };
    for (size_t i = 0; i < COUNT(tags); i++) {
        struct response *seen =
            scenario_send(s, "GET", tags[i].shown, ARGS(tags[i].accept), NULL);
        char *tag = response_header(seen, "ETag");
        char match[200];
        snprintf(match, sizeof(match), "If-Match: W/\"x\", \"0\", %s", tag ? tag : "");
        struct response *r =
            scenario_send(s, "POST", "/domains/test/reset", ARGS(match), NULL);
        check_response(r->status == tags[i].status, r, "reset with the tag of %s: %s",
                       tags[i].shown, match);
        free(tag);
        response_free(seen);
        response_free(r);
    }
}

/* What passes by itself is left out of conditions, not of the tag. */
static void test_passing(struct scenario *s)
{
    struct response *one = scenario_send(s, "GET", "/domains/test", NULL, NULL);
    struct response *two = scenario_send(s, "GET", "/domains/test", NULL, NULL);
    char *first = response_header(one, "ETag"), *second = response_header(two, "ETag");
    check_response(first && second && strcmp(first, second) != 0 &&
                       strcmp(one->body, two->body) != 0,
                   two, "other bytes, another tag: %s", first ? first : "none");
    check_response(first && second &&
                       strncmp(first, second, strlen("\"0123456789abcdef.")) == 0,
                   two, "what a condition compares: %s, %s", first ? first : "none",
                   second ? second : "none");
    free(first);
    free(second);
    response_free(one);
    response_free(two);
}

/* What a change must not find; and lists of tags in two lines. */
static void test_if_none_match(struct scenario *s)
{
    static const char path[] = "/domains/test/autostart";
    struct response *seen = scenario_send(s, "GET", path, NULL, NULL);
    char *tag = response_header(seen, "ETag");
    char match[200], none_match[200];
    snprintf(match, sizeof(match), "If-Match: %s", tag ? tag : "");
    snprintf(none_match, sizeof(none_match), "If-None-Match: %s", tag ? tag : "");
    const struct {
        const char *headers[3];
        long status;
    } cases[] = {
        {{"If-None-Match: *"}, 412},
        {{none_match}, 412},
        {{"If-None-Match: \"0123456789abcdef\"", none_match}, 412},
        {{"If-None-Match: \"0123456789abcdef\""}, 200},
        {{"If-Match: \"0123456789abcdef\"", match}, 200},
        {{match, "If-Match: \"0123456789abcdef\""}, 200},
        {{match, none_match}, 412},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct response *r = scenario_send(s, "PUT", path,
                                           ARGS("Content-Type: application/json",
                                                cases[i].headers[0], cases[i].headers[1]),
                                           "{\"autostart\":false}");
        check_response(
            r->status == cases[i].status, r, "%s, %s: should be %ld", cases[i].headers[0],
            cases[i].headers[1] ? cases[i].headers[1] : "nothing else", cases[i].status);
        response_free(r);
    }
    free(tag);
    response_free(seen);
}

/* All that the test driver's own domain has, unchanged by there and back. */
static void test_put_back(struct scenario *s)
{
    const char *path = "/domains/test?view=config&flags=inactive,secure";
    struct response *before = scenario_send(s, "GET", path, NULL, NULL);
    struct response *put = scenario_send(
        s, "PUT", "/domains/test", ARGS("Content-Type: application/json"), before->body);
    struct response *after = scenario_send(s, "GET", path, NULL, NULL);
    check_response(put->status == 200, put, "put back");
    check_response(after->status == 200 && strcmp(before->body, after->body) == 0, after,
                   "it is still %s", before->body);
    response_free(before);
    response_free(put);
    response_free(after);
}

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "domain_config", ARGS("-c", "test:///default"))) {
        scenario_run(&s, show, COUNT(show));
        scenario_run(&s, change, COUNT(change));
        scenario_run(&s, refused, COUNT(refused));
        test_if_match(&s, "/domains/alpha");
        test_if_match(&s, "/domains/test");
        test_if_match_of_default(&s, "/domains/alpha");
        test_if_match_of_default(&s, "/domains/test");
        test_if_match_of_xml(&s);
        test_if_match_of_actions(&s);
        test_stale_action(&s, "/domains/test?fields=state");
        test_stale_action(&s, "/domains/test");
        test_passing(&s);
        test_if_none_match(&s);
        test_put_back(&s);
        scenario_end(&s);
    }
    return checks_report();
}
