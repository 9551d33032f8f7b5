/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See local_path.h.
 */
#include "server/base/local_path.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *local_dir;

void vg_local_dir_set(const char *dir)
{
    local_dir = dir;
}

static bool has_dots(const char *path)
{
    for (const char *p = strstr(path, "/.."); p; p = strstr(p + 1, "/.."))
        if (p[3] == '/' || p[3] == '\0')
            return true;
    return false;
}

/* Cuts off what of the path is not there; the rest without links is in ret[PATH_MAX].
 * False: nobody can tell, or it ends in a link to nothing, which a write would follow. */
static bool find_real(char *path, char *ret)
{
    struct stat st;

    while (!realpath(path, ret)) {
        char *slash = strrchr(path, '/');
        if (errno != ENOENT || lstat(path, &st) == 0 || !slash || slash == path)
            return false;
        *slash = '\0';
    }
    return true;
}

static bool is_allowed(const char *path, mode_t type)
{
    char folder[PATH_MAX], given[PATH_MAX], real[PATH_MAX];
    size_t length = strlen(path);
    struct stat st;

    if (!local_dir || !realpath(local_dir, folder) || length >= sizeof(given))
        return false;
    memcpy(given, path, length + 1);
    if (!find_real(given, real) || stat(real, &st) < 0)
        return false;
    size_t n = strlen(folder);
    bool whole = strlen(given) == length;
    bool below =
        strncmp(real, folder, n) == 0 && (real[n] == '/' || folder[n - 1] == '/');
    bool inside = below || strcmp(real, folder) == 0;
    return inside && (st.st_mode & S_IFMT) == (whole ? type : S_IFDIR);
}

static int check(const char *key, const char *path, mode_t type, struct vg_error *reterr)
{
    if (!has_dots(path) && is_allowed(path, type))
        return 0;
    vg_error_set(reterr, VG_E_LOCAL_PATH,
                 local_dir
                     ? "'%s' is '%.200s': this host's driver runs in the gateway, and "
                       "would open it as the gateway's user; a file below %.200s "
                       "(--local-dir) is accepted, without '..' and links out of it"
                     : "'%s' is '%.200s': this host's driver runs in the gateway, and "
                       "would open it as the gateway's user; no file is accepted "
                       "unless --local-dir names a folder for such files",
                 key, path, local_dir);
    return -1;
}

int vg_local_path_check(const char *key, const char *path, struct vg_error *reterr)
{
    return check(key, path, S_IFREG, reterr);
}

int vg_local_folder_check(const char *key, const char *path, struct vg_error *reterr)
{
    return check(key, path, S_IFDIR, reterr);
}
