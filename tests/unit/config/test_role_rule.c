/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules of --tls-client-role and --unix-role.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "server/config/role_rule.h"

static void test_clients(void **state)
{
    static const struct {
        const char *rule, *name;
        enum vg_role role; /* VG_ROLE_NONE: it does not match */
    } rows[] = {
        {"ops-*=operator", "ops-1", VG_ROLE_OPERATOR},
        {"ops-*=operator", "devops-1", VG_ROLE_NONE},
        {"a=b=admin", "a=b", VG_ROLE_ADMIN},
        {"?=viewer", "ab", VG_ROLE_NONE},
        {"[ab]=viewer", "b", VG_ROLE_VIEWER},
        {"*=viewer", "", VG_ROLE_VIEWER},
    };
    static const char *const bad[] = {
        "", "=", "=viewer", "a=", "a=root", "a", "a=public"};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct vg_role_rule rule;
        assert_null(vg_role_rule_of_client(rows[i].rule, &rule));
        bool names = vg_role_rule_names(&rule, rows[i].name);
        assert_int_equal(names ? rule.role : VG_ROLE_NONE, rows[i].role);
        vg_role_rule_clear(&rule);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct vg_role_rule rule;
        const char *accepted = vg_role_rule_of_client(bad[i], &rule);
        vg_role_rule_clear(&rule);
        assert_non_null(accepted);
        assert_non_null(strstr(accepted, "GLOB=ROLE"));
    }
}

static void test_sockets(void **state)
{
    static const gid_t groups[] = {5, 7};
    static const struct vg_peer_ids peer = {
        .uid = 1000, .gid = 100, .groups = groups, .n_groups = 2};
    static const struct {
        const char *rule;
        bool is_for;
    } rows[] = {
        {"uid:1000=viewer", true}, {"uid:100=viewer", false}, {"gid:100=admin", true},
        {"gid:7=admin", true},     {"gid:1000=admin", false}, {"group:root=admin", false},
    };
    static const char *const bad[] = {
        "uid:=viewer",           "uid:-1=viewer",
        "uid:4294967295=viewer", "uid:1",
        "uid:1x=viewer",         "user:root=viewer",
        "group:=viewer",         "uid:1=root",
        "gid:0x1=admin",         "group:no-such-group-here=viewer"};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct vg_role_rule rule;
        assert_null(vg_role_rule_of_socket(rows[i].rule, &rule));
        assert_int_equal(vg_role_rule_is_for(&rule, &peer), rows[i].is_for);
        vg_role_rule_clear(&rule);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct vg_role_rule rule;
        assert_non_null(vg_role_rule_of_socket(bad[i], &rule));
        vg_role_rule_clear(&rule);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clients),
        cmocka_unit_test(test_sockets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
