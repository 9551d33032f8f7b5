/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Calls vg_config_read with a config file, an environment variable and arguments, in a
 * directory of its own, so that the messages' paths are short.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/config/internal.h"
#include "virtgate/cleanup.h"

#define FILE_NAME "v.conf"
#define ARGS      12

static char directory[] = "/tmp/virtgate-test-config-XXXXXX";
static const char *const key_files[] = {"a.pem", "b.pem", "c.pem"};
static const char *const token_files[] = {"a.tokens", "b.tokens", "c.tokens"};
/* Each of the first has a key and its certificate. */
#define MAKE_KEYS                                                                        \
    "for f in a b c; do openssl req -x509 -newkey ec -pkeyopt "                          \
    "ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=$f -keyout $f.pem -out $f.crt "    \
    "2>openssl.log && cat $f.crt >>$f.pem && chmod 600 $f.pem || exit 1; done"
#define HASH "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef"

/* What one call of vg_config_read is given: any of them may be left out. */
struct input {
    const char *file;
    const char *environment; /* NAME=VALUE */
    const char *args[ARGS];
};

struct result {
    int rc;
    struct vg_config config;
    enum vg_config_action action;
    char *message;
};

static inline void write_file(const char *name, const char *text, mode_t mode)
{
    FILE *out = fopen(name, "we");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(chmod(name, mode), 0);
}

static inline struct result read_input(const struct input *in)
{
    struct result r = {0};
    char *argv[ARGS + 4] = {strdup("virtgate")};
    int argc = 1;
    vg_autofree char *name = in->environment ? strdup(in->environment) : NULL;
    if (in->file) {
        write_file(FILE_NAME, in->file, 0600);
        argv[argc++] = strdup("-f");
        argv[argc++] = strdup(FILE_NAME);
    }
    for (size_t i = 0; i < ARGS && in->args[i]; i++)
        argv[argc++] = strdup(in->args[i]);
    if (name) {
        char *equals = strchr(name, '=');
        assert_non_null(equals);
        *equals = '\0';
        assert_int_equal(setenv(name, equals + 1, 1), 0);
    }
    r.rc = vg_config_read(argc, argv, &r.config, &r.action, &r.message);
    if (name)
        assert_int_equal(unsetenv(name), 0);
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    return r;
}

static inline void clear_result(struct result *r)
{
    vg_config_clear(&r->config);
    free(r->message);
    *r = (struct result){0};
}

static inline struct result read_good(const struct input *in)
{
    struct result r = read_input(in);
    if (r.rc)
        fail_msg("refused: %s", r.message);
    assert_null(r.message);
    return r;
}

static inline void expect_message(const struct input *in, const char *message)
{
    struct result r = read_input(in);
    if (r.rc == 0)
        fail_msg("accepted; expected: %s", message);
    assert_int_equal(r.rc, -1);
    assert_non_null(r.message);
    assert_string_equal(r.message, message);
    assert_null(r.config.listen.v);
    clear_result(&r);
}

static inline void name_variable(enum vg_config_index i, const char *value, char *out,
                                 size_t n)
{
    (void)snprintf(out, n, "VIRTGATE_%s=%s", vg_config_options[i].name, value);
    for (char *p = out; *p != '='; p++)
        *p = (char)(*p == '-' ? '_' : toupper((unsigned char)*p));
}

static inline int enter_directory(void **state)
{
    (void)state;
    for (enum vg_config_index i = 0; i < VG_CONFIG_COUNT; i++) {
        char variable[100];
        name_variable(i, "", variable, sizeof(variable));
        variable[strcspn(variable, "=")] = '\0';
        if (unsetenv(variable) < 0)
            return -1;
    }
    if (!mkdtemp(directory) || chdir(directory) < 0)
        return -1;
    if (system(MAKE_KEYS) != 0)
        return -1;
    for (size_t i = 0; i < 3; i++) {
        write_file(token_files[i], "a admin " HASH "\n", 0600);
    }
    return 0;
}

static inline int leave_directory(void **state)
{
    (void)state;
    if (system("rm -f ./*") != 0) /* in the directory of its own */
        return -1;
    return chdir("/") < 0 ? -1 : rmdir(directory);
}
