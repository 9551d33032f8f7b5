/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who may do what: the permissions that a route's row needs, and what single arguments
 * need beside it (vg_request_ask).
 */
#pragma once

#include "server/core/request.h"

/* With --read-only nobody may change anything. Before any thread. */
void vg_access_start(bool gateway_is_read_only);

/* Notes the caller's rights, and checks that it has what the request's row needs. -1: the
 * request's error is set. */
int vg_access_permit(struct vg_request *rq, const struct vg_rights *rights);

/* All that the caller has, with --read-only what a viewer has of it. */
struct vg_permissions vg_access_permissions(const struct vg_request *rq);

/* Whether the caller may do whatever there is. */
bool vg_access_has_all(const struct vg_request *rq);

/* vg_request_ask() of a set. */
int vg_access_ask(struct vg_request *rq, const struct vg_permissions *needed,
                  const char *why);
