/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * From XML to JSON (docs/xml-json.md). An element is an object: its attributes and
 * namespace declarations, its text, then its children by name. Whether a name is an array
 * is for libvirt's schemas to say, not for how many there happen to be.
 */
#include "virtgate/xml_json.h"

#include "server/xml/repeats.h"
#include "server/xml/tree.h"

#include <stdio.h>
#include <string.h>

/* NOCDATA: a CDATA section is but another way to write text. */
#define PARSE_OPTIONS      (VG_XML_OPTIONS | XML_PARSE_NOCDATA)
#define LIBVIRT_NAMESPACES "http://libvirt.org/schemas/"

/* ---- names ------------------------------------------------------------------------- */

static int compare_repeats(const void *a, const void *b)
{
    const struct vg_xml_repeat *x = a, *y = b;
    int order = strcmp(x->parent, y->parent);
    return order ? order : strcmp(x->child, y->child);
}

static bool is_libvirts(const xmlNode *e)
{
    return !e->ns || !e->ns->href ||
           strncmp((const char *)e->ns->href, LIBVIRT_NAMESPACES,
                   strlen(LIBVIRT_NAMESPACES)) == 0;
}

/* Whether " a b " has the name. */
static bool has_name(const char *names, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = strstr(names, name); p; p = strstr(p + 1, name))
        if (p[-1] == ' ' && p[n] == ' ')
            return true;
    return false;
}

/* Whether libvirt's schemas allow several of this element where it stands. A part of a
 * document, a single <disk> say, follows every schema that knows it. */
static bool repeats(const xmlNode *e)
{
    if (!e->parent || e->parent->type != XML_ELEMENT_NODE || !is_libvirts(e) ||
        !is_libvirts(e->parent))
        return false;
    const struct vg_xml_repeat key = {(const char *)e->parent->name,
                                      (const char *)e->name, NULL};
    const struct vg_xml_repeat *found =
        bsearch(&key, vg_xml_repeats, vg_xml_repeats_count, sizeof(key), compare_repeats);
    const char *root = (const char *)xmlDocGetRootElement(e->doc)->name;
    return found && (has_name(found->roots, root) || !has_name(vg_xml_roots, root));
}

/* "name" or "prefix:name" behind a mark; owned by the caller. */
static char *make_key(const char *mark, const xmlNs *ns, const xmlChar *name)
{
    char *key = NULL;
    const char *prefix = ns && ns->prefix ? (const char *)ns->prefix : NULL;
    int n =
        asprintf(&key, "%s%s%s%s", mark, prefix ? prefix : "", prefix ? ":" : "", name);
    return n < 0 ? NULL : key;
}

/* ---- members ----------------------------------------------------------------------- */

/* An object being made of an element. Out of memory is remembered. */
struct maker {
    json_t *object;
    json_t *order; /* the keys of all children */
    bool mixed;    /* not all of a name stand together */
    bool failed;
};

static void add_attribute(struct maker *m, const char *key, const char *value)
{
    if (!key || json_object_set_new(m->object, key, vg_json_text(value)) < 0)
        m->failed = true;
}

/* The next child: its own member, or one more in the array of its name. */
static void add_child(struct maker *m, const char *key, json_t *value_steal, bool array)
{
    json_auto_t *value = value_steal;
    size_t n = json_array_size(m->order);
    const char *last = n ? json_string_value(json_array_get(m->order, n - 1)) : NULL;

    if (!key || !value || json_array_append_new(m->order, json_string(key)) < 0) {
        m->failed = true;
        return;
    }
    json_t *before = json_object_get(m->object, key);
    m->mixed |= before && last && strcmp(last, key) != 0;
    if (!before && !array) {
        m->failed |= json_object_set(m->object, key, value) < 0;
    } else if (json_is_array(before)) {
        m->failed |= json_array_append(before, value) < 0;
    } else {
        json_t *list = json_array();
        m->failed |= (before && json_array_append(list, before) < 0) ||
                     json_array_append(list, value) < 0;
        m->failed |= json_object_set_new(m->object, key, list) < 0;
    }
}

static void add_attributes(struct maker *m, const xmlNode *e)
{
    for (const xmlNs *ns = e->nsDef; ns; ns = ns->next) {
        vg_autofree char *key = make_key("@xmlns", NULL, VG_XML(""));
        if (ns->prefix) {
            free(key);
            key = make_key("@xmlns:", NULL, ns->prefix);
        }
        add_attribute(m, key, ns->href ? (const char *)ns->href : "");
    }
    for (const xmlAttr *a = e->properties; a; a = a->next) {
        vg_autofree char *key = make_key("@", a->ns, a->name);
        vg_auto_xml_text value = xmlNodeListGetString(e->doc, a->children, 1);
        add_attribute(m, key, value ? (const char *)value : "");
    }
}

/* ---- content ----------------------------------------------------------------------- */

static bool is_text(const xmlNode *n)
{
    return n->type == XML_TEXT_NODE || n->type == XML_CDATA_SECTION_NODE;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Whether libvirt's schemas have no text in this element. */
static bool is_container(const xmlNode *e)
{
    const char *name = (const char *)e->name;
    return e->type == XML_ELEMENT_NODE && is_libvirts(e) &&
           bsearch(&name, vg_xml_containers, vg_xml_containers_count, sizeof(name),
                   compare_names);
}

/* Whether the white space between the children is only layout: there is no other text,
 * and children that are not text, or the element is none for text; no xml:space. */
static bool is_laid_out(const xmlNode *parent)
{
    bool markup = is_container(parent);
    for (const xmlNode *c = parent->children; c; c = c->next) {
        if (is_text(c) && !xmlIsBlankNode(c))
            return false;
        markup |= !is_text(c);
    }
    return markup && xmlNodeGetSpacePreserve(parent) != 1;
}

/* All text from `*c` on up to the next child of another kind; `*c` is its last piece. */
static json_t *take_text(const xmlNode **c)
{
    vg_autofree char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);

    if (!out)
        return NULL;
    fputs((*c)->content ? (const char *)(*c)->content : "", out);
    for (; (*c)->next && is_text((*c)->next); *c = (*c)->next)
        fputs((*c)->next->content ? (const char *)(*c)->next->content : "", out);
    return fclose(out) == 0 ? vg_json_text(text) : NULL;
}

/* "target data" */
static json_t *instruction_of(const xmlNode *pi)
{
    vg_autofree char *text = NULL;
    const char *data = pi->content ? (const char *)pi->content : "";
    return asprintf(&text, "%s%s%s", pi->name, *data ? " " : "", data) < 0
               ? NULL
               : vg_json_text(text);
}

static json_t *make_element(const xmlNode *e);

/* Adds the children of an element or of the document. */
static void add_children(struct maker *m, const xmlNode *parent)
{
    bool layout = is_laid_out(parent);

    for (const xmlNode *c = parent->children; c && !m->failed; c = c->next) {
        if (c->type == XML_ELEMENT_NODE) {
            vg_autofree char *key = make_key("", c->ns, c->name);
            add_child(m, key, make_element(c), repeats(c));
        } else if (is_text(c) && !layout) {
            add_child(m, "#text", take_text(&c), false);
        } else if (c->type == XML_COMMENT_NODE) {
            add_child(m, "#comment", vg_json_text(c->content ? (char *)c->content : ""),
                      true);
        } else if (c->type == XML_PI_NODE) {
            add_child(m, "#pi", instruction_of(c), true);
        }
    }
    if (m->mixed && json_object_set(m->object, "#order", m->order) < 0)
        m->failed = true;
}

/* Whether an element is but its text: no attribute, no child. */
static bool is_plain(const xmlNode *e)
{
    if (e->nsDef || e->properties || !e->children || is_laid_out(e))
        return false;
    for (const xmlNode *c = e->children; c; c = c->next)
        if (!is_text(c))
            return false;
    return true;
}

static json_t *finish(struct maker *m)
{
    json_decref(m->order);
    if (m->failed)
        json_decref(m->object);
    return m->failed ? NULL : m->object;
}

/* As deep as libxml2 parses: 256. */
static json_t *make_element(const xmlNode *e)
{
    const xmlNode *first = e->children;
    if (is_plain(e))
        return take_text(&first);
    struct maker m = {.object = json_object(), .order = json_array()};
    add_attributes(&m, e);
    add_children(&m, e);
    return finish(&m);
}

/* ---- documents --------------------------------------------------------------------- */

/* What there is no JSON form of; NULL: there is one. An entity's reference stands for
 * what this parser did not read. */
static const char *find_fault(const xmlDoc *doc)
{
    for (const xmlNode *n = (const xmlNode *)doc; n; n = vg_xml_next(n)) {
        if (n->type == XML_ENTITY_REF_NODE || n->type == XML_DTD_NODE)
            return "a document type or an entity";
        if (vg_xml_lost_name(n))
            return "a prefix of no namespace";
    }
    return NULL;
}

/* Owned by the caller; NULL: *reterr. */
static xmlDocPtr parse(const char *xml, struct vg_error *reterr)
{
    vg_auto_parser parser = xmlNewParserCtxt();
    vg_auto_doc doc = parser ? xmlCtxtReadMemory(parser, xml, (int)strlen(xml), NULL,
                                                 NULL, PARSE_OPTIONS)
                             : NULL;
    if (!doc) {
        const xmlError *e = parser ? xmlCtxtGetLastError(parser) : NULL;
        vg_error_set(reterr, VG_E_INTERNAL,
                     "The host's XML is not well-formed: line %d: %.200s",
                     e ? e->line : 0, e && e->message ? e->message : "?");
        return NULL;
    }
    const char *fault = find_fault(doc);
    if (fault) {
        vg_error_set(reterr, VG_E_UNSAFE_XML, "The XML has %s, which has no JSON form",
                     fault);
        return NULL;
    }
    return vg_take(&doc);
}

json_t *vg_xml_to_json(const char *xml, struct vg_error *reterr)
{
    xmlResetLastError();
    vg_auto_doc doc = parse(xml, reterr);
    if (!doc)
        return NULL;
    struct maker m = {.object = json_object(), .order = json_array()};
    add_children(&m, (const xmlNode *)doc);
    m.failed |= vg_xml_lost_memory();
    json_t *json = finish(&m);
    if (!json)
        vg_error_set_memory(reterr);
    return json;
}

struct vg_reply vg_reply_document(struct vg_request *rq, char *xml_steal)
{
    if (vg_wants_xml(rq))
        return vg_ok_text(rq, "application/xml", xml_steal);
    vg_autofree char *xml = xml_steal;
    json_t *json = vg_xml_to_json(xml, vg_request_error(rq));
    return json ? vg_ok(rq, json) : vg_fail(rq);
}
