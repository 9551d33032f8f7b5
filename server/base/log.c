/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Lines are formatted by the thread that logs, appended to a buffer under a mutex, and
 * written by one thread that swaps the buffer: at once for warnings and errors, else
 * within FLUSH_NS. In the buffer each line has a small header, since outputs take
 * different levels.
 */
#include "server/base/log.h"

#include "server/base/clock.h"
#include "server/base/digits.h"
#include "server/base/log_internal.h"
#include "virtgate/cleanup.h"
#include "virtgate/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define BUFFER_SIZE (4 * 1024 * 1024)
#define FLUSH_NS    20000000
#define LAST_NS     VG_SECOND_NS /* the outputs have this long for the last lines */

struct record {
    unsigned int level;
    unsigned int length;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake, gone, written;
static pthread_t writer;
static bool running, stopping, reopen, urgent;
static char *buffer, *spare;
static size_t used;
static unsigned long dropped;
/* Buffers are numbered: the last one that was begun, and written to the end; which of
 * them an output did not take. */
#define REMEMBERED 64
static uint64_t last_begun = 1, last_written = 1, failed[REMEMBERED];
static struct vg_log_setup setup = {.level = VG_LOG_INFO};

static const char *const level_names[] = {"", "debug", "info", "warning", "error"};

/* ---- the queue, as threads that log see it ---------------------------------------- */

/* The number of the buffer that the line goes with; 0: it is lost. */
static uint64_t append(enum vg_log_level level, const char *line, size_t n, bool now)
{
    const struct record head = {.level = level, .length = (unsigned int)n};

    VG_LOCK(&lock);
    if (!running) {
        const struct vg_log_output direct = {.kind = VG_LOG_TO_STDERR, .fd = -1};
        return vg_log_write(&direct, level, line, n) ? last_written : 0;
    }
    if (used + sizeof(head) + n > BUFFER_SIZE) {
        dropped++;
        return 0;
    }
    memcpy(buffer + used, &head, sizeof(head));
    memcpy(buffer + used + sizeof(head), line, n);
    bool first = used == 0;
    used += sizeof(head) + n;
    if (first)
        pthread_cond_signal(&wake); /* the writer starts to count FLUSH_NS */
    if (now || level >= VG_LOG_WARNING || used > BUFFER_SIZE / 2) {
        urgent = true;
        pthread_cond_signal(&wake);
    }
    return last_begun + 1;
}

/* ---- lines ------------------------------------------------------------------------- */

/* UTC to the millisecond; the part down to the second is made once a second and thread.
 * Good until the thread's next line. */
static const char *now_text(void)
{
    static _Thread_local time_t second;
    static _Thread_local char text[32];
    struct timespec now;
    struct tm tm;

    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec != second) {
        gmtime_r(&now.tv_sec, &tm);
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S.000Z", &tm);
        second = now.tv_sec;
    }
    long ms = now.tv_nsec / 1000000;
    text[20] = (char)('0' + ms / 100);
    text[21] = (char)('0' + ms / 10 % 10);
    text[22] = (char)('0' + ms % 10);
    return text;
}

/* Whether a logfmt value with this byte needs no quotes: printable ASCII but for the
 * space, `"`, `=` and `\`. */
static bool is_bare(unsigned char c)
{
    static const uint64_t set[4] = {
        ~UINT64_C(0) << '!' & ~(UINT64_C(1) << '"') & ~(UINT64_C(1) << '='),
        ~(UINT64_C(1) << ('\\' - 64)) & ~(UINT64_C(1) << (0x7F - 64))};
    return set[c >> 6] >> (c & 63) & 1;
}

/* At most so many bytes of a text of n: each escaped, and the quotes. */
static size_t quoted_size(size_t n)
{
    return 6 * n + 2;
}

/* The functions below write to a buffer that is large enough, and return where what they
 * wrote ends. */

static char *put_text(char *p, const char *text)
{
    return mempcpy(p, text, strlen(text));
}

static char *put_quoted(char *p, const char *text)
{
    vg_auto_json quoted = {0};
    /* a JSON string is a valid quoted logfmt value, and never holds a newline */
    vg_json_string(&quoted, NULL, text);
    /* without memory for it, a line with one text lost is better than none */
    return quoted.text.failed ? put_text(p, "\"\"")
                              : mempcpy(p, quoted.text.data, quoted.text.len);
}

static char *put_value(char *p, const char *text)
{
    size_t n = 0;

    for (; is_bare((unsigned char)text[n]); n++) /* the NUL is not */
        p[n] = text[n];
    return n && text[n] == '\0' ? p + n : put_quoted(p, text);
}

static char *put_number(char *p, int64_t number)
{
    char text[VG_DIGITS_MAX], *end = text + sizeof(text);
    char *first = vg_digits_before(end, vg_magnitude(number));
    if (number < 0)
        *--first = '-';
    return mempcpy(p, first, (size_t)(end - first));
}

static char *put_pair(char *p, const char *key, const char *text)
{
    *p++ = ' ';
    p = put_text(p, key);
    *p++ = '=';
    return put_value(p, text);
}

static char *put_field(char *p, const struct vg_log_field *field)
{
    if (field->text)
        return put_pair(p, field->key, field->text);
    if (!field->is_number)
        return p;
    *p++ = ' ';
    p = put_text(p, field->key);
    *p++ = '=';
    return put_number(p, field->number);
}

static size_t logfmt_size(const char *source, const char *message,
                          const struct vg_log_field *fields, unsigned int n)
{
    size_t size = 100 + quoted_size(strlen(source)) + quoted_size(strlen(message));
    for (unsigned int i = 0; i < n; i++)
        size += strlen(fields[i].key) + 2 +
                (fields[i].text ? quoted_size(strlen(fields[i].text)) : VG_DIGITS_MAX);
    return size;
}

/* Most lines need no memory. */
static uint64_t log_logfmt(enum vg_log_level level, const char *source,
                           const char *message, const struct vg_log_field *fields,
                           unsigned int n, bool now)
{
    char small[2048];
    size_t size = logfmt_size(source, message, fields, n);
    vg_autofree char *large = size > sizeof(small) ? malloc(size) : NULL;
    char *line = size > sizeof(small) ? large : small;

    if (!line)
        return 0;
    char *p = put_text(line, "time=");
    p = put_text(p, now_text());
    p = put_pair(p, "level", level_names[level]);
    p = put_pair(p, "source", source);
    p = put_pair(p, "msg", message);
    for (unsigned int i = 0; i < n; i++)
        p = put_field(p, &fields[i]);
    *p++ = '\n';
    return append(level, line, (size_t)(p - line), now);
}

static uint64_t log_json(enum vg_log_level level, const char *source, const char *message,
                         const struct vg_log_field *fields, unsigned int n, bool now)
{
    vg_auto_json w = {0};

    vg_json_begin_object(&w, NULL);
    vg_json_string(&w, "time", now_text());
    vg_json_string(&w, "level", level_names[level]);
    vg_json_string(&w, "source", source);
    vg_json_string(&w, "msg", message);
    for (unsigned int i = 0; i < n; i++) {
        if (fields[i].text)
            vg_json_string(&w, fields[i].key, fields[i].text);
        else if (fields[i].is_number)
            vg_json_int(&w, fields[i].key, fields[i].number);
    }
    vg_json_end_object(&w);
    w.comma = false;
    vg_json_raw(&w, NULL, "\n", 1);
    return w.text.failed ? 0 : append(level, w.text.data, w.text.len, now);
}

/* ---- the queue, as the writer sees it --------------------------------------------- */

/* Lines of one level go to an output in one write. False: it did not take them all. */
static bool write_records(const char *data, size_t n, const struct vg_log_output *output,
                          char *scratch)
{
    size_t gathered = 0;
    unsigned int gathered_level = 0;
    bool good = true;

    for (size_t at = 0; at < n;) {
        struct record head;
        memcpy(&head, data + at, sizeof(head));
        at += sizeof(head);
        bool wanted = head.level >= (unsigned int)output->level;
        bool lines = output->kind == VG_LOG_TO_STDERR || output->kind == VG_LOG_TO_FILE;
        if (gathered && !lines && head.level != gathered_level) {
            good &= vg_log_write(output, gathered_level, scratch, gathered);
            gathered = 0;
        }
        if (wanted) {
            memcpy(scratch + gathered, data + at, head.length);
            gathered += head.length;
            gathered_level = head.level;
        }
        at += head.length;
    }
    if (gathered)
        good &= vg_log_write(output, gathered_level, scratch, gathered);
    return good;
}

static void note_dropped(unsigned long lost)
{
    const struct vg_log_field fields[] = {VG_LOG_NUMBER("lines", (int64_t)lost)};
    if (lost)
        vg_log_fields(VG_LOG_WARNING, "log", "lines lost: the log's outputs are too slow",
                      fields, 1);
}

static void note_not_reopened(void)
{
    for (size_t i = 0; i < setup.n_outputs; i++) {
        const struct vg_log_output *out = &setup.outputs[i];
        if (out->error)
            vg_log(VG_LOG_ERROR, "log",
                   "cannot open `%s` again, the file that was open is written on: %s",
                   out->argument, strerror(out->error));
    }
}

/* Takes what is queued; lock held, released while writing. */
static void flush(char *scratch)
{
    char *data = buffer;
    size_t n = used;
    unsigned long lost = dropped;

    buffer = spare;
    spare = data;
    used = 0;
    dropped = 0;
    last_begun++;
    urgent = false;
    bool reopened = reopen;
    reopen = false;
    pthread_mutex_unlock(&lock);
    if (reopened) /* it may block: on a pipe that nobody has open */
        vg_log_setup_reopen(&setup);
    bool good = true;
    for (size_t i = 0; i < setup.n_outputs; i++)
        good &= write_records(data, n, &setup.outputs[i], scratch);
    note_dropped(lost);
    if (reopened)
        note_not_reopened();
    pthread_mutex_lock(&lock);
    if (!good)
        failed[last_begun % REMEMBERED] = last_begun;
    last_written = last_begun;
    pthread_cond_broadcast(&written);
}

static void *writer_main(void *data)
{
    char *scratch = data;

    pthread_mutex_lock(&lock);
    while (!stopping || used) {
        if (!urgent && !stopping && !reopen) {
            if (!used) {
                pthread_cond_wait(&wake, &lock);
                continue; /* the first line: others may join it */
            }
            const struct timespec until = vg_from_now(FLUSH_NS);
            pthread_cond_timedwait(&wake, &lock, &until);
        }
        if (used || reopen || dropped)
            flush(scratch);
    }
    pthread_cond_broadcast(&written);
    running = false; /* from here on lines go to stderr: none is left in the buffer */
    pthread_cond_broadcast(&gone);
    pthread_mutex_unlock(&lock);
    free(scratch);
    return NULL;
}

/* ---- public ------------------------------------------------------------------------ */

int vg_log_start(const struct vg_log_options *options, char **reterr)
{
    char *scratch = NULL;

    vg_log_setup_close(&setup);
    if (vg_log_setup_open(&setup, options, reterr) < 0) {
        vg_log_setup_close(&setup);
        return -1;
    }
    vg_cond_init(&wake);
    vg_cond_init(&gone);
    vg_cond_init(&written);
    buffer = malloc(BUFFER_SIZE);
    spare = malloc(BUFFER_SIZE);
    scratch = malloc(BUFFER_SIZE);
    stopping = false;
    if (!buffer || !spare || !scratch ||
        pthread_create(&writer, NULL, writer_main, scratch) != 0) {
        free(buffer);
        free(spare);
        free(scratch);
        buffer = spare = NULL;
        vg_log_setup_close(&setup);
        *reterr = strdup("cannot start the log's thread");
        return -1;
    }
    VG_LOCK(&lock);
    running = true;
    return 0;
}

/* False: it is not, an output blocks. */
static bool await_writer(void)
{
    const struct timespec until = vg_from_now(LAST_NS);
    int rc = 0;

    VG_LOCK(&lock);
    stopping = true;
    pthread_cond_signal(&wake);
    while (running && rc == 0)
        rc = pthread_cond_timedwait(&gone, &lock, &until);
    return !running;
}

void vg_log_stop(void)
{
    {
        VG_LOCK(&lock);
        if (!running)
            return;
    }
    if (!await_writer())
        return; /* it goes with the process, and so do its buffers */
    pthread_join(writer, NULL);
    VG_LOCK(&lock);
    /* a thread that outlives its deadline may still ask for level, filters and format */
    vg_log_setup_close_outputs(&setup);
    free(buffer);
    free(spare);
    buffer = spare = NULL;
    used = 0;
}

void vg_log_reopen(void)
{
    VG_LOCK(&lock);
    reopen = true;
    if (running)
        pthread_cond_signal(&wake);
}

bool vg_log_enabled(enum vg_log_level level, const char *source)
{
    return vg_log_setup_passes(&setup, level, source);
}

static uint64_t write_line(enum vg_log_level level, const char *source,
                           const char *message, const struct vg_log_field *fields,
                           unsigned int n, bool now)
{
    return setup.json ? log_json(level, source, message, fields, n, now)
                      : log_logfmt(level, source, message, fields, n, now);
}

void vg_log_fields(enum vg_log_level level, const char *source, const char *message,
                   const struct vg_log_field *fields, unsigned int n)
{
    if (vg_log_enabled(level, source))
        (void)write_line(level, source, message, fields, n, false);
}

bool vg_log_has_output(enum vg_log_level level, const char *source)
{
    return vg_log_setup_writes(&setup, level, source);
}

/* Whether the outputs have taken the buffer of that number, in that time. */
static bool await_written(uint64_t number, int64_t patience_ns)
{
    const struct timespec until = vg_from_now(patience_ns);
    int rc = 0;

    VG_LOCK(&lock);
    if (!patience_ns)
        number = last_written;
    while (last_written < number && running && rc == 0)
        rc = pthread_cond_timedwait(&written, &lock, &until);
    return last_written >= number && failed[number % REMEMBERED] != number;
}

bool vg_log_fields_written(enum vg_log_level level, const char *source,
                           const char *message, const struct vg_log_field *fields,
                           unsigned int n, int64_t patience_ns)
{
    if (!vg_log_has_output(level, source))
        return false;
    uint64_t number = write_line(level, source, message, fields, n, true);
    return number && await_written(number, patience_ns);
}

void vg_log(enum vg_log_level level, const char *source, const char *fmt, ...)
{
    vg_autofree char *message = NULL;
    va_list args;

    if (!vg_log_enabled(level, source))
        return;
    va_start(args, fmt);
    int n = vasprintf(&message, fmt, args);
    va_end(args);
    if (n < 0) {
        message = NULL;
        return;
    }
    vg_log_fields(level, source, message, NULL, 0);
}
