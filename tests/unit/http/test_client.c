/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whose request it is behind trusted proxies: X-Forwarded-For and Forwarded, as strangers
 * and proxies write them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/http/internal.h"

static struct vg_address address(const char *text)
{
    struct vg_address ret;

    assert_true(vg_address_parse(text, strlen(text), &ret));
    return ret;
}

static void check(const char *peer, const char *plain, const char *named,
                  const char *want)
{
    struct vg_http_conn conn = {.peer = address(peer)};
    struct vg_http_call call = {.conn = &conn,
                                .headers = {.forwarded_for = plain, .forwarded = named}};
    char is[VG_ADDRESS_SIZE];

    vg_http_find_client(&call);
    vg_address_write(&call.client, is);
    if (strcmp(is, want) != 0)
        fail_msg("%s, %s, %s: %s instead of %s", peer, plain, named, is, want);
}

/* 10.0.0.0/8 and 2001:db8::5 are proxies. */
static void start(void)
{
    static char first[] = "10.0.0.0/8", second[] = "2001:db8::5";
    static char *proxies[] = {first, second};
    static struct vg_config config;

    config.trusted_proxies.v = proxies;
    config.trusted_proxies.n = 2;
    assert_int_equal(vg_http_clients_start(&config), 0);
}

#define PROXY "10.0.0.1"

static void test_nobody_trusted(void **state)
{
    static struct vg_config config;
    (void)state;
    assert_int_equal(vg_http_clients_start(&config), 0);
    check(PROXY, "192.0.2.1", NULL, PROXY);
    vg_http_clients_stop();
}

static void test_plain(void **state)
{
    (void)state;
    start();
    check("192.0.2.9", "192.0.2.1", NULL, "192.0.2.9"); /* a stranger */
    check(PROXY, NULL, NULL, PROXY);
    check(PROXY, "192.0.2.1", NULL, "192.0.2.1");
    check("2001:db8::5", "192.0.2.1", NULL, "192.0.2.1");
    check("2001:db8::6", "192.0.2.1", NULL, "2001:db8::6");
    check(PROXY, "192.0.2.7, 192.0.2.1", NULL, "192.0.2.1"); /* the last */
    check(PROXY, "192.0.2.1,10.1.1.1 , 10.2.2.2", NULL, "192.0.2.1");
    check(PROXY, "10.1.1.1, 10.2.2.2", NULL, "10.1.1.1"); /* proxies alone */
    check(PROXY, "192.0.2.1:8080", NULL, "192.0.2.1");
    check(PROXY, "[2001:db8::1]:8080", NULL, "2001:db8::1");
    check(PROXY, "[2001:db8::1]", NULL, "2001:db8::1");
    check(PROXY, "2001:db8::1", NULL, "2001:db8::1");
    check(PROXY, "\t192.0.2.1 ", NULL, "192.0.2.1");
    /* what cannot be read ends the search */
    check(PROXY, "unknown", NULL, PROXY);
    check(PROXY, "", NULL, PROXY);
    check(PROXY, "unix", NULL, PROXY);
    check(PROXY, "[unix]", NULL, PROXY);
    check(PROXY, "[2001:db8::1", NULL, PROXY);
    check(PROXY, "192.0.2.1, x, 10.2.2.2", NULL, "10.2.2.2");
    check(PROXY, "192.0.2.1,", NULL, PROXY);
    vg_http_clients_stop();
}

static void test_forwarded(void **state)
{
    (void)state;
    start();
    check("192.0.2.9", NULL, "for=192.0.2.1", "192.0.2.9");
    check(PROXY, NULL, "for=192.0.2.1", "192.0.2.1");
    check(PROXY, NULL, "FOR=\"192.0.2.1:80\"", "192.0.2.1");
    check(PROXY, NULL, "proto=https; For=\"[2001:db8::1]:80\" ;by=10.0.0.1",
          "2001:db8::1");
    check(PROXY, NULL, "for=192.0.2.7, for=192.0.2.1, for=10.3.3.3", "192.0.2.1");
    check(PROXY, NULL, "for=192.0.2.1;for=192.0.2.2", "192.0.2.1"); /* the first pair */
    check(PROXY, NULL, "forx=192.0.2.1", PROXY);
    check(PROXY, NULL, "proto=https", PROXY);
    check(PROXY, NULL, "for=", PROXY);
    check(PROXY, NULL, "for=\"", PROXY);
    check(PROXY, NULL, "for=_hidden", PROXY);
    check(PROXY, NULL, "192.0.2.1", PROXY);
    /* a stranger's text in quotes writes no pair of its own */
    check(PROXY, NULL, "host=\"a;for=192.0.2.1\"", PROXY);
    check(PROXY, NULL, "for=192.0.2.2;host=\"a, for=192.0.2.1\"", PROXY);
    check(PROXY, NULL, "host=\"a\\\";for=192.0.2.1", PROXY);
    check(PROXY, NULL, "for=192.0.2.2;host=\"a\"", "192.0.2.2");
    vg_http_clients_stop();
}

/* Where both are there and differ, neither is believed. */
static void test_both(void **state)
{
    (void)state;
    start();
    check(PROXY, "192.0.2.1", "for=192.0.2.1", "192.0.2.1");
    check(PROXY, "192.0.2.1", "for=192.0.2.2", PROXY);
    check(PROXY, "192.0.2.1", "proto=https", PROXY);
    check(PROXY, "x", "for=192.0.2.2", PROXY);
    vg_http_clients_stop();
}

static void test_bad_proxy(void **state)
{
    static char first[] = "10.0.0.0/8", second[] = "nowhere";
    static char *proxies[] = {first, second};
    static struct vg_config config;
    (void)state;
    config.trusted_proxies.v = proxies;
    config.trusted_proxies.n = 2;
    assert_int_equal(vg_http_clients_start(&config), -1);
    vg_http_clients_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_trusted), cmocka_unit_test(test_plain),
        cmocka_unit_test(test_forwarded),      cmocka_unit_test(test_both),
        cmocka_unit_test(test_bad_proxy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
