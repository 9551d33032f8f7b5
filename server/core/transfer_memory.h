/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The memory that all transfers share (--transfer-memory).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Pieces in which bytes are fetched and sent: as large as pays, and where memory is
 * short, as small as is bearable. */
#define VG_WINDOW_MAX ((size_t)4 * 1024 * 1024)
#define VG_WINDOW_MIN ((size_t)256 * 1024)

void vg_transfer_memory_start(size_t limit);

/* For a window: `most` bytes, or fewer when little is left, but `least`. 0: so much is
 * not left now. Windows leave a quarter of all to what follows. Any thread. */
size_t vg_transfer_memory_take(size_t least, size_t most);
/* What a transfer holds from its begin to its end. False: so much is not left. */
bool vg_transfer_memory_hold(size_t n);
/* For both. */
void vg_transfer_memory_give(size_t n);

/* What is taken. */
size_t vg_transfer_memory_used(void);
