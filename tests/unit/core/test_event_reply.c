/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a watcher may ask for: names of events and hosts, from where, as a stream or a
 * poll; and the texts of events.
 */
#include "tests/unit/core/event_fixture.h"

#include "server/core/event.h"
#include "server/core/event_reply.h"
#include "server/core/host_names.h"
#include "server/core/request.h"
#include "virtgate/event.h"

static const struct vg_route route = {
    VG_GET, "/events", "events", NULL, .needs = "domain:read", .gives = VG_GIVES_EVENTS};

static struct vg_request *make_request(void)
{
    struct vg_request *rq = vg_request_new();

    assert_int_equal(vg_request_parse_target(rq, "/events"), 0);
    rq->route = &route;
    rq->rights = vg_rights_of_role(VG_ROLE_VIEWER);
    return rq;
}

/* The status of the refusal, 0 for none, and words that it says. */
static void expect(struct vg_request *rq, int rc, int status, const char *words)
{
    assert_int_equal(rc, status ? -1 : 0);
    assert_int_equal(rq->error.status, status);
    if (status && !strstr(rq->error.detail, words))
        fail_msg("'%s' does not say '%s'", rq->error.detail, words);
    vg_error_clear(&rq->error);
}

/* ---- names ------------------------------------------------------------------------- */

static void test_names(void **state)
{
    static const char *const good[] = {"lifecycle",        "reboot,lifecycle",
                                       "refresh",          "update",
                                       "value-changed",    "opened",
                                       "closed",           "reset",
                                       "monitor",          "begun",
                                       "progress",         "ended",
                                       "autostart-change", "snapshot-change,opened"};
    static const struct {
        const char *names, *words;
    } bad[] = {{"life", "no event 'life'; there are: "},
               {"lifecycles", "no event 'lifecycles'"},
               {"lifecycle,x,y", "no event 'x'"},
               {",lifecycle", "no event ''"},
               {"Lifecycle", "no event 'Lifecycle'"}};
    (void)state;
    struct vg_request *rq = make_request();
    expect(rq, vg_event_check_names(rq, NULL), 0, NULL);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        expect(rq, vg_event_check_names(rq, good[i]), 0, NULL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect(rq, vg_event_check_names(rq, bad[i].names), 400, bad[i].words);
    vg_request_unref(rq);
}

static void test_monitor(void **state)
{
    (void)state;
    struct vg_request *rq = make_request();
    struct vg_event_filter filter = {0};
    expect(rq, vg_event_check_monitor(rq, &filter), 0, NULL);
    filter.monitor = "STOP,RES(UME";
    expect(rq, vg_event_check_monitor(rq, &filter), 0, NULL); /* a list of names */
    filter.monitor_match = VG_MATCH_REGEX;
    expect(rq, vg_event_check_monitor(rq, &filter), 400,
           "'STOP,RES(UME', which is no regular expression of Perl's: ");
    filter.monitor = "^STOP$";
    expect(rq, vg_event_check_monitor(rq, &filter), 0, NULL);
    vg_request_unref(rq);
}

/* ---- hosts ------------------------------------------------------------------------- */

static void check_hosts(struct vg_request *rq, const char *given, int status,
                        const char *want)
{
    const char *hosts = given;

    expect(rq, vg_event_check_hosts(rq, &hosts), status, status ? want : NULL);
    if (!status)
        assert_string_equal(hosts ? hosts : "all", want);
}

static void test_hosts(void **state)
{
    char longest[300];
    (void)state;
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(vg_host_names_add("alpha"), 0);
    assert_int_equal(vg_host_names_add("beta"), 0);
    struct vg_request *rq = make_request();
    check_hosts(rq, NULL, 404, "There is no host 'default' here");
    check_hosts(rq, "-", 0, "all");
    check_hosts(rq, "alpha", 0, "alpha");
    check_hosts(rq, "alpha,beta", 0, "alpha,beta");
    check_hosts(rq, "alph", 400, "no host 'alph'");
    check_hosts(rq, "", 400, "no host ''");
    check_hosts(rq, "alpha,", 400, "no host ''");
    check_hosts(rq, "alpha,,beta", 400, "no host ''");
    check_hosts(rq, "alpha,gamma,beta", 400, "no host 'gamma'");
    check_hosts(rq, longest, 400, "no host 'xxx");

    rq->host = (void *)&rq; /* the bare path's */
    rq->host_name = "beta";
    check_hosts(rq, NULL, 0, "beta");
    check_hosts(rq, "alpha", 0, "alpha");
    rq->prefix = (char *)(uintptr_t) "/hosts/beta"; /* below it, itself alone */
    check_hosts(rq, NULL, 0, "beta");
    check_hosts(rq, "beta", 0, "beta");
    check_hosts(rq, "alpha", 400, "no host 'alpha'");
    check_hosts(rq, "-", 400, "no host '-'");
    rq->host = NULL; /* below /hosts/- */
    rq->host_name = NULL;
    check_hosts(rq, NULL, 0, "all");
    check_hosts(rq, "alpha", 0, "alpha");
    rq->prefix = NULL;

    char fault[VG_RIGHTS_FAULT_SIZE];
    struct vg_rights_spec spec = {.role = VG_ROLE_VIEWER, .hosts = "al*"};
    rq->rights = vg_rights_intern(&spec, fault);
    check_hosts(rq, "alpha", 0, "alpha");
    check_hosts(rq, "beta", 400, "no host 'beta'"); /* outside of the scope: not there */
    vg_request_unref(rq);
    vg_host_names_clear();
}

/* ---- from where -------------------------------------------------------------------- */

static void check_since(struct vg_request *rq, const char *since, bool stream, int status,
                        uint64_t want, bool want_reset)
{
    uint64_t after = 12345;
    bool reset = !want_reset;

    expect(rq, vg_event_since(rq, since, stream, &after, &reset), status, "revision");
    if (status)
        return;
    assert_int_equal(after, want);
    assert_int_equal(reset, want_reset);
}

static void test_since(void **state)
{
    static const struct vg_event_source source = {
        .host = "h", .object = VG_EVENT_DOMAIN, .name = "lifecycle", .id = -1};
    char first[VG_REVISION_SIZE], second[VG_REVISION_SIZE];
    (void)state;
    publish_numbered(&source, 1);
    const uint64_t one = vg_event_head();
    vg_event_write_revision(first, one);
    publish_numbered(&source, 2);
    vg_event_write_revision(second, one + 1);
    struct vg_request *rq = make_request();
    check_since(rq, NULL, true, 0, one + 1, false); /* from now */
    check_since(rq, first, true, 0, one, false);
    check_since(rq, first, false, 0, one, false);
    check_since(rq, "x", true, 400, 0, false);
    check_since(rq, "1-1", true, 410, 0, false);
    check_since(rq, "1-1", false, 410, 0, false);
    rq->last_event = strdup(second); /* what a browser has seen since */
    check_since(rq, first, true, 0, one + 1, false);
    check_since(rq, NULL, true, 0, one + 1, false);
    check_since(rq, first, false, 0, one, false); /* of a stream alone */
    free(rq->last_event);
    rq->last_event = strdup("1-1");
    check_since(rq, first, true, 0, one + 1, true); /* 410 would be final for it */
    check_since(rq, NULL, false, 0, one + 1, false);
    free(rq->last_event);
    rq->last_event = strdup("x");
    check_since(rq, first, true, 400, 0, false);
    vg_request_unref(rq);
}

/* ---- replies ----------------------------------------------------------------------- */

static struct vg_reply reply_with(struct vg_request *rq, struct vg_event_manner manner)
{
    static const struct vg_event_filter filter = {0};
    return vg_reply_events(rq, &filter, &manner);
}

static void test_reply(void **state)
{
    char first[VG_REVISION_SIZE];
    (void)state;
    struct vg_request *rq = make_request();
    int64_t now = vg_now_ns();
    struct vg_reply reply =
        reply_with(rq, (struct vg_event_manner){.wait = -1, .limit = 7});
    assert_int_equal(reply.status, 200);
    assert_non_null(reply.subscription);
    assert_non_null(reply.subscription->subscriber);
    assert_false(reply.subscription->poll);
    assert_int_equal(reply.subscription->limit, 7);
    assert_int_equal(reply.subscription->after, vg_event_head());
    vg_reply_clear(&reply);

    reply = reply_with(rq, (struct vg_event_manner){.wait = 30, .limit = 7});
    assert_true(reply.subscription->poll);
    assert_true(reply.subscription->due_ns >= now + 30 * VG_SECOND_NS);
    assert_true(reply.subscription->due_ns <= vg_now_ns() + 30 * VG_SECOND_NS);
    vg_reply_clear(&reply);

    rq->accept = VG_ACCEPT_JSON; /* a poll that does not wait */
    reply = reply_with(rq, (struct vg_event_manner){.wait = -1, .limit = 7});
    assert_true(reply.subscription->poll);
    assert_true(reply.subscription->due_ns <= vg_now_ns());
    vg_reply_clear(&reply);

    /* as many that were; a browser that reconnects has seen them */
    rq->accept = VG_ACCEPT_STREAM;
    reply = reply_with(rq, (struct vg_event_manner){.wait = -1, .limit = 7, .last = 1});
    assert_int_equal(reply.subscription->after, vg_event_head() - 1);
    vg_reply_clear(&reply);
    vg_event_write_revision(first, vg_event_head());
    rq->last_event = strdup(first);
    reply = reply_with(rq, (struct vg_event_manner){.wait = -1, .limit = 7, .last = 1});
    assert_int_equal(reply.subscription->after, vg_event_head());
    vg_reply_clear(&reply);
    reply = reply_with(rq, (struct vg_event_manner){.wait = 0, .limit = 7, .last = 1});
    assert_int_equal(reply.subscription->after, vg_event_head() - 1); /* a poll */
    vg_reply_clear(&reply);

    reply = reply_with(
        rq, (struct vg_event_manner){.wait = -1, .since = first, .last = 1, .limit = 7});
    assert_int_equal(reply.status, 400);
    assert_null(reply.subscription);
    vg_reply_clear(&reply);
    vg_request_unref(rq);
}

/* What a scope hides, an event does not tell. */
static void test_scope(void **state)
{
    static const struct {
        const char *domain;
        bool told;
    } rows[] = {{"web1", true}, {"db1", false}};
    (void)state;
    char fault[VG_RIGHTS_FAULT_SIZE];
    struct vg_rights_spec spec = {.role = VG_ROLE_VIEWER, .domains = "web*"};
    const struct vg_rights *rights[] = {vg_rights_intern(&spec, fault),
                                        vg_rights_of_role(VG_ROLE_VIEWER)};
    for (size_t wide = 0; wide < 2; wide++)
        for (size_t i = 0; i < 2; i++) {
            struct vg_request *rq = make_request();
            struct vg_event *event = NULL;
            rq->rights = rights[wide];
            struct vg_reply reply =
                reply_with(rq, (struct vg_event_manner){.wait = -1, .limit = 7});
            publish_numbered(&(struct vg_event_source){.host = "h",
                                                       .object = VG_EVENT_DOMAIN,
                                                       .name = "lifecycle",
                                                       .domain = rows[i].domain,
                                                       .uuid = "u",
                                                       .id = -1},
                             1);
            enum vg_subscriber_state got =
                vg_subscriber_next(reply.subscription->subscriber, &event);
            assert_int_equal(got == VG_SUBSCRIBER_EVENT, wide || rows[i].told);
            vg_event_unref(event);
            vg_reply_clear(&reply);
            vg_request_unref(rq);
        }
}

/* ---- texts ------------------------------------------------------------------------- */

static void expect_member(const char *text, const char *key, const char *want)
{
    json_auto_t *json = json_loads(text, 0, NULL);
    const char *is = json_string_value(json_object_get(json, key));

    if (!is || strcmp(is, want) != 0)
        fail_msg("%s: %s is %s", text, key, is ? is : "no text");
}

static void test_texts(void **state)
{
    char head[VG_REVISION_SIZE], time[VG_EVENT_TIME_SIZE];
    size_t n;
    (void)state;
    vg_autofree char *reset = vg_event_make_reset("too slow", &n);
    vg_event_write_revision(head, vg_event_head());
    assert_int_equal(strlen(reset), n);
    expect_member(reset, "id", head);
    expect_member(reset, "revision", head);
    expect_member(reset, "object", "stream");
    expect_member(reset, "event", "reset");
    expect_member(reset, "reason", "too slow");
    assert_non_null(strstr(reset, "\"time\":\"20"));

    /* an id of 0 is one, -1 is none */
    struct watcher w;
    struct vg_event *event = NULL;
    open_watcher(&w, &all, false);
    for (int id = -1; id <= 0; id++) {
        publish_numbered(&(struct vg_event_source){.host = "h",
                                                   .object = VG_EVENT_DOMAIN,
                                                   .name = "lifecycle",
                                                   .domain = "a",
                                                   .uuid = "u",
                                                   .id = id},
                         1);
        assert_int_equal(vg_subscriber_next(w.subscriber, &event), VG_SUBSCRIBER_EVENT);
        assert_non_null(memmem(event->json, event->json_size,
                               id < 0 ? "\"id\":null" : "\"id\":0", id < 0 ? 9 : 6));
        vg_event_write_time(event, time);
        assert_int_equal(strlen(time), strlen("2026-01-01T00:00:00.000000Z"));
        assert_non_null(memmem(event->json, event->json_size, time, strlen(time)));
        vg_event_unref(event);
    }
    close_watcher(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names), cmocka_unit_test(test_monitor),
        cmocka_unit_test(test_hosts), cmocka_unit_test(test_since),
        cmocka_unit_test(test_reply), cmocka_unit_test(test_scope),
        cmocka_unit_test(test_texts),
    };
    if (vg_events_start(100) < 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    vg_events_stop();
    return failed;
}
