/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One request to all hosts: /hosts/-/...
 */
#pragma once

#include "server/core/request.h"

/* Asks every host for the request's list, joins the answers and answers the request;
 * hosts that fail or are late stand in "unreachable". Takes over the caller's reference.
 */
void vg_fan_out_submit(struct vg_request *rq);
