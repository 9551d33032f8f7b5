/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The body of a request that is read while it arrives (VG_TAKES_STREAM). The handler
 * takes it piece by piece; what it does not take in time waits at the client.
 */
#pragma once

#include "virtgate/request.h"

/* The largest payload of one message of libvirt's protocol
 * (VIR_NET_MESSAGE_LEGACY_PAYLOAD_MAX): what is sent in such pieces costs least. */
#define VG_PIECE_SIZE ((size_t)262120)

/* The next piece of the body: VG_PIECE_SIZE bytes, or fewer at its end and where the
 * client is slow. Valid until the next call. 1: *ret is a piece; 0: the body has come to
 * its end; -1: it never will, the request's error says why (the client has gone or is too
 * slow, the operation was cancelled, the gateway stops). Blocks.
 *
 * The first call tells the client to send ("100 Continue"): what can be refused is
 * refused before it. */
int vg_body_read(struct vg_request *rq, const char **ret, size_t *ret_n);

/* After -1: what had come before, piece by piece, and is not used yet. 1 or 0, likewise.
 * Does not block. */
int vg_body_rest(struct vg_request *rq, const char **ret, size_t *ret_n);

/* Content-Length; -1: the body comes in chunks and nobody knows yet. */
int64_t vg_body_length(const struct vg_request *rq);

/* Whether the request has such a body: a VG_TAKES_XML_OR_STREAM row may have either. */
bool vg_body_is_stream(const struct vg_request *rq);

/* Header fields of such a request, as sent; NULL: absent. Borrowed. */
struct vg_body_fields {
    const char *content_range, *content_digest, *repr_digest;
};
struct vg_body_fields vg_body_fields(const struct vg_request *rq);
