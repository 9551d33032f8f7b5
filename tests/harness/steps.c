/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The stepper of steps.h, and the counting of checks. Counters are atomic: load tests
 * check from several threads.
 */
#include "steps.h"

#include "driver.h"

#include <ctype.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static atomic_int passed;
static atomic_int failed;

static void print_response(const struct response *r)
{
    if (!r->status)
        printf("    < no answer: %s\n", r->error);
    printf("    < %.*s\n", (int)strcspn(r->head, "\r\n"), r->head);
    const char *line = strchr(r->head, '\n');
    while (line && line[1] && line[1] != '\r') {
        printf("    < %.*s\n", (int)strcspn(line + 1, "\r\n"), line + 1);
        line = strchr(line + 1, '\n');
    }
    printf("    < %.2000s\n", r->body);
}

void check_that(bool ok, const char *fmt, ...)
{
    if (ok) {
        atomic_fetch_add(&passed, 1);
        return;
    }
    atomic_fetch_add(&failed, 1);
    va_list ap;
    va_start(ap, fmt);
    fputs("FAILED ", stdout);
    vprintf(fmt, ap);
    putchar('\n');
    va_end(ap);
    fflush(stdout);
}

void check_response(bool ok, const struct response *r, const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        text = NULL;
    va_end(ap);
    check_that(ok, "%s", text ? text : fmt);
    if (!ok)
        print_response(r);
    free(text);
}

int checks_report(void)
{
    int bad = atomic_load(&failed);
    int good = atomic_load(&passed);
    printf("%d passed, %d failed\n", good, bad);
    return bad || !good ? 1 : 0;
}

static json_t *headers_to_json(const struct response *r)
{
    json_t *headers = json_object();
    const char *line = strchr(r->head, '\n');
    while (line && line[1] && line[1] != '\r') {
        line++;
        size_t len = strcspn(line, "\r\n");
        const char *colon = memchr(line, ':', len);
        if (colon) {
            char *name = strndup(line, (size_t)(colon - line));
            for (char *c = name; *c; c++)
                *c = (char)tolower((unsigned char)*c);
            char *all = response_header(r, name);
            json_object_set_new(headers, name, json_string(all));
            free(all);
            free(name);
        }
        line = strchr(line, '\n');
    }
    return headers;
}

static json_t *parse_body(const struct response *r)
{
    return json_loadb(r->body, r->body_len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES,
                      NULL);
}

static json_t *body_to_json(const struct response *r, const char *type)
{
    json_t *body = NULL;
    if (r->body_len && type && strstr(type, "json"))
        body = parse_body(r);
    if (!body && r->body_len)
        body = json_stringn(r->body, r->body_len);
    return body ? body : json_null();
}

void record_exchange(const char *method, const char *path, const struct response *r)
{
    const char *file = getenv("VG_RECORD");
    if (!file || !r->status)
        return;
    char *type = response_header(r, "Content-Type");
    json_t *entry =
        json_pack("{s:s, s:s, s:I, s:s?, s:o, s:o}", "method", method, "path", path,
                  "status", (json_int_t)r->status, "contentType", type, "headers",
                  headers_to_json(r), "body", body_to_json(r, type));
    char *line = json_dumps(entry, JSON_COMPACT);
    int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    /* One write a line: several test programs may append at a time. */
    char *text = NULL;
    if (fd >= 0 && line && asprintf(&text, "%s\n", line) > 0 &&
        write(fd, text, strlen(text)) < 0)
        perror(file);
    if (fd >= 0)
        close(fd);
    free(text);
    free(line);
    json_decref(entry);
    free(type);
}

struct response *scenario_send(struct scenario *s, const char *method, const char *path,
                               const char *const headers[], const char *body)
{
    struct response *r =
        client_send(s->client, method, path, headers, body, body ? strlen(body) : 0);
    record_exchange(method, path, r);
    return r;
}

void scenario_put_back(struct scenario *s, const char *path)
{
    struct response *seen = scenario_send(s, "GET", path, NULL, NULL);
    check_response(seen->status == 200, seen, "%s: GET %s", s->name, path);
    struct response *r = scenario_send(
        s, "PATCH", path, ARGS("Content-Type: application/json"), seen->body);
    check_response(r->status == 200 || r->status == 204, r, "%s: PATCH %s with %s",
                   s->name, path, seen->body);
    response_free(seen);
    response_free(r);
}

char *scenario_if_match(struct scenario *s, const char *shown)
{
    struct response *seen = scenario_send(s, "GET", shown, NULL, NULL);
    char *tag = response_header(seen, "ETag"), *header = NULL;
    check_response(tag && asprintf(&header, "If-Match: %s", tag) > 0, seen,
                   "%s: %s has a tag", s->name, shown);
    free(tag);
    response_free(seen);
    return header;
}

long scenario_patch_title(struct scenario *s, const char *path, const char *title,
                          const char *if_match)
{
    char body[200];
    snprintf(body, sizeof(body), "{\"domain\":{\"title\":\"%s\"}}", title);
    struct response *r = scenario_send(
        s, "PATCH", path, ARGS("Content-Type: application/json", if_match), body);
    long status = r->status;
    response_free(r);
    return status;
}

bool is_problem(const struct response *r, long status, const char *type)
{
    char *media = response_header(r, "Content-Type");
    json_t *body = parse_body(r);
    const char *t = json_string_value(json_object_get(body, "type"));
    size_t n = t ? strlen(t) : 0;
    bool ok = r->status == status && media &&
              strncmp(media, "application/problem+json", 24) == 0 &&
              json_integer_value(json_object_get(body, "status")) == status && t &&
              n >= strlen(type) && strcmp(t + n - strlen(type), type) == 0;
    json_decref(body);
    free(media);
    return ok;
}

/* ---- one row ----------------------------------------------------------------------- */

static bool header_wanted(const struct response *r, const char *want, char *why,
                          size_t size)
{
    const char *colon = strchr(want, ':');
    bool absent = want[0] == '!';
    char *name = strndup(want + absent, colon ? (size_t)(colon - want) : strlen(want));
    char *value = response_header(r, name);
    const char *glob = colon ? colon + 1 + strspn(colon + 1, " ") : "*";
    bool ok = absent ? !value : value && fnmatch(glob, value, 0) == 0;
    if (!ok)
        snprintf(why, size, "header %s: should be %s, is %s", name,
                 absent ? "absent" : glob, value ? value : "absent");
    free(value);
    free(name);
    return ok;
}

static bool body_wanted(const struct response *r, const char *want, json_t *captures,
                        char *why, size_t size)
{
    if (!want)
        return true;
    if (!*want) {
        snprintf(why, size, "the body should be empty");
        return r->body_len == 0;
    }
    char *text = json_substitute(want, captures);
    json_t *pattern = json_pattern(text, why, size);
    json_t *body = parse_body(r);
    bool ok = pattern && json_match(pattern, body, captures, why, size);
    json_decref(body);
    json_decref(pattern);
    free(text);
    return ok;
}

/* No field that the gateway sends is a list in several lines. */
static bool repeats_header(const struct response *r, char *why, size_t size)
{
    for (const char *line = strchr(r->head, '\n'); line; line = strchr(line, '\n')) {
        size_t n = strcspn(++line, ":\r\n");
        for (const char *other = strchr(line, '\n'); other && line[n] == ':';
             other = strchr(other, '\n'))
            if (strncasecmp(++other, line, n + 1) == 0) {
                snprintf(why, size, "header %.*s comes twice", (int)n, line);
                return true;
            }
    }
    return false;
}

static bool answer_wanted(struct scenario *s, const struct step *row,
                          const struct response *r, char *why, size_t size)
{
    if (r->status != row->status) {
        snprintf(why, size, "status should be %d, is %ld", row->status, r->status);
        return false;
    }
    if (repeats_header(r, why, size))
        return false;
    for (size_t i = 0; i < COUNT(row->wants) && row->wants[i]; i++) {
        char *want = json_substitute(row->wants[i], s->captures);
        bool ok = header_wanted(r, want, why, size);
        free(want);
        if (!ok)
            return false;
    }
    if (row->contains) {
        char *glob = json_substitute(row->contains, s->captures);
        bool found = fnmatch(glob, r->body, 0) == 0;
        if (!found)
            snprintf(why, size, "the body should match %s", glob);
        free(glob);
        if (!found)
            return false;
    }
    return body_wanted(r, row->want, s->captures, why, size);
}

/* The row's request with captures filled in. */
struct request_text {
    char *path, *body;
    char *headers[8];
};

static bool names_type(const struct step *row)
{
    for (size_t i = 0; i < COUNT(row->headers) && row->headers[i]; i++)
        if (strncmp(row->headers[i], "Content-Type:", 13) == 0)
            return true;
    return false;
}

static struct request_text request_of(const struct scenario *s, const struct step *row)
{
    struct request_text q = {.path = json_substitute(row->path, s->captures)};
    size_t n = 0;
    if (row->json) {
        char *quoted = json_quotes(row->json);
        q.body = json_substitute(quoted, s->captures);
        free(quoted);
    } else if (row->xml) {
        q.body = json_substitute(row->xml, s->captures);
    }
    if (q.body && !names_type(row))
        q.headers[n++] = strdup(row->json ? "Content-Type: application/json"
                                          : "Content-Type: application/xml");
    for (size_t i = 0; i < COUNT(row->headers) && row->headers[i]; i++)
        q.headers[n++] = json_substitute(row->headers[i], s->captures);
    return q;
}

static void request_text_free(struct request_text *q)
{
    free(q->path);
    free(q->body);
    for (size_t i = 0; i < COUNT(q->headers); i++)
        free(q->headers[i]);
}

static bool run_row(struct scenario *s, const struct step *row, bool last_try)
{
    char why[1024] = "";
    struct request_text q = request_of(s, row);
    struct response *r = scenario_send(s, row->method, q.path,
                                       (const char *const *)(uintptr_t)q.headers, q.body);
    bool ok = answer_wanted(s, row, r, why, sizeof(why));
    if (ok || last_try)
        check_that(ok, "%s: %s %s: %s", s->name, row->method, q.path, why);
    if (!ok && last_try) {
        for (size_t i = 0; q.headers[i]; i++)
            printf("    > %s\n", q.headers[i]);
        if (q.body)
            printf("    > %.1000s\n", q.body);
        print_response(r);
    }
    response_free(r);
    request_text_free(&q);
    return ok;
}

/* Whether a row is for the driver of this scenario. */
static bool is_for(const struct scenario *s, const struct step *row)
{
    return (!row->needs || driver_can(s->uri, row->needs)) &&
           (!row->lacks || !driver_can(s->uri, row->lacks));
}

void scenario_run(struct scenario *s, const struct step *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_for(s, &rows[i]))
            run_row(s, &rows[i], true);
}

void scenario_until(struct scenario *s, const struct step *row, double seconds)
{
    double until = seconds_now() + seconds;
    bool last;

    do { /* a try that is over too late is followed by one that counts */
        last = seconds_now() >= until;
        if (run_row(s, row, last))
            return;
        sleep_seconds(0.05);
    } while (!last);
}

/* ---- the gateway ------------------------------------------------------------------- */

bool scenario_begin_unready(struct scenario *s, const char *name,
                            const char *const args[])
{
    *s = (struct scenario){.name = name};
    for (size_t i = 0; args[i] && args[i + 1]; i++)
        if (strcmp(args[i], "-c") == 0)
            s->uri = args[i + 1];
    if (server_start(&s->server, args) < 0) {
        check_that(false, "%s: the gateway does not start", name);
        return false;
    }
    s->client = client_new(s->server.base);
    s->captures = json_object();
    return true;
}

bool scenario_begin(struct scenario *s, const char *name, const char *const args[])
{
    if (!scenario_begin_unready(s, name, args))
        return false;
    if (!server_ready(&s->server, LONG_ENOUGH)) {
        struct response *r = client_get(s->client, "/health/ready");
        check_response(false, r, "%s: the gateway does not get ready", name);
        response_free(r);
    }
    return true;
}

void scenario_end(struct scenario *s)
{
    client_free(s->client);
    json_decref(s->captures);
    int status = server_stop(&s->server, LONG_ENOUGH);
    check_that(status == 0, "%s: exit status after SIGTERM is %d", s->name, status);
}
