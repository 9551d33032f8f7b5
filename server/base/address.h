/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Addresses of clients and proxies, as values that can be compared. An IPv4 address is
 * one, however it came (::ffff:192.0.2.1 is 192.0.2.1).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct vg_address {
    unsigned short family; /* AF_INET, AF_INET6, AF_UNIX; 0: not known */
    uint8_t bytes[16];     /* of AF_INET the first four; else 0 */
};

/* All addresses that begin with the same bits. */
struct vg_network {
    struct vg_address address;
    unsigned int bits;
};

#define VG_ADDRESS_SIZE 48 /* of its text, with the NUL */

struct vg_address vg_address_of(const struct sockaddr *address);

/* Reads the first n bytes of text: an IPv4 or IPv6 address, or `unix`. */
bool vg_address_parse(const char *text, size_t n, struct vg_address *ret);

/* Writes it, "unix" for AF_UNIX and "-" for one that is not known. */
void vg_address_write(const struct vg_address *address, char ret[static VG_ADDRESS_SIZE]);

bool vg_address_equal(const struct vg_address *a, const struct vg_address *b);

/* Reads ADDRESS or ADDRESS/BITS. */
bool vg_network_parse(const char *text, struct vg_network *ret);

bool vg_network_holds(const struct vg_network *network, const struct vg_address *address);

/* Whether it is an address of the Internet: none of this machine, of a private network,
 * of a link, of a group, or reserved (RFC 6890). What NAT64 maps counts as what it stands
 * for. */
bool vg_address_is_public(const struct vg_address *address);
