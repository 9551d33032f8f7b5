/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What each client holds of something that there is so much of: an account is there while
 * there is something to count. Any thread.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VG_ACCOUNT_BUCKETS 256

struct vg_account {
    struct vg_account *next;
    uint64_t who;
    size_t used;
};

struct vg_accounts {
    pthread_mutex_t lock;
    struct vg_account *buckets[VG_ACCOUNT_BUCKETS];
};

#define VG_ACCOUNTS_INITIALIZER                                                          \
    {                                                                                    \
        .lock = PTHREAD_MUTEX_INITIALIZER                                                \
    }

/* False: it has what it may, or there is no memory to count it. */
bool vg_account_take(struct vg_accounts *accounts, uint64_t who, size_t n, size_t limit);

void vg_account_give(struct vg_accounts *accounts, uint64_t who, size_t n);

/* Which of so many buckets is that client's. */
static inline size_t vg_account_bucket(uint64_t who)
{
    return who * UINT64_C(0x9E3779B97F4A7C15) >> 56;
}
