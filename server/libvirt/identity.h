/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * In whose name libvirt is asked: virConnectSetIdentity. The daemon takes it from whom
 * its access driver gives connect:write, once: what is asked from then on is asked by the
 * identity, which may not change it.
 */
#pragma once

#include "server/core/identity.h"

#include <libvirt/libvirt.h>

/* Sets the identity of a new connection. The name is told as user-name; where this
 * machine has a user of that name (but for root), also its uid and gid, and this process,
 * which libvirt's polkit driver asks for. Reads the machine's list of users. -1: *reterr;
 * the connection is not to be used. */
int vg_identity_set(virConnectPtr conn, const struct vg_identity *identity,
                    struct vg_error *reterr);
