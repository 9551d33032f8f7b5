/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * server/libvirt/cpumap.c: sets of CPUs from text and JSON, and back.
 */
#include "virtgate/cleanup.h"
#include "virtgate/cpumap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void check_text(const char *text, const char *want)
{
    struct vg_cpumap map;
    if (vg_cpumap_parse(text, &map) < 0)
        fail_msg("'%s' is refused", text);
    vg_autofree char *back = vg_cpumap_text(&map);
    assert_string_equal(back, want);
}

static void check_bad_text(const char *text)
{
    struct vg_cpumap map;
    if (vg_cpumap_parse(text, &map) == 0)
        fail_msg("'%s' is accepted", text);
}

static void text_is_libvirts(void **state)
{
    (void)state;
    check_text("0", "0");
    check_text("0-3", "0-3");
    check_text("0-3,^2", "0-1,3");
    check_text("3,1,2", "1-3");
    check_text("1,1,1", "1");
    check_text(" 0 - 2 , ^ 1 , 9 ", "0,2,9");
    check_text("007", "7");
    check_text("0-16383", "0-16383");
    check_text("16383", "16383");
    check_text("5-5", "5");
    check_text("0-7,^0,^7,0", "0-6");
}

static void other_text_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",     " ",       ",",     "0,",    ",0",   "a",   "-1",  "0-",
        "-",    "^",       "^0",    "0,^0",  "3-0",  "1 2", "0x1", "1.0",
        "^0-3", "0-16384", "16384", "0--1",  "1,,2", "0;1", "+1",  "99999999999999",
        "0-3,", "all",     "0-3^2", "1-2-3",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        check_bad_text(bad[i]);
}

static void map_is_libvirts(void **state)
{
    (void)state;
    struct vg_cpumap map;
    assert_int_equal(vg_cpumap_parse("0,9", &map), 0);
    assert_int_equal(map.length, 2);
    assert_int_equal(map.bits[0], 0x01);
    assert_int_equal(map.bits[1], 0x02);
    assert_int_equal(vg_cpumap_parse("0-16383", &map), 0);
    assert_int_equal(map.length, VG_CPUMAP_BYTES);
    /* what is taken out again does not count */
    assert_int_equal(vg_cpumap_parse("0,16383,^16383", &map), 0);
    assert_int_equal(map.length, 1);
}

static void check_json(const char *json, const char *want)
{
    struct vg_cpumap map;
    json_auto_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
    int rc = vg_cpumap_from_json(value, &map);
    if ((rc == 0) != (want != NULL))
        fail_msg("%s: %s", json, rc == 0 ? "accepted" : "refused");
    if (!want)
        return;
    vg_autofree char *text = vg_cpumap_text(&map);
    assert_string_equal(text, want);
}

static void json_is_text_or_numbers(void **state)
{
    (void)state;
    check_json("[0, 1, 2]", "0-2");
    check_json("[5, 3, 5]", "3,5");
    check_json("[16383]", "16383");
    check_json("\"0-3,^2\"", "0-1,3");
    static const char *const bad[] = {"[]",    "[-1]",  "[16384]", "[\"0\"]",
                                      "[1.5]", "[[0]]", "3",       "null",
                                      "{}",    "true",  "\"\"",    "[null]"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        check_json(bad[i], NULL);
}

static void shown_as_array(void **state)
{
    (void)state;
    static const unsigned char bits[] = {0x05, 0x80};
    struct vg_json w = {0};
    size_t len = 0;
    vg_cpumap_write(&w, NULL, bits, sizeof(bits));
    vg_autofree char *text = vg_json_finish(&w, &len);
    assert_string_equal(text, "[0,2,15]");
    vg_cpumap_write(&w, NULL, bits, 0);
    vg_autofree char *empty = vg_json_finish(&w, &len);
    assert_string_equal(empty, "[]");
}

/* Every other CPU: the longest text there is. */
static void longest_text_comes_back(void **state)
{
    (void)state;
    struct vg_cpumap map = {.length = VG_CPUMAP_BYTES}, again;
    memset(map.bits, 0x55, sizeof(map.bits));
    vg_autofree char *text = vg_cpumap_text(&map);
    assert_int_equal(vg_cpumap_parse(text, &again), 0);
    assert_int_equal(again.length, map.length);
    assert_memory_equal(again.bits, map.bits, sizeof(map.bits));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_libvirts), cmocka_unit_test(other_text_is_refused),
        cmocka_unit_test(map_is_libvirts),  cmocka_unit_test(json_is_text_or_numbers),
        cmocka_unit_test(shown_as_array),   cmocka_unit_test(longest_text_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
