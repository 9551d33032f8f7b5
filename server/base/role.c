/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/base/role.h"

#include <string.h>

static const char *const names[] = {"public", "viewer", "operator", "admin"};

const char *vg_role_name(enum vg_role role)
{
    return names[role];
}

int vg_role_parse(const char *name, enum vg_role *ret)
{
    for (enum vg_role r = VG_ROLE_VIEWER; r <= VG_ROLE_ADMIN; r++) {
        if (strcmp(names[r], name) == 0) {
            *ret = r;
            return 0;
        }
    }
    return -1;
}
