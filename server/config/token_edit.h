/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Changing the token file: one at a time (flock), whole or not at all (a new file that
 * takes the old one's name), with the old one's owner and mode. Lines that are nobody's
 * business, comments, stay.
 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

struct vg_token_edit {
    char *path;     /* where the file is, links followed; owned */
    int fd;         /* locked */
    struct stat st; /* of it */
    char *text;     /* all of it; owned */
};

/* Opens and locks the file, which is made where `make` is. -1: *reterr (owned; NULL: out
 * of memory) says why; there is nothing to end. */
int vg_token_edit_begin(const char *path, bool make, struct vg_token_edit *ret,
                        char **reterr);

/* Puts `text` in its place. -1: as above, the file is as it was. */
int vg_token_edit_save(const struct vg_token_edit *edit, const char *text, char **reterr);

void vg_token_edit_end(struct vg_token_edit *edit);
