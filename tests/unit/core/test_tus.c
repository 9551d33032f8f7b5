/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * tus: fields of a request, numbers of bytes, and Upload-Metadata's pairs of a key and
 * Base64.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/tus.h"

/* Each field is kept apart, and survives what it was copied from. */
static void test_fields(void **state)
{
    (void)state;
    struct vg_request *rq = vg_request_new();
    char length[] = "10", offset[] = "", metadata[] = "name YQ==";
    struct vg_tus_fields fields = {
        .length = length, .offset = offset, .metadata = metadata};

    assert_null(vg_tus_fields(rq)->length); /* of a request without any */
    assert_null(vg_tus_fields(rq)->checksum);
    assert_int_equal(vg_tus_set_fields(rq, &fields), 0);
    memset(length, 'x', sizeof(length));
    memset(metadata, 'x', sizeof(metadata));
    assert_string_equal(vg_tus_fields(rq)->length, "10");
    assert_string_equal(vg_tus_fields(rq)->offset, "");
    assert_string_equal(vg_tus_fields(rq)->metadata, "name YQ==");
    assert_null(vg_tus_fields(rq)->defer_length);
    assert_null(vg_tus_fields(rq)->checksum);
    vg_request_unref(rq);

    rq = vg_request_new();
    fields = (struct vg_tus_fields){.defer_length = "1", .checksum = "sha1 eA=="};
    assert_int_equal(vg_tus_set_fields(rq, &fields), 0);
    assert_string_equal(vg_tus_fields(rq)->defer_length, "1");
    assert_string_equal(vg_tus_fields(rq)->checksum, "sha1 eA==");
    assert_null(vg_tus_fields(rq)->length);
    vg_request_unref(rq);
}

/* want < 0: refused with that status, and words in the detail. */
static void check_number(const char *value, int64_t want, const char *words)
{
    uint64_t number = 77;
    struct vg_request *rq = vg_request_new();
    int rc = vg_tus_number(rq, "Upload-Offset", value, &number);

    assert_int_equal(rc, want < 0 ? -1 : 0);
    if (rc == 0)
        assert_int_equal(number, want);
    else if (!words || !strstr(rq->error.detail, words))
        fail_msg("%s", rq->error.detail);
    vg_request_unref(rq);
}

static void test_number(void **state)
{
    (void)state;
    check_number("0", 0, NULL);
    check_number("1", 1, NULL);
    check_number("007", 7, NULL);
    check_number("9223372036854775807", INT64_MAX, NULL);
    check_number("9223372036854775808", -1, "a number of bytes is accepted");
    check_number("18446744073709551615", -1, "a number of bytes");
    check_number("99999999999999999999999", -1, "a number of bytes");
    const char *const bad[] = {"", "-1", "+1", " 1", "1 ", "1x", "0x10", "1.0"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        check_number(bad[i], -1, "Upload-Offset is '");
    check_number(NULL, -1, "Upload-Offset is missing");
}

static const struct vg_route route = {VG_POST, "/uploads", "upload", NULL,
                                      .needs = "storage-vol:create"};

/* `want`: the value of "name"; NULL: there is none; "!": it is refused. */
static void check_metadata(const char *list, const char *want)
{
    static char before[] = "not touched";
    char *value = before; /* what is not there is NULL, too */
    struct vg_request *rq = vg_request_new();

    rq->route = &route;
    assert_int_equal(vg_tus_set_fields(rq, &(struct vg_tus_fields){.metadata = list}), 0);
    int rc = vg_tus_metadata(rq, "name", &value);
    if (want && *want == '!') {
        if (rc == 0)
            fail_msg("%s is accepted", list);
        assert_null(value);
        assert_string_equal(rq->error.slug, "invalid-value");
    } else {
        if (rc < 0)
            fail_msg("%s: %s", list, rq->error.detail);
        if (!want != !value || (want && strcmp(value, want) != 0))
            fail_msg("%s: '%s' instead of '%s'", list, value, want);
    }
    free(value);
    vg_request_unref(rq);
}

static void test_metadata(void **state)
{
    (void)state;
    check_metadata(NULL, NULL);
    check_metadata("", NULL);
    check_metadata("name YWJj", "abc");
    check_metadata("name YWI=", "ab");
    check_metadata("name w7w=", "\xC3\xBC");
    check_metadata("name  YWJj ,x eA==", "abc");
    check_metadata("x eA==,name YWJj", "abc");
    check_metadata("x eA==, \tname YWJj", "abc");
    check_metadata("x eA==,,name YWJj,", "abc");
    check_metadata("name YQ==,name Yg==", "a"); /* the first */
    check_metadata("names YWJj", NULL);
    check_metadata("nam YWJj", NULL);
    check_metadata("x name,y YWJj", NULL);
    check_metadata("Name YWJj", NULL);
    check_metadata("name", "");
    check_metadata("name,x eA==", "");
    check_metadata("name YWJ", "!");
    check_metadata("name YW J", "!");
    check_metadata("name ????", "!");
    check_metadata("name YQBi", "!"); /* a NUL in it */
    check_metadata("name AQ==", "!"); /* what XML cannot hold */
    check_metadata("name /w==", "!"); /* no UTF-8 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_number),
        cmocka_unit_test(test_metadata),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
