/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What an error of libvirt's means that says it by another code, or by words alone:
 * decided by facts. A domain's part that is not there has half a dozen codes, which
 * differ by call, driver and state; what was too large to be sent has the code of what
 * cannot be received.
 */
#pragma once

#include "virtgate/reply.h"

/* The answer of a handler, which failed with an error of libvirt's: as it is, or
 * - 404 where the domain, looked at again, does not have what the path (or ?device=,
 *   ?screen=) names;
 * - 409 where the disk that the path names is an empty drive;
 * - 422 where a document, or 409 where the domain or the pool that it has, names a file
 *   or a network device of the host that is not there;
 * - 400 where what it names can be no file's, or no CPU that the guest may run on;
 * - 413 where what the request sends is longer than libvirt's messages may be.
 * While the request has its connection; takes the reply. */
struct vg_reply vg_explain(struct vg_request *rq, struct vg_reply reply);
