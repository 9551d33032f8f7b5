/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "virtgate/request.h"

/* Whether the daemon has no driver for pools of this type (virStoragePoolType's name;
 * NULL: no), which it says by an internal error. Asks the host, and keeps the request's
 * error. */
bool vg_pool_is_unsupported(struct vg_request *rq, const char *type);
