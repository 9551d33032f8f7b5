/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The pages at /docs and /ui/ and their files, as they were built in
 * (server/gen/docs.py).
 */
#pragma once

#include "virtgate/reply.h"

#include <stddef.h>

struct vg_web_file {
    const char *name;
    const char *type; /* media type */
    const char *gzip; /* the file, compressed */
    size_t length;
    struct vg_cached cached;
};

/* Ended by one without a name; there are none where `make` was told DOCS=no, UI=no. */
extern struct vg_web_file vg_docs_files[];
extern struct vg_web_file vg_ui_files[];

/* HTML; not NUL-terminated. */
extern const char vg_docs_page[];
extern const size_t vg_docs_page_len;
extern const char vg_ui_page[];
extern const size_t vg_ui_page_len;
