/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See extent_text.h.
 */
#include "routes/storage/extent_text.h"

#include <string.h>

void vg_extents_init(struct vg_extents *e, const struct vg_request *rq, const char *mark,
                     uint64_t size, const struct vg_byte_range *range)
{
    *e = (struct vg_extents){.mark = mark,
                             .end = range->offset + range->length,
                             .at = range->offset,
                             .since = range->offset,
                             .w = vg_json_for(rq)};
    vg_json_begin_object(&e->w, NULL);
    vg_json_uint(&e->w, "sizeBytes", size);
    vg_json_uint(&e->w, "offset", range->offset);
    vg_json_uint(&e->w, "length", range->length);
    vg_json_begin_array(&e->w, "extents");
}

void vg_extents_clear(struct vg_extents *e)
{
    vg_json_free(&e->w);
}

bool vg_extents_want(const struct vg_extents *e, size_t enough)
{
    return e->at < e->end && e->w.text.len < enough;
}

static void write_last(struct vg_extents *e)
{
    if (e->at == e->since)
        return;
    vg_json_begin_object(&e->w, NULL);
    vg_json_uint(&e->w, "offset", e->since);
    vg_json_uint(&e->w, "length", e->at - e->since);
    vg_json_bool(&e->w, e->mark, e->set);
    vg_json_end_object(&e->w);
    e->since = e->at;
}

void vg_extents_add(struct vg_extents *e, uint64_t length, bool set)
{
    uint64_t left = e->end - e->at;

    if (set != e->set)
        write_last(e);
    e->set = set;
    e->at += length < left ? length : left;
}

static void end_text(struct vg_extents *e)
{
    write_last(e);
    vg_json_end_array(&e->w);
    vg_json_end_object(&e->w);
    e->ended = true;
}

ssize_t vg_extents_give(struct vg_extents *e, struct vg_request *rq, char *ret, size_t n)
{
    struct vg_text *text = &e->w.text;

    if (e->at == e->end && !e->ended)
        end_text(e);
    if (text->failed)
        return vg_error_set_memory(vg_request_error(rq));
    if (!text->len && !e->ended) {
        *ret = '\n';
        return 1;
    }
    n = text->len < n ? text->len : n;
    memcpy(ret, text->data, n);
    memmove(text->data, text->data + n, text->len - n);
    text->len -= n;
    return (ssize_t)n;
}
