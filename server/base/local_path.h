/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Files of the gateway's own machine that clients name: what a driver in this process
 * (test:///) opens, it opens as the gateway's user.
 */
#pragma once

#include "virtgate/error.h"

/* The folder that such files may stand in (--local-dir); NULL: there is none. Borrowed;
 * before any thread. */
void vg_local_dir_set(const char *dir);

/* Whether an absolute path may be opened, to read or to write: it has no "..", is a
 * regular file or nothing yet, and leads to below the folder whatever links are on the
 * way. `key`, the argument's name, begins what *reterr says. -1: *reterr. Any thread. */
int vg_local_path_check(const char *key, const char *path, struct vg_error *reterr);
/* The same of a folder, which may be the allowed one itself. */
int vg_local_folder_check(const char *key, const char *path, struct vg_error *reterr);
