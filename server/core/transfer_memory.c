/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/core/transfer_memory.h"

#include <stdatomic.h>

/* Nobody takes more of what is left than this part, so that the next one gets some. */
#define SHARE 8

static size_t limit;
static atomic_size_t used;

void vg_transfer_memory_start(size_t bytes)
{
    limit = bytes;
}

size_t vg_transfer_memory_take(size_t least, size_t most)
{
    size_t before = atomic_load(&used), n;

    do {
        size_t share = limit / 4 * 3, left = before < share ? share - before : 0;
        if (left < least)
            return 0;
        n = left / SHARE;
        n = n > most ? most : n < least ? least : n;
    } while (!atomic_compare_exchange_weak(&used, &before, before + n));
    return n;
}

bool vg_transfer_memory_hold(size_t n)
{
    size_t before = atomic_load(&used);

    do {
        if (before > limit || limit - before < n)
            return false;
    } while (!atomic_compare_exchange_weak(&used, &before, before + n));
    return true;
}

void vg_transfer_memory_give(size_t n)
{
    atomic_fetch_sub(&used, n);
}

size_t vg_transfer_memory_used(void)
{
    return atomic_load(&used);
}
