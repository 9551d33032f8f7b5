/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * URLs are taken apart by libcurl, which fetches them: what is compared is what is asked.
 */
#include "server/transfer/allow.h"

#include "server/base/url_pattern.h"
#include "virtgate/cleanup.h"

#include <curl/curl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static struct vg_fetch_options allowed_now;
static atomic_bool stopping;

int vg_fetch_start(const struct vg_fetch_options *options)
{
    allowed_now = *options;
    return options->n_patterns && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ? -1
                                                                                    : 0;
}

void vg_fetch_stop(void)
{
    atomic_store(&stopping, true);
}

bool vg_fetch_is_stopping(void)
{
    return atomic_load(&stopping);
}

int64_t vg_fetch_deadline(void)
{
    return allowed_now.deadline_ns;
}

/* ---- URLs ---------------------------------------------------------------------------
 */

struct parsed {
    CURLU *url;
    char *scheme, *host, *port, *path, *query, *user, *password;
};

static void clear_parsed(struct parsed *p)
{
    curl_free(p->scheme);
    curl_free(p->host);
    curl_free(p->port);
    curl_free(p->path);
    curl_free(p->query);
    curl_free(p->user);
    curl_free(p->password);
    curl_url_cleanup(p->url);
}

static int fail_url(const char *url, const char *why, struct vg_error *reterr)
{
    vg_error_set(reterr, VG_E_INVALID_VALUE,
                 "'%.200s' %s; http://HOST[:PORT]/PATH and https://... are accepted", url,
                 why);
    return -1;
}

/* What servers read as a dot or a slash is none to a pattern. */
static bool is_disguised(const char *path)
{
    for (const char *p = strchr(path, '%'); p; p = strchr(p + 1, '%'))
        if (strncasecmp(p, "%2e", 3) == 0 || strncasecmp(p, "%2f", 3) == 0 ||
            strncasecmp(p, "%5c", 3) == 0)
            return true;
    return strchr(path, '\\') != NULL;
}

static int parse(const char *text, struct parsed *p, struct vg_error *reterr)
{
    p->url = curl_url();
    if (!p->url) {
        (void)vg_error_set_memory(reterr);
        return -1;
    }
    if (curl_url_set(p->url, CURLUPART_URL, text, 0) != CURLUE_OK ||
        curl_url_get(p->url, CURLUPART_SCHEME, &p->scheme, 0) != CURLUE_OK ||
        curl_url_get(p->url, CURLUPART_HOST, &p->host, 0) != CURLUE_OK ||
        curl_url_get(p->url, CURLUPART_PORT, &p->port, CURLU_DEFAULT_PORT) != CURLUE_OK ||
        curl_url_get(p->url, CURLUPART_PATH, &p->path, 0) != CURLUE_OK)
        return fail_url(text, "is no URL", reterr);
    (void)curl_url_get(p->url, CURLUPART_QUERY, &p->query, 0);
    (void)curl_url_get(p->url, CURLUPART_USER, &p->user, 0);
    (void)curl_url_get(p->url, CURLUPART_PASSWORD, &p->password, 0);
    if (p->user || p->password)
        return fail_url(text, "has a user or a password", reterr);
    if (is_disguised(p->path))
        return fail_url(text, "has a dot or a slash that is written in hexadecimal",
                        reterr);
    return 0;
}

/* Digits, which libcurl has checked; NULL: 0. */
static unsigned int read_port(const char *text)
{
    unsigned int port = 0;

    for (; text && *text >= '0' && *text <= '9'; text++)
        port = port * 10 + (unsigned int)(*text - '0');
    return port;
}

static bool is_allowed(const struct parsed *p)
{
    vg_autofree char *path = NULL;

    if (asprintf(&path, "%s%s%s", p->path, p->query ? "?" : "",
                 p->query ? p->query : "") < 0) {
        path = NULL;
        return false;
    }
    const struct vg_url_parts parts = {p->scheme, p->host, path, read_port(p->port)};
    for (size_t i = 0; i < allowed_now.n_patterns; i++)
        if (vg_url_pattern_has(allowed_now.patterns[i], &parts))
            return true;
    return false;
}

int vg_allow_url(const char *url, struct vg_allowed *ret, struct vg_error *reterr)
{
    VG_CLEANUP(clear_parsed) struct parsed p = {0};

    if (!allowed_now.n_patterns) {
        vg_error_set(
            reterr, VG_E_IMPORT_NOT_ALLOWED,
            "This gateway imports from nowhere; --import-from PATTERN allows it");
        return -1;
    }
    if (parse(url, &p, reterr) < 0)
        return -1;
    if (!is_allowed(&p)) {
        vg_error_set(reterr, VG_E_IMPORT_NOT_ALLOWED,
                     "No --import-from of the gateway allows %s://%s:%s%.200s", p.scheme,
                     p.host, p.port, p.path);
        return -1;
    }
    size_t n = strlen(p.host);
    bool brackets = p.host[0] == '[' && n > 2;
    ret->is_tls = strcmp(p.scheme, "https") == 0;
    ret->is_address = brackets ? vg_address_parse(p.host + 1, n - 2, &ret->address)
                               : vg_address_parse(p.host, n, &ret->address);
    return 0;
}

/* ---- addresses ----------------------------------------------------------------------
 */

bool vg_allow_address(const struct vg_allowed *allowed, const struct sockaddr *sockaddr)
{
    const struct vg_address address = vg_address_of(sockaddr);

    if (address.family != AF_INET && address.family != AF_INET6)
        return false;
    if (vg_address_is_public(&address) ||
        (allowed->is_address && vg_address_equal(&allowed->address, &address)))
        return true;
    for (size_t i = 0; i < allowed_now.n_networks; i++) {
        struct vg_network network;
        if (vg_network_parse(allowed_now.networks[i], &network) &&
            vg_network_holds(&network, &address))
            return true;
    }
    return false;
}
