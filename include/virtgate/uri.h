/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libvirt's URIs.
 */
#pragma once

/* Why a libvirt URI is unsafe (it runs a command, or skips a verification), NULL when it
 * is not. Static. Any thread. */
const char *vg_uri_find_unsafe(const char *uri);
