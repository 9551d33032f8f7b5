/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See args_text.h.
 */
#include "server/core/args_text.h"

#include "server/base/xml_text.h"
#include "virtgate/cleanup.h"

#include <stdio.h>
#include <string.h>

/* Where a text stands in the body. */
struct place {
    const struct place *up; /* NULL: a member of the body itself */
    const char *key;        /* NULL: an array's item */
    size_t index;
};

/* The first character that no text may hold: its code point, or VG_XML_NOT_UTF8; 0: none.
 */
static int find_bad(const char *s, size_t n)
{
    int c = vg_xml_bad_character(s, n);
    return c || !vg_xml_has_lone_cr(s, n) ? c : '\r';
}

/* `where` is printable: a key that holds such a character is not part of it. */
static int refuse(struct vg_request *rq, const char *source, const char *where, int c)
{
    char which[32] = "";

    if (c == VG_XML_NOT_UTF8)
        snprintf(which, sizeof(which), " (it is not UTF-8)");
    else if (rq->route->takes != VG_TAKES_SECRET) /* it is a part of the secret */
        snprintf(which, sizeof(which), " (U+%04X)", (unsigned int)c);
    vg_error_set(
        &rq->error, VG_E_INVALID_VALUE,
        "%s%s%.200s%s holds a character that XML does not %s%s; tab, line feed, CR LF "
        "and all from U+0020 on but U+FFFE and U+FFFF are accepted",
        source, *where ? " '" : "", where, *where ? "'" : "", c == '\r' ? "keep" : "have",
        which);
    return -1;
}

int vg_args_check_text(struct vg_request *rq, const char *source, const char *where,
                       const char *text)
{
    int c = find_bad(text, strlen(text));
    return c ? refuse(rq, source, where, c) : 0;
}

int vg_args_check_query(struct vg_request *rq)
{
    for (unsigned int i = 0; i < rq->n_query; i++) {
        const struct vg_pair *pair = &rq->query[i];
        int c = find_bad(pair->key, strlen(pair->key));
        if (c)
            return refuse(rq, "A query key", "", c);
        c = find_bad(pair->value, strlen(pair->value));
        if (c)
            return refuse(rq, "Query key", pair->key, c);
    }
    return 0;
}

static void print_place(FILE *out, const struct place *at)
{
    if (at->up) {
        print_place(out, at->up);
        fputc('/', out);
    }
    if (at->key)
        fputs(at->key, out);
    else
        fprintf(out, "%zu", at->index);
}

static int refuse_at(struct vg_request *rq, const char *source, const struct place *at,
                     int c)
{
    vg_autofree char *where = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&where, &n);

    if (!out)
        return vg_error_set_memory(&rq->error);
    print_place(out, at);
    return fclose(out) == 0 ? refuse(rq, source, where, c)
                            : vg_error_set_memory(&rq->error);
}

/* As deep as jansson parses. */
static int check_value(struct vg_request *rq, const struct place *at, json_t *value)
{
    const char *key;
    json_t *item;
    size_t i;
    int c = json_is_string(value)
                ? find_bad(json_string_value(value), json_string_length(value))
                : 0;
    if (c)
        return refuse_at(rq, "Body member", at, c);
    json_array_foreach (value, i, item) {
        const struct place here = {at, NULL, i};
        if (check_value(rq, &here, item) < 0)
            return -1;
    }
    json_object_foreach (value, key, item) {
        const struct place here = {at, key, 0};
        c = find_bad(key, strlen(key));
        if (c)
            return refuse_at(rq, "A key in body member", at, c);
        if (check_value(rq, &here, item) < 0)
            return -1;
    }
    return 0;
}

int vg_args_check_json(struct vg_request *rq, const char *name, json_t *value)
{
    const struct place at = {NULL, name, 0};
    int c = find_bad(name, strlen(name));

    return c ? refuse(rq, "A key of the body", "", c) : check_value(rq, &at, value);
}

const char *vg_path_text(struct vg_request *rq, const char *name)
{
    const char *text = vg_path(rq, name);
    int c = find_bad(text, strlen(text));

    return c ? (refuse(rq, "Path segment", name, c), NULL) : text;
}
