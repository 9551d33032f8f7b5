/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What all options have in common: their table, made of config.def, and the words and
 * numbers that they are given as.
 */
#include "server/config/internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* The default by kind: only the member that fits it is initialised. */
#define DEFAULT_TEXT(def)   .text = (def)
#define DEFAULT_TEXTS(def)  .text = (def)
#define DEFAULT_HOSTS(def)  .text = (def)
#define DEFAULT_NUMBER(def) .number = (def)
#define DEFAULT_BOOL(def)   .number = (def)
#define DEFAULT_SWITCH(def) .number = (def)

const struct vg_config_option vg_config_options[VG_CONFIG_COUNT] = {
#define X(field_, KIND, name_, letter_, arg_, def, min_, max_, help_)                    \
    [VG_CONFIG_I_##field_] = {.name = (name_),                                           \
                              .arg = (arg_),                                             \
                              .help = (help_),                                           \
                              DEFAULT_##KIND(def),                                       \
                              .min = (min_),                                             \
                              .max = (max_),                                             \
                              .offset = offsetof(struct vg_config, field_),              \
                              .kind = VG_CONFIG_K_##KIND,                                \
                              .letter = (letter_)},
#include "server/config/config.def"
#undef X
};

int vg_config_fail(struct vg_config_read *r, const char *format, ...)
{
    if (r->message)
        return -1;
    va_list args;
    va_start(args, format);
    if (vasprintf(&r->message, format, args) < 0)
        r->message = NULL;
    va_end(args);
    /* One line, whatever a value held. */
    for (char *p = r->message; p && *p; p++) {
        if (iscntrl((unsigned char)*p))
            *p = '?';
    }
    return -1;
}

/* ---- words, numbers ---------------------------------------------------------------- */

/* Base ten and nothing around it, unlike strtoll. */
int vg_config_parse_number(const char *text, int64_t *ret)
{
    const char *digits = text + (*text == '-');
    if (!*digits || digits[strspn(digits, "0123456789")])
        return -1;
    errno = 0;
    long long number = strtoll(text, NULL, 10);
    if (errno)
        return -1;
    *ret = number;
    return 0;
}

int vg_config_parse_bool(const char *text, bool *ret)
{
    static const char *const words[][2] = {
        {"no", "yes"}, {"false", "true"}, {"off", "on"}, {"0", "1"}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        for (int on = 0; on < 2; on++) {
            if (strcasecmp(text, words[i][on]) == 0) {
                *ret = on;
                return 0;
            }
        }
    }
    return -1;
}

bool vg_config_is_host_name(const char *name, size_t n)
{
    if (n < 1 || n > 64 || (n == 1 && name[0] == '-'))
        return false;
    return strspn(name, ALNUM "._-") >= n;
}

bool vg_config_is_port(const char *text)
{
    int64_t port;
    return vg_config_parse_number(text, &port) == 0 && text[0] != '-' && port <= 65535;
}
