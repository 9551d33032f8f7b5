/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/core/entity_tag.h"

#include <string.h>

#define HASH_DIGITS 16

static const char digits[] = "0123456789abcdef";

/* Which of the forms of one target it is; the wildcard where only XML is given is no
 * other form than XML. */
static bool is_xml_form(const struct vg_request *rq)
{
    return vg_wants_xml(rq) && rq->route->gives != VG_GIVES_XML_OR_JSON;
}

/* The length of a query that a tag may hold (etagc: no quotes, blanks, control
 * characters) and has room for; 0 for others. */
static size_t measure_query(const char *query, size_t room)
{
    const char *end = query;

    while (*end > ' ' && *end < 0x7F && *end != '"')
        end++;
    size_t n = (size_t)(end - query);
    return *end == '\0' && n < room ? n : 0;
}

static char *put_hash(char *p, uint64_t hash)
{
    for (int shift = 60; shift >= 0; shift -= 4)
        *p++ = digits[hash >> shift & 15];
    return p;
}

void vg_tag_write(char ret[static VG_TAG_SIZE], const struct vg_request *rq,
                  const struct vg_body *body, bool gzip)
{
    char *p = ret;

    *p++ = '"';
    p = put_hash(p, body->hash);
    if (body->passing_hash) {
        *p++ = '.';
        p = put_hash(p, body->passing_hash);
    }
    if (is_xml_form(rq))
        p = stpcpy(p, "-xml");
    if (gzip)
        p = stpcpy(p, "-gz");
    const char *query = rq->target + rq->path_length;
    size_t n = measure_query(query, (size_t)(ret + VG_TAG_SIZE - p) - 1);
    p = mempcpy(p, query, n);
    memcpy(p, "\"", 2);
}

static bool skip(const char **p, const char *text)
{
    size_t n = strlen(text);
    bool found = strncmp(*p, text, n) == 0;

    *p += found ? n : 0;
    return found;
}

static bool read_hash(const char **p, uint64_t *ret)
{
    *ret = 0;
    for (int i = 0; i < HASH_DIGITS; i++, (*p)++) {
        const char *digit = **p ? strchr(digits, **p) : NULL;
        if (!digit)
            return false;
        *ret = *ret << 4 | (uint64_t)(digit - digits);
    }
    return true;
}

/* What stands between the quotes. */
static bool read_tag(const char *p, const char *end, struct vg_tag *ret)
{
    uint64_t passing;

    *ret = (struct vg_tag){0};
    if (!read_hash(&p, &ret->hash) || (skip(&p, ".") && !read_hash(&p, &passing)))
        return false;
    ret->xml = skip(&p, "-xml");
    (void)skip(&p, "-gz");
    ret->query = p;
    ret->query_length = (size_t)(end - p);
    return p == end || *p == '?';
}

bool vg_tag_next(const char **list, struct vg_tag *ret)
{
    const char *p = *list;

    for (;;) {
        p += strspn(p, ", \t");
        bool weak = skip(&p, "W/");
        const char *end = *p == '"' ? strchr(p + 1, '"') : NULL;
        if (!end)
            return false;
        const char *text = p + 1;
        p = end + 1;
        if (!weak && read_tag(text, end, ret)) {
            *list = p;
            return true;
        }
    }
}
