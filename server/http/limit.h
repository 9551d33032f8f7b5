/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Limits on what one client holds, so that others are served: slots of connections,
 * bytes of bodies, bytes of answers that wait for their readers. Each is an option.
 */
#pragma once

#include "server/config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct vg_body;
struct vg_http_call;
struct vg_http_conn;
struct vg_gzipped;
struct vg_request;

/* A connection's place among all. */
struct vg_http_slot {
    TAILQ_ENTRY(vg_http_conn) order; /* while it is listed */
    uint64_t address;                /* of the peer, as limits tell addresses apart */
    bool spare;           /* past the limits: for /health/ alone; as long as it lives */
    bool known;           /* it brought an authenticated request; its thread's */
    bool listed, counted; /* guarded by http/limit.c's lock */
};

/* Makes max-connections what the limit of descriptors allows, and says so on the log.
 * Before anything else here. */
void vg_http_limit_fit(struct vg_config *config);

/* Whether this descriptor of a connection says that few are left, since the lowest is
 * always given first: then it is better to wait until some are closed. */
bool vg_http_limit_is_short(int fd);

void vg_http_limit_start(const struct vg_config *config);

/* ---- connections --------------------------------------------------------------------
 */

/* Gives a new connection its slot. When there is none left, the connection that waits
 * longest without an authenticated request makes room; without one the new connection is
 * a spare one. */
void vg_http_limit_open(struct vg_http_conn *conn);
void vg_http_limit_close(struct vg_http_conn *conn);

/* The time for a header: a spare connection has less. */
int64_t vg_http_limit_patience(const struct vg_http_conn *conn, int64_t seconds);

/* -1: the call's route is not for a spare connection, its error is set. */
int vg_http_limit_admit(struct vg_http_call *call);

/* The call is authenticated, or needs not be: its connection makes no room for others. */
void vg_http_limit_know(struct vg_http_call *call);

/* Whose a call is, as limits tell clients apart: the token's or certificate's, else its
 * address's, which a trusted proxy names. */
uint64_t vg_http_limit_payer(const struct vg_http_call *call);
uint64_t vg_http_limit_address(const struct vg_http_call *call);

/* ---- bodies -------------------------------------------------------------------------
 */

/* n more bytes of memory for the call's body. False: all bodies together, or those of the
 * same token (without one: of the same address), have what they may. */
bool vg_http_limit_take_body(struct vg_http_call *call, size_t n);
void vg_http_limit_give_body(struct vg_http_call *call, size_t n);

/* ---- answers ------------------------------------------------------------------------
 */

/* An equal body that waits for a reader already, else the one that is given, which is
 * taken. Small ones are not compared. */
struct vg_body *vg_http_limit_share(struct vg_body *body_steal);

/* The body waits for its reader from here on. False: too many bytes do; a body that is
 * `owed` (its change is done) is never refused. `*ret_counted`: vg_http_limit_sent() is
 * to be called. */
bool vg_http_limit_send(struct vg_body *body, const struct vg_gzipped *gzipped, bool owed,
                        bool *ret_counted);
void vg_http_limit_sent(struct vg_body *body);
