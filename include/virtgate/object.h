/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * From a path segment to a libvirt object.
 */
#pragma once

#include "virtgate/autoptr.h"
#include "virtgate/request.h"

/* The path's {domain}: a UUID-shaped segment is looked up as UUID then as name; digits as
 * id then as name; else as name; `?by=` forces one (virDomainLookupByUUIDString, ...ByID,
 * ...ByName). NULL: the request's error is libvirt's own. The caller owns the object. */
virDomainPtr vg_path_domain(struct vg_request *rq);

/* Whether it is shaped like a UUID: 36 characters with dashes, or 32 hexadecimal digits.
 */
bool vg_is_uuid(const char *text);

/* Whether it is a MAC address as libvirt reads it: "52:54:00:1:2:3". */
bool vg_is_mac(const char *text);

/* A random one (RFC 9562, version 4). */
void vg_make_uuid(char ret[static VG_UUID_SIZE]);

/* Whether a path may have it as a segment: clients resolve "." and "..", and what is long
 * makes a longer target than the gateway takes. */
bool vg_is_segment(const char *name);

/* The domain that `name` means, by the same rules, of the request's host. */
virDomainPtr vg_find_domain(struct vg_request *rq, const char *name);

/* vg_args(), then vg_path_domain(): how most handlers begin. NULL: the request's error
 * says which failed. */
virDomainPtr vg_args_domain(struct vg_request *rq, const struct vg_field *fields);

/* The same of a handler whose only argument is `flags`, by these names: a list of them in
 * the body or the query. Without it *ret_flags keeps its value. */
virDomainPtr vg_flags_domain(struct vg_request *rq, const struct vg_enum *names,
                             unsigned int *ret_flags);

/* Path of a domain for Location and links: its name, percent-encoded, or its UUID where
 * the name would lead elsewhere (a domain called "7" or ".."). Owned by the caller. */
char *vg_domain_href(const struct vg_request *rq, virDomainPtr dom);
/* The same of what is below it: ".../snapshots/before%20upgrade", or ".../job" when
 * `name` is NULL; `tail`, "/job" or a query, follows as it is. */
char *vg_domain_child_href(const struct vg_request *rq, virDomainPtr dom,
                           const char *collection, const char *name, const char *tail);
