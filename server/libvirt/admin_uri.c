/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The admin socket beside a daemon's own. See libvirt/admin_uri.h.
 *
 *   qemu:///system                            libvirtd:///system, or virtqemud:///system
 *   qemu+unix:///system?socket=D/libvirt-sock
 * libvirtd:///system?socket=D/libvirt-admin-sock
 *
 * libvirt's remote driver prefers a modular daemon (virtqemud) where its socket is there,
 * unless `mode` in the URI says which; this file does the same.
 */
#include "server/libvirt/admin_uri.h"

#include <libxml/uri.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "virtgate/cleanup.h"

#define NO_MEMORY  "there is no memory"
#define NOT_LOCAL  "its daemon is not on this machine"
#define NO_DAEMON  "its driver runs in the gateway, without a daemon"
#define ODD_SOCKET "the name of its socket does not end with -sock"
#define SYSTEM_DIR "/var/run/libvirt"
#define SOCKET     "-sock"
#define READ_ONLY  "-ro"
#define LEGACY     "libvirt"
#define MAX_DRIVER 32
#define MAX_NAME   64

static void free_uri(xmlURIPtr *uri)
{
    xmlFreeURI(*uri);
}

/* The query's parameter of that name, decoded. Owned; NULL: it has none. */
static char *find_parameter(const xmlURI *uri, const char *name)
{
    size_t n = strlen(name);
    const char *at = uri->query_raw;

    while (at) {
        size_t len = strcspn(at, "&;");
        if (len > n && strncmp(at, name, n) == 0 && at[n] == '=') {
            char *value = xmlURIUnescapeString(at + n + 1, (int)(len - n - 1), NULL);
            return value;
        }
        at = at[len] ? at + len + 1 : NULL;
    }
    return NULL;
}

/* "qemu" of "qemu+unix". False: it has another transport than a socket. */
static bool split_scheme(const char *scheme, char driver[static MAX_DRIVER])
{
    size_t n = strcspn(scheme, "+");
    snprintf(driver, MAX_DRIVER, "%.*s", (int)n, scheme);
    return !scheme[n] || strcmp(scheme + n, "+unix") == 0;
}

/* The daemon's URI by the base of its sockets' names: "libvirt", "virtqemud". */
static char *format_uri(const char *base, const char *path, const char *socket)
{
    const char *scheme = strcmp(base, LEGACY) == 0 ? "libvirtd" : base;
    char *uri = NULL;
    int rc = socket ? asprintf(&uri, "%s://%s?socket=%s", scheme, path, socket)
                    : asprintf(&uri, "%s://%s", scheme, path);
    return rc < 0 ? NULL : uri;
}

/* From ".../libvirt-sock" or ".../libvirt-sock-ro". */
static char *beside_socket(const char *socket, const char **ret_why)
{
    const char *slash = strrchr(socket, '/');
    const char *name = slash ? slash + 1 : socket;
    size_t n = strlen(name), ro = strlen(READ_ONLY), tail = strlen(SOCKET);
    char base[MAX_NAME];

    if (n > ro && strcmp(name + n - ro, READ_ONLY) == 0)
        n -= ro;
    if (n <= tail || n - tail >= sizeof(base) ||
        strncmp(name + n - tail, SOCKET, tail) != 0) {
        *ret_why = ODD_SOCKET;
        return NULL;
    }
    snprintf(base, sizeof(base), "%.*s", (int)(n - tail), name);
    vg_autofree char *admin = NULL;
    if (asprintf(&admin, "%.*s%s-admin%s", (int)(name - socket), socket, base, SOCKET) <
        0)
        admin = NULL;
    xmlChar *escaped =
        admin ? xmlURIEscapeStr((const xmlChar *)admin, (const xmlChar *)"/") : NULL;
    char *uri = escaped ? format_uri(base, "/system", (const char *)escaped) : NULL;
    xmlFree(escaped);
    return uri;
}

/* Whether libvirt would go to the driver's own daemon. */
static bool is_modular(const char *daemon, bool session, const char *mode)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    vg_autofree char *socket = NULL;

    if (mode && strcmp(mode, "auto") != 0)
        return strcmp(mode, "direct") == 0;
    if (session && !runtime)
        return false;
    int rc = asprintf(&socket, "%s%s/%s" SOCKET, session ? runtime : SYSTEM_DIR,
                      session ? "/libvirt" : "", daemon);
    if (rc < 0) {
        socket = NULL;
        return false;
    }
    return access(socket, F_OK) == 0;
}

/* By the names that sockets have where nobody says otherwise. */
static char *beside_default(const char *driver, const char *path, const char *mode)
{
    /* root has no daemon of its own session: libvirt takes the system's */
    bool session = strcmp(path, "/session") == 0 && geteuid() != 0;
    char daemon[MAX_DRIVER + sizeof("virtd")];

    snprintf(daemon, sizeof(daemon), "virt%sd", driver);
    return format_uri(is_modular(daemon, session, mode) ? daemon : LEGACY,
                      session ? "/session" : "/system", NULL);
}

char *vg_admin_uri_of(const char *text, const char **ret_why)
{
    VG_CLEANUP(free_uri) xmlURIPtr uri = xmlParseURI(text);
    char driver[MAX_DRIVER];

    *ret_why = NO_MEMORY;
    if (!uri || !uri->scheme || !uri->path)
        *ret_why = "its URI names no daemon";
    else if (!split_scheme(uri->scheme, driver) || (uri->server && *uri->server))
        *ret_why = NOT_LOCAL;
    else {
        vg_autofree char *socket = find_parameter(uri, "socket");
        vg_autofree char *mode = find_parameter(uri, "mode");
        if (socket)
            return beside_socket(socket, ret_why);
        if (strcmp(uri->path, "/system") == 0 || strcmp(uri->path, "/session") == 0)
            return beside_default(driver, uri->path, mode);
        *ret_why = NO_DAEMON;
    }
    return NULL;
}
