/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a host is and has, in a few figures, for a list of many hosts.
 */
#pragma once

#include "virtgate/reply.h"

/* 200 with members for one host: `domains` (running, paused, shutoff, total: those that
 * the caller may see), `node` (cpus, model, memoryKiB, freeMemoryKiB, cpuPercent) and the
 * versions of `hypervisor` and `libvirt`. What the driver cannot tell is left out, and
 * cpuPercent where nobody has asked two seconds to two minutes ago.
 *
 * Calls: virNodeGetInfo, virNodeGetFreeMemory, virNodeGetCPUStats; domains are counted by
 * one virConnectGetAllDomainStats, and kept until an event or a change. On a worker of
 * the request's host. */
struct vg_reply vg_host_overview(struct vg_request *rq) VG_MUST_USE;
