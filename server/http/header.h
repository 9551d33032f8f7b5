/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Header fields of answers.
 */
#pragma once

#include <microhttpd.h>

/* Adds a field to a response, which becomes NULL where there is no memory for it; NULL
 * for either: nothing is done. */
void vg_http_add_header(struct MHD_Response **response, const char *name,
                        const char *value);
