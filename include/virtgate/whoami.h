/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who a request is from, as the gateway sees it.
 */
#pragma once

#include "virtgate/json.h"
#include "virtgate/request.h"

/* What the caller is known by: token, certificate, socket, header, or none. Static. */
const char *vg_whoami_via(const struct vg_request *rq);

/* Writes the members name, role, permissions, scope, via and expiresAt of the caller. */
void vg_whoami_write(const struct vg_request *rq, struct vg_json *w);
