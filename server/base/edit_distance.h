/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

#define VG_EDIT_MAX 128

/* How many characters of `a` are to be added, left out or replaced to have `b`. Both are
 * shorter than VG_EDIT_MAX bytes. */
size_t vg_edit_distance(const char *a, const char *b);
