/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libvirt in this process: its error handler, and the event loop thread that keep-alive
 * and callbacks need. Registered before any connection is opened, never stopped early.
 */
#pragma once

/* virInitialize, virSetErrorFunc, the event loop of libvirt/epoll.c, and the thread that
 * runs it for life. -1: said on the log. Before any other thread. */
int vg_virt_start(void);

/* Ends the loop thread, after the last connection is closed. */
void vg_virt_stop(void);
