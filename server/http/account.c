/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/http/account.h"

#include "virtgate/cleanup.h"

#include <stdlib.h>

static struct vg_account **find(struct vg_accounts *a, uint64_t who)
{
    struct vg_account **at = &a->buckets[vg_account_bucket(who)];
    while (*at && (*at)->who != who)
        at = &(*at)->next;
    return at;
}

bool vg_account_take(struct vg_accounts *a, uint64_t who, size_t n, size_t limit)
{
    VG_LOCK(&a->lock);
    struct vg_account **at = find(a, who);
    if ((*at ? (*at)->used : 0) + n > limit)
        return false;
    if (!*at && (*at = calloc(1, sizeof(**at))))
        (*at)->who = who;
    if (!*at)
        return false;
    (*at)->used += n;
    return true;
}

void vg_account_give(struct vg_accounts *a, uint64_t who, size_t n)
{
    VG_LOCK(&a->lock);
    struct vg_account **at = find(a, who), *found = *at;
    if (!found)
        return;
    found->used -= n < found->used ? n : found->used;
    if (found->used)
        return;
    *at = found->next;
    free(found);
}
