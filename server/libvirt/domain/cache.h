/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a connection remembers of domains: handles by what paths call them, and what
 * libvirt's events fully cover. It holds exactly as long as an answer in the answer cache
 * would: no event, no change by the gateway. So a read asks libvirt only for what changes
 * without an event, and is asked for whole once more if that contradicts memory.
 *
 * It belongs to the connection and is used by its worker alone. Only reads use it, and
 * not those with Cache-Control: no-cache.
 */
#pragma once

#include "server/core/request.h"
#include "server/libvirt/domain/data.h"

struct vg_domain_cache;

/* The domain that the path names so; counted. NULL: not remembered. */
virDomainPtr vg_domain_cache_domain(struct vg_request *rq, const char *segment);
void vg_domain_cache_keep_domain(struct vg_request *rq, const char *segment,
                                 virDomainPtr dom);

/* Fills in what is remembered of view->dom; false: nothing. */
bool vg_domain_cache_data(struct vg_request *rq, struct vg_domain_data *view);
/* Remembers of it what events cover, where that is more than before. */
void vg_domain_cache_keep_data(struct vg_request *rq, const struct vg_domain_data *view);

/* A whole list of what events cover, as it was read. Pages are cut from it, so that a
 * page costs its own length, not the list's. It is kept for drivers in this process, too.
 */
struct vg_domain_cached_list {
    struct vg_domain_data
        *v; /* sorted by name; without handles; owned, and their names */
    size_t n;
    unsigned int filter; /* virConnectListAllDomainsFlags that it was read with */
    unsigned int have;   /* of each */
    struct vg_reading reading;
};

/* The list of that filter with these fields; NULL: there is none that is still valid.
 * Borrowed until another is kept. */
const struct vg_domain_cached_list *vg_domain_cache_list(const struct vg_request *rq,
                                                         unsigned int filter,
                                                         unsigned int fields);
/* Keeps a copy of what was read for the request, sorted by name. */
void vg_domain_cache_keep_list(const struct vg_request *rq, unsigned int filter,
                               const struct vg_domain_data *v, size_t n);

/* Whether it is remembered which domains are persistent. */
bool vg_domain_cache_is_current(const struct vg_request *rq);
/* Fills that in. False: it is not remembered of all of them. */
bool vg_domain_cache_persistent(struct vg_request *rq, struct vg_domain_data *views,
                                size_t n);
void vg_domain_cache_keep_persistent(struct vg_request *rq,
                                     const struct vg_domain_data *views, size_t n);
