/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Opening, closing and cutting connections. See libvirt/conn.h.
 */
#include "server/libvirt/conn.h"

#include "server/base/fd.h"
#include "server/base/list.h"
#include "server/base/local_path.h"
#include "server/base/redact.h"
#include "server/libvirt/epoll.h"
#include "server/core/request.h"
#include "virtgate/autoptr.h"
#include "virtgate/host.h"
#include "server/base/log.h"

#include <libvirt/virterror.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* A dead peer is noticed after KEEPALIVE_SECONDS * (KEEPALIVE_COUNT + 1). */
#define KEEPALIVE_SECONDS 5
#define KEEPALIVE_COUNT   3

_Thread_local struct vg_virt_conn *vg_virt_conn_opening;

static pthread_mutex_t conns_lock = PTHREAD_MUTEX_INITIALIZER;
static struct vg_virt_conn *conns;
static atomic_bool ending;

struct vg_virt_conn *vg_virt_conn_new(void)
{
    struct vg_virt_conn *virt_conn = calloc(1, sizeof(*virt_conn));
    if (!virt_conn)
        return NULL;
    pthread_mutex_init(&virt_conn->lock, NULL);
    VG_LOCK(&conns_lock);
    vg_list_insert(&conns, virt_conn);
    return virt_conn;
}

void vg_virt_conn_free(struct vg_virt_conn *virt_conn)
{
    if (!virt_conn)
        return;
    vg_virt_conn_close(virt_conn);
    {
        VG_LOCK(&conns_lock);
        vg_list_remove(virt_conn);
    }
    pthread_mutex_destroy(&virt_conn->lock);
    free(virt_conn);
}

static void limit_conn(struct vg_virt_conn *virt_conn, int64_t at_ns)
{
    atomic_store(&virt_conn->cut_at_ns, at_ns);
}

static struct vg_virt_conn *make_stream_conn(void)
{
    struct vg_virt_conn *virt_conn = vg_virt_conn_new();
    if (virt_conn)
        virt_conn->streams = true;
    return virt_conn;
}

const struct vg_queue_conns vg_stream_conns = {
    .make = make_stream_conn,
    .free = vg_virt_conn_free,
    .limit = limit_conn,
};

const struct vg_queue_conns vg_virt_conns = {
    .make = vg_virt_conn_new,
    .free = vg_virt_conn_free,
    .limit = limit_conn,
};

void vg_virt_conn_note_socket(int fd)
{
    struct vg_virt_conn *virt_conn = vg_virt_conn_opening;
    VG_LOCK(&virt_conn->lock);
    if (virt_conn->n_fds == sizeof(virt_conn->fds) / sizeof(virt_conn->fds[0]))
        return; /* a name with many addresses: the last ones cannot be cut */
    int copy = vg_fd_copy(fd);
    if (copy < 0)
        return;
    virt_conn->fds[virt_conn->n_fds++] = copy;
    if (atomic_load(&virt_conn->cut) || atomic_load(&ending))
        shutdown(copy, SHUT_RDWR);
}

static void forget_sockets(struct vg_virt_conn *virt_conn)
{
    VG_LOCK(&virt_conn->lock);
    for (unsigned int i = 0; i < virt_conn->n_fds; i++)
        close(virt_conn->fds[i]);
    virt_conn->n_fds = 0;
    virt_conn->in_process = false;
}

size_t vg_virt_conn_unsent(struct vg_virt_conn *virt_conn)
{
    size_t sum = 0;
    VG_LOCK(&virt_conn->lock);
    for (unsigned int i = 0; i < virt_conn->n_fds; i++) {
        int n = 0;
        if (ioctl(virt_conn->fds[i], TIOCOUTQ, &n) == 0 && n > 0)
            sum += (size_t)n;
    }
    return sum;
}

void vg_virt_conn_cut(struct vg_virt_conn *virt_conn)
{
    VG_LOCK(&virt_conn->lock);
    if (virt_conn->in_process)
        return;
    atomic_store(&virt_conn->cut, true);
    for (unsigned int i = 0; i < virt_conn->n_fds; i++)
        shutdown(virt_conn->fds[i], SHUT_RDWR);
}

void vg_virt_conn_cut_due(int64_t now_ns)
{
    VG_LOCK(&conns_lock);
    for (struct vg_virt_conn *l = conns; l; l = l->next) {
        int64_t at = atomic_load(&l->cut_at_ns);
        if (at && at <= now_ns && !atomic_load(&l->cut))
            vg_virt_conn_cut(l);
    }
}

void vg_virt_conn_cut_all(void)
{
    atomic_store(&ending, true);
    VG_LOCK(&conns_lock);
    for (struct vg_virt_conn *l = conns; l; l = l->next)
        vg_virt_conn_cut(l);
}

bool vg_virt_conn_usable(const struct vg_virt_conn *virt_conn)
{
    return virt_conn->conn && !atomic_load(&virt_conn->cut) &&
           (virt_conn->in_process || virConnectIsAlive(virt_conn->conn) == 1);
}

/* Read by whoever cuts. */
static void set_in_process(struct vg_virt_conn *virt_conn, bool in_process)
{
    VG_LOCK(&virt_conn->lock);
    virt_conn->in_process = in_process;
}

/* What libvirt says of a host goes to the log, tagged with the host's name. */
static void log_host_error(void *data, virErrorPtr e)
{
    vg_autofree char *text = vg_redact(e->message);
    vg_log(e->level == VIR_ERR_WARNING ? VG_LOG_INFO : VG_LOG_DEBUG, "libvirt", "%s: %s",
           (const char *)data, text ? text : "?");
}

/* No terminal to ask: credentials come from libvirt's auth.conf, or the open fails. */
static int decline_credentials(virConnectCredentialPtr cred, unsigned int n, void *data)
{
    (void)cred;
    (void)n;
    (void)data;
    return -1;
}

static int credential_types[] = {VIR_CRED_AUTHNAME, VIR_CRED_PASSPHRASE};
static virConnectAuth no_questions = {
    .credtype = credential_types, .ncredtype = 2, .cb = decline_credentials};

int vg_virt_conn_open(struct vg_virt_conn *virt_conn, const char *uri, bool read_only,
                      const char *tag, struct vg_error *reterr)
{
    vg_virt_conn_close(virt_conn);
    atomic_store(&virt_conn->cut, false);
    vg_virt_conn_opening = virt_conn;
    vg_epoll_refuse(virt_conn->streams);
    virt_conn->conn =
        virConnectOpenAuth(uri, &no_questions, read_only ? VIR_CONNECT_RO : 0);
    vg_epoll_refuse(false);
    vg_virt_conn_opening = NULL;
    if (!virt_conn->conn) {
        vg_error_set_virt(reterr);
        forget_sockets(virt_conn);
        return -1;
    }
    virConnSetErrorFunc(virt_conn->conn, (void *)(uintptr_t)tag, log_host_error);
    vg_autofree char *real = virConnectGetURI(virt_conn->conn);
    set_in_process(virt_conn, real && strncmp(real, "test:", 5) == 0);
    virt_conn->embedded = real && strstr(real, ":///embed");
    if (!virt_conn->in_process && !virt_conn->streams)
        virConnectSetKeepAlive(virt_conn->conn, KEEPALIVE_SECONDS, KEEPALIVE_COUNT);
    return 0;
}

#define SWAP(a, b)                                                                       \
    do {                                                                                 \
        __typeof__(a) kept = (a);                                                        \
        (a) = (b);                                                                       \
        (b) = kept;                                                                      \
    } while (0)

void vg_virt_conn_swap(struct vg_virt_conn *a, struct vg_virt_conn *b)
{
    VG_LOCK(&a->lock);
    {
        VG_LOCK(&b->lock);
        bool cut = atomic_exchange(&a->cut, atomic_load(&b->cut));
        atomic_store(&b->cut, cut);
        SWAP(a->conn, b->conn);
        SWAP(a->in_process, b->in_process);
        SWAP(a->embedded, b->embedded);
        SWAP(a->epoch, b->epoch);
        SWAP(a->identity, b->identity);
        SWAP(a->cache, b->cache);
        SWAP(a->n_fds, b->n_fds);
        for (size_t i = 0; i < sizeof(a->fds) / sizeof(a->fds[0]); i++)
            SWAP(a->fds[i], b->fds[i]);
    }
}

void vg_virt_conn_share(struct vg_virt_conn *virt_conn, virConnectPtr conn)
{
    vg_virt_conn_close(virt_conn);
    virConnectRef(conn);
    virt_conn->conn = conn;
    set_in_process(virt_conn, true);
}

void vg_virt_conn_close(struct vg_virt_conn *virt_conn)
{
    vg_virt_conn_cut(virt_conn);
    if (virt_conn->cache.free) /* its handles hold the connection open */
        virt_conn->cache.free(virt_conn->cache.data);
    virt_conn->cache = (struct vg_attachment){0};
    if (virt_conn->conn)
        virConnectClose(virt_conn->conn);
    virt_conn->conn = NULL;
    if (virt_conn->admin)
        virAdmConnectClose(virt_conn->admin);
    virt_conn->admin = NULL;
    virt_conn->identity = (struct vg_identity){.via = VG_VIA_NONE};
    forget_sockets(virt_conn);
    atomic_store(&virt_conn->cut, false);
}

/* ---- a request's connection -------------------------------------------------------- */

virConnectPtr vg_conn(const struct vg_request *rq)
{
    return rq->virt_conn ? rq->virt_conn->conn : NULL;
}

bool vg_conn_in_process(const struct vg_request *rq)
{
    return rq->virt_conn && rq->virt_conn->in_process;
}

bool vg_host_is_local(const struct vg_request *rq)
{
    return rq->virt_conn && (rq->virt_conn->in_process || rq->virt_conn->embedded);
}

static int check_path(struct vg_request *rq, const char *key, const char *path,
                      int (*check)(const char *key, const char *path,
                                   struct vg_error *reterr))
{
    if (path[0] == '/')
        return vg_host_is_local(rq) ? check(key, path, &rq->error) : 0;
    vg_error_set(&rq->error, VG_E_INVALID_VALUE,
                 "'%s' is '%.200s'; an absolute path on the host is accepted", key, path);
    return -1;
}

int vg_host_file_check(struct vg_request *rq, const char *key, const char *path)
{
    return check_path(rq, key, path, vg_local_path_check);
}

int vg_host_folder_check(struct vg_request *rq, const char *key, const char *path)
{
    return check_path(rq, key, path, vg_local_folder_check);
}
