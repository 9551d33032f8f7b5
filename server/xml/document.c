/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libvirt's XML documents, through libxml2: no network, no entities, no DTD.
 */
#include "virtgate/xml.h"

#include "server/core/request.h"
#include "server/xml/guard.h"
#include "server/xml/limits.h"
#include "server/base/xml_text.h"
#include "server/xml/tree.h"
#include "virtgate/scope.h"

#include <ctype.h>
#include <errno.h>
#include <libxml/xpathInternals.h>
#include <stdio.h>
#include <string.h>

xmlDocPtr vg_xml_parse(const char *xml)
{
    return xmlReadMemory(xml, (int)strlen(xml), NULL, NULL, VG_XML_OPTIONS);
}

static void clean_context(xmlXPathContextPtr *context)
{
    xmlXPathFreeContext(*context);
}

static void clean_object(xmlXPathObjectPtr *object)
{
    xmlXPathFreeObject(*object);
}

int vg_xml_test(xmlDocPtr doc, const char *path, const char *name)
{
    VG_CLEANUP(clean_context)
    xmlXPathContextPtr context = doc ? xmlXPathNewContext(doc) : NULL;
    xmlXPathObjectPtr value = context ? xmlXPathNewString(VG_XML(name)) : NULL;

    if (!value || xmlXPathRegisterVariable(context, VG_XML("name"), value) != 0)
        return -1; /* one string at most is lost */
    VG_CLEANUP(clean_object)
    xmlXPathObjectPtr found = xmlXPathEvalExpression(VG_XML(path), context);
    return found ? xmlXPathCastToBoolean(found) : -1;
}

const xmlNode *vg_xml_child(const xmlNode *node, const char *name)
{
    for (const xmlNode *c = node ? node->children : NULL; c; c = c->next)
        if (c->type == XML_ELEMENT_NODE && strcmp((const char *)c->name, name) == 0)
            return c;
    return NULL;
}

const char *vg_xml_attribute(const xmlNode *node, const char *name)
{
    for (const xmlAttr *a = node ? node->properties : NULL; a; a = a->next) {
        if (a->ns || strcmp((const char *)a->name, name) != 0)
            continue;
        /* one text: without a DTD there are no references to entities beside it */
        return a->children ? (const char *)a->children->content : "";
    }
    return NULL;
}

const xmlNode *vg_xml_next(const xmlNode *node)
{
    if (node->children)
        return node->children;
    while (node && !node->next)
        node = node->parent;
    return node ? node->next : NULL;
}

/* A colon that is left in a name belongs to a prefix that nothing declares. */
const char *vg_xml_lost_name(const xmlNode *node)
{
    if (node->type != XML_ELEMENT_NODE)
        return NULL;
    if (strchr((const char *)node->name, ':'))
        return (const char *)node->name;
    for (const xmlAttr *a = node->properties; a; a = a->next)
        if (strchr((const char *)a->name, ':'))
            return (const char *)a->name;
    return NULL;
}

/* libvirt passes over <qemu:commandline> without its namespace, and gives a part of
 * metadata another name. */
static int check_prefixes(const xmlDoc *doc, struct vg_error *reterr)
{
    for (const xmlNode *n = xmlDocGetRootElement(doc); n; n = vg_xml_next(n)) {
        const char *name = vg_xml_lost_name(n);
        if (!name)
            continue;
        int prefix = (int)strcspn(name, ":");
        vg_error_set(reterr, VG_E_INVALID_VALUE,
                     "The XML has '%.100s', whose prefix nothing declares; "
                     "xmlns:%.*s='URI' does",
                     name, prefix < 100 ? prefix : 100, name);
        return -1;
    }
    return 0;
}

/* What libvirt gets as &#13;; other programs' elements are written back as they came. */
static bool has_lone_cr(const xmlNode *node)
{
    if (node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE)
        return !(node->parent && node->parent->ns) &&
               vg_xml_has_lone_cr((const char *)node->content,
                                  strlen((const char *)node->content));
    if (node->type != XML_ELEMENT_NODE || node->ns)
        return false;
    for (const xmlAttr *a = node->properties; a; a = a->next)
        if (a->children && has_lone_cr(a->children))
            return true;
    return false;
}

static int check_texts(const xmlDoc *doc, struct vg_error *reterr)
{
    for (const xmlNode *n = xmlDocGetRootElement(doc); n; n = vg_xml_next(n)) {
        if (!has_lone_cr(n))
            continue;
        const xmlNode *e = n->type == XML_ELEMENT_NODE ? n : n->parent;
        vg_error_set(reterr, VG_E_INVALID_VALUE,
                     "The XML has a carriage return (&#13;) in <%.100s>, which libvirt "
                     "would read back as a line feed; a line feed is accepted",
                     (const char *)e->name);
        return -1;
    }
    return 0;
}

/* What is not well-formed passes: what is wrong with it is libvirt's to say. */
static int inspect(struct vg_request *rq, const char *xml, size_t n)
{
    rq->sent = n > rq->sent ? n : rq->sent;
    if (vg_xml_guard(xml, n, &rq->error) < 0)
        return -1;
    vg_auto_doc doc = vg_xml_parse(xml);
    return !doc || (check_prefixes(doc, &rq->error) == 0 &&
                    check_texts(doc, &rq->error) == 0 &&
                    vg_xml_limits(doc, &rq->error) == 0)
               ? 0
               : -1;
}

const char *vg_xml_argument(struct vg_request *rq, const char *key, const char *given)
{
    const char *body = vg_xml_body(rq);
    const char *xml = body ? body : given;

    if (!xml) {
        vg_error_set(&rq->error, VG_E_MISSING_KEY,
                     "Send libvirt's XML as application/xml, or as {\"%s\": \"...\"}",
                     key);
        return NULL;
    }
    size_t n = body ? rq->body_length : strlen(xml);
    return inspect(rq, xml, n) < 0 ? NULL : xml;
}

const char *vg_xml_and_flags(struct vg_request *rq, const struct vg_enum *names,
                             unsigned int *ret_flags)
{
    const char *given = NULL;
    const struct vg_field args[] = {VG_TEXT("xml", &given),
                                    VG_NAMES("flags", ret_flags, names), VG_END};

    return vg_args(rq, args) < 0 ? NULL : vg_xml_argument(rq, "xml", given);
}

int vg_xml_check(struct vg_request *rq, const char *xml)
{
    return inspect(rq, xml, strlen(xml));
}

int vg_xml_check_namespace(struct vg_request *rq, const char *key, const char *uri)
{
    const char *fault = vg_xml_namespace_fault(key, uri);

    if (!fault && key && strncasecmp(key, "xml", 3) == 0)
        fault = "XML keeps names that begin with 'xml' for itself";
    if (!fault && !*uri)
        fault = "the URI of a namespace is not empty";
    if (!fault)
        return 0;
    vg_error_set(&rq->error, VG_E_INVALID_VALUE, "'key' or 'uri': %s", fault);
    return -1;
}

/* The element's text, for free(3); NULL when there is no element. */
static char *text_of(const xmlNode *node)
{
    if (!node)
        return NULL;
    xmlChar *text = xmlNodeGetContent(node);
    char *copy = text ? strdup((const char *)text) : NULL;
    xmlFree(text);
    return copy;
}

int vg_xml_check_root(struct vg_request *rq, const char *xml, const char *root)
{
    vg_auto_doc doc = vg_xml_parse(xml);
    const xmlNode *node = doc ? xmlDocGetRootElement(doc) : NULL;

    if (node && strcmp((const char *)node->name, root) == 0)
        return 0;
    vg_error_set(&rq->error, VG_E_INVALID_VALUE,
                 node ? "The XML's root element must be <%s>"
                      : "The XML is not well-formed; libvirt's <%s> is accepted",
                 root);
    return -1;
}

int vg_xml_check_child(struct vg_request *rq, const char *xml, const char *child)
{
    vg_auto_doc doc = vg_xml_parse(xml);
    const xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;
    unsigned int n = 0;

    for (const xmlNode *c = root ? root->children : NULL; c; c = c->next)
        n += c->type == XML_ELEMENT_NODE && !c->ns &&
             strcmp((const char *)c->name, child) == 0;
    if (n == 1)
        return 0;
    vg_error_set(&rq->error, VG_E_INVALID_VALUE, "One <%s> is needed, and %u are there",
                 child, n);
    return -1;
}

/* Whether it has a target, in no namespace, and none without that attribute. */
static bool has_target(const xmlNode *device, const char *attribute)
{
    bool found = false;

    for (const xmlNode *c = device->children; c; c = c->next) {
        if (!vg_xml_is(c, "target") || c->ns)
            continue;
        const char *value = vg_xml_attribute(c, attribute);
        if (!value || !*value)
            return false;
        found = true;
    }
    return found;
}

int vg_xml_check_detached(struct vg_request *rq, const char *xml)
{
    static const struct {
        const char *device, *attribute; /* of its <target> */
    } found_by[] = {{"disk", "dev"}, {"filesystem", "dir"}};
    vg_auto_doc doc = vg_xml_parse(xml);
    const xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;

    for (size_t i = 0; root && i < sizeof(found_by) / sizeof(found_by[0]); i++) {
        if (!vg_xml_is(root, found_by[i].device) ||
            has_target(root, found_by[i].attribute))
            continue;
        vg_error_set(&rq->error, VG_E_INVALID_VALUE,
                     "The <%s> has no <target %s='...'>, by which libvirt finds it",
                     found_by[i].device, found_by[i].attribute);
        return -1;
    }
    return 0;
}

/* The text of a child element in no namespace, as libvirt looks it up; NULL when empty.
 */
static char *child_text(const xmlNode *node, const char *name)
{
    const xmlNode *child = node->children;

    while (child && (child->ns || child->type != XML_ELEMENT_NODE ||
                     strcmp((const char *)child->name, name) != 0))
        child = child->next;
    vg_autofree char *text = text_of(child);
    return text && *text ? vg_take(&text) : NULL;
}

static bool has_attribute(const xmlNode *node, const char *name, const char *value)
{
    const char *found = vg_xml_attribute(node, name);
    return found && strcmp(found, value) == 0;
}

/* Of <sysinfo>: what the guest finds in its SMBIOS as its UUID; NULL: it is not said. */
static const xmlNode *smbios_uuid(const xmlNode *sysinfo)
{
    const xmlNode *system =
        has_attribute(sysinfo, "type", "smbios") ? vg_xml_child(sysinfo, "system") : NULL;

    for (const xmlNode *n = system ? system->children : NULL; n; n = n->next)
        if (vg_xml_is(n, "entry") && has_attribute(n, "name", "uuid"))
            return n;
    return NULL;
}

/* The UUID of a domain that has no <uuid>: of several <sysinfo>, libvirt takes the last.
 */
static char *sysinfo_uuid(const xmlNode *root)
{
    const xmlNode *last = NULL;

    for (const xmlNode *n = root->children; n; n = n->next) {
        const xmlNode *uuid = vg_xml_is(n, "sysinfo") ? smbios_uuid(n) : NULL;
        last = uuid ? uuid : last;
    }
    return text_of(last);
}

int vg_xml_identity(const char *xml, char **ret_name, char **ret_uuid)
{
    vg_auto_doc doc = vg_xml_parse(xml);
    if (!doc)
        return -1;
    const xmlNode *root = xmlDocGetRootElement(doc);
    *ret_name = child_text(root, "name");
    if (!ret_uuid)
        return 0;
    *ret_uuid = child_text(root, "uuid");
    if (!*ret_uuid && vg_xml_is_domain(root))
        *ret_uuid = sysinfo_uuid(root);
    return 0;
}

char *vg_xml_owner(char *xml_steal)
{
    vg_autofree char *xml = xml_steal;
    vg_auto_doc doc = vg_xml_parse(xml);
    const xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;

    return text_of(vg_xml_child(vg_xml_child(root, "owner"), "name"));
}

/* All of the names in a domain's element: which of several libvirt takes is its own
 * affair. */
static int ask_names(struct vg_request *rq, const xmlNode *domain)
{
    for (const xmlNode *node = domain->children; node; node = node->next) {
        vg_autofree char *name = vg_xml_is(node, "name") ? text_of(node) : NULL;
        if (name && vg_ask_domain_name(rq, name) < 0)
            return -1;
    }
    return 0;
}

int vg_xml_ask_name(struct vg_request *rq, const char *xml)
{
    if (!xml || vg_sees_all_domains(rq))
        return 0;
    vg_auto_doc doc = vg_xml_parse(xml);
    const xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;
    if (!root || vg_xml_is_domain(root))
        return root ? ask_names(rq, root) : 0;
    for (const xmlNode *node = root->children; node; node = node->next)
        if (vg_xml_is_domain(node) && ask_names(rq, node) < 0)
            return -1;
    return 0;
}

int vg_xml_check_domain(struct vg_request *rq, const char *xml)
{
    if (!xml)
        return 0;
    return vg_request_ask(rq, "gateway:document", "A document may name files") < 0 ||
                   vg_xml_check(rq, xml) < 0
               ? -1
               : vg_xml_ask_name(rq, xml);
}

int vg_xml_flags(struct vg_request *rq, const struct vg_enum *names, unsigned int secure,
                 unsigned int *ret_flags)
{
    const struct vg_field args[] = {VG_NAMES("flags", ret_flags, names), VG_END};

    return vg_args(rq, args) < 0 ? -1 : vg_request_ask_secrets(rq, *ret_flags & secure);
}

struct vg_reply vg_reply_xml(struct vg_request *rq, char *xml_steal)
{
    if (!xml_steal)
        return vg_fail_virt(rq);
    if (vg_wants_xml(rq))
        return vg_ok_text(rq, "application/xml", xml_steal);
    vg_autofree char *xml = xml_steal;
    vg_auto_json w = {0};
    vg_json_begin_object(&w, NULL);
    vg_json_string(&w, "xml", xml);
    vg_json_end_object(&w);
    return vg_ok_written(rq, &w);
}

/* Whether the agent has its channel open, as the document of a running domain says. */
static enum vg_xml_agent find_agent(const xmlNode *root)
{
    const xmlNode *devices = vg_xml_child(root, "devices");

    for (const xmlNode *n = devices ? devices->children : NULL; n; n = n->next) {
        const xmlNode *target = n->name && strcmp((const char *)n->name, "channel") == 0
                                    ? vg_xml_child(n, "target")
                                    : NULL;
        const char *name = vg_xml_attribute(target, "name");
        const char *state = vg_xml_attribute(target, "state");
        if (name && state && strcmp(name, "org.qemu.guest_agent.0") == 0)
            return strcmp(state, "connected") == 0 ? VG_XML_AGENT_HERE
                                                   : VG_XML_AGENT_AWAY;
    }
    return VG_XML_NO_AGENT;
}

/* Adds " mac" to *macs. */
static void add_mac(char **macs, const char *mac)
{
    char *longer = NULL;

    if (asprintf(&longer, "%s %s", *macs ? *macs : "", mac) < 0)
        return;
    for (char *c = longer; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    free(*macs);
    *macs = longer;
}

static char *find_macs(const xmlNode *root)
{
    const xmlNode *devices = vg_xml_child(root, "devices");
    char *macs = NULL;

    for (const xmlNode *n = devices ? devices->children : NULL; n; n = n->next) {
        const char *mac = vg_xml_is(n, "interface")
                              ? vg_xml_attribute(vg_xml_child(n, "mac"), "address")
                              : NULL;
        if (mac)
            add_mac(&macs, mac);
    }
    return macs;
}

/* A number that libvirt wrote; `absent` where there is none, or more than can be. */
static int64_t number_of(const char *text, int64_t absent)
{
    errno = 0;
    long long n = text ? strtoll(text, NULL, 10) : absent;
    return errno ? absent : n;
}

static int64_t child_number(const xmlNode *node, const char *name)
{
    vg_autofree char *text = text_of(vg_xml_child(node, name));
    return number_of(text, 0);
}

int vg_xml_read_domain(const char *xml, struct vg_xml_domain *ret)
{
    vg_auto_doc doc = vg_xml_parse(xml);
    if (!doc)
        return -1;
    const xmlNode *root = xmlDocGetRootElement(doc);
    const xmlNode *vcpu = vg_xml_child(root, "vcpu");
    vg_autofree char *max_vcpus = text_of(vcpu);
    ret->title = text_of(vg_xml_child(root, "title"));
    ret->os_type = text_of(vg_xml_child(vg_xml_child(root, "os"), "type"));
    ret->max_vcpus = number_of(max_vcpus, 1);
    ret->vcpus = number_of(vg_xml_attribute(vcpu, "current"), ret->max_vcpus);
    ret->max_memory = child_number(root, "memory");
    ret->memory = child_number(root, "currentMemory");
    ret->agent = find_agent(root);
    ret->macs = find_macs(root);
    return 0;
}

/* -1: out of memory. */
static int copy_text(char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return from && !*to ? -1 : 0;
}

int vg_xml_domain_copy(struct vg_xml_domain *to, const struct vg_xml_domain *from)
{
    struct vg_xml_domain copy = *from;

    copy.title = copy.os_type = copy.macs = NULL;
    if (copy_text(&copy.title, from->title) < 0 ||
        copy_text(&copy.os_type, from->os_type) < 0 ||
        copy_text(&copy.macs, from->macs) < 0) {
        vg_xml_domain_clear(&copy);
        return -1;
    }
    vg_xml_domain_clear(to);
    *to = copy;
    return 0;
}

void vg_xml_domain_clear(struct vg_xml_domain *d)
{
    free(d->title);
    free(d->os_type);
    free(d->macs);
    *d = (struct vg_xml_domain){0};
}
