/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Filters and outputs in libvirt's grammar: "LEVEL:MATCH ...", "LEVEL:stderr",
 * "LEVEL:syslog:NAME", "LEVEL:file:PATH", "LEVEL:journald", separated by spaces.
 */
#include "server/base/log_internal.h"

#include "virtgate/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

static int fail(char **reterr, const char *item, const char *why)
{
    if (asprintf(reterr, "log setting '%s': %s", item, why) < 0)
        *reterr = NULL;
    return -1;
}

/* "2:rest": the level, and where the rest begins. */
static int parse_level(const char *item, enum vg_log_level *ret, const char **ret_rest)
{
    if (item[0] < '1' || item[0] > '4' || item[1] != ':')
        return -1;
    *ret = (enum vg_log_level)(item[0] - '0');
    *ret_rest = item + 2;
    return 0;
}

static int add_filter(struct vg_log_setup *setup, const char *item, char **reterr)
{
    struct vg_log_filter filter;
    const char *match;

    if (parse_level(item, &filter.level, &match) < 0 || !*match)
        return fail(reterr, item, "expected LEVEL:MATCH with a level from 1 to 4");
    struct vg_log_filter *grown =
        realloc(setup->filters, (setup->n_filters + 1) * sizeof(*grown));
    if (!grown)
        return fail(reterr, item, "out of memory");
    setup->filters = grown;
    filter.match = strdup(match);
    if (!filter.match)
        return fail(reterr, item, "out of memory");
    grown[setup->n_filters++] = filter;
    return 0;
}

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

/* Whether open_file() would succeed, without leaving a file behind. */
static int check_file(const char *path)
{
    vg_autofd int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK);
    vg_autofree char *copy = strdup(path);
    char *slash = copy ? strrchr(copy, '/') : NULL;

    if (fd >= 0 || errno != ENOENT || !slash)
        return fd >= 0 ? 0 : -1;
    if (!slash[1]) {
        errno = EISDIR;
        return -1;
    }
    slash[1] = '\0';
    return faccessat(AT_FDCWD, copy, W_OK | X_OK, AT_EACCESS);
}

static int check_output(struct vg_log_setup *setup, const char *item, char **reterr)
{
    (void)setup;
    if (strncmp(item + 2, "file:", 5) != 0 || check_file(item + 7) == 0)
        return 0;
    if (asprintf(reterr, "cannot write to `%s`: %s", item + 7, strerror(errno)) < 0)
        *reterr = NULL;
    return -1;
}

static int add_output(struct vg_log_setup *setup, const char *item, char **reterr)
{
    struct vg_log_output out = {.fd = -1};
    const char *kind, *argument = NULL;

    if (parse_level(item, &out.level, &kind) < 0)
        return fail(reterr, item, "expected LEVEL:OUTPUT with a level from 1 to 4");
    if (strcmp(kind, "stderr") == 0) {
        out.kind = VG_LOG_TO_STDERR;
    } else if (strcmp(kind, "journald") == 0) {
        out.kind = VG_LOG_TO_JOURNALD;
    } else if (strncmp(kind, "syslog:", 7) == 0 && kind[7]) {
        out.kind = VG_LOG_TO_SYSLOG;
        argument = kind + 7;
    } else if (strncmp(kind, "file:", 5) == 0 && kind[5]) {
        out.kind = VG_LOG_TO_FILE;
        argument = kind + 5;
    } else {
        return fail(reterr, item,
                    "expected LEVEL:stderr, LEVEL:syslog:NAME, LEVEL:file:PATH or "
                    "LEVEL:journald");
    }
    struct vg_log_output *grown =
        realloc(setup->outputs, (setup->n_outputs + 1) * sizeof(*grown));
    if (!grown)
        return fail(reterr, item, "out of memory");
    setup->outputs = grown;
    if (argument && !(out.argument = strdup(argument)))
        return fail(reterr, item, "out of memory");
    if (out.kind == VG_LOG_TO_FILE && (out.fd = open_file(argument)) < 0) {
        free(out.argument);
        return fail(reterr, item, strerror(errno));
    }
    if (out.kind == VG_LOG_TO_SYSLOG)
        openlog(out.argument, LOG_PID, LOG_DAEMON);
    grown[setup->n_outputs++] = out;
    return 0;
}

/* An output that is not opened: all that is wanted is its level. */
static int add_level(struct vg_log_setup *setup, const char *item, char **reterr)
{
    struct vg_log_output out = {.kind = VG_LOG_TO_STDERR, .fd = -1};
    const char *kind;

    if (parse_level(item, &out.level, &kind) < 0)
        return fail(reterr, item, "expected LEVEL:OUTPUT with a level from 1 to 4");
    struct vg_log_output *grown =
        realloc(setup->outputs, (setup->n_outputs + 1) * sizeof(*grown));
    if (!grown)
        return fail(reterr, item, "out of memory");
    setup->outputs = grown;
    grown[setup->n_outputs++] = out;
    return 0;
}

static int each_item(struct vg_log_setup *setup, const char *list,
                     int (*add)(struct vg_log_setup *, const char *, char **),
                     char **reterr)
{
    for (const char *p = list ? list : ""; *p;) {
        p += strspn(p, " \t\n");
        size_t n = strcspn(p, " \t\n");
        vg_autofree char *item = strndup(p, n);
        if (n && (!item || add(setup, item, reterr) < 0))
            return -1;
        p += n;
    }
    return 0;
}

int vg_log_check_outputs(const char *outputs, char **reterr)
{
    return each_item(NULL, outputs, check_output, reterr);
}

bool vg_log_setup_writes(const struct vg_log_setup *setup, enum vg_log_level level,
                         const char *source)
{
    bool has = false;
    for (size_t i = 0; i < setup->n_outputs; i++)
        has |= level >= setup->outputs[i].level;
    return has && vg_log_setup_passes(setup, level, source);
}

bool vg_log_would_write(const struct vg_log_options *options, enum vg_log_level level,
                        const char *source)
{
    struct vg_log_setup setup = {.level = options->level};
    vg_autofree char *message = NULL;
    bool would = each_item(&setup, options->filters, add_filter, &message) == 0 &&
                 each_item(&setup, options->outputs, add_level, &message) == 0 &&
                 vg_log_setup_writes(&setup, level, source);
    vg_log_setup_close(&setup);
    return would;
}

int vg_log_setup_open(struct vg_log_setup *setup, const struct vg_log_options *options,
                      char **reterr)
{
    setup->level = options->level;
    setup->json = options->json;
    return each_item(setup, options->filters, add_filter, reterr) < 0 ||
                   each_item(setup, options->outputs, add_output, reterr) < 0
               ? -1
               : 0;
}

void vg_log_setup_reopen(struct vg_log_setup *setup)
{
    for (size_t i = 0; i < setup->n_outputs; i++) {
        struct vg_log_output *out = &setup->outputs[i];
        int fd = out->kind == VG_LOG_TO_FILE ? open_file(out->argument) : -1;
        out->error = out->kind == VG_LOG_TO_FILE && fd < 0 ? errno : 0;
        if (fd < 0)
            continue; /* the old one is better than none */
        close(out->fd);
        out->fd = fd;
    }
}

void vg_log_setup_close_outputs(struct vg_log_setup *setup)
{
    for (size_t i = 0; i < setup->n_outputs; i++) {
        if (setup->outputs[i].kind == VG_LOG_TO_SYSLOG)
            closelog(); /* it keeps the pointer to the name */
        if (setup->outputs[i].fd >= 0)
            close(setup->outputs[i].fd);
        free(setup->outputs[i].argument);
    }
    free(setup->outputs);
    setup->outputs = NULL;
    setup->n_outputs = 0;
}

void vg_log_setup_close(struct vg_log_setup *setup)
{
    vg_log_setup_close_outputs(setup);
    for (size_t i = 0; i < setup->n_filters; i++)
        free(setup->filters[i].match);
    free(setup->filters);
    *setup = (struct vg_log_setup){.level = VG_LOG_INFO};
}

static int priority(enum vg_log_level level)
{
    static const int of[] = {LOG_DEBUG, LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERR};
    return of[level];
}

/* Nobody can be told of a log that cannot be written: a full disk or a closed pipe costs
 * lines, never the service. */
static bool write_fd(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        p += done;
        n -= (size_t)done;
    }
    return true;
}

bool vg_log_write(const struct vg_log_output *output, enum vg_log_level level,
                  const char *lines, size_t n)
{
    bool good = true;

    if (output->kind == VG_LOG_TO_STDERR || output->kind == VG_LOG_TO_FILE)
        return write_fd(output->kind == VG_LOG_TO_FILE ? output->fd : STDERR_FILENO,
                        lines, n);
    for (const char *p = lines, *end = lines + n; p < end;) {
        const char *eol = memchr(p, '\n', (size_t)(end - p));
        int length = (int)((eol ? eol : end) - p);
        if (output->kind == VG_LOG_TO_SYSLOG)
            syslog(priority(level), "%.*s", length, p); /* it does not tell */
        else if (sd_journal_send("MESSAGE=%.*s", length, p, "PRIORITY=%i",
                                 priority(level), "SYSLOG_IDENTIFIER=virtgate", NULL) < 0)
            good = false;
        p += length + 1;
    }
    return good;
}
