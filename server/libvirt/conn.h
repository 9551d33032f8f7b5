/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One connection to a host, that can be cut from outside: libvirt cannot cancel a blocked
 * call (virConnectClose from another thread does not), but shutdown(2) on the
 * connection's socket ends it at once, also a virConnectOpen in progress.
 */
#pragma once

#include "virtgate/error.h"

#include <libvirt/libvirt-admin.h>
#include <libvirt/libvirt.h>
#include <pthread.h>
#include <stdatomic.h>
#include "server/core/identity.h"
#include "server/core/queue.h"

#include <stdbool.h>
#include <stdint.h>

/* What else is of a connection, and goes before it is closed. */
struct vg_attachment {
    void *data;
    void (*free)(void *data);
};

struct vg_virt_conn {
    virConnectPtr conn;     /* NULL: closed */
    virAdmConnectPtr admin; /* of the queue for libvirt-admin, instead; NULL: closed */
    bool in_process; /* a driver inside this process: no socket, shared by all workers */
    bool streams;    /* for bytes of volumes: see vg_stream_conns; never changed */
    bool embedded;   /* likewise inside it, qemu:///embed, but not shared */
    unsigned int epoch;          /* the host's epoch when it was opened */
    struct vg_identity identity; /* in whose name it asks */
    atomic_bool cut;             /* shut down from outside: to be closed, not used */
    _Atomic int64_t cut_at_ns;   /* when the watchdog cuts it; 0: never */

    /* Descriptors of our own (dup) of the sockets libvirt made while opening, so that a
     * cut can never hit a descriptor that was closed and used again. */
    pthread_mutex_t lock;
    int fds[4];
    unsigned int n_fds;

    struct vg_attachment cache; /* what it remembers of objects; owned, may be empty */

    struct vg_virt_conn *next, **link; /* list of all, for the watchdog */
};

/* For the threads of queues. */
extern const struct vg_queue_conns vg_virt_conns;

/* The same for threads that move bytes. libvirt's event loop would read a stream as fast
 * as the host sends, into memory without a bound; so these connections have no handle in
 * it. They have no keep-alive then: that the host is silent, cut_at_ns tells. */
extern const struct vg_queue_conns vg_stream_conns;

struct vg_virt_conn *vg_virt_conn_new(void);
/* Closes the connection, too. May block until the watchdog cuts it: worker threads only.
 */
void vg_virt_conn_free(struct vg_virt_conn *virt_conn);

/* Opens; NULL uri is libvirt's own choice. `tag` is the host's name for the log and lives
 * as long as the program. -1: *reterr. Blocks: set cut_at_ns before. */
int vg_virt_conn_open(struct vg_virt_conn *virt_conn, const char *uri, bool read_only,
                      const char *tag, struct vg_error *reterr);

/* Exchanges what is open; the two are of one kind (streams). Who may be cutting either
 * meanwhile cuts what is in its place. */
void vg_virt_conn_swap(struct vg_virt_conn *a, struct vg_virt_conn *b);

/* Shares an in-process connection. */
void vg_virt_conn_share(struct vg_virt_conn *virt_conn, virConnectPtr conn);

/* Cuts, then closes: closing never waits for a dead daemon. */
void vg_virt_conn_close(struct vg_virt_conn *virt_conn);

/* Whether it is open and, as far as this process knows, alive. No RPC. */
bool vg_virt_conn_usable(const struct vg_virt_conn *virt_conn);

/* Bytes written to its socket that the other side has not taken yet. */
size_t vg_virt_conn_unsent(struct vg_virt_conn *virt_conn);

/* Ends whatever call is blocked on it. Any thread. */
void vg_virt_conn_cut(struct vg_virt_conn *virt_conn);

/* Cuts every connection whose time has come. For the watchdog. */
void vg_virt_conn_cut_due(int64_t now_ns);

/* Cuts all conns, and whatever is opened from now on: the end of the program. */
void vg_virt_conn_cut_all(void);

/* The virt_conn that the calling thread is opening now, or NULL; see libvirt/socket.c. */
extern _Thread_local struct vg_virt_conn *vg_virt_conn_opening;
void vg_virt_conn_note_socket(int fd);
