/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See xml/limits.h. What stands here was found by trying every number of libvirt's
 * schemas, and every mistake in a document that has nearly all of them, on test:///
 * and on a libvirtd with little memory: tests/qemu/domain/limits.py does it again.
 */
#include "server/xml/limits.h"

#include "server/core/scope.h"
#include "server/xml/tree.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_VCPUS       16384 /* as of the routes that set it; libvirt knows no more CPUs */
#define MAX_IOTHREADS   16384
#define MAX_CACHE       65535 /* of the host: "id", "level" are places of an array */
#define MAX_CONTROLLERS 1023  /* libvirt makes all below, each by a look at all others */
#define MAX_LETTERS     3     /* "sdzzz": 18,278 disks; their controllers are made, too */

static const struct limit {
    const char *parent; /* NULL: any */
    const char *element;
    const char *attribute; /* NULL: its text */
    unsigned long max;
} limits[] = {
    {NULL, "vcpu", NULL, MAX_VCPUS},
    {NULL, "iothreads", NULL, MAX_IOTHREADS},
    {"cachetune", "cache", "id", MAX_CACHE},
    {"cachetune", "cache", "level", MAX_CACHE},
    {"cachetune", "monitor", "level", MAX_CACHE},
    {"memorytune", "node", "id", MAX_CACHE},
    {NULL, "address", "controller", MAX_CONTROLLERS},
    {NULL, "controller", "index", MAX_CONTROLLERS},
};

static int refuse(struct vg_error *e, const struct limit *l, const char *value)
{
    vg_error_set(e, VG_E_INVALID_VALUE, "<%s>%s%s is '%.40s'; 0 to %lu is accepted",
                 l->element, l->attribute ? " " : "", l->attribute ? l->attribute : "",
                 value, l->max);
    return -1;
}

/* Whether it is more than `max` to somebody who reads it: libvirt takes some in any base,
 * and a minus sign as the most there is. What is no number, it refuses. */
static bool is_beyond(const char *text, unsigned long max)
{
    while (isspace((unsigned char)*text))
        text++;
    errno = 0;
    unsigned long decimal = strtoul(text, NULL, 10), any = strtoul(text, NULL, 0);
    return errno || *text == '-' || decimal > max || any > max;
}

/* As libvirt reads it: the first of that name, in whichever namespace. NULL: none. */
static const char *attribute_of(const xmlNode *e, const char *name)
{
    const xmlAttr *a = xmlHasProp(e, VG_XML(name));
    return !a ? NULL : a->children ? (const char *)a->children->content : "";
}

static int check_limit(const xmlNode *e, const struct limit *l, struct vg_error *reterr)
{
    const char *parent = e->parent && e->parent->type == XML_ELEMENT_NODE
                             ? (const char *)e->parent->name
                             : "";
    if (strcmp((const char *)e->name, l->element) != 0 ||
        (l->parent && strcmp(parent, l->parent) != 0))
        return 0;
    vg_auto_xml_text text = l->attribute ? NULL : xmlNodeGetContent(e);
    const char *value = l->attribute ? attribute_of(e, l->attribute) : (const char *)text;
    return value && is_beyond(value, l->max) ? refuse(reterr, l, value) : 0;
}

/* "vda": letters past the prefix are a number, too. */
static int check_target(const xmlNode *e, struct vg_error *reterr)
{
    const char *dev = attribute_of(e, "dev");
    if (!dev || strcmp((const char *)e->name, "target") != 0 || !e->parent ||
        strcmp((const char *)e->parent->name, "disk") != 0)
        return 0;
    size_t prefix = strncmp(dev, "xvd", 3) == 0 || strncmp(dev, "ubd", 3) == 0 ? 3 : 2;
    const char *rest = strlen(dev) > prefix ? dev + prefix : "";
    if (strspn(rest, "abcdefghijklmnopqrstuvwxyz") <= MAX_LETTERS)
        return 0;
    vg_error_set(
        reterr, VG_E_INVALID_VALUE,
        "A disk's <target dev='%.40s'> is not accepted; 'vda' to 'vdzzz' are, or "
        "hd, sd, fd, xvd, ubd",
        dev);
    return -1;
}

/* Whether libvirt finds it by its path: it has that name, and no namespace. */
static bool is_found(const xmlNode *n, const char *name)
{
    return n->type == XML_ELEMENT_NODE && !n->ns &&
           strcmp((const char *)n->name, name) == 0;
}

/* How many children libvirt finds up to `last`, which is not counted; NULL: of all. */
static long count_children(const xmlNode *parent, const char *name, const xmlNode *last)
{
    long n = 0;
    for (const xmlNode *c = parent ? parent->children : NULL; c && c != last; c = c->next)
        n += is_found(c, name);
    return n;
}

/* -1: it is no plain number. */
static long number_of(const char *text)
{
    size_t n = text ? strspn(text, "0123456789") : 0;
    errno = 0;
    long value = n && n < 10 && !text[n] ? strtol(text, NULL, 10) : -1;
    return errno ? -1 : value;
}

/* Its id, or its place where it has none. -1: it is no plain number. */
static long cell_id(const xmlNode *cell)
{
    const char *id = attribute_of(cell, "id");
    return id ? number_of(id) : count_children(cell->parent, "cell", cell);
}

static bool is_sibling(const xmlNode *e, const xmlNode *cell)
{
    long id = number_of(attribute_of(e, "id"));
    long value = number_of(attribute_of(e, "value"));
    long own = cell_id(cell);

    return own >= 0 && id >= 0 && id < count_children(cell->parent, "cell", NULL) &&
           value >= 10 && value <= 255 && (id == own) == (value == 10);
}

/* <numa><cell id='0'><distances><sibling id='0' value='10'/>: where libvirt finds a
 * mistake in them, it writes beyond its memory. */
static int check_distances(const xmlNode *e, struct vg_error *reterr)
{
    const xmlNode *cell = e->parent;
    bool good = true;

    if (strcmp((const char *)e->name, "distances") != 0 || !cell ||
        strcmp((const char *)cell->name, "cell") != 0)
        return 0;
    for (const xmlNode *c = e->children; c; c = c->next)
        good = good && (!is_found(c, "sibling") || is_sibling(c, cell));
    if (good && count_children(e, "sibling", NULL))
        return 0;
    vg_error_set(
        reterr, VG_E_INVALID_VALUE,
        "A NUMA cell's <distances> are not accepted: each <sibling> has the id of "
        "a cell, and the value 10 for the cell itself, 11 to 255 for others; one at "
        "least is needed");
    return -1;
}

/* <source protocol='iscsi' name=''>: libvirt drops the empty name of a disk's, and looks
 * for a slash in it. */
static int check_iscsi(const xmlNode *e, struct vg_error *reterr)
{
    const char *protocol = attribute_of(e, "protocol"), *name = attribute_of(e, "name");

    if (strcmp((const char *)e->name, "source") != 0 || !protocol || !name || *name ||
        strcmp(protocol, "iscsi") != 0)
        return 0;
    vg_error_set(reterr, VG_E_INVALID_VALUE,
                 "A <source> by iSCSI has an empty name: a target is accepted, like "
                 "iqn.2013-07.com.example:disks/1");
    return -1;
}

static int check_name(const xmlNode *e, struct vg_error *reterr)
{
    if (!vg_xml_is(e, "name") || !e->parent || !vg_xml_is_domain(e->parent))
        return 0;
    vg_auto_xml_text name = xmlNodeGetContent(e);
    return name ? vg_check_domain_name((const char *)name, reterr) : 0;
}

static int check_element(const xmlNode *e, struct vg_error *reterr)
{
    if (check_name(e, reterr) < 0)
        return -1;
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        if (check_limit(e, &limits[i], reterr) < 0)
            return -1;
    return check_target(e, reterr) < 0 || check_iscsi(e, reterr) < 0
               ? -1
               : check_distances(e, reterr);
}

/* Elements of other programs, which stand in <metadata>, are none of libvirt's. All
 * others may be: libvirt looks at the root's name alone, and not at its namespace. */
static bool is_libvirts(const xmlNode *n)
{
    return n->type == XML_ELEMENT_NODE && strcmp((const char *)n->name, "metadata") != 0;
}

int vg_xml_limits(const xmlDoc *doc, struct vg_error *reterr)
{
    const xmlNode *n = xmlDocGetRootElement(doc);

    while (n) {
        bool looked_at = is_libvirts(n);
        if (looked_at && check_element(n, reterr) < 0)
            return -1;
        if (looked_at && n->children) {
            n = n->children;
            continue;
        }
        while (n && !n->next)
            n = n->parent && n->parent->type == XML_ELEMENT_NODE ? n->parent : NULL;
        n = n ? n->next : NULL;
    }
    return 0;
}
