/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * server/base/pattern.c: which names a list and an expression mean, and what an
 * expression may cost.
 */
#include "server/base/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define REGEX  VG_MATCH_REGEX
#define NOCASE VG_MATCH_NOCASE

static const struct {
    const char *text;
    unsigned int flags;
    const char *name;
    bool has;
} cases[] = {
    {"STOP", 0, "STOP", true},
    {"STOP", 0, "stop", false},
    {"STOP", NOCASE, "stop", true},
    {"STOP", 0, "STO", false},
    {"STOP", 0, "STOPPED", false},
    {"STOP,RESUME", 0, "RESUME", true},
    {"resume,stop", NOCASE, "RESUME", true},
    {"STOP,RESUME", 0, "STOP,RESUME", false},
    {"ST.P", 0, "STOP", false},
    {"", 0, "STOP", false},
    {"ST.P", REGEX, "STOP", true},
    {"TO", REGEX, "STOP", true}, /* anywhere */
    {"^TO", REGEX, "STOP", false},
    {"^st", REGEX, "STOP", false},
    {"^st", REGEX | NOCASE, "STOP", true},
    {"STOP|RESUME", REGEX, "RESUME", true},
    {"A,B", REGEX, "B", false}, /* a comma is a comma */
    {"(?i)stop", REGEX, "STOP", true},
    {"\\d{2}$", REGEX, "BLOCK_JOB_42", true},
    {"", REGEX, "STOP", true},
};

static void meant(void **state)
{
    (void)state;
    char why[200];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct vg_pattern *p =
            vg_pattern_new(cases[i].text, cases[i].flags, why, sizeof(why));
        if (!p)
            fail_msg("'%s' is refused: %s", cases[i].text, why);
        if (vg_pattern_has(p, cases[i].name) != cases[i].has)
            fail_msg("'%s' (%u) of %s is wrong", cases[i].text, cases[i].flags,
                     cases[i].name);
        vg_pattern_free(p);
    }
}

static void check_refused(const char *text, const char *reason)
{
    char why[200];
    struct vg_pattern *p = vg_pattern_new(text, REGEX, why, sizeof(why));
    assert_null(p);
    if (!strstr(why, reason))
        fail_msg("'%.20s': '%s' does not say '%s'", text, why, reason);
}

static void refused(void **state)
{
    (void)state;
    char longest[1002];
    check_refused("ST(", "parenthesis (at character 4)");
    check_refused("*", "quantifier");
    check_refused("[a", "missing terminating ]");
    check_refused("((((a{1,60000}){1,60000}){1,60000}){1,60000})", "too large");
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    check_refused(longest, "longer than 1000 bytes");
}

/* 2^40 ways to fail: it gives up, which the suite's time limit would notice otherwise. */
static void bounded(void **state)
{
    (void)state;
    char why[200];
    struct vg_pattern *p =
        vg_pattern_new("^(([A-Z])+_?)+[0-9]$", REGEX, why, sizeof(why));
    assert_non_null(p);
    assert_false(vg_pattern_has(p, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA!"));
    assert_true(vg_pattern_has(p, "AB_C1"));
    vg_pattern_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(meant),
        cmocka_unit_test(refused),
        cmocka_unit_test(bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
