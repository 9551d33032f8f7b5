/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The tests' own pattern language: a checker that never fails would prove nothing.
 */
#include "tests/harness/steps.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *pattern, *value;
    bool matches;
} cases[] = {
    {"{}", "{'a':1}", true},
    {"{'a':1}", "{'a':1,'b':2}", true},
    {"{'a':1}", "{'a':2}", false},
    {"{'a':1}", "{'b':1}", false},
    {"{'a':1}", "[1]", false},
    {"{'a':1}", "{'a':1.0}", false},
    {"{'a':null}", "{'a':null}", true},
    {"{'a':null}", "{}", false},
    {"{'a':'<absent>'}", "{}", true},
    {"{'a':'<absent>'}", "{'a':null}", false},
    {"[1,2]", "[1,2]", true},
    {"[1,2]", "[1,2,3]", false},
    {"[1,2,'...']", "[1,2,3]", true},
    {"['...',3]", "[1,2,3]", true},
    {"['...',3,'...']", "[1,3,2]", true},
    {"['...',4,'...']", "[1,3,2]", false},
    {"['...',{'n':2},'...']", "[{'n':1},{'n':2,'m':1}]", true},
    {"[]", "[1]", false},
    {"[]", "{}", false},
    {"'<string>'", "'x'", true},
    {"'<string>'", "1", false},
    {"'<int>'", "1", true},
    {"'<int>'", "1.5", false},
    {"'<int>'", "null", false},
    {"'<bool>'", "true", true},
    {"'<uuid>'", "'6695eb01-f6a4-8304-79aa-97f2502e193f'", true},
    {"'<uuid>'", "'6695eb01f6a4830479aa97f2502e193f'", false},
    {"'~a*c'", "'abc'", true},
    {"'~a*c'", "'abd'", false},
    {"{'a':'$x','b':'$x'}", "{'a':1,'b':1}", true},
    {"{'a':'$x','b':'$x'}", "{'a':1,'b':2}", false},
    {"{'a':{'b':[{'c':true}]}}", "{'a':{'b':[{'c':true}]}}", true},
    {"{'a':{'b':[{'c':true}]}}", "{'a':{'b':[{'c':false}]}}", false},
};

static void test_case(const char *pattern_text, const char *value_text, bool want)
{
    char why[512] = "";
    json_t *pattern = json_pattern(pattern_text, why, sizeof(why));
    json_t *value = json_pattern(value_text, why, sizeof(why));
    json_t *captures = json_object();
    bool got = pattern && json_match(pattern, value, captures, why, sizeof(why));
    check_that(got == want && (got || why[0]), "%s against %s: %s", pattern_text,
               value_text, why);
    json_decref(captures);
    json_decref(value);
    json_decref(pattern);
}

static void test_substitute(void)
{
    json_t *captures = json_pack("{s:s, s:i, s:n}", "a", "x/y", "b", 7, "c");
    char *text = json_substitute("/${a}?n=${b}&z=${c}&k=${nosuch}$", captures);
    check_that(text && strcmp(text, "/x/y?n=7&z=null&k=${nosuch}$") == 0,
               "substitute: %s", text);
    free(text);
    json_decref(captures);
}

int main(void)
{
    for (size_t i = 0; i < COUNT(cases); i++)
        test_case(cases[i].pattern, cases[i].value, cases[i].matches);
    test_substitute();
    return checks_report();
}
