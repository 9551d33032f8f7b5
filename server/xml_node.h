/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What server/ needs of libxml2's trees.
 */
#pragma once

#include "virtgate/cleanup.h"

#include <libxml/tree.h>

static inline void vg_auto_doc_clean(xmlDocPtr *doc)
{
    xmlFreeDoc(*doc);
}
#define vg_auto_doc VG_CLEANUP(vg_auto_doc_clean) xmlDocPtr

/* A document, without network, entities and messages. NULL: not well-formed, or out of
 * memory; xmlGetLastError() tells. */
xmlDocPtr vg_xml_parse(const char *xml);

/* The first child element of this name; NULL without one, or without a node. Borrowed. */
const xmlNode *vg_xml_child(const xmlNode *node, const char *name);

/* An attribute's value; NULL without it, or without a node. Borrowed. */
const char *vg_xml_attribute(const xmlNode *node, const char *name);
