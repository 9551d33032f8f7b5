/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The config file: inih reads the keys, the sections are read here. The first line that
 * is wrong ends it, with FILE:LINE and what is accepted there.
 */
#include "server/config/internal.h"
#include "server/base/private_file.h"

#include <errno.h>
#include <ini.h>
#include <string.h>
#include <unistd.h>

#include "virtgate/cleanup.h"

static int end_section(struct vg_config_read *r)
{
    if (r->in_host && !r->has_uri)
        return vg_config_fail(r, "%s:%d: [host %s] needs `uri = URI`", r->path,
                              r->host_line, r->host);
    r->in_host = false;
    return 0;
}

/* `text` is a line from `[` on. inih would cut a long name, and pass over a section
 * without keys, so sections are read here. */
static int begin_section(struct vg_config_read *r, const char *text)
{
    if (end_section(r) < 0)
        return -1;
    const char *name = text + 1;
    size_t n = strcspn(name, "]");
    if (name[n] == ']' && n == 8 && memcmp(name, "virtgate", n) == 0)
        return 0;
    size_t skip = strncmp(name, "host", 4) == 0 ? strspn(name + 4, " \t") : 0;
    if (name[n] != ']' || skip == 0)
        return vg_config_fail(r,
                              "%s:%d: unknown section; accepted are [virtgate] and "
                              "[host NAME]",
                              r->path, r->line);
    const char *host = name + 4 + skip;
    n -= 4 + skip;
    if (!vg_config_is_host_name(host, n))
        return vg_config_fail(
            r,
            "%s:%d: expected [host NAME], NAME being 1 to 64 of A-Z a-z "
            "0-9 . _ - and not `-` alone",
            r->path, r->line);
    memcpy(r->host, host, n);
    r->host[n] = '\0';
    r->host_line = r->line;
    r->in_host = true;
    r->has_uri = r->has_admin_uri = false;
    return 0;
}

/* What fgets left without a newline: inih's own buffer is full (its size was chosen where
 * inih was built), or a NUL byte hides the rest. */
static void fail_line(struct vg_config_read *r, size_t n, int size)
{
    if ((int)n + 1 < size)
        vg_config_fail(r, "%s:%d: the line has a NUL byte", r->path, r->line);
    else
        vg_config_fail(r,
                       "%s:%d: the line is longer than %d bytes, which the config file "
                       "cannot have; the command line and the environment can",
                       r->path, r->line, size - 2);
}

/* inih's fgets. It counts lines, and takes a line's indentation away: to inih an indented
 * line would go on with the value of the line before. */
static char *read_line(char *buffer, int size, void *data)
{
    struct vg_config_read *r = data;
    if (r->message || !fgets(buffer, size, r->stream))
        return NULL;
    r->line++;
    size_t n = strlen(buffer);
    if ((n == 0 || buffer[n - 1] != '\n') && !feof(r->stream)) {
        fail_line(r, n, size);
        return NULL;
    }
    size_t skip = r->line == 1 && strncmp(buffer, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    skip += strspn(buffer + skip, " \t");
    memmove(buffer, buffer + skip, n - skip + 1);
    if (buffer[0] == '[' && begin_section(r, buffer) < 0)
        return NULL;
    return buffer;
}

/* Of a URI: a file that others may read is no place for a password. */
static int check_secret(struct vg_config_read *r, const char *where, const char *uri)
{
    if (!r->is_readable || !vg_config_has_password(uri))
        return 0;
    return vg_config_fail(r,
                          "%s: the URI has a password, and `%s` is world-readable; run: "
                          "chmod o-r '%s'",
                          where, r->path, r->path);
}

static int set_host_key(struct vg_config_read *r, const char *key, const char *value)
{
    vg_autofree char *where = NULL, *host = NULL;
    bool admin = strcmp(key, "admin-uri") == 0;
    bool *has = admin ? &r->has_admin_uri : &r->has_uri;
    if (!admin && strcmp(key, "uri") != 0)
        return vg_config_fail(r,
                              "%s:%d: unknown key `%.40s`; accepted are uri, admin-uri",
                              r->path, r->line, key);
    if (*has)
        return vg_config_fail(r, "%s:%d: %s is there twice in [host %s]", r->path,
                              r->line, key, r->host);
    *has = true;
    if (asprintf(&host, "%s=%s", r->host, value) < 0) {
        host = NULL;
        return vg_config_fail(r, "out of memory");
    }
    if (asprintf(&where, "%s:%d: %s", r->path, r->line, key) < 0) {
        where = NULL;
        return vg_config_fail(r, "out of memory");
    }
    if (check_secret(r, where, value) < 0)
        return -1;
    return vg_config_set(r, admin ? VG_CONFIG_I_admin_uris : VG_CONFIG_I_hosts,
                         VG_CONFIG_FILE, where, host);
}

/* All option names, for the message about an unknown one. */
static int fail_key(struct vg_config_read *r, const char *key)
{
    char *names = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&names, &size);
    if (!out)
        return vg_config_fail(r, "out of memory");
    for (enum vg_config_index i = 0; i < VG_CONFIG_COUNT; i++) {
        if (i != VG_CONFIG_I_config_file)
            fprintf(out, "%s%s", i ? ", " : "", vg_config_options[i].name);
    }
    (void)fclose(out);
    vg_config_fail(r, "%s:%d: unknown key `%.40s`; accepted are %s", r->path, r->line,
                   key, names);
    free(names);
    return -1;
}

static int set_key(struct vg_config_read *r, const char *key, const char *value)
{
    if (r->in_host)
        return set_host_key(r, key, value);
    enum vg_config_index i = 0;
    while (i < VG_CONFIG_COUNT && strcmp(vg_config_options[i].name, key) != 0)
        i++;
    if (i == VG_CONFIG_COUNT)
        return fail_key(r, key);
    if (i == VG_CONFIG_I_config_file)
        return vg_config_fail(r, "%s:%d: config: a config file cannot name another one",
                              r->path, r->line);
    enum vg_config_kind kind = vg_config_options[i].kind;
    if (r->level[i] == VG_CONFIG_FILE && kind != VG_CONFIG_K_TEXTS &&
        kind != VG_CONFIG_K_HOSTS)
        return vg_config_fail(r, "%s:%d: %s is there twice; before at %s", r->path,
                              r->line, key, r->where[i].v[0]);
    vg_autofree char *where = NULL;
    if (asprintf(&where, "%s:%d: %s", r->path, r->line, key) < 0) {
        where = NULL;
        return vg_config_fail(r, "out of memory");
    }
    bool uri = i == VG_CONFIG_I_connect || i == VG_CONFIG_I_hosts;
    if (uri && check_secret(r, where, value) < 0)
        return -1;
    return vg_config_set(r, i, VG_CONFIG_FILE, where, value);
}

static int take_key(void *data, const char *section, const char *key, const char *value)
{
    (void)section;
    struct vg_config_read *r = data;
    if (!r->message && set_key(r, key, value) < 0)
        r->failed_line = r->line;
    return !r->message;
}

static int open_file(struct vg_config_read *r, const char *where)
{
    vg_autofree char *why = NULL;
    int fd = vg_private_open(r->path, false, &why);
    if (fd < 0)
        return vg_config_fail(r, "%s: %s", where, why ? why : "out of memory");
    r->is_readable = vg_private_is_readable(fd);
    r->stream = fdopen(fd, "r");
    if (r->stream)
        return 0;
    close(fd);
    return vg_config_fail(r, "out of memory");
}

int vg_config_read_file(struct vg_config_read *r)
{
    r->path = r->config.config_file;
    if (!r->path)
        return 0;
    const char *where = r->where[VG_CONFIG_I_config_file].v[0];
    if (open_file(r, where) < 0)
        return -1;
    int line = ini_parse_stream(read_line, r, take_key, r);
    if (ferror(r->stream))
        return vg_config_fail(r, "%s: cannot read `%s`: %s", where, r->path,
                              strerror(errno));
    if (line < 0)
        return vg_config_fail(r, "out of memory");
    /* inih goes on after a line it cannot read: that one comes first. */
    if (line > 0 && line != r->failed_line) {
        free(r->message);
        r->message = NULL;
        return vg_config_fail(r,
                              "%s:%d: expected `NAME = VALUE`, [virtgate] or [host NAME]",
                              r->path, line);
    }
    return r->message ? -1 : end_section(r);
}
