/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a token may see: `hosts=` and `domains=` of its line, globs on names. What is
 * outside is not there for it: a look-up answers as for what does not exist, a list
 * passes over it, and so on. Any handler that comes to a guest otherwise than by the path
 * or by vg_find_domain() asks here. All functions may be called from any thread.
 */
#pragma once

#include <stdbool.h>

struct vg_request;

/* Whether the caller may see the host of that name. */
bool vg_sees_host(const struct vg_request *rq, const char *host);

/* Whether a caller of a public row is told which hosts there are: one that shows no token
 * is, unless there is a token with `hosts=`. */
bool vg_knows_hosts(const struct vg_request *rq);

/* Whether the caller may see every host that there is or may be. */
bool vg_sees_all_hosts(const struct vg_request *rq);

/* Whether the caller may see every domain: what costs calls is left out then. */
bool vg_sees_all_domains(const struct vg_request *rq);

/* Whether the caller may see a domain of that name, be there one or not. NULL, a name
 * that is not known, is seen by who sees all. */
bool vg_sees_domain(const struct vg_request *rq, const char *name);

/* The name as the caller may be told it: where a guest that it does not see is in the
 * way, a text that says so. Borrowed. */
const char *vg_domain_shown(const struct vg_request *rq, const char *name);

/* Whether the caller may give a domain that name: define, create, rename, restore or
 * migrate it so. -1: the request's error says that it is outside (403), or that no domain
 * can be called so (400). NULL, no new name, may be given. */
int vg_ask_domain_name(struct vg_request *rq, const char *name);
