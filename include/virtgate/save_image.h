/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Guests saved to files of the host.
 */
#pragma once

#include "virtgate/request.h"

/* The document of the guest in a file (virDomainSaveImageGetXMLDesc); owned by the
 * caller, for free(3). NULL: the request's error is set; that of a guest that the caller
 * may not see is as of a file that is not there. */
char *vg_save_image_xml(struct vg_request *rq, const char *file, unsigned int flags);

/* The thread's last libvirt error, of a call with a file that the client named, as the
 * request's: that it, or its folder, is not there is a 404. -1. */
int vg_error_set_file(struct vg_request *rq);
