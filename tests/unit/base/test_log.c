/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The log's lines, filters and outputs.
 */
#include "tests/unit/base/log_fixture.h"

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

/* time(2) is some milliseconds behind. */
static time_t seconds_of_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
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
        time_t before = seconds_of_now();
        vg_log_fields(VG_LOG_INFO, "access", "GET \"x\"", fields, COUNT(fields));
        time_t after = seconds_of_now();
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
    await_text("e/log",
               "cannot open `d/log` again, the file that was open is written on: "
               "No such file or directory\"\n");
    vg_log_stop();
    vg_autofree char *old = read_text("e/log.1"), *new = read_text("e/log"),
                     *other = read_text("other");
    assert_int_equal(count_lines(old), 2);
    assert_int_equal(count_lines(new), 3);
    assert_int_equal(count_lines(other), 2);
    vg_log_reopen(); /* of what has stopped: nothing */
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
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
