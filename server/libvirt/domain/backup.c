/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Documents of backups in pull mode. See include/virtgate/backup.h.
 */
#include "virtgate/backup.h"

#include "server/xml/tree.h"
#include "virtgate/cleanup.h"

#include <stdio.h>
#include <string.h>

/* ---- writing ----------------------------------------------------------------------- */

/* Owned by the caller; NULL: out of memory. */
static char *dump(xmlDoc *doc, xmlNode *root)
{
    vg_auto_xml_buffer text = xmlBufferCreate();
    if (!text || xmlNodeDump(text, doc, root, 0, 0) < 0)
        return NULL;
    return strdup((const char *)xmlBufferContent(text));
}

static xmlNode *add(xmlNode *to, const char *name)
{
    return to ? xmlNewChild(to, NULL, VG_XML(name), NULL) : NULL;
}

static bool add_text(xmlNode *to, const char *name, const char *text)
{
    return to && xmlNewTextChild(to, NULL, VG_XML(name), VG_XML(text));
}

static bool set(xmlNode *node, const char *name, const char *value)
{
    return node && xmlSetProp(node, VG_XML(name), VG_XML(value));
}

static bool add_server(xmlNode *root, const struct vg_pull_backup *b)
{
    xmlNode *server = add(root, "server");
    char port[24];

    if (b->socket)
        return set(server, "transport", "unix") && set(server, "socket", b->socket);
    snprintf(port, sizeof(port), "%lld", (long long)b->port);
    return set(server, "transport", "tcp") && set(server, "name", b->address) &&
           set(server, "port", port);
}

static xmlNode *new_root(xmlDoc *doc, const char *name)
{
    xmlNode *root = doc ? xmlNewDocNode(doc, NULL, VG_XML(name), NULL) : NULL;
    if (root)
        xmlDocSetRootElement(doc, root);
    return root;
}

char *vg_pull_backup_xml(const struct vg_pull_backup *b)
{
    vg_auto_doc doc = xmlNewDoc(NULL);
    xmlNode *root = new_root(doc, "domainbackup");
    bool done = set(root, "mode", "pull") &&
                (!b->incremental || add_text(root, "incremental", b->incremental)) &&
                add_server(root, b);
    return done ? dump(doc, root) : NULL;
}

char *vg_checkpoint_xml(const char *name)
{
    vg_auto_doc doc = xmlNewDoc(NULL);
    xmlNode *root = new_root(doc, "domaincheckpoint");
    return add_text(root, "name", name) ? dump(doc, root) : NULL;
}

/* ---- reading ----------------------------------------------------------------------- */

static char *copy(const xmlNode *node, const char *name)
{
    const char *value = vg_xml_attribute(node, name);
    return value ? strdup(value) : NULL;
}

static const xmlNode *find_disk(const xmlNode *root, const char *target)
{
    const xmlNode *disks = vg_xml_child(root, "disks");
    for (const xmlNode *d = disks ? disks->children : NULL; d; d = d->next) {
        const char *name = vg_xml_attribute(d, "name");
        const char *backup = vg_xml_attribute(d, "backup");
        if (name && strcmp(name, target) == 0 && (!backup || strcmp(backup, "no") != 0))
            return d;
    }
    return NULL;
}

/* QEMU's names where the document has none. */
static void name_export(const xmlNode *root, const xmlNode *disk,
                        struct vg_nbd_export *ret)
{
    const char *target = vg_xml_attribute(disk, "name");

    ret->name = copy(disk, "exportname");
    if (!ret->name)
        ret->name = strdup(target);
    ret->bitmap = copy(disk, "exportbitmap");
    bool incremental =
        vg_xml_child(root, "incremental") || vg_xml_attribute(disk, "incremental");
    if (!ret->bitmap && incremental && asprintf(&ret->bitmap, "backup-%s", target) < 0)
        ret->bitmap = NULL;
}

int vg_backup_find_export(const char *xml, const char *disk, struct vg_nbd_export *ret,
                          struct vg_error *reterr)
{
    vg_auto_doc doc = vg_xml_parse(xml);
    const xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;
    const xmlNode *server = vg_xml_child(root, "server");

    if (!server) {
        vg_error_set(reterr, VG_E_CONFLICT,
                     "The backup is in push mode: it has no content to read; begin one "
                     "with {\"pull\": true}");
        return -1;
    }
    const xmlNode *found = find_disk(root, disk);
    if (!found) {
        vg_error_set(reterr, VG_E_NOT_FOUND,
                     "The backup has no disk '%.100s'; GET .../backup lists those it has",
                     disk);
        return -1;
    }
    name_export(root, found, ret);
    ret->socket = copy(server, "socket");
    ret->address = copy(server, "name");
    ret->port = copy(server, "port");
    if (ret->name && (ret->socket || (ret->address && ret->port)))
        return 0;
    vg_error_set(reterr, VG_E_BAD_ANSWER,
                 "The backup's NBD server has no address by which it can be reached");
    return -1;
}
