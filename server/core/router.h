/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The route tables as a tree, for matching.
 */
#pragma once

#include "server/base/permission.h"
#include "virtgate/route.h"

#include <stdbool.h>

/* Builds the tree from the tables. -1, said on stderr: two rows clash, or a literal
 * stands where a name can stand and its row is not .literal, or a row needs a permission
 * that there is not. */
int vg_router_build(const struct vg_route *const *tables);
void vg_router_free(void);

/* The row of a method and a path of n decoded segments. HEAD finds GET's. NULL:
 * *ret_allow is the Allow header's value when the path exists (borrowed, lives as long as
 * the router), else NULL. `ret_needs` may be NULL: what the row's `needs` says, lives as
 * long. */
const struct vg_route *vg_router_find(enum vg_method method, const char *const *segments,
                                      unsigned int n, const char **ret_allow,
                                      const struct vg_permissions **ret_needs);

/* The operationIds of the rows whose calls become operations, "a, b". Owned by the
 * caller; NULL: out of memory. */
char *vg_router_operations(void);

/* "GET" to VG_GET; VG_NO_METHOD for others. */
enum vg_method vg_method_parse(const char *name);
const char *vg_method_name(enum vg_method method);
