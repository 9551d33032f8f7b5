/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Asks each host for the statistics of its domains where nobody else does, so that its
 * history has no gaps.
 */
#pragma once

#include <stdint.h>

/* For the watchdog, every 50 ms or so; does not block. */
void vg_sampler_tick(int64_t now_ns);
