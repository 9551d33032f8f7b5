/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tickets on the wire: which page asks, and `?ticket=`.
 */
#pragma once

#include "server/http/internal.h"

/* Notes which page sends the request, if one does. */
void vg_http_note_page(struct vg_http_call *call, const struct vg_config *config);

/* The ticket that the request shows, where one is taken: with GET of a stream or a
 * WebSocket; NULL: none. It no longer stands in the request's target then. Borrowed. */
const char *vg_http_ticket_of(const struct vg_http_call *call);
