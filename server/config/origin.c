/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names of the web: origins as browsers send them, and hosts. Both are compared as they
 * stand, so one that no client sends would never match.
 */
#include "server/config/internal.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* The length of the name or of the IPv6 address in brackets that text begins with, 0 when
 * there is none. */
static size_t host_length(const char *text)
{
    char address[INET6_ADDRSTRLEN];
    struct in6_addr bits;
    size_t n = strspn(text, ALNUM ".-_");
    if (text[0] != '[')
        return n;
    n = strcspn(text + 1, "]");
    if (text[n + 1] != ']' || n >= sizeof(address))
        return 0;
    memcpy(address, text + 1, n);
    address[n] = '\0';
    return inet_pton(AF_INET6, address, &bits) == 1 ? n + 2 : 0;
}

bool vg_config_is_hostname(const char *text)
{
    size_t n = host_length(text);
    return n > 0 && !text[n];
}

/* Those that clients, and what is on the way, write for purposes of their own. */
static bool is_taken(const char *header)
{
    static const char *const taken[] = {
        "Authorization", "Connection",       "Cookie",         "Forwarded",
        "Host",          "Origin",           "Content-Type",   "X-Forwarded-For",
        "Upgrade",       "User-Agent",       "Content-Length", "X-Request-Id",
        "Referer",       "Transfer-Encoding"};

    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
        if (strcasecmp(header, taken[i]) == 0)
            return true;
    return false;
}

bool vg_config_is_header(const char *text)
{
    size_t n = strspn(text, ALNUM "-_");
    return n > 0 && n <= 64 && !text[n] && !is_taken(text);
}

#define MAX_PATH_PREFIX 100

bool vg_config_is_path_prefix(const char *text)
{
    if (*text != '/' || strlen(text) > MAX_PATH_PREFIX)
        return false;
    while (*text == '/') {
        size_t n = strspn(++text, ALNUM "._~-");
        if (n == 0 || strspn(text, ".") == n)
            return false; /* empty, or what clients leave out of a path */
        text += n;
    }
    return *text == '\0';
}

/* What of an origin stands where. */
struct origin {
    size_t scheme, host; /* lengths */
    int64_t port;        /* -1: none */
};

/* Browsers send no path; one that was copied along is passed over. */
static int split_origin(const char *text, struct origin *ret)
{
    ret->scheme = strspn(text, ALNUM "+.-");
    if (!isalpha((unsigned char)text[0]) || strncmp(text + ret->scheme, "://", 3) != 0)
        return -1;
    const char *host = text + ret->scheme + 3;
    ret->host = host_length(host);
    const char *rest = host + ret->host;
    ret->port = -1;
    if (*rest == ':') {
        char port[16];
        size_t n = strspn(++rest, "0123456789");
        snprintf(port, sizeof(port), "%.*s", (int)n, rest);
        if (n >= sizeof(port) || !vg_config_is_port(port) ||
            vg_config_parse_number(port, &ret->port) < 0)
            return -1;
        rest += n;
    }
    return ret->host && (!*rest || strchr("/?#", *rest)) ? 0 : -1;
}

bool vg_config_is_origin(const char *text)
{
    struct origin origin;
    return split_origin(text, &origin) == 0;
}

char *vg_config_spell_origin(const char *text)
{
    struct origin o;
    char *right = NULL;
    if (split_origin(text, &o) < 0)
        return NULL;
    bool standard =
        (o.port == 80 && o.scheme == 4 && strncasecmp(text, "http", 4) == 0) ||
        (o.port == 443 && o.scheme == 5 && strncasecmp(text, "https", 5) == 0);
    int n = (int)(o.scheme + 3 + o.host);
    int rc = o.port >= 0 && !standard
                 ? asprintf(&right, "%.*s:%lld", n, text, (long long)o.port)
                 : asprintf(&right, "%.*s", n, text);
    if (rc < 0)
        return NULL;
    for (char *p = right; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return right;
}
