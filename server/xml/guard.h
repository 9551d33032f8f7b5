/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * XML from clients, before libvirt sees it.
 */
#pragma once

#include "virtgate/error.h"

#include <stddef.h>

/* What a client's document may have at most. libvirt's protocol has no longer string. */
#define VG_XML_MAX_BYTES      4194304
#define VG_XML_MAX_DEPTH      64
#define VG_XML_MAX_ELEMENTS   65536
#define VG_XML_MAX_ATTRIBUTES 64 /* of one element */

/* Refuses what takes libvirt's own parser gigabytes or minutes (422: a document type,
 * entities, too deep elements; 413: too many elements or attributes), what is empty, and
 * what libvirt would write so that it cannot be read again (400: characters that XML does
 * not have, namespaces). Looks at the bytes only; whether it is well-formed is libvirt's
 * to say. -1: *reterr. */
int vg_xml_guard(const char *xml, size_t n, struct vg_error *reterr);
