/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A console is a stream on a connection of its own, and a thread between it and a pair of
 * sockets, whose other end is the channel. The thread alone calls libvirt, so blocking on
 * a dead host harms nobody; the event loop only rings its bell.
 */
#include "virtgate/console.h"

#include "server/base/fd.h"
#include "server/base/list.h"
#include "server/base/redact.h"
#include "server/core/request.h"
#include "server/core/session.h"
#include "server/base/thread.h"
#include "server/libvirt/domain/console.h"
#include "server/libvirt/internal.h"
#include "virtgate/autoptr.h"
#include "server/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <libvirt/virterror.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>

#define TICK_MS     1000 /* how often the host's health is looked at */
#define RETRY_MS    20
#define CLOSE_LIMIT (3 * VG_SECOND_NS)
#define GONE_LIMIT  (4 * VG_SECOND_NS)
#define STACK       (256 * 1024)
/* What waits for a slow client. libvirt takes from the host whatever comes and keeps it
 * without a bound, so it is always taken from libvirt, and a client this late is ended.
 */
#define MAX_BACKLOG ((size_t)1024 * 1024)
#define PIECE       ((size_t)4096)
/* virStreamSend never says "later": what libvirtd has not read yet is asked of the
 * socket. */
#define MAX_UNSENT ((size_t)64 * 1024)

struct console {
    struct vg_channel channel; /* first: the pump's side */
    struct console *next, **link;
    uintptr_t number;
    atomic_uint refs; /* the pump, the thread */
    int inner, bell;  /* -1: none, of graphics */
    struct vg_host *host;
    struct vg_virt_conn *virt_conn;
    virStreamPtr stream;
    char *backlog; /* owned */
    size_t from, to;
    char input[PIECE]; /* from the client, not taken by the stream yet */
    size_t n_input;
    bool over, client_gone;

    pthread_mutex_t lock; /* of how it ended */
    bool told;
    enum vg_channel_end end;
    char reason[VG_CHANNEL_REASON_SIZE];

    const char *kind; /* for the log */
    char *domain, *device;
    char uuid[VIR_UUID_STRING_BUFLEN];
    char principal[VG_TOKEN_NAME_SIZE];
    char request_id[VG_REQUEST_ID_SIZE];
    int64_t opened_ns;
    struct vg_session session;
};

static pthread_mutex_t count_lock = PTHREAD_MUTEX_INITIALIZER; /* of these */
static struct console *consoles;
static uintptr_t last_number;
static pthread_cond_t count_wake;
static unsigned int count, limit;

void vg_consoles_limit(unsigned int most)
{
    limit = most;
    vg_cond_init(&count_wake);
}

static bool take_place(void)
{
    VG_LOCK(&count_lock);
    if (count >= limit)
        return false;
    count++;
    return true;
}

static void give_place_back(void)
{
    VG_LOCK(&count_lock);
    count--;
    pthread_cond_broadcast(&count_wake);
}

bool vg_consoles_gone(void)
{
    const struct timespec until = vg_from_now(GONE_LIMIT);
    VG_LOCK(&count_lock);
    int rc = 0;
    while (count && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&count_wake, &count_lock, &until);
    return count == 0;
}

/* ---- beginning and end ------------------------------------------------------------- */

/* Who has been at a guest's console is on record. */
static void audit(struct console *c, const char *message)
{
    const struct vg_log_field fields[] = {
        VG_LOG_TEXT("kind", c->kind),
        VG_LOG_TEXT("host", c->host->name),
        VG_LOG_TEXT("domain", c->domain),
        VG_LOG_TEXT("device", c->device),
        VG_LOG_TEXT("principal", c->principal[0] ? c->principal : "-"),
        VG_LOG_TEXT("requestId", c->request_id),
        VG_LOG_NUMBER("seconds", (vg_now_ns() - c->opened_ns) / VG_SECOND_NS),
        VG_LOG_TEXT("reason", c->reason[0] ? c->reason : NULL),
    };
    vg_log_fields(VG_LOG_INFO, "console", message, fields,
                  sizeof(fields) / sizeof(fields[0]));
}

static void enlist(struct console *c)
{
    VG_LOCK(&count_lock);
    c->number = ++last_number;
    vg_list_insert(&consoles, c);
}

static void take_off_list(struct console *c)
{
    VG_LOCK(&count_lock);
    vg_list_remove(c);
}

/* The last one out. */
static void console_unref(struct console *c)
{
    if (!c || atomic_fetch_sub(&c->refs, 1) != 1)
        return;
    take_off_list(c);
    if (c->opened_ns)
        audit(c, "closed");
    vg_fd_close(c->channel.fd);
    vg_fd_close(c->inner);
    vg_fd_close(c->bell);
    pthread_mutex_destroy(&c->lock);
    free(c->backlog);
    free(c->domain);
    free(c->device);
    free(c);
    give_place_back();
}

/* The first one that says why it ends is right. */
static void note_end(struct console *c, enum vg_channel_end end, const char *why)
{
    VG_LOCK(&c->lock);
    if (c->told)
        return;
    c->told = true;
    c->end = end;
    size_t n = strnlen(why, sizeof(c->reason) - 1);
    while (why[n] && n && ((unsigned char)why[n] & 0xC0) == 0x80)
        n--; /* not within a character */
    memcpy(c->reason, why, n);
    c->reason[n] = '\0';
}

/* For the thread. What the host tells the victim of a takeover is a failure, or the end.
 */
static void end_console(struct console *c, enum vg_channel_end end, const char *text)
{
    vg_autofree char *shown = vg_redact(text);
    char by[VG_TOKEN_NAME_SIZE], taken[sizeof(by) + 16];

    c->over = true;
    if (end == VG_CHANNEL_TOO_SLOW || !vg_session_is_taken(&c->session, by)) {
        note_end(c, end, shown ? shown : "");
        return;
    }
    snprintf(taken, sizeof(taken), by[0] ? "taken over by %s" : "taken over", by);
    note_end(c, VG_CHANNEL_TAKEN_OVER, taken);
}

/* The register's `end`: the pump finds the channel at its end, and asks why. */
static void end_session(void *data, const char *by)
{
    struct console *c = data;
    char why[VG_TOKEN_NAME_SIZE + 16];

    snprintf(why, sizeof(why), by[0] ? "ended by %s" : "ended", by);
    note_end(c, VG_CHANNEL_ENDED, why);
    shutdown(c->channel.fd, SHUT_RDWR);
}

static enum vg_channel_end tell_why(struct vg_channel *channel,
                                    char ret[VG_CHANNEL_REASON_SIZE])
{
    struct console *c = (struct console *)channel;
    VG_LOCK(&c->lock);
    memcpy(ret, c->reason, sizeof(c->reason));
    return c->end;
}

/* The thread's end of the pair is at its end, too, then. */
static void close_channel(struct vg_channel *channel)
{
    struct console *c = (struct console *)channel;
    vg_session_over(&c->session);
    vg_fd_close(c->channel.fd);
    c->channel.fd = -1;
    console_unref(c);
}

/* NULL: the request's error is set. */
static struct console *console_new(struct vg_request *rq, virDomainPtr dom,
                                   const char *kind, const char *device)
{
    if (!take_place()) {
        vg_error_set(&rq->error, VG_E_OVERLOADED,
                     "%u consoles are open already; close one, or raise `consoles`",
                     limit);
        return NULL;
    }
    struct console *c = calloc(1, sizeof(*c));
    if (!c) {
        give_place_back();
        vg_error_set_memory(&rq->error);
        return NULL;
    }
    pthread_mutex_init(&c->lock, NULL);
    atomic_init(&c->refs, 1);
    c->channel = (struct vg_channel){.fd = -1, .why = tell_why, .close = close_channel};
    c->inner = c->bell = -1;
    c->end = VG_CHANNEL_DONE;
    c->host = rq->host;
    c->kind = kind;
    c->domain = strdup(virDomainGetName(dom));
    virDomainGetUUIDString(dom, c->uuid);
    c->device = device ? strdup(device) : NULL;
    memcpy(c->principal, rq->principal, sizeof(c->principal));
    memcpy(c->request_id, rq->id, sizeof(c->request_id));
    enlist(c);
    if (c->domain && (c->device || !device))
        return c;
    console_unref(c); /* without its device it would be another console */
    vg_error_set_memory(&rq->error);
    return NULL;
}

static struct vg_channel *console_opened(struct console *c, const struct vg_request *rq,
                                         enum vg_session_kind kind)
{
    c->opened_ns = vg_now_ns();
    audit(c, "opened");
    c->session.kind = kind;
    c->session.domain = c->domain;
    c->session.uuid = c->uuid;
    c->session.device = c->device;
    c->session.end = end_session;
    c->session.data = c;
    vg_session_begin(&c->session, rq);
    return &c->channel;
}

/* ---- the thread -------------------------------------------------------------------- */

static void ring(struct console *c)
{
    uint64_t one = 1;
    (void)!write(c->bell, &one, sizeof(one));
}

/* On the event loop. The event stays until it was looked at, so it is switched off: the
 * thread switches it on again. libvirt does not tell when a removed callback has run for
 * the last time, so it knows its console by number. */
static void on_event(virStreamPtr stream, int events, void *data)
{
    (void)events;
    virStreamEventUpdateCallback(stream, 0);
    VG_LOCK(&count_lock);
    for (struct console *c = consoles; c; c = c->next)
        if (c->number == (uintptr_t)data)
            ring(c);
}

/* Makes room at the end. */
static size_t room_in_backlog(struct console *c)
{
    if (c->from == c->to)
        c->from = c->to = 0;
    if (c->from && MAX_BACKLOG - c->to < PIECE) {
        memmove(c->backlog, c->backlog + c->from, c->to - c->from);
        c->to -= c->from;
        c->from = 0;
    }
    return MAX_BACKLOG - c->to;
}

static void send_backlog(struct console *c)
{
    while (c->from < c->to) {
        ssize_t n = send(c->inner, c->backlog + c->from, c->to - c->from,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) {
            c->from += (size_t)n;
            continue;
        }
        c->client_gone = errno != EAGAIN && errno != EINTR;
        return;
    }
}

static void take_output(struct console *c)
{
    while (!c->over) {
        size_t room = room_in_backlog(c);
        if (!room) {
            end_console(c, VG_CHANNEL_TOO_SLOW, "too slow");
            c->from = c->to;
            return;
        }
        int n = virStreamRecv(c->stream, c->backlog + c->to, room);
        if (n > 0)
            c->to += (size_t)n;
        else if (n == 0)
            end_console(c, VG_CHANNEL_DONE, "ended");
        else if (n == -1)
            end_console(c, VG_CHANNEL_FAILED, virGetLastErrorMessage());
        send_backlog(c);
        if (n == -2)
            break;
    }
    if (!c->over &&
        virStreamEventUpdateCallback(c->stream, VIR_STREAM_EVENT_READABLE) < 0)
        end_console(c, VG_CHANNEL_FAILED, virGetLastErrorMessage());
}

static void read_input(struct console *c)
{
    ssize_t got = recv(c->inner, c->input, sizeof(c->input), MSG_DONTWAIT);
    if (got > 0)
        c->n_input = (size_t)got;
    else
        c->client_gone = got == 0 || (errno != EAGAIN && errno != EINTR);
}

/* False: the stream takes no more for now. */
static bool send_input(struct console *c)
{
    if (vg_virt_conn_unsent(c->virt_conn) > MAX_UNSENT)
        return false;
    int n = virStreamSend(c->stream, c->input, c->n_input);
    if (n == -1)
        end_console(c, VG_CHANNEL_FAILED, virGetLastErrorMessage());
    if (n <= 0)
        return false;
    c->n_input -= (size_t)n;
    memmove(c->input, c->input + n, c->n_input);
    return true;
}

static void take_input(struct console *c)
{
    while (!c->over && !c->client_gone) {
        if (!c->n_input)
            read_input(c);
        if (!c->n_input || !send_input(c))
            return;
    }
}

/* Its own connection has no keep-alive: libvirtd does not answer it while a guest takes
 * no input. That the host is there, its host monitor knows. */
static void check_host(struct console *c)
{
    struct vg_host *host = c->host;
    bool gone;
    {
        VG_LOCK(&host->lock);
        gone = host->lost || host->state == VG_HOST_DOWN ||
               host->epoch != c->virt_conn->epoch;
    }
    if (!c->over && (gone || !vg_virt_conn_usable(c->virt_conn)))
        end_console(c, VG_CHANNEL_FAILED, "The connection to the host is lost");
}

static void wait_for_more(struct console *c)
{
    struct pollfd fds[] = {
        {.fd = c->bell, .events = POLLIN},
        {.fd = c->inner,
         .events = (short)((c->n_input || c->over ? 0 : POLLIN) |
                           (c->from < c->to ? POLLOUT : 0))},
    };
    uint64_t times;

    poll(fds, 2, c->n_input ? RETRY_MS : TICK_MS);
    (void)!read(c->bell, &times, sizeof(times));
    if (fds[1].revents & (POLLERR | POLLHUP))
        c->client_gone = true;
}

static bool is_done(struct console *c)
{
    VG_LOCK(&c->lock);
    return c->end == VG_CHANNEL_DONE;
}

static void close_stream(struct console *c)
{
    atomic_store(&c->virt_conn->cut_at_ns, vg_now_ns() + CLOSE_LIMIT);
    virStreamEventRemoveCallback(c->stream);
    if (c->over && is_done(c))
        virStreamFinish(c->stream);
    else
        virStreamAbort(c->stream);
    virStreamFree(c->stream);
    c->stream = NULL;
    vg_virt_conn_free(c->virt_conn);
    c->virt_conn = NULL;
}

static void *run_console(void *data)
{
    struct console *c = data;

    while (!c->client_gone && !(c->over && c->from == c->to)) {
        take_output(c);
        send_backlog(c);
        take_input(c);
        check_host(c);
        if (!c->client_gone && !(c->over && c->from == c->to))
            wait_for_more(c);
    }
    shutdown(c->inner, SHUT_RDWR); /* the client hears of it before the host is asked */
    close_stream(c);
    console_unref(c);
    return NULL;
}

/* ---- opening ----------------------------------------------------------------------- */

static int make_pair(struct console *c)
{
    int pair[2];

    c->backlog = malloc(MAX_BACKLOG);
    c->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!c->backlog || c->bell < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return -1;
    c->channel.fd = pair[0];
    c->inner = pair[1];
    return 0;
}

static int connect_console(struct vg_request *rq, struct console *c)
{
    c->virt_conn = vg_virt_conn_new();
    if (!c->virt_conn || make_pair(c) < 0) {
        vg_error_set(&rq->error, VG_E_INTERNAL, "Out of memory or descriptors");
        return -1;
    }
    atomic_store(&c->virt_conn->cut_at_ns, rq->deadline_ns);
    int rc = vg_host_prepare_conn(c->host, c->virt_conn, rq);
    if (rc == 0 && !c->virt_conn->in_process)
        virConnectSetKeepAlive(c->virt_conn->conn, 0, 0);
    return rc;
}

static int open_stream(struct vg_request *rq, struct console *c, virDomainPtr dom,
                       vg_console_open *open, unsigned int flags)
{
    char uuid[VIR_UUID_STRING_BUFLEN];

    virDomainGetUUIDString(dom, uuid);
    vg_autoptr(virDomain) own = virDomainLookupByUUIDString(c->virt_conn->conn, uuid);
    c->stream = own ? virStreamNew(c->virt_conn->conn, VIR_STREAM_NONBLOCK) : NULL;
    if (!c->stream || open(own, c->device, c->stream, flags) < 0)
        return vg_error_set_virt(&rq->error);
    if (virStreamEventAddCallback(c->stream, VIR_STREAM_EVENT_READABLE, on_event,
                                  (void *)c->number, NULL) == 0)
        return 0;
    return vg_error_set_virt(&rq->error);
}

static int start_thread(struct console *c)
{
    atomic_store(&c->virt_conn->cut_at_ns, 0);
    atomic_fetch_add(&c->refs, 1);
    if (vg_thread_detach(run_console, c, STACK) == 0)
        return 0;
    atomic_fetch_sub(&c->refs, 1);
    virStreamEventRemoveCallback(c->stream);
    return -1;
}

/* Of one that never ran. */
static void discard(struct console *c)
{
    vg_session_over(&c->session);
    if (c->stream) {
        virStreamAbort(c->stream);
        virStreamFree(c->stream);
    }
    vg_virt_conn_free(c->virt_conn);
    c->virt_conn = NULL;
    console_unref(c);
}

/* Who has it, where it is in use; one of this gateway's. */
static void note_holder(struct vg_request *rq, const struct console *c,
                        enum vg_session_kind kind)
{
    char name[VG_TOKEN_NAME_SIZE];

    if (vg_error_is_virt(&rq->error, VIR_ERR_OPERATION_FAILED) &&
        vg_sessions_find_holder(rq, kind, c->uuid, c->device, name))
        rq->error.holder = strdup(name);
}

struct vg_channel *vg_console_new(struct vg_request *rq, virDomainPtr dom,
                                  vg_console_open *open, const char *device,
                                  unsigned int flags)
{
    bool is_channel = open == virDomainOpenChannel;
    unsigned int force = is_channel ? (unsigned int)VIR_DOMAIN_CHANNEL_FORCE
                                    : (unsigned int)VIR_DOMAIN_CONSOLE_FORCE;
    enum vg_session_kind kind = is_channel ? VG_SESSION_CHANNEL : VG_SESSION_CONSOLE;
    struct console *c = console_new(rq, dom, is_channel ? "channel" : "console", device);
    if (!c)
        return NULL;
    if (flags & force)
        vg_sessions_take_over(rq, kind, c->uuid, device);
    if (connect_console(rq, c) < 0 || open_stream(rq, c, dom, open, flags) < 0) {
        note_holder(rq, c, kind);
        discard(c);
        return NULL;
    }
    struct vg_channel *channel =
        console_opened(c, rq, kind); /* before the thread can end it */
    if (start_thread(c) == 0)
        return channel;
    vg_error_set(&rq->error, VG_E_INTERNAL, "Cannot start a thread");
    discard(c);
    return NULL;
}

struct vg_channel *vg_graphics_new(struct vg_request *rq, virDomainPtr dom,
                                   unsigned int index, unsigned int flags)
{
    char number[16];

    snprintf(number, sizeof(number), "%u", index);
    struct console *c = console_new(rq, dom, "graphics", number);
    if (!c)
        return NULL;
    c->channel.fd = virDomainOpenGraphicsFD(dom, index, flags);
    if (c->channel.fd < 0) {
        vg_error_set_virt(&rq->error);
        console_unref(c);
        return NULL;
    }
    fcntl(c->channel.fd, F_SETFD, FD_CLOEXEC);
    fcntl(c->channel.fd, F_SETFL, fcntl(c->channel.fd, F_GETFL) | O_NONBLOCK);
    return console_opened(c, rq, VG_SESSION_DISPLAY);
}
