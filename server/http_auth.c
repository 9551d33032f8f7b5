/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who calls: bearer tokens (RFC 6750) and client certificates.
 */
#include "server/http_internal.h"
#include "server/token_file.h"

#include "virtgate/cleanup.h"
#include "virtgate/log.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct vg_tokens tokens;

/* ---- the file ---------------------------------------------------------------------- */

int vg_http_auth_load(const char *path)
{
    struct vg_tokens read;
    vg_autofree char *message = NULL;

    if (vg_tokens_read(path, &read, &message) < 0) {
        vg_log(VG_LOG_ERROR, "auth", "%s%s",
               tokens.n ? "the old tokens stay in force: " : "",
               message ? message : "out of memory");
        return -1;
    }
    VG_LOCK(&lock);
    vg_tokens_clear(&tokens);
    tokens = read;
    return 0;
}

void vg_http_auth_free(void)
{
    vg_tokens_clear(&tokens);
}

/* ---- a call ------------------------------------------------------------------------ */

static enum vg_role find_token(const char *text, char *ret_name, size_t size)
{
    unsigned char hash[VG_TOKEN_HASH_SIZE];
    enum vg_role role = VG_ROLE_NONE;

    if (gnutls_hash_fast(GNUTLS_DIG_SHA256, text, strlen(text), hash) < 0)
        return VG_ROLE_NONE;
    VG_LOCK(&lock);
    /* all of them, in the same time whichever it is */
    for (size_t i = 0; i < tokens.n; i++) {
        const struct vg_token *t = &tokens.v[i];
        bool same = gnutls_memcmp(hash, t->hash, sizeof(hash)) == 0;
        if (same && (!t->expires || t->expires > time(NULL))) {
            role = t->role;
            snprintf(ret_name, size, "%s", t->name);
        }
    }
    return role;
}

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

static void name_peer(gnutls_session_t session, char *ret, size_t size)
{
    unsigned int n = 0;
    const gnutls_datum_t *peers = gnutls_certificate_get_peers(session, &n);
    gnutls_x509_crt_t certificate = NULL;

    if (!peers || !n || gnutls_x509_crt_init(&certificate) < 0)
        return;
    if (gnutls_x509_crt_import(certificate, &peers[0], GNUTLS_X509_FMT_DER) == 0)
        name_subject(certificate, ret, size);
    gnutls_x509_crt_deinit(certificate);
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

    if (!conn->checked && info) {
        conn->certified = is_good(info->tls_session);
        if (conn->certified)
            name_peer(info->tls_session, conn->subject, sizeof(conn->subject));
    }
    conn->checked = true;
    return conn->certified;
}

/* A certificate where --tls-client-ca asks for it, and then a token where --token-file
 * does: who sends one of two has no role. */
enum vg_role vg_http_auth(struct vg_http_call *call, const struct vg_config *config)
{
    const char *header = call->headers.authorization;
    struct vg_request *rq = call->rq;

    if (config->tls_client_ca && !call->conn->local) {
        rq->lacks_certificate = !is_certified(call);
        if (rq->lacks_certificate)
            return VG_ROLE_NONE;
        memcpy(rq->principal, call->conn->subject, sizeof(rq->principal));
    }
    if (!config->token_file)
        return VG_ROLE_ADMIN;
    if (!header || strncasecmp(header, "Bearer ", 7) != 0)
        return VG_ROLE_NONE;
    const char *token = header + 7 + strspn(header + 7, " ");
    return *token ? find_token(token, rq->principal, sizeof(rq->principal))
                  : VG_ROLE_NONE;
}
