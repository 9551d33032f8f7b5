/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The medium from which cloud-init in a guest reads what it is to do: its data source
 * NoCloud looks for a file system with the label "cidata".
 */
#pragma once

#include "virtgate/error.h"

#include <stddef.h>

/* Texts, borrowed. */
struct vg_seed {
    const char *user_data, *meta_data;
    const char *network_config; /* NULL: there is none */
};

/* The bytes of an ISO 9660 image with Joliet and Rock Ridge, some 70 KiB, owned by the
 * caller, their number in *ret_n. NULL: *reterr. Any thread. */
void *vg_seed_image(const struct vg_seed *seed, size_t *ret_n, struct vg_error *reterr);
