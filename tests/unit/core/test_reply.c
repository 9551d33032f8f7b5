/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Replies: every way to make one, problems, sharing, links to the next page; and bodies,
 * compressed and not, what their hashes are of, answers that are kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "server/core/request.h"
#include "virtgate/cleanup.h"
#include "virtgate/stream.h"

static const struct vg_route route = {VG_GET, "/domains", "list", NULL,
                                      .needs = "domain:read"};

static struct vg_request *make_request(const char *target)
{
    struct vg_request *rq = vg_request_new();

    assert_int_equal(vg_request_parse_target(rq, target), 0);
    rq->route = &route;
    rq->method = VG_GET;
    snprintf(rq->id, sizeof(rq->id), "id-1");
    return rq;
}

static void expect(struct vg_reply reply, int status, const char *type, const char *text)
{
    assert_int_equal(reply.status, status);
    assert_string_equal(reply.type ? reply.type : "none", type);
    vg_autofree char *is =
        reply.body ? strndup(reply.body->data, reply.body->length) : strdup("none");
    assert_string_equal(is, text);
    vg_reply_clear(&reply);
    assert_null(reply.body);
}

#define JSON    "application/json"
#define PROBLEM "application/problem+json"

static char *copy(const char *text)
{
    return strdup(text);
}

static void test_makers(void **state)
{
    (void)state;
    struct vg_request *rq = make_request("/domains");
    struct vg_json w = {0};
    expect(vg_ok(rq, json_pack("{s:i}", "a", 1)), 200, JSON, "{\"a\":1}");
    vg_json_begin_object(&w, NULL);
    vg_json_end_object(&w);
    expect(vg_ok_written(rq, &w), 200, JSON, "{}");
    expect(vg_ok_text(rq, "text/plain", copy("abc")), 200, "text/plain", "abc");
    expect(vg_ok_bytes(rq, "image/png", copy("abcdef"), 3), 200, "image/png", "abc");
    expect(vg_ok_static(rq, "text/css", "abcdef", 3), 200, "text/css", "abc");
    expect(vg_no_content(rq), 204, "none", "none");
    expect(vg_done(rq, 0), 204, "none", "none");
    expect(vg_done(rq, 5), 204, "none", "none");
    struct vg_reply secret = vg_ok_secret(rq, copy("s3cret"), 6);
    assert_true(secret.body->secret);
    vg_reply_prepare(&secret);
    assert_int_equal(secret.body->hash, 0); /* nothing is told of it */
    assert_false(vg_body_compresses(secret.body));
    expect(secret, 200, "application/octet-stream", "s3cret");
    vg_json_begin_object(&w, NULL);
    vg_json_end_object(&w);
    struct vg_reply created = vg_created(rq, copy("/domains/a"), &w);
    assert_string_equal(created.location, "/domains/a");
    expect(created, 201, JSON, "{}");
    struct vg_reply accepted = vg_accepted(rq, copy("/x"), NULL);
    assert_string_equal(accepted.location, "/x");
    expect(accepted, 202, "none", "none");
    vg_json_begin_object(&w, NULL);
    vg_json_end_object(&w);
    expect(vg_accepted(rq, copy("/x"), &w), 202, JSON, "{}");
    vg_request_unref(rq);
}

/* NULL is what there was no memory for. */
static void test_no_memory(void **state)
{
    (void)state;
    struct vg_request *rq = make_request("/domains");
    struct vg_reply replies[] = {vg_ok(rq, NULL), vg_ok_text(rq, "text/plain", NULL),
                                 vg_ok_bytes(rq, "image/png", NULL, 5),
                                 vg_accepted(rq, NULL, NULL)};
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        vg_reply_prepare(&replies[i]);
        assert_int_equal(replies[i].body->hash, 0); /* it is everybody's */
        assert_non_null(strstr(replies[i].body->data, "\"detail\":\"Out of memory\""));
        assert_int_equal(replies[i].status, 500);
        vg_reply_clear(&replies[i]);
    }
    vg_request_unref(rq);
}

static void test_changes(void **state)
{
    (void)state;
    struct vg_request *rq = make_request("/domains");
    struct vg_reply reply = vg_cacheable(vg_ok(rq, json_object()));
    assert_true(reply.covered);
    reply = vg_not_yet(reply, 5);
    assert_true(reply.not_yet_ns == 5 * VG_SECOND_NS);
    reply = vg_with_status(reply, 503);
    assert_int_equal(reply.status, 503);
    reply = vg_with_status(reply, 200); /* a problem stays one */
    assert_int_equal(reply.status, 503);
    vg_reply_clear(&reply);
    reply = vg_not_yet(vg_cacheable(vg_no_content(rq)), 5);
    assert_false(reply.covered);
    assert_int_equal(reply.not_yet_ns, 0);
    reply = vg_requeue();
    assert_true(reply.moves);
    assert_false(vg_on_fast_queue(rq));
    const struct vg_route fast = {VG_GET, "/x", "x", NULL, .runs_on = VG_ON_FAST};
    rq->route = &fast;
    assert_true(vg_on_fast_queue(rq));
    rq->requeued = true;
    assert_false(vg_on_fast_queue(rq));
    vg_request_unref(rq);
}

/* ---- problems ---------------------------------------------------------------------- */

static void expect_member(const struct vg_reply *reply, const char *key, const char *want)
{
    json_auto_t *json = json_loadb(reply->body->data, reply->body->length, 0, NULL);
    const char *is = json_string_value(json_object_get(json, key));

    assert_string_equal(is ? is : "none", want);
}

static void test_problems(void **state)
{
    (void)state;
    struct vg_request *rq = make_request("/domains/a?b=c");
    struct vg_reply reply = vg_reply_error(rq, VG_E_NOT_FOUND, "50% of it is %s");
    assert_int_equal(reply.status, 404);
    assert_string_equal(reply.type, PROBLEM);
    expect_member(&reply, "detail", "50% of it is %s");
    expect_member(&reply, "instance", "/domains/a");
    expect_member(&reply, "requestId", "id-1");
    expect_member(&reply, "host", "none");
    assert_false(reply.transport_failed);
    vg_reply_clear(&reply);

    rq->host_name = "lab";
    vg_error_set(&rq->error, VG_E_OVERLOADED, "later");
    reply = vg_fail(rq);
    assert_int_equal(reply.status, 503);
    assert_int_equal(reply.retry_after, rq->error.retry_after);
    assert_true(reply.retry_after > 0);
    expect_member(&reply, "host", "lab");
    vg_reply_clear(&reply);

    reply = vg_fail_memory(rq);
    assert_int_equal(reply.status, 500);
    vg_reply_clear(&reply);
    reply = vg_reply_memory(rq);
    assert_int_equal(reply.status, 500);
    vg_reply_clear(&reply);

    vg_error_clear(&rq->error);
    reply = vg_fail(rq);
    assert_int_equal(reply.status, 500);
    expect_member(&reply, "detail", "A failure without a reason: please report it");
    vg_reply_clear(&reply);
    vg_request_unref(rq);
}

/* Of a change whose connection broke nobody knows; of a read it does not matter. */
static void test_transport(void **state)
{
    static const struct {
        enum vg_method method;
        const char *outcome;
    } rows[] = {{VG_GET, "none"},
                {VG_HEAD, "none"},
                {VG_POST, "unknown"},
                {VG_DELETE, "unknown"}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct vg_request *rq = make_request("/domains");
        rq->method = rows[i].method;
        vg_error_set(&rq->error, VG_E_HOST_UNREACHABLE, "gone");
        rq->error.transport = true;
        struct vg_reply reply = vg_fail(rq);
        assert_true(reply.transport_failed);
        expect_member(&reply, "outcome", rows[i].outcome);
        vg_reply_clear(&reply);
        vg_request_unref(rq);
    }
}

/* ---- pages ------------------------------------------------------------------------- */

static void check_next(const char *target, const char *cursor, const char *want)
{
    struct vg_request *rq = make_request(target);
    struct vg_reply reply = vg_with_next(rq, vg_no_content(rq), cursor);

    assert_string_equal(reply.link ? reply.link : "none", want);
    vg_reply_clear(&reply);
    vg_request_unref(rq);
}

static void test_next(void **state)
{
    (void)state;
    check_next("/domains?limit=1", NULL, "none");
    check_next("/domains", "a", "</domains?after=a>; rel=\"next\"");
    check_next("/domains?limit=1&after=x&name=a%26b", "c d",
               "</domains?after=c%20d&limit=1&name=a%26b>; rel=\"next\"");
    check_next("/domains?after=x", "a", "</domains?after=a>; rel=\"next\"");
    vg_path_prefix_start("/gate");
    check_next("/domains", "a", "</gate/domains?after=a>; rel=\"next\"");
    vg_path_prefix_start(NULL);
}

/* ---- sharing ----------------------------------------------------------------------- */

static void test_share(void **state)
{
    (void)state;
    struct vg_request *rq = make_request("/domains");
    struct vg_reply reply = vg_ok(rq, json_object());
    reply.location = copy("/a");
    reply.link = copy("<b>");
    reply.content_range = copy("bytes */3");
    reply = vg_with_field(rq, reply, "X-One", copy("1"));
    reply = vg_with_field(rq, reply, "X-Two", copy("2"));
    struct vg_reply shared = vg_reply_share(&reply);
    assert_ptr_equal(shared.body, reply.body);
    struct vg_reply empty = vg_no_content(rq), shared_empty = vg_reply_share(&empty);
    assert_null(shared_empty.fields);
    assert_null(shared_empty.location);
    vg_reply_clear(&reply);
    assert_string_equal(shared.location, "/a");
    assert_string_equal(shared.link, "<b>");
    assert_string_equal(shared.content_range, "bytes */3");
    assert_int_equal(shared.fields->n, 2);
    assert_string_equal(shared.fields->v[0].name, "X-One");
    assert_string_equal(shared.fields->v[1].value, "2");
    expect(shared, 200, JSON, "{}");

    reply = vg_with_field(rq, vg_no_content(rq), "X-None", NULL); /* no memory for it */
    assert_int_equal(reply.status, 500);
    vg_reply_clear(&reply);
    reply = vg_no_content(rq);
    for (int i = 0; i < VG_REPLY_FIELDS; i++)
        reply = vg_with_field(rq, reply, "X-Many", copy("x"));
    assert_int_equal(reply.status, 204);
    reply = vg_with_field(rq, reply, "X-Many", copy("x")); /* no room for it */
    assert_int_equal(reply.status, 500);
    vg_reply_clear(&reply);
    vg_request_unref(rq);
}

static unsigned int closed;

static void close_channel(struct vg_channel *channel)
{
    (void)channel;
    closed++;
}

/* What goes on is the first one's alone, and ends with its answer. */
static void test_upgrade(void **state)
{
    struct vg_channel channel = {.fd = -1, .close = close_channel};
    (void)state;
    struct vg_request *rq = make_request("/domains");
    struct vg_reply reply = vg_upgrade(rq, &channel), shared = vg_reply_share(&reply);
    assert_int_equal(reply.status, 101);
    assert_null(shared.channel);
    vg_reply_clear(&shared);
    assert_int_equal(closed, 0);
    vg_reply_clear(&reply);
    assert_int_equal(closed, 1);
    vg_error_set(&rq->error, VG_E_CONFLICT, "no");
    reply = vg_upgrade(rq, NULL);
    assert_int_equal(reply.status, 409);
    vg_reply_clear(&reply);
    vg_request_unref(rq);
}

/* ---- compressed -------------------------------------------------------------------- */

static char *unpack(const struct vg_gzipped *gzipped, size_t length)
{
    z_stream z = {.next_in = (z_const Bytef *)(uintptr_t)gzipped->data,
                  .avail_in = (uInt)gzipped->length};
    char *plain = calloc(1, length + 1);

    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    z.next_out = (Bytef *)plain;
    z.avail_out = (uInt)length;
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.total_out, length);
    inflateEnd(&z);
    return plain;
}

static char *make_text(size_t n, unsigned int step)
{
    char *text = malloc(n + 1);
    uint32_t x = 1;

    for (size_t i = 0; i < n; i++) {
        x = x * 1664525 + step;
        text[i] = step ? (char)(x >> 24) : 'a';
    }
    text[n] = '\0';
    return text;
}

static void test_gzipped(void **state)
{
    (void)state;
    struct vg_request *rq = make_request("/domains");
    struct vg_reply reply = vg_ok_text(rq, "text/plain", make_text(1023, 0));
    assert_null(vg_body_gzipped(reply.body)); /* it fits a packet */
    assert_false(vg_body_compresses(reply.body));
    vg_reply_clear(&reply);

    reply = vg_ok_text(rq, "text/plain", make_text(1024, 0));
    const struct vg_gzipped *gzipped = vg_body_gzipped(reply.body);
    assert_non_null(gzipped);
    assert_true(gzipped->length < 100);
    assert_ptr_equal(vg_body_gzipped(reply.body), gzipped); /* once */
    vg_autofree char *plain = unpack(gzipped, 1024);
    assert_string_equal(plain, reply.body->data);
    assert_ptr_equal(vg_body_plain(reply.body), reply.body->data);
    vg_reply_clear(&reply);

    reply = vg_ok_bytes(rq, "image/png", make_text(2000, 1013904223), 2000);
    assert_null(vg_body_gzipped(reply.body)); /* it gets no shorter */
    assert_null(vg_body_gzipped(reply.body));
    assert_non_null(atomic_load(&reply.body->gzipped)); /* and is not tried again */
    vg_reply_clear(&reply);
    vg_request_unref(rq);
}

/* What is there compressed only is unpacked once. */
static void test_only_gzip(void **state)
{
    (void)state;
    struct vg_request *rq = make_request("/docs");
    struct vg_reply reply = vg_ok_text(rq, "text/css", make_text(5000, 0));
    const struct vg_gzipped *gzipped = vg_body_gzipped(reply.body);
    struct vg_reply packed = vg_ok_gzip(rq, "text/css", gzipped->data, gzipped->length);
    assert_int_equal(packed.body->length, 5000);
    assert_null(packed.body->data);
    assert_ptr_equal(vg_body_gzipped(packed.body)->data, gzipped->data); /* no copy */
    const char *plain = vg_body_plain(packed.body);
    assert_memory_equal(plain, reply.body->data, 5000);
    assert_ptr_equal(vg_body_plain(packed.body), plain);
    vg_reply_prepare(&packed);
    assert_true(packed.body->hash != 0);
    vg_reply_clear(&packed);

    vg_autofree char *cut = malloc(gzipped->length); /* its end says another length */
    memcpy(cut, gzipped->data, gzipped->length);
    cut[gzipped->length - 4]++;
    packed = vg_ok_gzip(rq, "text/css", cut, gzipped->length);
    assert_int_equal(packed.body->length, 5001);
    assert_null(vg_body_plain(packed.body));
    vg_reply_clear(&packed);
    vg_reply_clear(&reply);
    vg_request_unref(rq);
}

/* ---- hashes ------------------------------------------------------------------------ */

struct hashes {
    uint64_t hash, passing;
};

static struct hashes hash_of(const char *text, size_t begin, size_t end, uint64_t depends)
{
    struct vg_request *rq = make_request("/domains");
    struct vg_reply reply = vg_ok_static(rq, "text/plain", text, strlen(text));

    reply.body->passing = begin;
    reply.body->passing_end = end;
    reply.body->depends = depends;
    vg_reply_prepare(&reply);
    struct hashes hashes = {reply.body->hash, reply.body->passing_hash};
    vg_reply_prepare(&reply);
    assert_true(reply.body->hash == hashes.hash); /* once */
    vg_reply_clear(&reply);
    vg_request_unref(rq);
    return hashes;
}

static void test_hashes(void **state)
{
    (void)state;
    assert_true(hash_of("abc", 0, 0, 0).hash == hash_of("abc", 0, 0, 0).hash);
    assert_true(hash_of("abc", 0, 0, 0).hash != hash_of("abd", 0, 0, 0).hash);
    assert_int_equal(hash_of("abc", 0, 0, 0).passing, 0);
    /* what passes by itself is hashed apart */
    struct hashes one = hash_of("ab[1]cd", 3, 4, 0), two = hash_of("ab[2]cd", 3, 4, 0);
    assert_true(one.hash == two.hash && one.passing != two.passing);
    assert_true(one.hash != hash_of("ax[1]cd", 3, 4, 0).hash);
    assert_true(one.hash != hash_of("ab[1]xd", 3, 4, 0).hash);
    /* what it depends on counts */
    assert_true(hash_of("abc", 0, 0, 7).hash != hash_of("abc", 0, 0, 0).hash);
    assert_true(hash_of("abc", 0, 0, 7).hash != hash_of("abc", 0, 0, 8).hash);
    assert_true(hash_of("abc", 0, 0, 7).hash != hash_of("abd", 0, 0, 7).hash);

    struct vg_request *rq = make_request("/domains");
    struct vg_reply created = vg_with_status(vg_ok(rq, json_object()), 201);
    vg_reply_prepare(&created);
    assert_int_equal(created.body->hash, 0); /* a tag is GET's */
    vg_reply_clear(&created);
    struct vg_reply tagged = vg_tagged_with(vg_ok(rq, json_object()), "x"),
                    other = vg_tagged_with(vg_ok(rq, json_object()), "y"),
                    same = vg_tagged_with(vg_ok(rq, json_object()), "x");
    assert_true(tagged.body->hash && tagged.body->hash != other.body->hash);
    assert_true(tagged.body->hash == same.body->hash);
    vg_reply_clear(&tagged);
    vg_reply_clear(&other);
    vg_reply_clear(&same);
    vg_request_unref(rq);
}

/* ---- kept -------------------------------------------------------------------------- */

static void test_kept(void **state)
{
    struct vg_cached cached = {0};
    struct vg_reply found = {0};
    (void)state;
    struct vg_request *rq = make_request("/domains");
    assert_false(vg_cached_reply(rq, &cached, &found));
    struct vg_reply problem =
        vg_keep(rq, &cached, vg_reply_error(rq, VG_E_NOT_FOUND, "no"));
    assert_int_equal(problem.status, 404);
    vg_reply_clear(&problem);
    assert_false(vg_cached_reply(rq, &cached, &found)); /* no problem is kept */

    struct vg_reply first = vg_ok_cached(rq, &cached, "text/css", "abc", 3);
    assert_true(first.body->hash != 0);
    assert_true(vg_cached_reply(rq, &cached, &found));
    assert_ptr_equal(found.body, first.body);
    expect(found, 200, "text/css", "abc");
    struct vg_reply second = vg_ok_cached(rq, &cached, "text/css", "xyz", 3);
    assert_ptr_equal(second.body, first.body); /* the first one's */
    vg_reply_clear(&second);
    second = vg_keep(rq, &cached, vg_ok_static(rq, "text/css", "xyz", 3));
    expect(second, 200, "text/css", "xyz"); /* itself, and the first stays */
    assert_true(vg_cached_reply(rq, &cached, &found));
    expect(found, 200, "text/css", "abc");
    rq->number_strings = true; /* another form */
    assert_false(vg_cached_reply(rq, &cached, &found));
    vg_reply_clear(&first);
    vg_cached_clear(&cached);
    rq->number_strings = false;
    assert_false(vg_cached_reply(rq, &cached, &found));
    vg_request_unref(rq);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_makers),    cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_changes),   cmocka_unit_test(test_problems),
        cmocka_unit_test(test_transport), cmocka_unit_test(test_next),
        cmocka_unit_test(test_share),     cmocka_unit_test(test_upgrade),
        cmocka_unit_test(test_gzipped),   cmocka_unit_test(test_only_gzip),
        cmocka_unit_test(test_hashes),    cmocka_unit_test(test_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
