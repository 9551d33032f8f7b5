/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is asked of many guests when one hangs, or dies during the call: it is answered,
 * with the others in it.
 */
#include "tests/qemu/guest.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE 6

static const struct step guests[] = {
    {"POST", "/domains", 201, NULL, .xml = GUEST("g0")},
    {"POST", "/domains", 201, NULL, .xml = GUEST("g1")},
    {"POST", "/domains", 201, NULL, .xml = GUEST("g2")},
    {"POST", "/domains", 201, NULL, .xml = GUEST("g3")},
    {"POST", "/domains/g1/start", 204, ""},
};

/* Every list and aggregate that libvirt makes from an answer of each guest. */
static const struct ask {
    const char *method, *path, *body;
} asks[] = {
    {"GET", "/domain-stats", NULL},
    {"GET", "/domain-stats?groups=balloon,vcpu,block", NULL},
    {"GET", "/domain-stats?state=running&nowait=true", NULL},
    {"POST", "/domain-stats", "{\"domains\":[\"g0\",\"g1\",\"g2\",\"g3\"]}"},
    {"GET", "/domains?view=full", NULL},
    {"GET", "/domains?fields=name,title,osType,vcpus,memoryKiB,cpuTimeNs,updated", NULL},
    {"GET", "/domains?view=full&flags=autostart,no-autostart", NULL},
    {"GET", "/hosts/-/domains?view=full", NULL},
    {"GET", "/metrics", NULL},
};

struct call {
    struct server *server;
    struct ask ask;
    struct response *answer;
};

static void *run_call(void *arg)
{
    static const char *const json[] = {"Content-Type: application/json", NULL};
    struct call *call = arg;
    struct client *c = client_new(call->server->base);
    const char *body = call->ask.body;
    call->answer = client_send(c, call->ask.method, call->ask.path, body ? json : NULL,
                               body, body ? strlen(body) : 0);
    client_free(c);
    return NULL;
}

static void check_answer(struct response *r, const struct ask *ask, const char *what)
{
    check_response(r->status == 200 && strstr(r->body, "\"g1\"") &&
                       !strstr(r->body, "\"unreachable\":[{"),
                   r, "%s: %s %s after %.2f s", what, ask->method, ask->path, r->seconds);
}

static pid_t start_guest(struct scenario *s, const char *name)
{
    char path[64];
    snprintf(path, sizeof(path), "/domains/%s/start", name);
    const struct step start = {"POST", path, 204, ""};
    scenario_run(s, &start, 1);
    return guest_pid(name);
}

static void await_shutoff(struct scenario *s, const char *name)
{
    char path[64];
    snprintf(path, sizeof(path), "/domains/%s", name);
    const struct step ended = {"GET", path, 200, "{'state':'shutoff'}"};
    scenario_until(s, &ended, 60);
}

/* Two die one after the other, so that asking once more fails, too. Whatever was read by
 * then, the others are told of. */
static void test_dying(struct scenario *s, const struct ask *ask)
{
    const pid_t pids[] = {start_guest(s, "g2"), start_guest(s, "g3")};
    struct call call = {.server = &s->server, .ask = *ask};
    pthread_t thread;

    if (pids[0] <= 1 || pids[1] <= 1)
        return;
    kill(pids[0], SIGSTOP);
    kill(pids[1], SIGSTOP);
    pthread_create(&thread, NULL, run_call, &call);
    for (int i = 0; i < 2; i++) {
        sleep_seconds(0.4);
        kill(pids[i], SIGKILL);
    }
    pthread_join(thread, NULL);
    check_answer(call.answer, ask, "guests die during the call");
    response_free(call.answer);
    await_shutoff(s, "g2");
    await_shutoff(s, "g3");
}

static void test_frozen(struct scenario *s)
{
    pid_t pid = start_guest(s, "g2");
    if (pid <= 1)
        return;
    kill(pid, SIGSTOP);
    for (size_t i = 0; i < COUNT(asks); i++) {
        struct call call = {.server = &s->server, .ask = asks[i]};
        run_call(&call);
        check_answer(call.answer, &asks[i], "beside a frozen guest");
        check_response(call.answer->seconds < DEADLINE, call.answer,
                       "beside a frozen guest: %s took %.2f s", asks[i].path,
                       call.answer->seconds);
        response_free(call.answer);
    }
    /* who asks to wait does */
    const struct step wait = {"GET", "/domain-stats?flags=wait", 504,
                              GATEWAY("deadline-exceeded")};
    scenario_run(s, &wait, 1);
    kill(pid, SIGKILL);
    await_shutoff(s, "g2");
}

int main(void)
{
    static const struct ask waiting = {"GET", "/domain-stats?flags=wait", NULL};
    struct scenario s;
    if (scenario_begin(&s, "guest faults",
                       ARGS("-c", guest_uri(), "--read-deadline", "6"))) {
        guests_remove(&s);
        scenario_run(&s, guests, COUNT(guests));
        test_frozen(&s);
        for (size_t i = 0; i < COUNT(asks); i++)
            test_dying(&s, &asks[i]);
        test_dying(&s, &waiting);
        guests_remove(&s);
        scenario_end(&s);
    }
    return checks_report();
}
