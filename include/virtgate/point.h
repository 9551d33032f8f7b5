/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Points in a domain's life, snapshots and checkpoints: both form a tree, and libvirt's
 * documents of both have the same members.
 */
#pragma once

#include "virtgate/error.h"

/* What the document says of itself: name, parent (null for a root), description,
 * creationTimeSeconds, and of a snapshot state. New reference; NULL: *reterr. */
json_t *vg_point_to_json(const char *xml, struct vg_error *reterr);

/* An array of such objects as a list shows it: by name, unless libvirt put them in order
 * (`ordered`); with `tree` only the roots (those whose parent is not in it), each with
 * its "children". The reference is taken; NULL when out of memory. */
json_t *vg_points_arrange(json_t *points_steal, bool ordered, bool tree);

/* A document <root> with a name and a description, each NULL for none. Owned by the
 * caller; NULL when out of memory. */
char *vg_point_to_xml(const char *root, const char *name, const char *description);
