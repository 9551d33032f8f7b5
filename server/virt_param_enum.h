/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Typed parameters whose number is a constant of an enum.
 */
#pragma once

#include "virtgate/enum.h"

#include <jansson.h>
#include <libvirt/libvirt.h>

/* The enum of the field's numbers; NULL: they are plain ones. `type` is its
 * virTypedParameterType. */
const struct vg_enum *vg_param_enum(const char *field, int type);

/* An INT as its constant's name; as its number where it has none, or one that is newer
 * than this build. New reference; NULL when out of memory. */
json_t *vg_param_int_to_json(const virTypedParameter *param);
