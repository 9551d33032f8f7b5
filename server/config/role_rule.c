/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/config/role_rule.h"

#include "server/config/internal.h"
#include "virtgate/cleanup.h"

#include <fnmatch.h>
#include <grp.h>
#include <limits.h>
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
    const struct group *group = getgrnam(who + 6);
    if (!group)
        return "group:NAME of a group that this machine has";
    ret->id = group->gr_gid;
    return NULL;
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
