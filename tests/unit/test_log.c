/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The log: hostile text in both formats, filters, outputs of different levels, logrotate,
 * many threads, a full queue, and where lines go without a log.
 */
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
#include "virtgate/log.h"

#define PATIENCE_S 20
#define THREADS    8
#define LINES      2000 /* of each thread; all fit into the queue */
#define COUNT(a)   (sizeof(a) / sizeof((a)[0]))

static char directory[] = "/tmp/virtgate-test-log-XXXXXX";
static const char *const formats[] = {"logfmt", "json"};

/* ---- helpers ----------------------------------------------------------------------- */

static int start(const char *format, enum vg_log_level level, const char *filters,
                 const char *outputs, char **reterr)
{
    vg_autofree char *f = strdup(format);
    vg_autofree char *filter = filters ? strdup(filters) : NULL;
    vg_autofree char *output = strdup(outputs);
    const struct vg_config config = {.log_format = f,
                                     .log_level = level,
                                     .log_filters = filter,
                                     .log_outputs = output};
    return vg_log_start(&config, reterr);
}

static void start_good(const char *format, enum vg_log_level level, const char *filters,
                       const char *outputs)
{
    vg_autofree char *message = NULL;
    assert_int_equal(start(format, level, filters, outputs, &message), 0);
    assert_null(message);
}

/* The tests work in `directory`, so names are short; "" when there is no such file. */
static char *read_text(const char *name)
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

static size_t count_lines(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static size_t count_in(const char *text, const char *what)
{
    size_t n = 0;
    for (; (text = strstr(text, what)); text++)
        n++;
    return n;
}

static void pause_ms(long ms)
{
    const struct timespec pause = {.tv_nsec = ms * 1000000};
    nanosleep(&pause, NULL);
}

/* Until the file has what was logged. */
static void await_text(const char *name, const char *what)
{
    for (int i = 0; i < PATIENCE_S * 200; i++) {
        vg_autofree char *text = read_text(name);
        if (strstr(text, what))
            return;
        pause_ms(5);
    }
    fail_msg("%s never had %s", name, what);
}

static void await_file(const char *name)
{
    for (int i = 0; i < PATIENCE_S * 200 && access(name, F_OK) < 0; i++)
        pause_ms(5);
    assert_int_equal(access(name, F_OK), 0);
}

static void remove_file(const char *name)
{
    (void)unlink(name);
}

/* stderr goes to the file "stderr" until release(). Nothing is asserted in between:
 * cmocka's messages go there, too. */
static int capture(void)
{
    int saved = dup(STDERR_FILENO);
    int fd = open("stderr", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    assert_true(saved >= 0 && fd >= 0);
    assert_true(dup2(fd, STDERR_FILENO) >= 0);
    close(fd);
    return saved;
}

static char *release(int saved)
{
    dup2(saved, STDERR_FILENO);
    close(saved);
    return read_text("stderr");
}

/* One value of a logfmt line: bare, or as a JSON string. */
static json_t *parse_value(const char **p)
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

static json_t *parse_logfmt(const char *line)
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
static json_t *parse_line(const char *format, const char *line)
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
static char *line_of(const char *text, size_t i)
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

static void assert_member(const json_t *line, const char *key, const char *want)
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

/* ---- lines ------------------------------------------------------------------------- */

static const char *const hostile[] = {
    "plain",
    "",
    " ",
    "two words",
    "a=b",
    "=",
    "\"",
    "say \"no\"",
    "\\",
    "\\\"\\n",
    "\n",
    "one\ntime=now level=error source=app msg=forged",
    "one\n{\"level\":\"error\",\"msg\":\"forged\"}",
    "\r\n\t\b\f\v\x1b[2J\x01\x1f\x7f",
    "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80",
    "\xFF",
    "\xC3",
    "\xC3\n",
    "\xC0\xAF",
    "\xED\xA0\x80",
    "\xF4\x90\x80\x80",
    "half \xE2\x82",
    "%s%n%d",
};

static void log_pair(const char *message, const char *value)
{
    const struct vg_log_field fields[] = {VG_LOG_TEXT("value", value),
                                          VG_LOG_NUMBER("after", 1)};
    vg_log_fields(VG_LOG_INFO, "test", message, fields, COUNT(fields));
}

static void check_pair(const char *format, const char *line, const char *message,
                       const char *value)
{
    json_auto_t *is = parse_line(format, line);
    json_auto_t *want_message = vg_json_text(message);
    json_auto_t *want_value = vg_json_text(value);
    assert_int_equal(json_object_size(is), 6);
    assert_member(is, "level", "info");
    assert_member(is, "source", "test");
    assert_member(is, "msg", json_string_value(want_message));
    assert_member(is, "value", json_string_value(want_value));
    assert_member(is, "after", "1");
}

static void test_hostile(void **state)
{
    (void)state;
    for (size_t f = 0; f < COUNT(formats); f++) {
        start_good(formats[f], VG_LOG_INFO, NULL, "1:file:hostile");
        for (size_t i = 0; i < COUNT(hostile); i++)
            log_pair(hostile[i], hostile[COUNT(hostile) - 1 - i]);
        vg_log_stop();
        vg_autofree char *text = read_text("hostile");
        assert_int_equal(count_lines(text), COUNT(hostile));
        for (size_t i = 0; i < COUNT(hostile); i++) {
            vg_autofree char *line = line_of(text, i);
            check_pair(formats[f], line, hostile[i], hostile[COUNT(hostile) - 1 - i]);
        }
        remove_file("hostile");
    }
}

/* Any bytes: what is logged is what is read, but for the repair of bad UTF-8. */
static void random_text(char *text, size_t size, unsigned int *seed)
{
    static const char odd[] = "\"\\\n= \xC3\xA9\xE2\xFF\x7F";
    size_t n = (size_t)rand_r(seed) % size;
    for (size_t i = 0; i < n; i++) {
        int r = rand_r(seed);
        text[i] = r & 0x10000 ? odd[(size_t)r % (sizeof(odd) - 1)] : (char)(1 + r % 255);
    }
    text[n] = '\0';
}

static void test_random(void **state)
{
    (void)state;
    enum { ROUNDS = 3000, SIZE = 40 };
    static char texts[ROUNDS][SIZE];
    unsigned int seed = 20240601;
    for (size_t i = 0; i < ROUNDS; i++)
        random_text(texts[i], SIZE, &seed);
    for (size_t f = 0; f < COUNT(formats); f++) {
        start_good(formats[f], VG_LOG_INFO, NULL, "1:file:random");
        for (size_t i = 1; i < ROUNDS; i++)
            log_pair(texts[i], texts[i - 1]);
        vg_log_stop();
        vg_autofree char *text = read_text("random");
        assert_int_equal(count_lines(text), ROUNDS - 1);
        const char *p = text;
        for (size_t i = 1; i < ROUNDS; i++) {
            vg_autofree char *line = line_of(p, 0);
            check_pair(formats[f], line, texts[i], texts[i - 1]);
            p += strlen(line) + 1;
        }
        remove_file("random");
    }
}

static void test_fields(void **state)
{
    (void)state;
    const struct vg_log_field fields[] = {
        VG_LOG_NUMBER("least", INT64_MIN),
        VG_LOG_NUMBER("most", INT64_MAX),
        VG_LOG_NUMBER("zero", 0),
        VG_LOG_TEXT("none", NULL),
        VG_LOG_TEXT("empty", ""),
        {.key = "both", .text = "text", .number = 1, .is_number = true},
    };
    for (size_t f = 0; f < COUNT(formats); f++) {
        start_good(formats[f], VG_LOG_DEBUG, NULL, "1:file:fields");
        vg_log_fields(VG_LOG_DEBUG, "a b", "m", fields, COUNT(fields));
        vg_log_fields(VG_LOG_ERROR, "a", "m", NULL, 0);
        vg_log(VG_LOG_WARNING, "a", "%d of %s%c", 3, "four", '\n');
        vg_log_stop();
        vg_autofree char *text = read_text("fields");
        assert_int_equal(count_lines(text), 3);
        vg_autofree char *first = line_of(text, 0), *second = line_of(text, 1),
                         *third = line_of(text, 2);
        json_auto_t *a = parse_line(formats[f], first);
        json_auto_t *b = parse_line(formats[f], second);
        json_auto_t *c = parse_line(formats[f], third);
        assert_member(a, "level", "debug");
        assert_member(a, "source", "a b");
        assert_member(a, "least", "-9223372036854775808");
        assert_member(a, "most", "9223372036854775807");
        assert_member(a, "zero", "0");
        assert_member(a, "none", NULL);
        assert_member(a, "empty", "");
        assert_member(a, "both", "text");
        assert_member(b, "level", "error");
        assert_int_equal(json_object_size(b), 4);
        assert_member(c, "level", "warning");
        assert_member(c, "msg", "3 of four\n");
        remove_file("fields");
    }
}

/* The exact text: what people's scripts and log collectors rely on. */
static void test_exact(void **state)
{
    (void)state;
    const struct vg_log_field fields[] = {VG_LOG_TEXT("path", "/a"),
                                          VG_LOG_NUMBER("status", 200)};
    static const char *const want[] = {
        " level=info source=access msg=\"GET \\\"x\\\"\" path=/a status=200\n",
        "\",\"level\":\"info\",\"source\":\"access\",\"msg\":\"GET \\\"x\\\"\","
        "\"path\":\"/a\",\"status\":200}\n",
    };
    static const char *const begin[] = {"time=", "{\"time\":\""};
    for (size_t f = 0; f < COUNT(formats); f++) {
        struct tm tm = {0};
        start_good(formats[f], VG_LOG_INFO, NULL, "1:file:exact");
        time_t before = time(NULL);
        vg_log_fields(VG_LOG_INFO, "access", "GET \"x\"", fields, COUNT(fields));
        time_t after = time(NULL);
        vg_log_stop();
        vg_autofree char *text = read_text("exact");
        size_t n = strlen(begin[f]);
        assert_memory_equal(text, begin[f], n);
        const char *ms = strptime(text + n, "%Y-%m-%dT%H:%M:%S", &tm);
        assert_non_null(ms);
        assert_int_equal(ms - text, n + 19);
        assert_in_range(timegm(&tm), before, after);
        assert_true(ms[0] == '.' && isdigit(ms[1]) && isdigit(ms[2]) && isdigit(ms[3]));
        assert_int_equal(ms[4], 'Z');
        assert_string_equal(ms + 5, want[f]);
        remove_file("exact");
    }
}

static void test_long(void **state)
{
    (void)state;
    enum { LENGTH = 1000000 };
    vg_autofree char *longest = malloc(LENGTH + 1);
    assert_non_null(longest);
    memset(longest, 'x', LENGTH);
    longest[LENGTH] = '\0';
    start_good("json", VG_LOG_INFO, NULL, "1:file:long");
    vg_log(VG_LOG_INFO, "test", "%s", longest);
    vg_log(VG_LOG_INFO, "test", "next");
    vg_log_stop();
    vg_autofree char *text = read_text("long");
    assert_int_equal(count_lines(text), 2);
    vg_autofree char *first = line_of(text, 0), *second = line_of(text, 1);
    json_auto_t *a = parse_line("json", first);
    json_auto_t *b = parse_line("json", second);
    assert_member(a, "msg", longest);
    assert_member(b, "msg", "next");
}

/* ---- filters and outputs ----------------------------------------------------------- */

static void test_filters(void **state)
{
    (void)state;
    static const struct {
        const char *source;
        enum vg_log_level least; /* written */
    } rows[] = {
        {"http", VG_LOG_DEBUG}, /* the first that matches, not the closest */
        {"httpd", VG_LOG_DEBUG}, {"my-http", VG_LOG_DEBUG}, /* anywhere in the source */
        {"host", VG_LOG_ERROR},  {"ho", VG_LOG_WARNING},
        {"HTTP", VG_LOG_INFO}, /* none matches: the level */
        {"", VG_LOG_INFO},       {"app", VG_LOG_INFO},
    };
    size_t want = 0;
    start_good("logfmt", VG_LOG_INFO, " 1:http\t4:host  3:ho 4:http\n", "1:file:filters");
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (enum vg_log_level l = VG_LOG_DEBUG; l <= VG_LOG_ERROR; l++) {
            assert_int_equal(vg_log_enabled(l, rows[i].source), l >= rows[i].least);
            vg_log(l, rows[i].source, "row %zu level %d", i, (int)l);
            vg_log_fields(l, rows[i].source, "fields", NULL, 0);
            want += l >= rows[i].least ? 2 : 0;
        }
    }
    vg_log_stop();
    vg_autofree char *text = read_text("filters");
    assert_int_equal(count_lines(text), want);
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (enum vg_log_level l = VG_LOG_DEBUG; l <= VG_LOG_ERROR; l++) {
            char line[40];
            snprintf(line, sizeof(line), "\"row %zu level %d\"", i, (int)l);
            assert_int_equal(count_in(text, line), l >= rows[i].least ? 1 : 0);
        }
    }
}

static void log_all_levels(void)
{
    vg_log(VG_LOG_DEBUG, "test", "fine");
    vg_log(VG_LOG_ERROR, "test", "broken");
    vg_log(VG_LOG_INFO, "test", "news");
    vg_log(VG_LOG_WARNING, "test", "careful");
}

static void test_outputs(void **state)
{
    (void)state;
    static const struct {
        const char *name, *has[4];
    } rows[] = {
        {"out1", {"=fine\n", "=broken\n", "=news\n", "=careful\n"}},
        {"out2", {"=broken\n", "=news\n", "=careful\n"}},
        {"out3", {"=broken\n", "=careful\n"}},
        {"out4", {"=broken\n"}},
    };
    /* what is there stays, and nobody else may read what is new */
    FILE *old = fopen("out4", "we");
    assert_non_null(old);
    assert_true(fputs("old\n", old) >= 0);
    assert_int_equal(fclose(old), 0);
    mode_t mask = umask(0);
    start_good("logfmt", VG_LOG_DEBUG, NULL,
               " 1:file:out1 2:file:out2\t3:file:out3\n4:file:out4 ");
    umask(mask);
    log_all_levels();
    vg_log_stop();
    for (size_t i = 0; i < COUNT(rows); i++) {
        vg_autofree char *text = read_text(rows[i].name);
        const char *p = text;
        size_t n = 0;
        for (; n < 4 && rows[i].has[n]; n++) { /* in the order of logging */
            p = strstr(p, rows[i].has[n]);
            assert_non_null(p);
        }
        assert_int_equal(count_lines(text), i == 3 ? n + 1 : n);
    }
    vg_autofree char *last = read_text("out4");
    assert_memory_equal(last, "old\n", 4);
    struct stat st;
    assert_int_equal(stat("out1", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
}

/* An output's level does not lower the log's. */
static void test_output_level(void **state)
{
    (void)state;
    start_good("logfmt", VG_LOG_WARNING, NULL, "1:file:level");
    log_all_levels();
    vg_log_stop();
    vg_autofree char *text = read_text("level");
    assert_int_equal(count_lines(text), 2);
}

/* Here instead of the C library's and systemd's: what they would be sent. */
struct sent {
    int priority;
    char text[200];
};
static struct sent to_syslog[8], to_journal[8];
static size_t n_syslog, n_journal;
static char syslog_name[16];

static void note_sent(struct sent *sent, size_t *n, int priority, int length,
                      const char *p)
{
    if (*n < COUNT(to_syslog)) {
        sent[*n].priority = priority;
        snprintf(sent[*n].text, sizeof(sent->text), "%.*s", length, p);
    }
    ++*n;
}

void fake_openlog(const char *name, int options, int facility) __asm__("openlog");
void fake_openlog(const char *name, int options, int facility)
{
    (void)options;
    (void)facility;
    snprintf(syslog_name, sizeof(syslog_name), "%s", name);
}

/* The log's only format: "%.*s". */
static void note_syslog(int priority, va_list args)
{
    int length = va_arg(args, int);
    note_sent(to_syslog, &n_syslog, priority, length, va_arg(args, const char *));
}

void fake_syslog(int priority, const char *format, ...) __asm__("syslog");
void fake_syslog(int priority, const char *format, ...)
{
    va_list args;
    (void)format;
    va_start(args, format);
    note_syslog(priority, args);
    va_end(args);
}

/* What syslog() becomes with _FORTIFY_SOURCE. */
void fake_syslog_chk(int priority, int flag, const char *format,
                     ...) __asm__("__syslog_chk");
void fake_syslog_chk(int priority, int flag, const char *format, ...)
{
    va_list args;
    (void)flag;
    (void)format;
    va_start(args, format);
    note_syslog(priority, args);
    va_end(args);
}

/* MESSAGE=%.*s and PRIORITY=%i come first. */
int fake_journal(const char *file, const char *line, const char *function,
                 const char *format, ...) __asm__("sd_journal_send_with_location");
int fake_journal(const char *file, const char *line, const char *function,
                 const char *format, ...)
{
    va_list args;
    (void)file;
    (void)line;
    (void)function;
    va_start(args, format);
    int length = va_arg(args, int);
    const char *p = va_arg(args, const char *);
    const char *second = va_arg(args, const char *);
    int priority = va_arg(args, int);
    if (strcmp(format, "MESSAGE=%.*s") != 0 || strcmp(second, "PRIORITY=%i") != 0)
        priority = -1;
    va_end(args);
    note_sent(to_journal, &n_journal, priority, length, p);
    return 0;
}

static void test_system_logs(void **state)
{
    (void)state;
    static const struct {
        int priority; /* as in sd-daemon.h: 3 error, 4 warning, 6 info, 7 debug */
        const char *end;
    } rows[] = {{7, "msg=fine"},
                {3, "msg=broken"},
                {6, "msg=news"},
                {4, "msg=careful"},
                {4, "msg=\"a\\nb\""}};
    start_good("logfmt", VG_LOG_DEBUG, NULL, "1:syslog:vgtest 3:journald");
    log_all_levels();
    vg_log(VG_LOG_WARNING, "test", "a\nb");
    vg_log_stop();
    assert_string_equal(syslog_name, "vgtest");
    assert_int_equal(n_syslog, COUNT(rows));
    assert_int_equal(n_journal, 3);
    for (size_t i = 0, j = 0; i < COUNT(rows); i++) {
        size_t n = strlen(to_syslog[i].text), end = strlen(rows[i].end);
        assert_int_equal(to_syslog[i].priority, rows[i].priority);
        assert_memory_equal(to_syslog[i].text, "time=", 5);
        assert_true(n > end);
        assert_string_equal(to_syslog[i].text + n - end, rows[i].end);
        if (rows[i].priority > 4)
            continue;
        assert_int_equal(to_journal[j].priority, rows[i].priority);
        assert_string_equal(to_journal[j++].text, to_syslog[i].text);
    }
}

static void test_wrong(void **state)
{
    (void)state;
#define OUTPUT                                                                           \
    "expected LEVEL:stderr, LEVEL:syslog:NAME, LEVEL:file:PATH or LEVEL:journald"
#define OUTPUT_LEVEL "expected LEVEL:OUTPUT with a level from 1 to 4"
#define FILTER       "expected LEVEL:MATCH with a level from 1 to 4"
    static const struct {
        const char *filters, *outputs, *item, *why;
    } rows[] = {
        {NULL, "stderr", "stderr", OUTPUT_LEVEL},
        {NULL, "0:stderr", "0:stderr", OUTPUT_LEVEL},
        {NULL, "5:stderr", "5:stderr", OUTPUT_LEVEL},
        {NULL, "12:stderr", "12:stderr", OUTPUT_LEVEL},
        {NULL, "1", "1", OUTPUT_LEVEL},
        {NULL, ":", ":", OUTPUT_LEVEL},
        {NULL, "1:", "1:", OUTPUT},
        {NULL, "1:stdout", "1:stdout", OUTPUT},
        {NULL, "1:stderr:x", "1:stderr:x", OUTPUT},
        {NULL, "1:syslog", "1:syslog", OUTPUT},
        {NULL, "1:syslog:", "1:syslog:", OUTPUT},
        {NULL, "1:file:", "1:file:", OUTPUT},
        {NULL, "1:file: wrong", "1:file:", OUTPUT},
        {NULL, "1:file:wrong 2:file:wrong2 3:x", "3:x", OUTPUT},
        {NULL, "1:file:no/such/file", "1:file:no/such/file", "No such file or directory"},
        {NULL, "1:file:.", "1:file:.", "Is a directory"},
        {"1", "1:stderr", "1", FILTER},
        {"1:", "1:stderr", "1:", FILTER},
        {"5:http", "1:stderr", "5:http", FILTER},
        {"http", "1:stderr", "http", FILTER},
        {"1:http 2:app 0:x", "1:stderr", "0:x", FILTER},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        vg_autofree char *message = NULL, *want = NULL;
        int rc = start("json", VG_LOG_INFO, rows[i].filters, rows[i].outputs, &message);
        assert_int_equal(rc, -1);
        assert_true(asprintf(&want, "log setting '%s': %s", rows[i].item, rows[i].why) >
                    0);
        assert_non_null(message);
        assert_string_equal(message, want);
    }
    vg_log_stop(); /* of what did not start: nothing */
    start_good("logfmt", VG_LOG_INFO, NULL, "1:file:right");
    vg_log(VG_LOG_INFO, "test", "works");
    vg_log_stop();
    vg_autofree char *text = read_text("right"), *wrong = read_text("wrong");
    assert_int_equal(count_lines(text), 1);
    assert_string_equal(wrong, "");
}

/* ---- when lines are written -------------------------------------------------------- */

/* Neither a second line nor stopping is needed. */
static void test_soon(void **state)
{
    (void)state;
    start_good("logfmt", VG_LOG_DEBUG, NULL, "1:file:soon");
    vg_log(VG_LOG_DEBUG, "test", "one");
    await_text("soon", "msg=one\n");
    vg_log(VG_LOG_ERROR, "test", "two");
    await_text("soon", "msg=two\n");
    vg_log(VG_LOG_INFO, "test", "three");
    await_text("soon", "msg=three\n");
    vg_log_stop();
    vg_autofree char *text = read_text("soon");
    assert_int_equal(count_lines(text), 3);
}

static void test_reopen(void **state)
{
    (void)state;
    assert_int_equal(mkdir("d", 0700), 0);
    start_good("logfmt", VG_LOG_INFO, NULL, "1:file:d/log 4:file:other");
    vg_log(VG_LOG_INFO, "test", "first");
    await_text("d/log", "msg=first\n");
    assert_int_equal(rename("d/log", "d/log.1"), 0);
    vg_log(VG_LOG_INFO, "test", "second"); /* no reopen yet */
    await_text("d/log.1", "msg=second\n");
    vg_log_reopen();
    await_file("d/log");
    vg_log(VG_LOG_INFO, "test", "third");
    await_text("d/log", "msg=third\n");
    /* it cannot be opened: the old one goes on */
    assert_int_equal(rename("d", "e"), 0);
    vg_log_reopen();
    vg_log(VG_LOG_ERROR, "test", "fourth");
    await_text("e/log", "msg=fourth\n");
    vg_log_stop();
    vg_autofree char *old = read_text("e/log.1"), *new = read_text("e/log"),
                     *other = read_text("other");
    assert_int_equal(count_lines(old), 2);
    assert_int_equal(count_lines(new), 2);
    assert_int_equal(count_lines(other), 1);
    vg_log_reopen(); /* of what has stopped: nothing */
}

/* ---- threads ----------------------------------------------------------------------- */

struct seen {
    unsigned char of[THREADS][LINES];
};

static void *log_lines(void *data)
{
    const size_t *thread = data;
    for (int i = 0; i < LINES; i++) {
        const struct vg_log_field fields[] = {VG_LOG_NUMBER("thread", (int64_t)*thread),
                                              VG_LOG_NUMBER("line", i)};
        vg_log_fields(i % 50 ? VG_LOG_INFO : VG_LOG_WARNING, "test", "a line\n", fields,
                      COUNT(fields));
    }
    return NULL;
}

static void run_threads(void (*meanwhile)(void))
{
    static size_t numbers[THREADS];
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, log_lines, &numbers[i]), 0);
    }
    if (meanwhile)
        meanwhile();
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

/* Each line of the text is whole, and none was seen before. */
static void see(const char *text, struct seen *seen)
{
    while (*text) {
        vg_autofree char *line = line_of(text, 0);
        json_auto_t *is = parse_line("json", line);
        assert_member(is, "msg", "a line\n");
        json_int_t thread = json_integer_value(json_object_get(is, "thread"));
        json_int_t number = json_integer_value(json_object_get(is, "line"));
        assert_in_range(thread, 0, THREADS - 1);
        assert_in_range(number, 0, LINES - 1);
        assert_int_equal(seen->of[thread][number]++, 0);
        /* a thread's lines keep their order */
        assert_true(number == 0 || seen->of[thread][number - 1]);
        text += strlen(line) + 1;
    }
}

static void assert_all_seen(const struct seen *seen)
{
    for (size_t i = 0; i < THREADS; i++)
        assert_null(memchr(seen->of[i], 0, LINES));
}

static void test_threads(void **state)
{
    (void)state;
    static struct seen seen;
    start_good("json", VG_LOG_INFO, NULL, "1:file:threads 3:file:urgent");
    run_threads(NULL);
    vg_log_stop(); /* writes the rest */
    vg_autofree char *text = read_text("threads"), *urgent = read_text("urgent");
    see(text, &seen);
    assert_all_seen(&seen);
    assert_int_equal(count_lines(urgent), THREADS * LINES / 50);
}

#define ROTATIONS 8

static void rotate(void)
{
    for (int i = 1; i <= ROTATIONS; i++) {
        char name[24];
        snprintf(name, sizeof(name), "rotated.%d", i);
        pause_ms(2);
        if (rename("rotated", name) == 0)
            vg_log_reopen();
    }
}

static void test_rotation(void **state)
{
    (void)state;
    static struct seen seen;
    start_good("json", VG_LOG_INFO, NULL, "1:file:rotated");
    run_threads(rotate);
    vg_log_stop();
    for (int i = 1; i <= ROTATIONS; i++) {
        char name[24];
        snprintf(name, sizeof(name), "rotated.%d", i);
        vg_autofree char *text = read_text(name);
        see(text, &seen);
    }
    vg_autofree char *text = read_text("rotated");
    see(text, &seen);
    assert_all_seen(&seen);
}

/* An output that takes nothing for a while: whoever logs is not kept waiting, what is
 * beyond the bound is counted, and the rest is whole. */
static char *drain(int fd, bool *stop)
{
    size_t n = 0, size = 0;
    char *text = NULL;
    for (;;) {
        if (size - n < 65537) {
            size += 1 << 20;
            text = realloc(text, size);
            assert_non_null(text);
        }
        ssize_t got = read(fd, text + n, 65536);
        n += got > 0 ? (size_t)got : 0;
        text[n] = '\0';
        if (got == 0)
            return text;
        if (got < 0)
            pause_ms(1);
        *stop = *stop || (n && strstr(text + (n > 400 ? n - 400 : 0), "lines lost"));
    }
}

static void *stop_log(void *data)
{
    (void)data;
    vg_log_stop();
    return NULL;
}

static void test_full(void **state)
{
    (void)state;
    enum { MANY = 12000, SIZE = 1000 }; /* 12 MB, the queue has 4 */
    char filler[SIZE + 1];
    bool noticed = false;
    pthread_t stopper;
    memset(filler, 'f', SIZE);
    filler[SIZE] = '\0';
    assert_int_equal(mkfifo("fifo", 0600), 0);
    vg_autofd int fd = open("fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(fd >= 0);
    start_good("json", VG_LOG_INFO, NULL, "1:file:fifo");
    for (int i = 0; i < MANY; i++)
        vg_log(VG_LOG_INFO, "test", "%s", filler);
    assert_int_equal(pthread_create(&stopper, NULL, stop_log, NULL), 0);
    vg_autofree char *text = drain(fd, &noticed);
    assert_int_equal(pthread_join(stopper, NULL), 0);
    assert_true(noticed);
    size_t written = 0;
    json_int_t lost = 0;
    for (const char *p = text; *p;) {
        vg_autofree char *line = line_of(p, 0);
        json_auto_t *is = parse_line("json", line);
        const json_t *n = json_object_get(is, "lines");
        lost += json_integer_value(n);
        if (n) {
            assert_member(is, "source", "log");
            assert_member(is, "level", "warning");
        } else {
            assert_member(is, "msg", filler);
            written++;
        }
        p += strlen(line) + 1;
    }
    assert_in_range(lost, 1, MANY - 1);
    assert_int_equal(written + (size_t)lost, MANY);
}

/* ---- without a log ----------------------------------------------------------------- */

static void test_stderr(void **state)
{
    (void)state;
    vg_autofree char *message = NULL;
    int saved = capture();
    vg_log(VG_LOG_DEBUG, "test", "not this");
    vg_log(VG_LOG_INFO, "test", "before\nit");
    int rc = start("json", VG_LOG_DEBUG, NULL, "3:stderr 1:file:meanwhile", &message);
    log_all_levels();
    vg_log_stop();
    vg_log_stop();
    vg_log(VG_LOG_DEBUG, "test", "not this");
    vg_log(VG_LOG_INFO, "test", "after");
    vg_autofree char *text = release(saved), *file = read_text("meanwhile");
    assert_int_equal(rc, 0);
    assert_int_equal(count_lines(file), 4);
    assert_int_equal(count_lines(text), 4);
    static const struct {
        const char *format, *message, *level;
    } rows[] = {{"logfmt", "before\nit", "info"},
                {"json", "broken", "error"},
                {"json", "careful", "warning"},
                {"logfmt", "after", "info"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        vg_autofree char *line = line_of(text, i);
        json_auto_t *is = parse_line(rows[i].format, line);
        assert_member(is, "msg", rows[i].message);
        assert_member(is, "level", rows[i].level);
    }
}

/* A closed or full stderr costs lines, nothing else. */
static void test_bad_output(void **state)
{
    (void)state;
    int saved = capture();
    close(STDERR_FILENO);
    vg_log(VG_LOG_ERROR, "test", "lost");
    vg_autofree char *text = release(saved);
    assert_string_equal(text, "");
    start_good("logfmt", VG_LOG_INFO, NULL, "1:file:/dev/full 1:file:good");
    log_all_levels();
    vg_log_stop();
    vg_autofree char *good = read_text("good");
    assert_int_equal(count_lines(good), 3);
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(directory) && chdir(directory) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    vg_autofree char *command = NULL;
    (void)state;
    if (chdir("/") < 0 || asprintf(&command, "rm -rf %s", directory) < 0)
        return -1;
    return system(command); /* NOLINT(cert-env33-c): a name of our own */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile),     cmocka_unit_test(test_random),
        cmocka_unit_test(test_fields),      cmocka_unit_test(test_exact),
        cmocka_unit_test(test_long),        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_outputs),     cmocka_unit_test(test_output_level),
        cmocka_unit_test(test_system_logs), cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_soon),        cmocka_unit_test(test_reopen),
        cmocka_unit_test(test_threads),     cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_full),        cmocka_unit_test(test_stderr),
        cmocka_unit_test(test_bad_output),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
