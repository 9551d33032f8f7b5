/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libvirt's URIs.
 */
#pragma once

#include <stdbool.h>

/* Why a libvirt URI is unsafe (it runs a command, or skips a verification), NULL when it
 * is not. Static. Any thread. */
const char *vg_uri_find_unsafe(const char *uri);

/* Whether the URI names a file, a folder or a socket of the machine that opens it: by a
 * path that is none of a hypervisor's daemon, or by a parameter. Any thread. */
bool vg_uri_names_file(const char *uri);
