/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Forms of a request's target: with an authority, below a path's prefix; and ids of
 * requests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/http/internal.h"
#include "virtgate/cleanup.h"

static struct vg_http_call call;

static void begin(enum vg_method method, const char *target)
{
    call = (struct vg_http_call){.rq = vg_request_new(), .headers.host = "as sent"};
    call.rq->method = method;
    call.rq->target = strdup(target);
    call.rq->path_length = 0;
}

static void end(void)
{
    free(call.headers.authority);
    vg_request_unref(call.rq);
}

static void check_authority(enum vg_method method, const char *target, const char *want,
                            const char *host)
{
    begin(method, target);
    assert_int_equal(vg_http_take_authority(&call), 0);
    assert_string_equal(call.rq->target, want);
    assert_string_equal(call.headers.host, host);
    if (call.headers.authority)
        assert_int_equal(call.rq->path_length, strcspn(want, "?"));
    end();
}

static void test_authority(void **state)
{
    (void)state;
    check_authority(VG_GET, "/domains", "/domains", "as sent");
    check_authority(VG_GET, "httpx://a/b", "httpx://a/b", "as sent");
    check_authority(VG_GET, "http://a:80/b?c=d", "/b?c=d", "a:80");
    check_authority(VG_GET, "HTTPS://[::1]:80/b", "/b", "[::1]:80");
    check_authority(VG_GET, "http://a", "/", "a");
    check_authority(VG_GET, "http://a?x=1", "/?x=1", "a");
    check_authority(VG_GET, "http:///b", "/b", "");
    check_authority(VG_OPTIONS, "http://a", "*", "a");
    check_authority(VG_OPTIONS, "http://a/", "/", "a");
    check_authority(VG_OPTIONS, "https://a?x", "/?x", "a");
}

static void check_prefix(const char *target, const char *want, bool outside)
{
    begin(VG_GET, target);
    vg_http_take_prefix(&call);
    assert_string_equal(call.rq->target, want);
    assert_int_equal(call.rq->outside, outside);
    if (strcmp(target, want) != 0)
        assert_int_equal(call.rq->path_length, strcspn(want, "?"));
    end();
}

static void test_prefix(void **state)
{
    (void)state;
    check_prefix("/domains", "/domains", false);
    vg_path_prefix_start("/gate");
    check_prefix("/gate/domains?x", "/domains?x", false);
    check_prefix("/gate/", "/", false);
    check_prefix("/gate", "/", false);
    check_prefix("/gate?x=1", "/?x=1", false);
    check_prefix("/domains", "/domains", true);
    check_prefix("/gates", "/gates", true);
    check_prefix("*", "*", false);
    vg_path_prefix_start(NULL);
}

/* ---- ids --------------------------------------------------------------------------- */

static void check_id(const char *given, bool taken)
{
    char id[VG_REQUEST_ID_SIZE];

    memset(id, 'x', sizeof(id));
    vg_http_request_id(id, given);
    assert_non_null(memchr(id, '\0', sizeof(id)));
    if ((strcmp(id, given ? given : "") == 0) != taken)
        fail_msg("%s became %s", given, id);
    assert_true(taken || strlen(id) == 26);
}

static void test_given_id(void **state)
{
    char longest[VG_REQUEST_ID_SIZE + 1];
    (void)state;
    check_id("a", true);
    check_id("Az09._-", true);
    check_id("Root=1-67891233:a@b/c+~", true);
    check_id(NULL, false);
    check_id("", false);
    check_id("a b", false);
    check_id("a\n", false);
    check_id("a,b", false);
    check_id("\"a\"", false);
    check_id("\xC3\xBC", false);
    memset(longest, 'x', sizeof(longest));
    longest[VG_REQUEST_ID_SIZE - 1] = '\0';
    check_id(longest, true);
    longest[VG_REQUEST_ID_SIZE - 1] = 'x';
    longest[VG_REQUEST_ID_SIZE] = '\0';
    check_id(longest, false);
}

/* The time of a ULID, in milliseconds. */
static uint64_t time_of(const char *id)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint64_t ms = 0;

    for (int i = 0; i < 26; i++)
        assert_non_null(strchr(digits, id[i]));
    for (int i = 0; i < 10; i++)
        ms = ms << 5 | (uint64_t)(strchr(digits, id[i]) - digits);
    return ms;
}

static void test_made_id(void **state)
{
    char ids[3][VG_REQUEST_ID_SIZE];
    struct timespec now;
    (void)state;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    for (int i = 0; i < 3; i++) {
        vg_http_request_id(ids[i], NULL);
        assert_in_range(time_of(ids[i]), ms, ms + 60000);
        if (i) { /* one seed for all, and a counter that tells them apart */
            assert_memory_equal(ids[i] + 10, ids[0] + 10, 8);
            assert_true(strcmp(ids[i] + 18, ids[i - 1] + 18) > 0);
        }
    }
    assert_true(strspn(ids[0] + 10, "0") < 8); /* it is drawn */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_authority),
        cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_given_id),
        cmocka_unit_test(test_made_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
