/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Listeners and their libmicrohttpd daemons, and the callbacks these call.
 */
#pragma once

#include "virtgate/config.h"

#include <microhttpd.h>

/* Opens every listener and starts a daemon on it. -1: said on the log. */
int vg_http_listen(const struct vg_config *config);
void vg_http_quiesce(void);
void vg_http_close(void);

/* In http/server.c. */
void *vg_http_on_target(void *data, const char *target,
                        struct MHD_Connection *connection);
enum MHD_Result vg_http_on_request(void *data, struct MHD_Connection *connection,
                                   const char *url, const char *method,
                                   const char *version, const char *upload,
                                   size_t *upload_size, void **state);
void vg_http_on_completed(void *data, struct MHD_Connection *connection, void **state,
                          enum MHD_RequestTerminationCode code);
/* Whatever libmicrohttpd logs, before it goes on. */
void vg_http_on_library_log(void);
/* In http/conn.c. */
void vg_http_on_connection(void *data, struct MHD_Connection *connection, void **state,
                           enum MHD_ConnectionNotificationCode code);
