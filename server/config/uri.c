/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libvirt URIs: what cannot be one, and what runs a command or skips a verification.
 */
#include "server/config/internal.h"
#include "server/base/digits.h"
#include "virtgate/uri.h"

#include <ctype.h>
#include <libxml/uri.h>
#include <string.h>

/* The next byte of a %-encoded text, or -1 at its end. */
static int next_byte(const char **p, const char *end)
{
    const char *s = *p;
    if (s >= end)
        return -1;
    if (*s == '%' && end - s > 2 && isxdigit((unsigned char)s[1]) &&
        isxdigit((unsigned char)s[2])) {
        *p = s + 3;
        return vg_hex_value(s[1]) * 16 + vg_hex_value(s[2]);
    }
    *p = s + 1;
    return (unsigned char)*s;
}

/* As libvirt compares a query parameter: decoded, ignoring case. */
static bool is_decoded(const char *text, size_t n, const char *expected)
{
    const char *end = text + n;
    for (; *expected; expected++) {
        if (tolower(next_byte(&text, end)) != *expected)
            return false;
    }
    return text >= end;
}

/* Why one query parameter is unsafe, or NULL. */
static const char *find_unsafe_parameter(const char *item, size_t n)
{
    const char *equals = memchr(item, '=', n);
    size_t name = equals ? (size_t)(equals - item) : n;
    const char *value = equals ? equals + 1 : item + n;
    size_t rest = (size_t)(item + n - value);
    if (is_decoded(item, name, "command"))
        return "the parameter `command` runs a program";
    if (is_decoded(item, name, "netcat"))
        return "the parameter `netcat` runs a program on the other machine";
    /* libvirt takes any number but 0 for yes. */
    if (is_decoded(item, name, "no_verify") && !is_decoded(value, rest, "0"))
        return "the parameter `no_verify` skips the check of the server's certificate";
    if (is_decoded(item, name, "known_hosts_verify") && is_decoded(value, rest, "ignore"))
        return "the parameter `known_hosts_verify` skips the check of the host key";
    return NULL;
}

/* A parameter of a query, whether it is what is looked for. */
typedef const char *looks_for(const char *item, size_t n);

/* The first answer that is not NULL. */
static const char *find_in_query(const char *uri, looks_for *find)
{
    const char *query = uri + strcspn(uri, "?#");
    const char *end = query + strcspn(query, "#");
    while (query < end) {
        query++;
        size_t n = strcspn(query, "&;#");
        const char *found = find(query, n);
        if (found)
            return found;
        query += n;
    }
    return NULL;
}

static bool is_named(const char *item, size_t n, const char *name)
{
    const char *equals = memchr(item, '=', n);
    return is_decoded(item, equals ? (size_t)(equals - item) : n, name);
}

static const char *find_password(const char *item, size_t n)
{
    return is_named(item, n, "password") ? item : NULL;
}

bool vg_config_has_password(const char *uri)
{
    const char *authority = strstr(uri, "://");
    size_t n = authority ? strcspn(authority + 3, "/?#") : 0;
    const char *at = n ? memrchr(authority + 3, '@', n) : NULL;
    if (at && memchr(authority + 3, ':', (size_t)(at - authority - 3)))
        return true;
    return find_in_query(uri, find_password) != NULL;
}

const char *vg_uri_find_unsafe(const char *uri)
{
    if (!*uri)
        return "it is empty, so libvirt would choose the hypervisor";
    size_t scheme = strcspn(uri, ":/?#"), plus = strcspn(uri, "+");
    if (plus < scheme && is_decoded(uri + plus + 1, scheme - plus - 1, "ext"))
        return "the transport `ext` runs a program";
    return find_in_query(uri, find_unsafe_parameter);
}

/* Whatever has a slash, which may be encoded, is taken for a path. */
static const char *find_file_parameter(const char *item, size_t n)
{
    static const char *const names[] = {"socket", "keyfile", "known_hosts", "pkipath",
                                        "root"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (is_named(item, n, names[i]))
            return item;
    return memchr(item, '/', n) || memchr(item, '%', n) ? item : NULL;
}

bool vg_uri_names_file(const char *uri)
{
    static const char *const daemons[] = {"", "/", "/system", "/session"};
    const char *path = uri + strcspn(uri, ":/?#");

    path += *path == ':';
    if (strncmp(path, "//", 2) == 0)
        path += 2 + strcspn(path + 2, "/?#");
    size_t n = strcspn(path, "?#");
    for (size_t i = 0; i < sizeof(daemons) / sizeof(daemons[0]); i++)
        if (strlen(daemons[i]) == n && memcmp(path, daemons[i], n) == 0)
            return find_in_query(uri, find_file_parameter) != NULL;
    return true;
}

/* By the parser that libvirt itself uses; which drivers there are it alone knows, and
 * which aliases libvirt.conf has: a word without a scheme may be one. */
const char *vg_config_find_no_uri(const char *text)
{
    static const char word[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

    if (text[strspn(text, word)] == '\0')
        return NULL;
    xmlURIPtr uri = xmlParseURI(text);
    const char *why = !uri           ? "it cannot be parsed"
                      : !uri->scheme ? "it has no scheme"
                      : uri->opaque || (uri->path && *uri->path != '/')
                          ? "after the scheme there is no slash"
                          : NULL;
    xmlFreeURI(uri);
    return why;
}
