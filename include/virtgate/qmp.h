/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * QEMU's protocol, which its monitor and the guest agent share: {"execute", "arguments"}
 * one way, {"return"} or {"error"} the other.
 */
#pragma once

#include "virtgate/reply.h"

/* The command as text, owned by the caller. NULL: `arguments` (may be NULL) is no object,
 * or out of memory; the request's error says so. */
char *vg_qmp_command(struct vg_request *rq, const char *execute, json_t *arguments);

/* 200 with the answer as it came; takes the malloc'd text; NULL becomes 500. */
struct vg_reply vg_qmp_reply(struct vg_request *rq, char *answer_steal) VG_MUST_USE;
