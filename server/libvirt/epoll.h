/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libvirt's event loop on epoll. Each RPC switches its socket's handle off and on again
 * and sets a keep-alive timer: libvirt's own loop is woken for each of these, here they
 * are a system call and an assignment.
 */
#pragma once

#include <stdbool.h>

/* Makes this loop libvirt's, before any connection is opened. -1: errno. */
int vg_epoll_register(void);

/* Whether the calling thread's handles are refused from here on: what it opens is on no
 * event loop. */
void vg_epoll_refuse(bool refuse);

/* Waits for what is due next and calls back. Always by the same thread. */
void vg_epoll_turn(void);

/* Ends a turn that waits. Any thread. */
void vg_epoll_wake(void);
