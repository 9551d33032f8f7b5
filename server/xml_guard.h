/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * XML from clients, before libvirt sees it.
 */
#pragma once

#include "virtgate/error.h"

#include <stddef.h>

/* What a client's document may have at most; libvirt's own have a tenth of it. */
#define VG_XML_MAX_DEPTH    64
#define VG_XML_MAX_ELEMENTS 5000

/* Refuses what takes libvirt's own parser gigabytes or minutes: a document type,
 * entities, too many or too deep elements. Looks at the bytes only; whether it is
 * well-formed is libvirt's to say. -1: *reterr. */
int vg_xml_guard(const char *xml, size_t n, struct vg_error *reterr);
