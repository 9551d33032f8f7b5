/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How streams and polls end: slow clients, SIGTERM, SIGHUP; and who may watch.
 */
#include "tests/harness/stream.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_frame(json_t *frame, const char *pattern)
{
    char why[256];
    json_t *want = json_pattern(pattern, why, sizeof(why)), *captures = json_object();
    bool ok = frame && json_match(want, frame, captures, why, sizeof(why));
    json_decref(want);
    json_decref(captures);
    return ok;
}

static struct stream *watch(struct scenario *s, const char *path,
                            const char *const headers[], int receive_buffer)
{
    struct stream *st = stream_open(&s->server, path, headers, receive_buffer);
    json_t *frame = stream_next(st, LONG_ENOUGH);
    check_response(st->response->status == 200 && is_frame(frame, "{'retry':'1000'}"),
                   st->response, "%s: GET %s begins", s->name, path);
    json_decref(frame);
    return st;
}

/* ---- slow clients ------------------------------------------------------------------ */

#define LONG_NAME 30000
#define CHANGES   180
#define LONG_UUID "3a1c8f0e-1111-4222-8333-0123456789ab"

/* Long names make long events, which fill a socket's buffers sooner: some three of the
 * five MB that all are. The gateway cuts a client that has taken nothing for 30 s, which
 * the rest of them is not to take on a busy machine. */
static void define_long(struct scenario *s)
{
    char *xml = NULL, name[LONG_NAME + 1];
    memset(name, 'n', LONG_NAME);
    name[LONG_NAME] = '\0';
    if (asprintf(&xml,
                 "<domain type='test'><name>%s</name><uuid>" LONG_UUID "</uuid>"
                 "<memory>65536</memory><os><type>hvm</type></os></domain>",
                 name) < 0)
        abort();
    struct response *r = scenario_send(s, "POST", "/domains?transient=true",
                                       ARGS("Content-Type: application/xml"), xml);
    check_response(r->status == 201, r, "a domain with a long name");
    response_free(r);
    free(xml);
}

/* Changes, and waits for each event: the longest that one took. */
static double change_and_watch(struct scenario *s, struct stream *quick)
{
    double longest = 0;
    for (int i = 0; i < CHANGES; i++) {
        bool suspend = i % 2 == 0;
        double begun = seconds_now();
        struct response *r = client_send(s->client, "POST",
                                         suspend ? "/domains/" LONG_UUID "/suspend"
                                                 : "/domains/" LONG_UUID "/resume",
                                         NULL, NULL, 0);
        json_t *frame = r->status == 204 ? stream_next(quick, LONG_ENOUGH) : NULL;
        if (is_frame(frame, "{'data':{'type':'started'}}")) { /* that came late */
            json_decref(frame);
            frame = stream_next(quick, LONG_ENOUGH);
        }
        bool right = is_frame(frame, suspend ? "{'data':{'type':'suspended'}}"
                                             : "{'data':{'type':'resumed'}}");
        json_decref(frame);
        if (!right) {
            check_response(false, r, "event %d beside a slow client", i);
            response_free(r);
            return longest;
        }
        double took = seconds_now() - begun;
        longest = took > longest ? took : longest;
        response_free(r);
    }
    return longest;
}

/* What it was sent before it was too late is whole and in order; then it is told, and
 * the stream ends as streams do. */
static void expect_cut(struct stream *slow)
{
    int n = 0, resets = 0;
    long last_number = 0;
    bool ordered = true;
    for (json_t *frame; (frame = stream_next(slow, LONG_ENOUGH)); json_decref(frame)) {
        const char *id = json_string_value(json_object_get(frame, "id"));
        const char *dash = id ? strchr(id, '-') : NULL;
        long number = dash ? strtol(dash + 1, NULL, 10) : -1;
        bool reset = is_frame(frame, "{'event':'reset','data':{'object':'stream',"
                                     "'event':'reset','reason':'too-slow'}}");
        ordered =
            ordered && !resets && (reset || !last_number || number == last_number + 1);
        last_number = number;
        resets += reset;
        n += !reset;
    }
    check_that(ordered, "what a slow client gets has gaps before the reset");
    check_that(resets == 1, "a slow client is told of its loss %d times", resets);
    check_that(n > 0 && n < CHANGES, "a slow client got %d events", n);
    check_that(slow->ended, "the stream of a slow client does not end");
}

static void test_slow(void)
{
    struct scenario s;
    if (!scenario_begin(&s, "slow client",
                        ARGS("-c", "test:///default", "--event-buffer", "16")))
        return;
    define_long(&s);
    struct stream *slow = watch(&s, "/domains/" LONG_UUID "/events", NULL, 4096);
    struct stream *quick = watch(&s, "/events", NULL, 0);
    double longest = change_and_watch(&s, quick);
    check_that(longest < 20, "an event took %.2f s beside a slow client", longest);
    expect_cut(slow);
    /* what it would have resumed after is gone */
    struct response *r = scenario_send(&s, "GET", "/events?wait=0", NULL, NULL);
    check_response(r->status == 200, r, "a poll after that");
    response_free(r);
    stream_close(slow);
    stream_close(quick);
    scenario_end(&s);
}

/* A poll that comes back too late. */
static void test_past_the_end(void)
{
    static const struct step begin[] = {
        {"GET", "/domains", 200, "{'domains':'<array>'}"},
        {"GET", "/events?wait=0", 200, "{'revision':'$old'}"},
    };
    static const struct step end[] = {
        {"GET", "/events?since=${old}&wait=0", 410, GATEWAY("gone")},
        {"GET", "/events?since=${old}", 410, NULL},
        {"GET", "/domains/test/events?since=${old}&event=reboot&wait=9", 410, NULL},
        {"GET", "/domains", 200, "{'domains':'<array>'}"},
    };
    struct scenario s;
    if (!scenario_begin(&s, "past the end",
                        ARGS("-c", "test:///default", "--event-buffer", "16")))
        return;
    scenario_run(&s, begin, COUNT(begin));
    for (int i = 0; i < 10; i++) {
        response_free(scenario_send(&s, "POST", "/domains/test/suspend", NULL, NULL));
        response_free(scenario_send(&s, "POST", "/domains/test/resume", NULL, NULL));
    }
    static const struct step seen = {"GET", "/events?since=${old}&wait=0", 410, NULL};
    scenario_until(&s, &seen, LONG_ENOUGH);
    scenario_run(&s, end, COUNT(end));
    scenario_end(&s);
}

/* ---- signals ----------------------------------------------------------------------- */

static void *poll_long(void *data)
{
    const struct scenario *s = data;
    struct client *c = client_new(s->server.base);
    struct response *r =
        client_send(c, "GET", "/domains/test/events?wait=300", NULL, NULL, 0);
    client_free(c);
    return r;
}

static void test_stop(void)
{
    struct scenario s;
    if (!scenario_begin(&s, "SIGTERM",
                        ARGS("-c", "test:///default", "--drain-seconds", "50")))
        return;
    struct stream *streams[20];
    pthread_t poll;
    for (size_t i = 0; i < COUNT(streams); i++)
        streams[i] = watch(&s, i % 2 ? "/events" : "/domains/test/events", NULL, 0);
    pthread_create(&poll, NULL, poll_long, &s);
    check_that(server_heard(&s.server, COUNT(streams) + 1), "the poll has come");
    sleep_seconds(0.3);
    double begun = seconds_now();
    scenario_end(&s); /* that it exits with 0 is a check */
    check_that(seconds_now() - begun < 30, "with watchers it took %.1f s to stop",
               seconds_now() - begun);
    for (size_t i = 0; i < COUNT(streams); i++) {
        stream_drain(streams[i], LONG_ENOUGH);
        check_that(streams[i]->ended, "a stream was cut, not ended");
        stream_close(streams[i]);
    }
    void *answer = NULL;
    pthread_join(poll, &answer);
    struct response *r = answer;
    check_response(r->status == 200 && strstr(r->body, "\"events\":[]"), r,
                   "a poll is answered when the gateway stops");
    response_free(r);
}

static void run_shell(const char *script, const char *argument)
{
    check_that(run_program(ARGS("sh", "-c", script, "sh", argument)) == 0, "sh: %s",
               script);
}

static const char make_tokens[] =
    "umask 077; cd \"$1\"; h() { printf %s \"$1\" | sha256sum | cut -d' ' -f1; }; {\n"
    "echo \"v viewer $(h viewer-token)\"\n"
    "echo \"a admin $(h admin-token)\"\n"
    "} >tokens";
static const char change_tokens[] =
    "umask 077; cd \"$1\"; echo \"a admin $(printf %s admin-token | sha256sum | "
    "cut -d' ' -f1)\" >tokens";

#define VIEWER "Authorization: Bearer viewer-token"
#define ADMIN  "Authorization: Bearer admin-token"

static const struct step access_rows[] = {
    {"GET", "/events", 401, GATEWAY("unauthorized")},
    {"GET", "/events?wait=0", 401, GATEWAY("unauthorized")},
    {"GET", "/domains/test/events?wait=0", 401, GATEWAY("unauthorized")},
    {"GET", "/events?wait=0", 200, "{'events':[]}", .headers = {VIEWER}},
    {"GET", "/domains/test/events?wait=0", 200, NULL, .headers = {VIEWER}},
    /* a viewer never sees them, and is told so where it names them */
    {"GET", "/events?wait=0&object=domain,qemu-monitor", 403, GATEWAY("forbidden"),
     .headers = {VIEWER}},
    {"GET", "/events?wait=0&object=qemu-monitor", 200, "{'events':[]}",
     .headers = {ADMIN}},
};

/* Whoever watches is asked again when the tokens are read again. */
static void test_tokens(void)
{
    char dir[] = "/tmp/vg-events.XXXXXX", file[64];
    struct scenario s;
    if (!mkdtemp(dir))
        abort();
    snprintf(file, sizeof(file), "%s/tokens", dir);
    run_shell(make_tokens, dir);
    if (!scenario_begin(&s, "tokens",
                        ARGS("-c", "test:///default", "--token-file", file)))
        return;
    scenario_run(&s, access_rows, COUNT(access_rows));
    struct stream *viewer = watch(&s, "/events", ARGS(VIEWER), 0);
    struct stream *admin = watch(&s, "/events", ARGS(ADMIN), 0);
    run_shell(change_tokens, dir);
    kill(s.server.pid, SIGHUP);
    check_that(stream_drain(viewer, LONG_ENOUGH) < 50 && viewer->ended,
               "a stream goes on after SIGHUP");
    check_that(stream_drain(admin, LONG_ENOUGH) < 50 && admin->ended,
               "a stream goes on after SIGHUP");
    stream_close(viewer);
    stream_close(admin);
    viewer = stream_open(&s.server, "/events", ARGS(VIEWER), 0);
    check_response(viewer->response->status == 401, viewer->response,
                   "a token that is no longer there");
    close(viewer->fd);
    viewer->fd = -1;
    viewer->response->status = 0; /* an error is no stream: not for the record */
    stream_close(viewer);
    admin = watch(&s, "/events", ARGS(ADMIN), 0);
    response_free(scenario_send(&s, "POST", "/domains/test/suspend", ARGS(ADMIN), NULL));
    json_t *frame = stream_next(admin, LONG_ENOUGH);
    check_that(is_frame(frame, "{'data':{'type':'suspended'}}"),
               "a stream after SIGHUP tells what happens");
    json_decref(frame);
    stream_close(admin);
    scenario_end(&s);
    run_shell("rm -r \"$1\"", dir);
}

int main(void)
{
    test_slow();
    test_past_the_end();
    test_stop();
    test_tokens();
    return checks_report();
}
