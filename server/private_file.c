/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/private_file.h"

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

int vg_private_open(const char *path, mode_t refused, char **reterr)
{
    /* Without O_NONBLOCK a FIFO would hang the start. */
    vg_autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return vg_private_fail(reterr, "cannot read `%s`: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return vg_private_fail(reterr, "`%s` is a directory", path);
    if (st.st_mode & refused)
        return vg_private_fail(reterr, "`%s` is world-%s; run: chmod %s '%s'", path,
                               st.st_mode & refused & S_IWOTH ? "writable" : "readable",
                               refused & S_IWOTH ? "o-rw" : "o-r", path);
    int result = fd;
    fd = -1;
    return result;
}

char *vg_private_read(const char *path, mode_t refused, char **reterr)
{
    vg_autofd int fd = vg_private_open(path, refused, reterr);
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
