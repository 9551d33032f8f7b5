/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/http/peer.h"

#include "server/base/log.h"
#include "server/config/role_rule.h"
#include "virtgate/cleanup.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define MAX_GROUPS 256

struct rules {
    struct vg_role_rule *v;
    size_t n;
};
static struct rules clients, sockets; /* read-only after start */

/* ---- rules ------------------------------------------------------------------------- */

static int read_rules(const struct vg_texts *texts, struct rules *ret,
                      const char *(*parse)(const char *, struct vg_role_rule *))
{
    ret->v = calloc(texts->n ? texts->n : 1, sizeof(*ret->v));
    for (size_t i = 0; ret->v && i < texts->n; i++) {
        if (parse(texts->v[i], &ret->v[i])) {
            vg_log(VG_LOG_ERROR, "auth", "`%s` gives no role any more", texts->v[i]);
            return -1;
        }
        ret->n++;
    }
    return ret->v ? 0 : -1;
}

int vg_http_peers_start(const struct vg_config *config)
{
    return read_rules(&config->tls_client_roles, &clients, vg_role_rule_of_client) < 0 ||
                   read_rules(&config->unix_roles, &sockets, vg_role_rule_of_socket) < 0
               ? -1
               : 0;
}

static void clear_rules(struct rules *rules)
{
    for (size_t i = 0; i < rules->n; i++)
        vg_role_rule_clear(&rules->v[i]);
    free(rules->v);
    *rules = (struct rules){0};
}

void vg_http_peers_stop(void)
{
    clear_rules(&clients);
    clear_rules(&sockets);
}

/* ---- certificates ------------------------------------------------------------------ */

/* As much of a text as there is room for, without a part of a character. */
static void copy_name(char *ret, size_t size, const char *text)
{
    size_t n = strlen(text);
    if (n >= size) {
        n = size - 1;
        while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80)
            n--;
    }
    memcpy(ret, text, n);
    ret[n] = '\0';
}

/* The subject's common name, or all of the subject where that has none: one with a NUL
 * byte, which would pass for another's, counts as none. */
static void name_subject(gnutls_x509_crt_t certificate, char *ret, size_t size)
{
    char name[1024];
    size_t n = sizeof(name);
    gnutls_datum_t all = {0};
    int rc = gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0,
                                           name, &n);

    if (rc == 0 && *name && strlen(name) + 1 >= n) {
        copy_name(ret, size, name);
    } else if (gnutls_x509_crt_get_dn3(certificate, &all, 0) == 0) {
        copy_name(ret, size, (const char *)all.data);
        gnutls_free(all.data);
    }
}

/* Who it is of: a name may be cut, or stand in several subjects. 0, or -1. */
static int hash_subject(gnutls_x509_crt_t certificate, unsigned char *ret)
{
    gnutls_datum_t subject = {0};

    if (gnutls_x509_crt_get_raw_dn(certificate, &subject) < 0)
        return -1;
    int rc = gnutls_hash_fast(GNUTLS_DIG_SHA256, subject.data, subject.size, ret);
    gnutls_free(subject.data);
    return rc < 0 ? -1 : 0;
}

/* False: there is no memory for it, so that nobody is known to call. */
static bool know_peer(gnutls_session_t session, struct vg_http_conn *conn)
{
    unsigned int n = 0;
    const gnutls_datum_t *peers = gnutls_certificate_get_peers(session, &n);
    gnutls_x509_crt_t certificate = NULL;

    if (!peers || !n || gnutls_x509_crt_init(&certificate) < 0)
        return false;
    bool good =
        gnutls_x509_crt_import(certificate, &peers[0], GNUTLS_X509_FMT_DER) == 0 &&
        hash_subject(certificate, conn->subject_hash) == 0;
    if (good) {
        name_subject(certificate, conn->subject, sizeof(conn->subject));
        conn->certified_until = gnutls_x509_crt_get_expiration_time(certificate);
    }
    gnutls_x509_crt_deinit(certificate);
    return good;
}

/* Also that it is meant for clients, where it says what it is meant for (RFC 5280,
 * 4.2.1.12): a server whose certificate is of the same CA is no client. */
static bool is_good(gnutls_session_t session)
{
    unsigned char client[] = GNUTLS_KP_TLS_WWW_CLIENT;
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID, .data = client};
    unsigned int status = 1;
    return gnutls_certificate_verify_peers(session, &purpose, 1, &status) == 0 &&
           status == 0;
}

/* libmicrohttpd only asks for a certificate; whether one came and is good, is for us to
 * see. */
static bool is_certified(struct vg_http_call *call)
{
    struct vg_http_conn *conn = call->conn;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);

    if (!conn->checked && info)
        conn->certified =
            is_good(info->tls_session) && know_peer(info->tls_session, conn);
    conn->checked = true;
    return conn->certified && conn->certified_until > time(NULL);
}

static enum vg_role role_of_client(const char *subject)
{
    for (size_t i = 0; i < clients.n; i++)
        if (vg_role_rule_names(&clients.v[i], subject))
            return clients.v[i].role;
    return VG_ROLE_NONE;
}

static const struct vg_rights *client_rights(struct vg_http_call *call,
                                             const struct vg_config *config)
{
    struct vg_http_conn *conn = call->conn;
    struct vg_request *rq = call->rq;

    rq->lacks_certificate = !is_certified(call);
    if (rq->lacks_certificate)
        return vg_rights_of_role(VG_ROLE_NONE);
    if (!conn->rights)
        conn->rights = vg_rights_of_role(clients.n ? role_of_client(conn->subject)
                                         : config->token_file ? VG_ROLE_NONE
                                                              : VG_ROLE_ADMIN);
    if (clients.n && conn->rights->role == VG_ROLE_NONE)
        rq->no_role = "No --tls-client-role is for your certificate's common name";
    rq->via = VG_VIA_CERTIFICATE;
    rq->known_until = conn->certified_until;
    memcpy(rq->principal, conn->subject, sizeof(rq->principal));
    memcpy(rq->caller, conn->subject_hash, sizeof(rq->caller));
    return conn->rights;
}

/* ---- unix sockets ------------------------------------------------------------------ */

static enum vg_role role_of_socket(const struct vg_peer_ids *peer)
{
    for (size_t i = 0; i < sockets.n; i++)
        if (vg_role_rule_is_for(&sockets.v[i], peer))
            return sockets.v[i].role;
    return VG_ROLE_NONE;
}

/* Who opened the socket, as the kernel noted it then. */
static void know_process(struct vg_http_conn *conn)
{
    struct ucred process;
    gid_t groups[MAX_GROUPS];
    socklen_t size = sizeof(process), groups_size = sizeof(groups);

    conn->rights = vg_rights_of_role(VG_ROLE_NONE);
    if (getsockopt(conn->fd, SOL_SOCKET, SO_PEERCRED, &process, &size) < 0)
        return;
    if (getsockopt(conn->fd, SOL_SOCKET, SO_PEERGROUPS, groups, &groups_size) < 0)
        groups_size = 0; /* in more groups than that: its own one counts */
    const struct vg_peer_ids peer = {.uid = process.uid,
                                     .gid = process.gid,
                                     .groups = groups,
                                     .n_groups = groups_size / sizeof(groups[0])};
    snprintf(conn->subject, sizeof(conn->subject), "uid:%u", process.uid);
    if (gnutls_hash_fast(GNUTLS_DIG_SHA256, conn->subject, strlen(conn->subject),
                         conn->subject_hash) == 0)
        conn->rights = vg_rights_of_role(role_of_socket(&peer));
}

static const struct vg_rights *socket_rights(struct vg_http_call *call)
{
    struct vg_http_conn *conn = call->conn;
    struct vg_request *rq = call->rq;

    if (!conn->rights)
        know_process(conn);
    if (conn->rights->role == VG_ROLE_NONE) {
        rq->no_role = "No --unix-role is for your user and groups";
        return conn->rights;
    }
    rq->via = VG_VIA_SOCKET;
    memcpy(rq->principal, conn->subject, sizeof(rq->principal));
    memcpy(rq->caller, conn->subject_hash, sizeof(rq->caller));
    return conn->rights;
}

const struct vg_rights *vg_http_peer_rights(struct vg_http_call *call,
                                            const struct vg_config *config)
{
    if (config->tls_client_ca && !call->conn->local)
        return client_rights(call, config);
    if (sockets.n && call->conn->local)
        return socket_rights(call);
    bool named = config->token_file || sockets.n || config->pass_identity;
    return vg_rights_of_role(named ? VG_ROLE_NONE : VG_ROLE_ADMIN);
}
