/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Contents that are read while they are sent: what part of one, what is read with the
 * answer, windows that are fetched and poured, and the memory for all that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/core/answer.h"
#include "server/core/content.h"
#include "virtgate/cleanup.h"

#define SIZE   ((uint64_t)3 * VG_WINDOW_MIN) /* of the content */
#define MEMORY ((size_t)16 * VG_WINDOW_MIN)

/* ---- a content --------------------------------------------------------------------- */

static struct {
    int begins, opens, closes, ends;
    uint64_t begun, opened_at, opened; /* bytes that begin() and open() were told of */
    bool done;
    bool fails_begin, fails_open, fails_read;
    uint64_t has; /* it ends here, whatever it said */
} is;

static ssize_t read_bytes(void *data, struct vg_request *rq, uint64_t offset, char *ret,
                          size_t n)
{
    (void)data;
    assert_true(n > 0); /* what is at its end is not asked */
    if (is.fails_read) {
        vg_error_set(&rq->error, VG_E_CONFLICT, "as it was asked for");
        return -1;
    }
    size_t left = offset < is.has ? (size_t)(is.has - offset) : 0;
    n = n < left ? n : left;
    for (size_t i = 0; i < n; i++)
        ret[i] = (char)('a' + (offset + i) % 23);
    return (ssize_t)n;
}

static int refuse(struct vg_request *rq, bool fails)
{
    if (fails)
        vg_error_set(&rq->error, VG_E_CONFLICT, "as it was asked for");
    return fails ? -1 : 0;
}

static int begin(void *data, struct vg_request *rq, uint64_t length)
{
    (void)data;
    is.begins++;
    is.begun = length;
    return refuse(rq, is.fails_begin);
}

static int open_it(void *data, struct vg_request *rq, uint64_t offset, uint64_t length)
{
    (void)data;
    is.opens++;
    is.opened_at = offset;
    is.opened = length;
    return refuse(rq, is.fails_open);
}

static void close_it(void *data, struct vg_request *rq)
{
    (void)data;
    (void)rq;
    is.closes++;
}

static void end(void *data, bool done)
{
    assert_ptr_equal(data, &is);
    is.ends++;
    is.done = done;
}

static struct vg_content make_content(uint64_t size, const char *version)
{
    return (struct vg_content){.size = size,
                               .filename = strdup("disk.img"),
                               .version = version ? strdup(version) : NULL,
                               .data = &is,
                               .read = read_bytes,
                               .begin = begin,
                               .open = open_it,
                               .close = close_it,
                               .end = end};
}

/* ---- requests ---------------------------------------------------------------------- */

static struct vg_reply no_handler(struct vg_request *rq)
{
    return vg_no_content(rq);
}

static const struct vg_route route = {
    VG_GET,     "/volumes/{volume}/content",      "read",
    no_handler, .needs = "storage_vol:data_read", .gives = VG_GIVES_CONTENT};

static struct vg_request *make_request(enum vg_method method, const char *range)
{
    struct vg_request *rq = vg_request_new();
    assert_int_equal(vg_request_parse_target(rq, "/volumes/v/content"), 0);
    rq->method = method;
    rq->route = &route;
    rq->rights = vg_rights_of_role(VG_ROLE_ADMIN);
    rq->range = range ? strdup(range) : NULL;
    return rq;
}

/* As a worker runs it. */
static void run(struct vg_request *rq)
{
    vg_request_answer(rq, rq->route->handler(rq));
    vg_request_unref(rq);
}

static int begin_test(void **state)
{
    (void)state;
    memset(&is, 0, sizeof(is));
    is.has = SIZE;
    vg_transfer_memory_start(MEMORY);
    vg_feeds_start(run);
    return 0;
}

/* Nothing is held, whatever became of it. */
static int end_test(void **state)
{
    (void)state;
    return vg_transfer_memory_used() == 0 && is.opens - is.fails_open == is.closes ? 0
                                                                                   : -1;
}

static void expect_bytes(const struct vg_window *window, uint64_t offset, size_t n)
{
    assert_int_equal(window->offset, offset);
    assert_int_equal(window->length, n);
    for (size_t i = 0; i < n; i += n / 7 + 1)
        assert_int_equal(window->data[i], 'a' + (offset + i) % 23);
}

/* ---- answers ----------------------------------------------------------------------- */

static void test_ranges(void **state)
{
    static const struct {
        enum vg_method method;
        const char *range;
        int status;
        uint64_t offset, length;
        size_t first; /* bytes that are read with the answer; 0: none */
        bool begins;
    } rows[] = {
        {VG_GET, NULL, 200, 0, SIZE, VG_WINDOW_MIN, true},
        {VG_GET, "bytes=0-9", 206, 0, 10, 10, false},
        {VG_GET, "bytes=100-", 206, 100, SIZE - 100, VG_WINDOW_MIN, true},
        {VG_GET, "bytes=-5", 206, SIZE - 5, 5, 5, false},
        {VG_GET, "bytes=9-8", 200, 0, SIZE, VG_WINDOW_MIN, true},
        {VG_HEAD, NULL, 200, 0, SIZE, 0, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct vg_request *rq = make_request(rows[i].method, rows[i].range);
        struct vg_content content = make_content(SIZE, "v1");
        is.begins = 0;
        struct vg_reply reply = vg_ok_content(rq, &content);
        assert_int_equal(reply.status, rows[i].status);
        assert_null(content.filename); /* it was taken */
        assert_string_equal(reply.type, "application/octet-stream");
        assert_int_equal(reply.feed->range.offset, rows[i].offset);
        assert_int_equal(reply.feed->range.length, rows[i].length);
        assert_int_equal(reply.feed->first != NULL, rows[i].first != 0);
        if (rows[i].first)
            expect_bytes(reply.feed->first, rows[i].offset, rows[i].first);
        assert_int_equal(reply.feed->block != 0, rows[i].first != 0);
        assert_true(reply.feed->block <= VG_FEED_BLOCK);
        assert_int_equal(is.begins, rows[i].begins);
        if (rows[i].begins)
            assert_int_equal(is.begun, rows[i].length);
        assert_int_equal(is.ends, i);
        vg_request_unref(rq);
        vg_reply_clear(&reply);
        assert_int_equal(is.ends, i + 1);
        assert_false(is.done);
    }
}

static void test_unsatisfiable(void **state)
{
    (void)state;
    struct vg_request *rq = make_request(VG_GET, "bytes=1000000000-");
    struct vg_content content = make_content(SIZE, NULL);
    struct vg_reply reply = vg_ok_content(rq, &content);
    char want[40];
    snprintf(want, sizeof(want), "bytes */%llu", (unsigned long long)SIZE);
    assert_int_equal(reply.status, 416);
    assert_string_equal(reply.content_range, want);
    assert_null(reply.feed);
    assert_int_equal(is.ends, 1);
    vg_request_unref(rq);
    vg_reply_clear(&reply);
}

/* If-Range: a part only of the very content that the client has a part of. */
static void test_if_range(void **state)
{
    static const struct {
        const char *version, *if_range; /* "": the tag that it has */
        int status;
    } rows[] = {
        {"v1", "", 206},
        {"v1", NULL, 206},
        {"v1", "\"another\"", 200},
        {NULL, "\"another\"", 200},
        {NULL, NULL, 206},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct vg_request *rq = make_request(VG_GET, "bytes=0-9");
        struct vg_content content = make_content(SIZE, rows[i].version);
        char tag[VG_TAG_SIZE] = "";
        if (rows[i].if_range && !*rows[i].if_range) {
            struct vg_content same = make_content(SIZE, rows[i].version);
            struct vg_reply reply = vg_ok_content(rq, &same);
            assert_true(reply.feed->hash != 0);
            const struct vg_body body = {.hash = reply.feed->hash};
            vg_tag_write(tag, rq, &body, false);
            vg_reply_clear(&reply);
        }
        if (rows[i].if_range)
            rq->if_range = strdup(*tag ? tag : rows[i].if_range);
        struct vg_reply reply = vg_ok_content(rq, &content);
        assert_int_equal(reply.status, rows[i].status);
        assert_int_equal(reply.feed->hash != 0, rows[i].version != NULL);
        vg_request_unref(rq);
        vg_reply_clear(&reply);
    }
}

static void test_unsized(void **state)
{
    (void)state;
    struct vg_request *rq = make_request(VG_GET, "bytes=0-9"); /* it has no ranges */
    struct vg_content content = make_content(VG_CONTENT_UNSIZED, NULL);
    is.has = 100; /* it may end anywhere */
    content.type = "image/png";
    struct vg_reply reply = vg_ok_content(rq, &content);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.type, "image/png");
    expect_bytes(reply.feed->first, 0, 100);
    vg_request_unref(rq);
    vg_reply_clear(&reply);
}

static void test_empty(void **state)
{
    (void)state;
    struct vg_request *rq = make_request(VG_GET, NULL);
    struct vg_content content = make_content(0, NULL);
    is.fails_read = true; /* nothing is to be read */
    struct vg_reply reply = vg_ok_content(rq, &content);
    assert_int_equal(reply.status, 200);
    assert_null(reply.feed->first);
    vg_request_unref(rq);
    vg_reply_clear(&reply);
}

/* What cannot be read is not answered 200. */
static void test_fails(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct vg_request *rq = make_request(VG_GET, NULL);
        struct vg_content content = make_content(SIZE, NULL);
        is.fails_begin = i == 0;
        is.fails_read = i == 1;
        is.has = i == 2 ? 100 : SIZE; /* it was cut */
        if (i == 3)
            vg_transfer_memory_start(VG_FEED_BLOCK - 1);
        struct vg_reply reply = vg_ok_content(rq, &content);
        assert_int_equal(reply.status, i == 3 ? 503 : 409);
        assert_int_equal(reply.retry_after, i == 3 ? 1 : 0);
        assert_null(reply.feed);
        assert_int_equal(is.ends, i + 1);
        assert_int_equal(vg_transfer_memory_used(), 0);
        vg_request_unref(rq);
        vg_reply_clear(&reply);
    }
}

/* ---- windows ----------------------------------------------------------------------- */

static void test_window(void **state)
{
    (void)state;
    struct vg_window *window = vg_window_new(100, 1000);
    assert_int_equal(window->size, 1000);
    assert_int_equal(vg_transfer_memory_used(), 1000);
    assert_null(vg_window_new(MEMORY, MEMORY)); /* more than is left */
    vg_window_free(window);
    vg_window_free(NULL);
    assert_int_equal(vg_transfer_memory_used(), 0);
}

static int n_ready;
static struct vg_window *got;

static void note_ready(void *data, struct vg_window *window)
{
    assert_ptr_equal(data, &got);
    n_ready++;
    got = window;
}

static struct vg_feed *make_feed(const char *range)
{
    struct vg_request *rq = make_request(VG_GET, range);
    struct vg_content content = make_content(SIZE, NULL);
    struct vg_reply reply = vg_ok_content(rq, &content);
    struct vg_feed *feed = vg_feed_ref(reply.feed);
    vg_request_unref(rq);
    vg_reply_clear(&reply);
    n_ready = 0;
    got = NULL;
    return feed;
}

static void test_fetch(void **state)
{
    static const struct {
        const char *range;
        uint64_t offset;
        size_t want;
    } rows[] = {
        {NULL, 0, VG_WINDOW_MIN}, {NULL, SIZE - 10, 10},   {"bytes=50-", SIZE - 10, 10},
        {"bytes=50-99", 60, 40},  {"bytes=50-99", 50, 50},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct vg_feed *feed = make_feed(rows[i].range);
        struct vg_window *window = vg_window_new(VG_WINDOW_MIN, VG_WINDOW_MIN);
        window->poured = 5;
        vg_feed_fetch(feed, window, rows[i].offset, note_ready, &got);
        assert_int_equal(n_ready, 1);
        assert_ptr_equal(got, window);
        expect_bytes(got, rows[i].offset, rows[i].want);
        assert_int_equal(got->poured, 0);
        vg_window_free(got);
        assert_int_equal(is.opens, 0);
        feed->done = i == 1;
        vg_feed_unref(feed);
        assert_int_equal(is.done, i == 1);
    }
}

static void test_fetch_fails(void **state)
{
    (void)state;
    struct vg_feed *feed = make_feed(NULL);
    struct vg_window *window = vg_window_new(VG_WINDOW_MIN, VG_WINDOW_MIN);
    is.has = VG_WINDOW_MIN + 10; /* it was cut meanwhile */
    vg_feed_fetch(feed, window, VG_WINDOW_MIN, note_ready, &got);
    assert_int_equal(n_ready, 1);
    assert_null(got);
    vg_feed_unref(feed);
}

/* The descriptor that the next one is given: as before where all are closed. */
static int next_descriptor(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(fd);
    return fd;
}

/* ---- pouring ----------------------------------------------------------------------- */

static void test_pour(void **state)
{
    int fds[2];
    char bytes[200];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct vg_feed *feed = make_feed("bytes=50-99");
    int next = next_descriptor();
    for (uint64_t at = 60; at < 100;) { /* less at a time than there is */
        vg_feed_pour(feed, vg_window_new(30, 30), at, fds[0], note_ready, &got);
        assert_non_null(got);
        assert_in_range(got->poured, 1, 100 - at);
        assert_int_equal(is.opened_at, at);
        assert_int_equal(is.opened, 100 - at);
        at += got->poured;
        vg_window_free(got);
    }
    assert_int_equal(n_ready, is.opens);
    assert_int_equal(next_descriptor(), next);
    assert_int_equal(recv(fds[1], bytes, sizeof(bytes), MSG_DONTWAIT), 40);
    for (size_t i = 0; i < 40; i++)
        assert_int_equal(bytes[i], 'a' + (60 + i) % 23);
    vg_feed_unref(feed);
    close(fds[0]);
    close(fds[1]);
}

/* A client that takes nothing holds nothing up; the window says how far it went. */
static void test_pour_to_slow(void **state)
{
    int fds[2];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct vg_feed *feed = make_feed(NULL);
    struct vg_window *window = vg_window_new(VG_WINDOW_MIN, VG_WINDOW_MIN);
    vg_feed_pour(feed, window, 0, fds[0], note_ready, &got);
    assert_int_equal(n_ready, 1);
    assert_true(got->poured < SIZE);
    size_t n = 0;
    char *bytes = malloc(SIZE);
    for (ssize_t more; (more = recv(fds[1], bytes, SIZE, MSG_DONTWAIT)) > 0;)
        n += (size_t)more;
    assert_int_equal(n, got->poured);
    free(bytes);
    assert_int_equal(is.closes, 1);
    vg_window_free(got);
    vg_feed_unref(feed);
    close(fds[0]);
    close(fds[1]);
}

static void test_pour_fails(void **state)
{
    int fds[2];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    for (int i = 0; i < 2; i++) {
        struct vg_feed *feed = make_feed(NULL);
        is.fails_open = i == 1;
        is.fails_read = i == 0;
        vg_feed_pour(feed, vg_window_new(100, 100), 0, fds[0], note_ready, &got);
        assert_int_equal(n_ready, 1);
        assert_null(got);
        assert_int_equal(is.closes, 1); /* only what was opened */
        is.fails_read = is.fails_open = false;
        vg_feed_unref(feed);
    }
    is.fails_open = true; /* of two one was opened */
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_test, end_test)
    const struct CMUnitTest tests[] = {
        TEST(test_ranges),  TEST(test_unsatisfiable), TEST(test_if_range),
        TEST(test_unsized), TEST(test_empty),         TEST(test_fails),
        TEST(test_window),  TEST(test_fetch),         TEST(test_fetch_fails),
        TEST(test_pour),    TEST(test_pour_to_slow),  TEST(test_pour_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
