/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which requests are long work or transfers, by their row and by what they name; and that
 * a request is answered once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "server/core/answer.h"
#include "server/core/request.h"

static const struct vg_route plain = {VG_POST, "/domains/{domain}/start", "start", NULL,
                                      .needs = "domain:write"};
static const struct vg_route always = {
    VG_POST, "/domains/{domain}/clone", "clone",
    NULL,    .needs = "domain:write",   .runs_on = VG_ON_LONG};
static const struct vg_route named = {VG_POST,
                                      "/domains",
                                      "define",
                                      NULL,
                                      .needs = "domain:write",
                                      .takes = VG_TAKES_XML_OR_STREAM,
                                      .runs_on = VG_ON_LONG_IF_NAMED};
static const struct vg_route moved = {
    VG_PUT, "/content", "put", NULL, .needs = "domain:write", .runs_on = VG_ON_TRANSFER};

static struct vg_request *make_request(const struct vg_route *route, const char *query,
                                       const char *body)
{
    char target[128];
    struct vg_request *rq = vg_request_new();

    snprintf(target, sizeof(target), "/x?%s", query);
    assert_int_equal(vg_request_parse_target(rq, target), 0);
    rq->route = route;
    if (body) {
        rq->body_kind = VG_BODY_JSON;
        rq->body = strdup(body);
        rq->body_length = strlen(body);
        assert_int_equal(vg_request_parse_body(rq), 0);
    }
    return rq;
}

static void check(const struct vg_route *route, const char *query, const char *body,
                  bool is_long, bool is_transfer)
{
    struct vg_request *rq = make_request(route, query, body);

    if (vg_request_is_long(rq) != is_long || vg_request_is_transfer(rq) != is_transfer)
        fail_msg("%s %s %s: %d %d", route->pattern, query, body, vg_request_is_long(rq),
                 vg_request_is_transfer(rq));
    vg_request_unref(rq);
}

static void test_rows(void **state)
{
    (void)state;
    check(&plain, "", NULL, false, false);
    check(&plain, "image=x", "{\"import\": 1}", false, false);
    check(&always, "", NULL, true, false);
    check(&moved, "", NULL, false, true);
    check(&named, "", NULL, false, false);
    check(&named, "", "{\"name\": \"a\"}", false, false);
    check(&named, "name=a&image=x", NULL, true, false);
    check(&named, "from=x", NULL, true, false);
    check(&named, "cloudInit=x", NULL, true, false);
    check(&named, "", "{\"waitForAddress\": true}", true, false);
    check(&named, "", "{\"image\": null}", true, false);
    check(&named, "", "{\"images\": 1}", false, false);
    check(&named, "", "{\"import\": {}}", false, true);
    check(&named, "import=1", NULL, false, false);
}

/* What is not known yet is taken for the worst; what was decided stays. */
static void test_unparsed(void **state)
{
    (void)state;
    struct vg_request *rq = make_request(&named, "", NULL);
    rq->body_kind = VG_BODY_JSON;
    assert_false(vg_request_is_long(rq)); /* it is empty */
    rq->body = strdup("{}");
    rq->body_length = 2;
    assert_true(vg_request_is_long(rq));
    rq->body_kind = VG_BODY_XML;
    assert_false(vg_request_is_long(rq));
    vg_request_unref(rq);
}

/* ---- answers ----------------------------------------------------------------------- */

static unsigned int answers, ends, noted;
static bool takes; /* whether the end takes the answer for itself */

static void take_answer(struct vg_request *rq, struct vg_reply reply)
{
    (void)rq;
    answers++;
    assert_int_equal(reply.status, 200);
    vg_reply_clear(&reply);
}

static bool note_end(struct vg_request *rq, const struct vg_reply *reply)
{
    (void)rq;
    assert_int_equal(reply->status, 200);
    ends++;
    return takes;
}

static void note_answer(struct vg_request *rq, const struct vg_reply *reply)
{
    (void)rq;
    assert_int_equal(reply->status, 200);
    assert_int_equal(answers, 0); /* before its client has it */
    noted++;
}

static struct vg_request *make_asked(void)
{
    struct vg_request *rq = make_request(&plain, "", NULL);

    answers = ends = noted = 0;
    takes = false;
    rq->done = take_answer;
    rq->on_end = note_end;
    rq->on_answer = note_answer;
    return rq;
}

static void test_once(void **state)
{
    (void)state;
    struct vg_request *rq = make_asked();
    vg_request_answer(rq, vg_ok(rq, json_object()));
    assert_true(answers == 1 && ends == 1 && noted == 1);
    vg_request_answer_early(rq, vg_ok(rq, json_object()));
    assert_true(answers == 1 && ends == 1 && noted == 1);
    vg_request_answer(rq, vg_ok(rq, json_object()));
    assert_true(answers == 1 && ends == 2 && noted == 1);
    vg_request_unref(rq);

    rq = make_asked(); /* early, then its end */
    vg_request_answer_early(rq, vg_ok(rq, json_object()));
    assert_true(answers == 1 && ends == 0 && noted == 1);
    vg_request_answer(rq, vg_ok(rq, json_object()));
    assert_true(answers == 1 && ends == 1 && noted == 1);
    vg_request_unref(rq);

    rq = make_asked();
    takes = true;
    vg_request_answer(rq, vg_ok(rq, json_object()));
    assert_true(answers == 0 && ends == 1 && noted == 0);
    vg_request_unref(rq);

    rq = make_asked();
    rq->on_end = NULL;
    rq->on_answer = NULL;
    vg_request_answer(rq, vg_ok(rq, json_object()));
    assert_int_equal(answers, 1);
    vg_request_unref(rq);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_unparsed),
        cmocka_unit_test(test_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
