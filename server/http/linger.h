/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sockets of refused requests. One that is closed with bytes unread is reset, and the
 * reset takes the answer away from a client that still sends (RFC 9112, 9.6): it is read,
 * and what is read thrown away, until the client is done.
 */
#pragma once

#include <stdint.h>

/* Keeps the socket from being closed by the close(2) that its owner is about to do. Too
 * many, or a client that is gone: it is closed as ever. Any thread. */
void vg_http_linger(int fd);

/* Reads what has come, closes what is done or late. One thread at a time. */
void vg_http_linger_tick(int64_t now_ns);

/* Closes all. */
void vg_http_linger_end(void);
