/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Files that decide who may do what. Whoever can write one of them can do anything, so
 * they belong to root or to the gateway's own user, and only the owner may write them.
 */
#pragma once

#include <stdbool.h>

/* Opens such a file to read. Others may not read a `secret` one either. On failure -1,
 * and *reterr (owned; NULL: out of memory) names the file and says what is wrong and what
 * mends it. */
int vg_private_open(const char *path, bool secret, char **reterr);

/* The whole of such a file, ended by a NUL byte; owned. NULL: as above. */
char *vg_private_read(const char *path, bool secret, char **reterr);

/* Whether others may read an open file. */
bool vg_private_is_readable(int fd);

/* Sets *reterr; returns -1. */
__attribute__((format(printf, 2, 3))) int vg_private_fail(char **reterr,
                                                          const char *format, ...);
