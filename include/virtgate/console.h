/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Consoles, channels and graphics of domains as byte channels. There are at most
 * `consoles` of them at a time, and each is told of on the log when it opens and closes.
 */
#pragma once

#include "virtgate/stream.h"

#include <libvirt/libvirt.h>

/* virDomainOpenConsole or virDomainOpenChannel. */
typedef int vg_console_open(virDomainPtr dom, const char *device, virStreamPtr stream,
                            unsigned int flags);

/* Opens a stream on a connection of its own: libvirt 9.0.0 does not bear one that two
 * threads use at a time. NULL: the request's error is set. */
struct vg_channel *vg_console_new(struct vg_request *rq, virDomainPtr dom,
                                  vg_console_open *open, const char *device,
                                  unsigned int flags);

/* A socket that virDomainOpenGraphicsFD gave, of the display `index`. NULL: the request's
 * error is set. */
struct vg_channel *vg_graphics_new(struct vg_request *rq, virDomainPtr dom,
                                   unsigned int index, unsigned int flags);
