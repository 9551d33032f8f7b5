/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The Prefer header (RFC 7240): respond-async and wait, for long work.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct vg_request;

struct vg_prefer {
    bool respond_async; /* an answer at once */
    bool waits;         /* `wait` is given */
    unsigned int wait_seconds;
};

/* Adds what one field value prefers; several count as one list, the first of a name wins.
 * What is not known, or malformed, is ignored, as the RFC says. */
void vg_prefer_read(struct vg_prefer *prefer, const char *value);

/* What of the request's preferences an answer of this status honours, for
 * Preference-Applied; "" for none. */
void vg_prefer_applied(const struct vg_request *rq, int status, char *ret, size_t size);
