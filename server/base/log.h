/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The gateway's log: one line per event, logfmt or JSON, on the outputs that libvirt's
 * own grammar names. Lines are queued and written by one thread, so logging never blocks
 * a request; warnings and errors are on disk within milliseconds.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* libvirt's levels. */
enum vg_log_level {
    VG_LOG_DEBUG = 1,
    VG_LOG_INFO = 2,
    VG_LOG_WARNING = 3,
    VG_LOG_ERROR = 4,
};

/* One key=value of a line. Text is escaped as the format needs; NULL text is left out. */
struct vg_log_field {
    const char *key;
    const char *text;
    int64_t number; /* used when text is NULL and is_number */
    bool is_number;
};
#define VG_LOG_TEXT(k, v)                                                                \
    {                                                                                    \
        .key = (k), .text = (v)                                                          \
    }
#define VG_LOG_NUMBER(k, v)                                                              \
    {                                                                                    \
        .key = (k), .number = (v), .is_number = true                                     \
    }

/* Whether the outputs of a good list could be opened now; nothing is created. -1: *reterr
 * (owned by the caller; NULL: out of memory) says which not and why. */
int vg_log_check_outputs(const char *outputs, char **reterr);

/* How lines are written, and where. */
struct vg_log_options {
    enum vg_log_level level;
    bool json;                     /* else logfmt */
    const char *filters, *outputs; /* libvirt's own grammar; NULL: none */
};

/* Whether a line of this level from this source would be written anywhere, had the log
 * these options, which are good. Opens nothing. */
bool vg_log_would_write(const struct vg_log_options *options, enum vg_log_level level,
                        const char *source);

/* Opens the outputs, which the options name, and starts the writer thread. Before it (and
 * after vg_log_stop) lines go straight to stderr. -1: *reterr (owned by the caller) says
 * which output failed and why. */
int vg_log_start(const struct vg_log_options *options, char **reterr);

/* Writes what is queued and closes the outputs. */
void vg_log_stop(void);

/* Closes and opens the file outputs again (SIGHUP, after logrotate). Any thread. */
void vg_log_reopen(void);

/* Whether a line of this level from this source would be written anywhere. Cheap.
 * `source` is what filters match: "http", "host", "app", "libvirt", "access"... */
bool vg_log_enabled(enum vg_log_level level, const char *source);

/* One line. Any thread, never blocks on I/O; when the queue is full the line is dropped
 * and counted, and the count is logged. */
void vg_log(enum vg_log_level level, const char *source, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* One line with fields after the message; n fields. */
void vg_log_fields(enum vg_log_level level, const char *source, const char *message,
                   const struct vg_log_field *fields, unsigned int n);

/* The same, written at once: waits that long at most until the outputs have it. False:
 * one that takes this level has not, or none takes it. With 0 it does not wait, and says
 * whether they took the lines before. */
bool vg_log_fields_written(enum vg_log_level level, const char *source,
                           const char *message, const struct vg_log_field *fields,
                           unsigned int n, int64_t patience_ns);

/* Whether a line of this level from this source goes to an output. */
bool vg_log_has_output(enum vg_log_level level, const char *source);
