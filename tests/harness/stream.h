/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A client of Server-Sent Events on a bare socket, so that a test decides when it reads.
 */
#pragma once

#include "steps.h"

struct stream {
    int fd;
    char *path;
    struct response *response; /* status, head; the body as far as it was read */
    char *raw;                 /* received, still in chunks */
    size_t raw_len;
    size_t taken; /* of the body */
    bool ended;   /* by the gateway, as it should: the last chunk was read */
    bool closed;  /* nothing will come any more */
};

/* Sends GET (with these headers, ended by NULL; NULL: none) and reads the header. Never
 * NULL; response->status is 0 when there was no answer. Whoever wants a small receive
 * buffer gives its size, else 0. */
struct stream *stream_open(const struct server *server, const char *path,
                           const char *const headers[], int receive_buffer);

/* The next frame as {"id", "event", "retry", "data"}, those that it has, data parsed; a
 * new reference. Comments are skipped. NULL: none within `seconds`, or the end. */
json_t *stream_next(struct stream *st, double seconds);

/* Reads to the end; how long that took, or `seconds` when it did not come. */
double stream_drain(struct stream *st, double seconds);

/* Records the exchange, and closes. */
void stream_close(struct stream *st);
