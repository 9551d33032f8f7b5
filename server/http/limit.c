/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See http/limit.h. What is held is counted by who holds it. Nothing here walks all
 * connections.
 */
#include "server/http/limit.h"

#include "server/http/account.h"
#include "server/http/internal.h"
#include "virtgate/cleanup.h"
#include "server/base/log.h"

#include <limits.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <xxhash.h>

#define BUCKETS       256 /* of bodies that wait */
#define SPARE_SECONDS 2   /* a health check says what it wants at once */

TAILQ_HEAD(conns, vg_http_conn);

static int last_descriptor = INT_MAX; /* that a connection should have */
static size_t max_connections, max_per_address, max_spares;
static size_t max_bodies, max_bodies_per_token, max_waiting;

/* ---- start ------------------------------------------------------------------------- */

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* What hosts, consoles and the gateway itself want: a connection to a host takes up to
 * four, with libvirt's own and the duplicate that cuts it; a console twice as many. */
static int64_t count_others(const struct vg_config *c)
{
    int64_t calls = (int64_t)c->hosts.n * (3 * c->pool_size + c->operations + 4);
    return 64 + 4 * calls + 8 * c->consoles;
}

/* An eighth is for connections that made room and are not closed yet. */
static void fit(struct vg_config *config, int64_t all, int64_t others)
{
    int64_t left = (all - others) / 8 * 7;

    if (config->max_connections + config->health_connections <= left)
        return;
    if (config->health_connections > left / 4)
        config->health_connections = left / 4;
    left -= config->health_connections;
    if (config->max_connections <= left)
        return;
    vg_log(VG_LOG_WARNING, "http",
           "max-connections is %lld instead of %lld: %lld descriptors are allowed, %lld "
           "of them are for hosts and consoles; raise the limit (ulimit -n, LimitNOFILE) "
           "or lower max-connections",
           (long long)left, (long long)config->max_connections, (long long)all,
           (long long)others);
    config->max_connections = left;
}

void vg_http_limit_fit(struct vg_config *config)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > INT_MAX)
        return;
    int64_t all = (int64_t)limit.rlim_cur, others = count_others(config);
    if (others > all / 2)
        others = all / 2;
    last_descriptor = (int)(all - others / 2);
    fit(config, all, others);
}

bool vg_http_limit_is_short(int fd)
{
    return fd >= last_descriptor;
}

void vg_http_limit_start(const struct vg_config *config)
{
    /* one body of the largest size is always accepted */
    size_t largest =
        larger((size_t)config->max_json_bytes, 4 * (size_t)config->max_document_bytes) +
        1;

    max_connections = (size_t)config->max_connections;
    max_spares = (size_t)config->health_connections;
    max_per_address = (size_t)config->max_connections_per_address;
    if (!max_per_address)
        max_per_address = (max_connections + 1) / 2;
    max_bodies_per_token = larger((size_t)config->body_memory_per_token, largest);
    max_bodies = larger((size_t)config->body_memory, largest);
    max_waiting = (size_t)config->answer_memory;
}

/* ---- connections ------------------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct vg_accounts addresses = VG_ACCOUNTS_INITIALIZER;
static size_t n_ordinary, n_spares;
/* Those that may have to go, the oldest first. */
static struct conns strangers = TAILQ_HEAD_INITIALIZER(strangers);
static struct conns spares = TAILQ_HEAD_INITIALIZER(spares);

/* Who is one client: an IPv4 address, or the /64 that an IPv6 client has for itself. */
static uint64_t network_of(const struct vg_address *address)
{
    uint64_t network;

    memcpy(&network, address->bytes, sizeof(network));
    return network;
}

uint64_t vg_http_limit_address(const struct vg_http_call *call)
{
    return network_of(&call->client);
}

/* A connection is its peer's: a proxy is one address, whoever is behind it. */
static uint64_t peer_of(int fd)
{
    struct sockaddr_storage peer = {0};
    socklen_t size = sizeof(peer);

    if (getpeername(fd, (struct sockaddr *)&peer, &size) < 0)
        return 0;
    const struct vg_address address = vg_address_of((const struct sockaddr *)&peer);
    return network_of(&address);
}

/* Lock held, as for the following. */
static void uncount(struct vg_http_conn *conn)
{
    if (!conn->slot.counted)
        return;
    conn->slot.counted = false;
    if (conn->slot.spare) {
        n_spares--;
        return;
    }
    n_ordinary--;
    if (!conn->local)
        vg_account_give(&addresses, conn->slot.address, 1);
}

static void unlist(struct vg_http_conn *conn)
{
    if (conn->slot.listed)
        TAILQ_REMOVE(conn->slot.spare ? &spares : &strangers, conn, slot.order);
    conn->slot.listed = false;
}

/* Its network thread closes it; nobody has closed its descriptor before it is out of the
 * list. False: there is none. */
static bool evict_first(struct conns *list)
{
    struct vg_http_conn *first = TAILQ_FIRST(list);

    if (!first)
        return false;
    unlist(first);
    uncount(first);
    shutdown(first->fd, SHUT_RDWR);
    return true;
}

/* Users of a unix socket are those whom its mode lets in: they have no limit of their
 * own. */
static bool take_ordinary(struct vg_http_conn *conn)
{
    if (!conn->local &&
        !vg_account_take(&addresses, conn->slot.address, 1, max_per_address))
        return false;
    if (n_ordinary < max_connections || evict_first(&strangers)) {
        n_ordinary++;
        return true;
    }
    if (!conn->local)
        vg_account_give(&addresses, conn->slot.address, 1);
    return false;
}

static bool take_spare(void)
{
    if (n_spares >= max_spares && !evict_first(&spares))
        return false;
    n_spares++;
    return true;
}

void vg_http_limit_open(struct vg_http_conn *conn)
{
    conn->slot.address = conn->local ? 0 : peer_of(conn->fd);
    VG_LOCK(&lock);
    conn->slot.spare = !take_ordinary(conn);
    conn->slot.counted = !conn->slot.spare || take_spare();
    if (!conn->slot.counted) { /* not even a spare one */
        shutdown(conn->fd, SHUT_RDWR);
        return;
    }
    conn->slot.listed = true;
    if (conn->slot.spare)
        TAILQ_INSERT_TAIL(&spares, conn, slot.order);
    else
        TAILQ_INSERT_TAIL(&strangers, conn, slot.order);
}

void vg_http_limit_close(struct vg_http_conn *conn)
{
    VG_LOCK(&lock);
    unlist(conn);
    uncount(conn);
}

int64_t vg_http_limit_patience(const struct vg_http_conn *conn, int64_t seconds)
{
    return conn->slot.spare && seconds > SPARE_SECONDS ? SPARE_SECONDS : seconds;
}

int vg_http_limit_admit(struct vg_http_call *call)
{
    if (!call->conn->slot.spare ||
        strncmp(call->rq->route->pattern, "/health/", strlen("/health/")) == 0)
        return 0;
    vg_error_set(&call->rq->error, VG_E_OVERLOADED,
                 "All connections are in use, or all that one address may have "
                 "(max-connections, max-connections-per-address): those that come now "
                 "may ask for /health/live and /health/ready alone; try again shortly");
    return -1;
}

void vg_http_limit_know(struct vg_http_call *call)
{
    struct vg_http_slot *slot = &call->conn->slot;

    if (slot->known || slot->spare || !call->rq->route->needs)
        return;
    slot->known = true;
    VG_LOCK(&lock);
    unlist(call->conn);
}

/* ---- bodies ------------------------------------------------------------------------ */

static struct vg_accounts payers = VG_ACCOUNTS_INITIALIZER;
static atomic_size_t bodies;

uint64_t vg_http_limit_payer(const struct vg_http_call *call)
{
    static const unsigned char nobody[VG_CALLER_SIZE];
    const unsigned char *caller = call->rq->caller;
    return memcmp(caller, nobody, sizeof(nobody)) != 0
               ? XXH3_64bits(caller, sizeof(nobody))
               : vg_http_limit_address(call);
}

bool vg_http_limit_take_body(struct vg_http_call *call, size_t n)
{
    if (!call->body_size)
        call->payer = vg_http_limit_payer(call);
    if (!vg_account_take(&payers, call->payer, n, max_bodies_per_token))
        return false;
    if (atomic_fetch_add(&bodies, n) + n <= max_bodies)
        return true;
    atomic_fetch_sub(&bodies, n);
    vg_account_give(&payers, call->payer, n);
    return false;
}

void vg_http_limit_give_body(struct vg_http_call *call, size_t n)
{
    if (!n)
        return;
    atomic_fetch_sub(&bodies, n);
    vg_account_give(&payers, call->payer, n);
}

/* ---- answers ----------------------------------------------------------------------- */

/* What is smaller is not counted: max-connections bounds it. */
#define SMALL_BODY (16 * 1024)
/* What is smaller is not compared with others. */
#define LARGE_BODY (64 * 1024)

static pthread_mutex_t waiting_lock = PTHREAD_MUTEX_INITIALIZER;
static struct vg_body *waiting[BUCKETS]; /* by hash; each has a response that owns it */
static size_t waiting_bytes;

static struct vg_body **find_waiting(const struct vg_body *body)
{
    struct vg_body **at = &waiting[body->hash % BUCKETS];
    while (*at && ((*at)->hash != body->hash || (*at)->length != body->length))
        at = &(*at)->next_waiting;
    return at;
}

static bool is_large(const struct vg_body *body)
{
    return body && body->owned && body->hash && body->length >= LARGE_BODY;
}

struct vg_body *vg_http_limit_share(struct vg_body *body)
{
    struct vg_body *other = NULL;

    if (!is_large(body))
        return body;
    {
        VG_LOCK(&waiting_lock);
        other = *find_waiting(body);
        if (!other || other == body)
            return body;
        vg_body_ref(other);
    }
    /* neither changes any more */
    bool equal = memcmp(body->data, other->data, body->length) == 0;
    vg_body_unref(equal ? body : other);
    return equal ? other : body;
}

bool vg_http_limit_send(struct vg_body *body, const struct vg_gzipped *gzipped, bool owed,
                        bool *ret_counted)
{
    size_t n = body->length + (gzipped ? gzipped->length : 0);

    *ret_counted = body->owned && body->length > SMALL_BODY;
    if (!*ret_counted)
        return true;
    VG_LOCK(&waiting_lock);
    if (body->n_waiting++)
        return true; /* it is counted once */
    if (!owed && waiting_bytes && waiting_bytes + n > max_waiting) {
        body->n_waiting = 0;
        *ret_counted = false;
        return false;
    }
    struct vg_body **at = &waiting[body->hash % BUCKETS];
    body->next_waiting = *at;
    *at = body;
    body->waiting_bytes = n;
    waiting_bytes += n;
    return true;
}

void vg_http_limit_sent(struct vg_body *body)
{
    VG_LOCK(&waiting_lock);
    if (--body->n_waiting)
        return;
    waiting_bytes -= body->waiting_bytes;
    struct vg_body **at = &waiting[body->hash % BUCKETS];
    while (*at != body)
        at = &(*at)->next_waiting;
    *at = body->next_waiting;
}
