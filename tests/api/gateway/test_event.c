/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/gateway/event.c: polls, streams, where they begin and what they show. How they
 * end, and slow clients: test_event_end.c.
 */
#include "tests/harness/stream.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UUID   "6695eb01-f6a4-8304-79aa-97f2502e193f"
#define JSON   "Accept: application/json"
#define STREAM "Accept: text/event-stream"
#define DOMAIN(name)                                                                     \
    "<domain type='test'><name>" name "</name><memory>65536</memory>"                    \
    "<os><type>hvm</type></os></domain>"
#define LIFECYCLE(type) "{'event':'lifecycle','object':'domain','type':'" type "'}"

/* ---- helpers ----------------------------------------------------------------------- */

/* The next frame is like `pattern`; captures are the scenario's. */
static void expect_frame(struct scenario *s, struct stream *st, const char *pattern)
{
    char why[512] = "none in time";
    json_t *frame = stream_next(st, LONG_ENOUGH),
           *want = json_pattern(pattern, why, sizeof(why));
    bool ok = frame && want && json_match(want, frame, s->captures, why, sizeof(why));
    check_that(ok, "%s: %s: a frame like %s: %s", s->name, st->path, pattern, why);
    json_decref(frame);
    json_decref(want);
}

/* The same of what is in a frame without `event:`. */
static void expect_event(struct scenario *s, struct stream *st, const char *pattern)
{
    char *frame = NULL;
    if (asprintf(&frame, "{'event':'<absent>','retry':'<absent>','data':%s}", pattern) <
        0)
        abort();
    expect_frame(s, st, frame);
    free(frame);
}

/* Begins with `retry` and the id of where it begins. */
static struct stream *watch_with(struct scenario *s, const char *path,
                                 const char *const headers[])
{
    char *filled = json_substitute(path, s->captures);
    struct stream *st = stream_open(&s->server, filled, headers, 0);
    free(filled);
    check_response(st->response->status == 200, st->response, "%s: %s is a stream",
                   s->name, st->path);
    expect_frame(s, st, "{'retry':'1000','id':'<string>','event':'<absent>'}");
    return st;
}

static struct stream *watch(struct scenario *s, const char *path)
{
    return watch_with(s, path, NULL);
}

static void act(struct scenario *s, const char *path)
{
    struct response *r = scenario_send(s, "POST", path, NULL, NULL);
    check_response(r->status == 204, r, "%s: POST %s", s->name, path);
    response_free(r);
}

/* ---- polls ------------------------------------------------------------------------- */

static const struct step polls[] = {
    {"GET", "/events?wait=0", 200, "{'events':[],'revision':'$start'}",
     .wants = {"Content-Type: application/json", "X-Virtgate-Revision: *-*",
               "!X-Virtgate-Source", "!Age", "ETag: \"*\""}},
    {"GET", "/events", 200, "{'events':[],'revision':'$start'}", .headers = {JSON},
     .wants = {"X-Virtgate-Revision: ${start}"}},
    {"GET", "/events", 200, "{'events':[]}",
     .headers = {"Accept: application/json, text/event-stream;q=0.5"}},
    {"POST", "/domains/test/suspend", 204, ""},
    {"GET", "/events?since=${start}&wait=20", 200,
     "{'events':[{'id':'$first','revision':'$first','time':'~20*T*Z','host':'default',"
     "'object':'domain','event':'lifecycle','domain':{'name':'test','uuid':'" UUID "',"
     "'id':1},'type':'suspended','detail':'paused'}],'revision':'$first'}"},
    {"POST", "/domains/test/resume", 204, ""},
    {"GET", "/events?since=${first}&wait=20", 200,
     "{'events':[{'id':'$second','type':'resumed','detail':'unpaused'}],"
     "'revision':'$second'}"},
    /* all of it again, by parts */
    {"GET", "/events?since=${start}&limit=1&wait=0", 200,
     "{'events':[{'id':'$first'}],'revision':'$first'}",
     .wants = {"X-Virtgate-Revision: ${first}"}},
    {"GET", "/events?since=${first}&limit=1&wait=0", 200,
     "{'events':[{'id':'$second'}],'revision':'$second'}"},
    {"GET", "/events?since=${second}&limit=1&wait=0", 200,
     "{'events':[],'revision':'$second'}"},
    {"GET", "/events?since=${start}&wait=0", 200,
     "{'events':[{'id':'$first'},{'id':'$second'}]}"},
    {"GET", "/events?since=${start}", 200,
     "{'events':[{'id':'$first'},{'id':'$second'}]}", .headers = {JSON}},
    /* a poll goes by `since` alone */
    {"GET", "/events?since=${first}&wait=0", 200, "{'events':[{'id':'$second'}]}",
     .headers = {"Last-Event-ID: ${start}"}},
    /* filters; what they leave out is seen, too */
    {"GET", "/events?since=${start}&wait=0&event=reboot", 200,
     "{'events':[],'revision':'$second'}"},
    {"GET", "/events?since=${start}&wait=0&event=reboot,lifecycle&object=domain,network",
     200, "{'events':[{'id':'$first'},{'id':'$second'}]}"},
    {"GET", "/events?since=${start}&wait=0&object=network", 200, "{'events':[]}"},
    {"GET", "/events?since=${start}&wait=0&domain=test", 200,
     "{'events':[{'id':'$first'},{'id':'$second'}]}"},
    {"GET", "/events?since=${start}&wait=0&domain=1", 200,
     "{'events':[{'id':'$first'},{'id':'$second'}]}"},
    {"GET", "/events?since=${start}&wait=0&domain=6695EB01-F6A4-8304-79AA-97F2502E193F",
     200, "{'events':[{'id':'$first'},{'id':'$second'}]}"},
    {"GET", "/events?since=${start}&wait=0&domain=6695EB01F6A4830479AA97F2502E193F", 200,
     NULL, .contains = "*suspended*"},
    {"GET", "/events?since=${start}&wait=0&domain=other", 200, "{'events':[]}"},
    {"GET", "/domains/test/events?since=${start}&wait=0", 200,
     "{'events':[{'id':'$first'},{'id':'$second'}],'revision':'$second'}",
     .wants = {"X-Virtgate-Revision: ${second}"}},
    {"GET", "/domains/1/events?since=${start}&event=lifecycle&limit=1", 200,
     "{'events':[{'id':'$first'}]}", .headers = {JSON}},
    {"GET", "/domains/test/events?since=${start}&event=reboot&wait=0", 200,
     "{'events':[]}"},
    {"GET", "/hosts/default/domains/test/events?since=${first}&wait=0", 200,
     "{'events':[{'id':'$second'}]}"},
    {"GET", "/hosts/-/events?since=${first}&wait=0", 200,
     "{'events':[{'id':'$second'}]}"},
};

/* What was, to begin with. */
static const struct step past[] = {
    {"GET", "/events?last=1&wait=0", 200,
     "{'events':[{'id':'$second'}],'revision':'$second'}"},
    {"GET", "/events?last=2", 200, "{'events':[{'id':'$first'},{'id':'$second'}]}",
     .headers = {JSON}},
    {"GET", "/events?last=2&limit=1&wait=0", 200,
     "{'events':[{'id':'$first'}],'revision':'$first'}"},
    {"GET", "/events?last=4096&wait=0&event=lifecycle", 200,
     "{'events':[{'id':'$first'},{'id':'$second'}],'revision':'$second'}"},
    {"GET", "/events?last=1&wait=0&domain=other", 200,
     "{'events':[],'revision':'$second'}"},
    {"GET", "/domains/test/events?last=1&wait=0", 200, "{'events':[{'id':'$second'}]}"},
    {"GET", "/hosts/-/events?last=1&wait=0", 200, "{'events':[{'id':'$second'}]}"},
    {"GET", "/events?last=1&since=${start}&wait=0", 400, GATEWAY("invalid-value"),
     .contains = "*last*since*"},
    {"GET", "/events?last=0&wait=0", 400, GATEWAY("invalid-value")},
    {"GET", "/events?last=4097&wait=0", 400, GATEWAY("invalid-value")},
    {"GET", "/domains?fields=name,lastEvent", 200,
     "{'domains':[{'name':'test','lastEvent':{'type':'resumed','time':'~20*T*Z'}}]}",
     .wants = {"X-Virtgate-Source: libvirt"}},
    {"GET", "/domains/test?fields=lastEvent", 200,
     "{'lastEvent':{'type':'resumed','time':'~20*T*Z'}}"},
    {"GET", "/domains/test", 200, "{'lastEvent':'<absent>'}"},
    {"GET", "/networks?fields=name,lastEvent", 200,
     "{'networks':[{'name':'default','lastEvent':null}]}"},
    {"POST", "/networks/default/destroy", 204, ""},
    {"GET", "/events?object=network&last=1&wait=60", 200,
     "{'events':[{'type':'stopped'}]}"},
    {"GET", "/networks?fields=name,lastEvent", 200,
     "{'networks':[{'name':'default','lastEvent':{'type':'stopped','time':'~20*T*Z'}}]}"},
    {"PUT", "/networks/default/autostart", 200, "{'autostart':true}",
     .json = "{'autostart':true}"},
    {"GET", "/networks/default?fields=lastEvent", 200,
     "{'lastEvent':{'type':'autostart-change'}}"},
    {"GET", "/networks?view=full", 200, "{'networks':[{'lastEvent':'<absent>'}]}"},
    {"POST", "/storage-pools/default-pool/refresh", 204, ""},
    {"GET", "/events?event=refresh&last=1&wait=60", 200, "{'events':[{}]}"},
    {"GET", "/storage-pools?fields=name,lastEvent", 200,
     "{'storagePools':[{'name':'default-pool','lastEvent':{'type':'refresh'}}]}"},
    {"GET", "/node-devices?fields=name,lastEvent&name=computer", 200,
     "{'nodeDevices':[{'name':'computer','lastEvent':null}]}"},
    {"GET", "/domains?view=full", 200, "{'domains':[{'lastEvent':'<absent>'}]}"},
    {"GET", "/hosts/-/domains?fields=lastEvent", 200,
     "{'domains':[{'host':'default','lastEvent':{'type':'resumed'}}]}"},
};

static const struct step refused[] = {
    {"GET", "/events?since=x", 400, GATEWAY("invalid-value"), .contains = "*revision*"},
    {"GET", "/events?since=", 400, GATEWAY("invalid-value")},
    {"GET", "/events?since=0-1", 410, GATEWAY("gone"), .contains = "*list again*"},
    {"GET", "/events?since=0-1&wait=0", 410, GATEWAY("gone")},
    {"GET", "/domains/test/events?since=0-1", 410, GATEWAY("gone")},
    {"GET", "/events", 400, GATEWAY("invalid-value"),
     .headers = {"Last-Event-ID: x", STREAM}},
    {"GET", "/events?wait=301", 400, GATEWAY("invalid-value"), .contains = "*wait*300*"},
    {"GET", "/events?wait=-1", 400, GATEWAY("invalid-value")},
    {"GET", "/events?wait=x", 400, GATEWAY("invalid-value")},
    {"GET", "/events?limit=0&wait=0", 400, GATEWAY("invalid-value")},
    {"GET", "/events?limit=4097&wait=0", 400, GATEWAY("invalid-value")},
    {"GET", "/events?object=nosuch", 400, NULL, .contains = "*storage-pool*"},
    {"GET", "/events?event=nosuch", 400, GATEWAY("unknown-value"),
     .contains = "*lifecycle*"},
    {"GET", "/events?event=reboot,nosuch", 400, GATEWAY("unknown-value")},
    {"GET", "/events?event=,reboot", 400, GATEWAY("unknown-value")},
    {"GET", "/events?host=nosuch", 400, GATEWAY("unknown-value"), .contains = "*nosuch*"},
    {"GET", "/hosts/default/events?host=other", 400, GATEWAY("unknown-value")},
    {"GET", "/events?nosuch=1", 400, GATEWAY("unknown-key"), .contains = "*since*"},
    {"GET", "/domains/test/events?object=domain", 400, GATEWAY("unknown-key")},
    {"GET", "/domains/nosuch/events", 404,
     "{'type':'urn:libvirt:error:VIR_ERR_NO_DOMAIN','error':{'code':42}}"},
    {"GET", "/domains/nosuch/events?wait=0", 404, LIBVIRT("NO_DOMAIN")},
    {"GET", "/domains/test/qemu/events", 501, LIBVIRT("NO_SUPPORT")},
    {"GET", "/domains/test/qemu/events?event=STOP&wait=0", 501, LIBVIRT("NO_SUPPORT")},
    {"GET", "/domains/nosuch/qemu/events", 404, LIBVIRT("NO_DOMAIN")},
    {"GET", "/domains/test/qemu/events?event=ST(&regex=true", 400,
     GATEWAY("invalid-value"), .contains = "*'event'*'ST('*missing closing parenthesis*"},
    {"GET", "/domains/test/qemu/events?event=*&flags=regex", 400,
     GATEWAY("invalid-value")},
    {"GET", "/domains/test/qemu/events?flags=nosuch", 400, GATEWAY("unknown-flag"),
     .contains = "*regex, nocase*"},
    {"GET", "/domains/test/qemu/events?regex=ST.*", 400, NULL, .contains = "*true*"},
    {"GET", "/domains/test/qemu/events?object=domain", 400, GATEWAY("unknown-key")},
    {"GET", "/domains/test/qemu/events", 406, GATEWAY("not-acceptable"),
     .headers = {"Accept: application/xml"}},
    {"POST", "/domains/test/qemu/events", 405, GATEWAY("method-not-allowed"),
     .wants = {"Allow: *GET*"}},
    {"GET", "/hosts/nosuch/events", 404, GATEWAY("not-found")},
    {"GET", "/hosts/-/domains/test/events", 404, GATEWAY("not-found")},
    {"GET", "/events", 406, GATEWAY("not-acceptable"), .headers = {"Accept: text/html"},
     .contains = "*text/event-stream*"},
    {"GET", "/domains/test/events", 406, GATEWAY("not-acceptable"),
     .headers = {"Accept: application/xml"}},
    {"POST", "/events", 405, GATEWAY("method-not-allowed"), .wants = {"Allow: *GET*"}},
    {"HEAD", "/events", 200, "",
     .wants = {"Content-Type: text/event-stream", "X-Virtgate-Revision: *-*"}},
    {"HEAD", "/domains/test/events", 200, "",
     .wants = {"Content-Type: text/event-stream", "X-Virtgate-Revision: *-*"}},
    {"HEAD", "/events?wait=0", 200, "", .wants = {"Content-Type: application/json"}},
};

/* Suspends `test` a while after the poll has come: the third connection, with that of the
 * scenario. */
static void *suspend_later(void *data)
{
    const struct scenario *s = data;
    struct client *c = client_new(s->server.base);
    response_free(client_get(c, "/version"));
    check_that(server_heard(&s->server, 3), "the poll has come");
    sleep_seconds(0.4);
    response_free(client_send(c, "POST", "/domains/test/suspend", NULL, NULL, 0));
    client_free(c);
    return NULL;
}

static void test_waiting(struct scenario *s)
{
    pthread_t thread;
    struct response *r = scenario_send(s, "GET", "/events?wait=1", NULL, NULL);
    check_response(r->status == 200 && r->seconds >= 0.95 && r->seconds < 30 &&
                       strstr(r->body, "\"events\":[]"),
                   r, "a poll without events took %.2f s", r->seconds);
    response_free(r);
    pthread_create(&thread, NULL, suspend_later, s);
    struct client *poller = client_new(s->server.base);
    r = client_get(poller, "/domains/test/events?wait=60");
    check_response(r->status == 200 && r->seconds > 0.2 && r->seconds < 30 &&
                       strstr(r->body, "\"suspended\""),
                   r, "a poll with a late event took %.2f s", r->seconds);
    record_exchange("GET", "/domains/test/events?wait=60", r);
    response_free(r);
    client_free(poller);
    pthread_join(thread, NULL);
    act(s, "/domains/test/resume");
}

static void test_polls(void)
{
    struct scenario s;
    if (!scenario_begin(&s, "polls", ARGS("-c", "test:///default")))
        return;
    scenario_run(&s, polls, COUNT(polls));
    scenario_run(&s, past, COUNT(past));
    scenario_run(&s, refused, COUNT(refused));
    test_waiting(&s);
    scenario_end(&s);
}

/* ---- streams ----------------------------------------------------------------------- */

static void test_header(struct scenario *s)
{
    static const char *const kinds[] = {"", "Accept: */*", STREAM,
                                        "Accept: application/json;q=0.5, text/*"};
    static const struct step now[] = {
        {"GET", "/events?wait=0", 200, "{'revision':'$now'}"}};
    scenario_run(s, now, 1);
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct stream *st =
            stream_open(&s->server, "/events", kinds[i][0] ? ARGS(kinds[i]) : NULL, 0);
        char *type = response_header(st->response, "Content-Type");
        char *cache = response_header(st->response, "Cache-Control");
        char *revision = response_header(st->response, "X-Virtgate-Revision");
        char *id = response_header(st->response, "X-Request-Id");
        json_t *now_id = json_object_get(s->captures, "now");
        check_response(st->response->status == 200 && type && cache && revision && id &&
                           strcmp(type, "text/event-stream") == 0 &&
                           strcmp(cache, "no-cache") == 0 &&
                           strcmp(revision, json_string_value(now_id)) == 0,
                       st->response, "the header of a stream, %s", kinds[i]);
        expect_frame(s, st, "{'retry':'1000','id':'$now','data':'<absent>'}");
        stream_close(st);
        free(type);
        free(cache);
        free(revision);
        free(id);
    }
}

/* Two watchers see the same events, ids and all; filters let through what they should. */
static void test_watchers(struct scenario *s)
{
    struct stream *one = watch(s, "/events"), *two = watch(s, "/hosts/default/events"),
                  *some = watch(s, "/events?object=network,domain&event=reboot,lifecycle"
                                   "&domain=test&host=default"),
                  *domain = watch(s, "/domains/test/events"),
                  *none = watch(s, "/events?event=reboot");
    act(s, "/domains/test/suspend");
    act(s, "/domains/test/resume");
    expect_frame(s, one,
                 "{'id':'$s1','event':'<absent>','data':{'id':'$s1',"
                 "'revision':'$s1','type':'suspended','host':'default'}}");
    expect_frame(s, one,
                 "{'id':'$s2','event':'<absent>','data':{'id':'$s2',"
                 "'revision':'$s2','type':'resumed','host':'default'}}");
    struct stream *others[] = {two, some, domain};
    for (size_t i = 0; i < COUNT(others); i++) {
        expect_frame(s, others[i], "{'id':'$s1','data':{'type':'suspended'}}");
        expect_frame(s, others[i], "{'id':'$s2','data':{'type':'resumed'}}");
        json_t *more = stream_next(others[i], 0.05);
        check_that(!more, "%s tells more than happened", others[i]->path);
        json_decref(more);
        stream_close(others[i]);
    }
    json_t *more = stream_next(none, 0.05);
    check_that(!more, "a filter lets through what it should not");
    json_decref(more);
    stream_close(none);
    stream_close(one);
}

/* Each id leads to exactly what came after it. */
static void test_resume(struct scenario *s)
{
    static const struct step list[] = {{"GET", "/domains", 200, "{'domains':'<array>'}"}};
    scenario_run(s, list, 1);
    struct stream *st = watch(s, "/events?event=lifecycle");
    act(s, "/domains/test/suspend");
    act(s, "/domains/test/resume");
    act(s, "/domains/test/suspend");
    act(s, "/domains/test/resume");
    expect_frame(s, st, "{'id':'$r1','data':{'type':'suspended'}}");
    expect_frame(s, st, "{'id':'$r2','data':{'type':'resumed'}}");
    stream_close(st);
    char *last = json_substitute("Last-Event-ID: ${r2}", s->captures);
    st = watch_with(s, "/events?event=lifecycle", ARGS(last));
    expect_frame(s, st, "{'id':'$r3','data':{'type':'suspended'}}");
    expect_frame(s, st, "{'id':'$r4','data':{'type':'resumed'}}");
    stream_close(st);
    /* a browser sends the same URL, and what it has seen since */
    st = watch_with(s, "/events?event=lifecycle&since=${r1}", ARGS(last));
    expect_frame(s, st, "{'id':'$r3'}");
    stream_close(st);
    st = watch(s, "/domains/test/events?since=${r3}");
    expect_frame(s, st, "{'id':'$r4'}");
    json_t *more = stream_next(st, 0.05);
    check_that(!more, "an event is told twice");
    json_decref(more);
    stream_close(st);
    free(last);
}

/* EventSource takes a 410 as final, so what is gone is told in the stream. */
static void test_gone(struct scenario *s)
{
    struct stream *st = watch_with(s, "/events?since=0-7", ARGS("Last-Event-ID: 0-8"));
    expect_frame(s, st,
                 "{'event':'reset','id':'$g','data':{'id':'$g','revision':'$g',"
                 "'time':'~20*Z','object':'stream','event':'reset','reason':'gone',"
                 "'host':'<absent>'}}");
    act(s, "/domains/test/suspend");
    act(s, "/domains/test/resume");
    expect_event(s, st, LIFECYCLE("suspended"));
    expect_event(s, st, LIFECYCLE("resumed"));
    stream_close(st);
}

/* ---- one domain -------------------------------------------------------------------- */

/* Its event may come after the answer, and is not to be the first that is watched. */
static const struct step define[] = {
    {"GET", "/events?wait=0", 200, "{'revision':'$undefined'}"},
    {"POST", "/domains", 201, "{'uuid':'$uuid'}", .xml = DOMAIN("before")},
    {"GET", "/domains/before/events?since=${undefined}&wait=20", 200,
     "{'events':[{'type':'defined','detail':'added'}]}"},
};
static const struct step change[] = {
    {"POST", "/domains/before/rename", 200, NULL, .json = "{'name':'after'}"},
    {"POST", "/domains/test/suspend", 204, ""},
    {"POST", "/domains/after/start", 204, ""},
    {"POST", "/domains/after/destroy", 204, ""},
    {"POST", "/domains/test/resume", 204, ""},
    {"DELETE", "/domains/after", 204, ""},
};

#define OF(name, id) "'domain':{'name':'" name "','uuid':'$uuid','id':" id "}"

static void test_domain(struct scenario *s)
{
    scenario_run(s, define, COUNT(define));
    struct stream *st = watch(s, "/domains/before/events");
    scenario_run(s, change, COUNT(change));
    expect_event(s, st,
                 "{'type':'undefined','detail':'renamed'," OF("before", "null") "}");
    expect_event(s, st, "{'type':'defined','detail':'renamed'," OF("after", "null") "}");
    expect_event(s, st,
                 "{'type':'started','detail':'booted'," OF("after", "'<int>'") "}");
    expect_event(s, st,
                 "{'type':'stopped','detail':'destroyed','domain':{'name':'after'}}");
    expect_event(s, st,
                 "{'type':'undefined','detail':'removed'," OF("after", "null") "}");
    json_t *more = stream_next(st, 0.05);
    check_that(!more, "the watch of a domain tells of another");
    json_decref(more);
    stream_close(st);
}

static void test_streams(void)
{
    struct scenario s;
    if (!scenario_begin(&s, "streams", ARGS("-c", "test:///default")))
        return;
    test_header(&s);
    test_watchers(&s);
    test_resume(&s);
    test_gone(&s);
    test_domain(&s);
    scenario_end(&s);
}

/* ---- several hosts ----------------------------------------------------------------- */

/* The last event of each host has come: none of it is still on its way. */
static void await_all(struct stream *all)
{
    for (int i = 0; i < 6; i++) {
        json_t *frame = stream_next(all, LONG_ENOUGH);
        check_that(frame, "%d of 6 events came", i);
        json_decref(frame);
    }
    stream_close(all);
}

/* `test:///default` is one for the whole process: each change is told by all three. */
static void expect_hosts(struct scenario *s, const char *path, const char *hosts)
{
    struct stream *st = watch(s, path), *all = watch(s, "/events?host=-");
    char seen[64] = "";
    size_t n = 0;
    act(s, "/domains/test/suspend");
    act(s, "/domains/test/resume");
    json_t *frame;
    for (; n < 2 * strlen(hosts) && (frame = stream_next(st, LONG_ENOUGH));
         json_decref(frame)) {
        const char *host =
            json_string_value(json_object_get(json_object_get(frame, "data"), "host"));
        seen[n++] = host ? host[0] : '?';
    }
    await_all(all);
    json_t *more = stream_next(st, 0.05);
    bool right = !more && n == 2 * strlen(hosts);
    for (const char *h = hosts; *h; h++) {
        const char *first = strchr(seen, *h), *last = strrchr(seen, *h);
        right = right && first && last && first != last;
    }
    check_that(right, "%s: tells of %s, should of %s twice", path, seen, hosts);
    json_decref(more);
    stream_close(st);
}

static void test_hosts(void)
{
    struct scenario s;
    if (!scenario_begin(&s, "hosts",
                        ARGS("-c", "test:///default", "--host", "a=test:///default",
                             "--host", "b=test:///default")))
        return;
    static const struct step up = {"GET", "/health/ready", 200, "{'status':'ready'}"};
    scenario_until(&s, &up, LONG_ENOUGH);
    expect_hosts(&s, "/events", "d");
    expect_hosts(&s, "/events?host=a", "a");
    expect_hosts(&s, "/events?host=a,b", "ab");
    expect_hosts(&s, "/events?host=-", "dab");
    expect_hosts(&s, "/events?host=default,a,b", "dab");
    expect_hosts(&s, "/hosts/a/events", "a");
    expect_hosts(&s, "/hosts/a/events?host=a", "a");
    expect_hosts(&s, "/hosts/-/events", "dab");
    expect_hosts(&s, "/hosts/-/events?host=b", "b");
    expect_hosts(&s, "/hosts/b/domains/test/events", "b");
    scenario_end(&s);
}

int main(void)
{
    test_polls();
    test_streams();
    test_hosts();
    return checks_report();
}
