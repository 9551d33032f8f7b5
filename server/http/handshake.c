/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The request for a WebSocket, and what proves that it was understood (RFC 6455, section
 * 4.2).
 */
#include "server/http/websocket.h"

#include <gnutls/crypto.h>
#include <string.h>
#include <strings.h>

#define KEY_LENGTH 24
#define GUID       "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

/* Whether a list, separated by commas, has the token. */
static bool has_token(const char *list, const char *token)
{
    size_t n = strlen(token);

    for (const char *p = list; p && *p; p += strcspn(p, ",")) {
        p += strspn(p, ", \t");
        if (strncasecmp(p, token, n) == 0 && (!p[n] || strchr(", \t", p[n])))
            return true;
    }
    return false;
}

int vg_http_websocket_asked(struct vg_http_call *call)
{
    const struct vg_http_headers *h = &call->headers;

    if (!has_token(h->upgrade, "websocket") || call->rq->method != VG_GET || call->old)
        return 0;
    if (!h->websocket_version || strcmp(h->websocket_version, "13") != 0) {
        vg_error_set(&call->rq->error, VG_E_UPGRADE_REQUIRED,
                     "Sec-WebSocket-Version 13 is spoken here");
        return -1;
    }
    const union MHD_ConnectionInfo *tls =
        MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    const char *fault = !has_token(h->connection, "upgrade")
                            ? "Upgrade is not named in Connection"
                        : !h->websocket_key || strlen(h->websocket_key) != KEY_LENGTH
                            ? "Sec-WebSocket-Key is missing or malformed"
                        : tls ? "There are no WebSockets over this listener's TLS: take "
                                "text/event-stream, or a proxy that does the TLS"
                              : NULL;
    if (!fault)
        return 1;
    vg_error_set(&call->rq->error, VG_E_BAD_REQUEST, "%s", fault);
    return -1;
}

char *vg_http_websocket_accept(const char *key)
{
    char text[KEY_LENGTH + sizeof(GUID)];
    unsigned char digest[20];
    gnutls_datum_t in = {digest, sizeof(digest)}, out = {0};

    memcpy(text, key, KEY_LENGTH);
    memcpy(text + KEY_LENGTH, GUID, sizeof(GUID));
    if (gnutls_hash_fast(GNUTLS_DIG_SHA1, text, sizeof(text) - 1, digest) < 0 ||
        gnutls_base64_encode2(&in, &out) < 0)
        return NULL;
    char *accept = strndup((const char *)out.data, out.size);
    gnutls_free(out.data);
    return accept;
}

/* noVNC's, and the only one there is: the bytes as they are. */
const char *vg_http_websocket_protocol(const struct vg_http_call *call)
{
    return has_token(call->headers.websocket_protocol, "binary") ? "binary" : NULL;
}
