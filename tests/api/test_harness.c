/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The tests' own pattern language and rows: a checker that never fails would prove
 * nothing.
 */
#include "tests/harness/steps.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
    const char *pattern, *value;
    bool matches;
} cases[] = {
    {"{}", "{'a':1}", true},
    {"{'a':1}", "{'a':1,'b':2}", true},
    {"{'a':1}", "{'a':2}", false},
    {"{'a':1}", "{'b':1}", false},
    {"{'a':1}", "[1]", false},
    {"{'a':1}", "{'a':1.0}", false},
    {"{'a':null}", "{'a':null}", true},
    {"{'a':null}", "{}", false},
    {"{'a':'<absent>'}", "{}", true},
    {"{'a':'<absent>'}", "{'a':null}", false},
    {"[1,2]", "[1,2]", true},
    {"[1,2]", "[1,2,3]", false},
    {"[1,2,'...']", "[1,2,3]", true},
    {"['...',3]", "[1,2,3]", true},
    {"['...',3,'...']", "[1,3,2]", true},
    {"['...',4,'...']", "[1,3,2]", false},
    {"['...',{'n':2},'...']", "[{'n':1},{'n':2,'m':1}]", true},
    {"[]", "[1]", false},
    {"[]", "{}", false},
    {"'<string>'", "'x'", true},
    {"'<string>'", "1", false},
    {"'<int>'", "1", true},
    {"'<int>'", "1.5", false},
    {"'<int>'", "null", false},
    {"'<bool>'", "true", true},
    {"'<uuid>'", "'6695eb01-f6a4-8304-79aa-97f2502e193f'", true},
    {"'<uuid>'", "'6695eb01f6a4830479aa97f2502e193f'", false},
    {"'~a*c'", "'abc'", true},
    {"'~a*c'", "'abd'", false},
    {"{'a':'$x','b':'$x'}", "{'a':1,'b':1}", true},
    {"{'a':'$x','b':'$x'}", "{'a':1,'b':2}", false},
    {"{'a':{'b':[{'c':true}]}}", "{'a':{'b':[{'c':true}]}}", true},
    {"{'a':{'b':[{'c':true}]}}", "{'a':{'b':[{'c':false}]}}", false},
};

static void test_case(const char *pattern_text, const char *value_text, bool want)
{
    char why[512] = "";
    json_t *pattern = json_pattern(pattern_text, why, sizeof(why));
    json_t *value = json_pattern(value_text, why, sizeof(why));
    json_t *captures = json_object();
    bool got = pattern && json_match(pattern, value, captures, why, sizeof(why));
    check_that(got == want && (got || why[0]), "%s against %s: %s", pattern_text,
               value_text, why);
    json_decref(captures);
    json_decref(value);
    json_decref(pattern);
}

static void test_substitute(void)
{
    json_t *captures = json_pack("{s:s, s:i, s:n}", "a", "x/y", "b", 7, "c");
    char *text = json_substitute("/${a}?n=${b}&z=${c}&k=${nosuch}$", captures);
    check_that(text && strcmp(text, "/x/y?n=7&z=null&k=${nosuch}$") == 0,
               "substitute: %s", text);
    free(text);
    json_decref(captures);
}

/* ---- rows -------------------------------------------------------------------------- */

#define SLOW_SECONDS 0.3

/* A server that gives everybody the same answer, late. */
struct answerer {
    int fd;
    const char *answer;
};

static void *answer_all(void *data)
{
    const struct answerer *a = data;
    for (int fd; (fd = accept(a->fd, NULL, NULL)) >= 0; close(fd)) {
        char request[4096];
        (void)!recv(fd, request, sizeof(request), 0);
        sleep_seconds(SLOW_SECONDS);
        raw_send(fd, a->answer, strlen(a->answer));
    }
    return NULL;
}

/* The exit status of a test program whose only check is this row, run by `run`. */
static int run_apart(const char *answer, const struct step *row,
                     void (*run)(struct scenario *s, const struct step *row))
{
    pid_t pid = fork();
    if (pid == 0) {
        unsetenv("VG_RECORD"); /* it is not the gateway that answers */
        struct sockaddr_in a = {.sin_family = AF_INET};
        socklen_t size = sizeof(a);
        char base[64];
        struct answerer server = {socket(AF_INET, SOCK_STREAM, 0), answer};
        pthread_t thread;
        a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        (void)dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
        if (bind(server.fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
            listen(server.fd, 8) < 0)
            abort();
        getsockname(server.fd, (struct sockaddr *)&a, &size);
        pthread_create(&thread, NULL, answer_all, &server);
        snprintf(base, sizeof(base), "http://127.0.0.1:%d", ntohs(a.sin_port));
        struct scenario s = {.name = "apart", .client = client_new(base)};
        s.captures = json_object();
        run(&s, row);
        _exit(checks_report());
    }
    int status = -1;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void run_once(struct scenario *s, const struct step *row)
{
    scenario_run(s, row, 1);
}

/* The last try begins before the limit and fails after it. */
static void run_past_limit(struct scenario *s, const struct step *row)
{
    check_that(true, "there is another check");
    scenario_until(s, row, SLOW_SECONDS / 2);
}

#define ANSWER(header) "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" header "\r\n"

static void test_rows(void)
{
    static const struct step good = {"GET", "/", 200, NULL, .wants = {"X-A: 1"}};
    static const struct step bad = {"GET", "/", 204, NULL};
    static const char one[] = ANSWER("X-A: 1\r\n");
    static const char two[] = ANSWER("X-A: 1\r\nX-A: 2\r\n");
    static const char other[] = ANSWER("X-A: 1\r\nX-B: 1\r\nx-b: 1\r\n");

    check_that(run_apart(one, &good, run_once) == 0, "a row that passes");
    check_that(run_apart(one, &bad, run_once) == 1, "another status");
    check_that(run_apart(two, &good, run_once) == 1, "a header hides behind another");
    check_that(run_apart(other, &good, run_once) == 1, "a header that comes twice");
    check_that(run_apart(one, &good, run_past_limit) == 0, "until: it came, if late");
    check_that(run_apart(one, &bad, run_past_limit) == 1, "until: it never came");
}

int main(void)
{
    test_rows();
    for (size_t i = 0; i < COUNT(cases); i++)
        test_case(cases[i].pattern, cases[i].value, cases[i].matches);
    test_substitute();
    return checks_report();
}
