/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tickets: a browser sends no Authorization with an EventSource or a WebSocket, so a page
 * asks for a ticket first, with its token, and puts that into the URL.
 */
#pragma once

#include "virtgate/request.h"

#define VG_TICKET_SECONDS 30

struct vg_ticket {
    char text[41];       /* hexadecimal */
    char expires_at[40]; /* RFC 3339 */
};

/* Makes one for the stream or WebSocket at `path` (a query is left out), good for one use
 * by the caller's token from the page that asks. -1: the request's error says why there
 * is none; there are never more than some. Any thread. */
int vg_ticket_new(struct vg_request *rq, const char *path, struct vg_ticket *ret);
