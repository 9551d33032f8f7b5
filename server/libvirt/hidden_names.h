/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libvirt's errors quote other guests: "PCI device ... is in use by driver QEMU, domain
 * db-1". A caller with `domains=` does not read such a name.
 */
#pragma once

#include "virtgate/reply.h"

/* The answer to a request that failed, without the names of guests that its caller may
 * not see. On the worker, with its connection. */
struct vg_reply vg_hide_names(struct vg_request *rq, struct vg_reply reply);
