/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Connections, as the watchdog sees them: libmicrohttpd knows inactivity only, and of a
 * suspended one nothing at all. Here each has a time when it is cut, and a client that
 * went away while it waited is noticed.
 */
#pragma once

#include "server/http/internal.h"

/* libmicrohttpd's callback: a connection begins or ends. */
void vg_http_on_connection(void *data, struct MHD_Connection *connection, void **state,
                           enum MHD_ConnectionNotificationCode code);

/* The connection's own, until libmicrohttpd closes it. */
struct vg_http_conn *vg_http_conn_of(struct MHD_Connection *connection);

/* From the first byte of its target known here until it is claimed, a request is cut:
 * with a 408 when it is late, with a 400 when its client has ended its side before. */
void vg_http_conn_reads(struct vg_http_conn *conn, int64_t seconds);

/* The request is whole, or refused: it is answered from here on, and has its own deadline
 * instead of the connection's. False: the watchdog was faster, it has been answered. */
bool vg_http_conn_claim(struct vg_http_conn *conn);

/* The status that the watchdog answered its request with; 0: none. */
int vg_http_conn_verdict(const struct vg_http_conn *conn);

/* The connection's call may wait, or stream, for long: `gone` is called when its client
 * ends the connection, or its side of it. Before it is suspended; a failure to watch it
 * only means that the wait takes its time. `gone` runs under a lock of conn.c's, which it
 * may not take. */
void vg_http_conn_waits(struct vg_http_conn *conn, void (*gone)(void *data), void *data);

/* The call waits no more: it may be freed after this. */
void vg_http_conn_waited(struct vg_http_conn *conn);

/* Cuts those that are past their time or broken off, and ends the waits of clients that
 * have gone. For the watchdog. */
void vg_http_conns_tick(int64_t now_ns);

int vg_http_conns_start(const struct vg_config *config);
void vg_http_conns_stop(void);
