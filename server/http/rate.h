/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How often one client may call, and how many sessions it may have: a token's or a
 * certificate's client is one, else an address is. Each limit is an option; what is past
 * it is a 429 (RFC 6585, 4) that says when to come again.
 */
#pragma once

#include "server/config/config.h"

#include <stdint.h>

struct vg_http_call;

/* The limit that a call is past, as RateLimit and RateLimit-Policy tell it. */
struct vg_http_rate_limit {
    const char *name;        /* NULL: the call is past none */
    int64_t quota;           /* so many calls */
    unsigned int window;     /* in so many seconds */
    unsigned int until_next; /* seconds until one more is accepted, at least 1 */
};

void vg_http_rate_start(const struct vg_config *config);

/* Counts a call that is permitted. -1: it is past a limit, its error is set. */
int vg_http_rate_admit(struct vg_http_call *call);

/* Counts a call that brings a wrong token. Past its address's limit the call's error is
 * 429 instead: a right one is served all the same. */
void vg_http_rate_refused(struct vg_http_call *call);

/* Gives back the session that the call was admitted for. */
void vg_http_rate_leave(struct vg_http_call *call);
