/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The gateway as a process: slow clients are cut, SIGTERM drains, SIGHUP reopens the log,
 * other signals are ignored, many clients at once get right answers, connections above
 * the limit do no harm.
 */
#include "tests/harness/steps.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define H "Host: localhost\r\n"

/* ---- slow clients ------------------------------------------------------------------ */

/* Sends a byte now and then, for ten seconds; how long until the gateway closes. */
static double trickle(int port, const char *start, const char *rest, double limit)
{
    int fd = raw_connect(port, 0.2);
    double begun = seconds_now();
    raw_send(fd, start, strlen(start));
    while (seconds_now() < begun + limit) {
        char byte;
        ssize_t n = recv(fd, &byte, 1, 0); /* waits up to 0.2 s */
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK))
            break;
        if (*rest && (!raw_send(fd, rest, 1)))
            break;
        rest += *rest != '\0';
    }
    close(fd);
    return seconds_now() - begun;
}

static void test_slow(void)
{
    struct scenario s;
    if (!scenario_begin(&s, "slow clients",
                        ARGS("-c", "test:///default", "--header-timeout", "1",
                             "--body-timeout", "1", "--idle-timeout", "1")))
        return;
    static const char endless[] =
        "X-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    int port = s.server.port;
    double t = trickle(port, "GET /version HTTP/1.1\r\n" H, endless, 10);
    check_that(t > 0.5 && t < 9, "a slow header was cut after %.1f s", t);
    t = trickle(port,
                "POST /domains/test/reset HTTP/1.1\r\n" H
                "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
                endless, 10);
    check_that(t > 0.5 && t < 9, "a slow body was cut after %.1f s", t);
    t = trickle(port, "", "", 30);
    check_that(t > 0.5 && t < 25, "a silent connection was cut after %.1f s", t);
    t = trickle(port, "GET /health/live HTTP/1.1\r\n" H "\r\n", "", 30);
    check_that(t > 0.5 && t < 25, "an idle connection was cut after %.1f s", t);
    /* slow ones do not hold others up */
    int held[32];
    for (size_t i = 0; i < COUNT(held); i++) {
        held[i] = raw_connect(port, 1);
        raw_send(held[i], "GET / HTTP/1.1\r\n", 16);
    }
    struct response *r = scenario_send(&s, "GET", "/domains", NULL, NULL);
    check_response(r->status == 200 && r->seconds < 10, r, "beside slow clients: %.3f s",
                   r->seconds);
    response_free(r);
    for (size_t i = 0; i < COUNT(held); i++)
        close(held[i]);
    scenario_end(&s);
}

/* ---- signals ----------------------------------------------------------------------- */

/* Waits until a file is there with that text. */
static void await_text(const char *file, const char *text)
{
    bool there = false;

    for (double until = seconds_now() + LONG_ENOUGH; !there && seconds_now() < until;) {
        char *all = read_whole(file);
        there = all && strstr(all, text);
        free(all);
        sleep_seconds(0.02);
    }
    check_that(there, "%s: %s", file, text);
}

static void test_reopen(void)
{
    char file[] = "/tmp/vg-test-log.XXXXXX", moved[64], outputs[64];
    int fd = mkstemp(file);
    if (fd < 0)
        abort();
    close(fd);
    snprintf(moved, sizeof(moved), "%s.1", file);
    snprintf(outputs, sizeof(outputs), "1:stderr 1:file:%s", file);
    struct scenario s;
    if (scenario_begin(&s, "SIGHUP",
                       ARGS("-c", "test:///default", "--log-outputs", outputs))) {
        response_free(
            scenario_send(&s, "GET", "/version", ARGS("X-Request-Id: before-1"), NULL));
        await_text(file, "before-1");
        rename(file, moved);
        kill(s.server.pid, SIGHUP);
        await_text(file, ""); /* opened anew */
        response_free(
            scenario_send(&s, "GET", "/version", ARGS("X-Request-Id: after-1"), NULL));
        scenario_end(&s);
        char *old = read_whole(moved), *new = read_whole(file);
        check_that(old && strstr(old, "before-1") && !strstr(old, "after-1"),
                   "the old log holds what was before SIGHUP: %s", old ? old : "absent");
        check_that(new &&strstr(new, "after-1") && !strstr(new, "before-1"),
                   "the new log holds what came after SIGHUP: %s", new ? new : "absent");
        free(old);
        free(new);
    }
    unlink(file);
    unlink(moved);
}

/* Signals that mean something to other daemons end none of ours. */
static void test_ignored(void)
{
    struct scenario s;
    if (!scenario_begin(&s, "ignored signals", ARGS("-c", "test:///default")))
        return;
    static const int signals[] = {SIGUSR1, SIGUSR2, SIGPIPE};
    static const struct step after = {"GET", "/version", 200,
                                      "{'gateway':{'version':'<string>'}}"};
    for (size_t i = 0; i < COUNT(signals); i++) {
        kill(s.server.pid, signals[i]);
        sleep_seconds(0.1);
        scenario_run(&s, &after, 1);
    }
    scenario_end(&s);
}

struct load {
    struct server *server;
    atomic_bool stop;
    atomic_int right, wrong, unanswered;
    bool ends_expected;
};

static void *load_thread(void *arg)
{
    static const char *const paths[] = {"/version", "/domains", "/domains/test",
                                        "/domains/nosuch", "/domains/test/xml"};
    static const char *const holds[] = {"\"hypervisor\"", "\"test\"", "\"test\"",
                                        "VIR_ERR_NO_DOMAIN", "<domain"};
    struct load *load = arg;
    struct client *c = client_new(load->server->base);
    for (unsigned int i = 0; !atomic_load(&load->stop); i++) {
        unsigned int k = i % COUNT(paths);
        struct response *r = client_get(c, paths[k]);
        bool draining = load->ends_expected && r->status == 503;
        if (!r->status)
            atomic_fetch_add(&load->unanswered, 1);
        else if (draining ||
                 (r->status == (k == 3 ? 404 : 200) && strstr(r->body, holds[k])))
            atomic_fetch_add(&load->right, 1);
        else
            atomic_fetch_add(&load->wrong, 1);
        bool over = !r->status;
        response_free(r);
        if (over)
            break;
    }
    client_free(c);
    return NULL;
}

/* For so long, and until more answers than that are right. */
static void run_load(struct load *load, size_t n, double seconds, int least,
                     bool terminate)
{
    pthread_t threads[32];
    for (size_t i = 0; i < n; i++)
        pthread_create(&threads[i], NULL, load_thread, load);
    sleep_seconds(seconds);
    for (double until = seconds_now() + LONG_ENOUGH;
         atomic_load(&load->right) <= least && seconds_now() < until;)
        sleep_seconds(0.01);
    if (terminate)
        kill(load->server->pid, SIGTERM);
    else
        atomic_store(&load->stop, true);
    for (size_t i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
}

static void test_load(void)
{
    struct scenario s;
    if (!scenario_begin(&s, "load",
                        ARGS("-c", "test:///default", "--log-filters", "3:access",
                             "--max-connections", "64")))
        return;
    struct load load = {.server = &s.server};
    run_load(&load, 16, 1, 100, false);
    check_that(load.right > 100 && load.wrong == 0 && load.unanswered == 0,
               "16 clients: %d right, %d wrong, %d unanswered", load.right, load.wrong,
               load.unanswered);
    int held[200];
    for (size_t i = 0; i < COUNT(held); i++)
        held[i] = raw_connect(s.server.port, 0.2);
    for (size_t i = 0; i < COUNT(held); i++) {
        if (held[i] >= 0)
            close(held[i]);
    }
    static const struct step after = {"GET", "/domains", 200,
                                      "{'domains':[{'name':'test'}]}"};
    scenario_until(&s, &after, LONG_ENOUGH);
    scenario_end(&s);
}

/* SIGTERM under load: every answer that is given is right, and the exit is clean and
 * soon. */
static void test_drain(void)
{
    for (int round = 0; round < 12; round++) {
        struct scenario s;
        if (!scenario_begin(&s, "SIGTERM",
                            ARGS("-c", "test:///default", "--log-filters", "3:access",
                                 "--drain-seconds", "50")))
            return;
        struct load load = {.server = &s.server, .ends_expected = true};
        run_load(&load, 8, 0.1 + 0.02 * round, 0, true);
        check_that(load.right > 0 && load.wrong == 0, "SIGTERM: %d right, %d wrong",
                   load.right, load.wrong);
        double begun = seconds_now();
        scenario_end(&s);
        check_that(seconds_now() - begun < 30, "SIGTERM: exit took %.1f s",
                   seconds_now() - begun);
    }
}

/* An idle connection does not hold the exit up, nor does a half-sent request for longer
 * than its header may take. */
static void test_drain_idle(void)
{
    struct scenario s;
    if (!scenario_begin(&s, "SIGTERM, idle clients",
                        ARGS("-c", "test:///default", "--drain-seconds", "50",
                             "--header-timeout", "1")))
        return;
    int idle = raw_connect(s.server.port, 1);
    int half = raw_connect(s.server.port, 1);
    raw_send(half, "GET /version HTTP/1.1\r\n", 23);
    double begun = seconds_now();
    scenario_end(&s);
    check_that(seconds_now() - begun < 30, "exit took %.1f s", seconds_now() - begun);
    close(idle);
    close(half);
}

static const struct step logged[] = {
    {"GET", "/domains/nosuch", 404, NULL, .headers = {"X-Request-Id: log-me"}},
    {"GET", "/domains/inject%0Alevel%3Derror", 404, NULL},
};

static void test_access_log(const char *format, const char *want)
{
    struct scenario s;
    if (!scenario_begin(&s, "access log",
                        ARGS("-c", "test:///default", "--log-format", format)))
        return;
    scenario_run(&s, logged, COUNT(logged));
    bool there = false;
    for (int i = 0; i < LONG_ENOUGH * 20 && !there; i++) {
        char *log = read_whole(s.server.log);
        there = log && strstr(log, "log-me") && strstr(log, want);
        check_that(!log || !strstr(log, "\nlevel=error"),
                   "a line of the log was injected");
        free(log);
        sleep_seconds(0.05);
    }
    check_that(there, "%s: the log has no line with %s and the request id", format, want);
    scenario_end(&s);
}

/* What libraries would print stands in the log as lines of its own form
 * (tests/unit/xml/test_log.c: libvirt 9.0 has libxml2 print here). */
static void test_library_log(void)
{
    struct scenario s;
    if (!scenario_begin_unready(&s, "messages of libraries",
                                ARGS("-c", "test:///nosuch/virtgate.xml")))
        return;
    bool there = false;
    for (int i = 0; i < LONG_ENOUGH * 20 && !there; i++) {
        sleep_seconds(0.05);
        char *log = read_whole(s.server.log);
        there = log && strstr(log, "state=down") && strstr(log, "/nosuch/virtgate.xml");
        for (char *save, *line = strtok_r(log, "\n", &save); line;
             line = strtok_r(NULL, "\n", &save)) {
            if (strncmp(line, "time=", 5) != 0)
                check_that(false, "not a line of the log: %s", line);
        }
        free(log);
    }
    check_that(there, "the log does not say why the host is down");
    scenario_end(&s);
}

int main(void)
{
    test_slow();
    test_reopen();
    test_ignored();
    test_load();
    test_drain();
    test_drain_idle();
    test_access_log("logfmt", "status=404");
    test_library_log();
    test_access_log("json", "\"status\":404");
    return checks_report();
}
