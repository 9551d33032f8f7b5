/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * If-Match on changes (RFC 9110, 13.1.1).
 */
#pragma once

#include "server/request.h"

/* Reads what GET would answer now, on the request's own connection, and compares its
 * entity tag with If-Match. -1: it differs (or the read failed), the request's error is
 * set. */
int vg_precondition_check(struct vg_request *rq);
