/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Memory compared with libvirt, now and then.
 */
#pragma once

#include "server/libvirt/internal.h"

struct vg_check;

/* Hosts are looked at one after another: `turn` is this one's place among the `turns` of
 * all. NULL: out of memory. */
struct vg_check *vg_check_new(struct vg_host *host, size_t turn, size_t turns);
/* When nothing is in flight on the host. Accepts NULL. */
void vg_check_free(struct vg_check *check);

/* Whether libvirt is being asked. */
bool vg_check_asks(struct vg_check *check);

/* Begins a comparison when one is due, or judges the last one: the request that asks
 * libvirt, to be submitted to the host; NULL: there is nothing to ask. For the watchdog.
 */
struct vg_request *vg_check_tick(struct vg_check *check, int64_t now_ns);
