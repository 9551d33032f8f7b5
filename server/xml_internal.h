/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the readers of libvirt's documents share: no network, no entities, no DTD.
 */
#pragma once

#include "virtgate/cleanup.h"

#include <libxml/parser.h>
#include <libxml/tree.h>

#define VG_XML_OPTIONS (XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING)

static inline void vg_doc_clean(xmlDocPtr *doc)
{
    xmlFreeDoc(*doc);
}
#define vg_auto_doc VG_CLEANUP(vg_doc_clean) xmlDocPtr

/* The first child element of that name; NULL when there is none, or no node. */
const xmlNode *vg_xml_child(const xmlNode *node, const char *name);
