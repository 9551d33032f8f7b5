/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sockets that systemd has opened (virtgate.socket) stand for --listen: they are named as
 * that option names addresses, so that what is checked of one holds for the other.
 */
#include "server/config/internal.h"
#include "virtgate/cleanup.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

/* Owned by the caller; NULL: out of memory, or no address that a gateway listens on. */
static char *name_socket(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof(address);
    char host[NI_MAXHOST], port[NI_MAXSERV], *name = NULL;

    if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        return NULL;
    if (address.ss_family == AF_UNIX) {
        const struct sockaddr_un *un = (const struct sockaddr_un *)&address;
        return asprintf(&name, "unix:%.*s", (int)sizeof(un->sun_path), un->sun_path) < 0
                   ? NULL
                   : name;
    }
    if (getnameinfo((struct sockaddr *)&address, size, host, sizeof(host), port,
                    sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
        return NULL;
    return asprintf(&name, address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host,
                    port) < 0
               ? NULL
               : name;
}

static int take_socket(struct vg_config_read *r, struct vg_texts *names, int fd)
{
    if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
        return vg_config_fail(r, "descriptor %d of systemd is no listening stream socket",
                              fd);
    char *name = name_socket(fd);
    if (!name)
        return vg_config_fail(r, "descriptor %d of systemd has no address", fd);
    names->v[names->n++] = name;
    return 0;
}

int vg_config_take_inherited(struct vg_config_read *r)
{
    int n = sd_listen_fds(1);
    struct vg_texts *names = &r->config.listen;

    if (n <= 0)
        return 0;
    while (names->n)
        free(names->v[--names->n]);
    free(names->v);
    names->v = calloc((size_t)n, sizeof(*names->v));
    if (!names->v)
        return vg_config_fail(r, "out of memory");
    for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + n; fd++)
        if (take_socket(r, names, fd) < 0)
            return -1;
    r->config.first_inherited = SD_LISTEN_FDS_START;
    return 0;
}
