/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How virtgate learns which sockets a libvirt connection owns. libvirt has no call for
 * it, but all its transports make theirs by connect(2) or socketpair(2) (ssh, the child's
 * pipe) in the thread that opens the connection. The dynamic linker binds those calls to
 * the definitions below, which note the descriptor and pass on; outside an open they only
 * pass on.
 */
#include "server/libvirt/conn.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* glibc declares the address as a transparent union, a GNU extension. */
__extension__ int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t length)
{
    if (vg_virt_conn_opening)
        vg_virt_conn_note_socket(fd); /* before it blocks */
    return (int)syscall(SYS_connect, fd, address.__sockaddr__, length);
}

int socketpair(int domain, int type, int protocol, int fds[2])
{
    int rc = (int)syscall(SYS_socketpair, domain, type, protocol, fds);
    if (rc == 0 && vg_virt_conn_opening)
        vg_virt_conn_note_socket(fds[0]);
    return rc;
}
