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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
