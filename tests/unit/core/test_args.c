/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Arguments: every kind of field in the query and in the JSON body, and each refusal with
 * the error it gives.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/request.h"
#include "virtgate/cleanup.h"
#include "virtgate/cpumap.h"

static const struct vg_enum_value color_values[] = {
    {"red", NULL, 1}, {"green", NULL, 2}, {"light-blue", NULL, 4}};
static const struct vg_enum colors = {"colors", color_values, 3};

static const struct vg_route route = {
    VG_POST, "/domains/{domain}/paint", "paintDomain",
    NULL,    .needs = "domain:write",   .takes = VG_TAKES_ARGS};

struct values {
    const char *text;
    bool yes;
    int maybe;
    int64_t number;
    uint64_t address;
    int color;
    unsigned int flags;
    json_t *tree;
};

static struct vg_request *make_request(const char *query, const char *body)
{
    char target[512];
    struct vg_request *rq = vg_request_new();
    snprintf(target, sizeof(target), "/domains/vm/paint%s%s", query ? "?" : "",
             query ? query : "");
    assert_int_equal(vg_request_parse_target(rq, target), 0);
    rq->route = &route;
    if (body) {
        rq->body_kind = VG_BODY_JSON;
        rq->body = strdup(body);
        rq->body_length = strlen(body);
    }
    return rq;
}

static int read_values(struct vg_request *rq, struct values *v)
{
    const struct vg_field fields[] = {
        VG_TEXT("text", &v->text),
        VG_BOOL("yes", &v->yes),
        VG_MAYBE("maybe", &v->maybe),
        VG_NUMBER("number", &v->number, -5, 1000),
        VG_UNSIGNED("address", &v->address),
        VG_ONE_OF("color", &v->color, &colors),
        VG_NAMES("flags", &v->flags, &colors),
        VG_JSON("tree", &v->tree),
        VG_END,
    };
    if (vg_request_common_args(rq) < 0 || vg_request_parse_body(rq) < 0)
        return -1;
    return vg_args(rq, fields);
}

static const struct values unset = {
    .text = "-", .maybe = -1, .number = 77, .color = 9, .flags = 8};

/* Those that differ from `unset`, as "text=a number=5". */
static void describe(const struct values *v, char *out, size_t size)
{
    size_t n = 0;
    out[0] = '\0';
#define SAY(...) n += (size_t)snprintf(out + n, size - n, __VA_ARGS__)
    if (strcmp(v->text, "-") != 0)
        SAY(" text=%s", v->text);
    if (v->yes)
        SAY(" yes");
    if (v->maybe != unset.maybe)
        SAY(" maybe=%d", v->maybe);
    if (v->number != unset.number)
        SAY(" number=%" PRId64, v->number);
    if (v->address != unset.address)
        SAY(" address=%" PRIu64, v->address);
    if (v->color != unset.color)
        SAY(" color=%d", v->color);
    if (v->flags != unset.flags)
        SAY(" flags=%u", v->flags);
    if (v->tree) {
        vg_autofree char *tree =
            json_dumps(v->tree, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
        SAY(" tree=%s", tree);
    }
#undef SAY
}

static void check_good(const char *query, const char *body, const char *want)
{
    char is[512];
    struct values v = unset;
    struct vg_request *rq = make_request(query, body);
    if (read_values(rq, &v) < 0)
        fail_msg("%s %s: refused: %s", query, body, rq->error.detail);
    describe(&v, is, sizeof(is));
    if (strcmp(is[0] ? is + 1 : is, want) != 0)
        fail_msg("%s %s: '%s' instead of '%s'", query, body, is, want);
    vg_request_unref(rq);
}

/* `words`: what the detail says, among other things. */
static void check_bad(const char *query, const char *body, const char *slug,
                      const char *words)
{
    struct values v = unset;
    struct vg_request *rq = make_request(query, body);
    if (read_values(rq, &v) == 0)
        fail_msg("%s %s: accepted", query, body);
    assert_int_equal(rq->error.status, 400);
    assert_string_equal(rq->error.slug, slug);
    if (!strstr(rq->error.detail, words))
        fail_msg("%s %s: '%s' does not say '%s'", query, body, rq->error.detail, words);
    vg_request_unref(rq);
}

static void test_nothing(void **state)
{
    (void)state;
    check_good(NULL, NULL, "");
    check_good("", NULL, "");
    check_good(NULL, "", "");
    check_good(NULL, "{}", "");
    check_good(NULL, " \n{ }\t", "");
}

static void test_text(void **state)
{
    (void)state;
    check_good("text=a+b%2Bc", NULL, "text=a b+c");
    check_good("text=", NULL, "text=");
    check_good(NULL, "{\"text\": \"\\u00fc\"}", "text=\xC3\xBC");
    check_bad(NULL, "{\"text\": 1}", "invalid-value", "a string");
    check_bad(NULL, "{\"text\": null}", "invalid-value", "'text'");
}

static void test_bool(void **state)
{
    (void)state;
    const char *const yes[] = {"true", "1", "yes", "on"};
    const char *const no[] = {"false", "0", "no", "off"};
    for (size_t i = 0; i < 4; i++) {
        char query[32];
        snprintf(query, sizeof(query), "yes=%s&maybe=%s", yes[i], no[i]);
        check_good(query, NULL, "yes maybe=0");
        snprintf(query, sizeof(query), "yes=%s&maybe=%s", no[i], yes[i]);
        check_good(query, NULL, "maybe=1");
    }
    check_good(NULL, "{\"yes\": true, \"maybe\": false}", "yes maybe=0");
    check_bad("yes", NULL, "invalid-value", "true or false");
    check_bad("yes=TRUE", NULL, "invalid-value", "true or false");
    check_bad("maybe=2", NULL, "invalid-value", "true or false");
    check_bad(NULL, "{\"yes\": 1}", "invalid-value", "true or false");
    check_bad(NULL, "{\"maybe\": \"true\"}", "invalid-value", "true or false");
    check_bad(NULL, "{\"maybe\": null}", "invalid-value", "true or false");
}

static void test_number(void **state)
{
    (void)state;
    check_good("number=-5", NULL, "number=-5");
    check_good("number=1000", NULL, "number=1000");
    check_good("number=007", NULL, "number=7");
    check_good(NULL, "{\"number\": -5}", "number=-5");
    check_good(NULL, "{\"number\": 1000}", "number=1000");
    check_bad("number=-6", NULL, "invalid-value", "-5 to 1000");
    check_bad("number=1001", NULL, "invalid-value", "-5 to 1000");
    check_bad(NULL, "{\"number\": 1001}", "invalid-value", "-5 to 1000");
    check_bad(NULL, "{\"number\": -6}", "invalid-value", "-5 to 1000");
    check_bad(NULL, "{\"number\": 1.0}", "invalid-value", "an integer");
    check_bad(NULL, "{\"number\": \"1\"}", "invalid-value", "an integer");
    const char *const not_numbers[] = {
        "number=",
        "number=1.0",
        "number=1e2",
        "number=0x10",
        "number=+1",
        "number=%2B1",
        "number=%201",
        "number=1%20",
        "number=%091",
        "number=%0D%0A1",
        "number=--1",
        "number=99999999999999999999",
        "number=-99999999999999999999",
    };
    for (size_t i = 0; i < sizeof(not_numbers) / sizeof(not_numbers[0]); i++)
        check_bad(not_numbers[i], NULL, "invalid-value", "an integer");
}

static void test_unsigned(void **state)
{
    (void)state;
    check_good("address=1", NULL, "address=1");
    check_good("address=18446744073709551615", NULL, "address=18446744073709551615");
    check_good("address=0xffffffff81000000", NULL, "address=18446744071578845184");
    check_good("address=0xFf", NULL, "address=255");
    check_good(NULL, "{\"address\": 4096}", "address=4096");
    check_good("address=0&text=a", NULL, "text=a");
    check_good(NULL, "{\"address\": 0, \"text\": \"a\"}", "text=a");
    check_good(NULL, "{\"address\": \"18446744073709551615\"}",
               "address=18446744073709551615");
    check_bad(NULL, "{\"address\": -1}", "invalid-value", "18446744073709551615");
    check_bad(NULL, "{\"address\": 1.5}", "invalid-value", "18446744073709551615");
    check_bad(NULL, "{\"address\": null}", "invalid-value", "18446744073709551615");
    const char *const bad[] = {"",
                               "-1",
                               "%2B1",
                               "0x",
                               "0x-1",
                               "0xg",
                               "1a",
                               "%201",
                               "1%20",
                               "0X10",
                               "1e3",
                               "0x0x1",
                               "18446744073709551616",
                               "0x10000000000000000"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char query[64];
        snprintf(query, sizeof(query), "address=%s", bad[i]);
        check_bad(query, NULL, "invalid-value", "0x1000");
    }
}

static void test_enum(void **state)
{
    (void)state;
    check_good("color=light-blue", NULL, "color=4");
    check_good(NULL, "{\"color\": \"red\"}", "color=1");
    check_bad("color=", NULL, "unknown-value", "red, green, light-blue");
    check_bad("color=re", NULL, "unknown-value", "'re' is not known");
    check_bad("color=redd", NULL, "unknown-value", "red, green, light-blue");
    check_bad("color=Red", NULL, "unknown-value", "red, green, light-blue");
    check_bad("color=red,green", NULL, "unknown-value", "red, green, light-blue");
    check_bad(NULL, "{\"color\": \"blue\"}", "unknown-value", "red, green, light-blue");
    check_bad(NULL, "{\"color\": 1}", "invalid-value", "a name");
    check_bad(NULL, "{\"color\": [\"red\"]}", "invalid-value", "a name");
}

static void test_flags(void **state)
{
    (void)state;
    check_good("flags=", NULL, "flags=0");
    check_good("flags=red", NULL, "flags=1");
    check_good("flags=red,light-blue", NULL, "flags=5");
    check_good("flags=red,red", NULL, "flags=1");
    check_good(NULL, "{\"flags\": []}", "flags=0");
    check_good(NULL, "{\"flags\": [\"green\", \"light-blue\"]}", "flags=6");
    check_bad("flags=blue", NULL, "unknown-flag", "red, green, light-blue");
    check_bad("flags=red,,green", NULL, "unknown-flag", "'' is not known");
    check_bad("flags=red,%20green", NULL, "unknown-flag", "' green' is not known");
    check_bad(NULL, "{\"flags\": [\"pink\"]}", "unknown-flag", "'pink'");
    check_bad(NULL, "{\"flags\": [\"red,green\"]}", "unknown-flag", "'red,green'");
    check_bad(NULL, "{\"flags\": [1]}", "invalid-value", "an array of names");
    check_bad(NULL, "{\"flags\": \"red\"}", "invalid-value", "an array of names");
    check_bad(NULL, "{\"flags\": 3}", "invalid-value", "an array of names");
}

static void test_tree(void **state)
{
    (void)state;
    check_good(NULL, "{\"tree\": {\"b\": [1], \"a\": null}}",
               "tree={\"a\":null,\"b\":[1]}");
    check_good(NULL, "{\"tree\": 5}", "tree=5");
    check_bad("tree=5", NULL, "unknown-key", "'tree' is not known here");
}

static void test_keys(void **state)
{
    (void)state;
    check_good("text=a", "{\"number\": 5}", "text=a number=5");
    check_bad("txt=a", NULL, "unknown-key", "text, yes, maybe");
    check_bad("Text=a", NULL, "unknown-key", "numbers, by");
    check_bad("=a", NULL, "unknown-key", "''");
    /* a tree cannot be given in the query, so it is not named there */
    check_bad("txt=a", NULL, "unknown-key", "color, flags, numbers, by");
    check_bad(NULL, "{\"txt\": 1}", "unknown-key", "color, flags, tree");
    check_bad(NULL, "{\"txt\": 1}", "unknown-key", "text, yes, maybe");
    check_bad(NULL, "{\"\": 1}", "unknown-key", "''");
    /* the keys of every route are the query's */
    check_bad(NULL, "{\"numbers\": \"string\"}", "unknown-key", "'numbers'");
    check_bad("text=a", "{\"text\": \"a\"}", "duplicate-key", "query and in the body");
    check_bad("flags=", "{\"flags\": []}", "duplicate-key", "query and in the body");
}

static void test_bodies(void **state)
{
    (void)state;
    check_bad(NULL, "{\"text\": \"a\", \"text\": \"a\"}", "duplicate-key", "line 1");
    check_bad(NULL, "{\"tree\": {\"a\": 1, \"a\": 1}}", "duplicate-key", "line 1");
    const char *const bodies[] = {
        "{",
        "[]",
        "null",
        "1",
        "\"text\"",
        "{} {}",
        "{}x",
        "{'text': 1}",
        "{text: 1}",
        "{\"a\": 1,}",
        "{\"a\": 01}",
        "{\"a\": 1e999}",
        "{\"a\": NaN}",
        "{\"tree\": \"\xFF\"}",
        "{\"tree\": \"\\u0000\"}",
        "{\"tree\": \"\\uD800\"}",
        "{\"tree\": 99999999999999999999}",
        "{\"tree\": \"a\nb\"}",
        "\xEF\xBB\xBF{}",
        "// {}",
    };
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        check_bad(NULL, bodies[i], "invalid-json", "");
    /* depth is bounded before the stack is */
    char deep[6001];
    memset(deep, '[', 6000);
    deep[6000] = '\0';
    check_bad(NULL, deep, "invalid-json", "");
}

/* What jansson quotes of a body stays untold where it may be a secret. */
static void test_quoted(void **state)
{
    (void)state;
    static const struct vg_route secret = {
        VG_PUT, "/secrets/{secret}/value", "setSecret",
        NULL,   .needs = "secret:write",   .takes = VG_TAKES_SECRET};
    check_bad(NULL, "{\"text\": \"a\" \"b\"}", "invalid-json", " near '\"b\"'");
    const char *const hidden[] = {"{\"password\": \"a\" \"s3cret\"}",
                                  "{\"value\": \"a\" \"s3cret\"}"};
    for (size_t i = 0; i < 2; i++) {
        struct vg_request *rq = make_request(NULL, hidden[i]);
        if (i)
            rq->route = &secret;
        assert_int_equal(vg_request_parse_body(rq), -1);
        assert_string_equal(rq->error.slug, "invalid-json");
        assert_non_null(strstr(rq->error.detail, "line 1 column "));
        assert_null(strstr(rq->error.detail, "s3cret"));
        vg_request_unref(rq);
    }
    check_bad(NULL, "{\"tree\": \"\\u0000\"}", "invalid-json", "a string has no \\u0000");
}

/* A body is parsed once, and one that is no JSON is not. */
static void test_parse_once(void **state)
{
    (void)state;
    struct vg_request *rq = make_request(NULL, "{\"text\": \"a\"}");
    assert_int_equal(vg_request_parse_body(rq), 0);
    const json_t *parsed = rq->json;
    assert_int_equal(vg_request_parse_body(rq), 0);
    assert_ptr_equal(rq->json, parsed);
    vg_request_unref(rq);
    rq = make_request(NULL, "<domain/>");
    rq->body_kind = VG_BODY_XML;
    assert_int_equal(vg_request_parse_body(rq), 0);
    assert_null(rq->json);
    vg_request_unref(rq);
}

/* A NUL byte ends no body: what follows it counts. */
static void test_nul_in_body(void **state)
{
    (void)state;
    struct values v = unset;
    struct vg_request *rq = make_request(NULL, "{} garbage");
    rq->body[2] = '\0';
    assert_int_equal(read_values(rq, &v), -1);
    assert_string_equal(rq->error.slug, "invalid-json");
    vg_request_unref(rq);
}

static void test_required(void **state)
{
    (void)state;
    const char *text = NULL;
    bool yes = false;
    const struct vg_field fields[] = {VG_NEED_TEXT("text", &text),
                                      VG_NEED_BOOL("yes", &yes), VG_END};
    struct vg_request *rq = make_request("yes=false", NULL);
    assert_int_equal(vg_args(rq, fields), -1);
    assert_string_equal(rq->error.slug, "missing-key");
    assert_string_equal(rq->error.detail, "'text' is missing");
    vg_request_unref(rq);

    rq = make_request("yes=true", "{\"text\": \"x\"}");
    assert_int_equal(vg_request_parse_body(rq), 0);
    assert_int_equal(vg_args(rq, fields), 0);
    assert_string_equal(text, "x");
    assert_true(yes);
    vg_request_unref(rq);
}

/* An object that is a part of the body, by a table of its own. */
static void check_part(const char *body, const char *detail)
{
    const char *name = NULL;
    int64_t size = 7;
    const struct vg_field fields[] = {VG_NEED_TEXT("name", &name),
                                      VG_NUMBER("size", &size, 0, 9), VG_END};
    struct vg_request *rq = make_request(NULL, NULL);
    json_auto_t *part = json_loads(body, JSON_DECODE_ANY, NULL);

    assert_non_null(part);
    if (vg_args_object(rq, "disks/0", part, fields) < 0) {
        if (!detail)
            fail_msg("%s is refused: %s", body, rq->error.detail);
        assert_non_null(strstr(rq->error.detail, "disks/0"));
        if (detail)
            assert_non_null(strstr(rq->error.detail, detail));
    } else {
        if (detail)
            fail_msg("%s is accepted", body);
        assert_string_equal(name, "a");
        assert_int_equal(size, strstr(body, "size") ? 3 : 7);
    }
    vg_request_unref(rq);
}

static void test_part(void **state)
{
    (void)state;
    check_part("{\"name\": \"a\", \"size\": 3}", NULL);
    check_part("{\"name\": \"a\"}", NULL);
    check_part("{\"size\": 3}", "name");
    check_part("{}", "name");
    check_part("{\"name\": \"a\", \"size\": 10}", "size");
    check_part("{\"name\": \"a\", \"more\": 1}", "more");
    check_part("[]", "an object");
}

static void test_refuse_body(void **state)
{
    (void)state;
    struct vg_request *rq = make_request(NULL, "{}");
    assert_int_equal(vg_request_parse_body(rq), 0);
    assert_int_equal(vg_request_refuse_args(rq), 0);
    vg_request_unref(rq);
    rq = make_request(NULL, "{\"a\": 1}");
    assert_int_equal(vg_request_parse_body(rq), 0);
    assert_int_equal(vg_request_refuse_args(rq), -1);
    assert_string_equal(rq->error.slug, "unknown-key");
    assert_non_null(strstr(rq->error.detail, "accepted: none"));
    vg_request_unref(rq);
}

static void check_peek(const char *query, const char *body, bool want)
{
    struct vg_request *rq = make_request(query, body);
    assert_int_equal(vg_request_parse_body(rq), 0);
    assert_int_equal(vg_peek_true(rq, "yes"), want);
    vg_request_unref(rq);
}

static void test_peek(void **state)
{
    (void)state;
    check_peek(NULL, NULL, false);
    check_peek("yes=true", NULL, true);
    check_peek("yes=on", NULL, true);
    check_peek("yes=false", NULL, false);
    check_peek("yes=x", NULL, false);
    check_peek("no=true", NULL, false);
    check_peek("no=false&other=x&yes=true", NULL, true);
    check_peek(NULL, "{\"yes\": true}", true);
    check_peek(NULL, "{\"yes\": 1}", false);
    check_peek("yes=0", "{\"yes\": true}", false);
    struct vg_request *rq = make_request("no=1", "{\"yes\": false}");
    assert_int_equal(vg_request_parse_body(rq), 0);
    assert_true(vg_peek_member(rq, "yes"));
    assert_false(vg_peek_member(rq, "no"));
    vg_request_unref(rq);
}

/* A table that takes CPUs, flags, and whatever else stands in the body. */
static int read_rest(const char *query, const char *body, struct vg_cpumap *cpus,
                     struct vg_error *ret_error, char **ret_rest)
{
    json_t *rest = NULL;
    unsigned int flags = 0;
    struct vg_request *rq = make_request(query, body);
    const struct vg_field fields[] = {
        VG_CPUS("cpus", cpus),
        VG_NAMES("flags", &flags, &colors),
        VG_REST(&rest),
        VG_END,
    };
    int rc = vg_request_common_args(rq) < 0 || vg_request_parse_body(rq) < 0
                 ? -1
                 : vg_args(rq, fields);
    *ret_rest = rest ? json_dumps(rest, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    *ret_error = rq->error;
    rq->error = (struct vg_error){0};
    vg_request_unref(rq);
    return rc;
}

static void check_rest(const char *query, const char *body, const char *want)
{
    struct vg_cpumap cpus = {.length = 0};
    struct vg_error error;
    vg_autofree char *rest = NULL;
    int rc = read_rest(query, body, &cpus, &error, &rest);
    if (rc < 0)
        fail_msg("%s", error.detail);
    assert_string_equal(rest, want);
}

static void check_no_rest(const char *query, const char *body, const char *slug)
{
    struct vg_cpumap cpus = {.length = 0};
    struct vg_error error;
    vg_autofree char *rest = NULL;
    assert_int_equal(read_rest(query, body, &cpus, &error, &rest), -1);
    assert_string_equal(error.slug, slug);
    vg_error_clear(&error);
}

static void test_rest(void **state)
{
    (void)state;
    check_rest(NULL, NULL, "{}");
    check_rest(NULL, "{}", "{}");
    check_rest("flags=red", "{\"b\": 1, \"a\": {\"c\": []}}",
               "{\"a\":{\"c\":[]},\"b\":1}");
    check_rest(NULL, "{\"flags\": [\"red\"], \"...\": 2}", "{\"...\":2}");
    check_no_rest("b=1", NULL, "unknown-key");
    check_no_rest(NULL, "{\"b\": \"\\u0001\"}", "invalid-value");
    check_no_rest("...=1", NULL, "unknown-key");
    check_no_rest("flags=red", "{\"flags\": []}", "duplicate-key");
    check_no_rest(NULL, "{\"a\": 1, \"flags\": [\"x\"]}", "unknown-flag");
}

static void test_cpus(void **state)
{
    (void)state;
    struct vg_cpumap cpus = {.length = 0};
    struct vg_error error;
    char *rest = NULL;
    assert_int_equal(read_rest("cpus=1,3", NULL, &cpus, &error, &rest), 0);
    assert_int_equal(cpus.bits[0], 0x0a);
    free(rest);
    assert_int_equal(read_rest(NULL, "{\"cpus\": [0, 2]}", &cpus, &error, &rest), 0);
    assert_int_equal(cpus.bits[0], 0x05);
    free(rest);
    check_no_rest("cpus=x", NULL, "invalid-value");
    check_no_rest(NULL, "{\"cpus\": []}", "invalid-value");
    check_no_rest("cpus=1", "{\"cpus\": \"1\"}", "duplicate-key");
    assert_int_equal(read_rest("cpus=x", NULL, &cpus, &error, &rest), -1);
    assert_null(strstr(error.detail, "an array")); /* which a query has not */
    vg_error_clear(&error);
    free(rest);
    assert_int_equal(read_rest(NULL, "{\"cpus\": []}", &cpus, &error, &rest), -1);
    assert_non_null(strstr(error.detail, "or an array of numbers"));
    vg_error_clear(&error);
    free(rest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),     cmocka_unit_test(test_text),
        cmocka_unit_test(test_bool),        cmocka_unit_test(test_number),
        cmocka_unit_test(test_unsigned),    cmocka_unit_test(test_enum),
        cmocka_unit_test(test_flags),       cmocka_unit_test(test_tree),
        cmocka_unit_test(test_keys),        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_nul_in_body), cmocka_unit_test(test_required),
        cmocka_unit_test(test_part),        cmocka_unit_test(test_refuse_body),
        cmocka_unit_test(test_peek),        cmocka_unit_test(test_rest),
        cmocka_unit_test(test_cpus),        cmocka_unit_test(test_quoted),
        cmocka_unit_test(test_parse_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
