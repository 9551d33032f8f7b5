/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The tickets that were given and not used yet; virtgate/ticket.h makes them.
 */
#pragma once

#include "server/core/request.h"
#include "virtgate/ticket.h"

#define VG_TICKETS        4096 /* at a time, */
#define VG_TICKETS_OF_ONE 512  /* and of one token */

/* Takes a ticket out, good or not: whoever shows it has used it. True: it is good for the
 * request's path, from the request's page, and *ret_caller is whose it is. */
bool vg_ticket_take(const char *text, const struct vg_request *rq, int64_t now_ns,
                    struct vg_caller *ret_caller);

void vg_tickets_clear(void);
