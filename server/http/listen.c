/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sockets are opened here, not by libmicrohttpd, so that TCP and unix ones are alike and
 * every failure says which address it was.
 */
#include "server/http/listen.h"

#include "server/http/accept.h"
#include "server/http/certificate.h"
#include "server/http/mhd_compat.h"
#include "server/base/private_file.h"
#include "virtgate/cleanup.h"
#include "server/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define BACKLOG 1024
/* Room for what is too long, so that it is refused here and in JSON: past it
 * libmicrohttpd answers 414 or 431 itself. */
#define CONNECTION_MEMORY (20 * 1024)
#define TLS_PRIORITIES    "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"

static struct MHD_Daemon *daemons[2];      /* without TLS, with it; NULL: not needed */
static struct vg_http_listener *listening; /* http/accept.c's, once it has begun */
static size_t n_listening;
static const struct vg_texts *listens_on;
static int inherited; /* the first descriptor of systemd's, 0: none */
static char *tls_client_ca;
static const struct vg_http_callbacks *callbacks;

static bool is_unix(const char *where)
{
    return strncmp(where, "unix:", 5) == 0;
}

/* ---- sockets ----------------------------------------------------------------------- */

static int open_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    vg_autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    /* a socket nobody listens on is left from an earlier run */
    vg_autofd int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct stat st;
    bool stale = stat(path, &st) == 0 && S_ISSOCK(st.st_mode) &&
                 connect(probe, (struct sockaddr *)&address, sizeof(address)) < 0 &&
                 errno == ECONNREFUSED;
    if (stale)
        unlink(path);
    mode_t mask = umask(0117); /* 0660: the group may call */
    int rc = bind(fd, (struct sockaddr *)&address, sizeof(address));
    umask(mask);
    if (rc < 0 || listen(fd, BACKLOG) < 0)
        return -1;
    int result = fd;
    fd = -1;
    return result;
}

static int open_address(const struct addrinfo *ai)
{
    int one = 1;
    vg_autofd int fd =
        socket(ai->ai_family, ai->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (ai->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
        return -1;
    int result = fd;
    fd = -1;
    return result;
}

/* "ADDR:PORT", "[V6]:PORT" */
static int open_tcp(const char *where)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    const char *colon = strrchr(where, ':');
    bool v6 = where[0] == '[';
    size_t n = colon ? (size_t)(colon - where) : 0;
    vg_autofree char *name = v6 && n > 2 ? strndup(where + 1, n - 2) : strndup(where, n);
    int fd = -1;

    if (!colon || !name) {
        errno = EINVAL;
        return -1;
    }
    int rc = getaddrinfo(*name ? name : NULL, colon + 1, &hints, &found);
    if (rc) {
        vg_log(VG_LOG_ERROR, "http", "%s: %s", where, gai_strerror(rc));
        errno = EADDRNOTAVAIL;
        return -1;
    }
    for (const struct addrinfo *ai = found; ai && fd < 0; ai = ai->ai_next)
        fd = open_address(ai);
    int error = errno;
    freeaddrinfo(found);
    errno = error;
    return fd;
}

/* The address as bound: the port that 0 became. */
static void say_listening(const char *where, int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);
    char host[NI_MAXHOST], port[NI_MAXSERV], text[NI_MAXHOST + NI_MAXSERV + 4];

    if (is_unix(where) || getsockname(fd, (struct sockaddr *)&address, &size) < 0 ||
        getnameinfo((struct sockaddr *)&address, size, host, sizeof(host), port,
                    sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
        snprintf(text, sizeof(text), "%s", where);
    else
        snprintf(text, sizeof(text), strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
    const struct vg_log_field fields[] = {VG_LOG_TEXT("address", text)};
    vg_log_fields(VG_LOG_INFO, "http", "listening", fields, 1);
}

/* ---- TLS --------------------------------------------------------------------------- */

static char *read_pem(const char *path, bool secret)
{
    vg_autofree char *message = NULL;
    char *text = vg_private_read(path, secret, &message);

    if (!text)
        vg_log(VG_LOG_ERROR, "http", "%s", message ? message : "out of memory");
    return text;
}

static int load_tls(const struct vg_config *config)
{
    if (!config->tls_cert)
        return 0;
    if (config->tls_client_ca)
        tls_client_ca = read_pem(config->tls_client_ca, false);
    return config->tls_client_ca && !tls_client_ca ? -1
                                                   : vg_http_certificate_load(config);
}

/* ---- the daemon -------------------------------------------------------------------- */

/* The path and the query are decoded by request.c, once. */
static size_t leave_escaped(void *data, struct MHD_Connection *connection, char *text)
{
    (void)data;
    (void)connection;
    return strlen(text);
}

__attribute__((format(printf, 2, 0))) static void log_library(void *data, const char *fmt,
                                                              va_list args)
{
    vg_autofree char *text = NULL;
    (void)data;
    callbacks->on_library_log();
    if (vasprintf(&text, fmt, args) < 0)
        return;
    text[strcspn(text, "\n")] = '\0';
    vg_log(VG_LOG_DEBUG, "microhttpd", "%s", text);
}

/* The last resort: http/conn.c cuts who is late, and says so first. */
static unsigned int longest_timeout(const struct vg_config *config)
{
    int64_t longest = config->idle_timeout;
    if (config->header_timeout > longest)
        longest = config->header_timeout;
    if (config->body_timeout > longest)
        longest = config->body_timeout;
    return (unsigned int)longest + 5;
}

/* Without a listener of its own; how many connections there may be, http/limit.c says. */
static struct MHD_Daemon *start_daemon(const struct vg_config *config, bool with_tls)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned int threads =
        config->http_threads ? (unsigned int)config->http_threads : (unsigned int)cores;
    unsigned int flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_UPGRADE |
                         MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_ERROR_LOG |
                         MHD_USE_NO_LISTEN_SOCKET | (with_tls ? MHD_USE_TLS : 0);
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
        {tls_client_ca ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0, tls_client_ca},
        {MHD_OPTION_END, 0, NULL},
    };
    if (!with_tls)
        tls[0].option = MHD_OPTION_END;
    return MHD_start_daemon(
        flags, 0, NULL, NULL, callbacks->on_request, NULL, /* the logger goes first */
        MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL, MHD_OPTION_THREAD_POOL_SIZE,
        threads, MHD_OPTION_CONNECTION_LIMIT, UINT_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_CONNECTION_TIMEOUT, longest_timeout(config), VG_MHD_STRICT,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped,
        NULL, MHD_OPTION_URI_LOG_CALLBACK, callbacks->on_target, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, callbacks->on_completed, NULL,
        MHD_OPTION_NOTIFY_CONNECTION, callbacks->on_connection, NULL, MHD_OPTION_ARRAY,
        tls, with_tls ? MHD_OPTION_HTTPS_CERT_CALLBACK2 : MHD_OPTION_END,
        vg_http_certificate_give, MHD_OPTION_END);
}

/* systemd gives blocking sockets. */
static int take_inherited(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -1 : fd;
}

/* `given`: its descriptor, 0: it is to be opened. */
static int add_listener(const char *where, int given)
{
    int fd = given            ? take_inherited(given)
             : is_unix(where) ? open_unix(where + 5)
                              : open_tcp(where);

    if (fd < 0) {
        vg_log(VG_LOG_ERROR, "http", "cannot listen on %s: %s", where, strerror(errno));
        return -1;
    }
    listening[n_listening++] = (struct vg_http_listener){.fd = fd};
    return 0;
}

/* One daemon for all listeners, or two where some have TLS and unix sockets have not. */
static int start_daemons(const struct vg_config *config)
{
    for (size_t i = 0; i < n_listening; i++) {
        bool with_tls = config->tls_cert && !is_unix(config->listen.v[i]);
        struct MHD_Daemon **daemon = &daemons[with_tls];
        if (!*daemon)
            *daemon = start_daemon(config, with_tls);
        if (!*daemon) {
            vg_log(VG_LOG_ERROR, "http", "cannot serve: are the TLS files right?");
            return -1;
        }
        listening[i].daemon = *daemon;
    }
    return 0;
}

int vg_http_listen(const struct vg_config *config, const struct vg_http_callbacks *calls)
{
    callbacks = calls;
    listening = calloc(config->listen.n, sizeof(*listening));
    listens_on = &config->listen;
    inherited = config->first_inherited;
    if (!listening || load_tls(config) < 0)
        return -1;
    if (config->allow_insecure && !config->token_file && !config->tls_client_ca)
        vg_log(VG_LOG_WARNING, "http",
               "anybody who reaches the listeners is root on the hosts: there is neither "
               "--token-file nor --tls-client-ca");
    for (size_t i = 0; i < config->listen.n; i++)
        if (add_listener(config->listen.v[i], inherited ? inherited + (int)i : 0) < 0)
            return -1;
    if (start_daemons(config) < 0 || vg_http_accept_start(listening, n_listening) < 0)
        return -1;
    for (size_t i = 0; i < n_listening; i++)
        say_listening(config->listen.v[i], listening[i].fd);
    return 0;
}

void vg_http_quiesce(void)
{
    vg_http_accept_stop();
}

void vg_http_close(void)
{
    for (size_t i = 0; i < 2; i++)
        if (daemons[i])
            MHD_stop_daemon(vg_take(&daemons[i]));
    for (size_t i = 0; i < n_listening; i++)
        if (is_unix(listens_on->v[i]) && !inherited)
            unlink(listens_on->v[i] + 5);
    free(listening);
    vg_http_certificate_free();
    free(tls_client_ca);
    listening = NULL;
    n_listening = 0;
    tls_client_ca = NULL;
}
