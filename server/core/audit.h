/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The audit trail: a line of the log (source `audit`) before each change and one after
 * it. The first is written before libvirt is asked, so that no change that was made is
 * without it, whatever becomes of the gateway.
 */
#pragma once

#include "server/core/request.h"

/* With --audit-required a change whose line cannot be written is not made. Before any
 * thread. */
void vg_audit_start(bool required);

/* The change of the request is about to be made; nothing for reads. A network thread may
 * not wait for the log's outputs. -1: it is not to be made, the request's error is set.
 */
int vg_audit_begin(struct vg_request *rq, bool may_wait);

/* The change has come to this answer; nothing where none was begun. */
void vg_audit_end(struct vg_request *rq, const struct vg_reply *reply);

/* Somebody asked for a change that it has no right to; nothing for reads. */
void vg_audit_refused(const struct vg_request *rq);
