/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Where a request's lines begin and end, byte by byte: what two servers could read as
 * different requests gets one answer, a problem, and the connection is closed, so that
 * nothing sent after it is taken for a request.
 */
#include "tests/harness/steps.h"

#include <ctype.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define H     "Host: localhost\r\n"
#define GET   "GET /version HTTP/1.1\r\n" H
#define POST  "POST /domains/test/reset HTTP/1.1\r\n" H
#define CHUNK POST "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
#define NEXT  "POST /domains/test/destroy HTTP/1.1\r\n" H "\r\n"

struct row {
    const char *name;
    const char *bytes;
    size_t size;
    long status;
    bool foreign; /* libmicrohttpd's own words: not a problem */
    bool silent;  /* libmicrohttpd 1.0 closes the connection without a word */
};
#define ROW(name, bytes, ...)                                                            \
    {                                                                                    \
        name, bytes, sizeof(bytes) - 1, __VA_ARGS__                                      \
    }

static const struct row refused[] = {
    ROW("folded line", GET "A: b\r\n c\r\n\r\n", 400),
    ROW("folded by a tab", GET "A: b\r\n\tc\r\nD: e\r\n\r\n", 400),
    ROW("folded twice", GET "A: b\r\n c\r\n d\r\n\r\n", 400),
    ROW("folded by nothing", GET "A: b\r\n \r\n\r\n", 400),
    ROW("folded Host", "GET /version HTTP/1.1\r\nHost: localhost\r\n .evil\r\n\r\n", 400),
    ROW("folded first line", "GET /version HTTP/1.1\r\n " H "\r\n", 400),
    ROW("a length made by folding", POST "Content-Lengt: 44\r\n h\r\n\r\n", 400),
    ROW("a length made by folding, with a colon",
        POST "Content-Lengt: 44\r\n h: x\r\n\r\n", 400),
    ROW("a coding made by folding", POST "Transfer-Encodin: chunked\r\n g\r\n\r\n", 400),
    ROW("NUL in a value", GET "A: b\0c\r\n\r\n", 400),
    ROW("NUL ends a value", GET "A: b\0\r\n\r\n", 400),
    ROW("NUL for a value", GET "A: \0\r\nB: c\r\n\r\n", 400),
    ROW("NUL in Host", "GET /version HTTP/1.1\r\nHost: localhost\0.evil\r\n\r\n", 400),
    ROW("NUL in Authorization", GET "Authorization: Bearer a\0b\r\n\r\n", 400),
    ROW("NUL in a length", POST "Content-Length: 0\0 5\r\n\r\n", 400),
    ROW("NUL in a name", GET "A\0B: c\r\n\r\n", 400, true),
    ROW("NUL begins a line", GET "\0A: b\r\n\r\n", 400),
    ROW("NUL in the target", "GET /version\0x HTTP/1.1\r\n" H "\r\n", 400,
        .silent = true),
    ROW("NUL in the query", "GET /domains?\0x HTTP/1.1\r\n" H "\r\n", 400,
        .silent = true),
    ROW("no name", GET ": b\r\n\r\n", 400),
    ROW("no name before others", GET ": b\r\nA: b\r\n\r\n", 400),
    ROW("neither name nor value", GET ":\r\n\r\n", 400),
    ROW("blank for a name", GET " : b\r\n\r\n", 400),
    ROW("blank before the colon", GET "A : b\r\n\r\n", 400),
    ROW("bare LF after the request line", "GET /version HTTP/1.1\n" H "\r\n", 400),
    ROW("bare LF after a field", GET "A: b\nC: d\r\n\r\n", 400),
    ROW("bare LF after the last field", GET "A: b\n\r\n", 400),
    ROW("bare LF for the empty line", GET "A: b\r\n\n", 400),
    ROW("bare LF everywhere", "GET /version HTTP/1.1\nHost: localhost\n\n", 400),
    ROW("a length after a bare LF", POST "A: b\nContent-Length: 44\r\n\r\n", 400),
    ROW("bare CR", GET "A: b\rC: d\r\n\r\n", 400),
    ROW("two blanks", "GET  /version HTTP/1.1\r\n" H "\r\n", 400),
    ROW("blank in the target", "GET /version x HTTP/1.1\r\n" H "\r\n", 400),
    ROW("tab in the target", "GET /version\tx HTTP/1.1\r\n" H "\r\n", 400),
    ROW("length: a word", POST "Content-Length: abc\r\n\r\n", 400),
    ROW("length: nothing", POST "Content-Length: \r\n\r\n", 400),
    ROW("length: negative", POST "Content-Length: -2\r\n\r\n{}", 400),
    ROW("length: signed", POST "Content-Length: +2\r\n\r\n{}", 400),
    ROW("length: hexadecimal", POST "Content-Length: 0x2\r\n\r\n{}", 400),
    ROW("length: a list", POST "Content-Length: 2, 2\r\n\r\n{}", 400),
    ROW("length: two", POST "Content-Length: 2 2\r\n\r\n{}", 400),
    ROW("length: past 64 bits", POST "Content-Length: 99999999999999999999\r\n\r\n", 413),
    ROW("length: all 64 bits", POST "Content-Length: 18446744073709551615\r\n\r\n", 413),
    ROW("length: 63 bits", POST "Content-Length: 9223372036854775808\r\n\r\n", 413),
    ROW("length: bad, and a cookie", POST "Content-Length: x\r\nCookie: a=b\r\n\r\n",
        400),
    ROW("length: bad, of a HEAD",
        "HEAD /version HTTP/1.1\r\n" H "Content-Length: x\r\n\r\n", 400),
    ROW("bare LF after a chunk's size", CHUNK "2\n{}\r\n0\r\n\r\n", 400),
    ROW("bare LF in a chunk's extension", CHUNK "2;a\n{}\r\n0\r\n\r\n", 400),
    ROW("bare LF in the trailer", CHUNK "2\r\n{}\r\n0\r\nA: b\nC: d\r\n\r\n", 400),
    ROW("folded trailer", CHUNK "2\r\n{}\r\n0\r\nA: b\r\n c\r\nD: e\r\n\r\n", 400),
};

static const struct row served[] = {
    ROW("plain", GET "\r\n", 200),
    ROW("blanks around values", GET "A:b\r\nB: \t c\r\nD:   \r\nE:\r\n\r\n", 200),
    ROW("cookies", GET "Cookie: a=b; c=d\r\n\r\n", 200),
    ROW("an empty line before", "\r\n" GET "\r\n", 200),
    ROW("a query", "GET /domains?fields=name&state=active HTTP/1.1\r\n" H "\r\n", 200),
    ROW("no length", POST "\r\n", 204),
    ROW("length 0", POST "Content-Length: 0\r\n\r\n", 204),
    ROW("chunks", CHUNK "1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", 204),
#if MHD_VERSION < 0x01000000 /* 1.0.1 refuses every extension as malformed */
    ROW("an extension of a chunk", CHUNK "1;a=b\r\n{\r\n1\r\n}\r\n0\r\n\r\n", 204),
#endif
    ROW("a trailer", CHUNK "2\r\n{}\r\n0\r\nA: b\r\nC: d\r\n\r\n", 204),
};

/* All that comes until the gateway closes; NUL-terminated. */
static size_t read_all(int fd, char *text, size_t size)
{
    size_t n = 0;
    ssize_t got;
    while (n < size - 1 && (got = recv(fd, text + n, size - 1 - n, 0)) > 0)
        n += (size_t)got;
    text[n] = '\0';
    return n;
}

static unsigned int count_answers(const char *text)
{
    static const char begin[] = "HTTP/1.1 ";
    unsigned int n = 0;
    for (; (text = strstr(text, begin)); text += strlen(begin))
        n += isdigit((unsigned char)text[strlen(begin)]) != 0; /* or a detail names it */
    return n;
}

static void run_refused(int port, const struct row *row)
{
    char text[4096], status[32];
    struct timespec start, end;
    int fd = raw_connect(port, 20);

    raw_send(fd, row->bytes, row->size);
    raw_send(fd, NEXT, strlen(NEXT));
    clock_gettime(CLOCK_MONOTONIC, &start);
    read_all(fd, text, sizeof(text));
    clock_gettime(CLOCK_MONOTONIC, &end);
    close(fd);
    snprintf(status, sizeof(status), "HTTP/1.1 %ld ", row->status);
    bool ours = MHD_VERSION < 0x01000000 && !row->foreign;
    if (MHD_VERSION >= 0x01000000 && row->silent && !*text)
        return;
    check_that(count_answers(text) == 1 && strncmp(text, status, strlen(status)) == 0 &&
                   strcasestr(text, "Connection: close") &&
                   (!ours || strstr(text, "urn:virtgate:error:")),
               "lines: %s: one answer %ld and the end, not: %s", row->name, row->status,
               text);
    check_that(end.tv_sec - start.tv_sec < 9, "lines: %s: it is closed", row->name);
}

static void run_served(int port, const struct row *row)
{
    bool closed = true;
    struct response *r = raw_request(port, row->bytes, row->size, LONG_ENOUGH, &closed);
    check_response(r->status == row->status && !closed, r,
                   "lines: %s: should be %ld and stay open", row->name, row->status);
    response_free(r);
}

/* Wherever in a request these stand, it is not served. */
static void test_everywhere(int port)
{
    static const struct {
        const char *name, *bytes;
        size_t size;
    } put[] = {{"NUL", "\0", 1}, {"a folded line", "\r\n ", 3}, {"a bare LF", "\n", 1}};
    static const char request[] =
        "GET /version?numbers=string HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nA: b";

    for (size_t k = 0; k < COUNT(put); k++) {
        for (size_t at = 1; at < sizeof(request); at++) {
            if (request[at - 1] == '\n' && put[k].bytes[0] == '\r')
                continue; /* the end of a shorter request */
            char text[256], answer[4096];
            char *p = (char *)mempcpy(text, request, at);
            p = (char *)mempcpy(p, put[k].bytes, put[k].size);
            p = stpcpy(stpcpy(p, request + at), "\r\n\r\n");
            int fd = raw_connect(port, 2);
            raw_send(fd, text, (size_t)(p - text));
            shutdown(fd, SHUT_WR);
            read_all(fd, answer, sizeof(answer));
            close(fd);
            check_that(count_answers(answer) <= 1 && !strstr(answer, " 200 OK"),
                       "lines: %s at %zu: %s", put[k].name, at, answer);
        }
    }
}

/* A header in many pieces, as long as there is room for: its lines are where they should
 * be all the same. */
static void test_pieces(int port)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    char text[12 * 1024], *p = stpcpy(text, GET);
    for (int i = 0; i < 90; i++)
        p += sprintf(p, "X-%d: %090d\r\n", i, i);
    size_t size = (size_t)(stpcpy(p, "\r\n") - text);
    for (size_t piece = 67; piece < 4000; piece *= 4) {
        struct raw_rest *rest = calloc(1, sizeof(*rest));
        int fd = raw_connect(port, 10);
        bool sent = rest && fd >= 0;
        for (size_t at = 0; sent && at < size; at += piece) {
            sent = raw_send(fd, text + at, size - at < piece ? size - at : piece);
            nanosleep(&pause, NULL);
        }
        struct response *r = raw_read(fd, false, rest);
        check_response(sent && r->status == 200, r, "lines: in pieces of %zu", piece);
        response_free(r);
        close(fd);
        free(rest);
    }
}

/* Two clients at a time: the one whose length is malformed is answered, not the one that
 * has sent half of its header. */
static void test_two(int port)
{
    static const char half[] = GET "X-Half: 1\r\n",
                      bad[] = POST "Content-Length: x\r\n\r\n";
    struct raw_rest *rest = calloc(1, sizeof(*rest));
    char text[4096];
    int waiting[8];
    for (size_t i = 0; i < COUNT(waiting); i++) {
        waiting[i] = raw_connect(port, 5);
        raw_send(waiting[i], half, strlen(half));
    }
    for (size_t i = 0; i < COUNT(waiting); i++) {
        int fd = raw_connect(port, 5);
        raw_send(fd, bad, strlen(bad));
        read_all(fd, text, sizeof(text));
        check_that(count_answers(text) == 1 && strstr(text, "Content-Length is not"),
                   "lines: the malformed one of two: %s", text);
        close(fd);
    }
    for (size_t i = 0; rest && i < COUNT(waiting); i++) {
        raw_send(waiting[i], "\r\n", 2);
        struct response *r = raw_read(waiting[i], false, rest);
        check_response(r->status == 200, r, "lines: the other one of two");
        response_free(r);
        close(waiting[i]);
    }
    free(rest);
}

static const struct step unchanged[] = {
    {"GET", "/domains/test", 200, "{'state':'running'}"},
};

int main(void)
{
    struct scenario s;
    if (scenario_begin(&s, "lines",
                       ARGS("-c", "test:///default", "--header-timeout", "20"))) {
        int port = s.server.port;
        for (size_t i = 0; i < COUNT(refused); i++)
            run_refused(port, &refused[i]);
        test_everywhere(port);
        scenario_run(&s, unchanged, COUNT(unchanged));
        for (size_t i = 0; i < COUNT(served); i++)
            run_served(port, &served[i]);
        test_pieces(port);
        test_two(port);
        scenario_end(&s);
    }
    return checks_report();
}
