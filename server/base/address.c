/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See address.h.
 */
#include "server/base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static struct vg_address from_v4(const struct in_addr *bits)
{
    struct vg_address a = {.family = AF_INET};
    memcpy(a.bytes, bits, sizeof(*bits));
    return a;
}

static struct vg_address from_v6(const struct in6_addr *bits)
{
    struct vg_address a = {.family = AF_INET6};

    if (IN6_IS_ADDR_V4MAPPED(bits)) {
        a.family = AF_INET;
        memcpy(a.bytes, bits->s6_addr + 12, 4);
    } else {
        memcpy(a.bytes, bits, sizeof(*bits));
    }
    return a;
}

struct vg_address vg_address_of(const struct sockaddr *address)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    switch (address ? address->sa_family : AF_UNSPEC) {
    case AF_INET:
        memcpy(&v4, address, sizeof(v4));
        return from_v4(&v4.sin_addr);
    case AF_INET6:
        memcpy(&v6, address, sizeof(v6));
        return from_v6(&v6.sin6_addr);
    case AF_UNIX:
        return (struct vg_address){.family = AF_UNIX};
    default:
        return (struct vg_address){0};
    }
}

bool vg_address_parse(const char *text, size_t n, struct vg_address *ret)
{
    char copy[VG_ADDRESS_SIZE];
    struct in6_addr v6;
    struct in_addr v4;

    if (n >= sizeof(copy))
        return false;
    memcpy(copy, text, n);
    copy[n] = '\0';
    if (strcmp(copy, "unix") == 0)
        *ret = (struct vg_address){.family = AF_UNIX};
    else if (inet_pton(AF_INET, copy, &v4) == 1)
        *ret = from_v4(&v4);
    else if (inet_pton(AF_INET6, copy, &v6) == 1)
        *ret = from_v6(&v6);
    else
        return false;
    return true;
}

void vg_address_write(const struct vg_address *address, char ret[static VG_ADDRESS_SIZE])
{
    bool is_ip = address->family == AF_INET || address->family == AF_INET6;

    if (!is_ip || !inet_ntop(address->family, address->bytes, ret, VG_ADDRESS_SIZE))
        memcpy(ret, address->family == AF_UNIX ? "unix" : "-",
               address->family == AF_UNIX ? sizeof("unix") : sizeof("-"));
}

bool vg_address_equal(const struct vg_address *a, const struct vg_address *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* "24"; -1: it is no number, or too large. */
static int parse_bits(const char *text, unsigned int most)
{
    unsigned int bits = 0;
    size_t n = strspn(text, "0123456789");

    if (n == 0 || n > 3 || text[n] != '\0')
        return -1;
    for (; *text; text++)
        bits = bits * 10 + (unsigned int)(*text - '0');
    return bits <= most ? (int)bits : -1;
}

bool vg_network_parse(const char *text, struct vg_network *ret)
{
    size_t n = strcspn(text, "/");

    if (!vg_address_parse(text, n, &ret->address))
        return false;
    unsigned int most = ret->address.family == AF_INET    ? 32
                        : ret->address.family == AF_INET6 ? 128
                                                          : 0;
    ret->bits = most;
    if (text[n] == '\0')
        return true;
    /* of a mapped IPv4 address, whose bits are others, nobody would write it */
    int bits =
        most && !(most == 32 && strchr(text, ':')) ? parse_bits(text + n + 1, most) : -1;
    if (bits < 0)
        return false;
    ret->bits = (unsigned int)bits;
    return true;
}

bool vg_network_holds(const struct vg_network *network, const struct vg_address *address)
{
    size_t whole = network->bits / 8, rest = network->bits % 8;
    const uint8_t *a = network->address.bytes, *b = address->bytes;

    if (network->address.family != address->family || memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

/* NULL ends each list. */
static const char *const not_public[] = {
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    NULL,
};
static const char *const nat64[] = {"64:ff9b::/96", NULL};
static const char *const global[] = {"0.0.0.0/0", "2000::/3", NULL};

static bool is_in_one(const char *const *networks, const struct vg_address *address)
{
    for (; *networks; networks++) {
        struct vg_network network;
        if (vg_network_parse(*networks, &network) && vg_network_holds(&network, address))
            return true;
    }
    return false;
}

bool vg_address_is_public(const struct vg_address *address)
{
    struct vg_address real = *address;

    if (is_in_one(nat64, address)) {
        real = (struct vg_address){.family = AF_INET};
        memcpy(real.bytes, address->bytes + 12, 4);
    }
    return is_in_one(global, &real) && !is_in_one(not_public, &real);
}
