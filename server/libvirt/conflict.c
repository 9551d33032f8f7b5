/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See include/virtgate/conflict.h.
 */
#include "virtgate/conflict.h"

#include "server/xml/tree.h"
#include "virtgate/autoptr.h"
#include "virtgate/host.h"
#include "virtgate/xml.h"

#include <libvirt/virterror.h>

/* Errors that say too little. */
static bool is_vague(const struct vg_error *e)
{
    return !e->transport && (vg_error_is_virt(e, VIR_ERR_INTERNAL_ERROR) ||
                             vg_error_is_virt(e, VIR_ERR_OPERATION_FAILED) ||
                             vg_error_is_virt(e, VIR_ERR_SYSTEM_ERROR));
}

static void make_conflict(struct vg_error *e)
{
    vg_error_set_status(e, 409);
}

bool vg_error_is_limit(const struct vg_error *e)
{
    return !e->transport && vg_error_is_virt(e, VIR_ERR_INTERNAL_ERROR) &&
           vg_error_is_from(e, VIR_FROM_DOMAIN);
}

bool vg_error_is_refused(const struct vg_error *e, virDomainPtr dom)
{
    return !e->transport && vg_error_is_virt(e, VIR_ERR_INTERNAL_ERROR) &&
           vg_error_is_from(e, VIR_FROM_QEMU) && virDomainIsActive(dom) == 1;
}

/* Whether the document has anything of this XPath. */
static bool has_any(const char *xml, const char *path)
{
    vg_auto_doc doc = vg_xml_parse(xml);
    return vg_xml_test(doc, path, "") == 1;
}

#define NO_WWN                                                                           \
    "[string-length() != 16 or translate(., '0123456789abcdefABCDEF', '') != '']"

bool vg_error_is_of_document(const struct vg_error *e, const char *xml)
{
    static const char wrong[] =
        "//disk/wwn" NO_WWN " | //adapter/@wwnn" NO_WWN " | //adapter/@wwpn" NO_WWN
        " | //lease[not(string(lockspace))]";

    if (e->transport || !vg_error_is_from(e, VIR_FROM_NONE))
        return false;
    return (vg_error_is_virt(e, VIR_ERR_SYSTEM_ERROR) && vg_error_number(e) == 0) ||
           (vg_error_is_virt(e, VIR_ERR_INTERNAL_ERROR) && has_any(xml, wrong));
}

static bool has_state(virDomainPtr dom, enum vg_needed_state needed)
{
    int state, reason;

    if (virDomainGetState(dom, &state, &reason, 0) < 0)
        return true; /* no explanation */
    bool active = state != VIR_DOMAIN_SHUTOFF && state != VIR_DOMAIN_CRASHED;
    switch (needed) {
    case VG_NEEDS_ACTIVE:
        return active;
    case VG_NEEDS_INACTIVE:
        return !active;
    case VG_NEEDS_RUNNING:
        return state == VIR_DOMAIN_RUNNING || state == VIR_DOMAIN_BLOCKED;
    case VG_NEEDS_PAUSED:
        return state == VIR_DOMAIN_PAUSED;
    case VG_NEEDS_ASLEEP:
        return state == VIR_DOMAIN_PMSUSPENDED;
    }
    return true;
}

struct vg_reply vg_fail_in_state(struct vg_request *rq, virDomainPtr dom,
                                 enum vg_needed_state needed)
{
    struct vg_error *e = vg_request_error(rq);

    vg_error_set_virt(e);
    if (is_vague(e) && !has_state(dom, needed))
        make_conflict(e);
    return vg_fail(rq);
}

struct vg_reply vg_done_in_state(struct vg_request *rq, virDomainPtr dom,
                                 enum vg_needed_state needed, int result)
{
    return result < 0 ? vg_fail_in_state(rq, dom, needed) : vg_no_content(rq);
}

void vg_error_explain(struct vg_request *rq, bool explained)
{
    struct vg_error *e = vg_request_error(rq);

    if (explained && is_vague(e))
        make_conflict(e);
}

struct vg_reply vg_fail_explained(struct vg_request *rq, bool explained)
{
    vg_error_explain(rq, explained);
    return vg_fail(rq);
}

void vg_error_blame(struct vg_request *rq, int status)
{
    struct vg_error *e = vg_request_error(rq);

    if (status && e->status == 502 && !e->transport)
        vg_error_set_status(e, status);
}

struct vg_reply vg_fail_point(struct vg_request *rq, bool is_taken, int reader)
{
    const struct vg_error *e = vg_request_error(rq);
    bool is_of_document =
        vg_error_is_virt(e, VIR_ERR_INTERNAL_ERROR) && vg_error_is_from(e, reader);

    vg_error_explain(rq, is_taken);
    vg_error_blame(rq, is_of_document ? 422 : 0);
    return vg_fail(rq);
}

int vg_error_set_define(struct vg_request *rq, const char *xml)
{
    struct vg_error *e = vg_request_error(rq);
    vg_autofree char *name = NULL;
    vg_autofree char *uuid = NULL;

    vg_error_set_virt(e);
    if (vg_error_is_limit(e))
        make_conflict(e);
    if (vg_error_is_of_document(e, xml)) {
        vg_error_set_status(e, 422);
        return -1;
    }
    if (!is_vague(e) || vg_xml_identity(xml, &name, &uuid) < 0)
        return -1;
    vg_autoptr(virDomain) by_name =
        name ? virDomainLookupByName(vg_conn(rq), name) : NULL;
    vg_autoptr(virDomain) by_uuid =
        uuid ? virDomainLookupByUUIDString(vg_conn(rq), uuid) : NULL;
    if (by_name || by_uuid)
        make_conflict(e);
    return -1;
}

struct vg_reply vg_fail_define(struct vg_request *rq, const char *xml)
{
    (void)vg_error_set_define(rq, xml);
    return vg_fail(rq);
}
