/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Forms of requests that not every client uses: HTTP/1.0 of health checks, absolute
 * targets, bodies in chunks that turn out to be empty, HEAD of a stream.
 */
#include "tests/harness/steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define H      "Host: localhost\r\n"
#define POST   "POST /domains/test/reset HTTP/1.1\r\n" H
#define CHUNKS "Transfer-Encoding: chunked\r\n\r\n"
#define JSON   "Content-Type: application/json\r\n"
#define WS                                                                               \
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"         \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

enum after { OPEN, SHUT };

static const struct row {
    const char *bytes;
    long status;
    enum after after;
    const char *contains; /* of the body; NULL: not looked at */
} rows[] = {
    /* HTTP/1.0: reads, without keep-alive */
    {"GET /health/ready HTTP/1.0\r\n\r\n", 200, SHUT, "\"ready\""},
    {"GET /version HTTP/1.0\r\n" H "\r\n", 200, SHUT, "gateway"},
    {"GET /version HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, SHUT, "gateway"},
    {"GET /domains/test HTTP/1.0\r\n\r\n", 200, SHUT, "running"},
    {"GET /nosuch HTTP/1.0\r\n\r\n", 404, SHUT, "not-found"},
    {"GET http://localhost/version HTTP/1.0\r\n\r\n", 200, SHUT, "gateway"},
    {"GET /version HTTP/1.0\r\nHost: evil.example\r\n\r\n", 421, SHUT, "evil.example"},
    {"GET /version HTTP/1.0\r\nHost: 10.1.2.3:8080\r\n\r\n", 200, SHUT, "gateway"},
    {"GET /version HTTP/1.0\r\n" H H "\r\n", 400, SHUT, "Host"},
    {"GET /version HTTP/1.0\r\nOrigin: http://evil.example\r\n\r\n", 403, SHUT, "origin"},
    {"GET /version HTTP/1.0\r\nOrigin: http://\r\n\r\n", 403, SHUT, "origin"},
    {"GET /domains HTTP/1.0\r\n" CHUNKS "0\r\n\r\n", 400, SHUT, "Transfer-Encoding"},
    {"GET /domains/test/console HTTP/1.0\r\n" WS "\r\n", 426, SHUT, "WebSocket"},
    {"OPTIONS / HTTP/1.0\r\n\r\n", 204, SHUT, NULL},
    {"OPTIONS * HTTP/1.0\r\n\r\n", 204, SHUT, NULL},
    {"POST /domains/test/reset HTTP/1.0\r\n" H "\r\n", 400, SHUT, "HTTP/1.0"},
    {"PUT /domains/test/autostart HTTP/1.0\r\n" H JSON "Content-Length: 2\r\n\r\n{}", 400,
     SHUT, "HTTP/1.0"},
    {"DELETE /domains/test HTTP/1.0\r\n" H "\r\n", 400, SHUT, "HTTP/1.0"},
    {"GET /version HTTP/1.2\r\n" H "\r\n", 400, SHUT, "HTTP/1.1"},
    /* absolute targets: their authority is the host, whatever Host says */
    {"GET http://localhost:8080/version HTTP/1.1\r\n" H "\r\n", 200, OPEN, "gateway"},
    {"GET HTTP://LOCALHOST/version HTTP/1.1\r\n" H "\r\n", 200, OPEN, "gateway"},
    {"GET https://192.0.2.1/version HTTP/1.1\r\n" H "\r\n", 200, OPEN, "gateway"},
    {"GET http://localhost/version HTTP/1.1\r\nHost: evil.example\r\n\r\n", 200, OPEN,
     "gateway"},
    {"GET http://evil.example/version HTTP/1.1\r\n" H "\r\n", 421, OPEN, "evil.example"},
    {"GET http://evil.example/version HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421, OPEN,
     NULL},
    {"GET http://localhost/version HTTP/1.1\r\n\r\n", 400, SHUT, "Host"},
    {"GET http://localhost HTTP/1.1\r\n" H "\r\n", 200, OPEN, "links"},
    {"GET http://localhost/ HTTP/1.1\r\n" H "\r\n", 200, OPEN, "links"},
    {"GET http://localhost?x=1 HTTP/1.1\r\n" H "\r\n", 400, OPEN, "'x'"},
    {"GET http://localhost/domains?fields=name HTTP/1.1\r\n" H "\r\n", 200, OPEN, "test"},
    {"GET http://localhost/domains/nosuch?x=1 HTTP/1.1\r\n" H "\r\n", 400, OPEN,
     "\"instance\":\"/domains/nosuch\""},
    {"OPTIONS http://localhost HTTP/1.1\r\n" H "\r\n", 204, OPEN, NULL},
    {"OPTIONS http://localhost/domains HTTP/1.1\r\n" H "\r\n", 204, OPEN, NULL},
    {"POST http://localhost/domains/test/reset HTTP/1.1\r\n" H "\r\n", 204, OPEN, NULL},
    {"GET http://user@localhost/ HTTP/1.1\r\n" H "\r\n", 400, SHUT, "Host"},
    {"GET http:///version HTTP/1.1\r\n" H "\r\n", 400, SHUT, "Host"},
    {"GET http://localhost:x/ HTTP/1.1\r\n" H "\r\n", 400, SHUT, "Host"},
    {"GET ftp://localhost/version HTTP/1.1\r\n" H "\r\n", 400, OPEN, "slash"},
    {"GET localhost/version HTTP/1.1\r\n" H "\r\n", 400, OPEN, "slash"},
    {"GET http://localhost/version HTTP/1.1\r\n" H "Origin: http://evil.example\r\n\r\n",
     403, OPEN, "origin"},
    {"GET http://localhost:1/version HTTP/1.1\r\n" H "Origin: http://localhost:1\r\n\r\n",
     200, OPEN, "gateway"},
    /* a body is there when its first byte is */
    {POST CHUNKS "0\r\n\r\n", 204, OPEN, NULL},
    {POST JSON CHUNKS "0\r\n\r\n", 204, OPEN, NULL},
    {POST "Content-Type: text/plain\r\n" CHUNKS "0\r\n\r\n", 204, OPEN, NULL},
    {POST "Content-Encoding: gzip\r\n" CHUNKS "0\r\nA: b\r\n\r\n", 204, OPEN, NULL},
    {POST "Content-Type: text/plain\r\nContent-Length: 0\r\n\r\n", 204, OPEN, NULL},
    {POST "Content-Length: 00\r\n\r\n", 204, OPEN, NULL},
    {POST JSON CHUNKS "2\r\n{}\r\n0\r\n\r\n", 204, OPEN, NULL},
    {POST CHUNKS "2\r\n{}\r\n0\r\n\r\n", 415, OPEN, "(none)"},
    {POST "Content-Type: text/plain\r\n" CHUNKS "1\r\n \r\n0\r\n\r\n", 415, OPEN,
     "text/plain"},
    {POST JSON "Content-Encoding: gzip\r\n" CHUNKS "2\r\n{}\r\n0\r\n\r\n", 415, OPEN,
     "gzip"},
    {POST JSON CHUNKS "1\r\n[\r\n0\r\n\r\n", 400, OPEN, "invalid-json"},
    {"GET /version HTTP/1.1\r\n" H CHUNKS "0\r\n\r\n", 200, OPEN, "gateway"},
    {"POST /nosuch HTTP/1.1\r\n" H CHUNKS "0\r\n\r\n", 404, SHUT, "not-found"},
};

static void run_row(int port, const struct row *row)
{
    bool closed = false;
    struct response *r =
        raw_request(port, row->bytes, strlen(row->bytes), LONG_ENOUGH, &closed);
    check_response(r->status == row->status && closed == (row->after == SHUT) &&
                       (!row->contains || strstr(r->body, row->contains)),
                   r, "forms: should be %ld and %s: %s", row->status,
                   row->after == SHUT ? "be closed" : "stay open", row->bytes);
    response_free(r);
}

/* Nothing stands after the header, whatever GET would say. */
static void test_head(int port)
{
    static const char *const requests[] = {
        "HEAD /events HTTP/1.1\r\n" H "\r\n",
        "HEAD /domains/test/events HTTP/1.1\r\n" H "\r\n",
        "HEAD /events HTTP/1.0\r\n\r\n",
        "HEAD /events?wait=0 HTTP/1.1\r\n" H "Connection: close\r\n\r\n",
        "HEAD /domains HTTP/1.1\r\n" H "Connection: close\r\n\r\n",
        "HEAD /nosuch HTTP/1.1\r\n" H "Connection: close\r\n\r\n",
        "HEAD /openapi.json HTTP/1.0\r\n\r\n",
    };
    for (size_t i = 0; i < COUNT(requests); i++) {
        char text[4096] = "";
        size_t n = 0;
        ssize_t got;
        int fd = raw_connect(port, 5);
        raw_send(fd, requests[i], strlen(requests[i]));
        while (n < sizeof(text) - 1 &&
               (got = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
            n += (size_t)got;
        close(fd);
        text[n] = '\0';
        const char *end = strstr(text, "\r\n\r\n");
        check_that(end && end[4] == '\0', "forms: nothing after the header of %s: %s",
                   requests[i], text);
    }
}

/* A stream in HTTP/1.0 has no chunks and ends with the connection. */
static void test_old_stream(int port)
{
    char text[2048] = "";
    size_t n = 0;
    ssize_t got;
    static const char request[] =
        "GET /events?object=domain HTTP/1.0\r\nAccept: text/event-stream\r\n\r\n";
    int fd = raw_connect(port, 5);
    raw_send(fd, request, strlen(request));
    while (!strstr(text, "retry: ") &&
           (got = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
        text[n += (size_t)got] = '\0';
    check_that(strstr(text, "\r\n\r\nretry: ") && !strstr(text, "chunked"),
               "forms: a stream in HTTP/1.0: %s", text);
    close(fd);
}

static const struct step unchanged[] = {
    {"GET", "/domains/test", 200, "{'state':'running'}"},
};

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "forms", ARGS("-c", "test:///default"))) {
        for (size_t i = 0; i < COUNT(rows); i++)
            run_row(s.server.port, &rows[i]);
        test_head(s.server.port);
        test_old_stream(s.server.port);
        scenario_run(&s, unchanged, COUNT(unchanged));
        scenario_end(&s);
    }
    return checks_report();
}
