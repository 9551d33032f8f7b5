/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See stream.h.
 */
#include "stream.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void append(char **text, size_t *len, const char *data, size_t n)
{
    *text = realloc(*text, *len + n + 1);
    if (!*text)
        abort();
    memcpy(*text + *len, data, n);
    *len += n;
    (*text)[*len] = '\0';
}

static void drop(struct stream *st, size_t n)
{
    memmove(st->raw, st->raw + n, st->raw_len - n + 1);
    st->raw_len -= n;
}

/* Receives what is there; false when nothing is by then. */
static bool receive(struct stream *st, double until)
{
    double left = until - seconds_now();
    struct pollfd p = {.fd = st->fd, .events = POLLIN};
    char data[16384];

    if (st->closed || poll(&p, 1, left > 0 ? (int)(left * 1000) + 1 : 0) <= 0)
        return false;
    ssize_t n = recv(st->fd, data, sizeof(data), 0);
    st->closed = n <= 0;
    if (n > 0)
        append(&st->raw, &st->raw_len, data, (size_t)n);
    return n > 0;
}

/* Moves whole chunks from raw to the body. */
static void join_chunks(struct stream *st)
{
    struct response *r = st->response;
    for (;;) {
        char *line = strstr(st->raw, "\r\n");
        size_t n = line ? strtoul(st->raw, NULL, 16) : 0;
        size_t begin = line ? (size_t)(line - st->raw) + 2 : 0;
        if (!line || st->raw_len < begin + n + 2)
            return;
        append(&r->body, &r->body_len, st->raw + begin, n);
        drop(st, begin + n + 2);
        if (n == 0) {
            st->ended = true;
            return;
        }
    }
}

static void read_head(struct stream *st, double until)
{
    struct response *r = st->response;
    char *end = NULL;
    while (!(end = strstr(st->raw, "\r\n\r\n")) && receive(st, until))
        ;
    if (!end)
        return;
    append(&r->head, &r->head_len, st->raw, (size_t)(end - st->raw) + 4);
    drop(st, r->head_len);
    r->status = strtol(r->head + strlen("HTTP/1.1 "), NULL, 10);
}

static int connect_to(int port, int receive_buffer)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    if (fd < 0 || connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
        perror("connect");
    return fd;
}

struct stream *stream_open(const struct server *server, const char *path,
                           const char *const headers[], int receive_buffer)
{
    struct stream *st = calloc(1, sizeof(*st));
    char *request = NULL;
    size_t len = 0;
    if (!st || !(st->response = calloc(1, sizeof(*st->response))))
        abort();
    append(&st->raw, &st->raw_len, "", 0);
    append(&st->response->head, &st->response->head_len, "", 0);
    append(&st->response->body, &st->response->body_len, "", 0);
    st->path = strdup(path);
    append(&request, &len, "GET ", 4);
    append(&request, &len, path, strlen(path));
    append(&request, &len, " HTTP/1.1\r\nHost: localhost\r\n", 28);
    for (; headers && *headers; headers++) {
        append(&request, &len, *headers, strlen(*headers));
        append(&request, &len, "\r\n", 2);
    }
    append(&request, &len, "\r\n", 2);
    st->fd = connect_to(server->port, receive_buffer);
    raw_send(st->fd, request, len);
    free(request);
    read_head(st, seconds_now() + LONG_ENOUGH);
    join_chunks(st);
    return st;
}

/* ---- frames ------------------------------------------------------------------------ */

static void add_field(json_t *frame, const char *line, size_t n)
{
    const char *colon = memchr(line, ':', n);
    if (!colon || colon == line)
        return; /* a comment */
    const char *value = colon + 1 + (colon[1] == ' ');
    size_t length = n - (size_t)(value - line);
    char *name = strndup(line, (size_t)(colon - line));
    json_t *data = strcmp(name, "data") == 0 ? json_loadb(value, length, 0, NULL) : NULL;
    json_object_set_new(frame, name, data ? data : json_stringn(value, length));
    free(name);
}

/* The frame that ends at `end`, a blank line; NULL: a comment alone. */
static json_t *take_frame(struct stream *st, const char *end)
{
    json_t *frame = json_object();
    const char *line = st->response->body + st->taken;
    while (line < end) {
        size_t n = strcspn(line, "\n");
        add_field(frame, line, n);
        line += n + 1;
    }
    st->taken = (size_t)(end - st->response->body) + 2;
    if (json_object_size(frame))
        return frame;
    json_decref(frame);
    return NULL;
}

json_t *stream_next(struct stream *st, double seconds)
{
    double until = seconds_now() + seconds;
    for (;;) {
        const char *end = strstr(st->response->body + st->taken, "\n\n");
        json_t *frame = end ? take_frame(st, end) : NULL;
        if (frame)
            return frame;
        if (!end && (st->ended || !receive(st, until)))
            return NULL;
        join_chunks(st);
    }
}

double stream_drain(struct stream *st, double seconds)
{
    double begun = seconds_now();
    while (!st->ended && receive(st, begun + seconds))
        join_chunks(st);
    return seconds_now() - begun;
}

void stream_close(struct stream *st)
{
    record_exchange("GET", st->path, st->response);
    close(st->fd);
    response_free(st->response);
    free(st->path);
    free(st->raw);
    free(st);
}
