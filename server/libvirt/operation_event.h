/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What libvirt's events tell of operations whose job outlives its call. On libvirt's
 * event loop, before the event is published: who hears of it finds the operation ended.
 */
#pragma once

#include <libvirt/libvirt.h>

struct vg_host;

/* VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2. */
void vg_operations_on_block_job(struct vg_host *host, virDomainPtr dom, const char *disk,
                                int type, int status);

/* VIR_DOMAIN_EVENT_ID_JOB_COMPLETED. */
void vg_operations_on_job(struct vg_host *host, virDomainPtr dom,
                          virTypedParameterPtr params, int n);

/* VIR_DOMAIN_EVENT_ID_LIFECYCLE. */
void vg_operations_on_lifecycle(struct vg_host *host, virDomainPtr dom, int type);
