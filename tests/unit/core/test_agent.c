/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which requests wait for a guest's agent: by their row, and by what their arguments
 * name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "server/core/request.h"

static bool asks(enum vg_runs_on runs_on, const char *target, const char *body)
{
    const struct vg_route row = {VG_POST, "/domains/{domain}/reboot", "reboot",
                                 NULL,    .needs = "domain:write",    .runs_on = runs_on};
    struct vg_request *rq = vg_request_new();

    assert_int_equal(vg_request_parse_target(rq, target), 0);
    rq->route = &row;
    rq->json = body ? json_loads(body, 0, NULL) : NULL;
    assert_int_equal(rq->json != NULL, body != NULL);
    bool is = vg_request_asks_agent(rq);
    vg_request_unref(rq);
    return is;
}

#define PATH "/domains/d/reboot"

static void test_rows(void **state)
{
    static const struct {
        enum vg_runs_on runs_on;
        bool asks;
    } rows[] = {
        {VG_ON_GENERAL, false},
        {VG_ON_FAST, false},
        {VG_ON_AGENT, true},
        {VG_ON_LONG, false},
        {VG_ON_AGENT_BY_DEFAULT, true},
        {VG_ON_AGENT_IF_NAMED, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(asks(rows[i].runs_on, PATH, NULL), rows[i].asks);
    /* what the arguments name is for rows that say so */
    assert_false(asks(VG_ON_GENERAL, PATH "?flags=agent&guest=true", NULL));
    assert_true(asks(VG_ON_AGENT, PATH "?flags=acpi", NULL));
}

static void test_arguments(void **state)
{
    static const struct {
        const char *query, *body;
        bool asks, asks_by_default;
    } rows[] = {
        {"", "{}", false, true},
        /* a way that is named is the one; that of the agent has three names */
        {"?flags=agent", NULL, true, true},
        {"?flags=guest-agent", NULL, true, true},
        {"?source=agent", NULL, true, true},
        {"?source=guest", NULL, true, true},
        {"?source=lease", NULL, false, false},
        {"?flags=acpi", NULL, false, false},
        {"?flags=acpi,agent", NULL, true, true},
        {"?flags=agent,acpi", NULL, true, true},
        {"?flags=acpi,agent,signal", NULL, true, true},
        {"?flags=acpi,signal", NULL, false, false},
        {"?flags=", NULL, false, true},
        {"?flags=agen", NULL, false, false},
        {"?flags=agents", NULL, false, false},
        {"?flags=Agent", NULL, false, false},
        {"?other=agent", NULL, false, true},
        {"?other=1&source=agent", NULL, true, true},
        {"?source=agent&flags=acpi", NULL, true, true},
        /* `guest` says so or not; it names no way */
        {"?guest=true", NULL, true, true},
        {"?guest=false", NULL, false, true},
        {"?guest=true&source=lease", NULL, true, true},
        {"?source=agent&guest=false", NULL, true, true},
        {"?guest=false&source=lease", NULL, false, false},
        /* the body says the same */
        {"", "{\"flags\":[\"agent\"]}", true, true},
        {"", "{\"flags\":[\"acpi\",\"guest-agent\"]}", true, true},
        {"", "{\"flags\":[\"acpi\"]}", false, false},
        {"", "{\"flags\":[]}", false, true},
        {"", "{\"flags\":[1,null]}", false, true},
        {"", "{\"flags\":\"agent\"}", true, true},
        {"", "{\"source\":\"agent\"}", true, true},
        {"", "{\"source\":\"lease\"}", false, false},
        {"", "{\"source\":1}", false, true},
        {"", "{\"guest\":true}", true, true},
        {"", "{\"guest\":\"true\"}", false, true},
        {"", "{\"guest\":false}", false, true},
        {"", "{\"other\":\"agent\"}", false, true},
        {"?flags=agent", "{}", true, true},
        {"?guest=true", "{\"guest\":false}", true, true},
        {"?flags=acpi", "{\"flags\":[\"agent\"]}", true, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char target[100];
        snprintf(target, sizeof(target), "%s%s", PATH, rows[i].query);
        if (asks(VG_ON_AGENT_IF_NAMED, target, rows[i].body) != rows[i].asks ||
            asks(VG_ON_AGENT_BY_DEFAULT, target, rows[i].body) != rows[i].asks_by_default)
            fail_msg("row %zu: '%s' %s", i, rows[i].query,
                     rows[i].body ? rows[i].body : "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
