/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /domains/{domain}/snapshots: list (flat or as a tree), create, show, revert, delete.
 * Creating, reverting and deleting may take long: they write or merge disks and memory.
 */
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/conflict.h"
#include "virtgate/object.h"
#include "virtgate/operation.h"
#include "virtgate/restore_point.h"
#include "virtgate/xml.h"

#include <libvirt/virterror.h>

/* ---- JSON -------------------------------------------------------------------------- */

/* What its document says. With `sendable` its name alone, where libvirt cannot send the
 * document, which has the domain's in it. */
static json_t *read_document(struct vg_request *rq, virDomainSnapshotPtr snapshot,
                             bool sendable)
{
    vg_autofree char *xml = virDomainSnapshotGetXMLDesc(snapshot, 0);

    if (xml)
        return vg_restore_point_to_json(xml, vg_request_error(rq));
    if (sendable && virGetLastErrorCode() == VIR_ERR_RPC)
        return json_pack("{s:s}", "name", virDomainSnapshotGetName(snapshot));
    vg_error_set_virt(vg_request_error(rq));
    return NULL;
}

/* NULL: the request's error is set. */
static json_t *read_snapshot(struct vg_request *rq, virDomainSnapshotPtr snapshot,
                             bool sendable)
{
    json_auto_t *json = read_document(rq, snapshot, sendable);
    if (!json)
        return NULL;
    int current = virDomainSnapshotIsCurrent(snapshot, 0);
    int metadata = current < 0 ? -1 : virDomainSnapshotHasMetadata(snapshot, 0);

    if (metadata < 0) {
        vg_error_set_virt(vg_request_error(rq));
        return NULL;
    }
    if (json_object_set_new(json, "current", json_boolean(current)) == 0 &&
        json_object_set_new(json, "hasMetadata", json_boolean(metadata)) == 0)
        return vg_take(&json);
    vg_error_set_memory(vg_request_error(rq));
    return NULL;
}

static struct vg_reply reply_snapshot(struct vg_request *rq,
                                      virDomainSnapshotPtr snapshot)
{
    json_t *json = read_snapshot(rq, snapshot, false);
    return json ? vg_ok(rq, json) : vg_fail(rq);
}

/* `current`: whether the domain has a current one; -1: that is not told. */
static struct vg_reply reply_list(struct vg_request *rq,
                                  const struct vg_snapshot_list *list, int current,
                                  const struct vg_restore_points_args *how)
{
    json_auto_t *all = json_array();

    for (int i = 0; i < list->n; i++)
        if (vg_restore_points_add(rq, all, read_snapshot(rq, list->v[i], true)) < 0)
            return vg_fail(rq);
    return vg_ok(rq, json_pack("{s:o*, s:o}", "hasCurrent",
                               current < 0 ? NULL : json_boolean(current), "snapshots",
                               vg_restore_points_arrange(vg_take(&all), how)));
}

/* ---- the list ---------------------------------------------------------------------- */

static int read_list_args(struct vg_request *rq, struct vg_restore_points_args *ret)
{
    return vg_restore_points_args(rq, &vg_enum_virDomainSnapshotListFlags,
                                  VIR_DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL, ret);
}

static struct vg_reply list_snapshots(struct vg_request *rq)
{
    struct vg_restore_points_args how;
    vg_autolist(snapshot) list = {0};

    if (read_list_args(rq, &how) < 0)
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    list.n = virDomainListAllSnapshots(dom, &list.v, how.flags);
    int current = list.n < 0 ? -1 : virDomainHasCurrentSnapshot(dom, 0);
    return current < 0 ? vg_fail_virt(rq) : reply_list(rq, &list, current, &how);
}

/* Flags that make snapshots of files beside the disks', new ones or those that are there.
 */
#define EXTERNAL                                                                         \
    (VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY | VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT)

/* {"name", "description"}, or with an admin's rights libvirt's own document. */
struct creation {
    const char *xml, *name, *description;
    unsigned int flags;
};

static int read_creation(struct vg_request *rq, struct creation *c)
{
    const struct vg_field args[] = {
        VG_TEXT("xml", &c->xml),
        VG_TEXT("name", &c->name),
        VG_TEXT("description", &c->description),
        VG_FLAGS("flags", &c->flags, virDomainSnapshotCreateFlags),
        VG_END,
    };

    if (vg_args(rq, args) < 0)
        return -1;
    bool document = c->xml || vg_xml_body(rq);
    if (document && (c->name || c->description))
        return vg_fail_value(rq,
                             "'xml' says it all; 'name' and 'description' go without it");
    if (document &&
        vg_request_ask(rq, "gateway:document", "A document may name files") < 0)
        return -1;
    if (c->flags & EXTERNAL &&
        vg_request_ask(rq, "gateway:path",
                       "'disk-only' and 'reuse-ext' write files of the host") < 0)
        return -1;
    if (c->flags & VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE &&
        vg_request_ask(rq, "domain:fs_freeze", "'quiesce' freezes filesystems") < 0)
        return -1;
    if (document && !(c->xml = vg_xml_argument(rq, "xml", c->xml)))
        return -1;
    return 0;
}

static bool has_snapshot(void *dom, const char *name)
{
    vg_autoptr(virDomainSnapshot) found = virDomainSnapshotLookupByName(dom, name, 0);
    return found != NULL;
}

static struct vg_reply fail_creation(struct vg_request *rq, virDomainPtr dom,
                                     const char *xml)
{
    vg_error_set_virt(vg_request_error(rq));
    return vg_fail_point(rq, vg_restore_point_is_taken(xml, has_snapshot, dom),
                         VIR_FROM_DOMAIN_SNAPSHOT);
}

/* All of it, or its name alone when libvirt keeps nothing of it. */
static int write_created(struct vg_request *rq, struct vg_json *w,
                         virDomainSnapshotPtr snapshot, unsigned int flags)
{
    if (flags & VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA) {
        vg_json_begin_object(w, NULL);
        vg_json_string(w, "name", virDomainSnapshotGetName(snapshot));
        vg_json_end_object(w);
        return 0;
    }
    json_auto_t *json = read_snapshot(rq, snapshot, true);
    if (!json)
        return -1;
    vg_json_value(w, NULL, json);
    return 0;
}

static struct vg_reply create_snapshot(struct vg_request *rq)
{
    struct creation c = {0};

    if (read_creation(rq, &c) < 0)
        return vg_fail(rq);
    vg_autofree char *made =
        c.xml ? NULL
              : vg_restore_point_to_xml(rq, "domainsnapshot", c.name, c.description);
    const char *xml = c.xml ? c.xml : made;
    if (!xml || vg_xml_ask_name(rq, xml) < 0)
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom || vg_operation_begin(rq, dom, VIR_DOMAIN_JOB_OPERATION_SNAPSHOT) < 0)
        return vg_fail(rq);
    vg_autoptr(virDomainSnapshot) snapshot =
        virDomainSnapshotCreateXML(dom, xml, c.flags);
    if (!snapshot)
        return fail_creation(rq, dom, xml);
    vg_event_snapshot_changed(rq, dom, "created", virDomainSnapshotGetName(snapshot));
    vg_auto_json w = vg_json_for(rq);
    if (write_created(rq, &w, snapshot, c.flags) < 0)
        return vg_fail(rq);
    return vg_created(rq,
                      vg_domain_child_href(rq, dom, "snapshots",
                                           virDomainSnapshotGetName(snapshot), ""),
                      &w);
}

static struct vg_reply get_current(struct vg_request *rq)
{
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    vg_autoptr(virDomainSnapshot) snapshot = virDomainSnapshotCurrent(dom, 0);
    return snapshot ? reply_snapshot(rq, snapshot) : vg_fail_virt(rq);
}

/* ---- one snapshot ------------------------------------------------------------------ */

/* The path's {snapshot} of a domain. NULL: the request's error is set. */
static virDomainSnapshotPtr find_of(struct vg_request *rq, virDomainPtr dom)
{
    virDomainSnapshotPtr snapshot =
        virDomainSnapshotLookupByName(dom, vg_path(rq, "snapshot"), 0);
    if (!snapshot)
        vg_error_set_virt(vg_request_error(rq));
    return snapshot;
}

static virDomainSnapshotPtr find_snapshot(struct vg_request *rq)
{
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    return dom ? find_of(rq, dom) : NULL;
}

static struct vg_reply get_snapshot(struct vg_request *rq)
{
    vg_autoptr(virDomainSnapshot) snapshot = find_snapshot(rq);
    if (!snapshot)
        return vg_fail(rq);
    return vg_wants_xml(rq) ? vg_reply_xml(rq, virDomainSnapshotGetXMLDesc(snapshot, 0))
                            : reply_snapshot(rq, snapshot);
}

static struct vg_reply get_snapshot_xml(struct vg_request *rq)
{
    unsigned int flags = 0;

    if (vg_xml_flags(rq, &vg_enum_virDomainSnapshotXMLFlags,
                     VIR_DOMAIN_SNAPSHOT_XML_SECURE, &flags) < 0)
        return vg_fail(rq);
    vg_autoptr(virDomainSnapshot) snapshot = find_snapshot(rq);
    return snapshot ? vg_reply_xml(rq, virDomainSnapshotGetXMLDesc(snapshot, flags))
                    : vg_fail(rq);
}

static struct vg_reply get_snapshot_parent(struct vg_request *rq)
{
    vg_autoptr(virDomainSnapshot) snapshot = find_snapshot(rq);
    if (!snapshot)
        return vg_fail(rq);
    vg_autoptr(virDomainSnapshot) parent = virDomainSnapshotGetParent(snapshot, 0);
    return parent ? reply_snapshot(rq, parent) : vg_fail_virt(rq);
}

static struct vg_reply list_snapshot_children(struct vg_request *rq)
{
    struct vg_restore_points_args how;
    vg_autolist(snapshot) list = {0};

    if (read_list_args(rq, &how) < 0)
        return vg_fail(rq);
    vg_autoptr(virDomainSnapshot) snapshot = find_snapshot(rq);
    if (!snapshot)
        return vg_fail(rq);
    if (how.tree)
        how.flags |= VIR_DOMAIN_SNAPSHOT_LIST_DESCENDANTS;
    list.n = virDomainSnapshotListAllChildren(snapshot, &list.v, how.flags);
    return list.n < 0 ? vg_fail_virt(rq) : reply_list(rq, &list, -1, &how);
}

/* Changes a snapshot, which its domain shows as `job`, and subscribers as `type`. */
static struct vg_reply change_snapshot(struct vg_request *rq, const struct vg_enum *names,
                                       int job, const char *type,
                                       int (*call)(virDomainSnapshotPtr snapshot,
                                                   unsigned int flags))
{
    unsigned int flags = 0;
    const struct vg_field args[] = {VG_NAMES("flags", &flags, names), VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    vg_autoptr(virDomainSnapshot) snapshot = dom ? find_of(rq, dom) : NULL;
    if (!snapshot || vg_operation_begin(rq, dom, job) < 0)
        return vg_fail(rq);
    if (call(snapshot, flags) < 0)
        return vg_fail_virt(rq);
    vg_event_snapshot_changed(rq, dom, type, vg_path(rq, "snapshot"));
    return vg_no_content(rq);
}

static struct vg_reply revert_snapshot(struct vg_request *rq)
{
    return change_snapshot(rq, &vg_enum_virDomainSnapshotRevertFlags,
                           VIR_DOMAIN_JOB_OPERATION_SNAPSHOT_REVERT, "reverted",
                           virDomainRevertToSnapshot);
}

static struct vg_reply delete_snapshot(struct vg_request *rq)
{
    return change_snapshot(rq, &vg_enum_virDomainSnapshotDeleteFlags,
                           VIR_DOMAIN_JOB_OPERATION_SNAPSHOT_DELETE, "deleted",
                           virDomainSnapshotDelete);
}

/* clang-format off */
const struct vg_route vg_routes_domain_snapshot[] = {
    {VG_GET, "/domains/{domain}/snapshots", "listSnapshots", list_snapshots,
     .needs = "domain:getattr domain:read", .takes = VG_TAKES_ARGS, .shared = true},
    {VG_POST, "/domains/{domain}/snapshots", "createSnapshot", create_snapshot,
     .needs = "domain:getattr domain:read domain:snapshot", .runs_on = VG_ON_LONG,
     .takes = VG_TAKES_XML},
    {VG_GET, "/domains/{domain}/current-snapshot", "getCurrentSnapshot", get_current,
     .needs = "domain:getattr domain:read", .shared = true},
    {VG_GET, "/domains/{domain}/snapshots/{snapshot}", "getSnapshot", get_snapshot,
     .needs = "domain:getattr domain:read", .gives = VG_GIVES_JSON_OR_XML, .shared = true},
    {VG_DELETE, "/domains/{domain}/snapshots/{snapshot}", "deleteSnapshot", delete_snapshot,
     .needs = "domain:getattr domain:read domain:snapshot", .runs_on = VG_ON_LONG,
     .takes = VG_TAKES_ARGS},
    {VG_GET, "/domains/{domain}/snapshots/{snapshot}/xml", "getSnapshotXml", get_snapshot_xml,
     .needs = "domain:getattr domain:read", .gives = VG_GIVES_XML_OR_JSON, .takes = VG_TAKES_ARGS,
     .shared = true},
    {VG_GET, "/domains/{domain}/snapshots/{snapshot}/parent", "getSnapshotParent",
     get_snapshot_parent,
     .needs = "domain:getattr domain:read", .shared = true},
    {VG_GET, "/domains/{domain}/snapshots/{snapshot}/children", "listSnapshotChildren",
     list_snapshot_children,
     .needs = "domain:getattr domain:read", .takes = VG_TAKES_ARGS, .shared = true},
    {VG_POST, "/domains/{domain}/snapshots/{snapshot}/revert", "revertToSnapshot", revert_snapshot,
     .needs = "domain:getattr domain:read domain:snapshot", .runs_on = VG_ON_LONG,
     .takes = VG_TAKES_ARGS},
    {0},
};
/* clang-format on */
