/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The metrics of a host beside its domains': the machine, its networks and storage pools.
 */
#pragma once

#include "virtgate/exposition.h"
#include "virtgate/request.h"

/* Appends the samples of each of vg_host_object_families, each followed by a separator.
 * What the host cannot tell, or not soon, is left out. On a worker of the request's host.
 */
void vg_host_metrics_write(struct vg_request *rq, struct vg_exposition *x);
