/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a connection says by itself of who calls: the client's certificate, or the process
 * at the other end of a unix socket; and the rights that --tls-client-role and
 * --unix-role give it.
 */
#pragma once

#include "server/http/internal.h"

/* Reads the rules. -1: said on the log. */
int vg_http_peers_start(const struct vg_config *config);
void vg_http_peers_stop(void);

/* Fills the request's principal, caller and via by the connection. The rights of who
 * shows nothing else; nobody's (of VG_ROLE_NONE) where a token has to come. */
const struct vg_rights *vg_http_peer_rights(struct vg_http_call *call,
                                            const struct vg_config *config);
