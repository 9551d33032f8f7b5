/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The middle: what the HTTP side asks for a request, in this order.
 */
#pragma once

#include "server/core/request.h"
#include "server/config/config.h"

/* Sorts the route tables; finds mistakes in them (then it says so and returns -1). */
int vg_app_start(const struct vg_config *config, const struct vg_route *const *tables);

/* Finds route and host of a request whose target is parsed. -1: the request's error is
 * set, and *ret_allow is the Allow header's value where the path exists (borrowed). */
int vg_app_route(struct vg_request *rq, const char **ret_allow);

/* Once the caller is known, also when vg_app_route() failed: whether the host that the
 * path means is there for it. -1: it is not, by the request's error, and *ret_allow is
 * NULL. */
int vg_app_hide(struct vg_request *rq, const char **ret_allow);

/* Whether vg_app_dispatch() will answer it before it returns; decided once, here. It does
 * for local rows, unless their host is being connected. */
bool vg_app_answers_here(struct vg_request *rq);

/* Runs a request that is routed, permitted and complete; its done() is called, now or
 * later. Takes over the caller's reference. */
void vg_app_dispatch(struct vg_request *rq);

/* The answer to a request that is in memory already; false: it is to be dispatched. */
bool vg_app_remember(const struct vg_request *rq, struct vg_reply *ret);

/* Prints the route table, one JSON object a line, for the contract tests. -1, said on
 * stderr: the router refuses it. */
int vg_app_dump_routes(const struct vg_route *const *tables);
