/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See http/accept.h.
 */
#include "server/http/accept.h"

#include "server/base/clock.h"
#include "server/http/limit.h"
#include "virtgate/cleanup.h"
#include "server/base/log.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define TURN       64 /* connections of one listener in a row */
#define PAUSE_MS   20 /* when there is no room for one more */
#define SAID_AGAIN (60 * VG_SECOND_NS)

static const struct vg_http_listener *served; /* borrowed: in the order of `polled` */
static struct pollfd *polled;                 /* the bell, then the listeners */
static size_t n_polled;
static pthread_t thread;

/* Clients wait in the backlog meanwhile. */
static void say_short(int error)
{
    static int64_t said_ns; /* the thread's */
    int64_t now = vg_now_ns();

    if (said_ns && now < said_ns + SAID_AGAIN)
        return;
    said_ns = now;
    vg_log(VG_LOG_ERROR, "http",
           "cannot accept connections: %s; those that come wait until there is room: "
           "lower max-connections, or raise the limit of descriptors",
           strerror(error));
}

enum outcome {
    MORE,
    NOBODY,  /* waits any more */
    NO_ROOM, /* the listener is to rest */
};

static enum outcome accept_one(const struct vg_http_listener *from)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof(address);
    int client = accept4(from->fd, (struct sockaddr *)&address, &size,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (client >= 0) { /* closed where this fails */
        (void)MHD_add_connection(from->daemon, client, (struct sockaddr *)&address, size);
        return vg_http_limit_is_short(client) ? NO_ROOM : MORE;
    }
    if (errno == EAGAIN)
        return NOBODY;
    if (errno == EINTR || errno == ECONNABORTED)
        return MORE;
    say_short(errno);
    return NO_ROOM;
}

static enum outcome accept_some(const struct vg_http_listener *from)
{
    enum outcome outcome = MORE;
    for (int i = 0; i < TURN && outcome == MORE; i++)
        outcome = accept_one(from);
    return outcome;
}

static void *accept_all(void *data)
{
    bool rest = false;
    (void)data;

    for (;;) {
        int n = poll(polled, rest ? 1 : n_polled, rest ? PAUSE_MS : -1);
        rest = false;
        if (n > 0 && polled[0].revents)
            return NULL;
        for (size_t i = 1; i < n_polled; i++)
            if (accept_some(&served[i - 1]) == NO_ROOM)
                rest = true;
    }
}

int vg_http_accept_start(const struct vg_http_listener *listeners, size_t n)
{
    served = listeners;
    polled = calloc(n + 1, sizeof(*polled));
    int bell = eventfd(0, EFD_CLOEXEC);
    if (polled) {
        n_polled = n + 1;
        polled[0] = (struct pollfd){.fd = bell, .events = POLLIN};
        for (size_t i = 0; i < n; i++)
            polled[i + 1] = (struct pollfd){.fd = listeners[i].fd, .events = POLLIN};
    }
    if (polled && bell >= 0 && pthread_create(&thread, NULL, accept_all, NULL) == 0)
        return 0;
    vg_log(VG_LOG_ERROR, "http", "cannot accept connections: %s", strerror(errno));
    return -1;
}

void vg_http_accept_stop(void)
{
    uint64_t one = 1;

    if (!n_polled)
        return;
    (void)!write(polled[0].fd, &one, sizeof(one));
    pthread_join(thread, NULL);
    for (size_t i = 0; i < n_polled; i++)
        close(polled[i].fd);
    free(polled);
    polled = NULL;
    n_polled = 0;
}
