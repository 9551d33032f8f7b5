/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/config/token_edit.h"

#include "server/base/private_file.h"
#include "virtgate/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define TRIES 100 /* each ends when another one's change is done */

static int fail(char **reterr, const char *what, const char *path)
{
    return vg_private_fail(reterr, "cannot %s `%s`: %s", what, path, strerror(errno));
}

/* Where a link leads, so that it stays one; a file that is not there yet is as named. */
static char *follow(const char *path)
{
    char *real = realpath(path, NULL);
    return real || errno != ENOENT ? real : strdup(path);
}

/* 1: locked; 0: it was replaced meanwhile; -1: *reterr. */
static int lock_file(struct vg_token_edit *e, bool make, char **reterr)
{
    struct stat now;

    e->fd = open(e->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (make ? O_CREAT : 0), 0600);
    if (e->fd < 0)
        return fail(reterr, "open", e->path);
    if (flock(e->fd, LOCK_EX) < 0 || fstat(e->fd, &e->st) < 0)
        return fail(reterr, "lock", e->path);
    if (stat(e->path, &now) == 0 && now.st_dev == e->st.st_dev &&
        now.st_ino == e->st.st_ino)
        return 1;
    close(e->fd);
    e->fd = -1;
    return 0;
}

int vg_token_edit_begin(const char *path, bool make, struct vg_token_edit *ret,
                        char **reterr)
{
    int rc = 0;

    *ret = (struct vg_token_edit){.fd = -1, .path = follow(path)};
    for (int i = 0; ret->path && rc == 0 && i < TRIES; i++)
        rc = lock_file(ret, make, reterr);
    if (rc > 0)
        ret->text = vg_private_read(ret->path, true, reterr);
    else if (rc == 0)
        rc = fail(reterr, "lock", path);
    if (rc > 0 && ret->text)
        return 0;
    vg_token_edit_end(ret);
    return -1;
}

static int write_all(int fd, const char *text)
{
    for (size_t left = strlen(text); left;) {
        ssize_t n = write(fd, text, left);
        if (n < 0 && errno != EINTR)
            return -1;
        if (n > 0) {
            text += n;
            left -= (size_t)n;
        }
    }
    return 0;
}

/* That the file has its new name is on the disk, too. */
static void sync_folder(const char *path)
{
    vg_autofree char *copy = strdup(path);
    vg_autofd int fd = copy ? open(dirname(copy), O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0)
        (void)fsync(fd);
}

int vg_token_edit_save(const struct vg_token_edit *edit, const char *text, char **reterr)
{
    vg_autofree char *draft = NULL;
    bool other = edit->st.st_uid != geteuid() || edit->st.st_gid != getegid();

    if (asprintf(&draft, "%s.XXXXXX", edit->path) < 0) {
        draft = NULL;
        return -1;
    }
    vg_autofd int fd = mkostemp(draft, O_CLOEXEC);
    if (fd < 0)
        return fail(reterr, "write beside", edit->path);
    if (write_all(fd, text) == 0 &&
        (!other || fchown(fd, edit->st.st_uid, edit->st.st_gid) == 0) &&
        fchmod(fd, edit->st.st_mode & 0777) == 0 && fsync(fd) == 0 &&
        rename(draft, edit->path) == 0) {
        sync_folder(edit->path);
        return 0;
    }
    (void)fail(reterr, "replace", edit->path);
    unlink(draft);
    return -1;
}

void vg_token_edit_end(struct vg_token_edit *edit)
{
    if (edit->fd >= 0)
        close(edit->fd);
    free(edit->path);
    free(edit->text);
    *edit = (struct vg_token_edit){.fd = -1};
}
