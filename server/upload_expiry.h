/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Uploads that nobody goes on with end by themselves, as by DELETE.
 */
#pragma once

#include "server/config/config.h"

#include <stdint.h>

/* Before any thread; the router is built. */
void vg_upload_expiry_start(const struct vg_config *config);
/* Now and then. */
void vg_upload_expiry_tick(int64_t now_ns);
