/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libxml2's trees with ownership by scope, for server/ only.
 */
#pragma once

#include "virtgate/cleanup.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdbool.h>
#include <string.h>

/* No network, no messages on stderr; entities stay references. */
#define VG_XML_OPTIONS (XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING)

/* Text for libxml2 (its own BAD_CAST casts const away). */
#define VG_XML(text) ((const xmlChar *)(text))

static inline void vg_xml_clean_doc(xmlDocPtr *doc)
{
    xmlFreeDoc(*doc);
}
#define vg_auto_doc VG_CLEANUP(vg_xml_clean_doc) xmlDocPtr

static inline void vg_xml_clean_parser(xmlParserCtxtPtr *parser)
{
    xmlFreeParserCtxt(*parser);
}
#define vg_auto_parser VG_CLEANUP(vg_xml_clean_parser) xmlParserCtxtPtr

static inline void vg_xml_clean_text(xmlChar **text)
{
    xmlFree(*text);
}
#define vg_auto_xml_text VG_CLEANUP(vg_xml_clean_text) xmlChar *

static inline void vg_xml_clean_buffer(xmlBufferPtr *buffer)
{
    xmlBufferFree(*buffer);
}
#define vg_auto_xml_buffer VG_CLEANUP(vg_xml_clean_buffer) xmlBufferPtr

/* A document, without network, entities and messages. NULL: not well-formed, or out of
 * memory; xmlGetLastError() tells. */
xmlDocPtr vg_xml_parse(const char *xml);

/* Whether it is an element of this name, whatever its namespace. */
static inline bool vg_xml_is(const xmlNode *node, const char *name)
{
    return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}
/* Whether it is a domain's: of its own, or in a snapshot's document. */
static inline bool vg_xml_is_domain(const xmlNode *node)
{
    return vg_xml_is(node, "domain") || vg_xml_is(node, "inactiveDomain");
}

/* The first child element of this name; NULL without one, or without a node. Borrowed. */
const xmlNode *vg_xml_child(const xmlNode *node, const char *name);

/* An attribute's value; NULL without it, or without a node. Borrowed. */
const char *vg_xml_attribute(const xmlNode *node, const char *name);

/* Whether the document has anything of this XPath, in which $name stands for the text.
 * -1: there is no memory, or (NULL) no document. */
int vg_xml_test(xmlDocPtr doc, const char *path, const char *name);

/* What follows in the document: a node's first child, else what comes after the node.
 * NULL: it was the last. */
const xmlNode *vg_xml_next(const xmlNode *node);

/* The element's name, or one of its attributes', whose prefix nothing declares; NULL: all
 * are declared, or it is no element. Borrowed. */
const char *vg_xml_lost_name(const xmlNode *node);

/* Whether libxml2 had no memory since xmlResetLastError(): it goes on with less. */
static inline bool vg_xml_lost_memory(void)
{
    const xmlError *e = xmlGetLastError();
    return e && e->code == XML_ERR_NO_MEMORY;
}
