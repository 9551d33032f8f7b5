/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See http/mhd_compat.h. What is here knows that libmicrohttpd receives a header into one
 * piece of memory and parses it there: each colon, blank and line end becomes a NUL, and
 * its strings are what lies between. So of a well-formed header every string begins where
 * the one before it ended, two bytes (CR LF) further, and the last one ends at the end.
 */
#include "server/http/mhd_compat.h"

#include "server/http/internal.h"
#include "server/base/list.h"
#include "virtgate/cleanup.h"
#include "server/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define LINE_END 2 /* CR LF */

struct vg_mhd_target vg_mhd_take_target(const char *target)
{
    char *query = strchr((char *)(uintptr_t)target, '?');
    struct vg_mhd_target ret = {target, target + strlen(target) + 1};

    if (query && query[1])
        query[1] = '\0';
    return ret;
}

/* ---- lines ------------------------------------------------------------------------- */

struct walk {
    const char *next; /* where the next field has to begin; NULL: anywhere */
    bool whole;
};

static bool is_blank(const char *from, const char *to)
{
    for (; from < to; from++)
        if (*from != ' ' && *from != '\t')
            return false;
    return true;
}

static enum MHD_Result follow_field(void *data, enum MHD_ValueKind kind, const char *name,
                                    size_t name_size, const char *value,
                                    size_t value_size)
{
    struct walk *w = data;
    const char *after = name + name_size + 1; /* the colon */
    (void)kind;

    if (!name_size || !value || (w->next && name != w->next) || value < after ||
        !is_blank(after, value))
        w->whole = false;
    else
        w->next = value + value_size + LINE_END;
    return w->whole ? MHD_YES : MHD_NO;
}

#if MHD_VERSION < 0x01000000
/* The end of the header, past the empty line. */
static const char *find_end(struct MHD_Connection *connection, const char *method)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info ? method + info->header_size : NULL;
}

static bool has_whole_lines(struct MHD_Connection *connection, const char *method,
                            const char *version)
{
    struct walk w = {version + strlen(version) + LINE_END, true};

    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, follow_field, &w);
    return w.whole && w.next + LINE_END == find_end(connection, method);
}
#else
static bool has_whole_lines(struct MHD_Connection *connection, const char *method,
                            const char *version)
{
    (void)connection;
    (void)method;
    (void)version;
    return true; /* see VG_MHD_STRICT */
}
#endif

const char *vg_mhd_find_fault(struct MHD_Connection *connection, const char *method,
                              const struct vg_mhd_target *target, const char *version)
{
    if (target->begin != method + strlen(method) + 1 || version != target->end)
        return "The request line is malformed; a method, a target without blanks or NUL "
               "bytes, and HTTP/1.1 are accepted, parted by single blanks";
    if (!has_whole_lines(connection, method, version))
        return "A line of the header is malformed; NAME: VALUE is accepted, in one line "
               "that ends with CR LF, without NUL bytes";
    return NULL;
}

/* The line lies before the data unless they came apart: then there is what libmicrohttpd
 * keeps before its buffer, the end of the header, all NUL. */
const char *vg_mhd_find_chunk_fault(const char *data)
{
    return data[-1] == '\n' && data[-2] != '\r'
               ? "The line with a chunk's size ends with a bare LF; CR LF is accepted"
               : NULL;
}

const char *vg_mhd_find_trailer_fault(struct MHD_Connection *connection)
{
    struct walk w = {NULL, true};

    MHD_get_connection_values_n(connection, MHD_FOOTER_KIND, follow_field, &w);
    return w.whole ? NULL : "A line after the last chunk is malformed";
}

void vg_mhd_end_with_header(struct MHD_Response *response)
{
#if MHD_VERSION >= 0x01000000
    MHD_set_response_options(response, MHD_RF_HEAD_ONLY_RESPONSE, MHD_RO_END);
#else /* without chunks, and so with the connection's end */
    MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
#endif
}

/* ---- refused by libmicrohttpd -------------------------------------------------------
 */

static _Thread_local struct vg_http_call *being_read;

void vg_mhd_reads(struct vg_http_call *call)
{
    vg_list_insert(&being_read, call);
}

void vg_mhd_has_read(struct vg_http_call *call)
{
    if (!call->link)
        return;
    vg_list_remove(call);
    call->link = NULL;
}

/* A thread goes from the end of a header to the handler without a look at another
 * connection. */
struct vg_http_call *vg_mhd_call_in_doubt(void)
{
    for (struct vg_http_call *call = being_read; call; call = call->next)
        if (MHD_get_connection_info(call->connection,
                                    MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE))
            return call;
    return NULL;
}

/* ---- the test -----------------------------------------------------------------------
 */

struct sample {
    const char *text;
    size_t size;
    bool whole;
};

#define SAMPLE(text, whole)                                                              \
    {                                                                                    \
        text, sizeof(text) - 1, whole                                                    \
    }
#define REQUEST "GET /a?b=c&d HTTP/1.1\r\nHost: localhost\r\n"

static const struct sample samples[] = {
    SAMPLE("GET / HTTP/1.1\r\nHost:\r\n\r\n", true),
    SAMPLE(REQUEST "\r\n", true),
    SAMPLE(REQUEST "Empty:\r\nBlank: \t\r\nTight:a\r\nCookie: a=b; c=d\r\n\r\n", true),
    SAMPLE("GET /\0a HTTP/1.1\r\nHost: a\r\n\r\n", false),
    SAMPLE("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", false),
    SAMPLE("GET / HTTP/1.1\nHost: a\r\n\r\n", false),
    SAMPLE(REQUEST "A: b\n\r\n", false),
    SAMPLE(REQUEST "A: b\r\n\n", false),
    SAMPLE(REQUEST "A: b\r\n c\r\n\r\n", false),
    SAMPLE(REQUEST "A: b\r\n \r\n\r\n", false),
    SAMPLE(REQUEST "A: b\r\n\tc\r\nD: e\r\n\r\n", false),
    SAMPLE(REQUEST "A: b\0c\r\n\r\n", false),
    SAMPLE(REQUEST "A: \0\r\nB: c\r\n\r\n", false),
    SAMPLE(REQUEST "\0A: b\r\n\r\n", false),
    SAMPLE(REQUEST ": b\r\n\r\n", false),
};

struct trial {
    struct vg_mhd_target target;
    bool reached, whole;
};

static void *try_target(void *data, const char *text, struct MHD_Connection *connection)
{
    struct trial *trial = data;
    (void)connection;
    trial->target = vg_mhd_take_target(text);
    return trial;
}

static enum MHD_Result try_request(void *data, struct MHD_Connection *connection,
                                   const char *url, const char *method,
                                   const char *version, const char *upload,
                                   size_t *upload_size, void **state)
{
    struct trial *trial = data;
    (void)url;
    (void)upload;
    (void)upload_size;
    (void)state;
    trial->reached = true;
    trial->whole = !vg_mhd_find_fault(connection, method, &trial->target, version);
    return MHD_NO;
}

static size_t try_escaped(void *data, struct MHD_Connection *connection, char *text)
{
    (void)data;
    (void)connection;
    return strlen(text);
}

/* Sends the sample through a daemon of its own, without a thread. */
static int run_sample(const struct sample *sample, struct trial *trial)
{
    const struct sockaddr address = {.sa_family = AF_UNIX};
    int pair[2];

    *trial = (struct trial){0};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
        return -1;
    vg_autofd int ours = pair[0];
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_NO_LISTEN_SOCKET | MHD_USE_EPOLL, 0, NULL, NULL, try_request, trial,
        VG_MHD_STRICT, MHD_OPTION_UNESCAPE_CALLBACK, try_escaped, NULL,
        MHD_OPTION_URI_LOG_CALLBACK, try_target, trial, MHD_OPTION_END);
    if (!daemon) {
        close(pair[1]);
        return -1;
    }
    int rc = send(ours, sample->text, sample->size, MSG_NOSIGNAL) < 0 ? -1 : 0;
    if (MHD_add_connection(daemon, pair[1], &address, sizeof(address)) != MHD_YES)
        rc = -1; /* the socket is closed in any case */
    for (int i = 0; rc == 0 && i < 4 && !trial->reached; i++)
        MHD_run(daemon);
    MHD_stop_daemon(daemon);
    return rc;
}

int vg_mhd_self_test(void)
{
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        struct trial trial;
        if (run_sample(&samples[i], &trial) < 0) {
            vg_log(VG_LOG_ERROR, "http", "libmicrohttpd %s cannot be tried: %s",
                   MHD_get_version(), strerror(errno));
            return -1;
        }
        if ((trial.reached && trial.whole) == samples[i].whole)
            continue;
        vg_log(VG_LOG_ERROR, "http",
               "libmicrohttpd %s does not parse requests as the gateway expects (sample "
               "%zu): what smuggles requests could not be told from what does not",
               MHD_get_version(), i);
        return -1;
    }
    return 0;
}
