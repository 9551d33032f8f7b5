/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "routes/network/subnet.h"

#include "virtgate/json.h"

#include <arpa/inet.h>
#include <string.h>

uint32_t vg_subnet_mask(unsigned int prefix)
{
    return prefix ? UINT32_MAX << (32 - prefix) : 0;
}

int vg_subnet_split(const char *text, char *ret_address, size_t size, unsigned int most,
                    unsigned int *ret_prefix)
{
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : 0, digits = 0;

    *ret_prefix = 0;
    for (; slash && slash[1 + digits] >= '0' && slash[1 + digits] <= '9' && digits < 4;
         digits++)
        *ret_prefix = *ret_prefix * 10 + (unsigned int)(slash[1 + digits] - '0');
    if (!n || n >= size || !digits || slash[1 + digits] || *ret_prefix > most)
        return -1;
    memcpy(ret_address, text, n);
    ret_address[n] = '\0';
    return 0;
}

int vg_subnet_parse(const char *text, struct vg_subnet *ret)
{
    char address[INET_ADDRSTRLEN];
    struct in_addr in;

    if (vg_subnet_split(text, address, sizeof(address), 30, &ret->prefix) < 0 ||
        ret->prefix < 8 || inet_pton(AF_INET, address, &in) != 1)
        return -1;
    ret->base = ntohl(in.s_addr);
    uint32_t first = ret->base >> 24; /* no host has 0, 127, or what is past 223 */
    if (!first || first == 127 || first > 223)
        return -1;
    return ret->base & ~vg_subnet_mask(ret->prefix) ? -1 : 0;
}

bool vg_subnet_overlap(const struct vg_subnet *a, const struct vg_subnet *b)
{
    uint32_t mask = vg_subnet_mask(a->prefix < b->prefix ? a->prefix : b->prefix);
    return (a->base & mask) == (b->base & mask);
}

bool vg_subnet_of_ip(const json_t *ip, struct vg_subnet *ret)
{
    const char *address = json_string_value(json_object_get(ip, "@address"));
    const char *netmask = json_string_value(json_object_get(ip, "@netmask"));
    json_auto_t *prefix = vg_json_digits(json_object_get(ip, "@prefix"));
    struct in_addr in;

    if (!address || inet_pton(AF_INET, address, &in) != 1)
        return false;
    ret->base = ntohl(in.s_addr);
    ret->prefix = ret->base >> 31 == 0 ? 8 : ret->base >> 30 == 2 ? 16 : 24;
    if (prefix && json_integer_value(prefix) <= 32)
        ret->prefix = (unsigned int)json_integer_value(prefix);
    else if (netmask && inet_pton(AF_INET, netmask, &in) == 1)
        ret->prefix = (unsigned int)__builtin_popcount(in.s_addr);
    return true;
}
