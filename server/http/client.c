/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whose request it is: the peer of the connection, or, where that is a proxy which is
 * trusted (--trusted-proxy), the client that the proxy names in X-Forwarded-For or
 * Forwarded (RFC 7239). Each proxy appends the address that it saw, so both are read from
 * their end, up to the first address that is no trusted proxy: what stands before it was
 * said by a stranger.
 */
#include "server/http/internal.h"

#include "server/base/log.h"

#include <string.h>
#include <strings.h>

static struct vg_network *proxies;
static size_t n_proxies;

int vg_http_clients_start(const struct vg_config *config)
{
    proxies = calloc(config->trusted_proxies.n + 1, sizeof(*proxies));
    if (!proxies)
        return -1;
    n_proxies = config->trusted_proxies.n;
    for (size_t i = 0; i < n_proxies; i++)
        if (!vg_network_parse(config->trusted_proxies.v[i], &proxies[i]))
            return -1; /* config/check.c has refused it */
    return 0;
}

void vg_http_clients_stop(void)
{
    free(proxies);
    proxies = NULL;
    n_proxies = 0;
}

static bool is_trusted(const struct vg_address *address)
{
    for (size_t i = 0; i < n_proxies; i++)
        if (vg_network_holds(&proxies[i], address))
            return true;
    return false;
}

/* ---- the lists --------------------------------------------------------------------- */

struct span {
    const char *text;
    size_t n;
};

static struct span trim(const char *from, const char *to)
{
    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
        to--;
    return (struct span){from, (size_t)(to - from)};
}

/* "192.0.2.1", "192.0.2.1:80", "[2001:db8::1]:80", "2001:db8::1". */
static bool read_node(struct span node, struct vg_address *ret)
{
    const char *end = node.n ? memchr(node.text, ']', node.n) : NULL;
    const char *colon = node.n ? memchr(node.text, ':', node.n) : NULL;

    if (node.n && node.text[0] == '[')
        return end &&
               vg_address_parse(node.text + 1, (size_t)(end - node.text) - 1, ret) &&
               ret->family != AF_UNIX;
    bool port =
        colon && !memchr(colon + 1, ':', node.n - (size_t)(colon - node.text) - 1);
    size_t n = port ? (size_t)(colon - node.text) : node.n;
    return vg_address_parse(node.text, n, ret) && ret->family != AF_UNIX;
}

static bool read_plain(struct span element, struct vg_address *ret)
{
    return read_node(element, ret);
}

/* Whether commas and semicolons of an element separate: none stands in quotes, and the
 * element did not begin within them. Proxies quote what a stranger sent (host=), who
 * could write a `for=` of his own there. */
static bool is_split_well(struct span element)
{
    bool quoted = false;

    for (size_t i = 0; i < element.n; i++) {
        char c = element.text[i];
        if (c == '\\' || (quoted && c == ';'))
            return false;
        quoted ^= c == '"';
    }
    return !quoted;
}

/* The node of `for=` among an element's pairs. */
static bool read_forwarded(struct span element, struct vg_address *ret)
{
    const char *end = element.text + element.n;

    if (!is_split_well(element))
        return false;
    for (const char *p = element.text; p < end;) {
        const char *semicolon = memchr(p, ';', (size_t)(end - p));
        struct span pair = trim(p, semicolon ? semicolon : end);
        p = semicolon ? semicolon + 1 : end;
        if (pair.n < 4 || strncasecmp(pair.text, "for=", 4) != 0)
            continue;
        struct span node = {pair.text + 4, pair.n - 4};
        if (node.n >= 2 && node.text[0] == '"' && node.text[node.n - 1] == '"')
            node = (struct span){node.text + 1, node.n - 2};
        return read_node(node, ret);
    }
    return false;
}

/* From the end of the list to the first that is no trusted proxy. What cannot be read
 * ends the search: who stands before it is not known. */
static struct vg_address follow(const char *list, struct vg_address peer,
                                bool (*read)(struct span, struct vg_address *))
{
    const char *end = list + strlen(list);

    while (is_trusted(&peer)) {
        const char *comma = memrchr(list, ',', (size_t)(end - list));
        struct vg_address next;
        if (!read(trim(comma ? comma + 1 : list, end), &next))
            return peer;
        peer = next;
        if (!comma)
            return peer;
        end = comma;
    }
    return peer;
}

/* A proxy that writes one of the two may pass on the other as a stranger wrote it: where
 * they differ, neither is believed. */
void vg_http_find_client(struct vg_http_call *call)
{
    const struct vg_http_headers *h = &call->headers;
    struct vg_address peer = call->conn->peer;

    call->client = peer;
    if (n_proxies == 0 || (!h->forwarded_for && !h->forwarded) || !is_trusted(&peer))
        return;
    struct vg_address plain =
        h->forwarded_for ? follow(h->forwarded_for, peer, read_plain) : peer;
    struct vg_address named =
        h->forwarded ? follow(h->forwarded, peer, read_forwarded) : peer;
    if (!h->forwarded)
        call->client = plain;
    else if (!h->forwarded_for || vg_address_equal(&plain, &named))
        call->client = named;
}
