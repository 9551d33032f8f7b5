/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * openapi.yaml as it was built in (server/gen/openapi.py), as YAML and as JSON; not
 * NUL-terminated.
 */
#pragma once

#include <stddef.h>

extern const char vg_openapi_yaml[];
extern const size_t vg_openapi_yaml_len;
extern const char vg_openapi_json[];
extern const size_t vg_openapi_json_len;
