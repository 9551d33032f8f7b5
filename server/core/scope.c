/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/core/scope.h"

#include <string.h>

bool vg_scope_is_narrow(const struct vg_rights *rights)
{
    return !vg_scope_has_all_hosts(rights) || !vg_scope_has_all_domains(rights);
}

bool vg_scope_has_host(const struct vg_rights *rights, const char *host)
{
    return !rights || vg_globs_match(&rights->hosts, host);
}

bool vg_scope_has_all_hosts(const struct vg_rights *rights)
{
    return !rights || !rights->hosts.n;
}

bool vg_scope_has_all_domains(const struct vg_rights *rights)
{
    return !rights || !rights->domains.n;
}

bool vg_scope_has_domain(const struct vg_rights *rights, const char *name)
{
    return vg_scope_has_all_domains(rights) ||
           (name && vg_globs_match(&rights->domains, name));
}

bool vg_sees_host(const struct vg_request *rq, const char *host)
{
    return vg_scope_has_host(rq->rights, host);
}

bool vg_knows_hosts(const struct vg_request *rq)
{
    return rq->rights->role != VG_ROLE_NONE || !vg_rights_hide_hosts();
}

bool vg_sees_all_hosts(const struct vg_request *rq)
{
    return vg_scope_has_all_hosts(rq->rights);
}

bool vg_sees_all_domains(const struct vg_request *rq)
{
    return vg_scope_has_all_domains(rq->rights);
}

bool vg_sees_domain(const struct vg_request *rq, const char *name)
{
    return vg_scope_has_domain(rq->rights, name);
}

const char *vg_domain_shown(const struct vg_request *rq, const char *name)
{
    return vg_sees_domain(rq, name) ? name : VG_SCOPE_INSTEAD;
}

int vg_check_domain_name(const char *name, struct vg_error *reterr)
{
    if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
        return 0;
    vg_error_set(reterr, VG_E_INVALID_VALUE,
                 "A domain cannot be called '%s': libvirt would take it for a folder",
                 name);
    return -1;
}

int vg_ask_domain_name(struct vg_request *rq, const char *name)
{
    if (name && vg_check_domain_name(name, &rq->error) < 0)
        return -1;
    if (!name || vg_sees_domain(rq, name))
        return 0;
    vg_error_set(
        &rq->error, VG_E_OUTSIDE_SCOPE,
        "A domain '%.200s' is outside of this token's scope: it may make and name "
        "only domains that its 'domains=' lets it see; GET /whoami shows it",
        name);
    return -1;
}
