/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The keys of the query that routes take without a table: how numbers are written, by
 * what an object is found, and what a browser's session brings along.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "server/core/request.h"
#include "virtgate/cleanup.h"

static const struct vg_route domain = {
    VG_POST, "/domains/{domain}/paint", "paintDomain",
    NULL,    .needs = "domain:write",   .takes = VG_TAKES_ARGS};
static const struct vg_route domains = {VG_GET, "/domains", "listDomains", NULL,
                                        .needs = "domain:read"};
static const struct vg_route pool = {
    VG_POST, "/storage-pools/{pool}/paint", "paintPool",
    NULL,    .needs = "storage-pool:write", .takes = VG_TAKES_ARGS};
static const struct vg_route other = {
    VG_POST, "/paint", "paint", NULL, .needs = "domain:write", .takes = VG_TAKES_ARGS};
static const struct vg_route events = {VG_GET,
                                       "/events",
                                       "streamEvents",
                                       NULL,
                                       .needs = "domain:read",
                                       .gives = VG_GIVES_EVENTS};

static struct vg_request *make_request(const struct vg_route *route, const char *query)
{
    vg_autofree char *target = NULL;
    struct vg_request *rq = vg_request_new();

    assert_true(asprintf(&target, "/x?%s", query) > 0);
    assert_int_equal(vg_request_parse_target(rq, target), 0);
    rq->route = route;
    return rq;
}

static int read_common(struct vg_request *rq)
{
    return vg_request_common_args(rq) < 0 ? -1 : vg_request_refuse_args(rq);
}

static void check_good(const struct vg_route *route, const char *query, enum vg_lookup by,
                       bool strings)
{
    struct vg_request *rq = make_request(route, query);

    if (read_common(rq) < 0)
        fail_msg("%s is refused: %s", query, rq->error.detail);
    assert_int_equal(rq->by, by);
    assert_int_equal(rq->number_strings, strings);
    vg_request_unref(rq);
}

static void check_bad(const struct vg_route *route, const char *query, const char *slug,
                      const char *detail)
{
    struct vg_request *rq = make_request(route, query);

    if (read_common(rq) == 0)
        fail_msg("%s is accepted", query);
    assert_int_equal(rq->error.status, 400);
    assert_string_equal(rq->error.slug, slug);
    assert_string_equal(rq->error.detail, detail);
    vg_request_unref(rq);
}

#define VALUE "unknown-value"
#define KEY   "unknown-key"

static void test_numbers(void **state)
{
    (void)state;
    check_good(&domain, "", VG_LOOKUP_DEFAULT, false);
    check_good(&domain, "numbers=string", VG_LOOKUP_DEFAULT, true);
    check_good(&other, "numbers=string", VG_LOOKUP_DEFAULT, true);
    check_good(&other, "numbers=exact", VG_LOOKUP_DEFAULT, false);
    check_bad(&domain, "numbers=", VALUE,
              "Query key 'numbers' is ''; accepted are: exact, string");
    check_bad(&domain, "numbers=strings", VALUE,
              "Query key 'numbers' is 'strings'; accepted are: exact, string");
}

static void test_by(void **state)
{
    (void)state;
    check_good(&domain, "numbers=exact&by=id", VG_LOOKUP_ID, false);
    check_good(&domain, "by=id&numbers=string", VG_LOOKUP_ID, true);
    check_good(&domain, "by=name", VG_LOOKUP_NAME, false);
    check_good(&domain, "by=uuid", VG_LOOKUP_UUID, false);
    check_good(&pool, "by=path", VG_LOOKUP_PATH, false);
    check_bad(&domain, "by=", VALUE,
              "Query key 'by' is ''; accepted are: id, name, uuid");
    check_bad(&domain, "by=ID", VALUE,
              "Query key 'by' is 'ID'; accepted are: id, name, uuid");
    check_bad(&domain, "by=path", VALUE,
              "Query key 'by' is 'path'; accepted are: id, name, uuid");
    check_bad(&pool, "by=id", VALUE,
              "Query key 'by' is 'id'; accepted are: name, uuid, path");
    /* where the path names no object */
    check_bad(&domains, "by=id", KEY,
              "Query key 'by' is not known here; accepted: numbers");
    check_bad(&other, "by=id", KEY,
              "Query key 'by' is not known here; accepted: numbers");
}

/* A ticket was looked at before; how a WebSocket is refused is a matter of sessions. */
static void test_session(void **state)
{
    (void)state;
    check_good(&events, "ticket=abc&refuse=close", VG_LOOKUP_DEFAULT, false);
    check_bad(&events, "refuse=status", VALUE,
              "Query key 'refuse' is 'status'; accepted are: close");
    check_bad(&events, "x=1", KEY,
              "Query key 'x' is not known here; accepted: numbers, ticket, refuse");
    check_bad(&other, "ticket=abc", KEY,
              "Query key 'ticket' is not known here; accepted: numbers");
    check_bad(&other, "refuse=close", KEY,
              "Query key 'refuse' is not known here; accepted: numbers");
}

static void test_others(void **state)
{
    (void)state;
    check_bad(&domain, "flags=", KEY,
              "Query key 'flags' is not known here; accepted: numbers, by");
    check_bad(&domain, "numbers=string&Numbers=string", KEY,
              "Query key 'Numbers' is not known here; accepted: numbers, by");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_by),
        cmocka_unit_test(test_session),
        cmocka_unit_test(test_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
