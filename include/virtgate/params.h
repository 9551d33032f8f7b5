/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Typed parameters (virTypedParameter) to JSON and back, in one place.
 */
#pragma once

#include "virtgate/error.h"

#include <jansson.h>
#include <libvirt/libvirt.h>

/* Typed parameters as one JSON object. Dotted names become nested objects ("cpu.time" is
 * {"cpu": {"time"}}), counted groups become arrays ("block.count", "block.0.name" are
 * {"block": [{"name"}]}), a field given several times becomes an array; words are
 * camelCased
 * ("rd.total-time" is {"rd": {"totalTime"}}, "max_memory" is "maxMemory"). A ULLONG above
 * INT64_MAX becomes a string of digits. New reference; NULL when out of memory. */
json_t *vg_params_to_json(const virTypedParameter *params, int nparams);

/* The other way: the members of `object` as typed parameters. The C type of each comes
 * from `current` (what the object's getter says today, ncurrent entries), else from the
 * generated table of libvirt's field macros; it is never guessed from the JSON type. On
 * failure -1 and *reterr names the member and what is accepted. The caller owns
 * *ret_params (virTypedParamsFree). */
int vg_params_from_json(json_t *object, const virTypedParameter *current, int ncurrent,
                        virTypedParameterPtr *ret_params, int *ret_nparams,
                        struct vg_error *reterr);
