/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Rules that give a role to who comes without a token: --tls-client-role by the common
 * name of its certificate, --unix-role by the user and the groups of the process at the
 * other end of a unix socket. The first that matches counts.
 */
#pragma once

#include "server/base/role.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct vg_role_rule {
    enum { VG_RULE_GLOB, VG_RULE_UID, VG_RULE_GID } kind;
    char *glob; /* owned; of VG_RULE_GLOB */
    id_t id;
    enum vg_role role;
};

struct vg_peer_ids {
    uid_t uid;
    gid_t gid;
    const gid_t *groups; /* beside that */
    size_t n_groups;
};

/* 'GLOB=ROLE'. NULL: *ret is set; else what is accepted, static. */
const char *vg_role_rule_of_client(const char *text, struct vg_role_rule *ret);

/* 'uid:N=ROLE', 'gid:N=ROLE' or 'group:NAME=ROLE'; reads the machine's list of groups. */
const char *vg_role_rule_of_socket(const char *text, struct vg_role_rule *ret);

void vg_role_rule_clear(struct vg_role_rule *rule);

bool vg_role_rule_names(const struct vg_role_rule *rule, const char *name);
bool vg_role_rule_is_for(const struct vg_role_rule *rule, const struct vg_peer_ids *peer);
