/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The libcurl client and the bare-socket client of client.h.
 */
#include "client.h"

#include "server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static void *must(void *p)
{
    if (!p) {
        fputs("out of memory\n", stderr);
        abort();
    }
    return p;
}

struct client *client_new(const char *base)
{
    struct client *c = must(calloc(1, sizeof(*c)));
    c->curl = must(curl_easy_init());
    c->base = base;
    return c;
}

void client_free(struct client *c)
{
    if (!c)
        return;
    curl_easy_cleanup(c->curl);
    free(c);
}

static size_t grow(char **text, size_t *len, const char *data, size_t n)
{
    *text = must(realloc(*text, *len + n + 1));
    memcpy(*text + *len, data, n);
    *len += n;
    (*text)[*len] = '\0';
    return n;
}

static size_t take_head(char *data, size_t size, size_t n, void *arg)
{
    struct response *r = arg;
    /* After 100 Continue the real header begins anew. */
    if (size * n > 5 && strncmp(data, "HTTP/", 5) == 0)
        r->head_len = 0;
    return grow(&r->head, &r->head_len, data, size * n);
}

static size_t take_body(char *data, size_t size, size_t n, void *arg)
{
    struct response *r = arg;
    return grow(&r->body, &r->body_len, data, size * n);
}

static struct response *response_new(void)
{
    struct response *r = must(calloc(1, sizeof(*r)));
    grow(&r->head, &r->head_len, "", 0);
    grow(&r->body, &r->body_len, "", 0);
    return r;
}

static void set_body(CURL *curl, const char *method, const char *body, size_t body_len)
{
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    if (strcmp(method, "HEAD") == 0)
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    if (!body)
        return;
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body_len);
}

struct response *client_send(struct client *c, const char *method, const char *path,
                             const char *const headers[], const char *body,
                             size_t body_len)
{
    struct response *r = response_new();
    struct curl_slist *list = NULL;
    char *url = NULL;
    if (asprintf(&url, "%s%s", c->base, path) < 0)
        abort();
    /* curl's own additions would hide what the test says. */
    list = curl_slist_append(list, "Expect:");
    if (body)
        list = curl_slist_append(list, "Content-Type:");
    for (; headers && *headers; headers++)
        list = curl_slist_append(list, *headers);
    CURL *curl = c->curl;
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 180000L);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, r->error);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_head);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, r);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, r);
    set_body(curl, method, body, body_len);
    double start = seconds_now();
    CURLcode rc = curl_easy_perform(curl);
    r->seconds = seconds_now() - start;
    if (rc == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &r->status);
    else if (!r->error[0])
        snprintf(r->error, sizeof(r->error), "%s", curl_easy_strerror(rc));
    curl_slist_free_all(list);
    free(url);
    return r;
}

struct response *client_get(struct client *c, const char *path)
{
    return client_send(c, "GET", path, NULL, NULL, 0);
}

void response_free(struct response *r)
{
    if (!r)
        return;
    free(r->head);
    free(r->body);
    free(r);
}

char *response_header(const struct response *r, const char *name)
{
    size_t n = strlen(name), len = 0;
    char *all = NULL;
    for (const char *line = strchr(r->head, '\n'); line; line = strchr(line, '\n')) {
        line++;
        if (strncasecmp(line, name, n) != 0 || line[n] != ':')
            continue;
        const char *value = line + n + 1;
        value += strspn(value, " \t");
        if (all)
            grow(&all, &len, ", ", 2);
        grow(&all, &len, value, strcspn(value, "\r\n"));
    }
    return all;
}

int raw_connect(int port, double timeout_seconds)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct timeval t = {.tv_sec = (time_t)timeout_seconds};
    t.tv_usec = (suseconds_t)((timeout_seconds - (double)t.tv_sec) * 1e6);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
    if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0)
        return fd;
    close(fd);
    return -1;
}

bool raw_send(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

/* At least `want` bytes in rest; false when the peer closed or the time is over. */
static bool fill(int fd, struct raw_rest *rest, size_t want)
{
    while (rest->len < want) {
        if (rest->len == sizeof(rest->data))
            return false;
        ssize_t n = recv(fd, rest->data + rest->len, sizeof(rest->data) - rest->len, 0);
        if (n <= 0)
            return false;
        rest->len += (size_t)n;
    }
    return true;
}

static void move(struct raw_rest *rest, size_t n, char **text, size_t *len)
{
    grow(text, len, rest->data, n);
    memmove(rest->data, rest->data + n, rest->len - n);
    rest->len -= n;
}

/* Moves one line, LF included; false when there is none. */
static bool move_line(int fd, struct raw_rest *rest, char **text, size_t *len)
{
    char *end;
    while (!(end = memchr(rest->data, '\n', rest->len))) {
        if (!fill(fd, rest, rest->len + 1))
            return false;
    }
    move(rest, (size_t)(end - rest->data) + 1, text, len);
    return true;
}

static bool read_counted(int fd, struct raw_rest *rest, size_t n, struct response *r)
{
    while (n > 0) {
        if (!fill(fd, rest, 1))
            return false;
        size_t part = rest->len < n ? rest->len : n;
        move(rest, part, &r->body, &r->body_len);
        n -= part;
    }
    return true;
}

static bool read_chunks(int fd, struct raw_rest *rest, struct response *r)
{
    for (;;) {
        char *line = NULL, *end = NULL;
        size_t len = 0, end_len = 0;
        bool ok = move_line(fd, rest, &line, &len);
        size_t n = ok ? strtoul(line, NULL, 16) : 0;
        ok = ok && read_counted(fd, rest, n, r) && move_line(fd, rest, &end, &end_len);
        free(line);
        free(end);
        if (!ok || n == 0)
            return ok;
    }
}

static bool read_head(int fd, struct raw_rest *rest, struct response *r)
{
    size_t start;
    do {
        start = r->head_len;
        if (!move_line(fd, rest, &r->head, &r->head_len))
            return false;
    } while (strcmp(r->head + start, "\r\n") != 0);
    return strncmp(r->head, "HTTP/1.", 7) == 0 && strlen(r->head) > 12;
}

struct response *raw_read(int fd, bool head, struct raw_rest *rest)
{
    struct response *r = response_new();
    double start = seconds_now();
    if (read_head(fd, rest, r)) {
        long status = strtol(r->head + 9, NULL, 10);
        char *length = response_header(r, "Content-Length");
        char *te = response_header(r, "Transfer-Encoding");
        bool whole = true;
        if (head || status < 200 || status == 204 || status == 304)
            whole = true;
        else if (te)
            whole = read_chunks(fd, rest, r);
        else if (length)
            whole = read_counted(fd, rest, strtoul(length, NULL, 10), r);
        r->status = whole ? status : 0;
        free(length);
        free(te);
    }
    if (!r->status)
        snprintf(r->error, sizeof(r->error), "no whole answer");
    r->seconds = seconds_now() - start;
    return r;
}

bool raw_hang_up(int port, const char *target)
{
    int fd = raw_connect(port, LONG_ENOUGH);
    char text[512], byte;
    int n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n",
                     target);
    const struct timespec until_it_waits = {.tv_nsec = 300000000};

    bool sent = fd >= 0 && raw_send(fd, text, (size_t)n);
    nanosleep(&until_it_waits, NULL);
    bool waits = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
    shutdown(fd, SHUT_WR);
    bool over = recv(fd, &byte, 1, 0) >= 0 || errno != EAGAIN;
    close(fd);
    return sent && waits && over;
}

struct response *raw_request(int port, const char *bytes, size_t len,
                             double timeout_seconds, bool *ret_closed)
{
    struct raw_rest *rest = must(calloc(1, sizeof(*rest)));
    int fd = raw_connect(port, timeout_seconds);
    struct response *r = NULL;
    if (fd >= 0) {
        raw_send(fd, bytes, len);
        r = raw_read(fd, false, rest);
        char byte;
        ssize_t n;
        /* A close that is announced is waited for; else long enough to see one, short
         * enough to wait for none. libmicrohttpd 0.9.75 sends the header of its own
         * refusals twice, so there may be more to read. */
        char *connection = response_header(r, "Connection");
        struct timeval t = {.tv_usec = 250000};
        if (connection && strcasecmp(connection, "close") == 0)
            t = (struct timeval){.tv_sec = LONG_ENOUGH};
        free(connection);
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
        do
            n = recv(fd, &byte, 1, 0);
        while (n > 0);
        if (ret_closed)
            *ret_closed = n == 0;
        close(fd);
    }
    free(rest);
    return r ? r : response_new();
}
