/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See http/linger.h. The socket outlives its owner as a duplicate; a client that reads
 * its answer first closes at once, one that sends to the end takes a few turns.
 */
#include "server/http/linger.h"

#include "server/base/clock.h"
#include "server/base/fd.h"
#include "virtgate/cleanup.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define MAX_SOCKETS 256
#define LINGER_NS   (5 * VG_SECOND_NS)
#define MAX_TURN    (1 << 20) /* bytes read of one socket in one turn */

struct socket {
    int fd;
    int64_t until_ns;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct socket sockets[MAX_SOCKETS];
static size_t n_sockets;

/* Throws away what has come. False: the client sends no more. */
static bool discard(int fd)
{
    char scratch[16 * 1024];

    for (size_t total = 0; total < MAX_TURN;) {
        ssize_t n = recv(fd, scratch, sizeof(scratch), MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return false;
        if (n < 0)
            return true;
        total += (size_t)n;
    }
    return true;
}

void vg_http_linger(int fd)
{
    shutdown(fd, SHUT_WR); /* the answer is whole */
    if (!discard(fd))
        return;
    VG_LOCK(&lock);
    int own = n_sockets < MAX_SOCKETS ? vg_fd_copy(fd) : -1;
    if (own >= 0)
        sockets[n_sockets++] = (struct socket){own, vg_now_ns() + LINGER_NS};
}

void vg_http_linger_tick(int64_t now_ns)
{
    size_t n;
    {
        VG_LOCK(&lock);
        n = n_sockets;
    }
    /* only this takes sockets away: the first n stay while network threads add others */
    while (n-- > 0) {
        if (sockets[n].until_ns > now_ns && discard(sockets[n].fd))
            continue;
        close(sockets[n].fd);
        VG_LOCK(&lock);
        sockets[n] = sockets[--n_sockets];
    }
}

void vg_http_linger_end(void)
{
    vg_http_linger_tick(INT64_MAX);
}
