/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Points in a domain's life, snapshots and checkpoints: both form a tree, and libvirt's
 * documents of both have the same members.
 */
#pragma once

#include "virtgate/request.h"

/* What the document says of itself: name, parent (null for a root), description,
 * creationTimeSeconds, and of a snapshot state. New reference; NULL: *reterr. */
json_t *vg_restore_point_to_json(const char *xml, struct vg_error *reterr);

/* How a list of points is wanted: ?flags= and ?tree=. */
struct vg_restore_points_args {
    unsigned int flags; /* for libvirt's call */
    bool ordered;       /* libvirt puts them in order */
    bool tree;
};

/* Reads them; `names` are the flags, of which `topological` asks libvirt for an order.
 * -1: the request's error is set. */
int vg_restore_points_args(struct vg_request *rq, const struct vg_enum *names,
                           unsigned int topological, struct vg_restore_points_args *ret);

/* Adds what vg_restore_point_to_json() or its like gave, and takes the reference; NULL:
 * it failed, and said why. -1: the request's error is set. */
int vg_restore_points_add(struct vg_request *rq, json_t *points, json_t *point_steal);

/* An array of such objects as a list shows it: by name, unless they are ordered; as a
 * tree only the roots (those whose parent is not in it), each with its "children". The
 * reference is taken; NULL when out of memory. */
json_t *vg_restore_points_arrange(json_t *points_steal,
                                  const struct vg_restore_points_args *how);

/* Whether the name that a document gives a new point is taken. One without a name libvirt
 * calls by the second it is made in: another of this second or the last takes that. `has`
 * says whether the domain has a point of a name. */
bool vg_restore_point_is_taken(const char *xml,
                               bool (*has)(void *domain, const char *name), void *domain);

/* A document <root> with a name and a description, each NULL for none. Owned by the
 * caller; NULL: the request's error is set, a 400 where one is no text of XML. */
char *vg_restore_point_to_xml(struct vg_request *rq, const char *root, const char *name,
                              const char *description);
