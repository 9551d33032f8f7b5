/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the files of networks have in common.
 */
#pragma once

#include "virtgate/request.h"

#include <stdbool.h>

/* Whether another network, or an interface of the host, has an address in one of the
 * network's subnets: then it cannot be started, and drivers do not say why by a code. */
bool vg_network_is_taken(struct vg_request *rq, void *net);

/* Whether it is a name of a host or a domain: a letter, then letters, digits, '-', '.'
 * and '_'. libvirt writes any text into dnsmasq's files, where a line feed in it begins
 * an option. */
bool vg_network_is_dns_name(const char *text);
