/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The names of the hosts, for what takes one as an argument. Set before any thread runs.
 */
#pragma once

#include "server/core/request.h"

/* Adds a name, which lives as long as the program. -1: out of memory. */
int vg_host_names_add(const char *name);
void vg_host_names_clear(void);

/* Whether there is a host of that name, and a request may ask for what is of it: below a
 * host only for that one. */
bool vg_host_name_is_here(const struct vg_request *rq, const char *name);
