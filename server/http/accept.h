/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One thread accepts the connections of all listeners and hands them to libmicrohttpd.
 * Its own threads would spin where descriptors run out (0.9.75, 1.0.1: those without a
 * connection try again at once), and could not be told to stop without a race.
 */
#pragma once

#include <microhttpd.h>
#include <stddef.h>

/* A listening socket, and whose its connections are. */
struct vg_http_listener {
    int fd;
    struct MHD_Daemon *daemon;
};

/* Accepts from these listeners, whose sockets are taken. -1: said on the log. */
int vg_http_accept_start(const struct vg_http_listener *listeners, size_t n);

/* Closes the listening sockets: who connects from here on is refused. */
void vg_http_accept_stop(void);
