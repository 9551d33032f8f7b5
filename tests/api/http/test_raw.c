/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * HTTP as no honest client speaks it: requests written byte by byte, each with the one
 * answer it must get. What libmicrohttpd 0.9.75 lets through is refused by the gateway,
 * and the connection is closed, so that no proxy in front can be made to disagree with
 * it.
 */
#include "tests/harness/steps.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define H    "Host: localhost\r\n"
#define V    " HTTP/1.1\r\n" H
#define LINE "Accept: application/json\r\n"

enum after { OPEN, SHUT, WHICHEVER };

struct raw_case {
    const char *name;
    const char *bytes;
    long status; /* or one of these */
    enum after after;
};
#define ANY     0 /* any answer */
#define REFUSED 1 /* as the client's fault, or closed without an answer */

/* libmicrohttpd 1.0 refuses more before the gateway sees it: by a 400 of its own, or it
 * just closes the connection. */
enum { LIBRARY_IS_STRICT = MHD_VERSION >= 0x00097701 };

/* The status, where the library leaves it to the gateway. */
#define BY_US(status) (LIBRARY_IS_STRICT ? REFUSED : (status))

static const struct raw_case cases[] = {
    {"plain", "GET /health/live HTTP/1.1\r\n" H "\r\n", 200, OPEN},
    {"close asked for", "GET /health/live HTTP/1.1\r\n" H "Connection: close\r\n\r\n",
     200, SHUT},
    {"no Host", "GET /health/live HTTP/1.1\r\n\r\n", 400, SHUT},
    {"two Hosts", "GET /health/live HTTP/1.1\r\n" H H "\r\n", 400, SHUT},
    {"two Hosts, one foreign", "GET /health/live HTTP/1.1\r\n" H "Host: evil\r\n\r\n",
     400, SHUT},
    {"foreign Host", "GET /domains HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421,
     WHICHEVER},
    {"foreign Host, port", "GET /domains HTTP/1.1\r\nHost: evil.example:8080\r\n\r\n",
     421, WHICHEVER},
    {"Host like ours", "GET /domains HTTP/1.1\r\nHost: localhost.evil\r\n\r\n", 421,
     WHICHEVER},
    {"Host with port", "GET /health/live HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n", 200,
     OPEN},
    {"Host in capitals", "GET /health/live HTTP/1.1\r\nHost: LocalHost\r\n\r\n", 200,
     OPEN},
    {"Host IPv6", "GET /health/live HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 200, OPEN},
    {"Host empty", "GET /health/live HTTP/1.1\r\nHost: \r\n\r\n", BY_US(400), WHICHEVER},
    {"HTTP/1.0", "GET /health/live HTTP/1.0\r\n" H "\r\n", 200, SHUT},
    {"HTTP/1.9", "GET /health/live HTTP/1.9\r\n" H "\r\n", BY_US(400), SHUT},
    {"HTTP/2.0", "GET /health/live HTTP/2.0\r\n" H "\r\n", BY_US(505), SHUT},
    {"HTTP/0.9", "GET /health/live\r\n\r\n", BY_US(400), WHICHEVER},
    {"no version", "GET /health/live \r\n" H "\r\n", BY_US(400), WHICHEVER},
    {"lower-case version", "GET /health/live http/1.1\r\n" H "\r\n", BY_US(400), SHUT},
    {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", BY_US(505), SHUT},
    {"TLS hello", "\x16\x03\x01\x02\x05\x01\xfc\x03\x03\r\n\r\n", REFUSED, SHUT},
    {"unknown method", "FROB /health/live HTTP/1.1\r\n" H "\r\n", 405, WHICHEVER},
    {"unknown method, no path", "FROB /nosuch HTTP/1.1\r\n" H "\r\n", 404, WHICHEVER},
    {"CONNECT", "CONNECT localhost:80 HTTP/1.1\r\n" H "\r\n", BY_US(400), WHICHEVER},
    {"TRACE", "TRACE /version HTTP/1.1\r\n" H "\r\n", BY_US(405), WHICHEVER},
    {"lower-case method", "get /health/live HTTP/1.1\r\n" H "\r\n", BY_US(405),
     WHICHEVER},
    {"asterisk form", "GET * HTTP/1.1\r\n" H "\r\n", 400, WHICHEVER},
    {"no slash", "GET domains HTTP/1.1\r\n" H "\r\n", 400, WHICHEVER},
    {"space in target", "GET /health /live HTTP/1.1\r\n" H "\r\n", BY_US(400), WHICHEVER},
    {"two Content-Lengths",
     "POST /domains/test/reset HTTP/1.1\r\n" H "Content-Type: application/json\r\n"
     "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
     400, SHUT},
    {"two equal Content-Lengths",
     "POST /domains/test/reset HTTP/1.1\r\n" H "Content-Type: application/json\r\n"
     "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
     400, SHUT},
    {"list of Content-Lengths",
     "POST /domains/test/reset HTTP/1.1\r\n" H "Content-Type: application/json\r\n"
     "Content-Length: 2, 2\r\n\r\n{}",
     BY_US(400), SHUT},
    {"negative Content-Length",
     "POST /domains/test/reset HTTP/1.1\r\n" H "Content-Length: -2\r\n\r\n{}", BY_US(400),
     SHUT},
    {"signed Content-Length",
     "POST /domains/test/reset HTTP/1.1\r\n" H "Content-Length: +2\r\n\r\n{}", BY_US(400),
     SHUT},
    {"huge Content-Length",
     "POST /domains/test/reset HTTP/1.1\r\n" H
     "Content-Length: 99999999999999999999999\r\n\r\n{}",
     BY_US(413), SHUT},
    {"Content-Length and chunked",
     "POST /domains/test/reset HTTP/1.1\r\n" H "Content-Type: application/json\r\n"
     "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
     400, SHUT},
    {"unknown transfer coding",
     "POST /domains/test/reset HTTP/1.1\r\n" H "Transfer-Encoding: gzip\r\n\r\n{}",
     BY_US(400), SHUT},
    {"chunked twice",
     "POST /domains/test/reset HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n"
     "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
     BY_US(400), SHUT},
    {"coding before chunked",
     "POST /domains/test/reset HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n"
     "2\r\n{}\r\n0\r\n\r\n",
     BY_US(400), SHUT},
    {"two ranges in two fields",
     "GET /domains HTTP/1.1\r\n" H "Range: bytes=0-1\r\nRange: bytes=2-3\r\n\r\n",
     BY_US(400), SHUT},
    {"Upload-Offset twice",
     "PATCH /uploads/none HTTP/1.1\r\n" H "Tus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n"
     "Upload-Offset: 1\r\nContent-Length: 0\r\n\r\n",
     BY_US(400), SHUT},
    {"bad chunk size",
     "POST /domains/test/reset HTTP/1.1\r\n" H "Content-Type: application/json\r\n"
     "Transfer-Encoding: chunked\r\n\r\nxx\r\n{}\r\n0\r\n\r\n",
     BY_US(400), SHUT},
    {"chunked",
     "POST /domains/test/reset HTTP/1.1\r\n" H "Content-Type: application/json\r\n"
     "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
     204, OPEN},
    {"space before colon", "GET /health/live HTTP/1.1\r\n" H "X-A : b\r\n\r\n",
     BY_US(400), SHUT},
    {"Transfer-Encoding with a space",
     "POST /domains/test/reset HTTP/1.1\r\n" H "Transfer-Encoding : chunked\r\n\r\n"
     "2\r\n{}\r\n0\r\n\r\n",
     BY_US(400), SHUT},
    {"no colon", "GET /health/live HTTP/1.1\r\n" H "nonsense\r\n\r\n", BY_US(400), SHUT},
    {"control character in a value",
     "GET /health/live HTTP/1.1\r\n" H "X-A: \x01\r\n\r\n", BY_US(400), WHICHEVER},
    {"bare CR in a value", "GET /health/live HTTP/1.1\r\n" H "X-A: a\rb\r\n\r\n",
     BY_US(400), SHUT},
    {"not a token", "GET /health/live HTTP/1.1\r\n" H "X(A): b\r\n\r\n", BY_US(400),
     SHUT},
    {"space after the request line", "GET /health/live HTTP/1.1\r\n " H "\r\n",
     BY_US(400), SHUT},
    {"body without a type",
     "POST /domains/test/reset HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\n{}", 415,
     WHICHEVER},
    {"form body",
     "POST /domains/test/reset HTTP/1.1\r\n" H "Content-Length: 3\r\n"
     "Content-Type: application/x-www-form-urlencoded\r\n\r\na=b",
     415, WHICHEVER},
    {"text body",
     "POST /domains/test/reset HTTP/1.1\r\n" H "Content-Length: 2\r\n"
     "Content-Type: text/plain\r\n\r\n{}",
     415, WHICHEVER},
    {"compressed body",
     "POST /domains/test/reset HTTP/1.1\r\n" H "Content-Length: 2\r\n"
     "Content-Type: application/json\r\nContent-Encoding: gzip\r\n\r\n{}",
     415, WHICHEVER},
    {"body in Latin-1",
     "POST /domains/test/reset HTTP/1.1\r\n" H "Content-Length: 2\r\n"
     "Content-Type: application/json; charset=ISO-8859-1\r\n\r\n{}",
     415, WHICHEVER},
    {"body in UTF-8",
     "POST /domains/test/reset HTTP/1.1\r\n" H "Content-Length: 2\r\n"
     "Content-Type: application/json;charset=\"UTF-8\"\r\n\r\n{}",
     204, OPEN},
    {"body as it is",
     "POST /domains/test/reset HTTP/1.1\r\n" H "Content-Length: 2\r\n"
     "Content-Type: application/json\r\nContent-Encoding: identity\r\n\r\n{}",
     204, OPEN},
    {"two Authorizations",
     "GET /health/live HTTP/1.1\r\n" H "Authorization: Bearer a\r\n"
     "Authorization: Bearer b\r\n\r\n",
     400, SHUT},
    {"two Content-Types",
     "POST /domains/test/reset HTTP/1.1\r\n" H "Content-Length: 2\r\n"
     "Content-Type: application/json\r\nContent-Type: application/xml\r\n\r\n{}",
     400, SHUT},
    {"a list in ten lines",
     "GET /version HTTP/1.1\r\n" H LINE LINE LINE LINE LINE LINE LINE LINE LINE LINE
     "\r\n",
     400, SHUT},
    {"two Idempotency-Keys",
     "POST /domains/test/reset HTTP/1.1\r\n" H "Idempotency-Key: a\r\n"
     "Idempotency-Key: b\r\n\r\n",
     400, SHUT},
    {"unknown expectation",
     "POST /domains/test/reset HTTP/1.1\r\n" H "Content-Type: application/json\r\n"
     "Content-Length: 2\r\nExpect: 200-ok\r\n\r\n{}",
     ANY, WHICHEVER},
    {"GET with a body",
     "GET /domains/test HTTP/1.1\r\n" H "Content-Type: application/json\r\n"
     "Content-Length: 2\r\n\r\n{}",
     ANY, WHICHEVER},
    {"Upgrade",
     "GET /health/live HTTP/1.1\r\n" H "Connection: upgrade\r\nUpgrade: h2c\r\n\r\n", 200,
     OPEN},
};

static void run_case(int port, const struct raw_case *c, const char *bytes, size_t len)
{
    bool closed = false;
    struct response *r = raw_request(port, bytes, len, 20, &closed);
    bool ok = r->status == c->status;
    if (c->status == REFUSED)
        ok = (r->status >= 400 && r->status < 500) || r->status == 501 ||
             r->status == 505 || (r->status == 0 && r->seconds < 9);
    else if (c->status == ANY)
        ok = r->status != 0;
    check_response(ok, r, "raw: %s: should be %ld, is %ld", c->name, c->status,
                   r->status);
    if (c->after != WHICHEVER && r->status)
        check_response(closed == (c->after == SHUT), r,
                       "raw: %s: the connection should %s", c->name,
                       c->after == SHUT ? "be closed" : "stay open");
    response_free(r);
}

/* What a NUL byte cuts off a target is not carried out: still_right sees a domain that
 * was suspended or undefined. */
static void test_nul(int port)
{
#define PATH(text)                                                                       \
    {                                                                                    \
        text " HTTP/1.1\r\n" H "\r\n", sizeof(text " HTTP/1.1\r\n" H "\r\n") - 1         \
    }
    static const struct {
        const char *text;
        size_t size;
    } paths[] = {
        PATH("GET /health/live\0x"),
        PATH("POST /domains/test/suspend\0x"),
        PATH("POST /domains/test/suspend\0"),
        PATH("DELETE /domains/test\0/snapshots/s"),
        PATH("POST /domains/test/suspend?\0x"),
    };
    const struct raw_case refused = {"NUL in the target", NULL, BY_US(400), SHUT};
    for (size_t i = 0; i < COUNT(paths); i++)
        run_case(port, &refused, paths[i].text, paths[i].size);
}

/* Many arguments, many headers, long ones: an answer, never silence. */
static void test_many(int port)
{
    static const struct {
        const char *name, *before, *head, *tail, *after; /* head NUMBER tail, n times */
        int width, n;
        long status;
    } many[] = {
        {"100 arguments", "GET /domains?", "a", "=1&", "x=1" V, 1, 100, 400},
        {"500 arguments", "GET /domains?", "a", "=1&", "x=1" V, 1, 500, 400},
        {"4 kB of target", "GET", " /", "", "x" V, 4000, 1, 404},
        {"10 kB of target", "GET", " /", "", "x" V, 10000, 1, 414},
        {"40 kB of target", "GET", " /", "", "x" V, 40000, 1, BY_US(414)},
        {"90 headers", "GET /domains" V, "X-", ": 1\r\n", "", 1, 90, 200},
        {"120 headers", "GET /domains" V, "X-", ": 1\r\n", "", 1, 120, 431},
        {"12 kB of headers", "GET /domains" V, "X-", ": 1\r\n", "", 250, 48, 431},
        {"2000 headers", "GET /domains" V, "X-", ": 1\r\n", "", 1, 2000, BY_US(431)},
    };
    char *text = malloc((size_t)64 << 10);
    if (!text)
        abort();
    for (size_t i = 0; i < COUNT(many); i++) {
        char *p = stpcpy(text, many[i].before);
        for (int k = 0; k < many[i].n; k++)
            p += sprintf(p, "%s%0*d%s", many[i].head, many[i].width, k, many[i].tail);
        p = stpcpy(stpcpy(p, many[i].after), "\r\n");
        const struct raw_case c = {many[i].name, NULL, many[i].status, WHICHEVER};
        run_case(port, &c, text, (size_t)(p - text));
    }
    free(text);
}

/* What could be answered by libmicrohttpd is a problem of ours, and a method that nobody
 * knows is told which ones there are (RFC 9110, 15.5.6). */
static void test_problems(int port)
{
    static const struct {
        const char *text, *allow;
        bool by_library;
    } refused[] = {
        {"GET /health/live HTTP/1.1\r\n\r\n", NULL, LIBRARY_IS_STRICT},
        {"GET /health /live HTTP/1.1\r\n" H "\r\n", NULL, LIBRARY_IS_STRICT},
        {"FROB /health/live HTTP/1.1\r\n" H "\r\n", "GET, HEAD, OPTIONS"},
        {"TRACE /domains/test/start HTTP/1.1\r\n" H "\r\n", "POST, OPTIONS"},
    };
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct response *r =
            raw_request(port, refused[i].text, strlen(refused[i].text), 5, NULL);
        char *allow = response_header(r, "Allow");
        check_response(
            refused[i].allow ? is_problem(r, 405, "method-not-allowed") && allow &&
                                   strcmp(allow, refused[i].allow) == 0
            : refused[i].by_library ? r->status == 400
                                    : is_problem(r, 400, "bad-request") && !allow,
            r, "a problem for %s", refused[i].text);
        free(allow);
        response_free(r);
    }
}

/* Ten requests in one write: ten answers, in order, each to its own request. */
static void test_pipelining(int port)
{
    struct raw_rest *rest = calloc(1, sizeof(*rest));
    char text[4096], *p = text;
    for (int i = 0; i < 10; i++)
        p += sprintf(p, "GET %s HTTP/1.1\r\n" H "X-Request-Id: pipe-%d\r\n\r\n",
                     i % 2 ? "/domains/nosuch" : "/domains/test", i);
    int fd = raw_connect(port, 5);
    check_that(rest && fd >= 0 && raw_send(fd, text, strlen(text)), "pipelining: send");
    for (int i = 0; rest && i < 10; i++) {
        struct response *r = raw_read(fd, false, rest);
        char *id = response_header(r, "X-Request-Id");
        char want[16];
        snprintf(want, sizeof(want), "pipe-%d", i);
        check_response(r->status == (i % 2 ? 404 : 200) && id && strcmp(id, want) == 0, r,
                       "pipelining: answer %d", i);
        free(id);
        response_free(r);
    }
    close(fd);
    free(rest);
}

static struct response *expect_continue(int port, size_t length, const char *body,
                                        long *ret_interim)
{
    struct raw_rest *rest = calloc(1, sizeof(*rest));
    char text[512];
    snprintf(text, sizeof(text),
             "POST /domains/test/reset HTTP/1.1\r\n" H
             "Content-Type: application/json\r\n"
             "Expect: 100-continue\r\nContent-Length: %zu\r\n\r\n",
             length);
    int fd = raw_connect(port, 5);
    raw_send(fd, text, strlen(text));
    struct response *r = raw_read(fd, false, rest);
    *ret_interim = r->status;
    if (r->status == 100) {
        response_free(r);
        raw_send(fd, body, strlen(body));
        r = raw_read(fd, false, rest);
    }
    close(fd);
    free(rest);
    return r;
}

static void test_expect(int port)
{
    long interim;
    struct response *r = expect_continue(port, 2, "{}", &interim);
    check_response(interim == 100 && r->status == 204, r, "Expect: 100-continue: %ld",
                   interim);
    response_free(r);
    /* refused before the body is sent */
    r = expect_continue(port, 10 << 20, "", &interim);
    check_response(r->status == 413, r, "Expect: 100-continue with 10 MiB");
    response_free(r);
}

/* A client that sends its whole body before it reads has its answer, too. */
static void test_refused_sender(int port)
{
    static const struct {
        const char *path, *type;
        long status;
    } refused[] = {
        {"/domains/test/reset", "application/json", 413},
        {"/domains/test/reset", "text/plain", 415},
        {"/nosuch", "application/json", 404},
        {"/health/live", "application/json", 405},
    };
    enum { SIZE = 4 << 20 };
    char *body = calloc(1, SIZE);
    if (!body)
        abort();
    for (size_t i = 0; i < COUNT(refused); i++) {
        char head[512];
        snprintf(head, sizeof(head),
                 "POST %s HTTP/1.1\r\n" H "Content-Type: %s\r\n"
                 "Content-Length: %d\r\n\r\n",
                 refused[i].path, refused[i].type, SIZE);
        int fd = raw_connect(port, 10);
        struct raw_rest *rest = calloc(1, sizeof(*rest));
        bool sent = raw_send(fd, head, strlen(head)) && raw_send(fd, body, SIZE);
        struct response *r = raw_read(fd, false, rest);
        check_response(sent && r->status == refused[i].status, r,
                       "POST %s of %s, sent to its end (%d): should be %ld",
                       refused[i].path, refused[i].type, sent, refused[i].status);
        response_free(r);
        free(rest);
        close(fd);
    }
    free(body);
}

/* One that never ends is cut. */
static void test_endless_sender(int port)
{
    static const char head[] =
        "POST /nosuch HTTP/1.1\r\n" H "Content-Type: application/json\r\n"
        "Content-Length: 999999999999\r\n\r\n";
    static const char piece[1024];
    const struct timespec pause = {.tv_nsec = 20000000};
    int fd = raw_connect(port, 10);
    bool open = raw_send(fd, head, strlen(head));
    for (int i = 0; open && i < 1000; i++) {
        nanosleep(&pause, NULL);
        open = raw_send(fd, piece, sizeof(piece));
    }
    check_that(!open, "a refused client that sends for 20 s is cut");
    close(fd);
}

/* A request cut anywhere is no request: nothing happens, and the gateway goes on. */
static void test_cut(int port)
{
    static const char whole[] =
        "POST /domains/test/destroy HTTP/1.1\r\n" H
        "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    for (size_t n = 1; n < sizeof(whole) - 1; n += 5) {
        int fd = raw_connect(port, 2);
        raw_send(fd, whole, n);
        close(fd);
    }
}

static const struct step still_right[] = {
    {"GET", "/domains/test", 200, "{'state':'running'}"},
};

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "raw",
                       ARGS("-c", "test:///default", "--header-timeout", "1"))) {
        int port = s.server.port;
        for (size_t i = 0; i < COUNT(cases); i++)
            run_case(port, &cases[i], cases[i].bytes, strlen(cases[i].bytes));
        test_nul(port);
        test_problems(port);
        test_many(port);
        test_pipelining(port);
        test_expect(port);
        test_refused_sender(port);
        test_endless_sender(port);
        test_cut(port);
        scenario_run(&s, still_right, COUNT(still_right));
        scenario_end(&s);
    }
    return checks_report();
}
