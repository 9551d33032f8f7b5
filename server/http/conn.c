/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See http/conn.h. The lock guards the list and what is waited for; the rest of a
 * connection is its network thread's, but for two atomics.
 */
#include "server/http/conn.h"

#include "server/base/clock.h"
#include "server/core/event_reply.h"
#include "server/http/linger.h"
#include "server/http/tls_ticket.h"
#include "server/base/list.h"
#include "server/core/operation.h"
#include "virtgate/cleanup.h"
#include "server/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* How a request stands between its network thread and the watchdog. */
enum {
    NOT_READING,
    READING,
    LATE,
    BROKEN_OFF,
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int gone_epoll = -1; /* the sockets of those that wait */
static const struct vg_config *config;

/* ---- whom to look at when -----------------------------------------------------------
 */

/* A deadline is a second or more from when it is set, and is set without the lock. So
 * each connection is looked at once a second, and at its deadline if that comes before:
 * it stands in the list of the turn when that is. */
#define TURN_NS (VG_SECOND_NS / 20)
#define LOOK_NS VG_SECOND_NS
#define TURNS   32 /* more than there are from one look to the next */

static struct vg_http_conn *wheel[TURNS];
static int64_t turn; /* the last one that is over */

/* Lock held. */
static void look_later(struct vg_http_conn *conn, int64_t now_ns)
{
    int64_t deadline = atomic_load_explicit(&conn->deadline_ns, memory_order_relaxed);
    int64_t at = now_ns + LOOK_NS;

    if (deadline && deadline < at && !conn->cut)
        at = deadline;
    at = at / TURN_NS > turn ? at / TURN_NS : turn + 1;
    vg_list_insert(&wheel[at % TURNS], conn);
}

/* ---- the list ---------------------------------------------------------------------- */

void vg_http_set_deadline(struct vg_http_conn *conn, int64_t seconds)
{
    atomic_store_explicit(&conn->deadline_ns,
                          seconds ? vg_coarse_ns() + seconds * VG_SECOND_NS : 0,
                          memory_order_relaxed);
}

/* One question at a time: libmicrohttpd 1.0 answers all of them in the same memory. */
static int conn_fd(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}

static const struct sockaddr *conn_address(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return info ? info->client_addr : NULL;
}

static void *open_conn(struct MHD_Connection *connection)
{
    int fd = conn_fd(connection);
    struct vg_http_conn *conn = fd < 0 ? NULL : calloc(1, sizeof(*conn));

    if (!conn)
        return NULL;
    conn->fd = fd;
    vg_http_tls_tickets(connection);
    const struct sockaddr *address = conn_address(connection);
    conn->local = address && address->sa_family == AF_UNIX;
    conn->peer = vg_address_of(address);
    vg_address_write(&conn->peer, conn->peer_name);
    vg_http_limit_open(conn);
    vg_http_set_deadline(conn, vg_http_limit_patience(conn, config->header_timeout));
    VG_LOCK(&lock);
    look_later(conn, vg_coarse_ns());
    return conn;
}

static void close_conn(struct vg_http_conn *conn)
{
    if (!conn)
        return;
    vg_http_limit_close(conn);
    {
        VG_LOCK(&lock);
        vg_list_remove(conn);
    }
    if (conn->lingers && !conn->cut)
        vg_http_linger(conn->fd); /* libmicrohttpd closes it next */
    if (conn->sent.response)
        MHD_destroy_response(conn->sent.response);
    free(conn);
}

void vg_http_on_connection(void *data, struct MHD_Connection *connection, void **state,
                           enum MHD_ConnectionNotificationCode code)
{
    (void)data;
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        *state = open_conn(connection);
    else
        close_conn(*state);
}

bool vg_http_is_tls(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION) !=
           NULL;
}

struct vg_http_conn *vg_http_conn_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* ---- who is late ------------------------------------------------------------------- */

void vg_http_conn_reads(struct vg_http_conn *conn, int64_t seconds)
{
    atomic_store(&conn->reading, READING);
    vg_http_set_deadline(conn, seconds);
}

bool vg_http_conn_claim(struct vg_http_conn *conn)
{
    int was = READING;
    atomic_store(&conn->deadline_ns, 0); /* first: see cut_conn() */
    return atomic_compare_exchange_strong(&conn->reading, &was, NOT_READING) ||
           was == NOT_READING;
}

int vg_http_conn_verdict(const struct vg_http_conn *conn)
{
    int reading = atomic_load(&conn->reading);
    return reading == LATE ? 408 : reading == BROKEN_OFF ? 400 : 0;
}

/* Made once, at the start: no memory is needed when there are many of them. NULL: they
 * are closed without an answer. */
static char *late_answer, *broken_off_answer;

static char *make_answer(enum vg_error_id id, const char *detail)
{
    struct vg_error e = {0};
    char *answer = NULL;

    vg_error_set(&e, id, "%s", detail);
    json_auto_t *problem = vg_error_to_json(&e);
    int status = e.status;
    vg_error_clear(&e);
    vg_autofree char *body = problem ? json_dumps(problem, JSON_COMPACT) : NULL;
    if (!body || asprintf(&answer,
                          "HTTP/1.1 %d %s\r\n"
                          "Content-Type: application/problem+json\r\n"
                          "Content-Length: %zu\r\n"
                          "Cache-Control: no-store\r\n"
                          "Connection: close\r\n\r\n%s",
                          status, MHD_get_reason_phrase_for((unsigned int)status),
                          strlen(body), body) < 0)
        return NULL;
    return answer;
}

/* While a request is read nobody else writes to the socket; under TLS only its session
 * may. */
static void say(const struct vg_http_conn *conn, const char *answer)
{
    if (answer && (conn->local || !config->tls_cert))
        (void)send(conn->fd, answer, strlen(answer), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void shut_conn(struct vg_http_conn *conn)
{
    conn->cut = true;
    shutdown(conn->fd, SHUT_RDWR);
}

static void cut_conn(struct vg_http_conn *conn, int64_t late_ns)
{
    int was = READING;

    if (atomic_compare_exchange_strong(&conn->reading, &was, LATE))
        say(conn, late_answer);
    else if (atomic_load(&conn->deadline_ns) != late_ns)
        return; /* it was claimed meanwhile */
    shut_conn(conn);
}

/* Whether a request is being read whose client sends no more, all it sent being read. */
static bool is_broken_off(const struct vg_http_conn *conn)
{
    char byte;
    return atomic_load(&conn->reading) == READING &&
           recv(conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* libmicrohttpd may have read the rest of a request a moment ago; it has not seen its end
 * if the next look finds the same. */
static void cut_if_broken_off(struct vg_http_conn *conn)
{
    int was = READING;
    bool ended = is_broken_off(conn);

    if (ended && conn->ended &&
        atomic_compare_exchange_strong(&conn->reading, &was, BROKEN_OFF)) {
        say(conn, broken_off_answer);
        shut_conn(conn);
    }
    conn->ended = ended;
}

/* ---- who has gone ------------------------------------------------------------------ */

void vg_http_conn_waits(struct vg_http_conn *conn, void (*gone)(void *data), void *data)
{
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLONESHOT, .data.ptr = conn};

    VG_LOCK(&lock);
    conn->gone = gone;
    conn->gone_data = data;
    if (epoll_ctl(gone_epoll, EPOLL_CTL_ADD, conn->fd, &event) < 0 && errno != EEXIST)
        vg_log(VG_LOG_DEBUG, "http", "cannot watch a client: %s", strerror(errno));
}

void vg_http_conn_waited(struct vg_http_conn *conn)
{
    VG_LOCK(&lock);
    if (!conn->gone)
        return;
    conn->gone = NULL;
    epoll_ctl(gone_epoll, EPOLL_CTL_DEL, conn->fd, NULL);
}

/* Cuts those of a turn that are late or broken off. Lock held. */
static void look_at(struct vg_http_conn **list, int64_t now_ns)
{
    struct vg_http_conn *due = vg_take(list);

    if (due)
        due->link = &due;
    while (due) {
        struct vg_http_conn *c = due;
        int64_t at = atomic_load_explicit(&c->deadline_ns, memory_order_relaxed);
        if (at && at <= now_ns && !c->cut)
            cut_conn(c, at);
        else if (!c->cut)
            cut_if_broken_off(c);
        vg_list_remove(c);
        look_later(c, now_ns);
    }
}

/* Lock held. */
static void look(int64_t now_ns)
{
    int64_t last = now_ns / TURN_NS, first = turn + 1;

    if (first <= last - TURNS)
        first = last - TURNS + 1;
    turn = last;
    for (int64_t i = first; i <= last; i++)
        look_at(&wheel[i % TURNS], now_ns);
}

void vg_http_conns_tick(int64_t now_ns)
{
    struct epoll_event events[64];

    VG_LOCK(&lock); /* who is in the set is taken out of it under this lock */
    int n = epoll_wait(gone_epoll, events, 64, 0);
    for (int i = 0; i < n; i++) {
        const struct vg_http_conn *conn = events[i].data.ptr;
        conn->gone(conn->gone_data);
    }
    look(now_ns);
}

/* ---- start and stop ---------------------------------------------------------------- */

int vg_http_conns_start(const struct vg_config *cfg)
{
    config = cfg;
    late_answer = make_answer(
        VG_E_REQUEST_TIMEOUT,
        "The request did not come to its end within --header-timeout, its body "
        "within --body-timeout");
    broken_off_answer = make_answer(
        VG_E_BAD_REQUEST, "The client ended its side of the connection before the end of "
                          "the request");
    gone_epoll = epoll_create1(EPOLL_CLOEXEC);
    if (gone_epoll < 0)
        vg_log(VG_LOG_ERROR, "http", "epoll: %s", strerror(errno));
    return gone_epoll < 0 ? -1 : 0;
}

void vg_http_conns_stop(void)
{
    vg_http_linger_end();
    vg_http_tls_tickets_end();
    close(gone_epoll);
    gone_epoll = -1;
    free(late_answer);
    free(broken_off_answer);
    late_answer = broken_off_answer = NULL;
}
