/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Texts that XML cannot hold: refused in the query's keys and values, in every kind of
 * member, in keys and items at any depth; what XML has passes, and so does what is made
 * into no document. Numbers of the path.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/request.h"
#include "server/base/xml_text.h"

static const struct vg_route route = {
    VG_POST, "/domains/{domain}/paint/{color}", "paintDomain",
    NULL,    .needs = "domain:write",           .takes = VG_TAKES_ARGS};
static const struct vg_route secret = {
    VG_POST, "/domains/{domain}/paint/{color}", "paintDomain",
    NULL,    .needs = "gateway:document",       .takes = VG_TAKES_SECRET};

static struct vg_request *make_request(const char *color, const char *query,
                                       const char *body)
{
    char target[256];
    struct vg_request *rq = vg_request_new();
    snprintf(target, sizeof(target), "/domains/vm/paint/%s?%s", color, query);
    assert_int_equal(vg_request_parse_target(rq, target), 0);
    rq->route = &route;
    rq->body_kind = VG_BODY_JSON;
    rq->body = strdup(body);
    rq->body_length = strlen(body);
    return rq;
}

static int read_values(struct vg_request *rq)
{
    const char *text = NULL, *other = NULL;
    json_t *tree = NULL, *command = NULL, *rest = NULL;
    const struct vg_field fields[] = {
        VG_TEXT("text", &text),          VG_TEXT("other", &other), VG_JSON("tree", &tree),
        VG_COMMAND("command", &command), VG_REST(&rest),           VG_END};

    if (vg_request_common_args(rq) < 0 || vg_request_parse_body(rq) < 0)
        return -1;
    return vg_args(rq, fields);
}

/* `words`: what the refusal says; NULL: it is accepted. */
static void check_values(const char *query, const char *body, const char *words)
{
    struct vg_request *rq = make_request("red", query, body);
    int rc = read_values(rq);
    if (rc != (words ? -1 : 0) || (words && !strstr(rq->error.detail, words)))
        fail_msg("%s %s: %s", query, body, rq->error.detail ? rq->error.detail : "fine");
    if (words)
        assert_string_equal(rq->error.slug, "invalid-value");
    vg_request_unref(rq);
}

static void test_query(void **state)
{
    (void)state;
    check_values("text=%01", "{}", "'text' holds");
    check_values("text=a%1Bb", "{}", "U+001B");
    check_values("text=%EF%BF%BE", "{}", "U+FFFE");
    check_values("text=a%0Db", "{}", "U+000D");
    check_values("text=a%0D", "{}", "U+000D");
    check_values("text=a%0D%0Ab%0D%0A", "{}", NULL);
    check_values("text=%EF%BF%BF", "{}", "U+FFFF");
    check_values("text=%ED%A0%80", "{}", "not UTF-8");
    check_values("text=%ED%BF%BF", "{}", "not UTF-8");
    check_values("text=%FF", "{}", "not UTF-8");
    check_values("text=%C3", "{}", "not UTF-8");
    check_values("nosuch%01=1", "{}", "A query key");
    check_values("numbers=%01", "{}", "'numbers'");
    check_values("text=%09%0D%0A%7F%C2%80%EF%BF%BD%F0%9F%BF%BF", "{}", NULL);
}

static void test_body(void **state)
{
    (void)state;
    check_values("", "{\"text\": \"\\u0001\"}", "'text' holds");
    check_values("", "{\"text\": \"\\r\\r\\n\"}", "(U+000D)");
    check_values("", "{\"other\": \"\\uffff\"}", "'other' holds");
    check_values("", "{\"tree\": \"\\ufffe\"}", "'tree' holds");
    check_values("", "{\"tree\": [1, [\"a\", \"\\u0008\"]]}", "'tree/1/1' holds");
    check_values("", "{\"tree\": {\"a\": {\"b\": \"\\u001f\"}}}", "'tree/a/b' holds");
    check_values("", "{\"tree\": {\"a\": {\"b\\u0001\": 1}}}", "A key in body member");
    check_values("", "{\"x\": {\"a\": \"\\u0001\"}}", "'x/a' holds");
    check_values("", "{\"x\\u0001\": 1}", "A key of the body");
    check_values("", "{\"text\": \"\\t\\r\\n\\u007f\\ufffd\\ud83f\\udfff\"}", NULL);
    check_values("", "{\"tree\": {\"a\": [null, true, 1.5, \"\\u0020\"]}}", NULL);
    check_values("", "{\"command\": {\"a\\u0001\": [\"\\u001b[0m\\uffff\"]}}", NULL);
}

/* Of a secret not even that character is told. */
static void test_secret(void **state)
{
    (void)state;
    struct vg_request *rq = make_request("red", "", "{\"text\": \"\\u0001\"}");
    rq->route = &secret;
    assert_int_equal(read_values(rq), -1);
    assert_null(strstr(rq->error.detail, "U+0001"));
    vg_request_unref(rq);
}

static void test_path(void **state)
{
    (void)state;
    struct vg_request *rq = make_request("red%0A", "", "{}");
    assert_string_equal(vg_path_text(rq, "color"), "red\n");
    vg_request_unref(rq);
    const char *const bad[] = {"%01", "a%EF%BF%BF", "%ED%A0%80", "%80"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        rq = make_request(bad[i], "", "{}");
        assert_null(vg_path_text(rq, "color"));
        assert_string_equal(rq->error.slug, "invalid-value");
        vg_request_unref(rq);
    }
}

/* All code points, against XML 1.0's own list. */
static void test_characters(void **state)
{
    (void)state;
    for (int c = 1; c < 0x110000; c++) {
        char s[5] = "";
        if (c < 0x80) {
            s[0] = (char)c;
        } else if (c < 0x800) {
            s[0] = (char)(0xC0 | c >> 6);
            s[1] = (char)(0x80 | (c & 0x3F));
        } else if (c < 0x10000) {
            s[0] = (char)(0xE0 | c >> 12);
            s[1] = (char)(0x80 | (c >> 6 & 0x3F));
            s[2] = (char)(0x80 | (c & 0x3F));
        } else {
            s[0] = (char)(0xF0 | c >> 18);
            s[1] = (char)(0x80 | (c >> 12 & 0x3F));
            s[2] = (char)(0x80 | (c >> 6 & 0x3F));
            s[3] = (char)(0x80 | (c & 0x3F));
        }
        bool has = c == 0x9 || c == 0xA || c == 0xD || (c >= 0x20 && c <= 0xD7FF) ||
                   (c >= 0xE000 && c <= 0xFFFD) || c >= 0x10000;
        int want = has ? 0 : c >= 0xD800 && c <= 0xDFFF ? VG_XML_NOT_UTF8 : c;
        if (vg_xml_bad_character(s, strlen(s)) != want)
            fail_msg("U+%04X", (unsigned int)c);
    }
}

static void test_namespaces(void **state)
{
    (void)state;
    assert_null(vg_xml_namespace_fault("p", "http://virtgate.example/a"));
    assert_null(vg_xml_namespace_fault(NULL, ""));
    assert_null(vg_xml_namespace_fault("p-1.\xC3\xBC", "urn:a'> "));
    assert_null(vg_xml_namespace_fault("p", "urn:\"> "));
    const char *const keys[] = {"", "1", "-a", "a b", "a:b", "xml", "xmlns", "<", "a/"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        assert_non_null(vg_xml_namespace_fault(keys[i], "u"));
    const char *const uris[] = {"",
                                "a&b",
                                "a<b",
                                "a\tb",
                                "a\nb",
                                "'a\"b",
                                "http://www.w3.org/2000/xmlns/",
                                "http://www.w3.org/XML/1998/namespace"};
    for (size_t i = 0; i < sizeof(uris) / sizeof(uris[0]); i++)
        assert_non_null(vg_xml_namespace_fault("p", uris[i]));
}

static void check_path_number(const char *segment, int64_t max, long want)
{
    char target[128];
    unsigned int number = 77;
    struct vg_request *rq = vg_request_new();
    snprintf(target, sizeof(target), "/domains/%s/paint", segment);
    assert_int_equal(vg_request_parse_target(rq, target), 0);
    rq->route = &route;
    int rc = vg_path_number(rq, "domain", max, &number);
    if (rc != (want < 0 ? -1 : 0) || number != (want < 0 ? 77 : (unsigned int)want))
        fail_msg("%s gives %d, %u", segment, rc, number);
    if (want < 0)
        assert_string_equal(rq->error.slug, "invalid-value");
    vg_request_unref(rq);
}

static void test_path_number(void **state)
{
    (void)state;
    check_path_number("0", 10, 0);
    check_path_number("10", 10, 10);
    check_path_number("007", 10, 7);
    check_path_number("2147483647", INT32_MAX, INT32_MAX);
    check_path_number("11", 10, -1);
    check_path_number("-1", 10, -1);
    check_path_number("1x", 10, -1);
    check_path_number("x", 10, -1);
    check_path_number("99999999999999999999999999", INT32_MAX, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path_number), cmocka_unit_test(test_query),
        cmocka_unit_test(test_body),        cmocka_unit_test(test_secret),
        cmocka_unit_test(test_path),        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_namespaces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
