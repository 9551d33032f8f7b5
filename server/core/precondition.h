/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * If-Match and If-None-Match on changes (RFC 9110, 13.1).
 */
#pragma once

#include "server/core/request.h"

/* Reads what GET would answer now, on the request's own connection, and compares its
 * entity tag with the conditions. -1: they do not hold (or the read failed), the
 * request's error is set. */
int vg_precondition_check(struct vg_request *rq);
