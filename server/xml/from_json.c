/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * From JSON to XML (docs/xml-json.md), built as a tree of libxml2's, which escapes. What
 * is no XML is refused with its JSON pointer.
 */
#include "virtgate/xml_json.h"

#include "server/xml/guard.h"
#include "server/xml/limits.h"
#include "server/base/xml_text.h"
#include "server/xml/tree.h"
#include "virtgate/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct build {
    xmlDocPtr doc;
    unsigned int elements;
    bool spaced; /* xml:space was used: no layout is to be added */
    struct vg_error *error;
};

/* Where a value stands: the way from the document to it. */
struct place {
    const struct place *up; /* NULL: the document itself */
    const char *key;        /* NULL: an array's item */
    size_t index;
    unsigned int depth; /* of elements */
};

/* ---- errors ------------------------------------------------------------------------ */

/* RFC 6901 */
static void print_pointer(FILE *out, const struct place *at)
{
    if (!at->up)
        return;
    print_pointer(out, at->up);
    fputc('/', out);
    if (!at->key)
        fprintf(out, "%zu", at->index);
    for (const char *c = at->key ? at->key : ""; *c; c++) {
        if (*c == '~' || *c == '/')
            fputs(*c == '~' ? "~0" : "~1", out);
        else
            fputc(*c, out);
    }
}

static int fail(struct build *b, const struct place *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static int fail(struct build *b, const struct place *at, const char *fmt, ...)
{
    vg_autofree char *pointer = NULL;
    vg_autofree char *what = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&pointer, &n);
    va_list ap;

    if (out) {
        print_pointer(out, at);
        fclose(out);
    }
    va_start(ap, fmt);
    if (vasprintf(&what, fmt, ap) < 0)
        what = NULL;
    va_end(ap);
    vg_error_set(b->error, VG_E_INVALID_VALUE, "'%.2000s' has no XML: %s",
                 pointer ? pointer : "", what ? what : "");
    return -1;
}

/* Its size is nobody's fault but the whole document's: no pointer is blamed. */
static int fail_size(struct build *b, const char *what)
{
    vg_error_set(b->error, VG_E_PAYLOAD_TOO_LARGE, "The document has more than %s", what);
    return -1;
}

/* ---- characters -------------------------------------------------------------------- */

/* A value's text: a string, or an integer's digits in `room`. NULL: refused. */
static const char *text_of(struct build *b, const struct place *at, const json_t *value,
                           char room[24])
{
    if (json_is_integer(value)) {
        snprintf(room, 24, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return room;
    }
    const char *text = json_string_value(value);
    if (!text)
        fail(b, at, "a string or an integer is accepted");
    else if (vg_xml_bad_character(text, json_string_length(value)))
        fail(b, at, "it holds a character that XML does not have");
    else
        return text;
    return NULL;
}

/* A qualified name, split; *ret_prefix is owned by the caller, NULL for none. */
static const char *split_name(struct build *b, const struct place *at, const char *name,
                              char **ret_prefix)
{
    const char *colon = strchr(name, ':');
    const char *local = colon ? colon + 1 : name;
    if (!vg_xml_is_name(local, strlen(local)) ||
        (colon && !vg_xml_is_name(name, (size_t)(colon - name)))) {
        fail(b, at, "'%.100s' is not a name of XML", name);
        return NULL;
    }
    *ret_prefix = colon ? strndup(name, (size_t)(colon - name)) : NULL;
    if (colon && !*ret_prefix) {
        vg_error_set_memory(b->error);
        return NULL;
    }
    return local;
}

static int find_namespace(struct build *b, const struct place *at, xmlNodePtr e,
                          const char *prefix, xmlNsPtr *ret)
{
    *ret = xmlSearchNs(b->doc, e, VG_XML(prefix));
    if (!*ret && prefix)
        return fail(b, at, "no '@xmlns:%.100s' declares the prefix '%.100s'", prefix,
                    prefix);
    return 0;
}

/* ---- attributes -------------------------------------------------------------------- */

static bool is_declaration(const char *key)
{
    return strncmp(key, "@xmlns", 6) == 0 && (key[6] == '\0' || key[6] == ':');
}

static int add_declaration(struct build *b, const struct place *at, xmlNodePtr e,
                           const json_t *value)
{
    char room[24];
    const char *prefix = at->key[6] ? at->key + 7 : NULL;
    const char *uri = text_of(b, at, value, room);

    if (!uri)
        return -1;
    const char *fault = vg_xml_namespace_fault(prefix, uri);
    if (fault)
        return fail(b, at, "%s", fault);
    return xmlNewNs(e, VG_XML(uri), VG_XML(prefix)) ? 0 : vg_error_set_memory(b->error);
}

static int add_attribute(struct build *b, const struct place *at, xmlNodePtr e,
                         const json_t *value)
{
    char room[24];
    vg_autofree char *prefix = NULL;
    xmlNsPtr ns = NULL;
    const char *text = text_of(b, at, value, room);
    const char *name = text ? split_name(b, at, at->key + 1, &prefix) : NULL;

    if (!name)
        return -1;
    if (prefix && find_namespace(b, at, e, prefix, &ns) < 0)
        return -1;
    if (xmlHasNsProp(e, VG_XML(name), ns ? ns->href : NULL))
        return fail(b, at, "the element has this attribute by another prefix");
    b->spaced |= strcmp(at->key, "@xml:space") == 0;
    return xmlNewNsProp(e, ns, VG_XML(name), VG_XML(text))
               ? 0
               : vg_error_set_memory(b->error);
}

/* Declarations first: members of a JSON object have no order to rely on. */
static int add_attributes(struct build *b, const struct place *at, xmlNodePtr e,
                          json_t *object, bool declarations)
{
    const char *key;
    json_t *value;
    unsigned int n = 0;

    json_object_foreach (object, key, value) {
        const struct place here = {at, key, 0, at->depth};
        n += key[0] == '@';
        if (n > VG_XML_MAX_ATTRIBUTES)
            return fail_size(b, "64 attributes in one element");
        if (key[0] != '@' || is_declaration(key) != declarations)
            continue;
        if ((declarations ? add_declaration(b, &here, e, value)
                          : add_attribute(b, &here, e, value)) < 0)
            return -1;
    }
    return 0;
}

/* ---- children ---------------------------------------------------------------------- */

static int add_element(struct build *b, const struct place *at, const char *name,
                       xmlNodePtr parent, json_t *value);

static int add_node(struct build *b, xmlNodePtr parent, xmlNodePtr node)
{
    if (!node)
        return vg_error_set_memory(b->error);
    if (xmlAddChild(parent, node)) /* which merges text with text */
        return 0;
    xmlFreeNode(node);
    return vg_error_set_memory(b->error);
}

static int add_comment(struct build *b, const struct place *at, xmlNodePtr parent,
                       const char *text)
{
    size_t n = strlen(text);
    if (strstr(text, "--") || (n && text[n - 1] == '-'))
        return fail(b, at, "a comment holds no '--' and does not end with '-'");
    return add_node(b, parent, xmlNewDocComment(b->doc, VG_XML(text)));
}

static int add_instruction(struct build *b, const struct place *at, xmlNodePtr parent,
                           const char *text)
{
    size_t n = strcspn(text, " \t\r\n");
    vg_autofree char *target = strndup(text, n);
    const char *data = text + n + strspn(text + n, " \t\r\n");

    if (!target)
        return vg_error_set_memory(b->error);
    if (!vg_xml_is_name(target, n) || strcasecmp(target, "xml") == 0 ||
        strstr(data, "?>"))
        return fail(b, at, "'TARGET DATA' is accepted, without '?>'");
    return add_node(b, parent,
                    xmlNewDocPI(b->doc, VG_XML(target), *data ? VG_XML(data) : NULL));
}

/* One child: an element, or what a key with # means. */
static int add_item(struct build *b, const struct place *at, const char *key,
                    xmlNodePtr parent, json_t *value)
{
    char room[24];

    if (key[0] != '#')
        return add_element(b, at, key, parent, value);
    const char *text = text_of(b, at, value, room);
    if (!text)
        return -1;
    if (strcmp(key, "#comment") == 0)
        return add_comment(b, at, parent, text);
    if (strcmp(key, "#pi") == 0)
        return add_instruction(b, at, parent, text);
    return add_node(b, parent, xmlNewDocText(b->doc, VG_XML(text)));
}

/* Items [from, to) of a member, which is one value or an array of them. */
static int add_items(struct build *b, const struct place *at, xmlNodePtr parent,
                     json_t *value, size_t from, size_t to)
{
    if (!json_is_array(value))
        return from < to ? add_item(b, at, at->key, parent, value) : 0;
    for (size_t i = from; i < to; i++) {
        const struct place here = {at, NULL, i, at->depth};
        if (add_item(b, &here, at->key, parent, json_array_get(value, i)) < 0)
            return -1;
    }
    return 0;
}

static size_t items_of(const json_t *value)
{
    return json_is_array(value) ? json_array_size(value) : 1;
}

/* How often each name stands in "#order": {"disk": 2}. New reference; NULL: refused. */
static json_t *count_order(struct build *b, const struct place *at, const json_t *order)
{
    const struct place here = {at, "#order", 0, at->depth};
    json_auto_t *counts = json_object();
    const json_t *name;
    size_t i;

    if (order && !json_is_array(order)) {
        fail(b, &here, "an array of names is accepted");
        return NULL;
    }
    json_array_foreach (order, i, name) {
        const char *key = json_string_value(name);
        if (!key) {
            fail(b, &here, "an array of names is accepted");
            return NULL;
        }
        json_int_t n = json_integer_value(json_object_get(counts, key));
        if (json_object_set_new(counts, key, json_integer(n + 1)) < 0)
            counts = NULL;
    }
    if (!counts)
        vg_error_set_memory(b->error);
    return json_incref(counts);
}

/* Children in the order of "#order". It is a hint, so that a change of an array needs no
 * change of it: names that have no item left are passed over, and what it does not name
 * follows the last of its name. */
static int add_ordered(struct build *b, const struct place *at, xmlNodePtr parent,
                       json_t *object, const json_t *order, json_t *left)
{
    json_auto_t *done = json_object();
    const json_t *name;
    size_t i;

    json_array_foreach (order, i, name) {
        const char *key = json_string_value(name);
        json_t *value = json_object_get(object, key);
        json_int_t n = json_integer_value(json_object_get(left, key)) - 1;
        size_t from = (size_t)json_integer_value(json_object_get(done, key));
        json_object_set_new(left, key, json_integer(n));
        if (!value || key[0] == '@' || strcmp(key, "#order") == 0 ||
            from >= items_of(value))
            continue;
        const struct place here = {at, key, 0, at->depth};
        size_t to = n > 0 ? from + 1 : items_of(value);
        if (json_object_set_new(done, key, json_integer((json_int_t)to)) < 0)
            return vg_error_set_memory(b->error);
        if (add_items(b, &here, parent, value, from, to) < 0)
            return -1;
    }
    return 0;
}

static int check_key(struct build *b, const struct place *at)
{
    if (strcmp(at->key, "#text") == 0 || strcmp(at->key, "#comment") == 0 ||
        strcmp(at->key, "#pi") == 0 || strcmp(at->key, "#order") == 0)
        return 0;
    return fail(b, at, "of names with '#', #text, #comment, #pi and #order are accepted");
}

static int add_children(struct build *b, const struct place *at, xmlNodePtr parent,
                        json_t *object)
{
    const json_t *order = json_object_get(object, "#order");
    json_auto_t *named = count_order(b, at, order);
    json_auto_t *left = named ? json_copy(named) : NULL;
    const char *key;
    json_t *value;

    if (!left || add_ordered(b, at, parent, object, order, left) < 0)
        return -1;
    json_object_foreach (object, key, value) {
        const struct place here = {at, key, 0, at->depth};
        if (key[0] == '@')
            continue;
        if (key[0] == '#' && check_key(b, &here) < 0)
            return -1;
        if (strcmp(key, "#order") != 0 && !json_object_get(named, key) &&
            add_items(b, &here, parent, value, 0, items_of(value)) < 0)
            return -1;
    }
    return 0;
}

/* The new element takes its namespace from the declarations, its own included. */
static int set_namespace(struct build *b, const struct place *at, xmlNodePtr e,
                         const char *prefix)
{
    xmlNsPtr ns = NULL;
    if (find_namespace(b, at, e, prefix, &ns) < 0)
        return -1;
    xmlSetNs(e, ns);
    return 0;
}

static int add_element(struct build *b, const struct place *at, const char *name,
                       xmlNodePtr parent, json_t *value)
{
    const struct place here = {at->up, at->key, at->index, at->depth + 1};
    vg_autofree char *prefix = NULL;
    char room[24];
    bool object = json_is_object(value);

    if (!object && !json_is_string(value) && !json_is_integer(value))
        return fail(b, at, "a string, an integer or an object is accepted");
    if (++b->elements > VG_XML_MAX_ELEMENTS)
        return fail_size(b, "65536 elements");
    if (here.depth > VG_XML_MAX_DEPTH)
        return fail(b, at, "at most %d elements in each other are accepted",
                    VG_XML_MAX_DEPTH);
    const char *local = split_name(b, at, name, &prefix);
    const char *text = local && !object ? text_of(b, at, value, room) : "";
    if (!local || !text)
        return -1;
    xmlNodePtr e = xmlNewDocNode(b->doc, NULL, VG_XML(local), NULL);
    if (add_node(b, parent, e) < 0)
        return -1;
    if (object && add_attributes(b, &here, e, value, true) < 0)
        return -1;
    if (set_namespace(b, &here, e, prefix) < 0)
        return -1;
    if (object)
        return add_attributes(b, &here, e, value, false) < 0
                   ? -1
                   : add_children(b, &here, e, value);
    return *text ? add_node(b, e, xmlNewDocText(b->doc, VG_XML(text))) : 0;
}

/* ---- documents --------------------------------------------------------------------- */

/* One root, comments and instructions beside it. */
static int check_document(struct build *b, const struct place *at, json_t *document)
{
    const char *key;
    json_t *value;
    unsigned int roots = 0;

    json_object_foreach (document, key, value) {
        const struct place here = {at, key, 0, 0};
        if (key[0] == '@' || strcmp(key, "#text") == 0 ||
            (key[0] != '#' && json_is_array(value)))
            return fail(b, &here, "it cannot stand outside of the root element");
        roots += key[0] != '#';
    }
    return roots == 1 ? 0 : fail(b, at, "a document has exactly one root element");
}

static char *print_as(struct build *b, bool laid_out)
{
    vg_auto_xml_buffer out = xmlBufferCreate();
    bool good = out;

    for (xmlNodePtr n = b->doc->children; n && good; n = n->next)
        good = xmlNodeDump(out, b->doc, n, 0, laid_out) >= 0 &&
               xmlBufferCat(out, VG_XML("\n")) == 0;
    good = good && !vg_xml_lost_memory();
    char *text = good ? strdup((const char *)xmlBufferContent(out)) : NULL;
    if (!text)
        vg_error_set_memory(b->error);
    return text;
}

/* What is too long goes without its layout. */
static char *print_document(struct build *b)
{
    vg_autofree char *text = print_as(b, !b->spaced);

    if (text && strlen(text) > VG_XML_MAX_BYTES && !b->spaced) {
        free(text);
        text = print_as(b, false);
    }
    if (!text || strlen(text) <= VG_XML_MAX_BYTES)
        return vg_take(&text);
    fail_size(b, "4194304 bytes as XML, libvirt's own limit");
    return NULL;
}

char *vg_xml_from_json(const json_t *document, struct vg_error *reterr)
{
    xmlResetLastError();
    vg_auto_doc doc = xmlNewDoc(VG_XML("1.0"));
    struct build b = {.doc = doc, .error = reterr};
    const struct place at = {0};
    json_t *object = (json_t *)(uintptr_t)document; /* to be iterated, not changed */

    if (!doc || vg_json_lost_memory()) { /* else a part might be missing */
        vg_error_set_memory(b.error);
        return NULL;
    }
    if (!json_is_object(document)) {
        fail(&b, &at, "an object with the root element is accepted");
        return NULL;
    }
    if (check_document(&b, &at, object) < 0 ||
        add_children(&b, &at, (xmlNodePtr)doc, object) < 0 ||
        vg_xml_limits(doc, reterr) < 0)
        return NULL;
    return print_document(&b);
}
