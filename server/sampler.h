/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Asks each host for the statistics of its domains where nobody else does, so that its
 * history has no gaps.
 */
#pragma once

/* Begins, when there are hosts, and their histories are kept. -1: out of memory, or there
 * is no thread for it. */
int vg_sampler_start(void);

/* Closes what it opened, after vg_hosts_stop(). */
void vg_sampler_stop(void);
