/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /domains/{domain}/checkpoints: from which point on changed blocks are known, for
 * incremental backups.
 */
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/conflict.h"
#include "virtgate/event.h"
#include "virtgate/object.h"
#include "virtgate/restore_point.h"
#include "virtgate/xml.h"

#include <libvirt/virterror.h>

/* ---- JSON -------------------------------------------------------------------------- */

/* NULL: the request's error is set. */
static json_t *read_checkpoint(struct vg_request *rq, virDomainCheckpointPtr checkpoint)
{
    vg_autofree char *xml =
        virDomainCheckpointGetXMLDesc(checkpoint, VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN);
    if (xml)
        return vg_restore_point_to_json(xml, vg_request_error(rq));
    vg_error_set_virt(vg_request_error(rq));
    return NULL;
}

static struct vg_reply reply_checkpoint(struct vg_request *rq,
                                        virDomainCheckpointPtr checkpoint)
{
    json_t *json = read_checkpoint(rq, checkpoint);
    return json ? vg_ok(rq, json) : vg_fail(rq);
}

static struct vg_reply reply_list(struct vg_request *rq,
                                  const struct vg_checkpoint_list *list,
                                  const struct vg_restore_points_args *how)
{
    json_auto_t *all = json_array();

    if (list->n < 0)
        return vg_fail_virt(rq);
    for (int i = 0; i < list->n; i++)
        if (vg_restore_points_add(rq, all, read_checkpoint(rq, list->v[i])) < 0)
            return vg_fail(rq);
    return vg_ok(rq, json_pack("{s:o}", "checkpoints",
                               vg_restore_points_arrange(vg_take(&all), how)));
}

/* ---- the list ---------------------------------------------------------------------- */

static int read_list_args(struct vg_request *rq, struct vg_restore_points_args *ret)
{
    return vg_restore_points_args(rq, &vg_enum_virDomainCheckpointListFlags,
                                  VIR_DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL, ret);
}

static struct vg_reply list_checkpoints(struct vg_request *rq)
{
    struct vg_restore_points_args how;
    vg_autolist(checkpoint) list = {0};

    if (read_list_args(rq, &how) < 0)
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom)
        return vg_fail(rq);
    list.n = virDomainListAllCheckpoints(dom, &list.v, how.flags);
    return reply_list(rq, &list, &how);
}

static bool has_checkpoint(void *dom, const char *name)
{
    vg_autoptr(virDomainCheckpoint) found = virDomainCheckpointLookupByName(dom, name, 0);
    return found != NULL;
}

/* A guest that does not run is a conflict, too. */
static struct vg_reply fail_creation(struct vg_request *rq, virDomainPtr dom,
                                     const char *xml)
{
    bool unsupported = virGetLastErrorCode() == VIR_ERR_OPERATION_UNSUPPORTED;

    vg_error_set_virt(vg_request_error(rq));
    if (unsupported && virDomainIsActive(dom) == 0) {
        vg_error_set_status(vg_request_error(rq), 409);
        return vg_fail(rq);
    }
    return vg_fail_point(rq, vg_restore_point_is_taken(xml, has_checkpoint, dom),
                         VIR_FROM_DOMAIN_CHECKPOINT);
}

static struct vg_reply create_checkpoint(struct vg_request *rq)
{
    unsigned int flags = 0;

    const char *xml =
        vg_xml_and_flags(rq, &vg_enum_virDomainCheckpointCreateFlags, &flags);
    if (xml && flags & VIR_DOMAIN_CHECKPOINT_CREATE_QUIESCE &&
        vg_request_ask(rq, "domain:fs_freeze", "'quiesce' freezes filesystems") < 0)
        return vg_fail(rq);
    if (xml && vg_xml_ask_name(rq, xml) < 0)
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = xml ? vg_path_domain(rq) : NULL;
    if (!dom)
        return vg_fail(rq);
    vg_autoptr(virDomainCheckpoint) checkpoint =
        virDomainCheckpointCreateXML(dom, xml, flags);
    if (!checkpoint)
        return fail_creation(rq, dom, xml);
    vg_event_checkpoint_changed(rq, dom, "created",
                                virDomainCheckpointGetName(checkpoint));
    json_auto_t *json = read_checkpoint(rq, checkpoint);
    if (!json)
        return vg_fail(rq);
    vg_auto_json w = vg_json_for(rq);
    vg_json_value(&w, NULL, json);
    return vg_created(rq,
                      vg_domain_child_href(rq, dom, "checkpoints",
                                           virDomainCheckpointGetName(checkpoint), ""),
                      &w);
}

/* ---- one checkpoint ---------------------------------------------------------------- */

/* The path's {checkpoint} of that domain. NULL: the request's error is set. */
static virDomainCheckpointPtr find_of(struct vg_request *rq, virDomainPtr dom)
{
    virDomainCheckpointPtr checkpoint =
        virDomainCheckpointLookupByName(dom, vg_path(rq, "checkpoint"), 0);
    if (!checkpoint)
        vg_error_set_virt(vg_request_error(rq));
    return checkpoint;
}

/* Of the path's domain. */
static virDomainCheckpointPtr find_checkpoint(struct vg_request *rq)
{
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    return dom ? find_of(rq, dom) : NULL;
}

static struct vg_reply get_checkpoint(struct vg_request *rq)
{
    vg_autoptr(virDomainCheckpoint) checkpoint = find_checkpoint(rq);
    if (!checkpoint)
        return vg_fail(rq);
    return vg_wants_xml(rq)
               ? vg_reply_xml(rq, virDomainCheckpointGetXMLDesc(checkpoint, 0))
               : reply_checkpoint(rq, checkpoint);
}

static struct vg_reply get_checkpoint_xml(struct vg_request *rq)
{
    unsigned int flags = 0;

    if (vg_xml_flags(rq, &vg_enum_virDomainCheckpointXMLFlags,
                     VIR_DOMAIN_CHECKPOINT_XML_SECURE, &flags) < 0)
        return vg_fail(rq);
    vg_autoptr(virDomainCheckpoint) checkpoint = find_checkpoint(rq);
    return checkpoint ? vg_reply_xml(rq, virDomainCheckpointGetXMLDesc(checkpoint, flags))
                      : vg_fail(rq);
}

static struct vg_reply get_checkpoint_parent(struct vg_request *rq)
{
    vg_autoptr(virDomainCheckpoint) checkpoint = find_checkpoint(rq);
    if (!checkpoint)
        return vg_fail(rq);
    vg_autoptr(virDomainCheckpoint) parent = virDomainCheckpointGetParent(checkpoint, 0);
    return parent ? reply_checkpoint(rq, parent) : vg_fail_virt(rq);
}

static struct vg_reply list_checkpoint_children(struct vg_request *rq)
{
    struct vg_restore_points_args how;
    vg_autolist(checkpoint) list = {0};

    if (read_list_args(rq, &how) < 0)
        return vg_fail(rq);
    vg_autoptr(virDomainCheckpoint) checkpoint = find_checkpoint(rq);
    if (!checkpoint)
        return vg_fail(rq);
    if (how.tree)
        how.flags |= VIR_DOMAIN_CHECKPOINT_LIST_DESCENDANTS;
    list.n = virDomainCheckpointListAllChildren(checkpoint, &list.v, how.flags);
    return reply_list(rq, &list, &how);
}

static struct vg_reply delete_checkpoint(struct vg_request *rq)
{
    unsigned int flags = 0;
    const struct vg_field args[] = {
        VG_FLAGS("flags", &flags, virDomainCheckpointDeleteFlags), VG_END};

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    vg_autoptr(virDomainCheckpoint) checkpoint = dom ? find_of(rq, dom) : NULL;
    if (!checkpoint)
        return vg_fail(rq);
    if (virDomainCheckpointDelete(checkpoint, flags) < 0)
        return vg_fail_virt(rq);
    vg_event_checkpoint_changed(rq, dom, "deleted", vg_path(rq, "checkpoint"));
    return vg_no_content(rq);
}

/* clang-format off */
const struct vg_route vg_routes_domain_checkpoint[] = {
    {VG_GET, "/domains/{domain}/checkpoints", "listCheckpoints", list_checkpoints,
     .needs = "domain:getattr domain:read", .takes = VG_TAKES_ARGS, .shared = true},
    {VG_POST, "/domains/{domain}/checkpoints", "createCheckpoint", create_checkpoint,
     .needs = "domain:getattr domain:read domain:checkpoint gateway:document",
     .takes = VG_TAKES_XML},
    {VG_GET, "/domains/{domain}/checkpoints/{checkpoint}", "getCheckpoint", get_checkpoint,
     .needs = "domain:getattr domain:read", .gives = VG_GIVES_JSON_OR_XML, .shared = true},
    {VG_DELETE, "/domains/{domain}/checkpoints/{checkpoint}", "deleteCheckpoint", delete_checkpoint,
     .needs = "domain:getattr domain:read domain:checkpoint", .takes = VG_TAKES_ARGS},
    {VG_GET, "/domains/{domain}/checkpoints/{checkpoint}/xml", "getCheckpointXml",
     get_checkpoint_xml,
     .needs = "domain:getattr domain:read", .gives = VG_GIVES_XML_OR_JSON, .takes = VG_TAKES_ARGS,
     .shared = true},
    {VG_GET, "/domains/{domain}/checkpoints/{checkpoint}/parent", "getCheckpointParent",
     get_checkpoint_parent,
     .needs = "domain:getattr domain:read", .shared = true},
    {VG_GET, "/domains/{domain}/checkpoints/{checkpoint}/children", "listCheckpointChildren",
     list_checkpoint_children,
     .needs = "domain:getattr domain:read", .takes = VG_TAKES_ARGS, .shared = true},
    {0},
};
/* clang-format on */
