/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The inside of tus.h.
 */
#pragma once

#include "server/core/request.h"
#include "virtgate/tus.h"

/* Copies the fields to the request. -1: out of memory, the request's error is set. */
int vg_tus_set_fields(struct vg_request *rq, const struct vg_tus_fields *fields);
