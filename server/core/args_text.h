/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The one place where texts from clients are looked at before anything is made of them:
 * characters that XML does not have are a 400, wherever they stand.
 */
#pragma once

#include "server/core/request.h"

/* The query's keys and values. -1: the request's error is set. */
int vg_args_check_query(struct vg_request *rq);

/* A text that came otherwise: "source 'where'" begins what the error says. */
int vg_args_check_text(struct vg_request *rq, const char *source, const char *where,
                       const char *text);

/* All texts of a body's member `name`, and the keys of its objects. -1: the request's
 * error, which says where, is set. */
int vg_args_check_json(struct vg_request *rq, const char *name, json_t *value);
