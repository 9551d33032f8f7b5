/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tickets in the query of a session, and the page that a call is made by.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "server/http/internal.h"
#include "server/http/ticket.h"

static char origins[][32] = {"https://app.example"};
static char *origin_list[] = {origins[0]};
static struct vg_config config;

/* want: the page; NULL: none. */
static void check_page(const char *origin, const char *site, const char *want)
{
    struct vg_http_call call = {
        .rq = vg_request_new(),
        .headers = {.host = "gate:80", .origin = origin, .fetch_site = site}};
    static const char none[] = "none";

    vg_http_note_page(&call, &config);
    assert_string_equal(call.rq->page ? call.rq->page : none, want ? want : none);
    vg_request_unref(call.rq);
}

static void test_pages(void **state)
{
    (void)state;
    config.cors_origins.v = origin_list;
    config.cors_origins.n = 1;
    check_page(NULL, NULL, NULL); /* no browser */
    check_page(NULL, "same-origin", "");
    check_page("http://gate:80", NULL, "");
    check_page("https://app.example", "same-origin", ""); /* the browser's word */
    check_page("https://app.example", NULL, "https://app.example");
    check_page("https://app.example", "cross-site", "https://app.example");
    check_page("https://evil.example", NULL, NULL);
    check_page(NULL, "cross-site", NULL);
    check_page(NULL, "none", NULL);
}

#define ROW(name, method, what)                                                          \
    static const struct vg_route name = {                                                \
        method, "/x", "x", NULL, .needs = "domain:read", .gives = what}
ROW(events, VG_GET, VG_GIVES_EVENTS);
ROW(console, VG_GET, VG_GIVES_WEBSOCKET);
ROW(plain, VG_GET, VG_GIVES_JSON);
ROW(post, VG_POST, VG_GIVES_EVENTS);

static void check_ticket(const struct vg_route *route, const char *target,
                         const char *want)
{
    struct vg_http_call call = {.rq = vg_request_new()};

    assert_int_equal(vg_request_parse_target(call.rq, target), 0);
    call.rq->route = route;
    call.rq->method = route ? route->method : VG_GET;
    const char *is = vg_http_ticket_of(&call);
    assert_string_equal(is ? is : "none", want ? want : "none");
    /* it stands in no log and no link from then on */
    assert_string_equal(call.rq->target, want ? "/x" : target);
    vg_request_unref(call.rq);
}

static void test_tickets(void **state)
{
    (void)state;
    check_ticket(&events, "/x?ticket=abc", "abc");
    check_ticket(&console, "/x?a=1&ticket=abc&b=2", "abc");
    check_ticket(&events, "/x?ticket=", "");
    check_ticket(&events, "/x?tickets=abc", NULL);
    check_ticket(&events, "/x", NULL);
    check_ticket(&plain, "/x?ticket=abc", NULL);
    check_ticket(&post, "/x?ticket=abc", NULL);
    check_ticket(NULL, "/x?ticket=abc", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_tickets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
