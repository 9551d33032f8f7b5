/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The register of sessions: what it shows to whom, who may end one, and who holds a
 * device.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "server/core/session.h"
#include "virtgate/cleanup.h"

#define WEB "00000000-0000-4000-8000-00000000000a"
#define DB  "00000000-0000-4000-8000-00000000000b"

static const struct vg_rights *rights_of(struct vg_rights_spec spec)
{
    char fault[VG_RIGHTS_FAULT_SIZE];
    const struct vg_rights *rights = vg_rights_intern(&spec, fault);
    assert_non_null(rights);
    return rights;
}

/* ---- requests ---------------------------------------------------------------------- */

/* Who asks, of which host. */
struct who {
    const char *host;
    bool below; /* "/hosts/NAME" is in the path */
    const char *principal;
    const struct vg_rights *rights; /* NULL: an admin's */
};

static struct vg_request *make_request(const struct who *who, const char *needs)
{
    struct vg_request *rq = vg_request_new();
    char unknown[VG_PERMISSION_SIZE];

    assert_int_equal(vg_request_parse_target(rq, "/domains/web/console?force=true"), 0);
    rq->host_name = who->host;
    rq->prefix = who->below ? strdup("/hosts/x") : NULL;
    rq->rights = who->rights ? who->rights : vg_rights_of_role(VG_ROLE_ADMIN);
    snprintf(rq->principal, sizeof(rq->principal), "%s", who->principal);
    assert_int_equal(vg_permissions_parse(needs, &rq->needs, unknown), 0);
    return rq;
}

/* ---- sessions ---------------------------------------------------------------------- */

enum { CONSOLE, CHANNEL, DISPLAY, TRANSFER, N_SESSIONS };

static const struct {
    struct who who;
    enum vg_session_kind kind;
    const char *domain, *uuid, *device, *operation;
} opened[N_SESSIONS] = {
    [CONSOLE] = {{"alpha", false, "ann"}, VG_SESSION_CONSOLE, "web", WEB, "serial0"},
    [CHANNEL] = {{"alpha", false, "bob"}, VG_SESSION_CHANNEL, "db", DB, "agent.0"},
    [DISPLAY] = {{"beta", true, ""}, VG_SESSION_DISPLAY, "web", WEB, NULL},
    [TRANSFER] = {{"beta", true, "ann"}, VG_SESSION_TRANSFER, NULL, NULL, NULL, "17-4"},
};

static struct vg_session sessions[N_SESSIONS];
static char ended_by[N_SESSIONS][16];

static void note_end(void *data, const char *by)
{
    snprintf(data, sizeof(ended_by[0]), "by %s", by);
}

static void open_one(size_t i)
{
    struct vg_request *rq = make_request(&opened[i].who, "domain:open_device");
    sessions[i] = (struct vg_session){.kind = opened[i].kind,
                                      .domain = opened[i].domain,
                                      .uuid = opened[i].uuid,
                                      .device = opened[i].device,
                                      .operation = opened[i].operation,
                                      .end = note_end,
                                      .data = ended_by[i]};
    ended_by[i][0] = '\0';
    vg_session_begin(&sessions[i], rq);
    vg_request_unref(rq); /* it may be over before its session is */
}

static int set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_SESSIONS; i++)
        open_one(i);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_SESSIONS; i++)
        vg_session_over(&sessions[i]);
    return 0;
}

static json_t *list(const struct who *who, struct vg_session_filter filter)
{
    struct vg_request *rq = make_request(who, "");
    struct vg_json w = {0};
    size_t n;

    vg_json_begin_object(&w, NULL);
    vg_sessions_list(rq, &w, &filter);
    vg_json_end_object(&w);
    vg_autofree char *text = vg_json_finish(&w, &n);
    json_auto_t *whole = json_loads(text, 0, NULL);
    assert_non_null(whole);
    vg_request_unref(rq);
    return json_incref(json_object_get(whole, "sessions"));
}

/* Those that are listed, as digits: "02" are the console and the display. */
static void expect_listed(const struct who *who, struct vg_session_filter filter,
                          const char *want)
{
    json_auto_t *v = list(who, filter);
    char got[N_SESSIONS + 1] = "";
    const json_t *one;
    size_t k, n = 0;

    json_array_foreach (v, k, one) {
        const char *kind = json_string_value(json_object_get(one, "kind"));
        for (size_t i = 0; i < N_SESSIONS; i++)
            if (strcmp(vg_session_kinds.values[i].name, kind) == 0)
                got[n++] = (char)('0' + i);
    }
    assert_string_equal(got, want);
}

static const struct who anybody = {"alpha", false, "root"};

/* Its id, as the list tells it to who sees all. */
static void find_id(size_t i, char ret[static 40])
{
    json_auto_t *v = list(&anybody, (struct vg_session_filter){opened[i].kind});
    assert_int_equal(json_array_size(v), 1);
    snprintf(ret, 40, "%s",
             json_string_value(json_object_get(json_array_get(v, 0), "id")));
}

/* 0, or the status of the refusal. */
static int end_session(const struct who *who, const char *id)
{
    struct vg_request *rq = make_request(who, "");
    int rc = vg_session_end(rq, id), status = rq->error.status;

    assert_int_equal(rc, status ? -1 : 0);
    vg_error_clear(&rq->error);
    vg_request_unref(rq);
    return status;
}

static int show_session(const struct who *who, const char *id, json_t **ret)
{
    struct vg_request *rq = make_request(who, "");
    struct vg_json w = {0};
    size_t n;
    int rc = vg_session_write(rq, &w, id), status = rq->error.status;

    assert_int_equal(rc, status ? -1 : 0);
    if (rc < 0) {
        vg_json_free(&w);
    } else {
        vg_autofree char *text = vg_json_finish(&w, &n);
        *ret = json_loads(text, 0, NULL);
    }
    vg_error_clear(&rq->error);
    vg_request_unref(rq);
    return status;
}

/* ---- what is shown ----------------------------------------------------------------- */

static void test_lists(void **state)
{
    static const struct who below_alpha = {"alpha", true, "root"},
                            below_beta = {"beta", true, "root"};
    static const struct {
        const struct who *who;
        struct vg_session_filter filter;
        const char *want;
    } rows[] = {
        {&anybody, {0}, "0123"},
        {&below_alpha, {0}, "01"},
        {&below_beta, {0}, "23"},
        {&anybody, {.kinds = VG_SESSION_CONSOLE}, "0"},
        {&anybody, {.kinds = VG_SESSION_CONSOLE | VG_SESSION_DISPLAY}, "02"},
        {&anybody, {.domain = "web"}, "02"},
        {&anybody, {.domain = "we"}, ""},
        {&anybody, {.domain = DB}, "1"},
        {&anybody, {.domain = "00000000-0000-4000-8000-00000000000B"}, "1"},
        {&anybody, {.principal = "ann"}, "03"},
        {&anybody, {.principal = "an"}, ""},
        {&anybody, {VG_SESSION_CONSOLE, "web", "ann"}, "0"},
        {&anybody, {VG_SESSION_CONSOLE, "web", "bob"}, ""},
        {&anybody, {VG_SESSION_CHANNEL, "web", NULL}, ""},
        {&below_beta, {.domain = "web"}, "2"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_listed(rows[i].who, rows[i].filter, rows[i].want);
}

static void test_shown(void **state)
{
    char id[40];
    json_t *got = NULL;
    (void)state;
    find_id(CONSOLE, id);
    assert_int_equal(show_session(&anybody, id, &got), 0);
    json_auto_t *console = got;
    assert_int_equal(json_object_del(console, "since"), 0);
    json_auto_t *is = json_pack("{s:s, s:s, s:s, s:{s:s, s:s}, s:s, s:s, s:s}", "id", id,
                                "kind", "console", "host", "alpha", "domain", "name",
                                "web", "uuid", WEB, "device", "serial0", "path",
                                "/domains/web/console", "principal", "ann");
    assert_true(json_equal(console, is));

    find_id(DISPLAY, id);
    assert_int_equal(show_session(&anybody, id, &got), 0);
    json_auto_t *display = got;
    assert_true(json_is_null(json_object_get(display, "principal")));
    assert_true(json_is_null(json_object_get(display, "device")));
    assert_null(json_object_get(display, "operation"));

    find_id(TRANSFER, id);
    assert_int_equal(show_session(&anybody, id, &got), 0);
    json_auto_t *transfer = got;
    assert_string_equal(json_string_value(json_object_get(transfer, "operation")),
                        "17-4");
    assert_null(json_object_get(transfer, "device"));
    assert_null(json_object_get(transfer, "domain"));
    assert_int_equal(show_session(&anybody, "0-1", &got), 404);
    assert_int_equal(show_session(&anybody, "", &got), 404);
}

/* An id is one session's for good. */
static void test_ids(void **state)
{
    char first[40], again[40], ids[N_SESSIONS][40];
    (void)state;
    for (size_t i = 0; i < N_SESSIONS; i++) {
        find_id(i, ids[i]);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(ids[i], ids[j]);
    }
    find_id(CONSOLE, first);
    vg_session_over(&sessions[CHANNEL]);
    open_one(CHANNEL);
    find_id(CONSOLE, again);
    assert_string_equal(again, first);
    find_id(CHANNEL, again);
    for (size_t i = 0; i < N_SESSIONS; i++)
        assert_string_not_equal(again, ids[i]);
    assert_int_equal(strchr(again, '-') - again, strchr(first, '-') - first);
    assert_int_equal(strncmp(again, first, (size_t)(strchr(first, '-') - first)), 0);
}

/* ---- beginning and end ------------------------------------------------------------- */

/* The oldest stands first, whichever of the others have ended. */
static void test_order(void **state)
{
    (void)state;
    vg_session_over(&sessions[TRANSFER]); /* the last, */
    expect_listed(&anybody, (struct vg_session_filter){0}, "012");
    vg_session_over(&sessions[CHANNEL]); /* from the middle, */
    expect_listed(&anybody, (struct vg_session_filter){0}, "02");
    open_one(CHANNEL);
    expect_listed(&anybody, (struct vg_session_filter){0}, "021");
    vg_session_over(&sessions[CONSOLE]); /* the first, */
    vg_session_over(&sessions[CONSOLE]); /* twice, */
    expect_listed(&anybody, (struct vg_session_filter){0}, "21");
    vg_session_over(&sessions[CHANNEL]);
    vg_session_over(&sessions[DISPLAY]); /* and all. */
    expect_listed(&anybody, (struct vg_session_filter){0}, "");
    open_one(TRANSFER);
    open_one(CONSOLE);
    expect_listed(&anybody, (struct vg_session_filter){0}, "30");
}

static void test_never_begun(void **state)
{
    struct vg_session never = {0};
    (void)state;
    vg_session_over(&never);
    expect_listed(&anybody, (struct vg_session_filter){0}, "0123");
}

static void test_end(void **state)
{
    char id[40], other[40];
    json_t *got = NULL;
    (void)state;
    find_id(CONSOLE, id);
    find_id(CHANNEL, other);
    assert_int_equal(end_session(&anybody, id), 0);
    assert_string_equal(ended_by[CONSOLE], "by root");
    assert_string_equal(ended_by[CHANNEL], "");
    /* it ends soon, and is not shown any more */
    expect_listed(&anybody, (struct vg_session_filter){0}, "123");
    ended_by[CONSOLE][0] = '\0';
    assert_int_equal(end_session(&anybody, id), 404);
    assert_int_equal(show_session(&anybody, id, &got), 404);
    assert_string_equal(ended_by[CONSOLE], "");
    assert_int_equal(end_session(&anybody, "1-1"), 404);
    const struct who below_beta = {"beta", true, "root"};
    assert_int_equal(end_session(&below_beta, other), 404);
    assert_string_equal(ended_by[CHANNEL], "");
}

/* To end one needs what opening it needed. */
static void test_end_needs(void **state)
{
    const struct vg_rights_spec more = {.role = VG_ROLE_VIEWER,
                                        .allow = "domain:open_device"};
    const struct who viewer = {"alpha", false, "eve", vg_rights_of_role(VG_ROLE_VIEWER)},
                     allowed = {"alpha", false, "eve", rights_of(more)};
    char id[40];
    (void)state;
    find_id(CONSOLE, id);
    assert_int_equal(end_session(&viewer, id), 403);
    assert_string_equal(ended_by[CONSOLE], "");
    expect_listed(&viewer, (struct vg_session_filter){0}, "0123");
    assert_int_equal(end_session(&allowed, id), 0);
    assert_string_equal(ended_by[CONSOLE], "by eve");
}

/* ---- scopes ------------------------------------------------------------------------ */

/* What is of a guest or a host outside of the scope is not there, unless the same rights
 * opened it. */
static void test_scopes(void **state)
{
    const struct {
        struct vg_rights_spec scope;
        const char *want;
    } rows[] = {
        {{.role = VG_ROLE_ADMIN}, "0123"},
        {{.role = VG_ROLE_OPERATOR, .domains = "we*"}, "02"},
        {{.role = VG_ROLE_OPERATOR, .hosts = "alpha"}, "01"},
        {{.role = VG_ROLE_OPERATOR, .hosts = "beta"}, "23"},
        {{.role = VG_ROLE_OPERATOR, .hosts = "beta", .domains = "web"}, "2"},
        {{.role = VG_ROLE_OPERATOR, .hosts = "gamma"}, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct who who = {"alpha", false, "eve", rights_of(rows[i].scope)};
        expect_listed(&who, (struct vg_session_filter){0}, rows[i].want);
        for (size_t j = 0; j < N_SESSIONS; j++) {
            json_t *got = NULL;
            char id[40];
            find_id(j, id);
            bool seen = strchr(rows[i].want, (char)('0' + j)) != NULL;
            assert_int_equal(show_session(&who, id, &got), seen ? 0 : 404);
            json_decref(got);
            if (!seen)
                assert_int_equal(end_session(&who, id), 404);
            assert_string_equal(ended_by[j], "");
        }
    }
    /* a transfer that it began itself, though its guest is not known */
    struct vg_rights_spec narrow = {.role = VG_ROLE_OPERATOR, .domains = "x*"};
    const struct who own = {"alpha", false, "eve", rights_of(narrow)};
    expect_listed(&own, (struct vg_session_filter){0}, "");
    struct vg_request *rq = make_request(&own, "");
    vg_session_over(&sessions[TRANSFER]);
    vg_session_begin(&sessions[TRANSFER], rq);
    vg_request_unref(rq);
    expect_listed(&own, (struct vg_session_filter){0}, "3");
}

/* ---- who holds a device ------------------------------------------------------------ */

static const struct {
    const char *host;
    enum vg_session_kind kind;
    const char *uuid, *device;
    int holder; /* -1: none */
} devices[] = {
    {"alpha", VG_SESSION_CONSOLE, WEB, "serial0", CONSOLE},
    {"alpha", VG_SESSION_CONSOLE, WEB, NULL, CONSOLE}, /* the first: that may be it */
    {"alpha", VG_SESSION_CONSOLE, WEB, "serial1", -1},
    {"alpha", VG_SESSION_CONSOLE, DB, "serial0", -1},
    {"beta", VG_SESSION_CONSOLE, WEB, "serial0", -1},
    {"alpha", VG_SESSION_CHANNEL, WEB, "serial0", -1},
    {"alpha", VG_SESSION_CHANNEL, DB, "agent.0", CHANNEL},
    {"beta", VG_SESSION_DISPLAY, WEB, "vnc", DISPLAY}, /* likewise */
    {"beta", VG_SESSION_TRANSFER, WEB, NULL, -1},
};

static void test_holder(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
        char by[VG_TOKEN_NAME_SIZE] = "nobody";
        const struct who who = {devices[i].host, false, "eve"};
        struct vg_request *rq = make_request(&who, "");
        int holder = devices[i].holder;
        bool named = holder >= 0 && opened[holder].who.principal[0];
        bool held = vg_sessions_find_holder(rq, devices[i].kind, devices[i].uuid,
                                            devices[i].device, by);
        assert_int_equal(held, named);
        assert_string_equal(by, named ? opened[holder].who.principal : "nobody");
        vg_request_unref(rq);
    }
}

/* One without a name hides none that has one. */
static void test_second_holder(void **state)
{
    struct vg_session second = {
        .kind = VG_SESSION_DISPLAY, .domain = "web", .uuid = WEB, .device = "vnc"};
    char by[VG_TOKEN_NAME_SIZE] = "";
    const struct who carl = {"beta", false, "carl"};
    struct vg_request *rq = make_request(&carl, "");
    (void)state;
    vg_session_begin(&second, rq);
    assert_true(vg_sessions_find_holder(rq, VG_SESSION_DISPLAY, WEB, NULL, by));
    assert_string_equal(by, "carl");
    vg_request_unref(rq);
    vg_session_over(&second);
}

static void test_takeover(void **state)
{
    char by[VG_TOKEN_NAME_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
        const struct who who = {devices[i].host, false, "eve"};
        struct vg_request *rq = make_request(&who, "");
        vg_sessions_take_over(rq, devices[i].kind, devices[i].uuid, devices[i].device);
        vg_request_unref(rq);
        for (int j = 0; j < N_SESSIONS; j++) {
            snprintf(by, sizeof(by), "nobody");
            bool taken = j == devices[i].holder;
            assert_int_equal(vg_session_is_taken(&sessions[j], by), taken);
            assert_string_equal(by, taken ? "eve" : "nobody");
            sessions[j].taken_ns = 0;
        }
    }
}

/* What ends long after a takeover ends by itself. */
static void test_old_takeover(void **state)
{
    char by[VG_TOKEN_NAME_SIZE];
    (void)state;
    assert_false(vg_session_is_taken(&sessions[CONSOLE], by));
    sessions[CONSOLE].taken_ns = vg_now_ns() - 11 * VG_SECOND_NS;
    assert_false(vg_session_is_taken(&sessions[CONSOLE], by));
    sessions[CONSOLE].taken_ns = vg_now_ns() - 1 * VG_SECOND_NS;
    assert_true(vg_session_is_taken(&sessions[CONSOLE], by));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_lists),     TEST(test_shown),         TEST(test_ids),
        TEST(test_order),     TEST(test_never_begun),   TEST(test_end),
        TEST(test_end_needs), TEST(test_scopes),        TEST(test_holder),
        TEST(test_takeover),  TEST(test_second_holder), TEST(test_old_takeover),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
