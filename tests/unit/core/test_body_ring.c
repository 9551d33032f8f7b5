/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The pieces between the thread that receives a body and the worker that uses it: when
 * the source is paused and goes on, which end is told, and how the answer is given.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/core/body_stream.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int pauses, goes_on;
static sem_t went_on;

static void note_pause(void *data)
{
    assert_ptr_equal(data, &pauses);
    pauses++;
}

static void note_go_on(void *data)
{
    assert_ptr_equal(data, &pauses);
    goes_on++;
    sem_post(&went_on);
}

/* ---- a worker that reads when it is told to ---------------------------------------- */

static struct worker {
    struct vg_request *rq;
    pthread_t thread;
    sem_t turn, done;
    int rc;
    size_t n;
    char first, last;
} worker;

static void *work(void *data)
{
    struct worker *w = data;

    do {
        const char *piece = NULL;
        sem_wait(&w->turn);
        w->n = 0;
        w->rc = vg_body_read(w->rq, &piece, &w->n);
        w->first = w->n ? piece[0] : '\0';
        w->last = w->n ? piece[w->n - 1] : '\0';
        sem_post(&w->done);
    } while (w->rc > 0);
    return NULL;
}

static struct vg_body_stream *open_stream(int64_t length)
{
    const struct vg_body_source source = {note_pause, note_go_on, &pauses};
    const struct vg_body_fields fields = {.content_range = "bytes 0-9/10"};
    struct vg_body_stream *stream = vg_body_stream_new(&source, length, &fields);

    assert_non_null(stream);
    worker = (struct worker){.rq = vg_request_new()};
    worker.rq->stream = stream;
    pauses = goes_on = 0;
    sem_init(&went_on, 0, 0);
    sem_init(&worker.turn, 0, 0);
    sem_init(&worker.done, 0, 0);
    return stream;
}

/* The worker asks for its first piece. */
static void begin_work(struct vg_body_stream *stream)
{
    vg_body_stream_hold(stream);
    assert_int_equal(pauses, 1);
    assert_int_equal(pthread_create(&worker.thread, NULL, work, &worker), 0);
    sem_post(&worker.turn);
    sem_wait(&went_on);
    assert_int_equal(goes_on, 1);
}

static void read_next(void)
{
    sem_post(&worker.turn);
    sem_wait(&worker.done);
}

/* Until nothing more is read. A piece that is not full is read, too, where this thread
 * has had to wait for its turn for long. */
static void finish(void)
{
    for (sem_wait(&worker.done); worker.rc > 0; sem_wait(&worker.done))
        sem_post(&worker.turn);
    pthread_join(worker.thread, NULL);
}

static void end_stream(void)
{
    vg_error_clear(&worker.rq->error);
    vg_request_unref(worker.rq);
}

static size_t put(struct vg_body_stream *stream, char c, size_t n)
{
    char *data = malloc(n);
    memset(data, c, n);
    size_t taken = vg_body_stream_put(stream, data, n);
    free(data);
    return taken;
}

/* ---- pieces ------------------------------------------------------------------------ */

static void test_ring(void **state)
{
    (void)state;
    struct vg_body_stream *stream = open_stream(-1);
    assert_int_equal(put(stream, 'x', 10), 10); /* nobody wants it: thrown away */
    begin_work(stream);
    assert_int_equal(put(stream, 'a', VG_PIECE_SIZE), VG_PIECE_SIZE);
    sem_wait(&worker.done);
    assert_int_equal(worker.rc, 1);
    assert_int_equal(worker.n, VG_PIECE_SIZE);
    assert_int_equal(worker.first, 'a');
    /* the worker holds one, and there is room for three */
    assert_int_equal(put(stream, 'b', VG_PIECE_SIZE - 1), VG_PIECE_SIZE - 1);
    assert_int_equal(put(stream, 'c', VG_PIECE_SIZE + 1), VG_PIECE_SIZE + 1);
    assert_int_equal(pauses, 1);
    assert_int_equal(put(stream, 'd', VG_PIECE_SIZE + 7), VG_PIECE_SIZE);
    assert_int_equal(pauses, 2);
    assert_int_equal(put(stream, 'e', 1), 0);
    assert_int_equal(pauses, 2); /* once is enough */
    read_next();
    assert_int_equal(worker.first, 'b');
    assert_int_equal(worker.last, 'c');
    assert_int_equal(worker.n, VG_PIECE_SIZE);
    assert_int_equal(goes_on, 1); /* it waits until half of them are free */
    read_next();
    assert_int_equal(worker.first, 'c');
    assert_int_equal(worker.last, 'c');
    assert_int_equal(goes_on, 2);
    assert_int_equal(put(stream, 'e', 7), 7);
    assert_int_equal(pauses, 2);
    assert_true(vg_body_stream_end(stream));
    assert_int_equal(pauses, 3);
    assert_int_equal(put(stream, 'f', 7), 7); /* thrown away */
    read_next();
    assert_int_equal(worker.first, 'd');
    assert_int_equal(worker.last, 'd');
    read_next();
    assert_int_equal(worker.n, 7);
    assert_int_equal(worker.first, 'e');
    read_next();
    assert_int_equal(worker.rc, 0);
    assert_int_equal(worker.n, 0);
    assert_int_equal(goes_on, 2); /* until there is an answer */
    pthread_join(worker.thread, NULL);
    assert_int_equal(vg_body_stream_lock_answer(stream), VG_ANSWER_IN_TURN);
    vg_body_stream_unlock(stream);
    assert_int_equal(goes_on, 3);
    end_stream();
}

/* What comes slowly is used in parts; what the worker has is not written to. */
static void test_partly(void **state)
{
    (void)state;
    struct vg_body_stream *stream = open_stream(-1);
    begin_work(stream);
    assert_int_equal(put(stream, 'a', 10), 10);
    sem_wait(&worker.done);
    assert_int_equal(worker.n, 10);
    assert_int_equal(put(stream, 'b', 5), 5);
    assert_true(vg_body_stream_end(stream));
    read_next();
    assert_int_equal(worker.n, 5);
    assert_int_equal(worker.first, 'b');
    read_next();
    assert_int_equal(worker.rc, 0);
    pthread_join(worker.thread, NULL);
    end_stream();
}

/* Many more bytes than there is room for come out as they went in. */
static void test_all(void **state)
{
    (void)state;
    struct vg_body_stream *stream = open_stream(-1);
    size_t sent = 0, got = 0, most = 20 * VG_PIECE_SIZE + 5;
    bool more = true;
    begin_work(stream);
    while (sent < most) {
        char c = (char)('a' + sent / VG_PIECE_SIZE);
        size_t n = VG_PIECE_SIZE - sent % VG_PIECE_SIZE;
        n = n < most - sent ? n : most - sent;
        size_t taken = put(stream, c, n);
        sent += taken;
        if (taken == n && sent < most)
            continue;
        if (sent == most)
            assert_true(vg_body_stream_end(stream));
        do {
            sem_wait(&worker.done);
            assert_int_equal(worker.first, worker.n ? 'a' + got / VG_PIECE_SIZE : 0);
            assert_int_equal(worker.first, worker.last);
            got += worker.n;
            more = worker.rc > 0; /* from here on it may read on */
            if (more)
                sem_post(&worker.turn);
        } while (more && (sent == most || sent - got > VG_PIECE_SIZE));
    }
    assert_int_equal(got, most);
    pthread_join(worker.thread, NULL);
    end_stream();
}

/* ---- ends -------------------------------------------------------------------------- */

/* The first end counts, and nothing is read after it. */
static void test_breaks(void **state)
{
    static const struct {
        bool leaves, answered;
        int status;
        const char *words;
    } rows[] = {
        {false, false, 400, "the first"},
        {true, false, 400, "The client has gone before the body's end"},
        {false, true, 409, "The request has been answered"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct vg_body_stream *stream = open_stream(-1);
        begin_work(stream);
        assert_int_equal(put(stream, 'a', 10), 10);
        if (rows[i].leaves)
            vg_body_stream_leave(stream);
        if (rows[i].answered) {
            assert_false(vg_body_stream_is_answered(stream));
            vg_body_stream_lock_answer(stream);
            vg_body_stream_unlock(stream);
            assert_true(vg_body_stream_is_answered(stream));
        }
        vg_body_stream_break(stream, VG_E_INVALID_VALUE, "the first");
        vg_body_stream_break(stream, VG_E_CONFLICT, "the second");
        finish();
        assert_int_equal(worker.rc, -1);
        assert_int_equal(worker.rq->error.status, rows[i].status);
        assert_string_equal(worker.rq->error.detail, rows[i].words);
        assert_int_equal(put(stream, 'b', 10), 10); /* thrown away */
        end_stream();
    }
}

/* What stays in the pieces after an end is the worker's still. */
static void test_rest(void **state)
{
    const char *piece = NULL;
    size_t n = 0;
    (void)state;
    struct vg_body_stream *stream = open_stream(-1);
    begin_work(stream);
    assert_int_equal(put(stream, 'a', VG_PIECE_SIZE), VG_PIECE_SIZE);
    sem_wait(&worker.done);
    assert_int_equal(put(stream, 'b', 5), 5);
    vg_body_stream_leave(stream);
    read_next();
    assert_int_equal(worker.rc, -1);
    pthread_join(worker.thread, NULL);
    assert_int_equal(vg_body_rest(worker.rq, &piece, &n), 1);
    assert_int_equal(n, 5);
    assert_int_equal(piece[0], 'b');
    assert_int_equal(vg_body_rest(worker.rq, &piece, &n), 0);
    end_stream();
}

/* ---- the answer -------------------------------------------------------------------- */

static void test_answers(void **state)
{
    static const struct {
        bool held, ended, left;
        enum vg_body_answer how;
        int goes_on;
    } rows[] = {
        {true, false, false, VG_ANSWER_IN_TURN, 1},
        {false, false, false, VG_ANSWER_MEANWHILE, 0},
        {false, true, false, VG_ANSWER_IN_TURN, 1},
        {true, false, true, VG_ANSWER_NOBODY, 0}, /* there is no source any more */
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct vg_body_stream *stream = open_stream(-1);
        if (rows[i].held)
            vg_body_stream_hold(stream);
        if (rows[i].ended)
            assert_true(vg_body_stream_end(stream));
        if (rows[i].left)
            vg_body_stream_leave(stream);
        assert_int_equal(pauses, rows[i].held || rows[i].ended);
        assert_int_equal(vg_body_stream_lock_answer(stream), rows[i].how);
        assert_int_equal(goes_on, 0);
        vg_body_stream_unlock(stream);
        assert_int_equal(goes_on, rows[i].goes_on);
        assert_false(vg_body_stream_end(stream)); /* it was answered before */
        end_stream();
    }
}

/* A source that has gone is never called. */
static void test_gone_source(void **state)
{
    (void)state;
    struct vg_body_stream *stream = open_stream(-1);
    vg_body_stream_leave(stream);
    vg_body_stream_hold(stream);
    assert_true(vg_body_stream_end(stream));
    assert_int_equal(pauses, 0);
    end_stream();
}

/* ---- handing over ------------------------------------------------------------------ */

/* It pays for a long body that the worker wants, of which little has come. */
static void test_hand_over(void **state)
{
    static const struct {
        int64_t length;
        size_t came;
        bool hands;
    } rows[] = {
        {(int64_t)(4 * VG_PIECE_SIZE), 0, true},
        {(int64_t)(4 * VG_PIECE_SIZE) - 1, 0, false},
        {(int64_t)(4 * VG_PIECE_SIZE) + 9, 9, true},
        {(int64_t)(4 * VG_PIECE_SIZE) + 9, 10, false},
        {-1, 0, false},
    };
    int fds[2];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct vg_body_stream *stream = open_stream(rows[i].length);
        assert_int_equal(vg_body_length(worker.rq), rows[i].length);
        assert_false(vg_body_stream_hand_over(stream, fds[0])); /* nobody wants it */
        begin_work(stream);
        if (rows[i].came)
            assert_int_equal(put(stream, 'a', rows[i].came), rows[i].came);
        assert_false(vg_body_stream_hand_over(stream, -1));
        assert_int_equal(vg_body_stream_hand_over(stream, fds[0]), rows[i].hands);
        assert_int_equal(pauses, rows[i].hands ? 2 : 1);
        vg_body_stream_break(stream, VG_E_CONFLICT, "enough");
        finish();
        assert_int_equal(worker.rc, -1);
        end_stream();
    }
    close(fds[0]);
    close(fds[1]);
}

/* The descriptor that the next one is given: as before where all are closed. */
static int next_descriptor(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(fd);
    return fd;
}

/* A client that goes while the worker receives from it. */
static void test_hand_over_gone(void **state)
{
    int fds[2];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    int next = next_descriptor();
    struct vg_body_stream *stream = open_stream((int64_t)(9 * VG_PIECE_SIZE));
    begin_work(stream);
    assert_true(vg_body_stream_hand_over(stream, fds[0]));
    assert_int_equal(send(fds[1], "abc", 3, MSG_NOSIGNAL), 3);
    shutdown(fds[1], SHUT_WR);
    finish();
    assert_int_equal(worker.rc, -1);
    assert_string_equal(worker.rq->error.detail,
                        "The client has gone before the body's end");
    end_stream();
    assert_int_equal(next_descriptor(), next);
    close(fds[0]);
    close(fds[1]);
}

static void test_fields(void **state)
{
    (void)state;
    open_stream(10);
    struct vg_body_fields fields = vg_body_fields(worker.rq);
    assert_string_equal(fields.content_range, "bytes 0-9/10");
    assert_null(fields.content_digest);
    assert_null(fields.repr_digest);
    assert_true(vg_body_is_stream(worker.rq));
    assert_int_equal(vg_body_length(worker.rq), 10);
    end_stream();
    vg_body_stream_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ring),      cmocka_unit_test(test_all),
        cmocka_unit_test(test_breaks),    cmocka_unit_test(test_rest),
        cmocka_unit_test(test_answers),   cmocka_unit_test(test_gone_source),
        cmocka_unit_test(test_hand_over), cmocka_unit_test(test_fields),
        cmocka_unit_test(test_partly),    cmocka_unit_test(test_hand_over_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
