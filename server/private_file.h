/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Files that the configuration names, some of which others may not read.
 */
#pragma once

#include <sys/types.h>

/* Opens a file to read. `refused` are permission bits that it must not have. On failure
 * -1, and *reterr (owned; NULL: out of memory) names the file and says what is wrong. */
int vg_private_open(const char *path, mode_t refused, char **reterr);

/* The whole of such a file, ended by a NUL byte; owned. NULL: as above. */
char *vg_private_read(const char *path, mode_t refused, char **reterr);

/* Sets *reterr; returns -1. */
__attribute__((format(printf, 2, 3))) int vg_private_fail(char **reterr,
                                                          const char *format, ...);
