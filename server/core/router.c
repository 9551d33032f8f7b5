/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Matching: a tree of path segments. A literal segment is preferred to a {variable}, so a
 * table where a literal could be somebody's name is refused.
 */
#include "server/core/router.h"

#include "server/core/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct node {
    const char *name; /* borrowed from a pattern, not terminated; NULL: any segment */
    size_t length;
    struct node *children, *next;
    const struct vg_route *rows[VG_OPTIONS + 1];
    struct vg_permissions needs[VG_OPTIONS + 1]; /* of the rows */
    char allow[64];
};

static struct node root;
static const struct vg_route *const *all_tables;

static const char *const method_names[] = {
    [VG_NO_METHOD] = "",    [VG_GET] = "GET",         [VG_HEAD] = "HEAD",
    [VG_PUT] = "PUT",       [VG_PATCH] = "PATCH",     [VG_POST] = "POST",
    [VG_DELETE] = "DELETE", [VG_OPTIONS] = "OPTIONS",
};

enum vg_method vg_method_parse(const char *name)
{
    for (enum vg_method m = VG_GET; m <= VG_OPTIONS; m++)
        if (strcmp(method_names[m], name) == 0)
            return m;
    return VG_NO_METHOD;
}

const char *vg_method_name(enum vg_method method)
{
    return method_names[method];
}

static struct node *find_child(const struct node *node, const char *name, size_t length)
{
    for (struct node *c = node->children; c; c = c->next)
        if (name ? c->name && c->length == length && memcmp(c->name, name, length) == 0
                 : !c->name)
            return c;
    return NULL;
}

static struct node *add_child(struct node *node, const char *name, size_t length)
{
    struct node *c = calloc(1, sizeof(*c));
    if (!c)
        abort(); /* at start */
    c->name = name;
    c->length = length;
    c->next = node->children;
    node->children = c;
    return c;
}

/* A slash at the end is followed by an empty segment, which is no object's name. */
static int add_row(const struct vg_route *row)
{
    struct node *node = &root;

    for (const char *p = row->pattern; *p == '/';) {
        p++;
        size_t length = strcspn(p, "/");
        const char *name = *p == '{' ? NULL : p;
        if (length || node != &root) {
            struct node *child = find_child(node, name, length);
            node = child ? child : add_child(node, name, length);
        }
        p += length;
    }
    struct vg_permissions needs;
    char unknown[VG_PERMISSION_SIZE];
    if (vg_permissions_parse(row->needs, &needs, unknown) < 0) {
        fprintf(stderr, "virtgate: the route %s %s needs '%s', which is no permission\n",
                method_names[row->method], row->pattern, unknown);
        return -1;
    }
    if (node->rows[row->method]) {
        fprintf(stderr, "virtgate: two routes for %s %s\n", method_names[row->method],
                row->pattern);
        return -1;
    }
    node->rows[row->method] = row;
    node->needs[row->method] = needs;
    if (row->method == VG_GET) {
        node->rows[VG_HEAD] = row;
        node->needs[VG_HEAD] = needs;
    }
    return 0;
}

static void write_allow(struct node *node)
{
    size_t used = 0;
    node->rows[VG_OPTIONS] = NULL;
    for (enum vg_method m = VG_GET; m <= VG_DELETE; m++) {
        if (node->rows[m])
            used += (size_t)snprintf(node->allow + used, sizeof(node->allow) - used,
                                     "%s, ", method_names[m]);
    }
    if (used)
        snprintf(node->allow + used, sizeof(node->allow) - used, "OPTIONS");
    for (struct node *c = node->children; c; c = c->next)
        write_allow(c);
}

/* Every row at or below `node` says that its literal is nobody's name. */
static int check_said(const struct node *node, const char *literal, int length)
{
    for (enum vg_method m = VG_GET; m <= VG_DELETE; m++) {
        const struct vg_route *row = node->rows[m];
        if (row && !row->literal) {
            fprintf(stderr,
                    "virtgate: the route %s %s takes the name '%.*s' from the objects at "
                    "that place; it needs another path, or .literal where nothing can "
                    "have that name\n",
                    method_names[row->method], row->pattern, length, literal);
            return -1;
        }
    }
    for (const struct node *c = node->children; c; c = c->next)
        if (check_said(c, literal, length) < 0)
            return -1;
    return 0;
}

/* No literal stands where a name can stand: what a user may call an object leads to it.
 */
static int check_literals(const struct node *node)
{
    bool named = find_child(node, NULL, 0) != NULL;

    for (const struct node *c = node->children; c; c = c->next) {
        if (named && c->name && c->length && check_said(c, c->name, (int)c->length) < 0)
            return -1;
        if (check_literals(c) < 0)
            return -1;
    }
    return 0;
}

int vg_router_build(const struct vg_route *const *tables)
{
    all_tables = tables;
    for (; *tables; tables++)
        for (const struct vg_route *row = *tables; row->pattern; row++)
            if (add_row(row) < 0)
                return -1;
    if (check_literals(&root) < 0)
        return -1;
    write_allow(&root);
    return 0;
}

static void free_children(struct node *node)
{
    while (node->children) {
        struct node *c = node->children;
        node->children = c->next;
        free_children(c);
        free(c);
    }
}

void vg_router_free(void)
{
    free_children(&root);
    root = (struct node){0};
}

/* Literal names first: those beside a {variable} are no names of objects; see
 * check_literals(). */
static const struct node *match(const struct node *node, const char *const *segments,
                                unsigned int n)
{
    if (n == 0)
        return node->allow[0] ? node : NULL;
    const struct node *any = NULL;
    size_t length = strlen(segments[0]);
    for (const struct node *c = node->children; c; c = c->next) {
        if (!c->name) {
            any = c;
        } else if (c->length == length && memcmp(c->name, segments[0], length) == 0) {
            const struct node *found = match(c, segments + 1, n - 1);
            if (found)
                return found;
        }
    }
    return any && length ? match(any, segments + 1, n - 1) : NULL;
}

const struct vg_route *vg_router_find(enum vg_method method, const char *const *segments,
                                      unsigned int n, const char **ret_allow,
                                      const struct vg_permissions **ret_needs)
{
    const struct node *node = match(&root, segments, n);
    *ret_allow = node ? node->allow : NULL;
    if (ret_needs)
        *ret_needs = node ? &node->needs[method] : NULL;
    return node ? node->rows[method] : NULL;
}

char *vg_router_operations(void)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        return NULL;
    for (const struct vg_route *const *table = all_tables; table && *table; table++)
        for (const struct vg_route *row = *table; row->pattern; row++)
            if (vg_route_begins_operation(row))
                fprintf(out, "%s%s", ftell(out) ? ", " : "", row->operation_id);
    bool failed = ferror(out) != 0;
    if (fclose(out) == 0 && !failed)
        return text;
    free(text);
    return NULL;
}
