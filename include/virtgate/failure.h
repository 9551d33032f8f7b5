/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Why an object that is not active could not be started or read, as libvirt said last:
 * libvirt itself tells it once, to who tried. Kept in memory, of the newest of each host;
 * forgotten when it is started, by whomever.
 */
#pragma once

#include "virtgate/json.h"
#include "virtgate/kind.h"
#include "virtgate/request.h"

/* The call that the client knows as `operation` (static) has failed with the request's
 * error, or, where that is none, succeeded. What says nothing of the object is not kept:
 * that the caller may not, that it is active already, that the host was lost. */
void vg_failure_note(struct vg_request *rq, enum vg_kind kind, const char *uuid,
                     const char *operation);

/* Writes {"operation", "message", "codeName", "time"}, or null. No call to the host. */
void vg_failure_write(const struct vg_request *rq, struct vg_json *w, const char *key,
                      enum vg_kind kind, const char *uuid);
