/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/base/url_pattern.h"

#include "server/base/address.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* A pattern's parts; those with a length do not end by NUL. */
struct parts {
    const char *scheme, *host, *path;
    size_t host_length;
    unsigned int port;
};

static bool read_port(const char *text, const char *end, unsigned int *ret)
{
    unsigned int port = 0;

    if (text == end || end - text > 5)
        return false;
    for (; text < end; text++) {
        if (*text < '0' || *text > '9')
            return false;
        port = port * 10 + (unsigned int)(*text - '0');
    }
    *ret = port;
    return port > 0 && port <= 65535;
}

/* A name, an IPv4 address, or an IPv6 address in brackets. */
static bool is_host(const char *text, size_t n)
{
    struct vg_address address;

    if (n > 2 && text[0] == '[')
        return text[n - 1] == ']' && vg_address_parse(text + 1, n - 2, &address) &&
               address.family == AF_INET6;
    return n && n < 254 &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "0123456789.-_") >= n;
}

static bool read_pattern(const char *text, struct parts *ret)
{
    bool tls = strncasecmp(text, "https://", 8) == 0;

    if (!tls && strncasecmp(text, "http://", 7) != 0)
        return false;
    ret->scheme = tls ? "https" : "http";
    ret->port = tls ? 443 : 80;
    ret->host = text + (tls ? 8 : 7);
    ret->path = strchr(ret->host, '/');
    if (!ret->path || strchr(ret->path, '#'))
        return false;
    const char *bracket = ret->host[0] == '[' ? strchr(ret->host, ']') : ret->host;
    const char *colon =
        bracket ? memchr(bracket, ':', (size_t)(ret->path - bracket)) : NULL;
    ret->host_length = (size_t)((colon ? colon : ret->path) - ret->host);
    return is_host(ret->host, ret->host_length) &&
           (!colon || read_port(colon + 1, ret->path, &ret->port));
}

bool vg_url_pattern_is(const char *pattern)
{
    struct parts parts;
    return read_pattern(pattern, &parts);
}

/* In linear time for each *: what follows the last one is tried again further on. */
static bool has_path(const char *glob, const char *path)
{
    const char *star = NULL, *from = NULL;

    while (*path) {
        if (*glob == '*') {
            star = glob++;
            from = path;
        } else if (*glob == *path) {
            glob++;
            path++;
        } else if (star) {
            glob = star + 1;
            path = ++from;
        } else {
            return false;
        }
    }
    return glob[strspn(glob, "*")] == '\0';
}

bool vg_url_pattern_has(const char *pattern, const struct vg_url_parts *url)
{
    struct parts parts;

    return read_pattern(pattern, &parts) && strcmp(parts.scheme, url->scheme) == 0 &&
           parts.port == url->port && strlen(url->host) == parts.host_length &&
           strncasecmp(parts.host, url->host, parts.host_length) == 0 &&
           has_path(parts.path, url->path);
}
