/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What clients have open on hosts, for routes/gateway/session.c: consoles, channels and
 * displays of guests, and transfers of bytes.
 */
#pragma once

#include "virtgate/json.h"
#include "virtgate/request.h"

/* Which of them a list is to have; NULL for any. */
struct vg_session_filter {
    unsigned int kinds; /* bits of vg_session_kinds; 0: any */
    const char *domain; /* a name or UUID */
    const char *principal;
};

/* The names of kinds, for VG_NAMES(). */
extern const struct vg_enum vg_session_kinds;

/* Writes the array "sessions", the oldest first, of the request's host; on bare paths of
 * all. Only what the caller may see. */
void vg_sessions_list(struct vg_request *rq, struct vg_json *w,
                      const struct vg_session_filter *filter);

/* Writes the one of this id. -1: there is none, the request's error says so. */
int vg_session_write(struct vg_request *rq, struct vg_json *w, const char *id);

/* Ends the one of this id, for which the caller needs the rights that it was opened with;
 * it is over soon after. -1: there is none, or not for the caller; the request's error is
 * set. */
int vg_session_end(struct vg_request *rq, const char *id);
