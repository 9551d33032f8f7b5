/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the lists of all kinds have in common: pairs of filters, globs, pages, UUIDs in
 * either of their forms.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/request.h"
#include "virtgate/list.h"

enum { ACTIVE = 1, INACTIVE = 2, OTHER = 4 };

static void check_narrow(unsigned int flags, int wanted, unsigned int want, bool nothing)
{
    struct vg_list_args list = {.flags = flags};

    vg_list_narrow(&list, wanted, ACTIVE, INACTIVE);
    assert_int_equal(list.flags, want);
    assert_int_equal(list.nothing, nothing);
}

static void test_narrow(void **state)
{
    (void)state;
    check_narrow(0, -1, 0, false);
    check_narrow(OTHER | INACTIVE, -1, OTHER | INACTIVE, false);
    check_narrow(0, 1, ACTIVE, false);
    check_narrow(0, 0, INACTIVE, false);
    check_narrow(OTHER, 1, OTHER | ACTIVE, false);
    check_narrow(ACTIVE, 1, ACTIVE, false);
    check_narrow(ACTIVE | INACTIVE | OTHER, 0, INACTIVE | OTHER, false);
    check_narrow(ACTIVE, 0, INACTIVE, true); /* they exclude each other */
    check_narrow(INACTIVE | OTHER, 1, ACTIVE | OTHER, true);
    struct vg_list_args list = {.nothing = true};
    vg_list_narrow(&list, 1, ACTIVE, INACTIVE);
    assert_true(list.nothing); /* once is enough */
}

static bool passes(const char *glob, const char *after, const char *name)
{
    return vg_list_passes(&(struct vg_list_args){.name = glob, .after = after}, name);
}

static void test_passes(void **state)
{
    (void)state;
    assert_true(passes(NULL, NULL, "a"));
    assert_true(passes("web-*", NULL, "web-1"));
    assert_false(passes("web-*", NULL, "db"));
    assert_true(passes(NULL, "a", "b"));
    assert_false(passes(NULL, "b", "b"));
    assert_false(passes(NULL, "c", "b"));
    assert_false(passes("b", "b", "b"));
    assert_false(passes("a", "0", "b"));
    assert_false(vg_list_passes(&(struct vg_list_args){.nothing = true}, "a"));
}

#define A       "6c3a8f7e-1b2c-4d5e-8f90-a1b2c3d4e5f6"
#define A_PLAIN "6c3a8f7e1b2c4d5e8f90a1b2c3d4e5f6"
#define A_UPPER "6C3A8F7E-1B2C-4D5E-8F90-A1B2C3D4E5F6"
#define B       "00000000-0000-0000-0000-000000000001"

static void check_uuids(const char *uuids, const char *words)
{
    struct vg_request *rq = vg_request_new();
    int rc = vg_list_check_uuids(rq, &(struct vg_list_args){.uuids = uuids});

    if (rc != (words ? -1 : 0))
        fail_msg("%s: %d", uuids, rc);
    if (words && !strstr(rq->error.detail, words))
        fail_msg("%s: %s", uuids, rq->error.detail);
    vg_request_unref(rq);
}

static void test_check_uuids(void **state)
{
    (void)state;
    check_uuids(NULL, NULL);
    check_uuids(A, NULL);
    check_uuids(A_PLAIN, NULL);
    check_uuids(A_UPPER, NULL);
    check_uuids(A "," A_PLAIN "," B, NULL);
    check_uuids("", "has '', which is no UUID");
    check_uuids(A ",", "has '', which is no UUID");
    check_uuids("," A, "has '', which is no UUID");
    check_uuids(A " ", "which is no UUID");
    check_uuids("6c3a8f7e1-b2c-4d5e-8f90-a1b2c3d4e5f6", "which is no UUID");
    check_uuids("6c3a8f7e-1b2c-4d5e-8f90a-1b2c3d4e5f6", "which is no UUID");
    check_uuids("6c3a8f7e-1b2c4-d5e-8f90-a1b2c3d4e5f6", "which is no UUID");
    check_uuids("6c3a8f7e-1b2c-4d5e8-f90-a1b2c3d4e5f6", "which is no UUID");
    check_uuids("6c3a8f7e-1b2c-4d5e-8f90-a1b2c3d4e5fg", "which is no UUID");
    check_uuids("6c3a8f7e1b2c4d5e8f90a1b2c3d4e5f-", "which is no UUID");
    check_uuids("6c3a8f7e1b2c4d5e8f90a1b2c3d4e5f60", "which is no UUID");
    check_uuids(A "," A "x", "has '" A "x'");
    char longer[101];
    memset(longer, 'a', 100);
    longer[100] = '\0';
    check_uuids(longer, "aaa', which"); /* cut */
}

/* As many as there may be, and one more. */
static void test_many_uuids(void **state)
{
    static char list[(VG_LIST_MAX_UUIDS + 1) * sizeof(A)];
    char *end = list;
    (void)state;
    for (int i = 0; i < VG_LIST_MAX_UUIDS; i++)
        end = stpcpy(stpcpy(end, i ? "," : ""), A);
    check_uuids(list, NULL);
    snprintf(end, sizeof(list) - (size_t)(end - list), ",%s", B);
    check_uuids(list, "takes up to 256 UUIDs");
}

static bool has(const char *uuids, const char *uuid)
{
    return vg_list_has_uuid(&(struct vg_list_args){.uuids = uuids}, uuid);
}

static void test_has_uuid(void **state)
{
    (void)state;
    assert_true(has(NULL, A));
    assert_true(has(A, A));
    assert_true(has(A_PLAIN, A));
    assert_true(has(A_UPPER, A));
    assert_false(has(A, B));
    assert_false(has(A_PLAIN, B));
    assert_true(has(B "," A_PLAIN, A));
    assert_true(has(A_PLAIN "," B, B));
    assert_false(has(B "," B, A));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_narrow),      cmocka_unit_test(test_passes),
        cmocka_unit_test(test_check_uuids), cmocka_unit_test(test_many_uuids),
        cmocka_unit_test(test_has_uuid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
