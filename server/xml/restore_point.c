/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See include/virtgate/restore_point.h.
 */
#include "virtgate/restore_point.h"

#include "server/base/clock.h"
#include "server/xml/tree.h"
#include "virtgate/cleanup.h"
#include "virtgate/json.h"
#include "virtgate/xml.h"
#include "virtgate/xml_json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- out --------------------------------------------------------------------------- */

/* null when there is no element. */
static json_t *text_of(const xmlNode *node)
{
    vg_auto_xml_text text = node ? xmlNodeGetContent(node) : NULL;
    return vg_json_text((const char *)text);
}

static json_t *number_of(const xmlNode *node)
{
    vg_auto_xml_text text = node ? xmlNodeGetContent(node) : NULL;
    errno = 0;
    long long value = text ? strtoll((const char *)text, NULL, 10) : 0;
    return text && !errno ? json_integer(value) : json_null();
}

/* Seconds since 1970 as RFC 3339 writes them; null for what it has no form for. */
static json_t *time_of(const json_t *seconds)
{
    const json_int_t last = 253402300799; /* of the year 9999 */
    const json_int_t at = json_integer_value(seconds);
    char text[24];

    if (!json_is_integer(seconds) || at < 0 || at > last)
        return json_null();
    vg_write_date(text, sizeof(text), at);
    return json_string(text);
}

json_t *vg_restore_point_to_json(const char *xml, struct vg_error *reterr)
{
    vg_auto_doc doc = vg_xml_parse(xml);
    const xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;

    if (!root) {
        vg_error_set(reterr, VG_E_INTERNAL, "libvirt's document cannot be read");
        return NULL;
    }
    json_auto_t *point = json_object();
    const xmlNode *parent = vg_xml_child(vg_xml_child(root, "parent"), "name");
    int bad = json_object_set_new(point, "name", text_of(vg_xml_child(root, "name")));
    bad |= json_object_set_new(point, "parent", text_of(parent));
    bad |= json_object_set_new(point, "description",
                               text_of(vg_xml_child(root, "description")));
    json_auto_t *created = number_of(vg_xml_child(root, "creationTime"));
    bad |= json_object_set(point, "creationTimeSeconds", created);
    bad |= json_object_set_new(point, "creationTime", time_of(created));
    if (vg_xml_child(root, "state"))
        bad |= json_object_set_new(point, "state", text_of(vg_xml_child(root, "state")));
    if (!bad)
        return vg_take(&point);
    vg_error_set_memory(reterr);
    return NULL;
}

/* ---- lists and trees --------------------------------------------------------------- */

int vg_restore_points_args(struct vg_request *rq, const struct vg_enum *names,
                           unsigned int topological, struct vg_restore_points_args *ret)
{
    const struct vg_field args[] = {
        VG_BOOL("tree", &ret->tree),
        VG_NAMES("flags", &ret->flags, names),
        VG_END,
    };

    *ret = (struct vg_restore_points_args){0};
    if (vg_args(rq, args) < 0)
        return -1;
    ret->ordered = ret->flags & topological;
    return 0;
}

int vg_restore_points_add(struct vg_request *rq, json_t *points, json_t *point_steal)
{
    if (!point_steal)
        return -1;
    return json_array_append_new(points, point_steal) < 0
               ? vg_error_set_memory(vg_request_error(rq))
               : 0;
}

static const char *member(const json_t *point, const char *key)
{
    const char *text = json_string_value(json_object_get(point, key));
    return text ? text : "";
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(member(*(json_t *const *)a, "name"),
                  member(*(json_t *const *)b, "name"));
}

static json_t *sort_points(json_t *points_steal)
{
    json_auto_t *points = points_steal;
    size_t n = json_array_size(points), i;
    vg_autofree json_t **items = calloc(n ? n : 1, sizeof(*items));
    json_auto_t *sorted = items ? json_array() : NULL;
    json_t *point;

    json_array_foreach (points, i, point) {
        if (items)
            items[i] = point;
    }
    if (!sorted)
        return NULL;
    qsort(items, n, sizeof(*items), compare_names);
    for (i = 0; i < n; i++)
        if (json_array_append(sorted, items[i]) < 0)
            return NULL;
    return vg_take(&sorted);
}

static json_t *make_tree(json_t *points_steal)
{
    json_auto_t *points = points_steal;
    json_auto_t *by_name = json_object();
    json_auto_t *roots = json_array();
    json_t *point;
    size_t i;
    int bad = !by_name || !roots;

    json_array_foreach (points, i, point) {
        bad |= json_object_set_new(point, "children", json_array());
        bad |= json_object_set(by_name, member(point, "name"), point);
    }
    json_array_foreach (points, i, point) {
        json_t *parent = json_object_get(by_name, member(point, "parent"));
        json_t *to = parent ? json_object_get(parent, "children") : roots;
        bad |= json_array_append(to, point);
    }
    return bad ? NULL : vg_take(&roots);
}

json_t *vg_restore_points_arrange(json_t *points_steal,
                                  const struct vg_restore_points_args *how)
{
    json_t *points = points_steal;

    if (points && !how->ordered)
        points = sort_points(points);
    return points && how->tree ? make_tree(points) : points;
}

/* ---- in ---------------------------------------------------------------------------- */

char *vg_restore_point_to_xml(struct vg_request *rq, const char *root, const char *name,
                              const char *description)
{
    json_auto_t *document =
        json_pack("{s:{s:s*, s:s*}}", root, "name", name, "description", description);
    if (!document) {
        vg_error_set_memory(vg_request_error(rq));
        return NULL;
    }
    return vg_xml_from_json(document, vg_request_error(rq));
}

bool vg_restore_point_is_taken(const char *xml,
                               bool (*has)(void *domain, const char *name), void *domain)
{
    const long long now = time(NULL);
    vg_autofree char *name = NULL;
    char second[24];

    (void)vg_xml_identity(xml, &name, NULL);
    if (name)
        return has(domain, name);
    for (long long t = now - 1; t <= now; t++) {
        snprintf(second, sizeof(second), "%lld", t);
        if (has(domain, second))
            return true;
    }
    return false;
}
