/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * HTTP for tests: libcurl for what is well-formed, a bare socket for what is not. A
 * client is one kept-alive connection, for one thread.
 */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

struct client {
    CURL *curl;
    const char *base; /* borrowed */
    char error[CURL_ERROR_SIZE];
};

/* Everything received for one request. */
struct response {
    long status; /* 0: no answer; `error` says why */
    char *head;  /* header lines as received, CR LF */
    size_t head_len;
    char *body; /* NUL-terminated */
    size_t body_len;
    double seconds;
    char error[CURL_ERROR_SIZE];
};

struct client *client_new(const char *base);
void client_free(struct client *c);

/* One request; headers ("Name: value", ended by NULL) and body (NULL: none) are borrowed.
 * Never NULL. The path is sent as it is. */
struct response *client_send(struct client *c, const char *method, const char *path,
                             const char *const headers[], const char *body,
                             size_t body_len);
struct response *client_get(struct client *c, const char *path);
void response_free(struct response *r);

/* The value of a header, without blanks around it; of several by one name all, with ", "
 * between them, so that none hides behind another. NULL when absent. Owned by the caller.
 */
char *response_header(const struct response *r, const char *name);

/* A TCP connection to 127.0.0.1:port with a receive timeout; -1 on failure. */
int raw_connect(int port, double timeout_seconds);
/* Sends all of it; false when the peer closed. */
bool raw_send(int fd, const char *bytes, size_t len);
/* Reads one answer (header, and body by Content-Length or chunks; none after HEAD, 1xx,
 * 204, 304). Status 0 when the connection closed or timed out before a whole one. `rest`
 * keeps what came beyond it, for the next call; start with an empty one. Never NULL. */
struct raw_rest {
    char data[65536];
    size_t len;
};
struct response *raw_read(int fd, bool head, struct raw_rest *rest);
/* GET by a client that, having asked, says that it sends no more: whether its wait is
 * over within 10 seconds. libmicrohttpd answers it, or sees its end first and closes. */
bool raw_hang_up(int port, const char *target);
/* Connects, sends, reads one answer, closes. *ret_closed: the gateway closed after it. */
struct response *raw_request(int port, const char *bytes, size_t len,
                             double timeout_seconds, bool *ret_closed);
