/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The error of what a caller may not see: that of a random text, with the caller's in its
 * place as the driver would have written it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <string.h>

#include "server/libvirt/absent.h"
#include "server/libvirt/error.h"

static const char *text_of(const struct vg_error *e, const char *key)
{
    return json_string_value(json_object_get(e->virt, key));
}

/* The error that a driver gives for a text, after it was shown as that of `asked`. */
static void check(enum vg_lookup by, const char *asked, const char *shown)
{
    struct vg_absent absent;
    struct vg_error e = {0};
    char message[512], rest[256], want[512];

    vg_absent_make(&absent, by);
    snprintf(rest, sizeof(rest), "no domain with matching '%s'", absent.text);
    snprintf(message, sizeof(message), "Domain not found: %s", rest);
    const virError err = {.code = VIR_ERR_NO_DOMAIN,
                          .domain = VIR_FROM_QEMU,
                          .level = VIR_ERR_ERROR,
                          .message = message,
                          .str1 = (char *)(uintptr_t) "Domain not found: %s",
                          .str2 = rest};
    vg_error_copy_virt(&e, &err);
    vg_absent_show(&absent, &e, asked);
    snprintf(want, sizeof(want), "Domain not found: no domain with matching '%s'", shown);
    assert_string_equal(e.detail, want);
    assert_string_equal(text_of(&e, "message"), want);
    assert_string_equal(text_of(&e, "str1"), "Domain not found: %s");
    assert_string_equal(text_of(&e, "str2"), strchr(want, ':') + 2);
    assert_null(text_of(&e, "str3"));
    assert_int_equal(e.status, 404);
    vg_error_clear(&e);
}

static void test_names(void **state)
{
    (void)state;
    check(VG_LOOKUP_NAME, "db-1", "db-1");
    check(VG_LOOKUP_NAME, "a %s '\u00e4'", "a %s '\u00e4'");
    check(VG_LOOKUP_NAME, "", "");
}

static void test_uuids(void **state)
{
    static const char uuid[] = "6f1c1b7e-5b0e-4f6e-9d50-0c6a2e0d1a01";
    (void)state;
    check(VG_LOOKUP_UUID, uuid, uuid);
    check(VG_LOOKUP_UUID, "6F1C1B7E5B0E4F6E9D500C6A2E0D1A01", uuid);
    check(VG_LOOKUP_UUID, " 6f1c1b7e 5b0e4f6e-9d50-0c6a2e0d1a01 ", uuid);
}

static void test_ids(void **state)
{
    (void)state;
    check(VG_LOOKUP_ID, "17", "17");
    check(VG_LOOKUP_ID, "0017", "17");
    check(VG_LOOKUP_ID, "000", "0");
}

/* No two are the same, and none is a name that anybody would take. */
static void test_texts(void **state)
{
    struct vg_absent a, b;
    (void)state;

    vg_absent_make(&a, VG_LOOKUP_NAME);
    vg_absent_make(&b, VG_LOOKUP_NAME);
    assert_string_not_equal(a.text, b.text);
    vg_absent_make(&a, VG_LOOKUP_UUID);
    assert_int_equal(strlen(a.text), 36);
    assert_int_equal(strspn(a.text, "0123456789abcdef-"), 36);
}

/* What quotes it more than once, and the gateway's own error. */
static void test_replace(void **state)
{
    struct vg_error e = {0};
    (void)state;

    vg_error_set(&e, VG_E_NOT_FOUND, "x db-1, db-1; db-10");
    vg_error_replace(&e, "db-1", "?");
    assert_string_equal(e.detail, "x ?, ?; ?0");
    vg_error_replace(&e, "nosuch", "?");
    assert_string_equal(e.detail, "x ?, ?; ?0");
    vg_error_clear(&e);
    vg_error_replace(&e, "x", "y");
    assert_null(e.detail);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),   cmocka_unit_test(test_uuids),
        cmocka_unit_test(test_ids),     cmocka_unit_test(test_texts),
        cmocka_unit_test(test_replace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
