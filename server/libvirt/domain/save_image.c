/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See virtgate/save_image.h.
 */
#include "virtgate/save_image.h"

#include "server/libvirt/absent.h"
#include "virtgate/cleanup.h"
#include "virtgate/host.h"
#include "virtgate/scope.h"
#include "virtgate/xml.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <string.h>

int vg_error_set_file(struct vg_request *rq)
{
    const virError *e = virGetLastError();
    bool missing = e && e->code == VIR_ERR_SYSTEM_ERROR && e->int1 == ENOENT;

    vg_error_set_virt(vg_request_error(rq));
    if (missing)
        vg_error_set_status(vg_request_error(rq), 404);
    return -1;
}

static bool is_seen(const struct vg_request *rq, const char *xml)
{
    vg_autofree char *name = NULL;

    if (vg_sees_all_domains(rq))
        return true;
    return vg_xml_identity(xml, &name, NULL) == 0 && vg_sees_domain(rq, name);
}

/* What libvirt says of a file in the same folder that is not there, as of this one. */
static void set_absent(struct vg_request *rq, const char *file)
{
    const char *slash = strrchr(file, '/');
    int folder = slash ? (int)(slash - file) : 0;
    struct vg_absent absent;
    vg_autofree char *other = NULL;

    vg_absent_make(&absent, VG_LOOKUP_NAME);
    if (asprintf(&other, "%.*s/%s", folder, file, absent.text) < 0) {
        other = NULL;
        vg_error_set_memory(vg_request_error(rq));
        return;
    }
    free(virDomainSaveImageGetXMLDesc(vg_conn(rq), other, 0));
    (void)vg_error_set_file(rq);
    vg_error_replace(vg_request_error(rq), other, file);
}

char *vg_save_image_xml(struct vg_request *rq, const char *file, unsigned int flags)
{
    vg_autofree char *xml = virDomainSaveImageGetXMLDesc(vg_conn(rq), file, flags);

    if (!xml)
        (void)vg_error_set_file(rq);
    else if (is_seen(rq, xml))
        return vg_take(&xml);
    else
        set_absent(rq, file);
    return NULL;
}
