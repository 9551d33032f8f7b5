/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tickets of TLS sessions (RFC 5077, RFC 8446 4.6.1): who comes again shows one, and both
 * sides are spared the certificate's signature. libmicrohttpd knows nothing of them.
 */
#pragma once

struct MHD_Connection;

/* The connection was just made, and its handshake has not begun. Without TLS, or without
 * a key, nothing is done: each handshake is a full one then. Any thread. */
void vg_http_tls_tickets(struct MHD_Connection *connection);

/* Forgets the key. */
void vg_http_tls_tickets_end(void);
