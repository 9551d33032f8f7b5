/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The log: hostile text in both formats, filters, outputs of different levels, logrotate,
 * many threads, a full queue, and where lines go without a log.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "virtgate/cleanup.h"
#include "virtgate/json.h"
#include "server/base/log.h"

#define PATIENCE_S 20
#define THREADS    8
#define LINES      2000 /* of each thread; all fit into the queue */
#define COUNT(a)   (sizeof(a) / sizeof((a)[0]))

static char directory[] = "/tmp/virtgate-test-log-XXXXXX";
static const char *const formats[] = {"logfmt", "json"};

/* ---- helpers ----------------------------------------------------------------------- */

static __attribute__((unused)) int start(const char *format, enum vg_log_level level,
                                         const char *filters, const char *outputs,
                                         char **reterr)
{
    const struct vg_log_options options = {.level = level,
                                           .json = strcmp(format, "json") == 0,
                                           .filters = filters,
                                           .outputs = outputs};
    return vg_log_start(&options, reterr);
}

static __attribute__((unused)) void start_good(const char *format,
                                               enum vg_log_level level,
                                               const char *filters, const char *outputs)
{
    vg_autofree char *message = NULL;
    assert_int_equal(start(format, level, filters, outputs, &message), 0);
    assert_null(message);
}

/* The tests work in `directory`, so names are short; "" when there is no such file. */
static __attribute__((unused)) char *read_text(const char *name)
{
    FILE *in = fopen(name, "re");
    char *text = NULL;
    size_t size = 0;
    if (!in || getdelim(&text, &size, '\0', in) < 0) {
        free(text);
        text = strdup("");
    }
    if (in)
        assert_int_equal(fclose(in), 0);
    assert_non_null(text);
    return text;
}

static __attribute__((unused)) size_t count_lines(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static __attribute__((unused)) size_t count_in(const char *text, const char *what)
{
    size_t n = 0;
    for (; (text = strstr(text, what)); text++)
        n++;
    return n;
}

static __attribute__((unused)) void pause_ms(long ms)
{
    const struct timespec pause = {.tv_nsec = ms * 1000000};
    nanosleep(&pause, NULL);
}

/* Until the file has what was logged. */
static __attribute__((unused)) void await_text(const char *name, const char *what)
{
    for (int i = 0; i < PATIENCE_S * 200; i++) {
        vg_autofree char *text = read_text(name);
        if (strstr(text, what))
            return;
        pause_ms(5);
    }
    fail_msg("%s never had %s", name, what);
}

static __attribute__((unused)) void await_file(const char *name)
{
    for (int i = 0; i < PATIENCE_S * 200 && access(name, F_OK) < 0; i++)
        pause_ms(5);
    assert_int_equal(access(name, F_OK), 0);
}

static __attribute__((unused)) void remove_file(const char *name)
{
    (void)unlink(name);
}

/* stderr goes to the file "stderr" until release(). Nothing is asserted in between:
 * cmocka's messages go there, too. */
static __attribute__((unused)) int capture(void)
{
    int saved = dup(STDERR_FILENO);
    int fd = open("stderr", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    assert_true(saved >= 0 && fd >= 0);
    assert_true(dup2(fd, STDERR_FILENO) >= 0);
    close(fd);
    return saved;
}

static __attribute__((unused)) char *release(int saved)
{
    dup2(saved, STDERR_FILENO);
    close(saved);
    return read_text("stderr");
}

/* One value of a logfmt line: bare, or as a JSON string. */
static __attribute__((unused)) json_t *parse_value(const char **p)
{
    json_error_t error;
    json_t *value;
    if (**p == '"') {
        value = json_loads(*p, JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, &error);
        *p += value ? error.position : 0;
    } else {
        size_t n = strcspn(*p, " \"=\\");
        value = n ? json_stringn(*p, n) : NULL;
        *p += n;
    }
    return value;
}

static __attribute__((unused)) json_t *parse_logfmt(const char *line)
{
    json_t *object = json_object();
    for (const char *p = line;;) {
        char key[32] = "";
        size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyz_");
        assert_true(n > 0 && n < sizeof(key) && p[n] == '=');
        memcpy(key, p, n);
        p += n + 1;
        json_t *value = parse_value(&p);
        if (!value)
            fail_msg("bad value of %s in: %s", key, line);
        assert_null(json_object_get(object, key));
        assert_int_equal(json_object_set_new(object, key, value), 0);
        if (!*p)
            return object;
        assert_int_equal(*p++, ' ');
    }
}

/* An object of the line's members, whatever the format. */
static __attribute__((unused)) json_t *parse_line(const char *format, const char *line)
{
    for (const char *p = line; *p; p++)
        assert_false(iscntrl((unsigned char)*p));
    if (strcmp(format, "json") != 0)
        return parse_logfmt(line);
    json_error_t error;
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &error);
    if (!object)
        fail_msg("%s in: %s", error.text, line);
    assert_true(json_is_object(object));
    return object;
}

/* The i-th of the lines, without its end; owned. */
static __attribute__((unused)) char *line_of(const char *text, size_t i)
{
    for (; i; i--) {
        text = strchr(text, '\n');
        assert_non_null(text);
        text++;
    }
    const char *end = strchr(text, '\n');
    assert_non_null(end);
    return strndup(text, (size_t)(end - text));
}

static __attribute__((unused)) void assert_member(const json_t *line, const char *key,
                                                  const char *want)
{
    const json_t *is = json_object_get(line, key);
    char number[24] = "";
    if (json_is_integer(is))
        snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(is));
    const char *text = json_is_integer(is) ? number : json_string_value(is);
    if (want && !text)
        fail_msg("no %s", key);
    if (want)
        assert_string_equal(text, want);
    else
        assert_null(is);
}

static __attribute__((unused)) int set_up(void **state)
{
    (void)state;
    return mkdtemp(directory) && chdir(directory) == 0 ? 0 : -1;
}

static __attribute__((unused)) int tear_down(void **state)
{
    vg_autofree char *command = NULL;
    (void)state;
    if (chdir("/") < 0 || asprintf(&command, "rm -rf %s", directory) < 0)
        return -1;
    return system(command); /* NOLINT(cert-env33-c): a name of our own */
}

static __attribute__((unused)) void log_all_levels(void)
{
    vg_log(VG_LOG_DEBUG, "test", "fine");
    vg_log(VG_LOG_ERROR, "test", "broken");
    vg_log(VG_LOG_INFO, "test", "news");
    vg_log(VG_LOG_WARNING, "test", "careful");
}
