/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Entity tags (RFC 9110, 8.8.3): "HASH", then ".HASH" of what passes by itself (the CPU
 * time of a domain), "-xml" and "-gz" where the representation is that, then the query it
 * was read with. So a tag says by itself what a change that shows it in If-Match depends
 * on: GET ?fields=state, or ?view=config, or all of it and the definition. What passes is
 * left out of that, or no change to a running domain could ever be made so.
 */
#pragma once

#include "server/core/request.h"

#define VG_TAG_SIZE 160

struct vg_tag {
    uint64_t hash; /* without what passes */
    bool xml;
    const char *query; /* from its question mark; not terminated */
    size_t query_length;
};

/* Writes the tag of the body that `rq` read, with its quotes. A query that is too long
 * for a tag is left out: such a tag serves If-None-Match only. */
void vg_tag_write(char ret[static VG_TAG_SIZE], const struct vg_request *rq,
                  const struct vg_body *body, bool gzip);

/* Takes the next tag of ours off an If-Match list; borrows from it. Weak ones are passed
 * over, as strong comparison asks. False: there is none. */
bool vg_tag_next(const char **list, struct vg_tag *ret);
