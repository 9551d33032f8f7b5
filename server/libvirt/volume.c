/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See include/virtgate/volume.h.
 */
#include "virtgate/volume.h"

#include "virtgate/cleanup.h"
#include "virtgate/xml_json.h"

json_t *vg_volume_document(struct vg_request *rq, virStorageVolPtr volume)
{
    vg_autofree char *xml = virStorageVolGetXMLDesc(volume, 0);

    if (!xml) {
        (void)vg_error_set_virt(vg_request_error(rq));
        return NULL;
    }
    json_auto_t *document = vg_xml_to_json(xml, vg_request_error(rq));
    if (!document)
        return NULL;
    json_t *root = json_incref(json_object_get(document, "volume"));
    return root ? root : json_object();
}

const char *vg_volume_format(const json_t *document)
{
    const json_t *target = json_object_get(document, "target");
    return vg_json_inner_text(target, "format", "@type");
}
