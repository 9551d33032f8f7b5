/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Permissions and roles: the sets of the roles as the contract (docs/access.md) has them,
 * names that are read and refused, and which one is missing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "server/base/permission.h"

static struct vg_permissions read_names(const char *names)
{
    struct vg_permissions set;
    char unknown[VG_PERMISSION_SIZE] = "";

    if (vg_permissions_parse(names, &set, unknown) < 0)
        fail_msg("'%s' of '%s' is unknown", unknown, names);
    return set;
}

static void expect_role(const char *names, enum vg_role want)
{
    struct vg_permissions set = read_names(names);
    enum vg_role is = vg_permissions_role(&set);

    if (is != want)
        fail_msg("'%s' are %s's, not %s's", names, vg_role_name(is), vg_role_name(want));
}

static void test_roles(void **state)
{
    (void)state;
    static const struct {
        const char *names;
        enum vg_role role;
    } rows[] = {
        {NULL, VG_ROLE_NONE},
        {"", VG_ROLE_NONE},
        {"domain:getattr", VG_ROLE_VIEWER},
        {"domain:read connect:search_domains secret:read", VG_ROLE_VIEWER},
        {"storage_pool:search_storage_vols network:search_ports", VG_ROLE_VIEWER},
        {"domain:start", VG_ROLE_OPERATOR},
        {"domain:write domain:save domain:checkpoint", VG_ROLE_OPERATOR},
        {"network:start network:stop network:write network:save", VG_ROLE_OPERATOR},
        {"storage_pool:refresh storage_pool:write", VG_ROLE_OPERATOR},
        {"domain:getattr domain:start domain:read_secure", VG_ROLE_ADMIN},
        {"domain:block_write", VG_ROLE_ADMIN},
        {"storage_pool:format", VG_ROLE_ADMIN},
        {"node_device:start", VG_ROLE_ADMIN},
        {"interface:write", VG_ROLE_ADMIN},
        {"connect:write", VG_ROLE_ADMIN},
        {"daemon:read", VG_ROLE_ADMIN},
        {"gateway:document", VG_ROLE_ADMIN},
        {"gateway:path", VG_ROLE_ADMIN},
        {"gateway:command", VG_ROLE_ADMIN},
        {"gateway:manage", VG_ROLE_ADMIN},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_role(rows[i].names, rows[i].role);
}

/* Each role has what the one before it has; nobody in particular has nothing. */
static void test_nested(void **state)
{
    (void)state;
    const struct vg_permissions *none = vg_role_permissions(VG_ROLE_NONE);
    assert_int_equal(none->bits[0] | none->bits[1], 0);
    for (enum vg_role r = VG_ROLE_VIEWER; r <= VG_ROLE_ADMIN; r++) {
        const struct vg_permissions *less = vg_role_permissions(r - 1);
        assert_true(vg_permissions_hold(vg_role_permissions(r), less));
        assert_false(vg_permissions_hold(less, vg_role_permissions(r)));
    }
}

static void test_unknown(void **state)
{
    (void)state;
    static const struct {
        const char *names, *unknown;
    } rows[] = {
        {"domain:reed", "domain:reed"},
        {"domain:read domain:", "domain:"},
        {"domain", "domain"},
        {"domain:rea", "domain:rea"},
        {"domain:readx network:read", "domain:readx"},
        {" domain:read", ""},
        {"domain:read,domain:start", "domain:read,domain:start"},
        {"domain:start domain:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "domain:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct vg_permissions set;
        char unknown[VG_PERMISSION_SIZE] = "untouched";
        assert_int_equal(vg_permissions_parse(rows[i].names, &set, unknown), -1);
        assert_string_equal(unknown, rows[i].unknown);
    }
}

static void test_missing(void **state)
{
    (void)state;
    const struct vg_permissions *viewer = vg_role_permissions(VG_ROLE_VIEWER);
    struct vg_permissions some = read_names("domain:getattr domain:read");
    struct vg_permissions more = read_names("gateway:path domain:start domain:getattr");

    assert_true(vg_permissions_hold(viewer, &some));
    assert_null(vg_permissions_missing(viewer, &some));
    assert_false(vg_permissions_hold(viewer, &more));
    assert_string_equal(vg_permissions_missing(viewer, &more), "domain:start");
    assert_string_equal(
        vg_permissions_missing(vg_role_permissions(VG_ROLE_OPERATOR), &more),
        "gateway:path");
    vg_permissions_add(&some, &more);
    assert_false(vg_permissions_hold(viewer, &some));
    assert_true(vg_permissions_hold(vg_role_permissions(VG_ROLE_ADMIN), &some));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roles),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
