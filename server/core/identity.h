/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * --pass-identity: libvirt is asked in the caller's name. What it answered one caller is
 * for no other then.
 */
#pragma once

#include "server/core/request.h"

/* As libvirt is told. Empty: the gateway itself. */
struct vg_identity {
    char principal[VG_TOKEN_NAME_SIZE];
    enum vg_via via;
};

/* Whether identities are passed. Before any thread. */
void vg_identity_start(bool passes);
bool vg_identity_passes(void);

/* Whose a request is: of the gateway's own requests, and where identities are not passed,
 * the empty one. */
struct vg_identity vg_identity_of(const struct vg_request *rq);

bool vg_identity_same(const struct vg_identity *a, const struct vg_identity *b);

/* Whether libvirt would be told the same of both requests. */
bool vg_identity_equal(const struct vg_request *a, const struct vg_request *b);
