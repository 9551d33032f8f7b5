/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * /domains/{domain}/backup: virDomainBackupBegin returns when the backup has begun, which
 * is the domain's job from then on, and an operation.
 */
#include "routes/routes.h"
#include "virtgate/autoptr.h"
#include "virtgate/conflict.h"
#include "virtgate/object.h"
#include "virtgate/operation.h"
#include "virtgate/xml.h"

/* {"backup": "<domainbackup>...", "checkpoint": "<domaincheckpoint>..."}; the first may
 * also be an XML body. */
static struct vg_reply begin_backup(struct vg_request *rq)
{
    const char *backup = NULL, *checkpoint = NULL;
    unsigned int flags = 0;
    const struct vg_field args[] = {
        VG_TEXT("backup", &backup),
        VG_TEXT("checkpoint", &checkpoint),
        VG_FLAGS("flags", &flags, virDomainBackupBeginFlags),
        VG_END,
    };

    if (vg_args(rq, args) < 0)
        return vg_fail(rq);
    const char *xml = vg_xml_argument(rq, "backup", backup);
    if (!xml || (checkpoint && vg_xml_check(rq, checkpoint) < 0))
        return vg_fail(rq);
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    if (!dom ||
        vg_operation_begin_job(rq, dom, NULL, VIR_DOMAIN_JOB_OPERATION_BACKUP) < 0)
        return vg_fail(rq);
    if (virDomainBackupBegin(dom, xml, checkpoint, flags) < 0)
        return vg_fail_in_state(rq, dom, VG_NEEDS_ACTIVE);
    return vg_operation_left(rq);
}

static struct vg_reply get_backup(struct vg_request *rq)
{
    vg_autoptr(virDomain) dom = vg_path_domain(rq);
    return dom ? vg_reply_xml(rq, virDomainBackupGetXMLDesc(dom, 0)) : vg_fail(rq);
}

/* clang-format off */
const struct vg_route vg_routes_domain_backup[] = {
    {VG_GET, "/domains/{domain}/backup", "getBackup", get_backup,
     .needs = "domain:getattr domain:read", .gives = VG_GIVES_XML_OR_JSON, .shared = true},
    {VG_POST, "/domains/{domain}/backup", "beginBackup", begin_backup,
     .needs = "domain:getattr domain:block_write domain:checkpoint gateway:document",
     .runs_on = VG_ON_JOB, .takes = VG_TAKES_XML},
    {0},
};
/* clang-format on */
