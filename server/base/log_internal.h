/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The log's outputs, apart from its lines.
 */
#pragma once

#include "server/base/log.h"

#include <stddef.h>
#include <string.h>

enum vg_log_kind {
    VG_LOG_TO_STDERR,
    VG_LOG_TO_SYSLOG,
    VG_LOG_TO_FILE,
    VG_LOG_TO_JOURNALD
};

struct vg_log_output {
    enum vg_log_level level; /* least level written */
    enum vg_log_kind kind;
    char *argument; /* path or syslog name; owned */
    int fd;         /* file; else -1 */
    int error;      /* errno of its reopening; 0: none */
};

struct vg_log_filter {
    enum vg_log_level level;
    char *match; /* owned */
};

struct vg_log_setup {
    enum vg_log_level level; /* where no filter matches */
    bool json;
    struct vg_log_filter *filters;
    size_t n_filters;
    struct vg_log_output *outputs;
    size_t n_outputs;
};

/* Whether a line of this level from this source passes the filters. */
static inline bool vg_log_setup_passes(const struct vg_log_setup *setup,
                                       enum vg_log_level level, const char *source)
{
    for (size_t i = 0; i < setup->n_filters; i++)
        if (strstr(source, setup->filters[i].match))
            return level >= setup->filters[i].level;
    return level >= setup->level;
}

/* Whether it also has an output. */
bool vg_log_setup_writes(const struct vg_log_setup *setup, enum vg_log_level level,
                         const char *source);

/* Parses libvirt's grammar and opens the outputs. -1: *reterr (owned) says what is wrong.
 */
int vg_log_setup_open(struct vg_log_setup *setup, const struct vg_log_options *options,
                      char **reterr);
void vg_log_setup_reopen(struct vg_log_setup *setup);
/* Back to lines of level info and above. */
void vg_log_setup_close(struct vg_log_setup *setup);
void vg_log_setup_close_outputs(struct vg_log_setup *setup);

/* Writes whole lines (each ended by a newline) of one level to one output. False: it did
 * not take them all. */
bool vg_log_write(const struct vg_log_output *output, enum vg_log_level level,
                  const char *lines, size_t n);
