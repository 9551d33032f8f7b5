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

static bool is_asked(const struct vg_http_call *call)
{
    return has_token(call->headers.upgrade, "websocket") && call->rq->method == VG_GET &&
           !call->old;
}

static bool is_spoken(const struct vg_http_headers *h)
{
    return h->websocket_version && strcmp(h->websocket_version, "13") == 0;
}

/* NULL: there is none. */
static const char *find_fault(const struct vg_http_call *call)
{
    const struct vg_http_headers *h = &call->headers;

    if (!has_token(h->connection, "upgrade"))
        return "Upgrade is not named in Connection";
    if (!h->websocket_key || strlen(h->websocket_key) != KEY_LENGTH)
        return "Sec-WebSocket-Key is missing or malformed";
    if (vg_mhd_upgrades_tls() || !vg_http_is_tls(call->connection))
        return NULL;
    return "There are no WebSockets over the gateway's own TLS with libmicrohttpd before "
           "1.0, which this one has: take text/event-stream, or a proxy that does the "
           "TLS (HAProxy in docs/access.md)";
}

int vg_http_websocket_asked(struct vg_http_call *call)
{
    if (!is_asked(call))
        return 0;
    if (!is_spoken(&call->headers)) {
        vg_error_set(&call->rq->error, VG_E_UPGRADE_REQUIRED,
                     "Sec-WebSocket-Version 13 is spoken here");
        return -1;
    }
    const char *fault = find_fault(call);
    if (!fault)
        return 1;
    vg_error_set(&call->rq->error, VG_E_BAD_REQUEST, "%s", fault);
    return -1;
}

/* The query is read when it is known that the page may ask at all. */
bool vg_http_websocket_refuses(const struct vg_http_call *call)
{
    const struct vg_request *rq = call->rq;

    for (unsigned int i = 0; i < rq->n_query; i++)
        if (strcmp(rq->query[i].key, "refuse") == 0)
            return strcmp(rq->query[i].value, "close") == 0 && is_asked(call) &&
                   is_spoken(&call->headers) && !find_fault(call) && !call->close;
    return false;
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
