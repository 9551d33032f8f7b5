/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which URLs may be fetched, and from which addresses: what the operator names.
 */
#pragma once

#include "server/base/address.h"
#include "virtgate/error.h"

#include <stdint.h>

/* Patterns of URLs (url_pattern.h), networks (ADDRESS[/BITS]) and the time after which
 * nothing more is expected. Borrowed. Before any thread; -1: libcurl cannot work. */
struct vg_fetch_options {
    char *const *patterns;
    size_t n_patterns;
    char *const *networks;
    size_t n_networks;
    int64_t deadline_ns;
};
int vg_fetch_start(const struct vg_fetch_options *options);
/* All that are at work end, and fail. Any thread. */
void vg_fetch_stop(void);
bool vg_fetch_is_stopping(void);

int64_t vg_fetch_deadline(void);

/* Of a URL that is allowed: which address its host is, where it is one and no name. */
struct vg_allowed {
    bool is_address;
    struct vg_address address;
    bool is_tls;
};

/* -1: it is not allowed, or no URL; *reterr. */
int vg_allow_url(const char *url, struct vg_allowed *ret, struct vg_error *reterr);

/* Whether the host that was allowed may be at this address, where its name led to. */
bool vg_allow_address(const struct vg_allowed *allowed, const struct sockaddr *address);
