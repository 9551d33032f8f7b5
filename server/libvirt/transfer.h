/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the server needs of transfers beside include/virtgate/transfer.h.
 */
#pragma once

#include <stdint.h>

/* A call of libvirt's that moves no bytes for so long is cut. Before any. */
void vg_transfers_start(int64_t deadline_ns);
