/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * core/kind.c: which kind of object a pattern is about.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/core/kind.h"

static void test_patterns(void **state)
{
    static const struct {
        const char *pattern;
        enum vg_kind kind, whole;
    } cases[] = {
        {"/domains", VG_KIND_DOMAIN, VG_KIND_DOMAIN},
        {"/domains/{domain}/start", VG_KIND_DOMAIN, VG_KIND_DOMAIN},
        {"/domain-stats", VG_KIND_NONE, VG_KIND_NONE},
        {"/networks/{network}", VG_KIND_NETWORK, VG_KIND_NETWORK},
        {"/networks/{network}/ports", VG_KIND_NETWORK_PORT, VG_KIND_NETWORK},
        {"/networks/{network}/ports/{port}/xml", VG_KIND_NETWORK_PORT, VG_KIND_NETWORK},
        {"/storage-pools/{pool}/refresh", VG_KIND_STORAGE_POOL, VG_KIND_STORAGE_POOL},
        {"/storage-pools/{pool}/volumes/{volume}", VG_KIND_VOLUME, VG_KIND_STORAGE_POOL},
        {"/nwfilters", VG_KIND_NWFILTER, VG_KIND_NWFILTER},
        {"/nwfilter-bindings/{portDev}", VG_KIND_NWFILTER_BINDING,
         VG_KIND_NWFILTER_BINDING},
        {"/secrets/{secret}/value", VG_KIND_SECRET, VG_KIND_SECRET},
        {"/version", VG_KIND_NONE, VG_KIND_NONE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(vg_kind_of(cases[i].pattern), cases[i].kind);
        assert_int_equal(vg_kind_whole(cases[i].pattern), cases[i].whole);
    }
}

static void test_events(void **state)
{
    (void)state;
    assert_int_equal(vg_kind_of_event(VG_EVENT_DOMAIN), VG_KIND_DOMAIN);
    assert_int_equal(vg_kind_of_event(VG_EVENT_SECRET), VG_KIND_SECRET);
    assert_int_equal(vg_kind_of_event(VG_EVENT_CONNECTION), VG_KIND_NONE);
}

/* Volumes and ports of all pools and networks are listed beside these. */
static void test_listed(void **state)
{
    (void)state;
    assert_int_equal(vg_kind_listed("/domains"), VG_KIND_DOMAIN);
    assert_int_equal(vg_kind_listed("/networks"), VG_KIND_NETWORK);
    assert_int_equal(vg_kind_listed("/secrets"), VG_KIND_SECRET);
    assert_int_equal(vg_kind_listed("/volumes"), VG_KIND_STORAGE_POOL);
    assert_int_equal(vg_kind_listed("/ports"), VG_KIND_NETWORK);
    assert_int_equal(vg_kind_listed("/domains/{domain}"), VG_KIND_NONE);
    assert_int_equal(vg_kind_listed("/version"), VG_KIND_NONE);
    assert_int_equal(vg_kind_listed(""), VG_KIND_NONE);
}

static void test_lookups(void **state)
{
    (void)state;
    static const char *const names[] = {"", "id", "name", "uuid", "mac", "key", "path"};
    static const enum vg_lookup lookups[] = {
        VG_LOOKUP_DEFAULT, VG_LOOKUP_ID,  VG_LOOKUP_NAME, VG_LOOKUP_UUID,
        VG_LOOKUP_MAC,     VG_LOOKUP_KEY, VG_LOOKUP_PATH};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_string_equal(vg_lookup_name(lookups[i]), names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_listed),
        cmocka_unit_test(test_lookups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
