/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * IPv4 subnets of networks. Any thread; nothing here owns memory.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Its address, in host order, and the length of its prefix. */
struct vg_subnet {
    uint32_t base;
    unsigned int prefix;
};

uint32_t vg_subnet_mask(unsigned int prefix);

/* Splits "ADDRESS/PREFIX", of IPv4 or IPv6. -1: it is none, or longer than `most`. */
int vg_subnet_split(const char *text, char *ret_address, size_t size, unsigned int most,
                    unsigned int *ret_prefix);

/* "192.168.50.0/24". -1: it is none, or has bits beside its prefix. */
int vg_subnet_parse(const char *text, struct vg_subnet *ret);

bool vg_subnet_overlap(const struct vg_subnet *a, const struct vg_subnet *b);

/* What <ip> of a document's JSON form says: by its prefix or its netmask; where it has
 * neither, libvirt takes that of the address's class. False: it is not IPv4. */
bool vg_subnet_of_ip(const json_t *ip, struct vg_subnet *ret);
