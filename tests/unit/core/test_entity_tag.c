/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Entity tags (RFC 9110, 8.8.3): what they are written as, and If-Match lists.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "server/core/entity_tag.h"

#define HASH 0x0123456789abcdefULL

static uint64_t passing; /* of what is written */

static void check_written(const char *target, enum vg_accept accept, bool gzip,
                          const char *want)
{
    static const struct vg_route route = {
        VG_GET, "/domains/{domain}",    "get",
        NULL,   .needs = "domain:read", .gives = VG_GIVES_JSON_OR_XML};
    char tag[VG_TAG_SIZE];
    struct vg_request *rq = vg_request_new();

    assert_int_equal(vg_request_parse_target(rq, target), 0);
    rq->route = &route;
    rq->accept = accept;
    vg_tag_write(tag, rq, &(struct vg_body){.hash = HASH, .passing_hash = passing}, gzip);
    assert_string_equal(tag, want);
    vg_request_unref(rq);
}

static void test_written(void **state)
{
    (void)state;
    check_written("/domains/a", VG_ACCEPT_JSON, false, "\"0123456789abcdef\"");
    check_written("/domains/a", VG_ACCEPT_JSON, true, "\"0123456789abcdef-gz\"");
    check_written("/domains/a", VG_ACCEPT_XML, true, "\"0123456789abcdef-xml-gz\"");
    check_written("/domains/a?fields=id,name", VG_ACCEPT_NOTHING_SAID, false,
                  "\"0123456789abcdef?fields=id,name\"");
    check_written("/domains/a?x=\"", VG_ACCEPT_JSON, false, "\"0123456789abcdef\"");
    check_written("/domains/a?x=\x80", VG_ACCEPT_JSON, false, "\"0123456789abcdef\"");
    passing = 0xfedcULL;
    check_written("/domains/a?by=name", VG_ACCEPT_JSON, true,
                  "\"0123456789abcdef.000000000000fedc-gz?by=name\"");
    passing = 0;
}

/* As long a query as there is room for, and one byte more. */
static void test_long_query(void **state)
{
    char target[2 * VG_TAG_SIZE] = "/domains/a?", want[3 * VG_TAG_SIZE];
    size_t head = strlen("/domains/a"),
           n = VG_TAG_SIZE - strlen("\"0123456789abcdef\"") - 1;
    (void)state;

    memset(target + head + 1, 'q', n - 1);
    snprintf(want, sizeof(want), "\"0123456789abcdef%s\"", target + head);
    assert_int_equal(strlen(want), VG_TAG_SIZE - 1);
    check_written(target, VG_ACCEPT_JSON, false, want);
    check_written(target, VG_ACCEPT_JSON, true, "\"0123456789abcdef-gz\"");
    target[head + n] = 'q';
    check_written(target, VG_ACCEPT_JSON, false, "\"0123456789abcdef\"");
}

/* What is read of a list: "HASH[+xml][?query]" for each. */
static void check_read(const char *list, const char *want)
{
    struct vg_tag tag;
    char is[512] = "";
    size_t n = 0;

    for (const char *p = list; vg_tag_next(&p, &tag);)
        n += (size_t)snprintf(is + n, sizeof(is) - n, "%s%llx%s%.*s", n ? " " : "",
                              (unsigned long long)tag.hash, tag.xml ? "+xml" : "",
                              (int)tag.query_length, tag.query);
    assert_string_equal(is, want);
}

static void test_read(void **state)
{
    (void)state;
    check_read("\"0123456789abcdef\"", "123456789abcdef");
    check_read("\"0123456789abcdef-gz?a=1,2\"", "123456789abcdef?a=1,2");
    check_read("\"0123456789abcdef-xml-gz?a\" ,\t\"0000000000000001\"",
               "123456789abcdef+xml?a 1");
    check_read("\"0\", W/\"0000000000000001\", \"\", \"0000000000000002\"", "2");
    check_read("\"0123456789abcdef.00000000000000ff\"", "123456789abcdef");
    check_read("\"0123456789abcdef.00000000000000ff-xml-gz?a\"", "123456789abcdef+xml?a");
    check_read("\"0123456789abcdef.\", \"0123456789abcdef.00\"", "");
    check_read("*", "");
    check_read("", "");
    check_read("\"0000000000000001", "");
    check_read("0000000000000001", "");
    check_read("\"000000000000000g\"", "");
    check_read("\"00000000000000012\"", "");
    check_read("\"0000000000000001-gz-xml\"", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written),
        cmocka_unit_test(test_long_query),
        cmocka_unit_test(test_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
