/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/base/private_file.h"

#include "virtgate/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_SIZE (1 << 20)

int vg_private_fail(char **reterr, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (vasprintf(reterr, format, args) < 0)
        *reterr = NULL;
    va_end(args);
    return -1;
}

static int check_mode(const char *path, mode_t mode, bool secret, char **reterr)
{
    const mode_t group = mode & S_IWGRP;
    const mode_t others = mode & (secret ? S_IWOTH | S_IROTH : S_IWOTH);
    const char *others_fix = secret ? "o-rw" : "o-w";

    if (!group && !others)
        return 0;
    return vg_private_fail(reterr, "`%s` is %s; run: chmod %s%s%s '%s'", path,
                           others & S_IWOTH ? "world-writable"
                           : group          ? "group-writable"
                                            : "world-readable",
                           group ? "g-w" : "", group && others ? "," : "",
                           others ? others_fix : "", path);
}

static int check_owner(const char *path, uid_t owner, char **reterr)
{
    if (owner == 0 || owner == geteuid())
        return 0;
    return vg_private_fail(reterr,
                           "`%s` belongs to user %u; only root and the gateway's own "
                           "user %u may own it; run: chown %u '%s'",
                           path, owner, geteuid(), geteuid(), path);
}

int vg_private_open(const char *path, bool secret, char **reterr)
{
    /* Without O_NONBLOCK a FIFO would hang the start. */
    vg_autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0 || fcntl(fd, F_SETFL, 0) < 0)
        return vg_private_fail(reterr, "cannot read `%s`: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return vg_private_fail(reterr, "`%s` is a directory", path);
    if (check_owner(path, st.st_uid, reterr) < 0 ||
        check_mode(path, st.st_mode, secret, reterr) < 0)
        return -1;
    int result = fd;
    fd = -1;
    return result;
}

bool vg_private_is_readable(int fd)
{
    struct stat st;
    return fstat(fd, &st) < 0 || st.st_mode & S_IROTH;
}

char *vg_private_read(const char *path, bool secret, char **reterr)
{
    vg_autofd int fd = vg_private_open(path, secret, reterr);
    if (fd < 0)
        return NULL;
    vg_autofree char *text = malloc(MAX_SIZE + 1);
    size_t n = 0;
    ssize_t got = 1;
    while (text && n <= MAX_SIZE && (got = read(fd, text + n, MAX_SIZE + 1 - n)) > 0)
        n += (size_t)got;
    if (!text || got < 0)
        vg_private_fail(reterr, "cannot read `%s`: %s", path, strerror(errno));
    else if (n > MAX_SIZE)
        vg_private_fail(reterr, "`%s` is larger than %d bytes", path, MAX_SIZE);
    if (!text || got < 0 || n > MAX_SIZE)
        return NULL;
    text[n] = '\0';
    return realloc(vg_take(&text), n + 1);
}
