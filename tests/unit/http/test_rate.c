/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What one client may: calls in a second, wrong tokens in a minute, sessions; and the
 * accounts that they are counted on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/http/account.h"
#include "server/http/internal.h"
#include "virtgate/cleanup.h"

/* ---- accounts ---------------------------------------------------------------------- */

static void test_accounts(void **state)
{
    (void)state;
    struct vg_accounts accounts = VG_ACCOUNTS_INITIALIZER;
    assert_true(vg_account_take(&accounts, 1, 3, 5));
    assert_false(vg_account_take(&accounts, 1, 3, 5));
    assert_true(vg_account_take(&accounts, 1, 2, 5));
    assert_false(vg_account_take(&accounts, 1, 1, 5));
    assert_true(vg_account_take(&accounts, 2, 5, 5)); /* another's */
    assert_false(vg_account_take(&accounts, 3, 6, 5));
    vg_account_give(&accounts, 3, 1); /* has none */
    vg_account_give(&accounts, 1, 4);
    assert_true(vg_account_take(&accounts, 1, 4, 5));
    assert_false(vg_account_take(&accounts, 1, 1, 5));
    vg_account_give(&accounts, 1, 100); /* more than it has */
    assert_true(vg_account_take(&accounts, 1, 5, 5));
    vg_account_give(&accounts, 1, 5);
    vg_account_give(&accounts, 2, 5);
    for (size_t i = 0; i < VG_ACCOUNT_BUCKETS; i++)
        assert_null(accounts.buckets[i]); /* nothing is kept of who has nothing */
}

/* Accounts of one bucket are not mixed up, whichever of them goes. */
static void test_bucket(void **state)
{
    uint64_t who[3];
    size_t n = 0;
    (void)state;
    struct vg_accounts accounts = VG_ACCOUNTS_INITIALIZER;
    for (uint64_t i = 1; n < 3; i++)
        if (vg_account_bucket(i) == 7)
            who[n++] = i;
    for (size_t i = 0; i < 3; i++)
        assert_true(vg_account_take(&accounts, who[i], i + 1, 5));
    vg_account_give(&accounts, who[1], 2);
    assert_false(vg_account_take(&accounts, who[0], 5, 5));
    assert_false(vg_account_take(&accounts, who[2], 3, 5));
    assert_true(vg_account_take(&accounts, who[2], 2, 5));
    vg_account_give(&accounts, who[0], 1);
    vg_account_give(&accounts, who[2], 5);
    assert_null(accounts.buckets[7]);
}

/* ---- rates ------------------------------------------------------------------------- */

static const struct vg_route read_route = {VG_GET, "/domains", "list", NULL,
                                           .needs = "domain:read"};
static const struct vg_route change_route = {VG_POST, "/domains/{domain}/start", "start",
                                             NULL, .needs = "domain:write"};
static const struct vg_route health_route = {VG_GET, "/health", "health", NULL};
static const struct vg_route events_route = {
    VG_GET, "/events", "events", NULL, .needs = "domain:read", .gives = VG_GIVES_EVENTS};
static const struct vg_route console_route = {
    VG_GET, "/domains/{domain}/console", "console",
    NULL,   .needs = "domain:write",     .gives = VG_GIVES_WEBSOCKET};

static struct vg_http_call make_call(const struct vg_route *route, const char *who)
{
    struct vg_http_call call = {.rq = vg_request_new()};

    call.rq->route = route;
    call.rq->method = route->method;
    call.rq->rights = vg_rights_of_role(VG_ROLE_VIEWER);
    snprintf((char *)call.rq->caller, sizeof(call.rq->caller), "%s", who);
    return call;
}

/* 0, or the status of the refusal. */
static int admit(const struct vg_route *route, const char *who)
{
    struct vg_http_call call = make_call(route, who);
    int status = vg_http_rate_admit(&call) < 0 ? call.rq->error.status : 0;

    if (status) {
        assert_string_equal(call.rq->error.slug, "rate-limited");
        assert_int_equal(call.rq->error.retry_after, 1);
        assert_int_equal(call.past.until_next, call.past.window); /* of one second */
    }
    vg_http_rate_leave(&call);
    vg_request_unref(call.rq);
    return status;
}

/* A quota so low that none falls due while the test runs: of a second one call. */
static void test_calls(void **state)
{
    (void)state;
    vg_http_rate_start(&(struct vg_config){.reads_per_second = 3});
    int64_t begun = vg_now_ns();
    unsigned int passed = 0;
    while (admit(&read_route, "a") == 0 && passed < 1000)
        passed++;
    /* as many at once as the window allows, and what fell due meanwhile */
    assert_in_range(passed, 3, 3 + (vg_now_ns() - begun) * 3 / VG_SECOND_NS + 1);
    assert_int_equal(admit(&read_route, "b"), 0); /* another client's */
    for (int i = 0; i < 10; i++) {
        assert_int_equal(admit(&change_route, "a"), 0); /* no limit */
        assert_int_equal(admit(&health_route, "a"), 0); /* anybody's */
    }
    vg_http_rate_start(&(struct vg_config){.changes_per_second = 1});
    begun = vg_now_ns();
    assert_int_equal(admit(&change_route, "c"), 0);
    int status = admit(&change_route, "c");
    if (vg_now_ns() - begun < VG_SECOND_NS / 2)
        assert_int_equal(status, 429);
    for (int i = 0; i < 10; i++)
        assert_int_equal(admit(&read_route, "c"), 0);
    vg_http_rate_start(&(struct vg_config){0});
}

/* Evenly sent, as many pass as the rate says; a refused one costs nothing. */
static void test_even(void **state)
{
    const struct timespec step = {.tv_nsec = 60000000};
    (void)state;
    vg_http_rate_start(&(struct vg_config){.reads_per_second = 20});
    for (int i = 0; i < 20; i++)
        (void)admit(&read_route, "even");
    for (int i = 0; i < 10; i++) {
        nanosleep(&step, NULL);
        assert_int_equal(admit(&read_route, "even"), 0);
    }
    vg_http_rate_start(&(struct vg_config){0});
}

static void test_words(void **state)
{
    static const struct {
        const struct vg_route *route;
        const char *detail, *name;
    } rows[] = {{&read_route,
                 "This client reads too often: 1 in 1 s are accepted; try again "
                 "in 1 s",
                 "reads"},
                {&change_route,
                 "This client changes things too often: 1 in 1 s are "
                 "accepted; try again in 1 s",
                 "changes"}};
    (void)state;
    vg_http_rate_start(
        &(struct vg_config){.reads_per_second = 1, .changes_per_second = 1});
    for (size_t i = 0; i < 2; i++) {
        struct vg_http_call call = make_call(rows[i].route, "words");
        int tries = 0;
        while (vg_http_rate_admit(&call) == 0 && tries < 1000)
            tries++;
        assert_string_equal(call.rq->error.detail, rows[i].detail);
        assert_string_equal(call.past.name, rows[i].name);
        assert_int_equal(call.past.quota, 1);
        assert_int_equal(call.past.window, 1);
        vg_request_unref(call.rq);
    }
    vg_http_rate_start(&(struct vg_config){0});
}

/* ---- wrong tokens ------------------------------------------------------------------ */

/* Whether a refusal becomes one of the rate's. */
static bool refuse(const char *address, const char *authorization, enum vg_role role)
{
    struct vg_http_call call = make_call(&read_route, "x");

    assert_true(vg_address_parse(address, strlen(address), &call.client));
    call.headers.authorization = authorization;
    call.rq->rights = vg_rights_of_role(role);
    vg_error_set(&call.rq->error, VG_E_UNAUTHORIZED, "no");
    vg_http_rate_refused(&call);
    bool limited = call.rq->error.status == 429;
    if (limited) {
        assert_non_null(strstr(call.rq->error.detail, "Too many wrong tokens"));
        assert_int_equal(call.past.window, 60);
        assert_in_range(call.rq->error.retry_after, 10, 30); /* of two, thirty seconds */
    }
    vg_request_unref(call.rq);
    return limited;
}

static void test_failures(void **state)
{
    (void)state;
    assert_false(refuse("192.0.2.1", "Bearer x", VG_ROLE_NONE)); /* no limit */
    vg_http_rate_start(&(struct vg_config){.failed_tokens = 2});
    assert_false(refuse("192.0.2.1", "Bearer x", VG_ROLE_NONE));
    assert_false(refuse("192.0.2.1", "Bearer y", VG_ROLE_NONE));
    assert_true(refuse("192.0.2.1", "Bearer z", VG_ROLE_NONE));
    assert_false(refuse("192.0.2.1", NULL, VG_ROLE_NONE));         /* none was guessed */
    assert_false(refuse("192.0.2.1", "Bearer x", VG_ROLE_VIEWER)); /* a good one */
    assert_false(refuse("198.51.100.1", "Bearer x", VG_ROLE_NONE));
    vg_http_rate_start(&(struct vg_config){0});
}

/* ---- sessions ---------------------------------------------------------------------- */

static void test_sessions(void **state)
{
    struct vg_http_call calls[4];
    (void)state;
    vg_http_rate_start(
        &(struct vg_config){.streams_per_token = 2, .consoles_per_token = 1});
    for (int i = 0; i < 3; i++)
        calls[i] = make_call(&events_route, "s");
    calls[3] = make_call(&console_route, "s");
    assert_int_equal(vg_http_rate_admit(&calls[0]), 0);
    assert_int_equal(vg_http_rate_admit(&calls[1]), 0);
    assert_true(calls[0].has_session);
    assert_int_equal(vg_http_rate_admit(&calls[2]), -1);
    assert_false(calls[2].has_session);
    assert_string_equal(calls[2].rq->error.detail,
                        "This client has 2 event streams already, as many as it may "
                        "(--streams-per-token): end one");
    vg_error_clear(&calls[2].rq->error);
    assert_int_equal(admit(&events_route, "other"), 0);
    assert_int_equal(admit(&read_route, "s"), 0);
    assert_int_equal(vg_http_rate_admit(&calls[3]), 0);
    assert_int_equal(admit(&console_route, "s"), 429);
    vg_http_rate_leave(&calls[2]); /* it has none */
    assert_int_equal(admit(&events_route, "s"), 429);
    vg_http_rate_leave(&calls[0]);
    vg_http_rate_leave(&calls[0]); /* once */
    assert_int_equal(vg_http_rate_admit(&calls[2]), 0);
    assert_int_equal(admit(&events_route, "s"), 429);
    vg_http_rate_leave(&calls[3]);
    assert_int_equal(admit(&console_route, "s"), 0);
    vg_http_rate_leave(&calls[1]);
    vg_http_rate_leave(&calls[2]);
    for (int i = 0; i < 4; i++)
        vg_request_unref(calls[i].rq);
    vg_http_rate_start(&(struct vg_config){0});
    struct vg_http_call free_call = make_call(&events_route, "s");
    assert_int_equal(vg_http_rate_admit(&free_call), 0);
    assert_false(free_call.has_session); /* nothing is counted */
    vg_request_unref(free_call.rq);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accounts), cmocka_unit_test(test_bucket),
        cmocka_unit_test(test_calls),    cmocka_unit_test(test_even),
        cmocka_unit_test(test_words),    cmocka_unit_test(test_failures),
        cmocka_unit_test(test_sessions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
