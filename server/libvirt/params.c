/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Typed parameters to JSON and back. See include/virtgate/params.h.
 *
 * Out, the dotted names first become a tree ("net.0.rx.bytes": net, 0, rx, bytes), whose
 * numbered members are then turned into arrays:
 *
 *   block.count=1, block.0.name      "block": [{"name"}]
 *   iothread.count=2, iothread.1,    "iothread": [{"index": 1}, {"index": 2}]
 *     iothread.2
 *   vcpu.current, vcpu.0             "vcpu": {"current", "list": [{"index"}]}
 *   bandwidth, bandwidth.postcopy    "bandwidth": {"value", "postcopy"}
 *
 * Numbers below their count are places; one that has no fields is {}. Where there is no
 * count, or a number beyond it, each member has its number inside, as "index". What has
 * other members too keeps them, and its array is their "list".
 */
#include "virtgate/params.h"

#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/edit_distance.h"
#include "server/libvirt/param_enum.h"
#include "server/libvirt/params.h"
#include "virtgate/autoptr.h"
#include "virtgate/json.h"

#define FIELD_SIZE VIR_TYPED_PARAM_FIELD_LENGTH /* of a name, with its NUL */
#define COUNT_KEY  "count"
#define INDEX_KEY  "index"
#define LIST_KEY   "list"
#define VALUE_KEY  "value"

/* ---- names ------------------------------------------------------------------------- */

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

/* "rd.total-time" to "rd.totalTime". Never longer than the name; bytes that are not ASCII
 * (no driver sends any) become '?', so that the result is a valid key. */
static void camel_case(const char *name, char out[static FIELD_SIZE])
{
    size_t n = 0;
    bool upper = false;
    for (size_t i = 0; name[i] && n < FIELD_SIZE - 1; i++) {
        char c = name[i];
        if (c == '-' || c == '_' || c == ' ') {
            upper = n > 0 && out[n - 1] != '.';
            continue;
        }
        if (upper && is_lower(c))
            c = (char)(c - 'a' + 'A');
        upper = false;
        out[n++] = (unsigned char)c < 0x80 ? c : '?';
    }
    out[n] = '\0';
}

/* A member number as libvirt writes it: no sign, no leading zero, at most nine digits. */
static bool read_index(const char *key, unsigned int *ret_index)
{
    size_t len = strspn(key, "0123456789");
    if (len == 0 || len > 9 || key[len] || (key[0] == '0' && len > 1))
        return false;
    unsigned int index = 0;
    for (size_t i = 0; i < len; i++)
        index = index * 10 + (unsigned int)(key[i] - '0');
    *ret_index = index;
    return true;
}

/* ---- to JSON: the tree ------------------------------------------------------------- */

static json_t *value_to_json(const virTypedParameter *p)
{
    switch (p->type) {
    case VIR_TYPED_PARAM_INT:
        return vg_json_enum_value(vg_param_enum(p->field, p->type), p->value.i);
    case VIR_TYPED_PARAM_UINT:
        return json_integer(p->value.ui);
    case VIR_TYPED_PARAM_LLONG:
        return json_integer(p->value.l);
    case VIR_TYPED_PARAM_ULLONG:
        return p->value.ul <= INT64_MAX ? json_integer((json_int_t)p->value.ul)
                                        : json_sprintf("%llu", p->value.ul);
    case VIR_TYPED_PARAM_DOUBLE:
        return isfinite(p->value.d) ? json_real(p->value.d) : json_null();
    case VIR_TYPED_PARAM_BOOLEAN:
        return json_boolean(p->value.b);
    case VIR_TYPED_PARAM_STRING:
        return vg_json_text(p->value.s);
    default:
        return json_null(); /* a type newer than this build */
    }
}

static int add_leaf_steal(json_t *node, const char *key, json_t *value)
{
    json_t *old = json_object_get(node, key);
    if (!old)
        return json_object_set_new(node, key, value);
    if (json_is_object(old))
        return add_leaf_steal(old, VALUE_KEY, value);
    if (json_is_array(old))
        return json_array_append_new(old, value);
    return json_object_set_new(node, key, json_pack("[O, o]", old, value));
}

/* The member `key` as an object, made when missing. Borrowed. */
static json_t *enter_member(json_t *node, const char *key)
{
    json_t *old = json_object_get(node, key);
    if (json_is_object(old))
        return old;
    json_t *child = old ? json_pack("{s:O}", VALUE_KEY, old) : json_object();
    return json_object_set_new(node, key, child) == 0 ? child : NULL;
}

static int add_param(json_t *root, const virTypedParameter *p)
{
    char path[FIELD_SIZE];
    camel_case(p->field, path);
    char *key = path, *dot;
    while (root && (dot = strchr(key, '.'))) {
        *dot = '\0';
        root = enter_member(root, key);
        key = dot + 1;
    }
    return root ? add_leaf_steal(root, key, value_to_json(p)) : -1;
}

/* ---- to JSON: arrays --------------------------------------------------------------- */

/* What a tree node has: numbered members, and the count that goes with them. */
struct group {
    size_t members, numbered;
    unsigned int highest; /* of the numbers */
    json_int_t count;     /* -1: none */
};

static json_t *shape(json_t *node, size_t limit);

static struct group inspect_node(json_t *node)
{
    struct group g = {.members = json_object_size(node), .count = -1};
    const char *key;
    json_t *value;
    json_object_foreach (node, key, value) {
        unsigned int index;
        if (read_index(key, &index)) {
            g.numbered++;
            g.highest = index > g.highest ? index : g.highest;
        } else if (strcmp(key, COUNT_KEY) == 0 && json_is_integer(value)) {
            g.count = json_integer_value(value);
        }
    }
    return g;
}

/* The place in the array is the number. */
static json_t *shape_by_place(json_t *node, size_t length, size_t limit)
{
    json_auto_t *list = json_array();
    for (size_t i = 0; i < length; i++) {
        char key[FIELD_SIZE];
        snprintf(key, sizeof(key), "%zu", i);
        json_t *child = json_object_get(node, key);
        if (json_array_append_new(list, child ? shape(child, limit) : json_object()) < 0)
            return NULL;
    }
    return vg_take(&list);
}

/* {"index": 2, ...}, or {"index": 2, "value": ...} of something that is no object. */
static json_t *shape_indexed(unsigned int index, json_t *child, size_t limit)
{
    json_auto_t *shaped = shape(child, limit);
    json_auto_t *item = json_pack("{s:I}", INDEX_KEY, (json_int_t)index);
    int rc = json_is_object(shaped) ? json_object_update(item, shaped)
                                    : json_object_set(item, VALUE_KEY, shaped);
    return rc == 0 ? vg_take(&item) : NULL;
}

static int compare_indexes(const void *a, const void *b)
{
    const unsigned int *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Each member carries its number. */
static json_t *shape_by_index(json_t *node, size_t numbered, size_t limit)
{
    vg_autofree unsigned int *indexes = calloc(numbered + 1, sizeof(*indexes));
    json_auto_t *list = json_array();
    if (!indexes || !list)
        return NULL;
    size_t n = 0;
    const char *key;
    json_t *value;
    json_object_foreach (node, key, value)
        if (n < numbered && read_index(key, &indexes[n]))
            n++;
    qsort(indexes, n, sizeof(*indexes), compare_indexes);
    for (size_t i = 0; i < n; i++) {
        char name[FIELD_SIZE];
        snprintf(name, sizeof(name), "%u", indexes[i]);
        json_t *item = shape_indexed(indexes[i], json_object_get(node, name), limit);
        if (json_array_append_new(list, item) < 0)
            return NULL;
    }
    return vg_take(&list);
}

/* The members that are no numbers. */
static json_t *shape_members(json_t *node, size_t limit)
{
    json_auto_t *object = json_object();
    const char *key;
    json_t *value;
    json_object_foreach (node, key, value) {
        unsigned int index;
        if (read_index(key, &index))
            continue;
        if (json_object_set_new(object, key, shape(value, limit)) < 0)
            return NULL;
    }
    return vg_take(&object);
}

/* `limit` is the number of parameters: a count beyond it is not believed, lest a hostile
 * daemon makes one number into a billion empty objects. New reference. */
static json_t *shape(json_t *node, size_t limit)
{
    if (!json_is_object(node))
        return json_incref(node);
    struct group g = inspect_node(node);
    bool counted = g.count >= 0;
    bool pure = g.members == g.numbered + counted;
    bool by_place =
        counted && (size_t)g.count <= limit && (g.numbered == 0 || g.highest < g.count);
    if (g.numbered == 0 && !(pure && by_place))
        return shape_members(node, limit);

    json_auto_t *list = by_place ? shape_by_place(node, (size_t)g.count, limit)
                                 : shape_by_index(node, g.numbered, limit);
    if (pure && (by_place || !counted || (size_t)g.count == g.numbered))
        return vg_take(&list);
    json_auto_t *object = shape_members(node, limit);
    return json_object_set(object, LIST_KEY, list) == 0 ? vg_take(&object) : NULL;
}

json_t *vg_params_to_json(const virTypedParameter *params, int nparams)
{
    json_auto_t *root = json_object();
    if (!root)
        return NULL;
    for (int i = 0; i < nparams; i++)
        if (add_param(root, &params[i]) < 0)
            return NULL;
    /* The root is an object whatever its members are called. */
    json_auto_t *object = json_object();
    const char *key;
    json_t *value;
    json_object_foreach (root, key, value)
        if (json_object_set_new(object, key, shape(value, (size_t)nparams)) < 0)
            return NULL;
    return vg_take(&object);
}

/* ---- from JSON --------------------------------------------------------------------- */

struct known {
    const char *name;
    int type, fallback; /* see struct vg_param_type */
    bool multiple;
};

struct reader {
    const virTypedParameter *current;
    size_t ncurrent;
    virTypedParameterPtr params; /* owned */
    int nparams, size;
    struct vg_error *err;
};

static const struct vg_param_type *find_type(const char *name)
{
    for (size_t i = 0; i < vg_param_types_count; i++)
        if (strcmp(vg_param_types[i].name, name) == 0)
            return &vg_param_types[i];
    return NULL;
}

/* The names there are: the object's own first, then libvirt's. False past the end. */
static bool get_known(const struct reader *r, size_t i, struct known *ret)
{
    if (i < r->ncurrent) {
        const struct vg_param_type *type = find_type(r->current[i].field);
        *ret = (struct known){r->current[i].field, r->current[i].type,
                              type ? type->fallback : 0, type && type->multiple};
        return true;
    }
    i -= r->ncurrent;
    if (i >= vg_param_types_count)
        return false;
    const struct vg_param_type *type = &vg_param_types[i];
    *ret = (struct known){type->name, type->type, type->fallback, type->multiple};
    return true;
}

/* libvirt's own spelling is exact and wins: "group_name" and "group-name" are two fields.
 */
static bool find_known(const struct reader *r, const char *path, struct known *ret)
{
    for (size_t i = 0; get_known(r, i, ret); i++)
        if (strcmp(ret->name, path) == 0)
            return true;
    for (size_t i = 0; get_known(r, i, ret); i++) {
        char camel[FIELD_SIZE];
        camel_case(ret->name, camel);
        if (strcmp(camel, path) == 0)
            return true;
    }
    return false;
}

/* Whether any name continues below `path`. */
static bool is_branch(const struct reader *r, const char *path)
{
    size_t len = strlen(path);
    struct known k;
    for (size_t i = 0; get_known(r, i, &k); i++) {
        char camel[FIELD_SIZE];
        camel_case(k.name, camel);
        if ((strncmp(camel, path, len) == 0 && camel[len] == '.') ||
            (strncmp(k.name, path, len) == 0 && k.name[len] == '.'))
            return true;
    }
    return false;
}

/* The known name most like `path`, as its JSON path; empty when none is near. */
static void find_near(const struct reader *r, const char *path,
                      char out[static FIELD_SIZE])
{
    size_t len = strlen(path), best = len / 2 + 1;
    out[0] = '\0';
    if (len >= FIELD_SIZE)
        return;
    struct known k;
    for (size_t i = 0; get_known(r, i, &k); i++) {
        char camel[FIELD_SIZE] = "";
        camel_case(k.name, camel);
        size_t d = vg_edit_distance(path, camel);
        if (d < best) {
            best = d;
            memcpy(out, camel, sizeof(camel));
        }
    }
}

/* The names of the object's own parameters, "a, b, c". Owned by the caller. */
static char *list_current(const struct reader *r)
{
    char *names = calloc(r->ncurrent + 1, FIELD_SIZE + 2);
    char *end = names;
    for (size_t i = 0; names && i < r->ncurrent; i++) {
        if (i > 0)
            end = stpcpy(end, ", ");
        camel_case(r->current[i].field, end);
        end += strlen(end);
    }
    return names;
}

static int refuse_name(struct reader *r, const char *path)
{
    char near[FIELD_SIZE];
    find_near(r, path, near);
    vg_autofree char *names = r->ncurrent ? list_current(r) : NULL;
    vg_error_set(r->err, VG_E_UNKNOWN_KEY, "\"%.100s\" is not a parameter%s%s%s%s%s",
                 path, names ? "; this object has: " : "", names ? names : "",
                 near[0] ? "; did you mean \"" : "", near, near[0] ? "\"?" : "");
    return -1;
}

static int refuse_value(struct reader *r, const char *path, int type)
{
    static const char *const wanted[VIR_TYPED_PARAM_STRING + 1] = {
        [VIR_TYPED_PARAM_INT] = "an integer from -2147483648 to 2147483647",
        [VIR_TYPED_PARAM_UINT] = "an integer from 0 to 4294967295",
        [VIR_TYPED_PARAM_LLONG] = "an integer of 64 bits, or a string of its digits",
        [VIR_TYPED_PARAM_ULLONG] =
            ("an integer from 0 to 18446744073709551615, or a string "
             "of its digits"),
        [VIR_TYPED_PARAM_DOUBLE] = "a number",
        [VIR_TYPED_PARAM_BOOLEAN] = "true or false",
        [VIR_TYPED_PARAM_STRING] = "a string",
    };
    const char *want = type > 0 && type <= VIR_TYPED_PARAM_STRING ? wanted[type] : NULL;
    vg_error_set(r->err, VG_E_INVALID_VALUE, "\"%.100s\" must be %s", path,
                 want ? want : "of a type that this gateway does not know: update it");
    return -1;
}

static int add_enum(struct reader *r, const struct known *k, const char *path,
                    const struct vg_enum *names, const json_t *name)
{
    const char *text = json_string_value(name);
    const struct vg_enum_value *value =
        text ? vg_enum_lookup(names, text, strlen(text)) : NULL;
    vg_autofree char *all = value ? NULL : vg_enum_names(names);

    if (!value)
        vg_error_set(r->err, VG_E_UNKNOWN_VALUE, "\"%.100s\" must be one of: %s", path,
                     all ? all : "");
    else if (virTypedParamsAddInt(&r->params, &r->nparams, &r->size, k->name,
                                  (int)value->value) == 0)
        return 0;
    else
        vg_error_set_virt(r->err);
    return -1;
}

static bool read_digits(const char *s, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (!*s)
        return false;
    for (; *s; s++)
        if (*s < '0' || *s > '9' || __builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*s - '0'), &value))
            return false;
    *ret_value = value;
    return true;
}

static bool read_unsigned(const json_t *value, uint64_t *ret_value)
{
    if (json_is_string(value))
        return read_digits(json_string_value(value), ret_value);
    *ret_value = (uint64_t)json_integer_value(value);
    return json_is_integer(value) && json_integer_value(value) >= 0;
}

static bool read_signed(const json_t *value, long long *ret_value)
{
    *ret_value = json_integer_value(value);
    if (!json_is_string(value))
        return json_is_integer(value);
    const char *s = json_string_value(value);
    bool negative = *s == '-';
    uint64_t digits;
    if (!read_digits(s + negative, &digits) || digits > (uint64_t)INT64_MAX + negative)
        return false;
    *ret_value = negative ? (long long)(0 - digits) : (long long)digits;
    return true;
}

/* The narrower one of two types wherever it will do: older releases and some drivers take
 * no other. */
static int type_for(const struct known *k, const json_t *value)
{
    json_int_t i = json_integer_value(value);
    bool narrow = json_is_integer(value) && i >= 0 && i <= UINT_MAX;
    return k->fallback && !narrow ? k->fallback : k->type;
}

/* Adds one value under libvirt's name; the C type decides what JSON is accepted. */
static int add_value(struct reader *r, const struct known *k, const char *path,
                     const json_t *value)
{
    const struct vg_enum *names = vg_param_enum(k->name, k->type);
    virTypedParameterPtr *params = &r->params;
    int *n = &r->nparams, *size = &r->size, type = type_for(k, value);
    if (names && !json_is_integer(value))
        return add_enum(r, k, path, names, value);
    json_int_t i = json_integer_value(value);
    long long l;
    uint64_t u;
    int rc;
    if (type == VIR_TYPED_PARAM_INT && json_is_integer(value) && i >= INT_MIN &&
        i <= INT_MAX)
        rc = virTypedParamsAddInt(params, n, size, k->name, (int)i);
    else if (type == VIR_TYPED_PARAM_UINT && json_is_integer(value) && i >= 0 &&
             i <= UINT_MAX)
        rc = virTypedParamsAddUInt(params, n, size, k->name, (unsigned int)i);
    else if (type == VIR_TYPED_PARAM_LLONG && read_signed(value, &l))
        rc = virTypedParamsAddLLong(params, n, size, k->name, l);
    else if (type == VIR_TYPED_PARAM_ULLONG && read_unsigned(value, &u))
        rc = virTypedParamsAddULLong(params, n, size, k->name, u);
    else if (type == VIR_TYPED_PARAM_DOUBLE && json_is_number(value))
        rc = virTypedParamsAddDouble(params, n, size, k->name, json_number_value(value));
    else if (type == VIR_TYPED_PARAM_BOOLEAN && json_is_boolean(value))
        rc = virTypedParamsAddBoolean(params, n, size, k->name, json_is_true(value));
    else if (type == VIR_TYPED_PARAM_STRING && json_is_string(value))
        rc = virTypedParamsAddString(params, n, size, k->name, json_string_value(value));
    else
        return refuse_value(r, path, type);
    if (rc < 0)
        vg_error_set_virt(r->err);
    return rc;
}

static int add_values(struct reader *r, const struct known *k, const char *path,
                      const json_t *value)
{
    if (virTypedParamsGet(r->params, r->nparams, k->name)) {
        vg_error_set(r->err, VG_E_DUPLICATE_KEY,
                     "\"%.100s\" was already given in another spelling", path);
        return -1;
    }
    if (!json_is_array(value))
        return add_value(r, k, path, value);
    if (!k->multiple) {
        vg_error_set(r->err, VG_E_INVALID_VALUE, "\"%.100s\" takes one value, not a list",
                     path);
        return -1;
    }
    for (size_t i = 0; i < json_array_size(value); i++)
        if (add_value(r, k, path, json_array_get(value, i)) < 0)
            return -1;
    return 0;
}

/* The path of member `key` below `prefix` (NULL at the top). {"bandwidth": {"value": 1,
 * "postcopy": 2}}: "value" is the branch's own value. Owned by the caller. */
static char *join_path(struct reader *r, const char *prefix, const char *key)
{
    char *path;
    int len = !prefix                       ? asprintf(&path, "%s", key)
              : strcmp(key, VALUE_KEY) == 0 ? asprintf(&path, "%s", prefix)
                                            : asprintf(&path, "%s.%s", prefix, key);
    if (len >= 0)
        return path;
    vg_error_set(r->err, VG_E_INTERNAL, "out of memory");
    return NULL;
}

/* Ends because every level is part of a known name. */
static int read_members(struct reader *r, json_t *object, const char *prefix)
{
    const char *key;
    json_t *value;
    json_object_foreach (object, key, value) {
        vg_autofree char *path = join_path(r, prefix, key);
        struct known k;
        if (!path)
            return -1;
        bool deeper = !prefix || strcmp(path, prefix) != 0;
        if (json_is_object(value) && deeper && is_branch(r, path)) {
            if (read_members(r, value, path) < 0)
                return -1;
        } else if (!find_known(r, path, &k)) {
            return refuse_name(r, path);
        } else if (add_values(r, &k, path, value) < 0) {
            return -1;
        }
    }
    return 0;
}

int vg_params_from_json(json_t *object, const virTypedParameter *current, int ncurrent,
                        virTypedParameterPtr *ret_params, int *ret_nparams,
                        struct vg_error *reterr)
{
    struct reader r = {
        .current = current,
        .ncurrent = ncurrent > 0 ? (size_t)ncurrent : 0,
        .err = reterr,
    };
    if (!json_is_object(object)) {
        vg_error_set(reterr, VG_E_INVALID_VALUE, "parameters must be a JSON object");
        return -1;
    }
    if (read_members(&r, object, NULL) < 0) {
        virTypedParamsFree(r.params, r.nparams);
        return -1;
    }
    *ret_params = r.params;
    *ret_nparams = r.nparams;
    return 0;
}
