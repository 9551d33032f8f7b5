/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The HTTP side on libmicrohttpd.
 */
#pragma once

#include "virtgate/config.h"

#include <stdbool.h>
#include <stdint.h>

/* Opens all listeners and starts the network threads. -1: said on the log. */
int vg_http_start(const struct vg_config *config);

/* Cuts connections that are past their time, and ends the waits of those whose clients
 * have gone; every 50 ms or so. */
void vg_http_watch(int64_t now_ns);

/* Accepts no more connections and ends kept-alive ones after their next answer. */
void vg_http_drain(void);

/* Requests not answered yet. */
unsigned int vg_http_active(void);

/* From here on no request reaches the application: who brings one is told so. */
void vg_http_shut(void);

/* Requests that the application has in hand. Once shut and 0, it stays 0. */
unsigned int vg_http_in_hand(void);

/* Stops the network threads. Shut and with nothing in hand: libmicrohttpd ends the
 * process when a connection is suspended. */
void vg_http_stop(void);

/* Reads the token file again (SIGHUP). -1: it is bad, said on the log, and the old tokens
 * are kept. */
int vg_http_reload(void);
