/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Numbers in documents, before libvirt sees them.
 */
#pragma once

#include "virtgate/error.h"

#include <libxml/tree.h>

/* Refuses numbers that libvirt multiplies into allocations or loops before it looks
 * whether they make sense (<vcpu>4294967295</vcpu> is 34 GB of one malloc, which aborts
 * libvirtd, and this process on an in-process driver), distances of NUMA cells that are
 * wrong, at which libvirt 9.0.0 frees what it did not allocate, and domains that are
 * called as folders are (vg_check_domain_name()). -1: *reterr is a 400 that says what is
 * accepted. */
int vg_xml_limits(const xmlDoc *doc, struct vg_error *reterr);
