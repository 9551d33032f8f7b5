/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/config/role_rule.h"

#include "server/config/internal.h"
#include "virtgate/cleanup.h"

#include <errno.h>
#include <fnmatch.h>
#include <grp.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define CLIENT                                                                           \
    "GLOB=ROLE, the glob on the certificate's common name, the role viewer, "            \
    "operator or admin"
#define SOCKET                                                                           \
    "uid:N=ROLE, gid:N=ROLE or group:NAME=ROLE, the role viewer, operator or "           \
    "admin"

/* The text before the last `=`; owned. NULL: there is none, or no role behind it. */
static char *split(const char *text, enum vg_role *ret_role)
{
    const char *equals = strrchr(text, '=');

    if (!equals || equals == text || vg_role_parse(equals + 1, ret_role) < 0)
        return NULL;
    return strndup(text, (size_t)(equals - text));
}

const char *vg_role_rule_of_client(const char *text, struct vg_role_rule *ret)
{
    *ret = (struct vg_role_rule){.kind = VG_RULE_GLOB};
    ret->glob = split(text, &ret->role);
    return ret->glob ? NULL : CLIENT;
}

static int parse_id(const char *text, id_t *ret)
{
    int64_t number;

    /* the last one stands for "no change" in the kernel's calls */
    if (vg_config_parse_number(text, &number) < 0 || number < 0 || number >= UINT_MAX)
        return -1;
    *ret = (id_t)number;
    return 0;
}

/* A group of many members needs a larger buffer, up to a bound. */
static int find_group(const char *name, id_t *ret)
{
    enum { FIRST_SIZE = 4096, MAX_SIZE = 16 << 20 };

    for (size_t size = FIRST_SIZE; size <= MAX_SIZE; size *= 2) {
        struct group group, *found = NULL;
        vg_autofree char *members = malloc(size);
        int error = members ? getgrnam_r(name, &group, members, size, &found) : ENOMEM;
        if (found)
            *ret = (id_t)group.gr_gid;
        if (error != ERANGE)
            return found ? 0 : -1;
    }
    return -1;
}

const char *vg_role_rule_of_socket(const char *text, struct vg_role_rule *ret)
{
    *ret = (struct vg_role_rule){.kind = VG_RULE_UID};
    vg_autofree char *who = split(text, &ret->role);

    if (who && strncmp(who, "uid:", 4) == 0)
        return parse_id(who + 4, &ret->id) < 0 ? SOCKET : NULL;
    ret->kind = VG_RULE_GID;
    if (who && strncmp(who, "gid:", 4) == 0)
        return parse_id(who + 4, &ret->id) < 0 ? SOCKET : NULL;
    if (!who || strncmp(who, "group:", 6) != 0)
        return SOCKET;
    return find_group(who + 6, &ret->id) < 0
               ? "group:NAME of a group that this machine has"
               : NULL;
}

void vg_role_rule_clear(struct vg_role_rule *rule)
{
    free(vg_take(&rule->glob));
}

bool vg_role_rule_names(const struct vg_role_rule *rule, const char *name)
{
    return fnmatch(rule->glob, name, 0) == 0;
}

bool vg_role_rule_is_for(const struct vg_role_rule *rule, const struct vg_peer_ids *peer)
{
    if (rule->kind == VG_RULE_UID)
        return peer->uid == rule->id;
    for (size_t i = 0; i < peer->n_groups; i++)
        if (peer->groups[i] == rule->id)
            return true;
    return peer->gid == rule->id;
}
