/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tickets: what one is good for, when it is used up, and how many there may be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "server/core/router.h"
#include "server/ticket.h"
#include "server/libvirt/host.h"

#define LIFE_NS (VG_TICKET_SECONDS * VG_SECOND_NS)
#define A       "https://a.example"
#define B       "https://b.example"

static struct vg_request *make_request(unsigned char caller, const char *page)
{
    struct vg_request *rq = vg_request_new();
    assert_non_null(rq);
    rq->rights = vg_rights_of_role(VG_ROLE_ADMIN);
    rq->caller[VG_CALLER_SIZE - 1] = caller;
    rq->page = page;
    return rq;
}

static struct vg_ticket make_ticket(unsigned char caller, const char *page,
                                    const char *path)
{
    struct vg_ticket ticket;
    struct vg_request *rq = make_request(caller, page);
    assert_int_equal(vg_ticket_new(rq, path, &ticket), 0);
    vg_request_unref(rq);
    return ticket;
}

static bool take(const struct vg_ticket *ticket, const char *page, const char *target,
                 int64_t now_ns)
{
    struct vg_caller caller;
    struct vg_request *rq = make_request(0, page);
    assert_int_equal(vg_request_parse_target(rq, target), 0);
    bool good = vg_ticket_take(ticket->text, rq, now_ns, &caller);
    vg_request_unref(rq);
    return good;
}

static void test_once(void **state)
{
    struct vg_caller caller;
    struct vg_ticket one = make_ticket(7, A, "/events");
    struct vg_ticket two = make_ticket(8, A, "/events");
    struct vg_request *rq = make_request(0, A);
    (void)state;
    assert_string_not_equal(one.text, two.text);
    assert_int_equal(strlen(one.text), 40);
    assert_int_equal(vg_request_parse_target(rq, "/events?object=domain"), 0);
    assert_true(vg_ticket_take(two.text, rq, vg_now_ns(), &caller));
    assert_int_equal(caller.hash[VG_CALLER_SIZE - 1], 8);
    assert_false(vg_ticket_take(two.text, rq, vg_now_ns(), &caller));
    assert_true(vg_ticket_take(one.text, rq, vg_now_ns(), &caller));
    assert_int_equal(caller.hash[VG_CALLER_SIZE - 1], 7);
    assert_false(vg_ticket_take(one.text, rq, vg_now_ns(), &caller));
    vg_request_unref(rq);
}

/* Those that wait keep their places when one between them goes. */
static void test_order(void **state)
{
    struct vg_ticket t[4];
    (void)state;
    for (size_t i = 0; i < 4; i++)
        t[i] = make_ticket(0, A, "/events");
    assert_true(take(&t[3], A, "/events", vg_now_ns())); /* the youngest, */
    struct vg_ticket more = make_ticket(0, A, "/events");
    assert_true(take(&t[1], A, "/events", vg_now_ns()));
    assert_true(take(&t[0], A, "/events", vg_now_ns())); /* and the oldest */
    assert_true(take(&more, A, "/events", vg_now_ns()));
    assert_true(take(&t[2], A, "/events", vg_now_ns()));
}

static void test_late(void **state)
{
    struct vg_ticket t = make_ticket(0, A, "/events"), u = make_ticket(0, A, "/events");
    (void)state;
    assert_true(take(&t, A, "/events", vg_now_ns() + LIFE_NS - VG_SECOND_NS));
    assert_false(take(&u, A, "/events", vg_now_ns() + LIFE_NS));
    assert_false(take(&u, A, "/events", vg_now_ns()));
}

static void test_nonsense(void **state)
{
    struct vg_ticket t = make_ticket(0, A, "/events"), other = t;
    (void)state;
    other.text[39] = other.text[39] == '0' ? '1' : '0';
    assert_false(take(&other, A, "/events", vg_now_ns()));
    other.text[39] = '\0'; /* all but the last digit */
    assert_false(take(&other, A, "/events", vg_now_ns()));
    other.text[0] = '\0';
    assert_false(take(&other, A, "/events", vg_now_ns()));
    assert_true(take(&t, A, "/events", vg_now_ns()));
}

/* Whoever shows it has used it, whatever for. */
static void test_path(void **state)
{
    static const struct {
        const char *made, *used;
        bool good;
    } rows[] = {
        {"/events", "/events", true},
        {"/events?object=domain", "/events?since=x&ticket=y", true},
        {"/%65vents", "/event%73", true},
        {"/domains/a b/console", "/domains/a%20b/console", true},
        {"/domains/a%2Fb/console", "/domains/a%2fb/console", true},
        {"/domains/a/console", "/domains/b/console", false},
        {"/domains/a/console", "/domains/A/console", false},
        {"/domains/a/console", "/domains/a/events", false},
        {"/domains/a/events", "/events", false},
        {"/events", "/domains/a/events", false},
        {"/events", "/hosts/default/events", false},
        {"/domains/a%2Fb/events", "/domains/a/b/events", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct vg_ticket t = make_ticket(0, A, rows[i].made);
        assert_int_equal(take(&t, A, rows[i].used, vg_now_ns()), rows[i].good);
        assert_false(take(&t, A, rows[i].made, vg_now_ns()));
    }
}

static void test_page(void **state)
{
    static const struct {
        const char *made, *used;
        bool good;
    } rows[] = {
        {A, A, true},     {A, B, false},     {A, "", false},     {A, NULL, false},
        {"", "", true},   {"", A, false},    {"", NULL, true}, /* an EventSource, no TLS
                                                                */
        {NULL, A, false}, {NULL, "", false}, {NULL, NULL, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct vg_ticket t = make_ticket(0, rows[i].made, "/events");
        assert_int_equal(take(&t, rows[i].used, "/events", vg_now_ns()), rows[i].good);
        assert_false(take(&t, rows[i].made, "/events", vg_now_ns()));
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *path;
        enum vg_role role;
        int status;
    } rows[] = {
        {"/nosuch", VG_ROLE_ADMIN, 400},
        {"/domains", VG_ROLE_ADMIN, 400},
        {"/domains/a/start", VG_ROLE_ADMIN, 400},
        {"/tickets", VG_ROLE_ADMIN, 400},
        {"events", VG_ROLE_ADMIN, 400},
        {"", VG_ROLE_ADMIN, 400},
        {"http://127.0.0.1/events", VG_ROLE_ADMIN, 400},
        {"/%zz", VG_ROLE_ADMIN, 400},
        {"/events", VG_ROLE_VIEWER, 0},
        {"/domains/a/console", VG_ROLE_VIEWER, 403},
        {"/domains/a/console", VG_ROLE_ADMIN, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct vg_ticket t;
        struct vg_request *rq = make_request(0, NULL);
        rq->rights = vg_rights_of_role(rows[i].role);
        int rc = vg_ticket_new(rq, rows[i].path, &t);
        assert_int_equal(rc, rows[i].status ? -1 : 0);
        assert_int_equal(rq->error.status, rows[i].status);
        vg_request_unref(rq);
    }
}

/* 503 when it is one too many. */
static int make_more(unsigned char caller)
{
    struct vg_ticket t;
    struct vg_request *rq = make_request(caller, A);
    vg_ticket_new(rq, "/events", &t);
    int status = rq->error.status;
    vg_request_unref(rq);
    return status;
}

static void test_bounds(void **state)
{
    unsigned char caller = 1;
    (void)state;
    for (int all = 0; all < VG_TICKETS; caller++) {
        for (int own = 0; own < VG_TICKETS_OF_ONE; own++, all++)
            assert_int_equal(make_more(caller), 0);
        assert_int_equal(make_more(caller), 503);
    }
    assert_int_equal(make_more(caller), 503);
    struct vg_ticket none = {.text = ""};
    assert_false(take(&none, A, "/events", vg_now_ns() + LIFE_NS)); /* all are late */
    assert_int_equal(make_more(caller), 0);
}

/* With a host: a path of one that is not there is no path. */
static int build(void **state)
{
    static char name[] = "default", uri[] = "test:///default";
    static struct vg_host_config host = {.name = name, .uri = uri};
    static const struct vg_config config = {
        .hosts = {.v = &host, .n = 1}, .pool_size = 1, .queue_size = 1, .operations = 1};
    (void)state;
    return vg_hosts_start(&config) < 0 ? -1 : vg_router_build(vg_route_tables);
}

static int clear(void **state)
{
    (void)state;
    vg_router_free();
    vg_hosts_stop();
    vg_hosts_free();
    return 0;
}

static int forget(void **state)
{
    (void)state;
    vg_tickets_clear();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_once, forget),
        cmocka_unit_test_teardown(test_order, forget),
        cmocka_unit_test_teardown(test_late, forget),
        cmocka_unit_test_teardown(test_nonsense, forget),
        cmocka_unit_test_teardown(test_path, forget),
        cmocka_unit_test_teardown(test_page, forget),
        cmocka_unit_test_teardown(test_refused, forget),
        cmocka_unit_test_teardown(test_bounds, forget),
    };
    return cmocka_run_group_tests(tests, build, clear);
}
