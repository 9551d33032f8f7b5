/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * server/http/conn.c: who is late is told so, and who has gone keeps no place.
 */
#include "tests/harness/steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define H      "Host: localhost\r\n"
#define PLACES 16

static bool is_closed(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, 0);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
}

/* Sends a beginning, and no more: the answer, read to the connection's end. `ends`: and
 * says that there will be no more, which libmicrohttpd may see before the watchdog does:
 * it closes the connection without a word. */
static void expect_cut(struct scenario *s, const char *beginning, bool ends, int status,
                       const char *slug)
{
    struct raw_rest *rest = calloc(1, sizeof(*rest));
    int fd = raw_connect(s->server.port, LONG_ENOUGH);
    raw_send(fd, beginning, strlen(beginning));
    if (ends)
        shutdown(fd, SHUT_WR);
    struct response *r = raw_read(fd, false, rest);
    bool unsaid = ends && status == 400 && r->status == 0;
    check_response(unsaid || is_problem(r, status, slug), r, "no end: %s", beginning);
    check_that(is_closed(fd), "closed after the %d of %s", status, beginning);
    close(fd);
    response_free(r);
    free(rest);
}

static void expect_late(struct scenario *s, const char *beginning)
{
    expect_cut(s, beginning, false, 408, "request-timeout");
}

static void expect_silence(struct scenario *s, const char *before)
{
    struct raw_rest *rest = calloc(1, sizeof(*rest));
    int fd = raw_connect(s->server.port, LONG_ENOUGH);
    raw_send(fd, before, strlen(before));
    struct response *r = *before ? raw_read(fd, false, rest) : NULL;
    char byte;
    check_that(!r || r->status == 200, "the request before");
    check_that(recv(fd, &byte, 1, 0) == 0, "an idle connection is closed without a word");
    close(fd);
    if (r)
        response_free(r);
    free(rest);
}

static const struct step not_done[] = {
    {"GET", "/domains/test", 200, "{'state':'running'}"},
    {"GET", "/metrics", 200, NULL,
     .contains = "*virtgate_http_requests_total*code=\"408\"*"},
};

static void test_late(void)
{
    struct scenario s;
    if (!scenario_begin(&s, "late",
                        ARGS("-c", "test:///default", "--header-timeout", "1",
                             "--body-timeout", "1", "--idle-timeout", "1")))
        return;
    expect_late(&s, "GET /version HTTP/1.1\r\n" H "X-A: a");
    expect_late(&s, "POST /domains/test/destroy HTTP/1.1\r\n" H
                    "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{");
    expect_silence(&s, "");
    expect_silence(&s, "GET /health/live HTTP/1.1\r\n" H "\r\n");
    scenario_run(&s, not_done, COUNT(not_done));
    scenario_end(&s);
}

/* As many polls as there may be, whose clients then go: others have their places long
 * before `wait` is over. */
static void test_gone(void)
{
    static const char poll[] = "GET /events?wait=60 HTTP/1.1\r\n" H "\r\n";
    char places[8];
    struct scenario s;
    snprintf(places, sizeof(places), "%d", PLACES);
    if (!scenario_begin(&s, "gone",
                        ARGS("-c", "test:///default", "--max-connections", places)))
        return;
    for (int round = 0; round < 4; round++) {
        int held[PLACES * 3 / 4];
        for (size_t i = 0; i < COUNT(held); i++) {
            held[i] = raw_connect(s.server.port, 1);
            check_that(raw_send(held[i], poll, sizeof(poll) - 1), "a poll is sent");
        }
        for (size_t i = 0; i < COUNT(held); i++)
            close(held[i]);
        struct response *r = NULL;
        for (int i = 0; i < 300 && (!r || r->status != 200); i++) {
            if (r)
                response_free(r);
            sleep_seconds(0.1);
            r = scenario_send(&s, "GET", "/events?wait=0", NULL, NULL);
        }
        check_response(r->status == 200, r, "a poll after those that went, round %d",
                       round);
        response_free(r);
    }
    scenario_end(&s);
}

/* Who only says that it sends no more does not wait, either. */
static void test_half_closed(void)
{
    struct scenario s;
    if (!scenario_begin(&s, "half closed", ARGS("-c", "test:///default")))
        return;
    check_that(raw_hang_up(s.server.port, "/events?wait=60"),
               "the poll of a client that sends no more ends");
    scenario_end(&s);
}

static const struct step broken_off[] = {
    {"GET", "/domains/test", 200, "{'state':'running'}"},
    {"GET", "/metrics", 200, NULL,
     .contains = "*virtgate_http_requests_total*code=\"400\"*"},
};

/* A request that its client broke off is answered, long before it would be late. What is
 * whole is carried out, whoever sends no more after it. */
static void test_broken_off(void)
{
    static const char *const beginnings[] = {
        "GET /version HTTP/1.1\r\n" H "X-A: a",
        "POST /domains/test/destroy HTTP/1.1\r\n" H
        "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n",
        "POST /domains/test/destroy HTTP/1.1\r\n" H
        "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{",
        "POST /domains/test/destroy HTTP/1.1\r\n" H
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    };
    struct scenario s;
    if (!scenario_begin(&s, "broken off",
                        ARGS("-c", "test:///default", "--header-timeout", "600",
                             "--body-timeout", "600")))
        return;
    for (size_t i = 0; i < COUNT(beginnings); i++)
        expect_cut(&s, beginnings[i], true, 400, "bad-request");
    expect_cut(&s, "GET /nosuch HTTP/1.1\r\n" H "Connection: close\r\n\r\n", true, 404,
               "not-found");
    scenario_run(&s, broken_off, COUNT(broken_off));
    scenario_end(&s);
}

int main(void)
{
    test_late();
    test_broken_off();
    test_gone();
    test_half_closed();
    return checks_report();
}
