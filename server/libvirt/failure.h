/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a host keeps of virtgate/failure.h.
 */
#pragma once

#include "virtgate/kind.h"

struct vg_failures;
struct vg_failures *vg_failures_new(void);
void vg_failures_free(struct vg_failures *failures);

/* It was started, or is gone. Any thread, does not block. */
void vg_failures_forget(struct vg_failures *failures, enum vg_kind kind,
                        const char *uuid);
