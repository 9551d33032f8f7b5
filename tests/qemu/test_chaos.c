/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A libvirtd that dies, that stops answering, and a guest that does: no answer is wrong,
 * every request ends in time, and everything is back as soon as the host is.
 */
#include "tests/qemu/guest.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 5

static const struct step guests[] = {
    {"POST", "/domains", 201, NULL, .xml = GUEST("c0")},
    {"POST", "/domains", 201, NULL, .xml = GUEST("c1")},
    {"POST", "/domains/c1/start", 204, ""},
};

static const struct step back = {"GET", "/domains?fields=name,state", 200,
                                 "{'domains':[{'name':'c0','state':'shutoff'},"
                                 "{'name':'c1','state':'running'}]}"};
static const struct step c1_runs = {"GET", "/domains/c1", 200, "{'state':'running'}"};
static const struct step up = {"GET", "/hosts", 200,
                               "{'hosts':[{'host':'default','state':'up'}]}"};

/* ---- load -------------------------------------------------------------------------- */

struct load {
    struct server *server;
    atomic_bool stop;
    atomic_int right, refused, wrong;
    _Atomic double slowest;
    double limit; /* no request may take longer */
};

static const struct {
    const char *path;
    long status;
    const char *holds;
} asked[] = {
    {"/domains", 200, "\"c1\""},
    {"/domains/c1", 200, "\"running\""},
    {"/domains/c0/state", 200, "\"shutoff\""},
    {"/domains/c1/xml", 200, "<name>c1</name>"},
    {"/domains/nosuch", 404, "VIR_ERR_NO_DOMAIN"},
    {"/version", 200, "\"QEMU\""},
    {"/domain-stats", 200, "\"c1\""},
    {"/health/live", 200, "live"},
};

/* A right answer, or one that says that the host is away; anything else is wrong. */
static void judge(struct load *load, const char *path, const struct response *r,
                  long status, const char *holds)
{
    bool in_time = r->seconds < load->limit;
    if (r->seconds > atomic_load(&load->slowest))
        atomic_store(&load->slowest, r->seconds);
    if (in_time && r->status == status && strstr(r->body, holds)) {
        atomic_fetch_add(&load->right, 1);
        return;
    }
    bool refused = is_problem(r, 503, "") || is_problem(r, 504, "");
    if (in_time && refused) {
        atomic_fetch_add(&load->refused, 1);
        return;
    }
    /* the first few are enough to see what is wrong */
    if (atomic_fetch_add(&load->wrong, 1) < 3)
        check_response(false, r, "under load: %s after %.2f s", path, r->seconds);
}

static void *load_thread(void *arg)
{
    struct load *load = arg;
    struct client *c = client_new(load->server->base);
    for (unsigned int i = 0; !atomic_load(&load->stop); i++) {
        unsigned int k = i % COUNT(asked);
        struct response *r = client_get(c, asked[k].path);
        judge(load, asked[k].path, r, asked[k].status, asked[k].holds);
        response_free(r);
        sleep_seconds(0.01);
    }
    client_free(c);
    return NULL;
}

static void load_start(struct load *load, pthread_t *threads, size_t n)
{
    for (size_t i = 0; i < n; i++)
        pthread_create(&threads[i], NULL, load_thread, load);
}

static void load_stop(struct load *load, pthread_t *threads, size_t n, const char *name)
{
    atomic_store(&load->stop, true);
    for (size_t i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    check_that(load->wrong == 0 && load->right > 0,
               "%s: %d right, %d refused, %d wrong, slowest %.2f s", name, load->right,
               load->refused, load->wrong, load->slowest);
    printf("%s: %d right, %d refused, %d wrong, slowest %.2f s\n", name, load->right,
           load->refused, load->wrong, load->slowest);
}

/* ---- libvirtd dies ----------------------------------------------------------------- */

static int open_files(pid_t pid)
{
    char command[64];
    snprintf(command, sizeof(command), "exit $(ls /proc/%d/fd | wc -l)", (int)pid);
    return run_program(ARGS("sh", "-c", command));
}

static void test_killed(struct scenario *s)
{
    struct load load = {.server = &s->server, .limit = 20};
    pthread_t threads[8];
    load_start(&load, threads, COUNT(threads));
    sleep_seconds(0.5);
    int before = open_files(s->server.pid);
    for (int round = 0; round < ROUNDS; round++) {
        check_that(libvirtd("kill") == 0, "kill libvirtd");
        sleep_seconds(0.1 * round);
        check_that(libvirtd("up") == 0, "start libvirtd again");
        double begun = seconds_now();
        scenario_until(s, &back, 60);
        double t = seconds_now() - begun;
        check_that(t < 30, "round %d: right again after %.2f s", round, t);
        sleep_seconds(0.3);
    }
    check_that(libvirtd("restart") == 0, "restart libvirtd");
    scenario_until(s, &back, 60);
    scenario_until(s, &up, 60);
    sleep_seconds(0.5);
    int after = open_files(s->server.pid);
    /* the pool's last connection may be new; what is lost at each restart shows */
    check_that(after <= before + ROUNDS, "open files: %d before, %d after", before,
               after);
    load_stop(&load, threads, COUNT(threads), "libvirtd killed");
}

/* A change that was under way may have been done or not; the answer must say so. */
static void test_change_while_dead(struct scenario *s)
{
    check_that(libvirtd("kill") == 0, "kill libvirtd");
    struct response *r = scenario_send(s, "POST", "/domains/c0/start", NULL, NULL);
    check_response(is_problem(r, 503, ""), r, "a change on a dead host");
    check_response(strstr(r->head, "Retry-After") != NULL, r, "a 503 says when to retry");
    response_free(r);
    check_that(libvirtd("up") == 0, "start libvirtd again");
    scenario_until(s, &back, 60);
}

/* ---- libvirtd stops answering ------------------------------------------------------ */

#define DEADLINE        4
#define CHANGE_DEADLINE 6

static void expect_within(struct scenario *s, const char *path, double seconds, long a,
                          long b)
{
    struct response *r = scenario_send(s, "GET", path, NULL, NULL);
    check_response((r->status == a || r->status == b) && r->seconds < seconds, r,
                   "frozen libvirtd: %s took %.2f s (limit %.1f)", path, r->seconds,
                   seconds);
    if (r->status >= 400)
        check_response(is_problem(r, r->status, ""), r,
                       "frozen libvirtd: %s is a problem", path);
    response_free(r);
}

static void test_frozen_daemon(struct scenario *s)
{
    for (int round = 0; round < 2; round++) {
        scenario_until(s, &back, 60);
        scenario_until(s, &c1_runs, 60); /* a domain that hung is spared for a while */
        check_that(libvirtd("freeze") == 0, "freeze libvirtd");
        /* cut, unless the keeper looked just then, and was the first to know */
        expect_within(s, "/domains/c1/xml", DEADLINE + 10, 504, 503);
        expect_within(s, "/domains/c1", DEADLINE + 10, 504, 503);
        expect_within(s, "/domains/c1", DEADLINE + 10, 504, 503);
        /* that domain is left alone now; the keeper, who was told, finds that nobody
         * answers, and opens the breaker */
        expect_within(s, "/domains/c0", DEADLINE + 10, 504, 503);
        static const struct step away = {"GET", "/health/ready", 503, NULL};
        scenario_until(s, &away, 60);
        /* by now it is known */
        expect_within(s, "/domains/c1", 10, 503, 503);
        expect_within(s, "/domains/c1/xml", 10, 503, 503);
        expect_within(s, "/health/live", 10, 200, 200);
        expect_within(s, "/hosts", 10, 200, 200);
        check_that(libvirtd("thaw") == 0, "thaw libvirtd");
        double begun = seconds_now();
        scenario_until(s, &back, 60);
        double t = seconds_now() - begun;
        check_that(t < 30, "after thawing: right again after %.2f s", t);
    }
}

/* ---- a guest stops answering ------------------------------------------------------- */

static const struct step three[] = {
    {"POST", "/domains", 201, NULL, .xml = GUEST("c2")},
    {"POST", "/domains/c2/start", 204, ""},
};
static const struct step beside[] = {
    {"GET", "/domains", 200, "{'domains':[{'name':'c0'},{'name':'c1'},{'name':'c2'}]}"},
    {"GET", "/domains/c1", 200, "{'state':'running'}"},
    {"GET", "/domains/c1/state", 200, "{'state':'running'}"},
    {"GET", "/domains/c1/xml", 200, NULL, .contains = "*<name>c1</name>*"},
    {"GET", "/version", 200, "{'gateway':{'version':'<string>'}}"},
    {"GET", "/domains?view=full", 200,
     "{'domains':[{'name':'c0'},{'name':'c1'},{'name':'c2'}]}"},
    {"POST", "/domains/c1/suspend", 204, ""},
    {"POST", "/domains/c1/resume", 204, ""},
};
static const struct step revived = {"GET", "/domains/c2/stats", 200, "{'name':'c2'}"};

struct hang {
    struct server *server;
    const char *method, *path;
    long status;
    double seconds;
};

static void *ask_frozen(void *arg)
{
    struct hang *h = arg;
    struct client *c = client_new(h->server->base);
    struct response *r = client_send(c, h->method, h->path, NULL, NULL, 0);
    h->status = r->status;
    h->seconds = r->seconds;
    response_free(r);
    client_free(c);
    return NULL;
}

/* Who waited for the frozen guest would be cut at the deadline. */
static void ask_beside(struct scenario *s)
{
    scenario_run(s, beside, COUNT(beside));
}

/* The first to ask its monitor waits for it; who asks of all domains still has an answer,
 * and does not hold up those who need no monitor. */
static void test_first_to_ask(struct scenario *s)
{
    static const struct step list[] = {
        {"GET", "/domains", 200,
         "{'domains':[{'name':'c0'},{'name':'c1'},{'name':'c2'}]}",
         .headers = {"Cache-Control: no-cache"}, .wants = {"X-Virtgate-Source: libvirt"}},
    };
    struct hang full = {
        .server = &s->server, .method = "GET", .path = "/domains?view=full"};
    pthread_t thread;
    pthread_create(&thread, NULL, ask_frozen, &full);
    sleep_seconds(0.1);
    for (int i = 0; i < 5; i++)
        scenario_run(s, list, 1);
    pthread_join(thread, NULL);
    check_that(full.status == 200 && full.seconds < 20,
               "view=full of a guest that does not answer: %ld after %.2f s", full.status,
               full.seconds);
}

static void test_frozen_guest(struct scenario *s)
{
    scenario_run(s, three, COUNT(three));
    scenario_until(s, &c1_runs, 60);
    pid_t pid = guest_pid("c2");
    check_that(pid > 1 && kill(pid, SIGSTOP) == 0, "freeze guest c2, pid %d", (int)pid);
    if (pid <= 1)
        return;
    test_first_to_ask(s);
    struct hang hangs[6];
    pthread_t threads[COUNT(hangs)];
    double begun = seconds_now();
    for (size_t i = 0; i < COUNT(hangs); i++) {
        hangs[i] = (struct hang){
            .server = &s->server, .method = "POST", .path = "/domains/c2/suspend"};
        pthread_create(&threads[i], NULL, ask_frozen, &hangs[i]);
    }
    /* until they were cut, and past it: the host is not to blame */
    while (seconds_now() - begun < CHANGE_DEADLINE + 1)
        ask_beside(s);
    scenario_run(s, &up, 1);
    for (size_t i = 0; i < COUNT(hangs); i++) {
        pthread_join(threads[i], NULL);
        check_that((hangs[i].status == 504 || hangs[i].status == 503) &&
                       hangs[i].seconds < 20,
                   "frozen guest: request %zu: %ld after %.2f s", i, hangs[i].status,
                   hangs[i].seconds);
    }
    kill(pid, SIGCONT);
    begun = seconds_now();
    scenario_until(s, &revived, 60);
    double t = seconds_now() - begun;
    check_that(t < 30, "a thawed guest answers after %.2f s", t);
}

int main(void)
{
    struct scenario s;
    if (scenario_begin(
            &s, "chaos",
            ARGS("-c", guest_uri(), "--read-deadline", "4", "--change-deadline", "6"))) {
        guests_remove(&s);
        scenario_run(&s, guests, COUNT(guests));
        test_killed(&s);
        test_change_while_dead(&s);
        test_frozen_daemon(&s);
        test_frozen_guest(&s);
        guests_remove(&s);
        scenario_end(&s);
    }
    return checks_report();
}
