/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The Prefer header (RFC 7240): what is read of it, and what of it an answer says that it
 * honours.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "server/core/prefer.h"
#include "server/core/request.h"

/* As "async 10", "- -" for neither. */
static void check_read(const char *const *values, const char *want)
{
    struct vg_prefer prefer = {0};
    char is[64], wait[16] = "-";

    for (; *values; values++)
        vg_prefer_read(&prefer, *values);
    if (prefer.waits)
        snprintf(wait, sizeof(wait), "%u", prefer.wait_seconds);
    snprintf(is, sizeof(is), "%s %s", prefer.respond_async ? "async" : "-", wait);
    assert_string_equal(is, want);
}
#define CHECK_READ(want, ...) check_read((const char *const[]){__VA_ARGS__, NULL}, want)

static void test_read(void **state)
{
    (void)state;
    CHECK_READ("- -", "");
    CHECK_READ("async -", "respond-async");
    CHECK_READ("async -", "Respond-Async");
    CHECK_READ("- -", "respond-asyn");
    CHECK_READ("- -", "respond-async2");
    CHECK_READ("- 10", "wait=10");
    CHECK_READ("- 10", "WAIT = \"10\" ");
    CHECK_READ("- 0", "wait=0");
    CHECK_READ("- 999999", "wait=999999");
    CHECK_READ("- -", "wait=1000000"); /* a mistake */
    CHECK_READ("- -", "wait");
    CHECK_READ("- -", "wait=");
    CHECK_READ("- -", "wait=\"\"");
    CHECK_READ("- -", "wait=-1");
    CHECK_READ("- -", "wait=1s");
    CHECK_READ("- -", "wait=1.5");
    CHECK_READ("- -", "waits=5");
    CHECK_READ("- 5", "wait=5;x=y");
    CHECK_READ("async 5", "respond-async, wait=5");
    CHECK_READ("async 5", "foo=bar; x=y ,\twait=5 , respond-async;q=1");
    CHECK_READ("async 5", ",,respond-async,,wait=5,,");
    CHECK_READ("- 5", "wait=5, wait=6"); /* the first */
    CHECK_READ("- 7", "wait=x, wait=7");
    CHECK_READ("async 5", "wait=5", "respond-async, wait=6");
}

static const struct vg_route read_route = {VG_GET, "/domains", "list", NULL,
                                           .needs = "domain:read"};
static const struct vg_route work_route = {
    VG_POST, "/domains/{domain}/migrate", "move",
    NULL,    .needs = "domain:migrate",   .runs_on = VG_ON_LONG};
static const struct vg_route operation_route = {VG_GET, "/operations/{operation}", "get",
                                                NULL, .runs_on = VG_ON_OPERATION};

static void check_applied(const struct vg_route *route, const char *value, int status,
                          const char *want)
{
    char is[64] = "untouched";
    struct vg_request *rq = vg_request_new();

    rq->route = route;
    vg_prefer_read(&rq->prefer, value);
    vg_prefer_applied(rq, status, is, sizeof(is));
    if (strcmp(is, want) != 0)
        fail_msg("%s, %d: '%s' instead of '%s'", value, status, is, want);
    vg_request_unref(rq);
}

static void test_applied(void **state)
{
    static const char both[] = "respond-async, wait=9";
    (void)state;
    check_applied(&work_route, both, 202, "respond-async, wait=9");
    check_applied(&work_route, both, 200, "wait=9"); /* it was done in time */
    check_applied(&work_route, "respond-async", 202, "respond-async");
    check_applied(&work_route, "respond-async", 200, "");
    check_applied(&work_route, "wait=0", 202, "wait=0");
    check_applied(&work_route, "", 202, "");
    check_applied(&operation_route, both, 200, "wait=9");
    check_applied(&operation_route, both, 202, "wait=9");
    check_applied(&read_route, both, 200, "");
    check_applied(&read_route, both, 202, "");
    check_applied(NULL, both, 404, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_applied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
