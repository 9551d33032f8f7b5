/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who may do what: a row's permissions and those that arguments add, callers that nobody
 * knows, --read-only; and what of hosts and domains a scope lets see.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "server/core/access.h"
#include "server/core/scope.h"
#include "virtgate/cleanup.h"
#include "virtgate/scope.h"
#include "virtgate/whoami.h"

static const struct vg_route route = {VG_GET, "/domains", "list", NULL,
                                      .needs = "domain:read"};

static struct vg_request *make_request(const char *needs)
{
    char unknown[VG_PERMISSION_SIZE];
    struct vg_request *rq = vg_request_new();

    assert_int_equal(vg_request_parse_target(rq, "/domains"), 0);
    rq->route = &route;
    assert_int_equal(vg_permissions_parse(needs, &rq->needs, unknown), 0);
    return rq;
}

static const struct vg_rights *intern(struct vg_rights_spec spec)
{
    char fault[VG_RIGHTS_FAULT_SIZE] = "";
    const struct vg_rights *rights = vg_rights_intern(&spec, fault);

    if (!rights)
        fail_msg("%s", fault);
    return rights;
}

static const struct vg_rights *of(enum vg_role role)
{
    return vg_rights_of_role(role);
}

static void expect_error(struct vg_request *rq, int status, const char *words)
{
    assert_int_equal(rq->error.status, status);
    if (!strstr(rq->error.detail, words))
        fail_msg("'%s' does not say '%s'", rq->error.detail, words);
    vg_error_clear(&rq->error);
}

/* ---- rows -------------------------------------------------------------------------- */

static void test_permit(void **state)
{
    (void)state;
    struct vg_request *rq = make_request("domain:read");
    assert_int_equal(vg_access_permit(rq, of(VG_ROLE_VIEWER)), 0);
    assert_ptr_equal(rq->rights, of(VG_ROLE_VIEWER));
    assert_int_equal(rq->error.status, 0);
    vg_request_unref(rq);

    rq = make_request("domain:read domain:write");
    assert_int_equal(vg_access_permit(rq, of(VG_ROLE_VIEWER)), -1);
    assert_string_equal(rq->error.permission, "domain:write");
    expect_error(rq, 403,
                 "This needs the permission 'domain:write'; the role "
                 "'viewer' lacks it, 'operator' has it");
    assert_int_equal(vg_access_permit(rq, of(VG_ROLE_ADMIN)), 0);
    vg_request_unref(rq);
}

/* Who is nobody hears how to become somebody; who lacks a right, which. */
static void test_unknown(void **state)
{
    (void)state;
    struct vg_request *rq = make_request("domain:read");
    assert_int_equal(vg_access_permit(rq, of(VG_ROLE_NONE)), -1);
    assert_null(rq->error.permission);
    expect_error(rq, 401, "a valid token of role 'viewer'");
    rq->no_role = "This user has no role";
    assert_int_equal(vg_access_permit(rq, of(VG_ROLE_NONE)), -1);
    expect_error(rq, 401, "This user has no role; send");
    rq->bad_ticket = true;
    assert_int_equal(vg_access_permit(rq, of(VG_ROLE_NONE)), -1);
    expect_error(rq, 401, "The ticket is not good here");
    assert_int_equal(vg_access_permit(rq, of(VG_ROLE_VIEWER)), 0); /* needs none */
    rq->lacks_certificate = true;
    assert_int_equal(vg_access_permit(rq, of(VG_ROLE_NONE)), -1);
    expect_error(rq, 401, "Show a client certificate");
    vg_request_unref(rq);

    rq = make_request("domain:write");
    rq->bad_ticket = true; /* the role that is left is not what was meant */
    assert_int_equal(vg_access_permit(rq, of(VG_ROLE_VIEWER)), -1);
    expect_error(rq, 401, "The ticket is not good here");
    rq->bad_ticket = false;
    rq->lacks_certificate = true;
    assert_int_equal(vg_access_permit(rq, of(VG_ROLE_VIEWER)), -1);
    expect_error(rq, 401, "Show a client certificate");
    vg_request_unref(rq);
}

static void test_read_only(void **state)
{
    (void)state;
    struct vg_request *rq = make_request("domain:write");
    struct vg_request *read = make_request("domain:read");
    vg_access_start(true);
    assert_int_equal(vg_access_permit(rq, of(VG_ROLE_ADMIN)), -1);
    assert_string_equal(rq->error.slug, "read-only");
    expect_error(rq, 403, "--read-only");
    assert_int_equal(vg_access_permit(rq, of(VG_ROLE_VIEWER)), -1); /* the right first */
    expect_error(rq, 403, "'domain:write'");
    assert_int_equal(vg_access_permit(read, of(VG_ROLE_ADMIN)), 0);
    vg_access_start(false);
    assert_int_equal(vg_access_permit(rq, of(VG_ROLE_ADMIN)), 0);
    vg_request_unref(rq);
    vg_request_unref(read);
}

/* ---- what handlers ask ------------------------------------------------------------- */

static void test_ask(void **state)
{
    char unknown[VG_PERMISSION_SIZE];
    struct vg_permissions secure;
    (void)state;
    struct vg_request *rq = make_request("domain:read");
    assert_int_equal(vg_permissions_parse("domain:read_secure", &secure, unknown), 0);
    rq->rights = of(VG_ROLE_VIEWER);
    assert_true(vg_request_may(rq, "domain:read"));
    assert_false(vg_request_may(rq, "domain:read_secure"));
    assert_false(vg_request_may(rq, "domain:no_such"));
    assert_int_equal(vg_request_ask_secrets(rq, false), 0);
    assert_int_equal(vg_request_ask_secrets(rq, true), -1);
    assert_string_equal(rq->error.permission, "domain:read_secure");
    expect_error(rq, 403,
                 "With these 'flags' passwords are shown; it needs the permission");
    assert_false(vg_permissions_hold(&rq->needs, &secure)); /* nothing was granted */
    assert_int_equal(vg_request_ask(rq, "domain:no_such", "This"), -1);
    expect_error(rq, 500, "'domain:no_such' is no permission");

    rq->rights = of(VG_ROLE_ADMIN);
    assert_true(vg_request_may(rq, "domain:read_secure"));
    assert_int_equal(vg_request_ask_secrets(rq, true), 0);
    assert_true(vg_permissions_hold(&rq->needs, &secure)); /* the record tells */
    vg_request_unref(rq);
}

static void test_has_all(void **state)
{
    (void)state;
    struct vg_request *rq = make_request("domain:read");
    rq->rights = of(VG_ROLE_ADMIN);
    assert_true(vg_access_has_all(rq));
    rq->rights = of(VG_ROLE_OPERATOR);
    assert_false(vg_access_has_all(rq));
    rq->rights =
        intern((struct vg_rights_spec){.role = VG_ROLE_ADMIN, .deny = "domain:delete"});
    assert_false(vg_access_has_all(rq));
    vg_request_unref(rq);
}

/* ---- scopes ------------------------------------------------------------------------ */

static void test_scope(void **state)
{
    (void)state;
    struct vg_request *rq = make_request("domain:read");
    rq->rights = of(VG_ROLE_NONE);
    assert_true(vg_knows_hosts(rq)); /* while none are hidden from anybody */
    const struct vg_rights *domains =
        intern((struct vg_rights_spec){.role = VG_ROLE_OPERATOR, .domains = "web-*,db"});
    assert_true(vg_knows_hosts(rq));
    const struct vg_rights *hosts =
        intern((struct vg_rights_spec){.role = VG_ROLE_OPERATOR, .hosts = "lab*"});
    assert_false(vg_knows_hosts(rq));

    assert_false(vg_scope_is_narrow(of(VG_ROLE_VIEWER)));
    assert_true(vg_scope_is_narrow(domains));
    assert_true(vg_scope_is_narrow(hosts));
    assert_true(vg_scope_has_host(NULL, "x") && vg_scope_has_all_hosts(NULL) &&
                vg_scope_has_all_domains(NULL) && vg_scope_has_domain(NULL, "x"));

    rq->rights = hosts;
    assert_true(vg_knows_hosts(rq));
    assert_true(vg_sees_host(rq, "lab2"));
    assert_false(vg_sees_host(rq, "office"));
    assert_false(vg_sees_all_hosts(rq));
    assert_true(vg_sees_all_domains(rq));
    assert_true(vg_sees_domain(rq, "anything"));
    assert_true(vg_sees_domain(rq, NULL));
    vg_request_unref(rq);
}

static void test_scope_of_domains(void **state)
{
    (void)state;
    struct vg_request *rq = make_request("domain:read");
    rq->rights =
        intern((struct vg_rights_spec){.role = VG_ROLE_OPERATOR, .domains = "web-*,db"});
    assert_true(vg_sees_all_hosts(rq));
    assert_false(vg_sees_all_domains(rq));
    assert_true(vg_sees_domain(rq, "web-1"));
    assert_true(vg_sees_domain(rq, "db"));
    assert_false(vg_sees_domain(rq, "db2"));
    assert_false(vg_sees_domain(rq, NULL)); /* not known: not seen */
    assert_int_equal(vg_ask_domain_name(rq, "web-1"), 0);
    assert_int_equal(vg_ask_domain_name(rq, NULL), 0); /* libvirt says that it lacks */
    assert_int_equal(vg_ask_domain_name(rq, "mail"), -1);
    assert_string_equal(rq->error.slug, "outside-scope");
    expect_error(rq, 403, "A domain 'mail' is outside of this token's scope");
    vg_request_unref(rq);
}

/* ---- who am I ---------------------------------------------------------------------- */

static json_t *whoami(const struct vg_request *rq)
{
    struct vg_json w = {0};
    size_t n;

    vg_json_begin_object(&w, NULL);
    vg_whoami_write(rq, &w);
    vg_json_end_object(&w);
    vg_autofree char *text = vg_json_finish(&w, &n);
    json_t *json = json_loads(text, 0, NULL);
    if (!json)
        fail_msg("no JSON: %s", text);
    return json;
}

static void expect_member(const json_t *json, const char *key, const char *want)
{
    vg_autofree char *is = json_dumps(json_object_get(json, key),
                                      JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(is ? is : "", want);
}

/* What --read-only leaves, whatever else the caller has. */
static void test_read_only_whoami(void **state)
{
    (void)state;
    struct vg_request *rq = make_request("domain:read");
    rq->rights = intern((struct vg_rights_spec){
        .role = VG_ROLE_OPERATOR, .allow = "domain:open_device", .deny = "domain:read"});
    vg_access_start(true);
    {
        json_auto_t *left = whoami(rq);
        vg_autofree char *all = json_dumps(json_object_get(left, "permissions"), 0);
        expect_member(left, "role", "\"operator\"");
        assert_non_null(strstr(all, "\"domain:getattr\""));
        assert_null(strstr(all, "\"domain:read\""));
        assert_null(strstr(all, "\"domain:open_device\""));
        assert_null(strstr(all, "\"domain:start\""));
    }
    vg_access_start(false);
    vg_request_unref(rq);
}

static void test_whoami(void **state)
{
    (void)state;
    struct vg_request *rq = make_request("domain:read");
    rq->rights = of(VG_ROLE_NONE);
    {
        json_auto_t *nobody = whoami(rq);
        expect_member(nobody, "name", "null");
        expect_member(nobody, "permissions", "[]");
        expect_member(nobody, "expiresAt", "null");
        expect_member(nobody, "scope", "{\"domains\":[\"*\"],\"hosts\":[\"*\"]}");
    }
    rq->rights = intern((struct vg_rights_spec){
        .role = VG_ROLE_OPERATOR, .hosts = "lab*,x", .domains = "web-*,db"});
    strcpy(rq->principal, "alice");
    rq->via = VG_VIA_TOKEN;
    rq->known_until = 1800000000;
    json_auto_t *alice = whoami(rq);
    expect_member(alice, "name", "\"alice\"");
    expect_member(alice, "role", "\"operator\"");
    expect_member(alice, "via", "\"token\"");
    expect_member(alice, "expiresAt", "\"2027-01-15T08:00:00Z\"");
    expect_member(alice, "scope",
                  "{\"domains\":[\"web-*\",\"db\"],\"hosts\":[\"lab*\",\"x\"]}");
    const json_t *permissions = json_object_get(alice, "permissions");
    struct vg_permissions shown = {0}, one;
    char unknown[VG_PERMISSION_SIZE];
    const json_t *name;
    size_t i;
    json_array_foreach (permissions, i, name) {
        assert_int_equal(vg_permissions_parse(json_string_value(name), &one, unknown), 0);
        vg_permissions_add(&shown, &one);
    }
    assert_true(vg_permissions_same(&shown, &rq->rights->permissions));
    vg_request_unref(rq);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scope),     cmocka_unit_test(test_scope_of_domains),
        cmocka_unit_test(test_permit),    cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_read_only), cmocka_unit_test(test_read_only_whoami),
        cmocka_unit_test(test_ask),       cmocka_unit_test(test_has_all),
        cmocka_unit_test(test_whoami),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
