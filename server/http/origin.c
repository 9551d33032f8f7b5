/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Requests that a browser makes for a page which is not the gateway's: the names that the
 * gateway answers to (Host, against DNS rebinding), and the pages that may call it
 * (Origin, Sec-Fetch-Site). No other option switches these checks off.
 */
#include "server/http/internal.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* ---- Host -------------------------------------------------------------------------- */

/* The length of the name, or of the IPv6 address in brackets, that a Host field begins
 * with; 0: it is malformed. What follows is a port or nothing. */
static size_t host_length(const char *host)
{
    size_t n = strcspn(host, ":");

    if (host[0] == '[') {
        n = strcspn(host, "]") + 1;
        if (host[n - 1] != ']')
            return 0;
    }
    if (host[n] != '\0' && host[n] != ':')
        return 0;
    const char *port = host[n] == ':' ? host + n + 1 : "";
    size_t digits = strspn(port, "0123456789");
    bool is_port = digits <= 5 && port[digits] == '\0';
    return is_port && strcspn(host, " \t,/?#@\\\"<>") == strlen(host) ? n : 0;
}

/* An address cannot be made to point elsewhere, as a name can. */
static bool is_address(const char *host, size_t n)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr bits;
    bool v6 = n > 2 && host[0] == '[' && host[n - 1] == ']';
    const char *from = v6 ? host + 1 : host;
    size_t length = v6 ? n - 2 : n;

    if (length >= sizeof(text))
        return false;
    memcpy(text, from, length);
    text[length] = '\0';
    return inet_pton(v6 ? AF_INET6 : AF_INET, text, &bits) == 1;
}

static bool is_name(const char *host, size_t n, const char *name)
{
    return strlen(name) == n && strncasecmp(host, name, n) == 0;
}

static bool is_listener(const char *host, size_t n, const char *listen)
{
    const char *colon = strrchr(listen, ':');
    return colon && (size_t)(colon - listen) == n && strncasecmp(host, listen, n) == 0;
}

/* Against DNS rebinding: a web page that got its own name to point here. */
static bool knows_host(const char *host, size_t n, const struct vg_config *config)
{
    char hostname[256];

    if (is_address(host, n) || is_name(host, n, "localhost"))
        return true;
    for (size_t i = 0; i < config->allowed_hosts.n; i++)
        if (is_name(host, n, config->allowed_hosts.v[i]))
            return true;
    for (size_t i = 0; i < config->listen.n; i++)
        if (is_listener(host, n, config->listen.v[i]))
            return true;
    return gethostname(hostname, sizeof(hostname)) == 0 && is_name(host, n, hostname);
}

/* Asked once for what a connection always says. HTTP/1.0 may come without a Host; no
 * browser does. */
static int check_host(struct vg_http_call *call, const struct vg_config *config)
{
    struct vg_http_conn *conn = call->conn;
    const char *host = call->headers.host;

    if (!host || (*host && strcmp(conn->host, host) == 0))
        return 0;
    size_t n = host_length(host), size = strlen(host) + 1;
    if (n == 0) {
        call->close = true;
        vg_error_set(&call->rq->error, VG_E_BAD_REQUEST,
                     "Host is malformed; a name or an address is accepted, and a port");
        return -1;
    }
    /* whoever may open a unix socket is no browser */
    if (!conn->local && !knows_host(host, n, config)) {
        vg_error_set(&call->rq->error, VG_E_MISDIRECTED,
                     "This gateway is not known as '%.200s'; --allowed-host makes it so",
                     host);
        return -1;
    }
    if (size <= sizeof(conn->host))
        memcpy(conn->host, host, size);
    return 0;
}

/* ---- pages of other sites ---------------------------------------------------------- */

/* What everybody may read, a browser on behalf of any page, too. */
static bool is_public(const struct vg_request *rq)
{
    static const char *const pages[] = {"/health", "/docs", "/ui"};
    const char *path = rq->target;
    size_t length = rq->path_length;

    if (length == 1 && path[0] == '/')
        return true;
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        size_t n = strlen(pages[i]);
        if (length >= n && memcmp(path, pages[i], n) == 0 &&
            (length == n || path[n] == '/'))
            return true;
    }
    return length > 9 && memcmp(path, "/openapi.", 9) == 0;
}

const char *vg_http_find_origin(const char *origin, const struct vg_config *config)
{
    for (size_t i = 0; i < config->cors_origins.n; i++)
        if (strcmp(config->cors_origins.v[i], origin) == 0)
            return config->cors_origins.v[i];
    return NULL;
}

bool vg_http_is_own_origin(const char *origin, const char *host)
{
    const char *authority = strncmp(origin, "http://", 7) == 0    ? origin + 7
                            : strncmp(origin, "https://", 8) == 0 ? origin + 8
                                                                  : NULL;
    return authority && host && strcasecmp(authority, host) == 0;
}

/* Sec-Fetch-Site is the browser's own word, whatever a proxy did to Host; older browsers,
 * and those that talk to a name without TLS, send Origin alone. */
static bool is_foreign(const struct vg_http_headers *h)
{
    if (h->fetch_site)
        return strcmp(h->fetch_site, "same-origin") != 0 &&
               strcmp(h->fetch_site, "none") != 0;
    return h->origin && !vg_http_is_own_origin(h->origin, h->host);
}

static int check_site(struct vg_http_call *call, const struct vg_config *config)
{
    const struct vg_http_headers *h = &call->headers;

    if (h->origin && vg_http_find_origin(h->origin, config)) {
        call->origin = strdup(h->origin);
        return 0;
    }
    if (!is_foreign(h) || is_public(call->rq))
        return 0;
    if (h->origin)
        vg_error_set(&call->rq->error, VG_E_FORBIDDEN,
                     "Pages of the origin '%.200s' may not call this gateway; "
                     "--cors-origin allows them",
                     h->origin);
    else
        vg_error_set(&call->rq->error, VG_E_FORBIDDEN,
                     "Pages of other sites may not call this gateway (the browser says "
                     "Sec-Fetch-Site: %.40s); --cors-origin allows those that send their "
                     "Origin",
                     h->fetch_site);
    return -1;
}

int vg_http_check_sender(struct vg_http_call *call, const struct vg_config *config)
{
    return check_host(call, config) < 0 ? -1 : check_site(call, config);
}
