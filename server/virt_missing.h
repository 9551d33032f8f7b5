/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is not there has one answer. libvirt reports a disk, an interface, a console, ...
 * that a domain does not have by half a dozen codes, which differ by call, driver and
 * state.
 */
#pragma once

#include "virtgate/reply.h"

/* The answer of a handler, which failed with an error of libvirt's: as it is, or 404
 * where the domain, looked at again, does not have what the path (or ?device=, ?screen=)
 * names. While the request has its connection; takes the reply. */
struct vg_reply vg_explain_missing(struct vg_request *rq, struct vg_reply reply);
