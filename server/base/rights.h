/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Rights: what a caller may do (permissions) and see (scope). They are interned: equal
 * rights are one pointer, which lives as long as the program and never changes, so that
 * answers in memory, shared calls and sessions compare pointers. There are as many as the
 * token files of this run had different lines. All functions may be called from any
 * thread.
 */
#pragma once

#include "server/base/permission.h"

#include <stdbool.h>
#include <stddef.h>

/* Globs on names (fnmatch(3)); n is 0: every name. */
struct vg_globs {
    char **v;
    size_t n;
};

struct vg_rights {
    unsigned int id;                       /* a small number; 0: nobody's */
    enum vg_role role;                     /* that they come from */
    struct vg_permissions permissions;     /* all of them, whatever they come from */
    struct vg_permissions allowed, denied; /* beside the role: allow=, deny= */
    struct vg_globs hosts, domains;        /* the scope; what is outside is not there */
    struct vg_rights *next;                /* rights.c's */
};

/* What a line of the token file says beside the name: lists separated by commas; NULL:
 * not said. */
struct vg_rights_spec {
    enum vg_role role;
    const char *allow, *deny; /* permissions */
    const char *hosts, *domains;
};

#define VG_RIGHTS_FAULT_SIZE 160

/* The rights of that line: what the role has, with `domains` of other kinds only what a
 * viewer has; `allow` adds to that, and `deny` takes last. NULL: ret_fault says what is
 * wrong with it, "" when there was no memory. */
const struct vg_rights *vg_rights_intern(const struct vg_rights_spec *spec,
                                         char ret_fault[static VG_RIGHTS_FAULT_SIZE]);

/* Whether any rights of this run are of some hosts only: then which there are is not for
 * everybody. */
bool vg_rights_hide_hosts(void);

/* Those of a role alone; of VG_ROLE_NONE: nobody's, who may do nothing. Never NULL. */
const struct vg_rights *vg_rights_of_role(enum vg_role role);

static inline bool vg_rights_hold(const struct vg_rights *rights,
                                  const struct vg_permissions *needed)
{
    return vg_permissions_hold(&rights->permissions, needed);
}

/* Why the rights lack a permission, to end a sentence, which names what has it. */
void vg_rights_explain(const struct vg_rights *rights, const char *permission,
                       const struct vg_permissions *needed, char *ret, size_t size);

/* Whether a name is in the scope. */
bool vg_globs_match(const struct vg_globs *globs, const char *name);
