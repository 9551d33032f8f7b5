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

/* libmicrohttpd only asks for a certificate; whether one came and is good, is for us to
 * see. */
static bool is_certified(struct vg_http_call *call)
{
    struct vg_http_conn *conn = call->conn;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    unsigned int status = 1;

    if (!conn->checked && info)
        conn->certified =
            gnutls_certificate_verify_peers2(info->tls_session, &status) == 0 &&
            status == 0;
    conn->checked = true;
    return conn->certified;
}

enum vg_role vg_http_auth(struct vg_http_call *call, const struct vg_config *config)
{
    const char *header = call->headers.authorization;

    if (config->tls_client_ca && !call->conn->local && !is_certified(call))
        return VG_ROLE_NONE;
    if (!config->token_file)
        return VG_ROLE_ADMIN;
    if (!header || strncasecmp(header, "Bearer ", 7) != 0)
        return VG_ROLE_NONE;
    return find_token(header + 7 + strspn(header + 7, " "), call->rq->principal,
                      sizeof(call->rq->principal));
}
