/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Patterns of URLs, SCHEME://HOST[:PORT]/PATH: https or http, exactly that host and port,
 * and a path in which * stands for any characters, slashes too.
 */
#pragma once

#include <stdbool.h>

/* A URL that was taken apart, as the one who fetches it does it: scheme and host in lower
 * case, an IPv6 address in brackets, the path as it is sent, with its query. Borrowed. */
struct vg_url_parts {
    const char *scheme, *host, *path;
    unsigned int port;
};

/* Whether the text is such a pattern. */
bool vg_url_pattern_is(const char *pattern);

/* Whether the URL is one that the pattern means. */
bool vg_url_pattern_has(const char *pattern, const struct vg_url_parts *url);
