/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Listeners and their libmicrohttpd daemons.
 */
#pragma once

#include "server/config/config.h"

#include <microhttpd.h>

/* What the daemons call, on their threads; see MHD_start_daemon(). */
struct vg_http_callbacks {
    void *(*on_target)(void *data, const char *target, struct MHD_Connection *connection);
    MHD_AccessHandlerCallback on_request;
    MHD_RequestCompletedCallback on_completed;
    MHD_NotifyConnectionCallback on_connection;
    void (*on_library_log)(void); /* whatever libmicrohttpd logs, before it goes on */
};

/* Opens every listener and starts a daemon on it; the callbacks live as long as these do.
 * -1: said on the log. */
int vg_http_listen(const struct vg_config *config,
                   const struct vg_http_callbacks *callbacks);
void vg_http_quiesce(void);
void vg_http_close(void);
