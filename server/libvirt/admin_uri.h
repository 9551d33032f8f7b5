/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Where the admin socket of a daemon is, from the libvirt URI that leads to the daemon.
 */
#pragma once

/* The URI for virAdmConnectOpen() of the daemon behind a libvirt URI, when that daemon
 * runs on this machine: the admin socket is beside its own. Owned by the caller; NULL:
 * *ret_why (static) says why there is none, or that there is no memory. Looks whether a
 * modular daemon's socket exists, as libvirt itself does. Any thread. */
char *vg_admin_uri_of(const char *uri, const char **ret_why);
