/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The inside of uploads.h.
 */
#pragma once

#include "server/core/request.h"
#include "virtgate/uploads.h"

/* What uploads use and this layer does not know. */
struct vg_resumable_calls {
    void (*release)(struct vg_volume_hold *hold);
    void (*interrupt)(struct vg_transfer *transfer);
};

/* `expiry` is how long one waits for more. Before any thread. */
void vg_resumable_start(unsigned int per_caller, int64_t expiry_seconds,
                        const struct vg_resumable_calls *calls);

/* An upload that has waited long enough, whose volume is still to be looked after: its
 * host, and its path into `ret`. NULL: there is none. The same one is due again a minute
 * later. Now and then. */
#define VG_RESUMABLE_PATH_SIZE 48
struct vg_host *vg_resumable_take_due(int64_t now_ns, char ret[VG_RESUMABLE_PATH_SIZE]);
