/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See local_path.h.
 */
#include "server/local_path.h"

#include "virtgate/cleanup.h"

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

/* What of the path is there, without links; the rest is cut off. Owned by the caller.
 * NULL: nobody can tell, or it ends in a link to nothing, which a write would follow. */
static char *find_real(char *path)
{
    struct stat st;

    for (;;) {
        char *real = realpath(path, NULL);
        if (real)
            return real;
        if (errno != ENOENT || lstat(path, &st) == 0)
            return NULL;
        char *slash = strrchr(path, '/');
        if (!slash || slash == path)
            return NULL;
        *slash = '\0';
    }
}

static bool is_allowed(const char *path)
{
    vg_autofree char *folder = local_dir ? realpath(local_dir, NULL) : NULL;
    vg_autofree char *given = strdup(path);
    vg_autofree char *real = folder && given ? find_real(given) : NULL;
    struct stat st;

    if (!real || stat(real, &st) < 0)
        return false;
    size_t n = strlen(folder);
    bool whole = strlen(given) == strlen(path);
    bool below =
        strncmp(real, folder, n) == 0 && (real[n] == '/' || folder[n - 1] == '/');
    return whole ? below && S_ISREG(st.st_mode)
                 : S_ISDIR(st.st_mode) && (below || strcmp(real, folder) == 0);
}

int vg_local_path_check(const char *key, const char *path, struct vg_error *reterr)
{
    if (!has_dots(path) && is_allowed(path))
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
