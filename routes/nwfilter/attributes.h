/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the JSON of filters and of bindings have in common.
 */
#pragma once

#include <jansson.h>

/* An object with the attributes of an element: {"@action": "drop"} is {"action": "drop"}.
 * New reference. */
json_t *vg_json_attributes(const json_t *element);

/* A <filterref>: {"filter": NAME, "parameters": [{"name", "value"}]}. New reference. */
json_t *vg_json_filter_use(const json_t *filterref);
