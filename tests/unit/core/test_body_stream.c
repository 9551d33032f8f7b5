/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A body that the worker receives by itself, while its connection is closed and another
 * one gets the number of its descriptor.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/core/body_stream.h"

#define LENGTH (6 * VG_PIECE_SIZE)

static atomic_bool goes_on;

static void pause_source(void *data)
{
    (void)data;
}

static void let_source_go_on(void *data)
{
    (void)data;
    atomic_store(&goes_on, true);
}

struct worker {
    struct vg_request *rq;
    size_t own, foreign; /* bytes that it was given */
    int rc;
};

static void *read_all(void *data)
{
    struct worker *w = data;
    const char *piece;
    size_t n;

    while ((w->rc = vg_body_read(w->rq, &piece, &n)) > 0)
        for (size_t i = 0; i < n; i++) {
            w->own += piece[i] == 'a';
            w->foreign += piece[i] != 'a';
        }
    return NULL;
}

/* Until it is all sent, or nobody receives it. */
static void send_body(int fd, size_t n)
{
    static char bytes[VG_PIECE_SIZE];
    ssize_t sent = 1;

    for (memset(bytes, 'a', sizeof(bytes)); n && sent > 0; n -= (size_t)sent)
        sent = send(fd, bytes, n < sizeof(bytes) ? n : sizeof(bytes), MSG_NOSIGNAL);
}

static void test_own_descriptor(void **state)
{
    (void)state;
    const struct vg_body_source source = {pause_source, let_source_go_on, NULL};
    const struct vg_body_fields fields = {0};
    const struct timespec moment = {.tv_nsec = 1000000};
    struct worker w = {.rq = vg_request_new()};
    int mine[2], other[2];
    pthread_t thread;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, mine), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
    vg_body_stream_start(5 * VG_SECOND_NS);
    struct vg_body_stream *stream = vg_body_stream_new(&source, LENGTH, &fields);
    w.rq->stream = stream;
    vg_body_stream_hold(stream);
    assert_int_equal(pthread_create(&thread, NULL, read_all, &w), 0);
    while (!atomic_load(&goes_on))
        nanosleep(&moment, NULL);
    assert_int_equal(vg_body_stream_put(stream, "aaa", 3), 3);
    assert_true(vg_body_stream_hand_over(stream, mine[0]));

    assert_int_equal(send(other[1], "foreign", 7, MSG_NOSIGNAL), 7);
    assert_int_equal(dup2(other[0], mine[0]),
                     mine[0]); /* closed, and the number reused */
    send_body(mine[1], LENGTH - 3);
    pthread_join(thread, NULL);
    assert_int_equal(w.rc, 0);
    assert_int_equal(w.own, LENGTH);
    assert_int_equal(w.foreign, 0);

    vg_request_unref(w.rq);
    for (int i = 0; i < 2; i++) {
        close(mine[i]);
        close(other[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
