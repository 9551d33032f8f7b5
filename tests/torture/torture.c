/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * For each request of rows.c: the first, the second, ... allocation of the gateway's own
 * code, jansson and libmicrohttpd fails once while it is served (fail.c), until there is
 * none left to fail. Each time the gateway lives, and the answer is right, or says that
 * memory is out (500, 503), or the connection is closed; without a failure it is right
 * again; SIGTERM ends it with 0.
 *
 * TORTURE_STEP=N fails every N-th only; TORTURE_ROW=N runs one row; TORTURE_VERBOSE=1
 * prints what was failed.
 */
#include "fail.h"
#include "rows.h"

#include "tests/harness/client.h"
#include "tests/harness/server.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE       4 /* seconds for an answer; no call of the mock takes one */
#define MAX_ALLOCATION 2000
#define MAX_SAID       6

static struct fail_page *page;
static struct server server;
static int faults, tries;
static const struct row *row;

/* ---- requests ---- */

static struct response *send_bytes(const char *bytes, size_t n, bool head)
{
    struct raw_rest *rest = calloc(1, sizeof(*rest));
    int fd = raw_connect(server.port, PATIENCE);
    struct response *r;
    if (!rest)
        abort();
    raw_send(fd, bytes, n);
    r = raw_read(fd, head, rest);
    close(fd);
    free(rest);
    return r;
}

static struct response *send_one(const char *method, const char *path,
                                 const char *headers, const char *body)
{
    char *text = NULL;
    char length[48] = "";
    if (body)
        snprintf(length, sizeof(length), "Content-Length: %zu\r\n", strlen(body));
    int n = asprintf(&text,
                     "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                     "X-Request-Id: torture\r\n%s%s\r\n%s",
                     method, path, headers ? headers : "", length, body ? body : "");
    if (n < 0)
        abort();
    struct response *r = send_bytes(text, (size_t)n, strcmp(method, "HEAD") == 0);
    free(text);
    return r;
}

static struct response *send_row(void)
{
    if (row->raw)
        return send_bytes(row->method, strlen(row->method), false);
    return send_one(row->method, row->path, row->headers, row->body);
}

/* Brings the state about; most steps find it there already and fail. */
static void prepare(const char *step)
{
    char method[16], path[128], name[64];
    struct response *r = NULL;
    if (!step)
        return;
    if (sscanf(step, "DEFINE %63s", name) == 1)
        r = send_one("POST", "/domains", "Content-Type: application/xml\r\n",
                     "<domain type='test'><name>test</name>"
                     "<uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid>"
                     "<memory>8192</memory><os><type>hvm</type></os></domain>");
    else if (sscanf(step, "RENAME %63s", name) == 1)
        r = send_one("POST", "/domains/other/rename",
                     "Content-Type: application/json\r\n", "{\"name\": \"test\"}");
    else if (sscanf(step, "%15s %127s", method, path) == 2)
        r = send_one(method, path, NULL, NULL);
    response_free(r);
}

static void prepare_row(void)
{
    for (size_t i = 0; i < sizeof(row->before) / sizeof(row->before[0]); i++)
        prepare(row->before[i]);
}

/* ---- the gateway ---- */

static bool start_gateway(void)
{
    const char *const one[] = {"-c", "test:///default", "--cors-origin",
                               "https://ui.example", NULL};
    const char *const two[] = {"-c",
                               "test:///default",
                               "--host",
                               "b=test:///default",
                               "--cors-origin",
                               "https://ui.example",
                               NULL};
    atomic_store(&page->left, 0);
    return server_start(&server, row->two_hosts ? two : one) == 0 &&
           server_ready(&server, 10);
}

static bool is_alive(void)
{
    return waitpid(server.pid, NULL, WNOHANG) == 0;
}

/* ---- judging ---- */

static void fault(int n, const char *what, const struct response *r)
{
    bool text = r && (unsigned char)r->body[0] >= ' ' && r->body[0] != 0x7F;
    if (faults++ < MAX_SAID)
        fprintf(stderr, "    allocation %d (%s+0x%llx): %s: %ld %.300s\n", n,
                page->module, (unsigned long long)page->offset, what, r ? r->status : 0,
                text ? r->body : "");
}

static bool is_problem(const struct response *r)
{
    json_t *body = json_loads(r->body, 0, NULL);
    bool good = json_integer_value(json_object_get(body, "status")) == r->status &&
                json_is_string(json_object_get(body, "type"));
    json_decref(body);
    return good;
}

static bool has_body(const struct response *r)
{
    /* the 202 of a row here only points to where it will be seen */
    return strcmp(row->method, "HEAD") != 0 && r->status != 202 && r->status != 204 &&
           r->status != 304;
}

/* The right status, and the right body as far as it is the same each time. */
static bool is_right(const struct response *r, const struct response *want)
{
    /* without memory for the client's tag the whole answer is right, too */
    if (row->status == 304 && r->status == 200)
        return r->body_len > 0;
    if (r->status != row->status)
        return false;
    if (!has_body(r))
        return true;
    if (r->status >= 400)
        return is_problem(r);
    if (r->body_len == 0)
        return false;
    return row->volatile_body || (r->body_len == want->body_len &&
                                  memcmp(r->body, want->body, r->body_len) == 0);
}

/* One host of several had no memory, and the list says so. */
static bool is_partial(const struct response *r)
{
    return row->two_hosts && r->status == 200 &&
           strstr(r->body, "urn:virtgate:error:internal");
}

/* Half an answer, or a volatile body that is not whole, is neither. */
static bool is_whole(const struct response *r)
{
    char *type = response_header(r, "Content-Type");
    char *encoding = response_header(r, "Content-Encoding");
    bool json = type && strstr(type, "json") && !encoding && has_body(r);
    json_t *body = json ? json_loadb(r->body, r->body_len, 0, NULL) : NULL;
    bool whole = !json || body;
    json_decref(body);
    free(type);
    free(encoding);
    return whole;
}

static void judge(int n, const struct response *r, const struct response *want)
{
    if (!is_alive()) {
        fault(n, "the gateway died", r);
        return;
    }
    if (r->status == 0 && r->seconds >= PATIENCE)
        fault(n, "no answer", r);
    else if (r->status == 0 || is_right(r, want))
        ; /* closed, or right */
    else if ((r->status == 500 || r->status == 503) && (!has_body(r) || is_problem(r)))
        ; /* said so */
    else if (is_partial(r))
        ; /* said so, of one host */
    else
        fault(n, "a wrong answer", r);
    if (r->status && !is_whole(r))
        fault(n, "not JSON", r);
}

/* ---- one row ---- */

/* One try; false when there was no n-th allocation. */
static bool fail_one(int n, const struct response *want)
{
    if (row->cold && !start_gateway())
        abort();
    prepare_row();
    atomic_store(&page->failed, 0);
    atomic_store(&page->left, n);
    struct response *r = send_row();
    /* what comes after the answer (the access line, the end of the connection) */
    for (int i = 0; i < 3 && !atomic_load(&page->failed); i++)
        sleep_seconds(0.001);
    atomic_store(&page->left, 0);
    bool failed = atomic_load(&page->failed);
    tries += failed;
    judge(n, r, want);
    if (failed && getenv("TORTURE_VERBOSE"))
        fprintf(stderr, "    %4d %s+0x%llx: %ld %.100s\n", n, page->module,
                (unsigned long long)page->offset, r->status, r->body);
    response_free(r);
    if (row->cold && is_alive() && server_stop(&server, 10) != 0)
        fault(n, "SIGTERM did not end it with 0", NULL);
    return failed;
}

static struct response *ask_right(const struct response *want)
{
    prepare_row();
    struct response *r = send_row();
    if (!is_right(r, want ? want : r))
        fault(0, want ? "wrong afterwards" : "wrong without a failure", r);
    return r;
}

static void torture_row(int first, int step)
{
    if (!start_gateway()) {
        fault(0, "the gateway does not start", NULL);
        return;
    }
    struct response *want = ask_right(NULL);
    if (row->cold)
        server_stop(&server, 10);
    for (int n = first; faults == 0 || is_alive() || row->cold; n += step) {
        if (n > MAX_ALLOCATION || !fail_one(n, want))
            break;
    }
    if (tries == 0)
        fault(0, "nothing was failed: is TORTURE_PRELOAD right, or the step too large?",
              NULL);
    if (!row->cold && is_alive()) {
        response_free(ask_right(want));
        if (server_stop(&server, 10) != 0)
            fault(0, "SIGTERM did not end it with 0", NULL);
    }
    response_free(want);
}

/* ---- all ---- */

static void open_page(char *path)
{
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0 || ftruncate(fd, sizeof(*page)) < 0)
        abort();
    void *p = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        abort();
    page = p;
    close(fd);
}

static void set_wrap(const char *path)
{
    char *wrap = NULL;
    const char *preload = getenv("TORTURE_PRELOAD");
    if (asprintf(&wrap, "env LD_PRELOAD=%s " FAIL_FILE_VARIABLE "=%s", preload, path) < 0)
        abort();
    setenv("VG_WRAP", wrap, 1);
    free(wrap);
}

static int number(const char *variable)
{
    const char *text = getenv(variable);
    return text && *text ? (int)strtol(text, NULL, 10) : 0;
}

int main(void)
{
    char path[] = "/tmp/vg-torture.XXXXXX";
    int step = number("TORTURE_STEP"), only = number("TORTURE_ROW"), passed = 0,
        failed = 0, all = 0;

    open_page(path);
    set_wrap(path);
    step = step > 0 ? step : 1;
    for (size_t i = 0; i < torture_rows_count; i++) {
        if (only && (int)i + 1 != only)
            continue;
        row = &torture_rows[i];
        faults = tries = 0;
        double start = seconds_now();
        torture_row((int)i % step + 1, step);
        printf("%s %3zu %-7.7s %-50.50s %4d failures %5.1f s\n",
               faults ? "FAILED" : "ok    ", i + 1, row->raw ? "raw" : row->method,
               row->path, tries, seconds_now() - start);
        fflush(stdout);
        *(faults ? &failed : &passed) += 1;
        all += tries;
    }
    unlink(path);
    printf("%d allocations failed in turn\n", all);
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
