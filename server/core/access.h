/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who may do what: the role that a route's row needs, and what single arguments need
 * beside it (vg_request_ask).
 */
#pragma once

#include "server/core/request.h"

/* With --read-only nobody may change anything. Before any thread. */
void vg_access_start(bool gateway_is_read_only);

/* The least role for a row's flags (enum vg_route_flag). */
enum vg_role vg_access_needed(unsigned int flags);

/* Whether the role may use the request's route; it is the caller's from here on. -1: the
 * request's error is set. */
int vg_access_permit(struct vg_request *rq, enum vg_role role);
