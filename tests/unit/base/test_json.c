/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The JSON writer: structure, escapes, the repair of what is not UTF-8, integers at their
 * limits, and what is left when there is no memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "virtgate/cleanup.h"
#include "virtgate/json.h"

#define BAD "\xEF\xBF\xBD" /* U+FFFD, for each bad byte */

static void assert_written(struct vg_json *w, const char *want)
{
    size_t n = 0;
    vg_autofree char *is = vg_json_finish(w, &n);
    assert_non_null(is);
    assert_string_equal(is, want);
    assert_int_equal(n, strlen(want));
    assert_null(w->text.data);
    assert_int_equal(w->text.len, 0);
}

static void test_structure(void **state)
{
    (void)state;
    struct vg_json w = {0};
    vg_json_begin_object(&w, NULL);
    vg_json_begin_array(&w, "a");
    vg_json_end_array(&w);
    vg_json_begin_object(&w, "b");
    vg_json_end_object(&w);
    vg_json_begin_array(&w, "c");
    vg_json_int(&w, NULL, 1);
    vg_json_begin_object(&w, NULL);
    vg_json_bool(&w, "t", true);
    vg_json_bool(&w, "f", false);
    vg_json_end_object(&w);
    vg_json_null(&w, NULL);
    vg_json_string(&w, NULL, NULL);
    vg_json_string(&w, NULL, "");
    vg_json_end_array(&w);
    vg_json_raw(&w, "d\"", "[1, 2]", 6);
    vg_json_end_object(&w);
    assert_written(&w, "{\"a\":[],\"b\":{},\"c\":[1,{\"t\":true,\"f\":false},null,null,"
                       "\"\"],\"d\\\"\":[1, 2]}");
    /* empty again, so it can be used again */
    vg_json_int(&w, NULL, 2);
    assert_written(&w, "2");
    assert_written(&w, "");
}

static void check_text(const char *text, const char *want)
{
    struct vg_json w = {0};
    vg_json_string(&w, NULL, text);
    assert_written(&w, want);

    /* the same through a tree */
    json_auto_t *tree = vg_json_text(text);
    vg_json_value(&w, NULL, tree);
    assert_written(&w, want);
}

static void test_escapes(void **state)
{
    (void)state;
    check_text("plain /<>&'", "\"plain /<>&'\"");
    check_text("\"\\\n\r\t", "\"\\\"\\\\\\n\\r\\t\"");
    check_text("a\"b", "\"a\\\"b\"");
    check_text("\x01\x08\x0B\x0C\x1F", "\"\\u0001\\u0008\\u000b\\u000c\\u001f\"");
    check_text("\x7F", "\"\\u007f\"");
}

static void test_utf8(void **state)
{
    (void)state;
    const char *const good[] = {
        "\xC2\x80",
        "\xDF\xBF",
        "\xE0\xA0\x80",
        "\xED\x9F\xBF",
        "\xEE\x80\x80",
        "\xEF\xBF\xBF",
        "\xF0\x90\x80\x80",
        "\xF4\x8F\xBF\xBF",
        ("a\xE2\x82\xAC"
         "b"),
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        char want[32];
        snprintf(want, sizeof(want), "\"%s\"", good[i]);
        check_text(good[i], want);
    }
}

static void test_repair(void **state)
{
    (void)state;
    const struct {
        const char *text, *want;
    } rows[] = {
        {"\x80", BAD},
        {"a\xFF"
         "b",
         "a" BAD "b"},
        {"\xC0\x80", BAD BAD},         /* overlong NUL */
        {"\xC1\xBF", BAD BAD},         /* overlong */
        {"\xE0\x9F\xBF", BAD BAD BAD}, /* overlong */
        {"\xF0\x8F\xBF\xBF", BAD BAD BAD BAD},
        {"\xED\xA0\x80", BAD BAD BAD},         /* a surrogate */
        {"\xED\xBF\xBF", BAD BAD BAD},         /* a surrogate */
        {"\xF4\x90\x80\x80", BAD BAD BAD BAD}, /* beyond U+10FFFF */
        {"\xF5\x80\x80\x80", BAD BAD BAD BAD},
        {"\xFE\xFF", BAD BAD},
        {"\xC3", BAD}, /* cut off at the end */
        {"\xE2\x82", BAD BAD},
        {"\xF0\x9F\x92", BAD BAD BAD},
        {"\xC3(", BAD "("}, /* what follows is kept */
        {"\xE2\x82(", BAD BAD "("},
        {"\xC3\xC3\xBC", BAD "\xC3\xBC"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char want[64];
        snprintf(want, sizeof(want), "\"%s\"", rows[i].want);
        check_text(rows[i].text, want);
    }
    check_text("\xFF\"\n", "\"" BAD "\\\"\\n\"");
    struct vg_json w = {0};
    vg_json_begin_object(&w, NULL);
    vg_json_int(&w, "\xFF", 1);
    vg_json_end_object(&w);
    assert_written(&w, "{\"" BAD "\":1}");
}

/* Any one or two bytes give JSON that jansson reads back. */
static void test_all_bytes(void **state)
{
    (void)state;
    for (unsigned int a = 1; a < 256; a++) {
        for (unsigned int b = 0; b < 256; b++) {
            const char text[3] = {(char)a, (char)b, '\0'};
            vg_auto_json w = {0};
            vg_json_string(&w, NULL, text);
            json_auto_t *read =
                json_loadb(w.text.data, w.text.len, JSON_DECODE_ANY, NULL);
            if (!json_is_string(read))
                fail_msg("%02x %02x: %.*s", a, b, (int)w.text.len, w.text.data);
        }
    }
}

static void test_numbers(void **state)
{
    (void)state;
    struct vg_json w = {0};
    vg_json_begin_array(&w, NULL);
    vg_json_int(&w, NULL, 0);
    vg_json_int(&w, NULL, -1);
    vg_json_int(&w, NULL, INT64_MAX);
    vg_json_int(&w, NULL, INT64_MIN);
    vg_json_uint(&w, NULL, INT64_MAX);
    vg_json_uint(&w, NULL, (uint64_t)INT64_MAX + 1);
    vg_json_uint(&w, NULL, UINT64_MAX);
    vg_json_end_array(&w);
    assert_written(&w, "[0,-1,9223372036854775807,-9223372036854775808,"
                       "9223372036854775807,\"9223372036854775808\","
                       "\"18446744073709551615\"]");
}

static void test_times(void **state)
{
    (void)state;
    struct vg_json w = {0};
    vg_json_begin_object(&w, NULL);
    vg_json_time(&w, "begin", 0);
    vg_json_time(&w, "day", 1738315800);
    vg_json_time(&w, "before", -1);
    vg_json_time(&w, "never", INT64_MAX); /* a year that no struct tm holds */
    vg_json_end_object(&w);
    assert_written(&w,
                   "{\"begin\":\"1970-01-01T00:00:00Z\",\"day\":\"2025-01-31T09:30:00Z\","
                   "\"before\":\"1969-12-31T23:59:59Z\",\"never\":null}");
}

static void test_number_strings(void **state)
{
    (void)state;
    const int64_t exact = (int64_t)1 << 53;
    struct vg_json w = {.number_strings = true};
    vg_json_begin_array(&w, NULL);
    vg_json_int(&w, NULL, exact);
    vg_json_int(&w, NULL, -exact);
    vg_json_int(&w, NULL, exact + 1);
    vg_json_int(&w, NULL, -exact - 1);
    vg_json_uint(&w, NULL, (uint64_t)exact);
    vg_json_uint(&w, NULL, (uint64_t)exact + 1);
    vg_json_int(&w, NULL, INT64_MIN);
    json_auto_t *tree = json_pack("{s:I}", "n", (json_int_t)(exact + 1));
    vg_json_value(&w, NULL, tree);
    vg_json_end_array(&w);
    assert_written(&w, "[9007199254740992,-9007199254740992,\"9007199254740993\","
                       "\"-9007199254740993\",9007199254740992,\"9007199254740993\","
                       "\"-9223372036854775808\",{\"n\":\"9007199254740993\"}]");
    assert_true(w.number_strings);
}

static void test_enum(void **state)
{
    (void)state;
    const struct vg_enum_value values[] = {{"no", "NO", 0}, {"yes", "YES", 1}};
    const struct vg_enum e = {"answer", values, 2};
    struct vg_json w = {0};
    vg_json_begin_array(&w, NULL);
    vg_json_enum(&w, NULL, &e, 1);
    vg_json_enum(&w, NULL, &e, 2);
    vg_json_enum(&w, NULL, &e, -7);
    vg_json_end_array(&w);
    assert_written(&w, "[\"yes\",2,-7]");
}

static void test_tree(void **state)
{
    (void)state;
    const char *const text = "{\"a\":[1,-2,true,false,null,\"\\\"\xC3\xBC\"],\"b\":{},"
                             "\"c\":[],\"d\":{\"e\":{\"f\":[[]]}}}";
    json_auto_t *tree = json_loads(text, 0, NULL);
    struct vg_json w = {0};
    vg_json_value(&w, NULL, tree);
    assert_written(&w, text);
    vg_json_value(&w, NULL, NULL);
    assert_written(&w, "null");
}

/* A double is read back as the same double. */
static void test_reals(void **state)
{
    (void)state;
    const double values[] = {0.0,    -0.0, 0.1,    1.0 / 3, 1e300,
                             5e-324, 1e15, 1.5e16, -123.25, 1.7976931348623157e308};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        vg_auto_json w = {0};
        json_auto_t *real = json_real(values[i]);
        vg_json_value(&w, NULL, real);
        json_auto_t *read = json_loadb(w.text.data, w.text.len, JSON_DECODE_ANY, NULL);
        assert_true(json_is_real(read));
        assert_memory_equal(&(double){json_real_value(read)}, &values[i], 8);
    }
}

static void test_long(void **state)
{
    (void)state;
    size_t n = 3000000, len = 0;
    vg_autofree char *text = malloc(n + 1);
    memset(text, 'x', n);
    text[n] = '\0';
    struct vg_json w = {0};
    vg_json_string(&w, NULL, text);
    vg_autofree char *json = vg_json_finish(&w, &len);
    assert_int_equal(len, n + 2);
    assert_memory_equal(json + 1, text, n);
}

static int left; /* allocations that succeed */

static void *count_malloc(size_t n)
{
    return left-- > 0 ? malloc(n) : NULL;
}

/* Never half an answer: either all of it or NULL. */
static void test_no_memory(void **state)
{
    (void)state;
    json_auto_t *tree = json_pack("{s:f, s:[i, s], s:{}}", "a", 1.5, "b", 2, "c", "d");
    size_t n = 0;
    struct vg_json w = {0};
    vg_json_value(&w, NULL, tree);
    vg_autofree char *want = vg_json_finish(&w, &n);
    for (int i = 0; i < 8; i++) {
        left = i;
        json_set_alloc_funcs(count_malloc, free);
        vg_json_value(&w, NULL, tree);
        json_set_alloc_funcs(malloc, free);
        vg_autofree char *is = vg_json_finish(&w, &n);
        if (is)
            assert_string_equal(is, want);
    }
    /* the writer's own: remembered, and nothing is written any more */
    struct vg_json failed = {.text.failed = true};
    vg_json_value(&failed, NULL, tree);
    assert_null(failed.text.data);
    assert_null(vg_json_finish(&failed, &n));
    assert_false(failed.text.failed);
}

static void test_text_null(void **state)
{
    (void)state;
    json_auto_t *null = vg_json_text(NULL);
    assert_true(json_is_null(null));
    left = 0;
    json_set_alloc_funcs(count_malloc, free);
    json_t *good = vg_json_text("a"), *bad = vg_json_text("\xFF");
    json_set_alloc_funcs(malloc, free);
    assert_null(good);
    assert_null(bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_structure), cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_utf8),      cmocka_unit_test(test_repair),
        cmocka_unit_test(test_all_bytes), cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_times),     cmocka_unit_test(test_number_strings),
        cmocka_unit_test(test_enum),      cmocka_unit_test(test_tree),
        cmocka_unit_test(test_reals),     cmocka_unit_test(test_long),
        cmocka_unit_test(test_no_memory), cmocka_unit_test(test_text_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
