/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tokens: when their file is read again, who a call is by its token or ticket, and what
 * one is told that is nobody.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/http/internal.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ONE      "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
#define TWO      "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3"
#define THREE    "8b5b9db0c13db24256c829aa364aa90c6d2eba318b9232a4ab9313b954d3555f"

#define TOKENS                                                                           \
    "first-token admin " ONE "\n"                                                        \
    "two viewer " TWO " 2999-01-01T00:00:00Z\n"                                          \
    "three admin " THREE " 2001-01-01T00:00:00Z\n"

static char path[] = "/tmp/vg-auth.XXXXXX";

static void write_file(const char *text)
{
    FILE *out = fopen(path, "we");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    vg_http_auth_free();
    return unlink(path);
}

/* ---- calls ------------------------------------------------------------------------- */

static const struct vg_route stream = {VG_GET,
                                       "/events",
                                       "events",
                                       NULL,
                                       .needs = "connect:getattr",
                                       .gives = VG_GIVES_EVENTS};
static struct vg_config config;
static struct vg_http_conn conn;

/* What the ticket "good" stands for; others are none. */
static struct vg_caller ticket_of;

static bool take_ticket(const char *text, const struct vg_request *rq, int64_t now_ns,
                        struct vg_caller *ret_caller)
{
    (void)rq;
    (void)now_ns;
    *ret_caller = ticket_of;
    return strcmp(text, "good") == 0;
}

static int hidden; /* what hide() says */
static int n_hides;

static int hide(struct vg_request *rq, const char **ret_allow)
{
    (void)ret_allow;
    n_hides++;
    if (hidden)
        vg_error_set(&rq->error, VG_E_NOT_FOUND, "hidden");
    return hidden;
}

static const struct vg_http_app app = {.take_ticket = take_ticket, .hide = hide};

static struct vg_http_call make_call(const char *target, const char *header,
                                     const char *needs)
{
    char unknown[VG_PERMISSION_SIZE];
    struct vg_http_call call = {
        .rq = vg_request_new(), .conn = &conn, .headers = {.authorization = header}};

    assert_int_equal(vg_request_parse_target(call.rq, target), 0);
    call.rq->route = &stream;
    call.rq->method = VG_GET;
    call.rq->host_name = "alpha";
    assert_int_equal(vg_permissions_parse(needs, &call.rq->needs, unknown), 0);
    return call;
}

static void end_call(struct vg_http_call *call)
{
    vg_error_clear(&call->rq->error);
    vg_request_unref(call->rq);
}

/* ---- the file ---------------------------------------------------------------------- */

static bool is_token(const char *token)
{
    char header[40];
    snprintf(header, sizeof(header), "Bearer %s", token);
    struct vg_http_call call = make_call("/events", header, "");
    bool is = vg_http_auth(&call, &config, &app)->role != VG_ROLE_NONE;
    end_call(&call);
    return is;
}

/* It is read again when it has changed and two looks see the same. */
static void test_tick(void **state)
{
    (void)state;
    write_file("one admin " ONE "\n");
    unsigned int first = vg_http_auth_generation();
    assert_int_equal(vg_http_auth_load(path), 0);
    assert_int_equal(vg_http_auth_generation(), first + 1);
    for (int i = 0; i < 3; i++)
        vg_http_auth_tick(path);
    assert_int_equal(vg_http_auth_generation(), first + 1);

    write_file("one admin " ONE "\ntwo admin " TWO "\n");
    vg_http_auth_tick(path); /* its writer may be at it */
    assert_false(is_token("two"));
    vg_http_auth_tick(path);
    assert_true(is_token("two"));
    vg_http_auth_tick(path);
    vg_http_auth_tick(path);
    assert_int_equal(vg_http_auth_generation(), first + 2);

    write_file("one admin " ONE "\n");
    vg_http_auth_tick(path);
    write_file("one admin " ONE "\ntwo nothing\n"); /* it goes on */
    vg_http_auth_tick(path);
    assert_int_equal(vg_http_auth_generation(), first + 2);
    vg_http_auth_tick(path); /* it is wrong: the old ones stay */
    vg_http_auth_tick(path);
    assert_int_equal(vg_http_auth_generation(), first + 2);
    assert_true(is_token("two"));

    write_file("two admin " TWO "\n");
    assert_int_equal(vg_http_auth_load(path), 0); /* SIGHUP */
    assert_int_equal(vg_http_auth_generation(), first + 3);
    vg_http_auth_tick(path);
    vg_http_auth_tick(path);
    assert_int_equal(vg_http_auth_generation(), first + 3); /* it is known as it is */
    assert_false(is_token("one"));
}

static void test_gone(void **state)
{
    (void)state;
    write_file(TOKENS);
    assert_int_equal(vg_http_auth_load(path), 0);
    unsigned int first = vg_http_auth_generation();
    assert_int_equal(vg_http_auth_load("/nowhere/at/all"), -1);
    assert_int_equal(vg_http_auth_generation(), first);
    assert_true(is_token("one"));
    assert_int_equal(vg_http_auth_load(path), 0);
}

/* ---- who calls --------------------------------------------------------------------- */

static void test_bearer(void **state)
{
    static const struct {
        const char *header;
        enum vg_role role;
        const char *name;
    } rows[] = {
        {"Bearer one", VG_ROLE_ADMIN, "first-token"},
        {"bearer one", VG_ROLE_ADMIN, "first-token"}, /* RFC 9110, 11.1 */
        {"Bearer   two", VG_ROLE_VIEWER, "two"},
        {"Bearer three", VG_ROLE_NONE, ""}, /* it has expired */
        {"Bearer ", VG_ROLE_NONE, ""},
        {"Bearer    ", VG_ROLE_NONE, ""},
        {"Bearer on", VG_ROLE_NONE, ""},
        {"Bearer one ", VG_ROLE_NONE, ""},
        {"Bearer", VG_ROLE_NONE, ""},
        {"Basic one", VG_ROLE_NONE, ""},
        {"one", VG_ROLE_NONE, ""},
        {"", VG_ROLE_NONE, ""},
        {NULL, VG_ROLE_NONE, ""},
    };
    (void)state;
    write_file(TOKENS);
    assert_int_equal(vg_http_auth_load(path), 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct vg_http_call call = make_call("/events", rows[i].header, "");
        const struct vg_rights *rights = vg_http_auth(&call, &config, &app);
        if (rights->role != rows[i].role)
            fail_msg("'%s' is %d", rows[i].header ? rows[i].header : "(none)",
                     rights->role);
        assert_string_equal(call.rq->principal, rows[i].name);
        assert_int_equal(call.rq->via, rows[i].name[0] ? VG_VIA_TOKEN : VG_VIA_NONE);
        static const unsigned char nobody[VG_CALLER_SIZE];
        assert_int_equal(memcmp(call.rq->caller, nobody, sizeof(nobody)) != 0,
                         rows[i].name[0] != '\0');
        end_call(&call);
    }
}

/* Of all that says who calls the first to expire counts; 0 is never. */
static void test_until(void **state)
{
    const time_t far = 32472144000; /* that of "two" */
    const struct {
        const char *header;
        time_t before, until;
    } rows[] = {
        {"Bearer one", 0, 0},         {"Bearer one", 5, 5},
        {"Bearer two", 0, far},       {"Bearer two", far - 1, far - 1},
        {"Bearer two", far + 1, far},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct vg_http_call call = make_call("/events", rows[i].header, "");
        call.rq->known_until = rows[i].before;
        vg_http_auth(&call, &config, &app);
        assert_int_equal(call.rq->known_until, rows[i].until);
        end_call(&call);
    }
}

/* Whether a token that a session was opened with still gives what it gave. */
static void test_holds(void **state)
{
    static const struct {
        const char *header;
        enum vg_role role;
        bool holds;
        bool ends;
    } rows[] = {
        {"Bearer one", VG_ROLE_ADMIN, true, false},
        {"Bearer one", VG_ROLE_VIEWER, false, false},
        {"Bearer two", VG_ROLE_VIEWER, true, true},
        {"Bearer three", VG_ROLE_NONE, false, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct vg_http_call call = make_call("/events", rows[i].header, "");
        time_t until = 12345;
        vg_http_auth(&call, &config, &app);
        assert_int_equal(
            vg_http_auth_holds(call.rq->caller, vg_rights_of_role(rows[i].role), &until),
            rows[i].holds);
        assert_int_equal(until != 0, rows[i].ends);
        end_call(&call);
    }
}

static void test_tickets(void **state)
{
    static const struct {
        const char *target, *header, *of; /* of: whose the ticket is */
        enum vg_role role;
        bool bad;
    } rows[] = {
        {"/events?ticket=good", NULL, "one", VG_ROLE_ADMIN, false},
        {"/events?ticket=good", NULL, "two", VG_ROLE_VIEWER, false},
        {"/events?ticket=good", NULL, "gone", VG_ROLE_NONE,
         true}, /* its token is no more */
        {"/events?ticket=bad", NULL, "one", VG_ROLE_NONE, true},
        {"/events?ticket=bad", "Bearer two", "one", VG_ROLE_VIEWER, false},
        {"/events?ticket=good", "Bearer two", "one", VG_ROLE_VIEWER, false},
        {"/events?ticket=good", "Bearer x", "one", VG_ROLE_NONE, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        static const char *const names[] = {"one", "two", "gone"};
        static const unsigned char firsts[] = {0x76, 0x3f, 0x8b};
        struct vg_http_call call = make_call(rows[i].target, rows[i].header, "");
        ticket_of = (struct vg_caller){.via = VG_VIA_TOKEN};
        for (size_t k = 0; k < COUNT(names); k++)
            if (strcmp(names[k], rows[i].of) == 0 && k < 2) {
                struct vg_http_call own =
                    make_call("/events", k ? "Bearer two" : "Bearer one", "");
                vg_http_auth(&own, &config, &app);
                assert_int_equal(own.rq->caller[0], firsts[k]);
                memcpy(ticket_of.hash, own.rq->caller, sizeof(ticket_of.hash));
                end_call(&own);
            } else if (strcmp(names[k], rows[i].of) == 0) {
                ticket_of.hash[0] = firsts[k];
            }
        const struct vg_rights *rights = vg_http_auth(&call, &config, &app);
        if (rights->role != rows[i].role || call.rq->bad_ticket != rows[i].bad)
            fail_msg("row %zu", i);
        end_call(&call);
    }
}

/* Without a token file no header decides. */
static void test_no_file(void **state)
{
    (void)state;
    struct vg_config none = {0};
    struct vg_http_call call = make_call("/events", "Bearer x", "");
    assert_int_equal(vg_http_auth(&call, &none, &app)->role, VG_ROLE_ADMIN);
    end_call(&call);
}

/* ---- who is admitted --------------------------------------------------------------- */

static void test_admit(void **state)
{
    static const struct {
        const char *header, *needs;
        bool routed;
        int hidden, rc, status;
        bool host; /* it is named in the answer */
    } rows[] = {
        {"Bearer one", "domain:write", true, 0, 0, 0, true},
        {"Bearer two", "domain:write", true, 0, -1, 403, true},
        {"Bearer two", "domain:write", true, -1, -1, 404, true}, /* first of all */
        {"Bearer one", "", false, 0, -1, 0, true},
        {"Bearer one", "", false, -1, -1, 404, true},
        {"Bearer x", "domain:write", true, 0, -1, 401, false},
        {"Bearer x", "domain:write", true, -1, -1, 401, false},
        {"Bearer x", "", false, 0, -1, 0, false},
        /* what is for everybody is, where it is there for them */
        {"Bearer x", "", true, 0, 0, 0, true},
        {"Bearer x", "", true, -1, -1, 404, true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct vg_http_call call = make_call("/events", rows[i].header, rows[i].needs);
        hidden = rows[i].hidden;
        n_hides = 0;
        int rc = vg_http_admit_caller(&call, &config, &app, rows[i].routed);
        if (rc != rows[i].rc || call.rq->error.status != rows[i].status ||
            (call.rq->host_name != NULL) != rows[i].host)
            fail_msg("row %zu: %d, %d, %s", i, rc, call.rq->error.status,
                     call.rq->host_name ? call.rq->host_name : "(no host)");
        assert_in_range(n_hides, 0, 1);
        end_call(&call);
    }
    hidden = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tick),    cmocka_unit_test(test_gone),
        cmocka_unit_test(test_bearer),  cmocka_unit_test(test_until),
        cmocka_unit_test(test_holds),   cmocka_unit_test(test_tickets),
        cmocka_unit_test(test_no_file), cmocka_unit_test(test_admit),
    };
    config.token_file = path;
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
