/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Typed parameters whose number is a constant of an enum.
 */
#pragma once

#include "virtgate/enum.h"

/* The enum of the field's numbers; NULL: they are plain ones. `type` is its
 * virTypedParameterType. */
const struct vg_enum *vg_param_enum(const char *field, int type);
