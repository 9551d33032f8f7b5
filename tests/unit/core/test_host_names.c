/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which names of hosts a request may give as an argument.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "server/core/host_names.h"

static int tear_down(void **state)
{
    (void)state;
    vg_host_names_clear();
    return 0;
}

static const struct vg_rights *rights_for(const char *hosts)
{
    char fault[VG_RIGHTS_FAULT_SIZE];
    struct vg_rights_spec spec = {.role = VG_ROLE_VIEWER, .hosts = hosts};
    const struct vg_rights *rights = vg_rights_intern(&spec, fault);
    assert_non_null(rights);
    return rights;
}

static void test_is_here(void **state)
{
    static const struct {
        const char *prefix, *host_name, *scope, *name;
        bool here;
    } rows[] = {
        {NULL, NULL, NULL, "alpha", true},
        {NULL, NULL, NULL, "beta", true},
        {NULL, NULL, NULL, "gamma", true},
        {NULL, NULL, NULL, "alph", false},
        {NULL, NULL, NULL, "alphas", false},
        {NULL, NULL, NULL, "", false},
        /* the host of the bare paths does not bind them */
        {NULL, "alpha", NULL, "alpha", true},
        {NULL, "alpha", NULL, "beta", true},
        {NULL, "alpha", NULL, "delta", false},
        /* below a host only that one is there, */
        {"/hosts/beta", "beta", NULL, "beta", true},
        {"/hosts/beta", "beta", NULL, "alpha", false},
        {"/hosts/beta", "beta", NULL, "bet", false},
        /* below all of them any */
        {"/hosts/-", NULL, NULL, "gamma", true},
        {"/hosts/-", NULL, NULL, "delta", false},
        /* what is outside of the scope is not there */
        {NULL, NULL, "al*", "alpha", true},
        {NULL, NULL, "al*", "beta", false},
        {"/hosts/-", NULL, "al*", "beta", false},
    };
    (void)state;
    assert_int_equal(vg_host_names_add("alpha"), 0);
    assert_int_equal(vg_host_names_add("beta"), 0);
    assert_int_equal(vg_host_names_add("gamma"), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct vg_request rq = {.prefix = (char *)(uintptr_t)rows[i].prefix,
                                      .host_name = rows[i].host_name,
                                      .rights = rows[i].scope
                                                    ? rights_for(rows[i].scope)
                                                    : vg_rights_of_role(VG_ROLE_VIEWER)};
        if (vg_host_name_is_here(&rq, rows[i].name) != rows[i].here)
            fail_msg("row %zu: '%s'", i, rows[i].name);
    }
}

static void test_many(void **state)
{
    static char names[1000][8];
    const struct vg_request rq = {.rights = vg_rights_of_role(VG_ROLE_VIEWER)};
    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        snprintf(names[i], sizeof(names[i]), "h%zu", i);
        assert_int_equal(vg_host_names_add(names[i]), 0);
    }
    for (size_t i = 0; i < 1000; i++)
        assert_true(vg_host_name_is_here(&rq, names[i]));
    assert_false(vg_host_name_is_here(&rq, "h1000"));
}

static void test_clear(void **state)
{
    const struct vg_request rq = {.rights = vg_rights_of_role(VG_ROLE_VIEWER)};
    (void)state;
    assert_int_equal(vg_host_names_add("alpha"), 0);
    vg_host_names_clear();
    assert_false(vg_host_name_is_here(&rq, "alpha"));
    assert_int_equal(vg_host_names_add("beta"), 0);
    assert_true(vg_host_name_is_here(&rq, "beta"));
    assert_false(vg_host_name_is_here(&rq, "alpha"));
    vg_host_names_clear();
    vg_host_names_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_is_here, tear_down),
        cmocka_unit_test_teardown(test_many, tear_down),
        cmocka_unit_test_teardown(test_clear, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
