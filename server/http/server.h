/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The HTTP side on libmicrohttpd.
 */
#pragma once

#include "server/core/request.h"
#include "server/config/config.h"

#include <stdbool.h>
#include <stdint.h>

/* What is done with requests, by those that know routes and hosts. Each may be called by
 * any network thread, and does not block. */
struct vg_http_app {
    /* Finds the route and the host of a request whose target is parsed. -1: the request's
     * error is set, and *ret_allow is the Allow header's value where the path exists
     * (borrowed). */
    int (*route)(struct vg_request *rq, const char **ret_allow);
    /* Once the caller is known, also when route() failed: whether the host that the path
     * means is there for it. -1: it is not, by the request's error, and *ret_allow is
     * NULL. */
    int (*hide)(struct vg_request *rq, const char **ret_allow);
    /* Whether dispatch() will answer it before it returns; decided once, here. */
    bool (*answers_here)(struct vg_request *rq);
    /* The answer that is in memory already; false: it is to be dispatched. */
    bool (*remember)(const struct vg_request *rq, struct vg_reply *ret);
    /* Runs a request that is routed, permitted and complete; its done() is called, now or
     * later. Takes over the caller's reference. */
    void (*dispatch)(struct vg_request *rq);
    /* Takes a ticket; true: it is good for the request, and *ret_caller is whose it is.
     */
    bool (*take_ticket)(const char *text, const struct vg_request *rq, int64_t now_ns,
                        struct vg_caller *ret_caller);
};

/* Opens all listeners and starts the network threads; what is given lives as long as
 * they do. -1: said on the log. */
int vg_http_start(const struct vg_config *config, const struct vg_http_app *app);

/* Cuts connections that are past their time, and ends the waits of those whose clients
 * have gone; every 50 ms or so. */
void vg_http_tick(int64_t now_ns);

/* Accepts no more connections and ends kept-alive ones after their next answer. */
void vg_http_drain(void);

/* Requests not answered yet. */
unsigned int vg_http_active(void);

/* From here on no request reaches the application: who brings one is told so. */
void vg_http_shut(void);

/* Stops the network threads. Shut and with nothing in hand: libmicrohttpd ends the
 * process when a connection is suspended. */
void vg_http_stop(void);

/* Reads the token file, and the certificate with its key, again (SIGHUP). What is bad is
 * said on the log, and the old one kept. What was read, of these: */
#define VG_RELOADED_TOKENS      1U
#define VG_RELOADED_CERTIFICATE 2U
unsigned int vg_http_reload(void);
