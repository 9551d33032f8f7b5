/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Lines are formatted by the thread that logs, appended to a buffer under a mutex, and
 * written by one thread that swaps the buffer: at once for warnings and errors, else
 * within FLUSH_NS. In the buffer each line has a small header, since outputs take
 * different levels.
 */
#include "virtgate/log.h"

#include "server/clock.h"
#include "server/log_internal.h"
#include "virtgate/cleanup.h"
#include "virtgate/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define BUFFER_SIZE (4 * 1024 * 1024)
#define FLUSH_NS    20000000

struct record {
    unsigned int level;
    unsigned int length;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake;
static pthread_t writer;
static bool running, stopping, reopen, urgent;
static char *buffer, *spare;
static size_t used;
static unsigned long dropped;
static struct vg_log_setup setup = {.level = VG_LOG_INFO};

static const char *const level_names[] = {"", "debug", "info", "warning", "error"};

/* ---- lines ------------------------------------------------------------------------- */

/* UTC to the millisecond; the part down to the second is made once a second and thread.
 */
static void put_time(struct vg_json *w, const char *key)
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
    if (key)
        vg_json_string(w, key, text);
    else
        vg_json_raw(w, NULL, text, strlen(text));
}

/* Whether a logfmt value needs no quotes. */
static bool is_bare(const char *s)
{
    if (!*s)
        return false;
    for (; *s; s++)
        if (*s <= ' ' || *s == '"' || *s == '=' || *s == '\\' || *s > '~')
            return false;
    return true;
}

/* Text as it is: what the JSON writer puts between items has no place in logfmt. */
static void put_raw(struct vg_json *w, const char *text)
{
    w->comma = false;
    vg_json_raw(w, NULL, text, strlen(text));
    w->comma = false;
}

static void put_key(struct vg_json *w, const char *key)
{
    put_raw(w, " ");
    put_raw(w, key);
    put_raw(w, "=");
}

static void put_pair(struct vg_json *w, const char *key, const char *text)
{
    put_key(w, key);
    /* a JSON string is a valid quoted logfmt value, and never holds a newline */
    if (is_bare(text))
        put_raw(w, text);
    else
        vg_json_string(w, NULL, text);
}

static void format_logfmt(struct vg_json *w, enum vg_log_level level, const char *source,
                          const char *message, const struct vg_log_field *fields,
                          unsigned int n)
{
    put_raw(w, "time=");
    put_time(w, NULL);
    put_pair(w, "level", level_names[level]);
    put_pair(w, "source", source);
    put_pair(w, "msg", message);
    for (unsigned int i = 0; i < n; i++) {
        if (fields[i].text) {
            put_pair(w, fields[i].key, fields[i].text);
        } else if (fields[i].is_number) {
            put_key(w, fields[i].key);
            vg_json_int(w, NULL, fields[i].number);
        }
    }
}

static void format_json(struct vg_json *w, enum vg_log_level level, const char *source,
                        const char *message, const struct vg_log_field *fields,
                        unsigned int n)
{
    vg_json_begin_object(w, NULL);
    put_time(w, "time");
    vg_json_string(w, "level", level_names[level]);
    vg_json_string(w, "source", source);
    vg_json_string(w, "msg", message);
    for (unsigned int i = 0; i < n; i++) {
        if (fields[i].text)
            vg_json_string(w, fields[i].key, fields[i].text);
        else if (fields[i].is_number)
            vg_json_int(w, fields[i].key, fields[i].number);
    }
    vg_json_end_object(w);
}

/* ---- the queue --------------------------------------------------------------------- */

static void append(enum vg_log_level level, const char *line, size_t n)
{
    const struct record head = {.level = level, .length = (unsigned int)n};

    VG_LOCK(&lock);
    if (!running) {
        const struct vg_log_output direct = {.kind = VG_LOG_TO_STDERR, .fd = -1};
        vg_log_write(&direct, level, line, n);
        return;
    }
    if (used + sizeof(head) + n > BUFFER_SIZE) {
        dropped++;
        return;
    }
    memcpy(buffer + used, &head, sizeof(head));
    memcpy(buffer + used + sizeof(head), line, n);
    bool first = used == 0;
    used += sizeof(head) + n;
    if (first)
        pthread_cond_signal(&wake); /* the writer starts to count FLUSH_NS */
    if (level >= VG_LOG_WARNING || used > BUFFER_SIZE / 2) {
        urgent = true;
        pthread_cond_signal(&wake);
    }
}

/* Lines of one level go to an output in one write. */
static void write_records(const char *data, size_t n, const struct vg_log_output *output,
                          char *scratch)
{
    size_t gathered = 0;
    unsigned int gathered_level = 0;

    for (size_t at = 0; at < n;) {
        struct record head;
        memcpy(&head, data + at, sizeof(head));
        at += sizeof(head);
        bool wanted = head.level >= (unsigned int)output->level;
        bool lines = output->kind == VG_LOG_TO_STDERR || output->kind == VG_LOG_TO_FILE;
        if (gathered && !lines && head.level != gathered_level) {
            vg_log_write(output, gathered_level, scratch, gathered);
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
        vg_log_write(output, gathered_level, scratch, gathered);
}

static void note_dropped(unsigned long lost)
{
    const struct vg_log_field fields[] = {VG_LOG_NUMBER("lines", (int64_t)lost)};
    if (lost)
        vg_log_fields(VG_LOG_WARNING, "log", "lines lost: the log's outputs are too slow",
                      fields, 1);
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
    urgent = false;
    if (reopen)
        vg_log_setup_reopen(&setup);
    reopen = false;
    pthread_mutex_unlock(&lock);
    for (size_t i = 0; i < setup.n_outputs; i++)
        write_records(data, n, &setup.outputs[i], scratch);
    note_dropped(lost);
    pthread_mutex_lock(&lock);
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
    running = false; /* from here on lines go to stderr: none is left in the buffer */
    pthread_mutex_unlock(&lock);
    free(scratch);
    return NULL;
}

/* ---- public ------------------------------------------------------------------------ */

int vg_log_start(const struct vg_config *config, char **reterr)
{
    char *scratch = NULL;

    vg_log_setup_close(&setup);
    if (vg_log_setup_open(&setup, config, reterr) < 0) {
        vg_log_setup_close(&setup);
        return -1;
    }
    vg_cond_init(&wake);
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

void vg_log_stop(void)
{
    {
        VG_LOCK(&lock);
        if (!running)
            return;
        stopping = true;
        pthread_cond_signal(&wake);
    }
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
    for (size_t i = 0; i < setup.n_filters; i++)
        if (strstr(source, setup.filters[i].match))
            return level >= setup.filters[i].level;
    return level >= setup.level;
}

void vg_log_fields(enum vg_log_level level, const char *source, const char *message,
                   const struct vg_log_field *fields, unsigned int n)
{
    vg_auto_json line = {0};

    if (!vg_log_enabled(level, source))
        return;
    if (setup.json)
        format_json(&line, level, source, message, fields, n);
    else
        format_logfmt(&line, level, source, message, fields, n);
    put_raw(&line, "\n");
    if (!line.failed)
        append(level, line.data, line.len);
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
