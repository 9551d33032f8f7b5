/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The scope of a caller, for server/: virtgate/scope.h is what routes have of it.
 */
#pragma once

#include "server/core/request.h"
#include "virtgate/scope.h"

/* What is said in the place of a name that the caller may not see. */
#define VG_SCOPE_INSTEAD "(a domain outside of this token's scope)"

/* Whether there is anything that the rights do not let their holder see. NULL: no. */
bool vg_scope_is_narrow(const struct vg_rights *rights);

bool vg_scope_has_host(const struct vg_rights *rights, const char *host);
bool vg_scope_has_all_hosts(const struct vg_rights *rights);
bool vg_scope_has_all_domains(const struct vg_rights *rights);
bool vg_scope_has_domain(const struct vg_rights *rights, const char *name);

/* Whether a domain may have that name, whoever asks: not "." or "..", which libvirt takes
 * for folders of its own, and removes what stands in them when a domain is new: a guest
 * of that name costs all others their snapshots. -1: *reterr, a 400, is set. */
int vg_check_domain_name(const char *name, struct vg_error *reterr);
