/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Secrets of a document that is written back by somebody who did not see them. What they
 * are nobody lists: libvirt gives the document with and without them, and they are the
 * difference, attributes (a graphics' passwd) and elements (a disk's cookies).
 */
#include "virtgate/xml.h"

#include "server/core/request.h"
#include "server/xml/tree.h"

#include <string.h>

/* The same place in three documents: the client's, libvirt's without secrets, and with.
 */
struct peers {
    xmlNodePtr given;
    const xmlNode *plain, *full;
};

struct keeper {
    bool changed, failed;
};

/* ---- which element is which -------------------------------------------------------- */

static bool is_element(const xmlNode *n)
{
    return n->type == XML_ELEMENT_NODE;
}

static const xmlNode *next_element(const xmlNode *n)
{
    while (n && !is_element(n))
        n = n->next;
    return n;
}

static bool same_name(const xmlNode *a, const xmlNode *b)
{
    return xmlStrEqual(a->name, b->name);
}

/* What tells an element from others of its name: a disk's target, else its type. */
static const char *key_of(const xmlNode *e)
{
    const char *target = vg_xml_attribute(vg_xml_child(e, "target"), "dev");
    const char *type = target ? target : vg_xml_attribute(e, "type");
    return type ? type : "";
}

static bool same_key(const xmlNode *a, const xmlNode *b)
{
    return same_name(a, b) && strcmp(key_of(a), key_of(b)) == 0;
}

/* The child of `parent` that stands for `e`: the next in `*hint`, as it is where nothing
 * moved, else, if it is `wanted`, the n-th of its name and key, as `e` is. The hint moves
 * on; NULL: there is none. */
static xmlNodePtr find_peer(const xmlNode *parent, const xmlNode *e, bool wanted,
                            const xmlNode **hint)
{
    const xmlNode *next = *hint;
    size_t n = 0;

    *hint = NULL;
    if (next && same_key(next, e)) {
        *hint = next_element(next->next);
        return (xmlNodePtr)(uintptr_t)next;
    }
    if (!wanted)
        return NULL;
    for (const xmlNode *p = e->prev; p; p = p->prev)
        n += is_element(p) && same_key(p, e);
    for (xmlNodePtr c = parent->children; c; c = c->next)
        if (is_element(c) && same_key(c, e) && n-- == 0) {
            *hint = next_element(c->next);
            return c;
        }
    return NULL;
}

/* ---- whether it is still the same -------------------------------------------------- */

/* Whether `given` has all the attributes of `plain`, and may have more. */
static bool has_attributes(const xmlNode *given, const xmlNode *plain)
{
    for (const xmlAttr *a = plain->properties; a; a = a->next) {
        const char *name = (const char *)a->name;
        const char *value = vg_xml_attribute(given, name);
        const char *wanted = vg_xml_attribute(plain, name);
        if (wanted && (!value || strcmp(value, wanted) != 0))
            return false;
    }
    return true;
}

/* A secret element belongs to what is around it: cookies go to no other server. As deep
 * as libxml2 parses. */
static bool has_all(const xmlNode *given, const xmlNode *plain)
{
    const xmlNode *hint = next_element(given->children);

    if (!has_attributes(given, plain))
        return false;
    for (const xmlNode *c = next_element(plain->children); c; c = next_element(c->next)) {
        const xmlNode *peer = find_peer(given, c, true, &hint);
        if (!peer || !has_all(peer, c))
            return false;
    }
    return true;
}

/* ---- keeping ----------------------------------------------------------------------- */

/* An attribute that only the whole document has: kept where the client does not name it,
 * gone where it is said to be empty. */
static void keep_attribute(struct keeper *k, const struct peers *at, const xmlAttr *a)
{
    const char *name = (const char *)a->name;
    const char *secret = vg_xml_attribute(at->full, name);
    const char *given = vg_xml_attribute(at->given, name);

    if (a->ns || !secret || vg_xml_attribute(at->plain, name))
        return;
    if (given && (*given || !*secret))
        return;
    k->changed = true;
    if (given)
        k->failed |= xmlUnsetProp(at->given, a->name) < 0;
    else
        k->failed |= !xmlNewProp(at->given, a->name, VG_XML(secret));
}

/* An empty password is none, also where there is none any more: the same PUT twice does
 * the same. */
static void drop_empty_password(struct keeper *k, const struct peers *at)
{
    const char *given = vg_xml_attribute(at->given, "passwd");

    if (strcmp((const char *)at->given->name, "graphics") != 0 || !given || *given ||
        vg_xml_attribute(at->full, "passwd"))
        return;
    k->changed = true;
    k->failed |= xmlUnsetProp(at->given, VG_XML("passwd")) < 0;
}

static void keep_element(struct keeper *k, const struct peers *at, const xmlNode *secret)
{
    if (vg_xml_child(at->given, (const char *)secret->name) ||
        !has_all(at->given, at->plain))
        return;
    xmlNodePtr copy = xmlDocCopyNode((xmlNodePtr)(uintptr_t)secret, at->given->doc, 1);
    k->changed = true;
    if (copy && xmlAddChild(at->given, copy))
        return;
    xmlFreeNode(copy);
    k->failed = true;
}

/* Whether something in `full` is to be looked at: few elements of few documents. */
static bool has_secrets(const xmlNode *plain, const xmlNode *full)
{
    const xmlNode *p = next_element(plain->children);

    if (strcmp((const char *)full->name, "graphics") == 0)
        return true; /* for an empty password */
    for (const xmlAttr *a = full->properties; a; a = a->next)
        if (!a->ns && !vg_xml_attribute(plain, (const char *)a->name))
            return true;
    for (const xmlNode *c = next_element(full->children); c; c = next_element(c->next)) {
        if (!p || !same_name(c, p) || has_secrets(p, c))
            return true;
        p = next_element(p->next);
    }
    return false;
}

static void keep_all(struct keeper *k, const struct peers *at)
{
    const xmlNode *plain = next_element(at->plain->children);
    const xmlNode *hint = next_element(at->given->children);

    drop_empty_password(k, at);
    for (const xmlAttr *a = at->full->properties; a; a = a->next)
        keep_attribute(k, at, a);
    for (const xmlNode *c = next_element(at->full->children); c;
         c = next_element(c->next)) {
        if (!plain || !same_name(c, plain)) {
            keep_element(k, at, c);
            continue;
        }
        bool wanted = has_secrets(plain, c);
        const struct peers below = {find_peer(at->given, plain, wanted, &hint), plain, c};
        if (wanted && below.given)
            keep_all(k, &below);
        plain = next_element(plain->next);
    }
}

/* A device alone: its peers are among the domain's devices. */
static bool find_device(struct peers *at)
{
    const xmlNode *plain = vg_xml_child(at->plain, "devices");
    const xmlNode *full = vg_xml_child(at->full, "devices");

    if (!plain || !full)
        return false;
    at->plain = next_element(plain->children);
    at->full = next_element(full->children);
    while (at->plain && at->full && !same_key(at->plain, at->given)) {
        at->plain = next_element(at->plain->next);
        at->full = next_element(at->full->next);
    }
    return at->plain && at->full && same_name(at->plain, at->full);
}

/* The document as text, for free(3); NULL: out of memory. */
static char *print(xmlDocPtr doc)
{
    vg_auto_xml_text text = NULL;
    int n = 0;

    xmlDocDumpMemoryEnc(doc, &text, &n, "UTF-8");
    return text ? strdup((const char *)text) : NULL;
}

/* The client's document with the secrets; NULL: nothing is missing, or out of memory,
 * which `k` tells. */
static char *keep(struct keeper *k, const char *xml, const char *plain, const char *full)
{
    vg_auto_doc given = vg_xml_parse(xml);
    vg_auto_doc without = vg_xml_parse(plain);
    vg_auto_doc with = vg_xml_parse(full);
    struct peers at = {given ? xmlDocGetRootElement(given) : NULL,
                       without ? xmlDocGetRootElement(without) : NULL,
                       with ? xmlDocGetRootElement(with) : NULL};

    if (!at.given || !at.plain || !at.full) /* what is wrong is libvirt's to say */
        return NULL;
    if (same_name(at.given, at.plain) || find_device(&at))
        keep_all(k, &at);
    char *made = k->changed && !k->failed ? print(given) : NULL;
    k->failed |= k->changed && !made;
    return made;
}

const char *vg_xml_keep_secrets(struct vg_request *rq, const char *xml, char *plain_steal,
                                char *full_steal, char **ret_made)
{
    vg_autofree char *plain = plain_steal;
    vg_autofree char *full = full_steal;
    struct keeper k = {0};

    if (!plain || !full) {
        vg_error_set_virt(&rq->error);
        if (plain || !vg_error_is_unsendable(&rq->error))
            return NULL;
        vg_error_clear(&rq->error); /* too long to be sent: nobody has read it either */
        return xml;
    }
    xmlResetLastError();
    *ret_made = keep(&k, xml, plain, full);
    if (!k.failed && !vg_xml_lost_memory())
        return *ret_made ? *ret_made : xml;
    vg_error_set_memory(&rq->error);
    return NULL;
}
