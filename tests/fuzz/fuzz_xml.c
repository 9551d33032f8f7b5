/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * XML from clients: what the guard lets through is, for a parser that guesses encodings
 * as libvirt's does, a document without a DTD, with few and shallow elements.
 */
#include "fuzz.h"

#include "server/xml/guard.h"
#include "virtgate/cleanup.h"
#include "virtgate/xml.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdio.h>
#include <string.h>

static void say_nothing(void *data, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void say_nothing(void *data, const char *fmt, ...)
{
    (void)data;
    (void)fmt;
}

static void count(const xmlNode *node, unsigned int depth, unsigned int *elements)
{
    MUST(depth <= 64);
    for (const xmlNode *c = node; c; c = c->next) {
        MUST(c->type != XML_ENTITY_REF_NODE);
        if (c->type != XML_ELEMENT_NODE)
            continue;
        MUST(++*elements <= 5000);
        /* an element without children is as deep as its parent, for the guard */
        if (c->children)
            count(c->children, depth + 1, elements);
    }
}

static void check_passed(const char *xml, size_t size)
{
    const int options = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING;
    xmlDocPtr doc = xmlReadMemory(xml, (int)size, NULL, NULL, options);
    if (!doc)
        return;
    unsigned int elements = 0;
    MUST(!doc->intSubset && !doc->extSubset);
    count(xmlDocGetRootElement(doc), 0, &elements);
    xmlFreeDoc(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vg_error e = {0};
    vg_autofree char *xml = fuzz_text(data, size);
    vg_autofree char *name = NULL;
    vg_autofree char *uuid = NULL;
    struct vg_xml_domain domain = {0};

    xmlSetGenericErrorFunc(NULL, say_nothing);
    if (vg_xml_guard(xml, size, &e) == 0) {
        check_passed(xml, size);
        (void)vg_xml_identity(xml, &name, &uuid);
    }
    MUST(!e.status ||
         ((e.status == 400 || e.status == 413 || e.status == 422) && e.detail));
    vg_error_clear(&e);
    /* what libvirt itself answers is not guarded */
    (void)vg_xml_read_domain(xml, &domain);
    vg_xml_domain_clear(&domain);
    return 0;
}
