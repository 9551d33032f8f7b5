/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What libvirt's document of a volume says.
 */
#pragma once

#include "virtgate/request.h"

#include <libvirt/libvirt.h>

/* The document (virStorageVolGetXMLDesc) in its JSON form, without the root element; new
 * reference. libvirt looks at the volume itself when it is asked. NULL: the request's
 * error is set. On the thread of the request. */
json_t *vg_volume_document(struct vg_request *rq, virStorageVolPtr volume);

/* The format in such a document; NULL: the volume has none. Borrowed. */
const char *vg_volume_format(const json_t *document);
