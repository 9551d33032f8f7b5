/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/core/identity.h"

#include <string.h>

static bool passes;

void vg_identity_start(bool on)
{
    passes = on;
}

bool vg_identity_passes(void)
{
    return passes;
}

struct vg_identity vg_identity_of(const struct vg_request *rq)
{
    struct vg_identity identity = {.via = VG_VIA_NONE};

    if (passes && rq->via != VG_VIA_NONE) {
        identity.via = rq->via;
        memcpy(identity.principal, rq->principal, sizeof(identity.principal));
    }
    return identity;
}

bool vg_identity_same(const struct vg_identity *a, const struct vg_identity *b)
{
    return a->via == b->via && strcmp(a->principal, b->principal) == 0;
}

bool vg_identity_equal(const struct vg_request *a, const struct vg_request *b)
{
    return !passes || (a->via == b->via && strcmp(a->principal, b->principal) == 0);
}
