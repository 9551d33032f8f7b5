/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The log under many threads, a full queue, rotation, and before and after it runs.
 */
#include "tests/unit/base/log_fixture.h"

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
    vg_log(VG_LOG_INFO, "test", "after"); /* as configured */
    vg_autofree char *text = release(saved), *file = read_text("meanwhile");
    assert_int_equal(rc, 0);
    assert_int_equal(count_lines(file), 4);
    assert_int_equal(count_lines(text), 4);
    static const struct {
        const char *format, *message, *level;
    } rows[] = {{"logfmt", "before\nit", "info"},
                {"json", "broken", "error"},
                {"json", "careful", "warning"},
                {"json", "after", "info"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        vg_autofree char *line = line_of(text, i);
        json_auto_t *is = parse_line(rows[i].format, line);
        assert_member(is, "msg", rows[i].message);
        assert_member(is, "level", rows[i].level);
    }
}

static void stop_soon(void)
{
    pause_ms(2);
    vg_log_stop();
}

/* A line is written by the log, or by its thread once the log has stopped. */
static void test_stop(void **state)
{
    (void)state;
    static struct seen seen;
    start_good("json", VG_LOG_INFO, "2:test", "1:file:stopped");
    int saved = capture();
    run_threads(stop_soon);
    vg_autofree char *after = release(saved), *before = read_text("stopped");
    see(before, &seen);
    see(after, &seen);
    assert_all_seen(&seen);
}

/* A log that could not start is as one that was not asked to. */
static void test_not_started(void **state)
{
    (void)state;
    vg_autofree char *message = NULL;
    int saved = capture();
    int rc = start("json", VG_LOG_DEBUG, "1:test", "1:nowhere", &message);
    vg_log(VG_LOG_DEBUG, "test", "not this");
    vg_log(VG_LOG_INFO, "test", "this");
    vg_autofree char *text = release(saved);
    assert_int_equal(rc, -1);
    assert_int_equal(count_lines(text), 1);
    vg_autofree char *line = line_of(text, 0);
    json_auto_t *is = parse_line("logfmt", line);
    assert_member(is, "msg", "this");
}

/* Lines that come one by one share writes: the pipe is seldom filled. */
static void test_batches(void **state)
{
    (void)state;
    enum { MANY = 40 };
    assert_int_equal(mkfifo("batches", 0600), 0);
    vg_autofd int fd = open("batches", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(fd >= 0);
    start_good("logfmt", VG_LOG_INFO, NULL, "1:file:batches");
    char text[8192];
    size_t reads = 0;
    for (int i = 0; i < MANY; i++) {
        vg_log(VG_LOG_INFO, "test", "line");
        pause_ms(1);
        reads += read(fd, text, sizeof(text)) > 0;
    }
    vg_log_stop();
    assert_in_range(reads, 0, MANY / 2);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* first, since the settings of a log that has stopped go on */
        cmocka_unit_test(test_stderr),   cmocka_unit_test(test_threads),
        cmocka_unit_test(test_rotation), cmocka_unit_test(test_full),
        cmocka_unit_test(test_stop),     cmocka_unit_test(test_not_started),
        cmocka_unit_test(test_batches),  cmocka_unit_test(test_bad_output),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
