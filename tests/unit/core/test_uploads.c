/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The register of uploads: whose they are, how many, one request at a time on each, their
 * end, and when they have waited too long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/core/uploads.h"
#include "virtgate/cleanup.h"
#include "virtgate/uploads.h"

static const struct vg_route route = {VG_GET, "/uploads/{upload}", "get", NULL,
                                      .needs = "storage_vol:data_write"};

static int hosts[2];
#define HOST(n) ((struct vg_host *)(void *)&hosts[n])

static unsigned int released;
static atomic_int interrupted;
static int moving; /* stands for a transfer */
static struct vg_resumable *to_pause;

static void release(struct vg_volume_hold *hold)
{
    assert_ptr_equal(hold, &released);
    released++;
}

static void interrupt(struct vg_transfer *transfer)
{
    assert_ptr_equal(transfer, &moving);
    atomic_fetch_add(&interrupted, 1);
}

static int start(void **state)
{
    static const struct vg_resumable_calls calls = {release, interrupt};
    (void)state;
    vg_resumable_start(3, 100, &calls);
    released = 0;
    atomic_store(&interrupted, 0);
    return 0;
}

static struct vg_request *make_request(const char *id, const char *who, enum vg_role role)
{
    char target[64];
    struct vg_request *rq = vg_request_new();

    snprintf(target, sizeof(target), "/uploads/%s", id);
    assert_int_equal(vg_request_parse_target(rq, target), 0);
    rq->route = &route;
    rq->host = HOST(0);
    rq->rights = vg_rights_of_role(role);
    snprintf((char *)rq->caller, sizeof(rq->caller), "%s", who);
    snprintf(rq->principal, sizeof(rq->principal), "%s", who);
    return rq;
}

static struct vg_resumable *add(const char *who, const char *volume)
{
    struct vg_request *rq = make_request("x", who, VG_ROLE_OPERATOR);
    struct vg_resumable_plan plan = {
        .pool = strdup("pool"), .volume = strdup(volume), .length = 1000};
    struct vg_resumable *upload = vg_resumable_add(rq, &plan, (void *)&released, NULL);

    if (!upload) {
        assert_int_equal(rq->error.status, 429);
        free(plan.pool);
        free(plan.volume);
    }
    vg_request_unref(rq);
    return upload;
}

static void end(struct vg_resumable *upload)
{
    vg_resumable_end(upload);
    vg_resumable_unref(upload);
}

/* ---- whose they are ---------------------------------------------------------------- */

static bool finds(const char *id, const char *who, enum vg_role role, int host)
{
    struct vg_request *rq = make_request(id, who, role);
    rq->host = HOST(host);
    struct vg_resumable *found = vg_resumable_find(rq);

    if (found)
        assert_string_equal(vg_resumable_id(found), id);
    else
        assert_int_equal(rq->error.status, 404);
    vg_resumable_unref(found);
    vg_request_unref(rq);
    return found;
}

static void test_find(void **state)
{
    (void)state;
    struct vg_resumable *a = add("alice", "a"), *b = add("alice", "b");
    const char *id = vg_resumable_id(a);
    assert_int_equal(strlen(id), 32);
    assert_string_not_equal(id, vg_resumable_id(b));
    assert_string_equal(vg_resumable_plan(b)->volume, "b");
    assert_true(finds(id, "alice", VG_ROLE_OPERATOR, 0));
    assert_true(finds(vg_resumable_id(b), "alice", VG_ROLE_OPERATOR, 0));
    assert_false(finds(id, "bob", VG_ROLE_OPERATOR, 0));
    assert_true(finds(id, "bob", VG_ROLE_ADMIN, 0));    /* who manages the gateway */
    assert_false(finds(id, "alice", VG_ROLE_ADMIN, 1)); /* of another host */
    assert_false(finds("nosuch", "alice", VG_ROLE_OPERATOR, 0));
    end(a);
    assert_false(finds("0", "alice", VG_ROLE_OPERATOR, 0));
    assert_true(finds(vg_resumable_id(b), "alice", VG_ROLE_OPERATOR, 0));
    end(b);
    assert_int_equal(released, 2);
}

static json_t *list(const char *who, enum vg_role role)
{
    struct vg_request *rq = make_request("x", who, role);
    struct vg_json w = {0};
    size_t n;

    vg_json_begin_object(&w, NULL);
    vg_resumable_write_all(rq, &w, "uploads");
    vg_json_end_object(&w);
    vg_autofree char *text = vg_json_finish(&w, &n);
    json_auto_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    vg_request_unref(rq);
    return json_incref(json_object_get(json, "uploads"));
}

static void expect_member(const json_t *json, const char *key, const char *want)
{
    vg_autofree char *is = json_dumps(json_object_get(json, key), JSON_ENCODE_ANY);
    assert_string_equal(is ? is : "", want);
}

static void test_list(void **state)
{
    (void)state;
    struct vg_resumable *a = add("alice", "a"), *b = add("bob", "b");
    struct vg_request *rq = make_request("x", "alice", VG_ROLE_OPERATOR);
    {
        json_auto_t *all = list("carol", VG_ROLE_ADMIN),
                    *none = list("carol", VG_ROLE_OPERATOR);
        assert_int_equal(json_array_size(all), 2);
        assert_int_equal(json_array_size(none), 0);
        expect_member(json_array_get(all, 0), "volume", "\"a\""); /* the oldest first */
        expect_member(json_array_get(all, 1), "principal", "\"bob\"");
    }
    json_auto_t *own = list("alice", VG_ROLE_OPERATOR);
    assert_int_equal(json_array_size(own), 1);
    expect_member(json_array_get(own, 0), "pool", "\"pool\"");
    expect_member(json_array_get(own, 0), "offsetBytes", "0");
    expect_member(json_array_get(own, 0), "lengthBytes", "1000");
    expect_member(json_array_get(own, 0), "state", "\"waiting\"");
    assert_int_equal(vg_resumable_begin(rq, a, 0), 0);
    vg_resumable_advance(a, 400, NULL);
    json_auto_t *busy = list("alice", VG_ROLE_OPERATOR);
    expect_member(json_array_get(busy, 0), "offsetBytes", "400");
    expect_member(json_array_get(busy, 0), "state", "\"receiving\"");
    vg_resumable_pause(a);
    vg_resumable_complete(a);
    json_auto_t *done = list("alice", VG_ROLE_OPERATOR);
    expect_member(json_array_get(done, 0), "state", "\"complete\"");
    vg_request_unref(rq);
    end(a);
    end(b);
}

/* ---- how many ---------------------------------------------------------------------- */

static void test_room(void **state)
{
    struct vg_resumable *u[3];
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_non_null(u[i] = add("alice", "v"));
    assert_null(add("alice", "v"));
    struct vg_resumable *other = add("bob", "v");
    assert_non_null(other); /* another's count for himself */
    end(other);
    assert_int_equal(released, 1);
    vg_resumable_complete(u[0]);
    assert_int_equal(released, 2); /* its volume is free at once */
    struct vg_resumable *more = add("alice", "v");
    assert_non_null(more);
    assert_null(add("alice", "v"));
    end(more);
    vg_resumable_complete(u[1]);
    vg_resumable_complete(u[2]);
    /* of those that are done as many stay, and the oldest goes */
    more = add("alice", "v");
    assert_non_null(more);
    assert_false(finds(vg_resumable_id(u[0]), "alice", VG_ROLE_OPERATOR, 0));
    assert_true(finds(vg_resumable_id(u[1]), "alice", VG_ROLE_OPERATOR, 0));
    end(more);
    for (int i = 0; i < 3; i++)
        end(u[i]);
    json_auto_t *left = list("carol", VG_ROLE_ADMIN);
    assert_int_equal(json_array_size(left), 0);
}

/* ---- one request at a time --------------------------------------------------------- */

static void check_begin(struct vg_resumable *upload, uint64_t offset, int status)
{
    struct vg_request *rq = make_request("x", "alice", VG_ROLE_OPERATOR);
    int rc = vg_resumable_begin(rq, upload, offset);

    assert_int_equal(rc, status ? -1 : 0);
    assert_int_equal(rq->error.status, status);
    vg_request_unref(rq);
}

static void test_begin(void **state)
{
    (void)state;
    struct vg_resumable *a = add("alice", "a");
    check_begin(a, 1, 409);
    check_begin(a, 0, 0);
    check_begin(a, 0, 409); /* at work */
    vg_resumable_advance(a, 10, NULL);
    vg_resumable_advance(a, 5, NULL);
    vg_resumable_pause(a);
    assert_true(vg_resumable_state(a).offset == 15 && !vg_resumable_state(a).done);
    check_begin(a, 14, 409);
    check_begin(a, 15, 0);
    vg_resumable_pause(a);
    vg_resumable_end(a);
    vg_resumable_end(a); /* once */
    assert_int_equal(released, 1);
    check_begin(a, 15, 410);
    vg_resumable_unref(a);
}

static void *pause_soon(void *data)
{
    (void)data;
    while (atomic_load(&interrupted) == 0)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    vg_resumable_pause(to_pause);
    return NULL;
}

/* Who asks where to go on ends what is at work. */
static void test_settle(void **state)
{
    pthread_t thread;
    (void)state;
    struct vg_resumable *a = to_pause = add("alice", "a");
    struct vg_request *rq = make_request("x", "alice", VG_ROLE_OPERATOR);
    assert_int_equal(vg_resumable_settle(rq, a), 0); /* nothing is */
    assert_int_equal(atomic_load(&interrupted), 0);
    check_begin(a, 0, 0);
    vg_resumable_set_transfer(a, (void *)&moving);
    assert_int_equal(pthread_create(&thread, NULL, pause_soon, NULL), 0);
    assert_int_equal(vg_resumable_settle(rq, a), 0);
    pthread_join(thread, NULL);
    assert_true(atomic_load(&interrupted) > 0);
    check_begin(a, 0, 0);
    vg_resumable_pause(a);
    vg_request_unref(rq);
    end(a);
}

static bool finds_unused(const char *who, const char *pool, const char *volume, int host)
{
    struct vg_request *rq = make_request("x", who, VG_ROLE_ADMIN);
    rq->host = HOST(host);
    struct vg_resumable *found = vg_resumable_find_unused(rq, pool, volume);

    vg_resumable_unref(found);
    vg_request_unref(rq);
    return found;
}

/* One of which nothing has come, of the same caller. */
static void test_unused(void **state)
{
    (void)state;
    struct vg_resumable *a = add("alice", "a");
    assert_true(finds_unused("alice", "pool", "a", 0));
    assert_false(finds_unused("bob", "pool", "a", 0)); /* an admin, too */
    assert_false(finds_unused("alice", "pool", "b", 0));
    assert_false(finds_unused("alice", "pool2", "a", 0));
    assert_false(finds_unused("alice", "pool", "a", 1));
    check_begin(a, 0, 0);
    assert_false(finds_unused("alice", "pool", "a", 0)); /* it is at work */
    vg_resumable_pause(a);
    assert_true(finds_unused("alice", "pool", "a", 0));
    vg_resumable_advance(a, 1, NULL);
    assert_false(finds_unused("alice", "pool", "a", 0));
    end(a);
    a = add("alice", "a"); /* an empty one that is complete */
    vg_resumable_complete(a);
    assert_false(finds_unused("alice", "pool", "a", 0));
    end(a);
}

/* ---- those that wait too long ------------------------------------------------------ */

static void test_due(void **state)
{
    char path[VG_RESUMABLE_PATH_SIZE], want[VG_RESUMABLE_PATH_SIZE];
    (void)state;
    struct vg_resumable *a = add("alice", "a");
    int64_t now = vg_now_ns();
    time_t expires = vg_resumable_state(a).expires;
    assert_in_range(expires, time(NULL) + 95, time(NULL) + 100);
    snprintf(want, sizeof(want), "/uploads/%s", vg_resumable_id(a));
    assert_null(vg_resumable_take_due(now + 99 * VG_SECOND_NS, path));
    assert_ptr_equal(vg_resumable_take_due(now + 105 * VG_SECOND_NS, path), HOST(0));
    assert_string_equal(path, want);
    assert_null(
        vg_resumable_take_due(now + 106 * VG_SECOND_NS, path)); /* a minute later */
    assert_non_null(vg_resumable_take_due(now + 166 * VG_SECOND_NS, path));
    check_begin(a, 0, 0);
    assert_null(
        vg_resumable_take_due(now + 1000 * VG_SECOND_NS, path)); /* it is at work */
    vg_resumable_pause(a);                                       /* waits anew */
    assert_null(vg_resumable_take_due(now + 99 * VG_SECOND_NS, path));
    assert_non_null(vg_resumable_take_due(now + 200 * VG_SECOND_NS, path));
    vg_resumable_complete(
        a); /* of one that is done there is nothing to be looked after */
    assert_null(vg_resumable_take_due(now + 1000 * VG_SECOND_NS, path));
    assert_false(finds(vg_resumable_id(a), "alice", VG_ROLE_OPERATOR, 0));
    assert_int_equal(released, 1);
    vg_resumable_unref(a);
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_find),   TEST(test_list),   TEST(test_room), TEST(test_begin),
        TEST(test_settle), TEST(test_unused), TEST(test_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
