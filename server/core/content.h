/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Contents on their way (virtgate/content.h): what part of one goes out, and how its
 * windows are fetched. Each is a request of the gateway's own to the same host, on the
 * same row's queue, so that hosts that are down, deadlines, and the end of the program
 * are what they are for every request. Who sends the bytes is in http/content.c.
 */
#pragma once

#include "server/core/byte_range.h"
#include "server/core/entity_tag.h"
#include "server/core/request.h"
#include "server/core/transfer_memory.h"

/* Bytes of a content, in memory of --transfer-memory. */
struct vg_window {
    size_t size; /* room */
    uint64_t offset;
    size_t length; /* what it holds */
    char *data;
    uint64_t poured; /* bytes that went out on the socket already, by vg_feed_pour() */
};

/* NULL: so much memory is not to be had now. It has room for `most` bytes, or fewer, but
 * for `least`. Any thread. */
struct vg_window *vg_window_new(size_t least, size_t most);
/* Accepts NULL. */
void vg_window_free(struct vg_window *window);

/* What goes out at once: the HTTP side has a buffer of that size for each content. */
#define VG_FEED_BLOCK ((size_t)128 * 1024)

/* A content that goes to a client. Counted. */
struct vg_feed {
    void (*close)(struct vg_feed *feed); /* vg_feed_unref(), for replies */
    atomic_uint refs;
    struct vg_content content;
    uint64_t hash;              /* of its version; 0: none */
    struct vg_byte_range range; /* what of it is sent; of an unsized one, all */
    struct vg_window *first;    /* where it begins, fetched already; NULL: it is not */
    bool done;                  /* all of it was sent */
    size_t block;               /* of the HTTP side's buffer; 0: nothing is sent */
    /* For its windows' requests. */
    struct vg_route row;
    struct vg_request *from; /* counted; what it was asked with */
};

struct vg_feed *vg_feed_ref(struct vg_feed *feed);
void vg_feed_unref(struct vg_feed *feed);

/* Fetches bytes from `offset` on, as many as the window has room for, or are left of the
 * range. ready() is called once, by any thread, perhaps before this returns: with the
 * window, or NULL: there was an error, which the log has. Takes the window. */
void vg_feed_fetch(struct vg_feed *feed, struct vg_window *window_steal, uint64_t offset,
                   void (*ready)(void *data, struct vg_window *window), void *data);

/* As vg_feed_fetch(), of a content that can be opened, whose client takes what comes:
 * bytes go from the host to its socket, through the window, until the client does not
 * take them, or it is the next one's turn. What the window has then is not sent, or not
 * all: the next byte is at offset + window->poured. Nobody else writes to the socket
 * meanwhile. */
void vg_feed_pour(struct vg_feed *feed, struct vg_window *window_steal, uint64_t offset,
                  int fd, void (*ready)(void *data, struct vg_window *window),
                  void *data);

/* How windows' requests get to their host; takes over a reference. Before any thread. */
void vg_feeds_start(void (*submit)(struct vg_request *rq));
