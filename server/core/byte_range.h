/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Range of a request (RFC 9110, 14.2).
 */
#pragma once

#include "virtgate/content.h"

/* What a Range header (NULL: there is none) means for `size` bytes. One range is given as
 * it is; several, other units, and what is malformed mean the whole, as the RFC allows
 * and asks. *ret is set in every case. */
enum vg_range vg_byte_range_read(const char *header, uint64_t size,
                                 struct vg_byte_range *ret);
