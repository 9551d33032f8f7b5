/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who calls, as a proxy says that has asked elsewhere (OpenID Connect, a directory): by a
 * header of its own, --trust-header. It is believed of a process at the other end of a
 * unix socket alone, and never gives more than that process may do itself.
 */
#pragma once

#include "server/http/internal.h"

/* The rights of who shows no token: those of the connection, unless callers are named by
 * a header. Then it fills the request's principal, caller and via; nobody's rights where
 * the header is missing, or comes from elsewhere. */
const struct vg_rights *vg_http_trust(struct vg_http_call *call,
                                      const struct vg_config *config,
                                      const struct vg_rights *of_connection);

/* The rights of somebody whom a proxy has named before, by a ticket; `of_connection` are
 * those of the process that shows it. Nobody's where that is no such proxy. */
const struct vg_rights *vg_http_trust_ticket(struct vg_http_call *call,
                                             const struct vg_caller *named,
                                             const struct vg_rights *of_connection);
