/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Opening, closing and cutting connections. See libvirt/conn.h.
 */
#include "server/libvirt/conn.h"

#include "server/base/list.h"
#include "server/base/redact.h"
#include "server/core/request.h"
#include "virtgate/autoptr.h"
#include "virtgate/log.h"

#include <fcntl.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* A dead peer is noticed after KEEPALIVE_SECONDS * (KEEPALIVE_COUNT + 1). */
#define KEEPALIVE_SECONDS 5
#define KEEPALIVE_COUNT   3

_Thread_local struct vg_lease *vg_lease_opening;

static pthread_mutex_t leases_lock = PTHREAD_MUTEX_INITIALIZER;
static struct vg_lease *leases;
static atomic_bool ending;

struct vg_lease *vg_lease_new(void)
{
    struct vg_lease *lease = calloc(1, sizeof(*lease));
    if (!lease)
        return NULL;
    pthread_mutex_init(&lease->lock, NULL);
    VG_LOCK(&leases_lock);
    vg_list_insert(&leases, lease);
    return lease;
}

void vg_lease_free(struct vg_lease *lease)
{
    if (!lease)
        return;
    vg_lease_close(lease);
    {
        VG_LOCK(&leases_lock);
        vg_list_remove(lease);
    }
    pthread_mutex_destroy(&lease->lock);
    free(lease);
}

static void limit_lease(struct vg_lease *lease, int64_t at_ns)
{
    atomic_store(&lease->cut_at_ns, at_ns);
}

const struct vg_lane_leases vg_leases = {
    .make = vg_lease_new,
    .free = vg_lease_free,
    .limit = limit_lease,
};

void vg_lease_note_socket(int fd)
{
    struct vg_lease *lease = vg_lease_opening;
    VG_LOCK(&lease->lock);
    if (lease->n_fds == sizeof(lease->fds) / sizeof(lease->fds[0]))
        return; /* a name with many addresses: the last ones cannot be cut */
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0)
        return;
    lease->fds[lease->n_fds++] = copy;
    if (atomic_load(&lease->cut) || atomic_load(&ending))
        shutdown(copy, SHUT_RDWR);
}

static void forget_sockets(struct vg_lease *lease)
{
    VG_LOCK(&lease->lock);
    for (unsigned int i = 0; i < lease->n_fds; i++)
        close(lease->fds[i]);
    lease->n_fds = 0;
    lease->in_process = false;
}

size_t vg_lease_unsent(struct vg_lease *lease)
{
    size_t sum = 0;
    VG_LOCK(&lease->lock);
    for (unsigned int i = 0; i < lease->n_fds; i++) {
        int n = 0;
        if (ioctl(lease->fds[i], TIOCOUTQ, &n) == 0 && n > 0)
            sum += (size_t)n;
    }
    return sum;
}

void vg_lease_cut(struct vg_lease *lease)
{
    VG_LOCK(&lease->lock);
    if (lease->in_process)
        return;
    atomic_store(&lease->cut, true);
    for (unsigned int i = 0; i < lease->n_fds; i++)
        shutdown(lease->fds[i], SHUT_RDWR);
}

void vg_lease_cut_due(int64_t now_ns)
{
    VG_LOCK(&leases_lock);
    for (struct vg_lease *l = leases; l; l = l->next) {
        int64_t at = atomic_load(&l->cut_at_ns);
        if (at && at <= now_ns && !atomic_load(&l->cut))
            vg_lease_cut(l);
    }
}

void vg_lease_cut_all(void)
{
    atomic_store(&ending, true);
    VG_LOCK(&leases_lock);
    for (struct vg_lease *l = leases; l; l = l->next)
        vg_lease_cut(l);
}

bool vg_lease_usable(const struct vg_lease *lease)
{
    return lease->conn && !atomic_load(&lease->cut) &&
           (lease->in_process || virConnectIsAlive(lease->conn) == 1);
}

/* Read by whoever cuts. */
static void set_in_process(struct vg_lease *lease, bool in_process)
{
    VG_LOCK(&lease->lock);
    lease->in_process = in_process;
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

int vg_lease_open(struct vg_lease *lease, const char *uri, bool read_only,
                  const char *tag, struct vg_error *reterr)
{
    vg_lease_close(lease);
    atomic_store(&lease->cut, false);
    vg_lease_opening = lease;
    lease->conn = virConnectOpenAuth(uri, &no_questions, read_only ? VIR_CONNECT_RO : 0);
    vg_lease_opening = NULL;
    if (!lease->conn) {
        vg_error_set_virt(reterr);
        forget_sockets(lease);
        return -1;
    }
    virConnSetErrorFunc(lease->conn, (void *)(uintptr_t)tag, log_host_error);
    vg_autofree char *real = virConnectGetURI(lease->conn);
    set_in_process(lease, real && strncmp(real, "test:", 5) == 0);
    lease->embedded = real && strstr(real, ":///embed");
    if (!lease->in_process)
        virConnectSetKeepAlive(lease->conn, KEEPALIVE_SECONDS, KEEPALIVE_COUNT);
    return 0;
}

void vg_lease_share(struct vg_lease *lease, virConnectPtr conn)
{
    vg_lease_close(lease);
    virConnectRef(conn);
    lease->conn = conn;
    set_in_process(lease, true);
}

void vg_lease_close(struct vg_lease *lease)
{
    vg_lease_cut(lease);
    if (lease->cache.free) /* its handles hold the connection open */
        lease->cache.free(lease->cache.data);
    lease->cache = (struct vg_attachment){0};
    if (lease->conn)
        virConnectClose(lease->conn);
    lease->conn = NULL;
    forget_sockets(lease);
    atomic_store(&lease->cut, false);
}
