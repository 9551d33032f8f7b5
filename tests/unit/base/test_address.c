/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * server/base/address.c: what is an address, what a network holds.
 */
#include "server/base/address.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static void test_text(void **state)
{
    static const struct {
        const char *text, *written; /* NULL: it is no address */
    } rows[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"::1", "::1"},
        {"2001:DB8:0:0::7", "2001:db8::7"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"unix", "unix"},
        {"", NULL},
        {"192.0.2", NULL},
        {"192.0.2.256", NULL},
        {"192.0.2.1 ", NULL},
        {"[::1]", NULL},
        {"localhost", NULL},
        {"fe80::1%eth0", NULL},
        {"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct vg_address a;
        char text[VG_ADDRESS_SIZE];
        bool good = vg_address_parse(rows[i].text, strlen(rows[i].text), &a);
        assert_int_equal(good, rows[i].written != NULL);
        if (!good)
            continue;
        vg_address_write(&a, text);
        assert_string_equal(text, rows[i].written);
    }
    char text[VG_ADDRESS_SIZE];
    vg_address_write(&(struct vg_address){0}, text);
    assert_string_equal(text, "-");
}

static void test_networks(void **state)
{
    static const struct {
        const char *network, *address;
        bool holds;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"192.0.2.0/24", "192.0.2.255", true},
        {"192.0.2.0/24", "192.0.3.0", false},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"192.0.2.128/25", "::ffff:192.0.2.200", true},
        {"10.0.0.0/9", "10.127.255.255", true},
        {"10.0.0.0/9", "10.128.0.0", false},
        {"0.0.0.0/0", "203.0.113.9", true},
        {"0.0.0.0/0", "::1", false},
        {"::/0", "2001:db8::1", true},
        {"::/0", "127.0.0.1", false},
        {"2001:db8::/33", "2001:db8:7fff::1", true},
        {"2001:db8::/33", "2001:db8:8000::1", false},
        {"unix", "unix", true},
        {"unix", "127.0.0.1", false},
        {"127.0.0.1", "unix", false},
    };
    static const char *const bad[] = {
        "",
        "x",
        "192.0.2.1/",
        "192.0.2.1/33",
        "::1/129",
        "::1/x",
        "::1/-1",
        "::ffff:10.0.0.0/104",
        "unix/0",
        "10.0.0.0/0024",
        "10.0.0.0/8/8",
        "10.0.0.0 /8",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct vg_network network;
        struct vg_address a;
        assert_true(vg_network_parse(rows[i].network, &network));
        assert_true(vg_address_parse(rows[i].address, strlen(rows[i].address), &a));
        assert_int_equal(vg_network_holds(&network, &a), rows[i].holds);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct vg_network network;
        assert_false(vg_network_parse(bad[i], &network));
    }
}

static void test_sockets(void **state)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct vg_address mapped, plain;
    (void)state;

    v4.sin_addr.s_addr = htonl(0xC0000201);
    v6.sin6_addr.s6_addr[10] = v6.sin6_addr.s6_addr[11] = 0xFF;
    memcpy(v6.sin6_addr.s6_addr + 12, &v4.sin_addr, 4);
    plain = vg_address_of((const struct sockaddr *)&v4);
    mapped = vg_address_of((const struct sockaddr *)&v6);
    assert_true(vg_address_equal(&plain, &mapped));
    assert_int_equal(vg_address_of(NULL).family, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_sockets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
