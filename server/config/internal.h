/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Private to server/config/: the table config.def as data, and what is known while a
 * configuration is being read.
 */
#pragma once

#include "server/config/config.h"

enum vg_config_kind {
    VG_CONFIG_K_TEXT,
    VG_CONFIG_K_TEXTS,
    VG_CONFIG_K_NUMBER,
    VG_CONFIG_K_BOOL,
    VG_CONFIG_K_SWITCH,
    VG_CONFIG_K_HOSTS,
};

enum vg_config_index {
#define X(field, KIND, name, letter, arg, def, min, max, help) VG_CONFIG_I_##field,
#include "server/config/config.def"
#undef X
    VG_CONFIG_COUNT
};

struct vg_config_option {
    const char *name;
    const char *arg; /* NULL: BOOL */
    const char *help;
    const char *text; /* the default of TEXT and TEXTS, or NULL */
    int64_t number;   /* the default of NUMBER, BOOL and SWITCH */
    int64_t min, max;
    size_t offset; /* of the field in struct vg_config */
    enum vg_config_kind kind;
    char letter;
};

extern const struct vg_config_option vg_config_options[VG_CONFIG_COUNT];

enum vg_config_level {
    VG_CONFIG_UNSET,
    VG_CONFIG_DEFAULT,
    VG_CONFIG_FILE,
    VG_CONFIG_ENVIRONMENT,
    VG_CONFIG_COMMAND_LINE,
};

struct vg_config_read {
    struct vg_config config;
    enum vg_config_level level[VG_CONFIG_COUNT]; /* that set the option */
    struct vg_texts where[VG_CONFIG_COUNT]; /* what set each value, as messages say it */
    char *message;
    /* the config file */
    FILE *stream;
    const char *path;
    int line, failed_line;
    bool is_readable; /* by others */
    bool in_host, has_uri, has_admin_uri;
    char host[65]; /* of the section [host NAME] being read */
    int host_line;
};

/* Sets the message unless there is one; returns -1. */
__attribute__((format(printf, 2, 3))) int vg_config_fail(struct vg_config_read *r,
                                                         const char *format, ...);

/* Checks a value, and keeps it unless a higher level has set the option. */
int vg_config_set(struct vg_config_read *r, enum vg_config_index option,
                  enum vg_config_level level, const char *where, const char *value);

/* Sets what no level has set. -1: as above. */
int vg_config_set_defaults(struct vg_config_read *r);

/* Adds a host: `n` bytes of name, and its URI (NULL: libvirt's own choice). -1: out of
 * memory. */
int vg_config_add_host(struct vg_host_configs *hosts, const char *name, size_t n,
                       const char *uri);

/* Frees all that was read. */
void vg_config_clear_read(struct vg_config_read *r);

/* The file that config_file names, if any. */
int vg_config_read_file(struct vg_config_read *r);

/* The token-file that a config file names; owned. NULL: *reterr (owned; NULL: out of
 * memory) says why. */
char *vg_config_find_token_file(const char *config_file, char **reterr);

/* One value alone: its kind, range, words or grammar. `where` begins the message. */
int vg_config_check_value(struct vg_config_read *r, enum vg_config_index option,
                          const char *where, const char *value);
/* What needs more than one option, or the file system. */
int vg_config_check_all(struct vg_config_read *r);

/* Sockets that systemd gave, in place of `listen`. -1: the message is set. */
int vg_config_take_inherited(struct vg_config_read *r);

int vg_config_parse_number(const char *text, int64_t *ret);
int vg_config_parse_bool(const char *text, bool *ret);
bool vg_config_is_host_name(const char *name, size_t n);
bool vg_config_is_port(const char *text);

/* Whether a libvirt URI holds a password, of its user or in its query. */
bool vg_config_has_password(const char *uri);

/* Why a text cannot be a libvirt URI, NULL when it can. Static. */
const char *vg_config_find_no_uri(const char *text);

/* Whether it is scheme://host[:port], maybe with what browsers leave out. */
bool vg_config_is_origin(const char *text);
/* That origin as browsers write it in the header Origin; owned. */
char *vg_config_spell_origin(const char *text);
/* "/a" or "/a/b": a path that needs no escapes. */
bool vg_config_is_path_prefix(const char *text);
/* The name of a header field that is free for a proxy to set. */
bool vg_config_is_header(const char *text);
/* A name or address as in the header Host, without a port. */
bool vg_config_is_hostname(const char *text);
