/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What libvirt's own schemas say of its documents' elements, as far as JSON needs it:
 * generated at build time (server/gen/repeats.py), sorted.
 */
#pragma once

#include <stddef.h>

struct vg_xml_repeat {
    const char *parent, *child; /* local names */
    const char *roots;          /* documents in which that is so: " domain network " */
};

extern const struct vg_xml_repeat vg_xml_repeats[];
extern const size_t vg_xml_repeats_count;

/* The root elements of all documents that there are schemas of, each between spaces. */
extern const char vg_xml_roots[];

/* Elements that hold no text in any document, sorted. */
extern const char *const vg_xml_containers[];
extern const size_t vg_xml_containers_count;
