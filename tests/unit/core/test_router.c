/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The router: literal segments before variables, backtracking, HEAD, the Allow header,
 * clashes, literals that take a name away; and that every row of the real tables is found
 * where its pattern says, whatever its objects are called.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "server/core/router.h"
#include "server/core/request.h"
#include "virtgate/cleanup.h"

static const struct vg_route domains[] = {
    {VG_GET, "/", "root", NULL},
    {VG_GET, "/domains", "list", NULL, .needs = "domain:read"},
    {VG_POST, "/domains", "define", NULL, .needs = "gateway:document"},
    {VG_GET, "/domains/stats", "stats", NULL, .needs = "domain:read", .literal = true},
    {VG_GET, "/domains/{domain}", "get", NULL, .needs = "domain:read"},
    {VG_DELETE, "/domains/{domain}", "undefine", NULL, .needs = "gateway:document"},
    {VG_PUT, "/domains/{domain}/xml", "redefine", NULL, .needs = "gateway:document",
     .literal = true},
    {VG_POST, "/domains/{domain}/start", "start", NULL, .needs = "domain:write",
     .literal = true},
    {0},
};
static const struct vg_route more[] = {
    {VG_GET, "/domains/{domain}/xml", "getXml", NULL, .needs = "domain:read",
     .literal = true},
    {VG_GET, "/domains/{domain}/{a}/{b}", "deep", NULL, .needs = "domain:read"},
    {VG_GET, "/domains/stats/all/now", "now", NULL, .needs = "domain:read",
     .literal = true},
    {0},
};
static const struct vg_route *const tables[] = {domains, more, NULL};

static int build(void **state)
{
    (void)state;
    return vg_router_build(tables);
}

static int clear(void **state)
{
    (void)state;
    vg_router_free();
    return 0;
}

/* "getXml", or "405 GET, HEAD", or "404". */
static void check_find(enum vg_method method, const char *path, const char *want)
{
    char is[128];
    const char *allow = "untouched";
    struct vg_request *rq = vg_request_new();
    assert_int_equal(vg_request_parse_target(rq, path), 0);
    const struct vg_route *row =
        vg_router_find(method, rq->segments, rq->n_segments, &allow, NULL);
    snprintf(is, sizeof(is), "%s%s",
             row     ? row->operation_id
             : allow ? "405 "
                     : "404",
             !row && allow ? allow : "");
    if (strcmp(is, want) != 0)
        fail_msg("%s: '%s' instead of '%s'", path, is, want);
    assert_true(!row || allow);
    vg_request_unref(rq);
}

static void test_find(void **state)
{
    (void)state;
    check_find(VG_GET, "/", "root");
    check_find(VG_GET, "/domains", "list");
    check_find(VG_POST, "/domains", "define");
    check_find(VG_GET, "/domains/vm", "get");
    check_find(VG_DELETE, "/domains/vm", "undefine");
    check_find(VG_GET, "/domains/vm/xml", "getXml");
    check_find(VG_PUT, "/domains/vm/xml", "redefine");
    check_find(VG_GET, "/domains/a/b/c", "deep");
}

static void test_literal_first(void **state)
{
    (void)state;
    check_find(VG_GET, "/domains/stats", "stats");
    /* by its encoding no other path */
    check_find(VG_GET, "/domains/st%61ts", "stats");
    check_find(VG_GET, "/domains/statsx", "get");
    check_find(VG_GET, "/domains/stat", "get");
    check_find(VG_GET, "/domains/Stats", "get");
    /* a literal that leads nowhere does not hide the variable */
    check_find(VG_GET, "/domains/stats/xml", "getXml");
    check_find(VG_GET, "/domains/stats/all/now", "now");
    check_find(VG_GET, "/domains/stats/all/later", "deep");
    /* but one that leads to other methods does */
    check_find(VG_DELETE, "/domains/stats", "405 GET, HEAD, OPTIONS");
}

static void test_not_found(void **state)
{
    (void)state;
    check_find(VG_GET, "/x", "404");
    check_find(VG_GET, "/domain", "404");
    check_find(VG_GET, "/domainsx", "404");
    check_find(VG_GET, "/DOMAINS", "404");
    check_find(VG_GET, "/domains/vm/y", "404");
    check_find(VG_GET, "/domains/stats/all", "404");
    check_find(VG_GET, "/domains/a/b/c/d", "404");
    check_find(VG_GET, "//domains", "404");
    check_find(VG_GET, "/domains//xml", "404");
    check_find(VG_GET, "/domains/a//c", "404");
    check_find(VG_GET, "/{domain}", "404");
    check_find(VG_GET, "/domains%2Fvm", "404");
}

static void test_methods(void **state)
{
    (void)state;
    check_find(VG_HEAD, "/domains", "list");
    check_find(VG_HEAD, "/domains/vm/xml", "getXml");
    check_find(VG_HEAD, "/domains/vm/start", "405 POST, OPTIONS");
    check_find(VG_GET, "/domains/vm/start", "405 POST, OPTIONS");
    check_find(VG_OPTIONS, "/domains", "405 GET, HEAD, POST, OPTIONS");
    check_find(VG_PATCH, "/domains/vm", "405 GET, HEAD, DELETE, OPTIONS");
    check_find(VG_POST, "/domains/vm/xml", "405 GET, HEAD, PUT, OPTIONS");
    check_find(VG_NO_METHOD, "/domains", "405 GET, HEAD, POST, OPTIONS");
}

static void test_method_names(void **state)
{
    (void)state;
    for (enum vg_method m = VG_GET; m <= VG_OPTIONS; m++)
        assert_int_equal(vg_method_parse(vg_method_name(m)), m);
    assert_int_equal(vg_method_parse("get"), VG_NO_METHOD);
    assert_int_equal(vg_method_parse("GETS"), VG_NO_METHOD);
    assert_int_equal(vg_method_parse(""), VG_NO_METHOD);
    assert_int_equal(vg_method_parse("TRACE"), VG_NO_METHOD);
    assert_int_equal(vg_method_parse("CONNECT"), VG_NO_METHOD);
}

static void test_clash(void **state)
{
    (void)state;
    /* by another name the same path */
    const struct vg_route again[] = {
        {VG_GET, "/a/{x}", "one", NULL, .needs = "domain:read"},
        {VG_POST, "/a/{y}", "two", NULL, .needs = "domain:read"},
        {VG_GET, "/a/{y}", "three", NULL, .needs = "domain:read"},
        {0}};
    const struct vg_route *const clash[] = {again, NULL};
    assert_int_equal(vg_router_build(clash), -1);
}

static void test_unknown_permission(void **state)
{
    (void)state;
    static const struct vg_route rows[] = {
        {VG_GET, "/a", "good", NULL, .needs = "domain:getattr domain:read"},
        {VG_GET, "/b", "bad", NULL, .needs = "domain:getattr domain:reed"},
        {0},
    };
    const struct vg_route *const bad[] = {rows, NULL};
    assert_int_equal(vg_router_build(bad), -1);
}

/* HEAD needs what GET needs; the row of another method something else. */
static void test_needs(void **state)
{
    (void)state;
    const char *const segments[] = {"domains", "a"};
    const struct vg_permissions *needs;
    const char *allow;

    assert_non_null(vg_router_find(VG_HEAD, segments, 2, &allow, &needs));
    assert_int_equal(vg_permissions_role(needs), VG_ROLE_VIEWER);
    assert_non_null(vg_router_find(VG_DELETE, segments, 2, &allow, &needs));
    assert_int_equal(vg_permissions_role(needs), VG_ROLE_ADMIN);
    const char *const nowhere[] = {"nowhere"};
    assert_null(vg_router_find(VG_GET, nowhere, 1, &allow, &needs));
    assert_null(needs);
}

/* What a literal of the table could take away from an object of that name. */
static void test_literal_names(void **state)
{
    (void)state;
    static const struct vg_route tables_of[][3] = {
        {{VG_GET, "/a/{x}", "", NULL, .needs = "domain:read"},
         {VG_GET, "/a/b", "", NULL, .needs = "domain:read"}},
        {{VG_POST, "/a/b", "", NULL, .needs = "domain:read"},
         {VG_GET, "/a/{x}", "", NULL, .needs = "domain:read"}},
        {{VG_GET, "/a/{x}/c", "", NULL, .needs = "domain:read"},
         {VG_GET, "/a/b/d", "", NULL, .needs = "domain:read"}},
        {{VG_GET, "/{x}", "", NULL, .needs = "domain:read"},
         {VG_DELETE, "/b/c/d", "", NULL, .needs = "domain:read"}},
        {{VG_GET, "/a/{x}/{y}", "", NULL, .needs = "domain:read"},
         {VG_PUT, "/a/{x}/b/{z}", "", NULL, .needs = "domain:read"}},
        /* the row that says it does not say it for another */
        {{VG_GET, "/a/{x}", "", NULL, .needs = "domain:read", .literal = true},
         {VG_GET, "/a/b", "", NULL, .needs = "domain:read"}},
    };
    static const struct vg_route beside[] = {
        {VG_GET, "/a/{x}", "", NULL, .needs = "domain:read"},
        {VG_GET, "/a-b", "", NULL, .needs = "domain:read"},
        {VG_GET, "/a/{x}/b", "", NULL, .needs = "domain:read"},
        {VG_GET, "/a/b/c", "", NULL, .needs = "domain:read", .literal = true},
        {0},
    };
    for (size_t i = 0; i < sizeof(tables_of) / sizeof(tables_of[0]); i++) {
        const struct vg_route *const bad[] = {tables_of[i], NULL};
        if (vg_router_build(bad) == 0)
            fail_msg("table %zu takes a name away", i);
        vg_router_free();
    }
    const struct vg_route *const good[] = {beside, NULL};
    assert_int_equal(vg_router_build(good), 0);
}

static void test_empty(void **state)
{
    (void)state;
    const struct vg_route *const none[] = {NULL};
    assert_int_equal(vg_router_build(none), 0);
    check_find(VG_GET, "/", "404");
    check_find(VG_GET, "/domains", "404");
}

/* "/domains/{domain}/xml" becomes "/domains/some-name/xml". */
static void fill_pattern(const char *pattern, const char *name, int length, char *out,
                         size_t size)
{
    size_t n = 0;
    for (const char *p = pattern; *p;) {
        size_t skip = *p == '{' ? strcspn(p, "}") + 1 : 1;
        n += (size_t)snprintf(out + n, size - n, "%.*s", *p == '{' ? length : 1,
                              *p == '{' ? name : p);
        p += skip;
    }
}

/* Whether a row says that its last segment, this name, is no name where this row ends. */
static bool is_reserved(const struct vg_route *row, const char *name, int length)
{
    const char *end = strrchr(row->pattern, '/');

    for (const struct vg_route *const *table = vg_route_tables; *table; table++)
        for (const struct vg_route *r = *table; r->pattern; r++) {
            const char *last = strrchr(r->pattern, '/');
            if (r->literal && last - r->pattern == end - row->pattern &&
                strncmp(r->pattern, row->pattern, (size_t)(end - row->pattern)) == 0 &&
                (int)strlen(last + 1) == length &&
                strncmp(last + 1, name, (size_t)length) == 0)
                return true;
        }
    return false;
}

/* Objects that are called like this segment are found as any other. */
static void check_name(const char *name, int length)
{
    char path[256];

    for (const struct vg_route *const *table = vg_route_tables; *table; table++) {
        for (const struct vg_route *row = *table; row->pattern; row++) {
            if (is_reserved(row, name, length))
                continue;
            fill_pattern(row->pattern, name, length, path, sizeof(path));
            check_find(row->method, path, row->operation_id);
        }
    }
}

static void check_names(const struct vg_route *row)
{
    for (const char *p = row->pattern; *p == '/';) {
        int length = (int)strcspn(++p, "/");
        bool last = p[length] == '\0';
        if (length && *p != '{' && !(last && row->literal))
            check_name(p, length);
        p += length;
    }
}

static void check_row(const struct vg_route *row)
{
    char path[256];
    fill_pattern(row->pattern, "some-name", 9, path, sizeof(path));
    check_find(row->method, path, row->operation_id);
    check_names(row);
    assert_non_null(row->handler);
    if (row->shared && !vg_route_is_read(row))
        fail_msg("%s: only reads are shared", row->operation_id);
    if (vg_route_has_all_hosts(row) && row->method != VG_GET)
        fail_msg("%s: only GET is asked of every host", row->operation_id);
    assert_true(row->method != VG_HEAD && row->method != VG_OPTIONS);
}

static void test_real_tables(void **state)
{
    (void)state;
    size_t n = 0;
    assert_int_equal(vg_router_build(vg_route_tables), 0);
    for (const struct vg_route *const *table = vg_route_tables; *table; table++) {
        for (const struct vg_route *row = *table; row->pattern; row++, n++)
            check_row(row);
    }
    assert_true(n > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_find, build, clear),
        cmocka_unit_test_setup_teardown(test_literal_first, build, clear),
        cmocka_unit_test_setup_teardown(test_not_found, build, clear),
        cmocka_unit_test_setup_teardown(test_methods, build, clear),
        cmocka_unit_test(test_method_names),
        cmocka_unit_test_setup_teardown(test_needs, build, clear),
        cmocka_unit_test_teardown(test_clash, clear),
        cmocka_unit_test_teardown(test_unknown_permission, clear),
        cmocka_unit_test_teardown(test_literal_names, clear),
        cmocka_unit_test_teardown(test_empty, clear),
        cmocka_unit_test_teardown(test_real_tables, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
