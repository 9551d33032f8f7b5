/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Permissions: what libvirt's own access control calls them, OBJECT:PERMISSION, and those
 * of the gateway. A set of them is a set of bits. All functions may be called from any
 * thread.
 */
#pragma once

#include "server/base/role.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VG_PERMISSION_SIZE 48 /* a name and its NUL */

struct vg_permissions {
    uint64_t bits[2];
};

/* Reads names separated by blanks; NULL: none. -1: one is unknown, which is copied to
 * `ret_unknown` as far as it fits. */
int vg_permissions_parse(const char *names, struct vg_permissions *ret,
                         char ret_unknown[static VG_PERMISSION_SIZE]);

/* Whether all of `needed` are in `have`. */
static inline bool vg_permissions_hold(const struct vg_permissions *have,
                                       const struct vg_permissions *needed)
{
    return !((needed->bits[0] & ~have->bits[0]) | (needed->bits[1] & ~have->bits[1]));
}

static inline void vg_permissions_add(struct vg_permissions *to,
                                      const struct vg_permissions *more)
{
    to->bits[0] |= more->bits[0];
    to->bits[1] |= more->bits[1];
}

/* Takes out what is not in `others`. */
static inline void vg_permissions_keep(struct vg_permissions *of,
                                       const struct vg_permissions *others)
{
    of->bits[0] &= others->bits[0];
    of->bits[1] &= others->bits[1];
}

/* Takes out what is in `others`. */
static inline void vg_permissions_take(struct vg_permissions *from,
                                       const struct vg_permissions *others)
{
    from->bits[0] &= ~others->bits[0];
    from->bits[1] &= ~others->bits[1];
}

static inline bool vg_permissions_same(const struct vg_permissions *a,
                                       const struct vg_permissions *b)
{
    return a->bits[0] == b->bits[0] && a->bits[1] == b->bits[1];
}

/* All that there are of a kind of object: "domain". */
struct vg_permissions vg_permissions_of(const char *object);

/* The names in a set, one by one: *at begins at 0. NULL: there are no more. Static. */
const char *vg_permissions_next(const struct vg_permissions *set, unsigned int *at);

/* The name of the first of `needed` that is not in `have`; NULL: there is none. Static.
 */
const char *vg_permissions_missing(const struct vg_permissions *have,
                                   const struct vg_permissions *needed);

/* What a role may do. Static. */
const struct vg_permissions *vg_role_permissions(enum vg_role role);

/* The least role that has all of them; VG_ROLE_NONE: there are none to have. */
enum vg_role vg_permissions_role(const struct vg_permissions *needed);
