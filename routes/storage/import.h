/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A volume that is filled from a URL.
 */
#pragma once

#include "virtgate/reply.h"
#include "virtgate/request.h"

/* POST of the list, with {"import": {...}}. */
struct vg_reply vg_import_volume(struct vg_request *rq);
