/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the application, or a worker, has in hand of calls: the application may be
 * stopped, and libmicrohttpd may be (which dies of suspended connections), when there is
 * nothing and nothing may come. Any thread.
 */
#pragma once

#include <stdbool.h>

/* Before a call is dispatched, or its connection suspended. False: too late, it is not to
 * be. */
bool vg_http_enter(void);
/* It was answered, or resumed. */
void vg_http_leave(void);
/* One that is inside already has something more in hand. */
void vg_http_enter_again(void);

/* Nothing comes in from here on. */
void vg_http_close_door(void);

/* Requests that the application has in hand. Once shut and 0, it stays 0. */
unsigned int vg_http_in_flight(void);
