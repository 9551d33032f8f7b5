/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The configuration: options of the command line, the environment and the config file, in
 * that order of precedence, all from the table config.def. Read-only after start.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct vg_texts {
    char **v;
    size_t n;
};

struct vg_host_config {
    char *name;
    char *uri; /* NULL: libvirt's own choice (only for "default") */
};

struct vg_host_configs {
    struct vg_host_config *v;
    size_t n;
};

#define VG_CONFIG_C_TEXT   char *
#define VG_CONFIG_C_TEXTS  struct vg_texts
#define VG_CONFIG_C_NUMBER int64_t
#define VG_CONFIG_C_BOOL   bool
#define VG_CONFIG_C_SWITCH bool
#define VG_CONFIG_C_HOSTS  struct vg_host_configs

struct vg_config {
#define X(field, KIND, name, letter, arg, def, min, max, help) VG_CONFIG_C_##KIND field;
#include "server/config/config.def"
#undef X
    /* The descriptor of the first socket that systemd gave; `listen` names them. 0: none
     * was given, they are to be opened. */
    int first_inherited;
};

enum vg_config_action {
    VG_CONFIG_RUN,
    VG_CONFIG_CHECK,   /* --check-config: everything was read and is valid */
    VG_CONFIG_VERSION, /* --version */
    VG_CONFIG_HELP,    /* --help */
};

/* Reads argv, the environment and the config file into *ret (untouched on failure),
 * checks every value, and puts the host "default" first in hosts (always there:
 * `connect`, or NULL). On failure -1, and *ret_message (owned) is one line that names the
 * option, and for a config file the file and line. No thread may run yet. */
int vg_config_read(int argc, char **argv, struct vg_config *ret,
                   enum vg_config_action *ret_action, char **ret_message);

/* Calls `say` for each variable VIRTGATE_... of the environment that is no option's: a
 * misspelt one, most likely. No thread may change the environment meanwhile. */
void vg_config_find_unknown(void (*say)(const char *name));

void vg_config_clear(struct vg_config *config);

/* The table, one JSON object a line, for the generators of man pages and completions. */
void vg_config_dump(FILE *out);

/* --help, from the table. */
void vg_config_help(FILE *out);
