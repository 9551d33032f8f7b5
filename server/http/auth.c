/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who calls: bearer tokens (RFC 6750) and tickets.
 */
#include "server/http/peer.h"
#include "server/http/ticket.h"
#include "server/http/trust.h"
#include "server/config/token_file.h"
#include "server/core/access.h"
#include "server/core/audit.h"

#include "virtgate/cleanup.h"
#include "server/base/log.h"

#include <gnutls/crypto.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct vg_tokens tokens;
static atomic_uint generation;

/* ---- the file ---------------------------------------------------------------------- */

/* What tells one state of a file from another; zeros: there is none. */
struct look {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
};
static struct look read_as, last_seen; /* main's alone */

static struct look look_at(const char *path)
{
    struct look look;
    struct stat st;

    memset(&look, 0, sizeof(look)); /* they are compared as bytes */
    if (stat(path, &st) < 0)
        return look;
    look.device = st.st_dev;
    look.inode = st.st_ino;
    look.size = st.st_size;
    look.modified = st.st_mtim;
    look.changed = st.st_ctim;
    return look;
}

int vg_http_auth_load(const char *path)
{
    struct vg_tokens read;
    vg_autofree char *message = NULL;

    read_as = look_at(path); /* first: what changes from here on is seen as a change */
    if (vg_tokens_read(path, &read, &message) < 0) {
        vg_log(VG_LOG_ERROR, "auth", "%s%s",
               tokens.n ? "the old tokens stay in force: " : "",
               message ? message : "out of memory");
        return -1;
    }
    VG_LOCK(&lock);
    vg_tokens_clear(&tokens);
    tokens = read;
    atomic_fetch_add(&generation, 1);
    return 0;
}

/* Two looks that see the same: it is not half written, as far as that can be seen. */
void vg_http_auth_tick(const char *path)
{
    struct look look = look_at(path);
    bool settled = memcmp(&look, &last_seen, sizeof(look)) == 0;

    last_seen = look;
    if (settled && memcmp(&look, &read_as, sizeof(look)) != 0 &&
        vg_http_auth_load(path) == 0)
        vg_log(VG_LOG_INFO, "auth", "`%s` has changed and was read again", path);
}

unsigned int vg_http_auth_generation(void)
{
    return atomic_load(&generation);
}

void vg_http_auth_free(void)
{
    vg_tokens_clear(&tokens);
}

/* ---- a call ------------------------------------------------------------------------ */

/* The token of that hash, unless it has expired. Lock held. */
static const struct vg_token *find_token(const unsigned char hash[VG_TOKEN_HASH_SIZE])
{
    const struct vg_token *found = NULL;
    time_t now = time(NULL);

    /* all of them, in the same time whichever it is */
    for (size_t i = 0; i < tokens.n; i++) {
        const struct vg_token *t = &tokens.v[i];
        bool same = gnutls_memcmp(hash, t->hash, sizeof(t->hash)) == 0;
        if (same && (!t->expires || t->expires > now))
            found = t;
    }
    return found;
}

bool vg_http_auth_holds(const unsigned char caller[VG_CALLER_SIZE],
                        const struct vg_rights *rights, time_t *ret_until)
{
    VG_LOCK(&lock);
    const struct vg_token *t = find_token(caller);
    *ret_until = t ? t->expires : 0;
    return t && t->rights == rights;
}

static const struct vg_rights *nobody(void)
{
    return vg_rights_of_role(VG_ROLE_NONE);
}

/* Of two times, of which 0 is never, the earlier. */
static time_t earlier(time_t a, time_t b)
{
    return !a || (b && b < a) ? b : a;
}

static const struct vg_rights *take_token(struct vg_request *rq,
                                          const unsigned char hash[VG_TOKEN_HASH_SIZE])
{
    VG_LOCK(&lock);
    const struct vg_token *t = find_token(hash);
    if (!t)
        return nobody();
    rq->via = VG_VIA_TOKEN;
    rq->known_until = earlier(rq->known_until, t->expires);
    memcpy(rq->principal, t->name, sizeof(rq->principal));
    memcpy(rq->caller, t->hash, sizeof(rq->caller));
    return t->rights;
}

/* One that is empty is none, whatever the file has. */
static const struct vg_rights *check_bearer(struct vg_request *rq, const char *header)
{
    unsigned char hash[VG_TOKEN_HASH_SIZE];

    if (strncasecmp(header, "Bearer ", 7) != 0)
        return nobody();
    const char *token = header + 7 + strspn(header + 7, " ");
    if (!*token || gnutls_hash_fast(GNUTLS_DIG_SHA256, token, strlen(token), hash) < 0)
        return nobody();
    return take_token(rq, hash);
}

/* It speaks for the token that it was made with, as that is by now. */
static const struct vg_rights *check_ticket(struct vg_http_call *call, const char *ticket,
                                            const struct vg_rights *rights,
                                            const struct vg_http_app *app)
{
    struct vg_request *rq = call->rq;
    struct vg_caller caller;

    if (!app->take_ticket(ticket, rq, vg_now_ns(), &caller))
        rights = nobody();
    else if (caller.via == VG_VIA_HEADER)
        rights = vg_http_trust_ticket(call, &caller, rights);
    else if (memcmp(caller.hash, rq->caller, sizeof(caller.hash)) != 0)
        rights = take_token(rq, caller.hash);
    rq->bad_ticket = rights->role == VG_ROLE_NONE;
    return rights;
}

/* A token that is sent decides. Else the connection does: its certificate or its process
 * may have rights of its own, or the process is a proxy that names the caller. */
const struct vg_rights *vg_http_auth(struct vg_http_call *call,
                                     const struct vg_config *config,
                                     const struct vg_http_app *app)
{
    const char *header = call->headers.authorization;
    struct vg_request *rq = call->rq;
    const struct vg_rights *rights = vg_http_peer_rights(call, config);

    if (rq->lacks_certificate)
        return rights;
    vg_http_note_page(call, config);
    const char *ticket = vg_http_ticket_of(call);
    if (ticket && !header)
        return check_ticket(call, ticket, rights, app);
    return config->token_file && header ? check_bearer(rq, header)
                                        : vg_http_trust(call, config, rights);
}

/* What a caller that is not known is told names no host: not even that there is one. -1.
 */
static int refuse_unknown(struct vg_http_call *call)
{
    vg_http_rate_refused(call);
    vg_request_set_host(call->rq, NULL, NULL);
    return -1;
}

int vg_http_admit_caller(struct vg_http_call *call, const struct vg_config *config,
                         const struct vg_http_app *app, bool routed)
{
    struct vg_request *rq = call->rq;
    bool known;

    rq->rights = vg_http_auth(call, config, app);
    known = rq->rights->role != VG_ROLE_NONE;
    if (known && app->hide(rq, &call->allow) < 0)
        return -1;
    if (!routed)
        return known ? -1 : refuse_unknown(call);
    if (vg_access_permit(rq, rq->rights) < 0) {
        if (rq->error.status == 403)
            vg_audit_refused(rq);
        return known ? -1 : refuse_unknown(call);
    }
    return known ? 0 : app->hide(rq, &call->allow);
}
