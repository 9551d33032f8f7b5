/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * server/base/url_pattern.c, and which addresses are of the Internet.
 */
#include "server/base/address.h"
#include "server/base/url_pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *pattern;
    bool is;
} patterns[] = {
    {"https://cloud.debian.org/*", true},
    {"HTTPS://Cloud.Debian.org/images/*.qcow2", true},
    {"http://127.0.0.1:8080/", true},
    {"http://[::1]:80/*", true},
    {"https://cloud.debian.org", false}, /* no path */
    {"https://*.debian.org/*", false},   /* hosts are exact */
    {"https://me@host/*", false},
    {"https://host:/*", false},
    {"https://host:0/*", false},
    {"https://host:65536/*", false},
    {"https://host:1a/*", false},
    {"https:///*", false},
    {"https://[::1/*", false},
    {"https://[host]/*", false},
    {"https://host/#x", false},
    {"ftp://host/*", false},
    {"*", false},
    {"", false},
};

static void grammar(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
        if (vg_url_pattern_is(patterns[i].pattern) != patterns[i].is)
            fail_msg("'%s'", patterns[i].pattern);
}

static const struct {
    const char *pattern;
    struct vg_url_parts url;
    bool has;
} cases[] = {
    {"https://a.org/*", {"https", "a.org", "/x/y?z", 443}, true},
    {"https://A.org/*", {"https", "a.org", "/", 443}, true},
    {"https://a.org/*", {"http", "a.org", "/", 80}, false},
    {"https://a.org/*", {"https", "a.org", "/", 8443}, false},
    {"https://a.org:8443/*", {"https", "a.org", "/", 8443}, true},
    {"https://a.org/*", {"https", "b.a.org", "/", 443}, false},
    {"https://a.org/*", {"https", "a.org.evil", "/", 443}, false},
    {"https://a.or/*", {"https", "a.org", "/", 443}, false},
    {"https://a.org/i/*.iso", {"https", "a.org", "/i/x.iso", 443}, true},
    {"https://a.org/i/*.iso", {"https", "a.org", "/i/x.iso.iso", 443}, true},
    {"https://a.org/i/*.iso", {"https", "a.org", "/i/x.iso?q", 443}, false},
    {"https://a.org/i/*.iso", {"https", "a.org", "/j/x.iso", 443}, false},
    {"https://a.org/*/b/*", {"https", "a.org", "/a/b/c", 443}, true},
    {"https://a.org/x", {"https", "a.org", "/x", 443}, true},
    {"https://a.org/x", {"https", "a.org", "/xy", 443}, false},
    {"https://a.org/X", {"https", "a.org", "/x", 443}, false},
    {"http://[::1]/*", {"http", "[::1]", "/x", 80}, true},
};

static void meant(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (vg_url_pattern_has(cases[i].pattern, &cases[i].url) != cases[i].has)
            fail_msg("'%s' of %s%s", cases[i].pattern, cases[i].url.host,
                     cases[i].url.path);
}

static const struct {
    const char *address;
    bool is_public;
} addresses[] = {
    {"1.1.1.1", true},
    {"172.15.0.1", true},
    {"172.32.0.1", true},
    {"2606:4700::1111", true},
    {"64:ff9b::101:101", true}, /* 1.1.1.1 */
    {"::ffff:1.1.1.1", true},
    {"0.0.0.0", false},
    {"10.1.2.3", false},
    {"100.64.0.1", false},
    {"127.0.0.1", false},
    {"169.254.169.254", false}, /* what clouds tell their guests */
    {"172.16.0.1", false},
    {"172.31.255.255", false},
    {"192.168.1.1", false},
    {"224.0.0.1", false},
    {"255.255.255.255", false},
    {"::", false},
    {"::1", false},
    {"::ffff:127.0.0.1", false},
    {"64:ff9b::7f00:1", false},
    {"fe80::1", false},
    {"fc00::1", false},
    {"ff02::1", false},
    {"2001:db8::1", false},
    {"2002:7f00:1::", false}, /* 6to4 of 127.0.0.1 */
};

static void internet(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        struct vg_address a;
        const char *text = addresses[i].address;
        assert_true(vg_address_parse(text, strlen(text), &a));
        if (vg_address_is_public(&a) != addresses[i].is_public)
            fail_msg("%s", text);
    }
    const struct vg_address local = {.family = AF_UNIX};
    assert_false(vg_address_is_public(&local));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grammar),
        cmocka_unit_test(meant),
        cmocka_unit_test(internet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
