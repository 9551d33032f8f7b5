/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fresh and remembered answers: revision, source and age of every read, what is answered
 * from memory and what never is, and that a client always reads what it wrote.
 */
#include "tests/harness/steps.h"

#include <fnmatch.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UUID  "6695eb01-f6a4-8304-79aa-97f2502e193f"
#define FRESH "Cache-Control: no-cache"

#define FROM_LIBVIRT                                                                     \
    {                                                                                    \
        "X-Virtgate-Source: libvirt", "X-Virtgate-Revision: *-*", "!Age"                 \
    }
#define FROM_INVENTORY                                                                   \
    {                                                                                    \
        "X-Virtgate-Source: inventory", "X-Virtgate-Revision: *-*", "Age: [0-9]*"        \
    }
#define OF_THE_GATEWAY                                                                   \
    {                                                                                    \
        "!X-Virtgate-Source", "X-Virtgate-Revision: *-*", "!Age"                         \
    }
#define OF_NO_HOST                                                                       \
    {                                                                                    \
        "!X-Virtgate-Source", "!X-Virtgate-Revision", "!Age"                             \
    }

/* Until the events of what was changed have come, and what was read right after them is
 * kept no more: an answer is from memory, and still is after that time. */
static void settle(struct scenario *s)
{
    static const struct step kept = {"GET", "/domains?fields=id,state", 200, NULL,
                                     .wants = FROM_INVENTORY};

    scenario_until(s, &kept, LONG_ENOUGH);
    sleep_seconds(0.3);
    scenario_until(s, &kept, LONG_ENOUGH);
}

/* ---- header fields ----------------------------------------------------------------- */

static const struct step headers[] = {
    {"GET", "/", 200, NULL, .wants = OF_NO_HOST},
    {"GET", "/hosts", 200, NULL, .wants = OF_THE_GATEWAY},
    {"GET", "/version", 200, NULL, .wants = OF_THE_GATEWAY},
    {"GET", "/connection", 200, NULL, .wants = OF_THE_GATEWAY},
    {"GET", "/domains/nosuch", 404, NULL, .wants = OF_NO_HOST},
    {"GET", "/domains?nosuch=1", 400, GATEWAY("unknown-key"), .wants = OF_NO_HOST},
    {"POST", "/domains/test/start", 409, NULL, .wants = OF_NO_HOST},
    {"GET", "/hosts/-/domains", 200, NULL, .wants = FROM_LIBVIRT},
    {"POST", "/domains/test/suspend", 204, "",
     .wants = {"X-Virtgate-Revision: *-*", "!X-Virtgate-Source"}},
    {"POST", "/domains/test/resume", 204, "", .wants = {"X-Virtgate-Revision: *-*"}},
    {"PUT", "/domains/test/autostart", 200, NULL, .json = "{'autostart':true}",
     .wants = FROM_LIBVIRT},
    /* not what test_sources() finds unknown: it is kept if the events are long past */
    {"GET", "/domains?fields=active", 200, NULL,
     .headers = {FRESH, "Origin: https://page.example"},
     .wants = {"Access-Control-Expose-Headers: *X-Virtgate-Revision*X-Virtgate-Source*"}},
};

/* Events do not cover these: asked again, they ask libvirt again. */
static const char *const never[] = {
    "/connection/capabilities",
    "/domains?fields=name,autostart",
    "/domains?fields=memoryKiB",
    "/domains?view=full",
    "/domains?autostart=true",
    "/domains?managedSave=false",
    "/domains?snapshots=false",
    "/domains?flags=autostart",
    "/domains/test",
    "/domains/test?fields=name,vcpus",
    "/domains/test/xml",
    "/domains/test/autostart",
    "/domains/test/stats",
    "/domain-stats",
};

/* These it covers. */
static const char *const covered[] = {
    "/domains",
    "/domains?state=active",
    "/domains?state=running,shutoff",
    "/domains?persistent=true",
    "/domains?name=te*",
    "/domains?fields=name,state",
    "/domains?limit=1",
    "/domains?numbers=string",
    "/hosts/default/domains?limit=9",
    "/domains/test?fields=id,name,uuid,state,stateReason,active,persistent",
    "/domains/" UUID "?fields=state",
    "/domains/1?by=id&fields=state",
    "/domains/test/state",
    "/hosts/-/domains",
    "/hosts/-/domains?fields=name&limit=1",
};

static void get(struct scenario *s, const struct step *row, const char *path)
{
    struct step filled = *row;
    filled.method = "GET";
    filled.path = path;
    filled.status = 200;
    scenario_run(s, &filled, 1);
}

static void test_sources(struct scenario *s)
{
    static const struct step libvirt = {.wants = FROM_LIBVIRT},
                             inventory = {.wants = FROM_INVENTORY},
                             fresh = {.headers = {FRESH}, .wants = FROM_LIBVIRT};
    settle(s);
    for (size_t i = 0; i < COUNT(never); i++) {
        get(s, &libvirt, never[i]);
        get(s, &libvirt, never[i]);
    }
    for (size_t i = 0; i < COUNT(covered); i++) {
        get(s, &libvirt, covered[i]);
        get(s, &inventory, covered[i]);
        get(s, &fresh, covered[i]);
        get(s, &inventory, covered[i]);
    }
}

/* ---- what goes by it --------------------------------------------------------------- */

static const struct step others_of_fresh[] = {
    {"GET", "/domains", 200, NULL, .headers = {"Cache-Control: max-age=0"},
     .wants = FROM_LIBVIRT},
    {"GET", "/domains", 200, NULL, .headers = {"cache-control: no-store"},
     .wants = FROM_LIBVIRT},
    {"GET", "/domains", 200, NULL, .headers = {"Cache-Control: max-age=60"},
     .wants = FROM_INVENTORY},
    {"HEAD", "/domains", 200, "", .wants = FROM_INVENTORY},
    {"GET", "/domains?limit=1&", 200, NULL, .wants = FROM_LIBVIRT},
};

/* From memory or not, the entity tag is that of the bytes. */
static void test_conditional(struct scenario *s)
{
    struct response *r = scenario_send(s, "GET", "/domains", ARGS(FRESH), NULL);
    char *tag = response_header(r, "ETag"), *condition = NULL;
    if (asprintf(&condition, "If-None-Match: %s", tag ? tag : "") < 0)
        abort();
    response_free(r);
    const struct step rows[] = {
        {"GET", "/domains", 304, "", .headers = {condition}, .wants = FROM_INVENTORY},
        {"GET", "/domains", 304, "", .headers = {condition, FRESH},
         .wants = FROM_LIBVIRT},
        {"GET", "/domains", 200, NULL, .headers = {"If-None-Match: \"other\""},
         .wants = FROM_INVENTORY},
        {"POST", "/domains/test/suspend", 204, ""},
        {"GET", "/domains", 200, "{'domains':[{'state':'paused'}]}",
         .headers = {condition}},
        {"POST", "/domains/test/resume", 204, ""},
        {"GET", "/domains", 200, "{'domains':[{'state':'running'}]}"},
    };
    scenario_run(s, rows, COUNT(rows));
    free(condition);
    free(tag);
}

/* Arguments in a body, conditions: what the target does not show makes an answer that no
 * one else is given. Not recorded: a record does not show it, either. */
static void test_hidden(struct scenario *s)
{
    static const struct {
        const char *header, *body;
        long status;
        const char *source, *contains;
    } rows[] = {
        {NULL, NULL, 200, "inventory", "*\"id\":1*"},
        {"Content-Type: application/json", "{\"fields\":[\"name\"]}", 200, "libvirt",
         "*{\"name\":\"test\"}]}"},
        {"Content-Type: application/json", "{\"nosuch\":1}", 400, NULL, "*nosuch*"},
        {"If-Match: \"other\"", NULL, 412, NULL, "*If-Match*"},
        {NULL, NULL, 200, "inventory", "*\"id\":1*"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *body = rows[i].body;
        struct response *r = client_send(s->client, "GET", "/domains",
                                         rows[i].header ? ARGS(rows[i].header) : NULL,
                                         body, body ? strlen(body) : 0);
        char *source = response_header(r, "X-Virtgate-Source");
        bool same = rows[i].source && source ? strcmp(rows[i].source, source) == 0
                                             : rows[i].source == source;
        check_response(r->status == rows[i].status && same &&
                           fnmatch(rows[i].contains, r->body, 0) == 0,
                       r, "GET /domains with %s",
                       rows[i].header ? rows[i].header : "nothing");
        free(source);
        response_free(r);
    }
}

static const struct step forms[] = {
    {"GET", "/domains/test?fields=name", 200, NULL, .wants = FROM_LIBVIRT},
    {"GET", "/domains/test?fields=name", 400, GATEWAY("invalid-value"),
     .headers = {"Accept: application/xml"}}, /* not what is remembered as JSON */
    {"GET", "/domains/test?fields=name", 200, "{'name':'test'}", .wants = FROM_INVENTORY},
};

/* The Age of an answer from memory is no more than the seconds since `asked`, when
 * libvirt was. */
static void expect_age(struct scenario *s, double asked, int least)
{
    struct response *r = scenario_send(s, "GET", "/domains?fields=uuid", NULL, NULL);
    char *age = response_header(r, "Age"), *end = NULL;
    long seconds = age ? strtol(age, &end, 10) : -1;

    check_response(age && *age && !*end && seconds >= least &&
                       (double)seconds <= seconds_now() - asked,
                   r, "an Age from %d, %.1f s after libvirt was asked", least,
                   seconds_now() - asked);
    free(age);
    response_free(r);
}

static void test_age(struct scenario *s)
{
    static const struct step first = {"GET", "/domains?fields=uuid", 200, NULL,
                                      .wants = FROM_LIBVIRT};
    static const struct step fresh = {"GET", "/domains?fields=uuid", 200, NULL,
                                      .headers = {FRESH}};
    double asked = seconds_now();

    scenario_run(s, &first, 1);
    expect_age(s, asked, 0);
    sleep_seconds(1.1);
    expect_age(s, asked, 1);
    asked = seconds_now();
    scenario_run(s, &fresh, 1);
    expect_age(s, asked, 0);
}

/* ---- changes ----------------------------------------------------------------------- */

#define DOMAIN(name)                                                                     \
    "<domain type='test'><name>" name "</name><memory>65536</memory>"                    \
    "<os><type>hvm</type></os></domain>"

/* After each change the list of before is not given any more. */
static const struct step changes[] = {
    {"GET", "/domains?fields=name", 200, "{'domains':[{'name':'test'}]}"},
    {"POST", "/domains", 201, NULL, .xml = DOMAIN("alpha")},
    {"GET", "/domains?fields=name", 200,
     "{'domains':[{'name':'alpha'},{'name':'test'}]}"},
    {"GET", "/domains?state=active&fields=name", 200, "{'domains':[{'name':'test'}]}"},
    {"POST", "/domains/alpha/rename", 200, NULL, .json = "{'name':'beta'}"},
    {"GET", "/domains?fields=name", 200, "{'domains':[{'name':'beta'},{'name':'test'}]}"},
    {"GET", "/domains/alpha/state", 404, NULL},
    {"GET", "/domains/beta/state", 200, "{'state':'shutoff'}"},
    {"POST", "/domains/beta/start", 204, ""},
    {"GET", "/domains/beta/state", 200, "{'state':'running'}"},
    {"GET", "/domains?state=active&fields=name", 200,
     "{'domains':[{'name':'beta'},{'name':'test'}]}"},
    {"POST", "/domains/beta/destroy", 204, ""},
    {"GET", "/domains/beta/state", 200, "{'state':'shutoff'}"},
    {"DELETE", "/domains/beta", 204, ""},
    {"GET", "/domains?fields=name", 200, "{'domains':[{'name':'test'}]}"},
    {"GET", "/domains/beta/state", 404, NULL},
    {"POST", "/domains/test/start", 409, NULL}, /* what fails may have changed things */
    {"GET", "/domains?fields=name", 200, NULL, .wants = FROM_LIBVIRT},
};

enum { WRITERS = 16, PAIRS = 250 };

struct writer {
    const char *base;
    int number;
    atomic_int *wrong, *remembered;
};

static bool reads(struct client *c, const char *path, const char *text,
                  atomic_int *remembered)
{
    struct response *r = client_get(c, path);
    char *source = response_header(r, "X-Virtgate-Source");
    bool ok = r->status == 200 && strstr(r->body, text);
    if (!ok)
        printf("GET %s: %ld %s, should say %s\n", path, r->status, r->body, text);
    if (source && strcmp(source, "inventory") == 0)
        atomic_fetch_add(remembered, 1);
    free(source);
    response_free(r);
    return ok;
}

/* Writes, then reads it by three ways. */
static void *write_and_read(void *data)
{
    const struct writer *w = data;
    struct client *c = client_new(w->base);
    char action[64], paths[3][96];
    snprintf(paths[0], sizeof(paths[0]), "/domains/vm%d/state", w->number);
    snprintf(paths[1], sizeof(paths[1]), "/domains/vm%d?fields=state,stateReason",
             w->number);
    snprintf(paths[2], sizeof(paths[2]), "/domains?name=vm%d&fields=state", w->number);
    for (int i = 0; i < PAIRS; i++) {
        bool suspend = i % 2 == 0;
        snprintf(action, sizeof(action), "/domains/vm%d/%s", w->number,
                 suspend ? "suspend" : "resume");
        const char *text = suspend ? "\"state\":\"paused\"" : "\"state\":\"running\"";
        struct response *r = client_send(c, "POST", action, NULL, NULL, 0);
        bool ok = r->status == 204;
        response_free(r);
        for (size_t j = 0; j < 6 && ok; j++) /* each twice: once more from memory */
            ok = reads(c, paths[j / 2], text, w->remembered);
        atomic_fetch_add(w->wrong, !ok);
    }
    client_free(c);
    return NULL;
}

static void test_own_writes(struct scenario *s)
{
    pthread_t threads[WRITERS];
    struct writer writers[WRITERS];
    atomic_int wrong = 0, remembered = 0;

    for (int i = 0; i < WRITERS; i++) {
        char xml[256];
        snprintf(xml, sizeof(xml), DOMAIN("vm%d"), i);
        struct response *r = scenario_send(s, "POST", "/domains?transient=true",
                                           ARGS("Content-Type: application/xml"), xml);
        check_response(r->status == 201, r, "domain vm%d", i);
        response_free(r);
    }
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){s->server.base, i, &wrong, &remembered};
        pthread_create(&threads[i], NULL, write_and_read, &writers[i]);
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    check_that(wrong == 0, "%d of %d writes were not read", wrong, WRITERS * PAIRS);
    check_that(remembered > 0, "none of the reads was from memory");
}

/* ---- the revision of an answer ----------------------------------------------------- */

/* Who lists, and then watches from there, hears of all that the list does not show. */
static const struct step list_then_watch[] = {
    {"GET", "/events?wait=0", 200, "{'revision':'$r0'}"},
    {"POST", "/domains/test/suspend", 204, ""},
    {"GET", "/events?since=${r0}&wait=20", 200,
     "{'events':[{'type':'suspended'}],'revision':'$r1'}"},
    {"GET", "/domains", 200, "{'domains':[{'state':'paused'}]}",
     .wants = {"X-Virtgate-Revision: ${r1}"}},
    {"GET", "/domains", 200, NULL, .wants = {"X-Virtgate-Revision: ${r1}"}},
    {"GET", "/events?since=${r1}&wait=0", 200, "{'events':[]}"},
    {"POST", "/domains/test/resume", 204, ""},
    {"GET", "/events?since=${r1}&wait=20", 200,
     "{'events':[{'type':'resumed'}],'revision':'$r2'}"},
    {"GET", "/domains/test/state", 200, "{'state':'running'}",
     .wants = {"X-Virtgate-Revision: ${r2}"}},
};

int main(void)
{
    struct scenario s;
    if (scenario_begin(
            &s, "memory",
            ARGS("-c", "test:///default", "--cors-origin", "https://page.example"))) {
        scenario_run(&s, list_then_watch, COUNT(list_then_watch));
        scenario_run(&s, headers, COUNT(headers));
        test_sources(&s);
        scenario_run(&s, others_of_fresh, COUNT(others_of_fresh));
        test_hidden(&s);
        scenario_run(&s, forms, COUNT(forms));
        test_conditional(&s);
        settle(&s);
        test_age(&s);
        scenario_run(&s, changes, COUNT(changes));
        test_own_writes(&s);
        scenario_end(&s);
    }
    return checks_report();
}
