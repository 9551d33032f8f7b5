/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A WebSocket's frames, on a pair of sockets: what is received when, what goes to a
 * channel, and what is queued.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/http/frame.h"

#define MAX_QUEUED   (64 * 1024) /* of frame.c, */
#define MAX_MESSAGES 1024        /* likewise */

static struct vg_http_websocket socket_;
static struct vg_channel channel;
static int client; /* the other end */

static int set_up(void **state)
{
    int fds[2];
    (void)state;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
        return -1;
    client = fds[0];
    socket_ =
        (struct vg_http_websocket){.fd = fds[1], .channel = &channel, .budget = SIZE_MAX};
    return wslay_event_context_server_init(&socket_.frames, &vg_http_frame_callbacks,
                                           &socket_);
}

static int tear_down(void **state)
{
    (void)state;
    wslay_event_context_free(socket_.frames);
    close(socket_.fd);
    close(client);
    free(socket_.input);
    free(socket_.early);
    return 0;
}

/* ---- frames of a client ------------------------------------------------------------ */

/* Masked by zeros. Returns its length. */
static size_t make_frame(unsigned char *ret, uint8_t opcode, const char *text)
{
    size_t n = 0;
    for (; text[n]; n++)
        ret[6 + n] = (unsigned char)text[n];
    ret[0] = (unsigned char)(0x80 | opcode);
    ret[1] = (unsigned char)(0x80 | n);
    memset(ret + 2, 0, 4);
    return n + 6;
}

static void say(uint8_t opcode, const char *text)
{
    unsigned char frame[200];
    size_t n = make_frame(frame, opcode, text);
    assert_int_equal(send(client, frame, n, 0), n);
}

static void expect_input(const char *text)
{
    assert_int_equal(socket_.n_input, strlen(text));
    if (*text)
        assert_memory_equal(socket_.input, text, strlen(text));
}

/* As the channel takes it. */
static void take_input(const char *text)
{
    expect_input(text);
    socket_.n_input = 0;
}

static void listen_(void)
{
    assert_int_equal(wslay_event_recv(socket_.frames), 0);
}

/* ---- receiving --------------------------------------------------------------------- */

static void test_messages(void **state)
{
    (void)state;
    listen_(); /* nothing is there */
    assert_false(socket_.dead);
    assert_int_equal(socket_.heard_ns, 0);
    say(WSLAY_TEXT_FRAME, "one");
    listen_();
    assert_true(socket_.heard_ns > 0);
    take_input("one");
    say(WSLAY_BINARY_FRAME, "two");
    say(WSLAY_TEXT_FRAME, ", three");
    listen_(); /* what comes at once is put together */
    take_input("two, three");
    say(WSLAY_TEXT_FRAME, "");
    say(WSLAY_PONG, "no message");
    say(WSLAY_PING, "nor this");
    listen_();
    take_input("");
    assert_false(socket_.dead);
}

/* What the channel has not taken yet is taken first. */
static void test_input_waits(void **state)
{
    (void)state;
    say(WSLAY_TEXT_FRAME, "one");
    listen_();
    say(WSLAY_TEXT_FRAME, "two");
    listen_();
    take_input("one");
    listen_();
    take_input("two");
}

/* Events are sent to a subscriber, who has nothing to say. */
static void test_subscriber(void **state)
{
    (void)state;
    socket_.channel = NULL;
    say(WSLAY_TEXT_FRAME, "hear me");
    listen_();
    expect_input("");
    assert_null(socket_.input);
    assert_false(socket_.dead);
}

/* What came with the request is first, and epoll does not know of it. */
static void test_early(void **state)
{
    unsigned char frame[200];
    size_t n = make_frame(frame, WSLAY_TEXT_FRAME, "early");
    (void)state;
    n += make_frame(frame + n, WSLAY_TEXT_FRAME, ", too");
    unsigned char third[200];
    size_t all = make_frame(third, WSLAY_TEXT_FRAME, ", in two");
    memcpy(frame + n, third, 9);
    n += 9;
    socket_.early = malloc(n);
    memcpy(socket_.early, frame, n);
    socket_.n_early = n;
    assert_int_equal(send(client, third + 9, all - 9, 0), all - 9);
    listen_();
    assert_int_equal(socket_.n_early, 0);
    take_input("early, too");
    listen_();
    take_input(", in two");
}

static void test_many_early(void **state)
{
    static const char text[] = "0123456789a"; /* frames go over the end of a piece */
    unsigned char frame[200];
    size_t n = make_frame(frame, WSLAY_TEXT_FRAME, text);
    (void)state;
    socket_.early = malloc(1000 * n); /* more than are taken at a time */
    for (size_t i = 0; i < 1000; i++)
        memcpy(socket_.early + i * n, frame, n);
    socket_.n_early = 1000 * n;
    size_t got = 0;
    for (int turn = 0; turn < 100 && got < 11000; turn++) {
        listen_();
        for (size_t i = 0; i < socket_.n_input; i++)
            assert_int_equal(socket_.input[i], text[(got + i) % 11]);
        got += socket_.n_input;
        socket_.n_input = 0;
    }
    assert_int_equal(got, 11000);
    assert_int_equal(socket_.n_early, 0);
}

/* One that says much lets others have their turn. */
static void test_budget(void **state)
{
    (void)state;
    say(WSLAY_TEXT_FRAME, "0123456789"); /* 16 bytes */
    socket_.budget = 10;
    listen_();
    expect_input("");
    assert_int_equal(socket_.budget, 0);
    listen_();
    expect_input("");
    assert_false(socket_.dead);
    socket_.budget = 100;
    listen_();
    expect_input("0123456789");
    assert_int_equal(socket_.budget, 94);
}

/* Nobody is there to be told why. */
static void test_gone(void **state)
{
    (void)state;
    shutdown(client, SHUT_WR);
    assert_int_not_equal(wslay_event_recv(socket_.frames), 0);
    assert_true(socket_.dead);
}

static void test_broken(void **state)
{
    (void)state;
    int fd = socket_.fd;
    socket_.fd = -1;
    assert_int_not_equal(wslay_event_recv(socket_.frames), 0);
    assert_true(socket_.dead);
    vg_http_frame_data(&socket_, WSLAY_TEXT_FRAME, "x", 1);
    assert_int_not_equal(wslay_event_send(socket_.frames), 0);
    socket_.fd = fd;
}

/* ---- sending ----------------------------------------------------------------------- */

static size_t hear(unsigned char *ret, size_t size)
{
    assert_int_equal(wslay_event_send(socket_.frames), 0);
    ssize_t n = recv(client, ret, size, MSG_DONTWAIT);
    return n < 0 ? 0 : (size_t)n;
}

static void test_sends(void **state)
{
    unsigned char bytes[300];
    (void)state;
    vg_http_frame_data(&socket_, WSLAY_TEXT_FRAME, "hello", 5);
    assert_int_equal(hear(bytes, sizeof(bytes)), 7);
    assert_memory_equal(bytes, "\x81\x05hello", 7);
    vg_http_frame_reset(&socket_, "buffer-overrun");
    size_t n = hear(bytes, sizeof(bytes));
    assert_true(n > 2);
    assert_int_equal(bytes[0], 0x81);
    assert_non_null(memmem(bytes, n, "buffer-overrun", 14));
    assert_false(socket_.dead);
    assert_false(socket_.ending);
    vg_http_frame_close(&socket_, 1001, "bye");
    assert_true(socket_.ending);
    assert_int_equal(hear(bytes, sizeof(bytes)), 7);
    assert_memory_equal(bytes,
                        "\x88\x05\x03\xe9"
                        "bye",
                        7);
    /* nothing can be said after it */
    vg_http_frame_data(&socket_, WSLAY_TEXT_FRAME, "x", 1);
    assert_true(socket_.dead);
}

/* A client that does not read now is waited for. */
static void test_not_now(void **state)
{
    static char big[4 * 1024 * 1024], heard[sizeof(big) + 100];
    size_t got = 0;
    (void)state;
    memset(big, 'x', sizeof(big));
    vg_http_frame_data(&socket_, WSLAY_BINARY_FRAME, big, sizeof(big));
    for (int turn = 0; turn < 100000 && wslay_event_want_write(socket_.frames); turn++) {
        assert_int_equal(wslay_event_send(socket_.frames), 0);
        for (ssize_t n;
             (n = recv(client, heard + got, sizeof(heard) - got, MSG_DONTWAIT)) > 0;)
            got += (size_t)n;
    }
    assert_int_equal(got, sizeof(big) + 10);
    assert_memory_equal(heard + 10, big, sizeof(big));
}

/* ---- bounds ------------------------------------------------------------------------ */

/* Whoever does not read what it is told is not listened to. */
static void test_full(void **state)
{
    static char big[MAX_QUEUED];
    (void)state;
    assert_false(vg_http_frames_full(&socket_));
    vg_http_frame_data(&socket_, WSLAY_TEXT_FRAME, big, MAX_QUEUED - 1);
    assert_false(vg_http_frames_full(&socket_));
    vg_http_frame_data(&socket_, WSLAY_TEXT_FRAME, "x", 1);
    assert_true(vg_http_frames_full(&socket_));
    say(WSLAY_TEXT_FRAME, "one");
    listen_();
    expect_input("");
    assert_false(socket_.dead);
}

static void test_full_of_messages(void **state)
{
    (void)state;
    for (int i = 0; i < MAX_MESSAGES - 1; i++)
        vg_http_frame_data(&socket_, WSLAY_PONG, "", 0);
    assert_false(vg_http_frames_full(&socket_));
    say(WSLAY_TEXT_FRAME, "one");
    listen_();
    take_input("one");
    vg_http_frame_data(&socket_, WSLAY_PONG, "", 0);
    assert_true(vg_http_frames_full(&socket_));
    say(WSLAY_TEXT_FRAME, "two");
    listen_();
    expect_input("");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_messages), TEST(test_input_waits), TEST(test_subscriber),
        TEST(test_early),    TEST(test_many_early),  TEST(test_budget),
        TEST(test_gone),     TEST(test_broken),      TEST(test_sends),
        TEST(test_not_now),  TEST(test_full),        TEST(test_full_of_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
