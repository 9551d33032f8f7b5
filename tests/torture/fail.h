/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The page that the torture driver and the preloaded library share: the driver arms it,
 * the library counts down and fails one allocation.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#define FAIL_FILE_VARIABLE "VG_FAIL_FILE"

struct fail_page {
    atomic_int left;   /* allocations until one fails; 0: none does */
    atomic_int failed; /* how many did since the driver cleared it */
    char module[64];   /* where the last one was called: file, and offset for addr2line */
    uint64_t offset;
};
