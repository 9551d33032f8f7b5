/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The event loop by libvirt's rules (libvirt-event.h), through libvirt's own functions.
 * The test's thread is the loop, turn by turn, but for the last tests.
 */
#include "server/base/clock.h"
#include "server/libvirt/epoll.h"

#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define IN  VIR_EVENT_HANDLE_READABLE
#define OUT VIR_EVENT_HANDLE_WRITABLE
#define HUP VIR_EVENT_HANDLE_HANGUP

/* What a callback was told, and what it is to do. */
struct seen {
    int id, fd, events;
    atomic_int calls, freed;
    int remove;  /* a handle for it to remove */
    int timeout; /* a timer for it to remove */
    int remove_result;
    struct seen *add; /* a handle on its descriptor for it to add */
};

static void note_freed(void *data)
{
    struct seen *seen = data;
    seen->freed++;
}

static void note_event(int id, int fd, int events, void *data)
{
    struct seen *seen = data;
    assert_int_equal(seen->freed, 0);
    assert_int_equal(id, seen->id);
    assert_int_equal(fd, seen->fd);
    seen->events = events;
    seen->calls++;
    if (seen->remove)
        seen->remove_result = virEventRemoveHandle(seen->remove);
    if (seen->add)
        seen->add->id = virEventAddHandle(fd, OUT, note_event, seen->add, note_freed);
    seen->remove = 0;
    seen->add = NULL;
}

static void note_time(int id, void *data)
{
    struct seen *seen = data;
    assert_int_equal(seen->freed, 0);
    assert_int_equal(id, seen->id);
    seen->calls++;
    if (seen->timeout)
        seen->remove_result = virEventRemoveTimeout(seen->timeout);
    seen->timeout = 0;
}

static void add(struct seen *seen, int fd, int events)
{
    *seen = (struct seen){.fd = fd};
    seen->id = virEventAddHandle(fd, events, note_event, seen, note_freed);
    assert_true(seen->id > 0);
}

static void add_timeout(struct seen *seen, int ms)
{
    *seen = (struct seen){0};
    seen->id = virEventAddTimeout(ms, note_time, seen, note_freed);
    assert_true(seen->id > 0);
}

/* Turns that wait for nothing. */
static void turn(unsigned int n)
{
    while (n--) {
        vg_epoll_wake();
        vg_epoll_turn();
    }
}

struct sockets {
    int a, b;
};

static struct sockets make_sockets(void)
{
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    return (struct sockets){fd[0], fd[1]};
}

static void close_sockets(struct sockets s)
{
    close(s.a);
    if (s.b >= 0)
        close(s.b);
}

static void drain(int fd)
{
    char data[64];
    while (read(fd, data, sizeof(data)) > 0) {
    }
}

static void poke(int fd)
{
    assert_int_equal(write(fd, "x", 1), 1);
}

/* ---- handles ----------------------------------------------------------------------- */

static void test_readable(void **state)
{
    (void)state;
    struct sockets s = make_sockets();
    struct seen h;
    add(&h, s.a, IN);
    turn(2);
    assert_int_equal(h.calls, 0);
    poke(s.b);
    turn(3); /* level-triggered: again until it is read */
    assert_int_equal(h.calls, 3);
    assert_int_equal(h.events, IN);
    drain(s.a);
    turn(2);
    assert_int_equal(h.calls, 3);
    assert_int_equal(virEventRemoveHandle(h.id), 0);
    turn(1);
    assert_int_equal(h.freed, 1);
    close_sockets(s);
}

static void test_update(void **state)
{
    (void)state;
    struct sockets s = make_sockets();
    struct seen h;
    add(&h, s.a, 0);
    poke(s.b);
    turn(2);
    assert_int_equal(h.calls, 0);
    virEventUpdateHandle(h.id, IN | OUT);
    turn(1);
    assert_int_equal(h.calls, 1);
    assert_int_equal(h.events, IN | OUT);
    virEventUpdateHandle(h.id, OUT);
    turn(1);
    assert_int_equal(h.events, OUT);
    virEventUpdateHandle(h.id, 0);
    turn(2);
    assert_int_equal(h.calls, 2);
    virEventRemoveHandle(h.id);
    virEventUpdateHandle(h.id, IN);
    turn(2);
    assert_int_equal(h.calls, 2);
    close_sockets(s);
}

/* A handle that is switched off is not told of a hang-up and does not keep the loop
 * busy; switched on it is told what it missed. */
static void test_hangup(void **state)
{
    (void)state;
    struct sockets s = make_sockets();
    struct seen h, wait;
    add(&h, s.a, 0);
    close(s.b);
    s.b = -1;
    turn(2);
    assert_int_equal(h.calls, 0);
    add_timeout(&wait, 50);
    int turns = 0;
    for (; !wait.calls; turns++)
        vg_epoll_turn();
    assert_in_range(turns, 1, 5);
    assert_int_equal(h.calls, 0);
    virEventUpdateHandle(h.id, OUT);
    turn(1);
    assert_int_equal(h.calls, 1);
    assert_true(h.events & HUP);
    assert_false(h.events & IN);
    virEventRemoveHandle(h.id);
    virEventRemoveTimeout(wait.id);
    turn(1);
    close_sockets(s);
}

static void test_same_fd(void **state)
{
    (void)state;
    struct sockets s = make_sockets();
    struct seen in, out, again;
    add(&in, s.a, IN);
    add(&out, s.a, OUT);
    add(&again, s.a, IN);
    turn(1);
    assert_int_equal(in.calls + again.calls, 0);
    assert_int_equal(out.calls, 1);
    assert_int_equal(out.events, OUT);
    poke(s.b);
    turn(1);
    assert_int_equal(in.calls, 1);
    assert_int_equal(in.events, IN);
    assert_int_equal(again.calls, 1);
    assert_int_equal(out.calls, 2);
    assert_int_equal(virEventRemoveHandle(out.id), 0);
    turn(1);
    assert_int_equal(out.freed, 1);
    assert_int_equal(out.calls, 2);
    assert_int_equal(in.calls, 2);
    assert_int_equal(again.calls, 2);
    virEventUpdateHandle(in.id, 0);
    turn(1);
    assert_int_equal(in.calls, 2);
    assert_int_equal(again.calls, 3);
    virEventRemoveHandle(in.id);
    virEventRemoveHandle(again.id);
    turn(1);
    close_sockets(s);
}

static void test_remove(void **state)
{
    (void)state;
    struct sockets s = make_sockets();
    struct seen h;
    add(&h, s.a, OUT);
    assert_int_equal(virEventRemoveHandle(h.id), 0);
    assert_int_equal(h.freed, 0); /* never from within the call */
    assert_int_equal(virEventRemoveHandle(h.id), -1);
    assert_int_equal(virEventRemoveTimeout(h.id), -1);
    vg_epoll_turn(); /* does not wait while something is to be freed */
    assert_int_equal(h.freed, 1);
    assert_int_equal(h.calls, 0);
    assert_int_equal(virEventRemoveHandle(-1), -1);
    assert_int_equal(virEventRemoveHandle(INT32_MAX), -1);
    assert_int_equal(virEventAddHandle(-1, IN, note_event, &h, note_freed), -1);
    close_sockets(s);
    /* closed: cannot be watched, and what was given stays the caller's */
    assert_int_equal(virEventAddHandle(s.a, IN, note_event, &h, note_freed), -1);
    turn(1);
    assert_int_equal(h.freed, 1);
}

/* Itself, one that is due in the same turn, and a new one. */
static void test_in_callbacks(void **state)
{
    (void)state;
    struct sockets s = make_sockets(), t = make_sockets();
    struct seen self, other, new = {0};
    add(&self, s.a, OUT);
    self.remove = self.id;
    turn(2);
    assert_int_equal(self.calls, 1);
    assert_int_equal(self.remove_result, 0);
    assert_int_equal(self.freed, 1);

    add(&self, s.a, OUT);
    add(&other, t.a, OUT);
    self.remove = other.id;
    other.remove = self.id;
    turn(2);
    assert_int_equal((self.calls > 0) + (other.calls > 0), 1); /* the first one's wish */
    assert_int_equal(self.freed + other.freed, 1);
    virEventRemoveHandle(self.freed ? other.id : self.id);
    turn(1);
    assert_int_equal(self.freed + other.freed, 2);

    add(&self, s.a, OUT);
    new.fd = s.a;
    self.add = &new;
    turn(1);
    assert_int_equal(new.calls, 0); /* what was found was found before it */
    turn(1);
    assert_int_equal(new.calls, 1);
    assert_int_equal(self.calls, 2);
    virEventRemoveHandle(self.id);
    virEventRemoveHandle(new.id);
    turn(1);
    close_sockets(s);
    close_sockets(t);
}

/* A number is not given twice, nor mistaken for another's. */
static void test_many(void **state)
{
    (void)state;
    enum { N = 300 };
    static struct sockets s[N];
    static struct seen h[N];
    for (int i = 0; i < N; i++) {
        s[i] = make_sockets();
        add(&h[i], s[i].a, IN);
        for (int j = 0; j < i; j++)
            assert_int_not_equal(h[j].id, h[i].id);
        poke(s[i].b);
    }
    turn(3 * N / 64 + 1); /* several turns' worth */
    for (int i = 0; i < N; i++)
        assert_true(h[i].calls > 0);
    int last = h[N - 1].id;
    for (int i = 0; i < N; i++) {
        assert_int_equal(virEventRemoveHandle(h[i].id), 0);
        close_sockets(s[i]);
    }
    turn(1);
    struct sockets one = make_sockets();
    struct seen again;
    for (int i = 0; i < 4 * N; i++) {
        add(&again, one.a, IN);
        assert_int_not_equal(again.id, last);
        assert_int_equal(virEventRemoveHandle(again.id), 0);
        turn(1);
        assert_int_equal(again.freed, 1);
    }
    for (int i = 0; i < N; i++)
        assert_int_equal(h[i].freed, 1);
    close_sockets(one);
}

/* ---- timers ------------------------------------------------------------------------ */

static void test_timers(void **state)
{
    (void)state;
    struct seen never, always, soon;
    add_timeout(&never, -1);
    add_timeout(&always, 0);
    turn(1);
    assert_int_equal(always.calls, 1);
    vg_epoll_turn(); /* does not wait */
    assert_int_equal(always.calls, 2);
    virEventUpdateTimeout(always.id, -1);
    turn(2);
    assert_int_equal(always.calls, 2);

    int64_t start = vg_now_ns();
    add_timeout(&soon, 20);
    turn(1);
    assert_int_equal(soon.calls, 0);
    while (soon.calls < 3)
        vg_epoll_turn();
    assert_in_range((vg_now_ns() - start) / 1000000, 60, 2000);
    assert_int_equal(never.calls, 0);

    virEventUpdateTimeout(soon.id, 3600 * 1000);
    virEventUpdateTimeout(never.id, 1);
    while (!never.calls)
        vg_epoll_turn();
    assert_int_equal(soon.calls, 3);
    assert_int_equal(virEventRemoveTimeout(never.id), 0);
    assert_int_equal(virEventRemoveTimeout(soon.id), 0);
    assert_int_equal(virEventRemoveTimeout(soon.id), -1);
    assert_int_equal(virEventRemoveHandle(always.id), -1); /* it is a timer */
    assert_int_equal(soon.freed, 0);
    turn(1);
    assert_int_equal(soon.freed + never.freed, 2);

    virEventUpdateTimeout(always.id, 0);
    always.timeout = always.id;
    turn(3);
    assert_int_equal(always.calls, 3);
    assert_int_equal(always.remove_result, 0);
    assert_int_equal(always.freed, 1);
}

/* ---- other threads ----------------------------------------------------------------- */

static atomic_bool stopping;

static void *run(void *data)
{
    (void)data;
    while (!stopping)
        vg_epoll_turn();
    return NULL;
}

static void await(const atomic_int *value, int least)
{
    int64_t end = vg_now_ns() + 10 * VG_SECOND_NS;
    while (*value < least && vg_now_ns() < end)
        usleep(200);
    assert_true(*value >= least);
}

static pthread_t start_loop(void)
{
    pthread_t loop;
    stopping = false;
    assert_int_equal(pthread_create(&loop, NULL, run, NULL), 0);
    usleep(20000); /* asleep, most likely */
    return loop;
}

static void stop_loop(pthread_t loop)
{
    stopping = true;
    vg_epoll_wake();
    pthread_join(loop, NULL);
}

/* A loop that sleeps for ever learns of everything. */
static void test_asleep(void **state)
{
    (void)state;
    struct sockets s = make_sockets();
    struct seen h, t;
    pthread_t loop = start_loop();
    poke(s.b);
    add_timeout(&t, -1);
    usleep(20000);
    virEventUpdateTimeout(t.id, 5);
    await(&t.calls, 2);
    virEventUpdateTimeout(t.id, -1);
    /* the loop's callback looks at the number, so it is known before the loop may call */
    add(&h, s.a, 0);
    usleep(20000);
    virEventUpdateHandle(h.id, IN);
    await(&h.calls, 2);
    usleep(20000);
    virEventRemoveHandle(h.id);
    await(&h.freed, 1);
    usleep(20000);
    virEventRemoveTimeout(t.id);
    await(&t.freed, 1);
    stop_loop(loop);
    close_sockets(s);
}

struct busy {
    atomic_int calls, freed;
};

static void count_event(int id, int fd, int events, void *data)
{
    struct busy *busy = data;
    (void)id;
    (void)fd;
    (void)events;
    busy->calls++;
}

static void count_freed(void *data)
{
    struct busy *busy = data;
    busy->freed++;
}

/* Each its own socket, switched on and off as libvirt's calls do, added and removed. */
static void *hammer(void *data)
{
    struct busy *busy = data;
    struct sockets s = make_sockets();
    poke(s.b);
    for (int i = 0; i < 300; i++) {
        int one = virEventAddHandle(s.a, 0, count_event, busy, count_freed);
        int two = virEventAddHandle(s.a, OUT, count_event, busy, count_freed);
        for (int j = 0; j < 20; j++) {
            virEventUpdateHandle(one, IN);
            virEventUpdateHandle(one, 0);
        }
        virEventRemoveHandle(two);
        virEventRemoveHandle(one);
    }
    close_sockets(s);
    return NULL;
}

static void test_hammer(void **state)
{
    (void)state;
    enum { N = 6 };
    pthread_t threads[N], loop = start_loop();
    static struct busy busy[N];
    for (int i = 0; i < N; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, &busy[i]), 0);
    for (int i = 0; i < N; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < N; i++)
        await(&busy[i].freed, 600);
    stop_loop(loop);
    for (int i = 0; i < N; i++)
        assert_int_equal(busy[i].freed, 600);
}

static int set_up(void **state)
{
    (void)state;
    return vg_epoll_register();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readable), cmocka_unit_test(test_update),
        cmocka_unit_test(test_hangup),   cmocka_unit_test(test_same_fd),
        cmocka_unit_test(test_remove),   cmocka_unit_test(test_in_callbacks),
        cmocka_unit_test(test_many),     cmocka_unit_test(test_timers),
        cmocka_unit_test(test_asleep),   cmocka_unit_test(test_hammer),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
