/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * server/base/qmp.c: commands as QEMU takes them, and answers that jansson or JSON itself
 * cannot hold as they are.
 */
#include "virtgate/qmp.h"

#include "server/core/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void check_command(json_t *arguments, const char *want)
{
    struct vg_request *rq = vg_request_new();
    char *text = vg_qmp_command(rq, "guest-x", arguments);
    if (want)
        assert_string_equal(text, want);
    else
        assert_null(text);
    assert_int_equal(rq->error.status, want ? 0 : 400);
    free(text);
    json_decref(arguments);
    vg_request_unref(rq);
}

static void test_command(void **state)
{
    (void)state;
    check_command(NULL, "{\"execute\":\"guest-x\"}");
    check_command(json_object(), "{\"execute\":\"guest-x\",\"arguments\":{}}");
    check_command(json_pack("{s:s}", "a", "\"\n"),
                  "{\"execute\":\"guest-x\",\"arguments\":{\"a\":\"\\\"\\n\"}}");
    check_command(json_array(), NULL);
    check_command(json_string("{}"), NULL);
    check_command(json_null(), NULL);
}

static void check_answer(const char *given, const char *want)
{
    struct vg_request *rq = vg_request_new();
    struct vg_reply reply = vg_qmp_reply(rq, given ? strdup(given) : NULL);
    assert_int_equal(reply.status, want ? 200 : 500);
    if (want) {
        assert_string_equal(reply.type, "application/json");
        assert_int_equal(reply.body->length, strlen(want));
        assert_memory_equal(reply.body->data, want, strlen(want));
    }
    vg_reply_clear(&reply);
    vg_request_unref(rq);
}

static void test_answer(void **state)
{
    (void)state;
    check_answer("{\"return\":{}}", "{\"return\":{}}");
    check_answer("{\"return\": [1, true]}", "{\"return\":[1,true]}");
    /* of a guest that writes Latin-1 */
    check_answer("{\"return\":\"caf\xe9\"}", "{\"return\":\"caf\xef\xbf\xbd\"}");
    /* more than jansson's integers hold */
    check_answer("{\"return\":18446744073709551615}",
                 "{\"return\":18446744073709551615}");
    check_answer(NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command),
        cmocka_unit_test(test_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
