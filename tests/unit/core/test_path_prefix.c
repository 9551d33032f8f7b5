/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * --path-prefix: which targets are below it, and what a request's path is for the client.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "server/core/request.h"
#include "virtgate/cleanup.h"

static void check_below(const char *target, const char *want)
{
    const char *is = vg_path_below_prefix(target);

    is = is ? is : "(null)";
    if (strcmp(is, want) != 0)
        fail_msg("%s: '%s' instead of '%s'", target, is, want);
}

static void test_below(void **state)
{
    (void)state;
    vg_path_prefix_start(NULL);
    assert_string_equal(vg_path_prefix(), "");
    check_below("/domains", "/domains");
    check_below("", "");
    vg_path_prefix_start("/gate");
    assert_string_equal(vg_path_prefix(), "/gate");
    check_below("/gate/domains?x", "/domains?x");
    check_below("/gate", "");
    check_below("/gate?x", "?x");
    check_below("/gate/", "/");
    check_below("/gates/domains", "(null)");
    check_below("/domains", "(null)");
    check_below("/gat", "(null)");
    vg_path_prefix_start(NULL);
}

static void check_path(struct vg_request *rq, const char *want)
{
    vg_autofree char *path = vg_request_path(rq);

    assert_string_equal(path, want);
}

static void test_path(void **state)
{
    (void)state;
    struct vg_request *rq = vg_request_new();
    vg_path_prefix_start("/gate");
    check_path(rq, "/gate");
    assert_int_equal(vg_request_parse_target(rq, "/domains/a?x=1"), 0);
    check_path(rq, "/gate/domains/a");
    rq->outside = true;
    check_path(rq, "/domains/a");
    vg_path_prefix_start(NULL);
    vg_request_unref(rq);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_below),
        cmocka_unit_test(test_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
