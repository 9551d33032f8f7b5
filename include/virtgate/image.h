/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pictures from hypervisors: QEMU gives the screen as a portable pixmap, others as PNG.
 */
#pragma once

#include "virtgate/error.h"

#include <stddef.h>

/* The picture of n bytes, PNG or binary portable pixmap, as the other of the two: `type`
 * is the wanted media type. The caller owns *ret. -1: it is neither, broken, or larger
 * than `max` bytes unpacked; *reterr says which. */
int vg_image_convert(const void *picture, size_t n, const char *type, size_t max,
                     void **ret, size_t *ret_n, struct vg_error *reterr);
