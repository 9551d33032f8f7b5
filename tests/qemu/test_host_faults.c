/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A host that is silent when the gateway starts, one that falls silent with calls in
 * flight and waiting, and one that takes no more connections: who can be served is, who
 * cannot is told so, and nobody waits for his full deadline.
 */
#include "tests/qemu/guest.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DEADLINE "30"
#define MAX_ASKS 24

static const struct step guests[] = {
    {"POST", "/domains", 201, NULL, .xml = GUEST("h0")},
    {"POST", "/domains", 201, NULL, .xml = GUEST("h1")},
    {"POST", "/domains/h1/start", 204, ""},
};
static const struct step up = {"GET", "/health/ready", 200,
                               "{'status':'ready','hosts':[{'state':'up'}]}"};

/* ---- several at a time ------------------------------------------------------------- */

struct ask {
    const char *method, *path;
    const char *const *headers;
    struct server *server;
    struct response *answer;
    pthread_t thread;
};

static void *ask_thread(void *arg)
{
    struct ask *a = arg;
    struct client *c = client_new(a->server->base);
    a->answer = client_send(c, a->method, a->path, a->headers, NULL, 0);
    client_free(c);
    return NULL;
}

static void asks_begin(struct scenario *s, struct ask *asks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        asks[i].server = &s->server;
        pthread_create(&asks[i].thread, NULL, ask_thread, &asks[i]);
    }
}

static void asks_end(struct ask *asks, size_t n)
{
    for (size_t i = 0; i < n; i++)
        pthread_join(asks[i].thread, NULL);
}

/* ---- before the first connection --------------------------------------------------- */

static const char *const json[] = {"Accept: application/json", NULL};
static const struct ask first[] = {
    {.method = "GET", .path = "/domains"},
    {.method = "GET", .path = "/domains?view=full"},
    {.method = "GET", .path = "/hosts/default/domains"},
    {.method = "GET", .path = "/hosts/-/domains"},
    {.method = "GET", .path = "/domains/h1"},
    {.method = "GET", .path = "/domains/h1/xml"},
    {.method = "GET", .path = "/domains/h1/vcpus"},
    {.method = "GET", .path = "/domain-stats"},
    {.method = "GET", .path = "/version"},
    {.method = "GET", .path = "/connection"},
    {.method = "GET", .path = "/hosts/default/connection"},
    {.method = "GET", .path = "/connection/capabilities"},
    {.method = "GET", .path = "/domains/h1/events?wait=0", .headers = json},
    {.method = "GET", .path = "/domains/h1/qemu/events?wait=0", .headers = json},
    {.method = "POST", .path = "/domains/h1/suspend"},
};

/* All rows alike wait for it, and are answered as if it had been there. */
static void test_first(void)
{
    struct scenario s;
    struct ask asks[COUNT(first)];

    memcpy(asks, first, sizeof(first));
    check_that(libvirtd("freeze") == 0, "freeze libvirtd");
    if (!scenario_begin_unready(&s, "first connection",
                                ARGS("-c", guest_uri(), "--read-deadline", DEADLINE))) {
        libvirtd("thaw");
        return;
    }
    static const struct step connecting[] = {
        {"GET", "/health/ready", 503, "{'hosts':[{'state':'connecting'}]}"},
        {"GET", "/events?wait=0", 200, "{'events':[]}"}, /* of no host's making */
    };
    scenario_run(&s, connecting, COUNT(connecting));
    asks_begin(&s, asks, COUNT(asks));
    sleep_seconds(1);
    check_that(libvirtd("thaw") == 0, "thaw libvirtd");
    asks_end(asks, COUNT(asks));
    for (size_t i = 0; i < COUNT(asks); i++) {
        struct response *r = asks[i].answer;
        check_response((r->status == 200 || r->status == 204) &&
                           !strstr(r->body, "\"unreachable\":[{"),
                       r, "before the first connection: %s after %.2f s", asks[i].path,
                       r->seconds);
        response_free(r);
    }
    static const struct step resume = {"POST", "/domains/h1/resume", 204, ""};
    scenario_run(&s, &resume, 1);
    scenario_end(&s);
}

/* ---- the breaker opens ------------------------------------------------------------- */

static const struct ask waiting[] = {
    {.method = "GET", .path = "/domains/h1/xml"},
    {.method = "GET", .path = "/domains/h0/xml"},
    {.method = "GET", .path = "/domains/h1"},
    {.method = "GET", .path = "/domains?view=full"},
    {.method = "GET", .path = "/domain-stats"},
    {.method = "GET", .path = "/connection/capabilities"},
    {.method = "GET", .path = "/domains/h1/vcpus"},
    {.method = "GET", .path = "/domains/h0/vcpus"},
    {.method = "GET", .path = "/domains/h1/agent/time"},
    {.method = "GET", .path = "/domains/h0/agent/time"},
    {.method = "POST", .path = "/domains/h1/suspend"},
    {.method = "POST", .path = "/domains/h1/suspend"},
    {.method = "POST", .path = "/domains/h1/suspend"},
    {.method = "POST", .path = "/domains/h0/start"},
    {.method = "POST", .path = "/domains/h0/managed-save"},
};

static void check_given_up(struct ask *a)
{
    struct response *r = a->answer;
    bool change = strcmp(a->method, "POST") == 0;
    check_response(is_problem(r, 503, "host-unreachable") && r->seconds < 25, r,
                   "a host that falls silent: %s %s after %.2f s", a->method, a->path,
                   r->seconds);
    check_response(strstr(r->head, "Retry-After") != NULL, r, "when to retry");
    if (!change)
        check_response(!strstr(r->body, "outcome"), r, "a read has no outcome");
    response_free(r);
}

/* Those in flight and those that wait for a worker, of all lanes. */
static void test_silent(struct scenario *s)
{
    struct ask asks[COUNT(waiting)];

    memcpy(asks, waiting, sizeof(waiting));
    scenario_until(s, &up, 60);
    check_that(libvirtd("freeze") == 0, "freeze libvirtd");
    asks_begin(s, asks, COUNT(asks));
    static const struct step down = {
        "GET", "/health/ready", 503,
        "{'status':'unavailable','hosts':[{'state':'down','reason':'no-answer'}]}"};
    scenario_until(s, &down, 60);
    double begun = seconds_now();
    asks_end(asks, COUNT(asks));
    check_that(seconds_now() - begun < 10, "%.2f s after the breaker opened",
               seconds_now() - begun);
    unsigned int unknown = 0;
    for (size_t i = 0; i < COUNT(asks); i++) {
        unknown += strstr(asks[i].answer->body, "\"outcome\":\"unknown\"") != NULL;
        check_given_up(&asks[i]);
    }
    check_that(unknown < 5, "%u changes may have been done; three waited", unknown);
    check_that(libvirtd("thaw") == 0, "thaw libvirtd");
    scenario_until(s, &up, 60);
    static const struct step there = {"GET", "/domains/h1", 200, "{'name':'h1'}"};
    scenario_until(s, &there, 60);
}

/* ---- no room for another connection ------------------------------------------------ */

#define ROOM 40 /* connections; this libvirtd has 8 */

/* A libvirtd of its own, small. */
static int small(const char *verb)
{
    char set[128];
    const char *dir = getenv("VG_LIBVIRTD_DIR");
    snprintf(set, sizeof(set), "VG_LIBVIRTD_DIR=%s-s", dir ? dir : "/tmp/vg-libvirtd");
    return run_program(ARGS("env", set,
                            "VG_LIBVIRTD_CONF=max_clients = 8\nmax_anonymous_clients = 8",
                            "tests/qemu/libvirtd.sh", verb));
}

static void fill_up(const char *path, int *fds)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof(a.sun_path), "%.100s", path);
    for (int i = 0; i < ROOM; i++) {
        fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fds[i], (const struct sockaddr *)&a, sizeof(a)) < 0)
            check_that(false, "no connection to %s", a.sun_path);
    }
    sleep_seconds(0.5);
}

/* A worker that has a connection serves those that would have had one of their own. */
static void ask_all(struct scenario *s, const char *what)
{
    struct ask asks[MAX_ASKS];
    for (size_t i = 0; i < MAX_ASKS; i++)
        asks[i] = (struct ask){.method = "GET",
                               .path = i % 2 ? "/domains/nosuch/xml?flags=inactive"
                                             : "/domains/nosuch/xml?flags=secure"};
    asks_begin(s, asks, MAX_ASKS);
    asks_end(asks, MAX_ASKS);
    for (size_t i = 0; i < MAX_ASKS; i++) {
        struct response *r = asks[i].answer;
        check_response(is_problem(r, 404, "VIR_ERR_NO_DOMAIN") && r->seconds < 25, r,
                       "%s: after %.2f s", what, r->seconds);
        response_free(r);
    }
}

static void test_full(const char *path)
{
    int fds[ROOM];
    char uri[160];
    struct scenario s;
    static const struct step warm[] = {
        {"GET", "/domains/nosuch/xml", 404, LIBVIRT("NO_DOMAIN")},
    };
    static const struct step full[] = {
        {"GET", "/health/ready", 200,
         "{'status':'degraded','hosts':[{'state':'up','reason':'connection-limit'}]}"},
        {"GET", "/hosts", 200, "{'hosts':[{'state':'up','reason':'connection-limit'}]}"},
        /* a lane that has no connection at all says so */
        {"GET", "/domains/nosuch/agent/time", 503, GATEWAY("overloaded"),
         .wants = {"Retry-After: *"}},
    };

    snprintf(uri, sizeof(uri), "qemu+unix:///system?socket=%s", path);
    if (!scenario_begin(&s, "full host", ARGS("-c", uri, "--read-deadline", DEADLINE)))
        return;
    scenario_run(&s, warm, COUNT(warm)); /* one connection of the four */
    fill_up(path, fds);
    ask_all(&s, "a full host");
    double begun = seconds_now();
    scenario_run(&s, full, COUNT(full));
    ask_all(&s, "a full host, once it is known");
    check_that(seconds_now() - begun < 25, "a full host: it took %.2f s",
               seconds_now() - begun);
    for (int i = 0; i < ROOM; i++)
        close(fds[i]);
    scenario_until(&s, &up, 60);
    ask_all(&s, "a host that has room again");
    scenario_end(&s);
}

static void test_small(void)
{
    char path[128];
    const char *dir = getenv("VG_LIBVIRTD_DIR");
    snprintf(path, sizeof(path), "%s-s/sock/libvirt-sock",
             dir ? dir : "/tmp/vg-libvirtd");
    if (small("start") == 0)
        test_full(path);
    else
        check_that(false, "no libvirtd with few connections");
    small("stop");
}

int main(void)
{
    struct scenario s;
    if (!scenario_begin(&s, "host faults",
                        ARGS("-c", guest_uri(), "--read-deadline", DEADLINE,
                             "--change-deadline", DEADLINE)))
        return checks_report();
    guests_remove(&s);
    scenario_run(&s, guests, COUNT(guests));
    test_first();
    test_silent(&s);
    test_small();
    guests_remove(&s);
    scenario_end(&s);
    return checks_report();
}
