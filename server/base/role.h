/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The roles of callers, each of which may do what the ones before it may.
 */
#pragma once

enum vg_role {
    VG_ROLE_NONE,
    VG_ROLE_VIEWER,
    VG_ROLE_OPERATOR,
    VG_ROLE_ADMIN,
};

/* "public", "viewer", "operator", "admin". Static. */
const char *vg_role_name(enum vg_role role);

/* The role of that name; -1: there is none that anybody can have. */
int vg_role_parse(const char *name, enum vg_role *ret);
