/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A request's arguments: the query's keys and the JSON body's members, read by a
 * handler's table of fields. Whatever is wrong becomes a 400 that names what is accepted.
 */
#include "server/core/request.h"

#include "server/core/args_text.h"
#include "server/core/kind.h"
#include "virtgate/cleanup.h"
#include "virtgate/cpumap.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- keys that every route takes --------------------------------------------------- */

/* By what the object that the path names may be found: bits 1 << enum vg_lookup. */
static unsigned int taken_by(const struct vg_request *rq)
{
    const char *pattern = rq->route->pattern;
    enum vg_kind kind = vg_kind_whole(pattern);
    const struct vg_kind_info *info = vg_kind_info(kind);

    return kind && pattern[strlen(info->path)] ? info->by : 0;
}

static bool takes_by(const struct vg_request *rq)
{
    return taken_by(rq) != 0;
}

/* Of a browser, that was looked at before. */
static bool takes_ticket(const struct vg_request *rq)
{
    return vg_route_gives_session(rq->route);
}

static bool is_common_key(const struct vg_request *rq, const char *key)
{
    return strcmp(key, "numbers") == 0 || (strcmp(key, "by") == 0 && takes_by(rq)) ||
           (takes_ticket(rq) &&
            (strcmp(key, "ticket") == 0 || strcmp(key, "refuse") == 0));
}

/* How a WebSocket is refused: the HTTP side has looked at it where it is one. */
static int check_refuse(struct vg_request *rq, const char *value)
{
    if (strcmp(value, "close") == 0)
        return 0;
    vg_error_set(&rq->error, VG_E_UNKNOWN_VALUE,
                 "Query key 'refuse' is '%s'; accepted are: close", value);
    return -1;
}

static int read_by(struct vg_request *rq, const char *value)
{
    unsigned int taken = taken_by(rq);
    char names[64] = "", *end = names;

    for (enum vg_lookup by = VG_LOOKUP_ID; by < VG_LOOKUPS; by++) {
        if (!(taken & 1U << by))
            continue;
        if (strcmp(value, vg_lookup_name(by)) == 0) {
            rq->by = by;
            return 0;
        }
        end = stpcpy(stpcpy(end, end == names ? "" : ", "), vg_lookup_name(by));
    }
    vg_error_set(&rq->error, VG_E_UNKNOWN_VALUE,
                 "Query key 'by' is '%s'; accepted are: %s", value, names);
    return -1;
}

static int read_numbers(struct vg_request *rq, const char *value)
{
    rq->number_strings = strcmp(value, "string") == 0;
    if (rq->number_strings || strcmp(value, "exact") == 0)
        return 0;
    vg_error_set(&rq->error, VG_E_UNKNOWN_VALUE,
                 "Query key 'numbers' is '%s'; accepted are: exact, string", value);
    return -1;
}

int vg_request_common_args(struct vg_request *rq)
{
    if (vg_args_check_query(rq) < 0)
        return -1;
    for (unsigned int i = 0; i < rq->n_query; i++) {
        const struct vg_pair *pair = &rq->query[i];
        if (strcmp(pair->key, "numbers") == 0 && read_numbers(rq, pair->value) < 0)
            return -1;
        if (strcmp(pair->key, "refuse") == 0 && takes_ticket(rq) &&
            check_refuse(rq, pair->value) < 0)
            return -1;
        if (strcmp(pair->key, "by") == 0 && takes_by(rq) && read_by(rq, pair->value) < 0)
            return -1;
    }
    return 0;
}

int vg_request_refuse_args(struct vg_request *rq)
{
    static const struct vg_field none[] = {VG_END};
    return vg_args(rq, none);
}

/* ---- the body ---------------------------------------------------------------------- */

static int fail_json(struct vg_request *rq, json_error_t *at)
{
    enum json_error_code code = json_error_code(at);
    bool nul = code == json_error_null_character || strstr(at->text, "JSON_ALLOW_NUL");
    /* jansson quotes what it stumbled over: ... near '"s3cret"' */
    bool secret = vg_route_takes_secret(rq->route) || strstr(rq->body, "\"password\"");
    char *quote = secret ? strstr(at->text, " near ") : NULL;

    if (quote)
        *quote = '\0';
    vg_error_set(&rq->error,
                 code == json_error_duplicate_key ? VG_E_DUPLICATE_KEY
                                                  : VG_E_INVALID_JSON,
                 "Request body, line %d column %d: %s", at->line, at->column,
                 nul ? "a string has no \\u0000" : at->text);
    return -1;
}

int vg_request_parse_body(struct vg_request *rq)
{
    json_error_t at;

    if (rq->body_kind != VG_BODY_JSON || rq->body_length == 0 || rq->json)
        return 0;
    (void)vg_json_lost_memory();
    rq->json = json_loadb(rq->body, rq->body_length, JSON_REJECT_DUPLICATES, &at);
    if (vg_json_lost_memory())
        return vg_error_set_memory(&rq->error);
    if (!rq->json)
        return fail_json(rq, &at);
    if (!json_is_object(rq->json)) {
        vg_error_set(&rq->error, VG_E_INVALID_JSON,
                     "The request body is not a JSON object");
        return -1;
    }
    return 0;
}

/* ---- fields ------------------------------------------------------------------------ */

/* Where a value was given, for messages. */
enum source { IN_QUERY, IN_BODY };

static const char *source_name(enum source source)
{
    return source == IN_QUERY ? "Query key" : "Body member";
}

static int fail_value(struct vg_request *rq, enum source source, const char *key,
                      const char *accepted)
{
    vg_error_set(&rq->error, VG_E_INVALID_VALUE, "%s '%s': %s is accepted",
                 source_name(source), key, accepted);
    return -1;
}

int vg_args_fail_member(struct vg_request *rq, const char *where, const char *accepted)
{
    return fail_value(rq, IN_BODY, where, accepted);
}

static bool is_body_only(const struct vg_field *f)
{
    return f->kind == VG_FIELD_JSON || f->kind == VG_FIELD_COMMAND ||
           f->kind == VG_FIELD_REST;
}

static int fail_unknown(struct vg_request *rq, const struct vg_field *fields,
                        enum source source, const char *key)
{
    vg_autofree char *names = NULL;
    size_t size = 0;
    FILE *list = open_memstream(&names, &size);

    for (const struct vg_field *f = fields; list && f->name; f++)
        if (!is_body_only(f) || source == IN_BODY)
            fprintf(list, "%s, ", f->name);
    if (list && source == IN_QUERY)
        fprintf(list, "numbers, %s%s", takes_by(rq) ? "by, " : "",
                takes_ticket(rq) ? "ticket, refuse, " : "");
    if (list)
        fclose(list);
    vg_error_set(&rq->error, VG_E_UNKNOWN_KEY,
                 "%s '%s' is not known here; accepted: %.*s", source_name(source), key,
                 size > 2 ? (int)size - 2 : 4, size > 2 ? names : "none");
    return -1;
}

static int read_name(struct vg_request *rq, const struct vg_field *f, enum source source,
                     const char *name, size_t len, int64_t *ret)
{
    const struct vg_enum_value *value = vg_enum_lookup(f->names, name, len);
    if (value) {
        *ret = value->value;
        return 0;
    }
    vg_autofree char *names = vg_enum_names(f->names);
    bool flags = f->kind == VG_FIELD_FLAGS;
    vg_error_set(&rq->error, flags ? VG_E_UNKNOWN_FLAG : VG_E_UNKNOWN_VALUE,
                 "%s '%s': '%.*s' is not known; accepted: %s", source_name(source),
                 f->name, (int)len, name, names ? names : "");
    return -1;
}

/* "a,b,c" */
static int read_flags(struct vg_request *rq, const struct vg_field *f, enum source source,
                      const char *text, unsigned int *ret)
{
    unsigned int flags = 0;
    while (*text) {
        size_t len = strcspn(text, ",");
        int64_t bit;
        if (read_name(rq, f, source, text, len, &bit) < 0)
            return -1;
        flags |= (unsigned int)bit;
        text += len + (text[len] == ',');
    }
    *ret = flags;
    return 0;
}

static int read_flags_json(struct vg_request *rq, const struct vg_field *f,
                           const json_t *value, unsigned int *ret)
{
    const json_t *item;
    unsigned int flags = 0;
    size_t i;

    if (!json_is_array(value))
        return fail_value(rq, IN_BODY, f->name, "an array of names");
    json_array_foreach (value, i, item) {
        int64_t bit;
        if (!json_is_string(item))
            return fail_value(rq, IN_BODY, f->name, "an array of names");
        if (read_name(rq, f, IN_BODY, json_string_value(item), json_string_length(item),
                      &bit) < 0)
            return -1;
        flags |= (unsigned int)bit;
    }
    *ret = flags;
    return 0;
}

static int fail_number(struct vg_request *rq, const struct vg_field *f,
                       enum source source)
{
    vg_error_set(&rq->error, VG_E_INVALID_VALUE,
                 "%s '%s': an integer from %lld to %lld is accepted", source_name(source),
                 f->name, (long long)f->min, (long long)f->max);
    return -1;
}

static int store_number(struct vg_request *rq, const struct vg_field *f,
                        enum source source, int64_t value)
{
    if (value < f->min || value > f->max) {
        vg_error_set(&rq->error, VG_E_INVALID_VALUE,
                     "%s '%s' is %lld; %lld to %lld is accepted", source_name(source),
                     f->name, (long long)value, (long long)f->min, (long long)f->max);
        return -1;
    }
    *(int64_t *)f->ret = value;
    return 0;
}

static int read_number(struct vg_request *rq, const struct vg_field *f, const char *text)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || !strchr("-0123456789", *text))
        return fail_number(rq, f, IN_QUERY);
    return store_number(rq, f, IN_QUERY, value);
}

static int fail_unsigned(struct vg_request *rq, const struct vg_field *f,
                         enum source source)
{
    return fail_value(rq, source, f->name,
                      "an integer from 0 to 18446744073709551615, or hexadecimal as "
                      "0x1000,");
}

static int read_unsigned(struct vg_request *rq, const struct vg_field *f,
                         enum source source, const char *text)
{
    bool hex = text[0] == '0' && text[1] == 'x';
    const char *first = text + (hex ? 2 : 0);
    char *end;

    errno = 0;
    unsigned long long value = strtoull(text, &end, hex ? 16 : 10);
    bool number = hex ? isxdigit((unsigned char)*first) : isdigit((unsigned char)*first);
    if (errno || *end || !number)
        return fail_unsigned(rq, f, source);
    *(uint64_t *)f->ret = value;
    return 0;
}

static int read_unsigned_json(struct vg_request *rq, const struct vg_field *f,
                              const json_t *value)
{
    if (json_is_string(value))
        return read_unsigned(rq, f, IN_BODY, json_string_value(value));
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return fail_unsigned(rq, f, IN_BODY);
    *(uint64_t *)f->ret = (uint64_t)json_integer_value(value);
    return 0;
}

static void store_bool(const struct vg_field *f, bool value)
{
    if (f->kind == VG_FIELD_MAYBE)
        *(int *)f->ret = value;
    else
        *(bool *)f->ret = value;
}

/* 1, 0, or -1 for neither. */
static int parse_bool(const char *text)
{
    static const char *const yes[] = {"true", "1", "yes", "on"};
    static const char *const no[] = {"false", "0", "no", "off"};
    for (size_t i = 0; i < 4; i++) {
        if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0)
            return strcmp(text, yes[i]) == 0;
    }
    return -1;
}

static int read_bool(struct vg_request *rq, const struct vg_field *f, const char *text)
{
    int value = parse_bool(text);
    if (value < 0)
        return fail_value(rq, IN_QUERY, f->name, "true or false");
    store_bool(f, value);
    return 0;
}

static int fail_cpus(struct vg_request *rq, const struct vg_field *f, enum source source)
{
    vg_error_set(
        &rq->error, VG_E_INVALID_VALUE,
        "%s '%s' is no set of CPUs; accepted: text like \"0-3,^2,8\"%s, at least "
        "one, numbers from 0 to %d",
        source_name(source), f->name, source == IN_BODY ? ", or an array of numbers" : "",
        VG_CPU_MAX);
    return -1;
}

static int read_query_value(struct vg_request *rq, const struct vg_field *f,
                            const char *text)
{
    int64_t number;

    switch (f->kind) {
    case VG_FIELD_TEXT:
        *(const char **)f->ret = text;
        return 0;
    case VG_FIELD_BOOL:
    case VG_FIELD_MAYBE:
        return read_bool(rq, f, text);
    case VG_FIELD_NUMBER:
        return read_number(rq, f, text);
    case VG_FIELD_UNSIGNED:
        return read_unsigned(rq, f, IN_QUERY, text);
    case VG_FIELD_ENUM:
        if (read_name(rq, f, IN_QUERY, text, strlen(text), &number) < 0)
            return -1;
        *(int *)f->ret = (int)number;
        return 0;
    case VG_FIELD_FLAGS:
        return read_flags(rq, f, IN_QUERY, text, f->ret);
    case VG_FIELD_CPUS:
        return vg_cpumap_parse(text, f->ret) == 0 ? 0 : fail_cpus(rq, f, IN_QUERY);
    case VG_FIELD_JSON:
    case VG_FIELD_COMMAND:
    case VG_FIELD_REST:
    case VG_FIELD_END:
        break;
    }
    return fail_unknown(rq, f, IN_QUERY, f->name);
}

static int read_body_value(struct vg_request *rq, const struct vg_field *f, json_t *value)
{
    int64_t number;

    switch (f->kind) {
    case VG_FIELD_TEXT:
        if (!json_is_string(value))
            return fail_value(rq, IN_BODY, f->name, "a string");
        *(const char **)f->ret = json_string_value(value);
        return vg_args_check_json(rq, f->name, value);
    case VG_FIELD_BOOL:
    case VG_FIELD_MAYBE:
        if (!json_is_boolean(value))
            return fail_value(rq, IN_BODY, f->name, "true or false");
        store_bool(f, json_is_true(value));
        return 0;
    case VG_FIELD_NUMBER:
        if (!json_is_integer(value))
            return fail_number(rq, f, IN_BODY);
        return store_number(rq, f, IN_BODY, json_integer_value(value));
    case VG_FIELD_UNSIGNED:
        return read_unsigned_json(rq, f, value);
    case VG_FIELD_ENUM:
        if (!json_is_string(value))
            return fail_value(rq, IN_BODY, f->name, "a name");
        if (read_name(rq, f, IN_BODY, json_string_value(value), json_string_length(value),
                      &number) < 0)
            return -1;
        *(int *)f->ret = (int)number;
        return 0;
    case VG_FIELD_FLAGS:
        return read_flags_json(rq, f, value, f->ret);
    case VG_FIELD_JSON:
        *(json_t **)f->ret = value;
        return vg_args_check_json(rq, f->name, value);
    case VG_FIELD_COMMAND:
        *(json_t **)f->ret = value;
        return 0;
    case VG_FIELD_CPUS:
        return vg_cpumap_from_json(value, f->ret) == 0 ? 0 : fail_cpus(rq, f, IN_BODY);
    case VG_FIELD_REST:
    case VG_FIELD_END:
        break;
    }
    return -1;
}

static const struct vg_field *find_field(const struct vg_field *fields, const char *key)
{
    for (const struct vg_field *f = fields; f->name; f++)
        if (f->kind != VG_FIELD_REST && strcmp(f->name, key) == 0)
            return f;
    return NULL;
}

/* The field that takes what no other takes, if the table has one. */
static const struct vg_field *find_rest(const struct vg_field *fields)
{
    for (; fields->name; fields++)
        if (fields->kind == VG_FIELD_REST)
            return fields;
    return NULL;
}

/* Makes the object of a VG_REST field. */
static int begin_rest(struct vg_request *rq, const struct vg_field *rest)
{
    if (!rest)
        return 0;
    rq->rest = json_object();
    *(json_t **)rest->ret = rq->rest;
    return rq->rest ? 0 : vg_error_set_memory(&rq->error);
}

static int read_query(struct vg_request *rq, const struct vg_field *fields, bool *given)
{
    for (unsigned int i = 0; i < rq->n_query; i++) {
        const struct vg_pair *pair = &rq->query[i];
        if (is_common_key(rq, pair->key))
            continue;
        const struct vg_field *f = find_field(fields, pair->key);
        if (!f || is_body_only(f))
            return fail_unknown(rq, fields, IN_QUERY, pair->key);
        if (read_query_value(rq, f, pair->value) < 0)
            return -1;
        given[f - fields] = true;
    }
    return 0;
}

static int read_members(struct vg_request *rq, json_t *object,
                        const struct vg_field *fields, bool *given)
{
    const struct vg_field *rest = find_rest(fields);
    const char *key;
    json_t *value;

    if (begin_rest(rq, rest) < 0)
        return -1;
    json_object_foreach (object, key, value) {
        const struct vg_field *f = find_field(fields, key);
        if (!f && rest) {
            if (vg_args_check_json(rq, key, value) < 0)
                return -1;
            if (json_object_set(rq->rest, key, value) < 0)
                return vg_error_set_memory(&rq->error);
            continue;
        }
        if (!f)
            return fail_unknown(rq, fields, IN_BODY, key);
        if (given[f - fields]) {
            vg_error_set(&rq->error, VG_E_DUPLICATE_KEY,
                         "'%s' is given both in the query and in the body", key);
            return -1;
        }
        if (read_body_value(rq, f, value) < 0)
            return -1;
        given[f - fields] = true;
    }
    return 0;
}

static int check_required(struct vg_request *rq, const struct vg_field *fields,
                          const bool *given)
{
    for (const struct vg_field *f = fields; f->name; f++) {
        if (f->required && !given[f - fields]) {
            vg_error_set(&rq->error, VG_E_MISSING_KEY, "'%s' is missing", f->name);
            return -1;
        }
    }
    return 0;
}

int vg_args(struct vg_request *rq, const struct vg_field *fields)
{
    bool given[VG_ARGS_MAX] = {false};

    if (read_query(rq, fields, given) < 0 ||
        read_members(rq, rq->json, fields, given) < 0)
        return -1;
    return check_required(rq, fields, given);
}

int vg_args_object(struct vg_request *rq, const char *where, json_t *object,
                   const struct vg_field *fields)
{
    bool given[VG_ARGS_MAX] = {false};
    char *detail = NULL;

    if (!json_is_object(object))
        return fail_value(rq, IN_BODY, where, "an object");
    if (read_members(rq, object, fields, given) == 0 &&
        check_required(rq, fields, given) == 0)
        return 0;
    if (asprintf(&detail, "%s: %s", where, rq->error.detail) >= 0) {
        free(rq->error.detail);
        rq->error.detail = detail;
    }
    return -1;
}

int vg_path_number(struct vg_request *rq, const char *name, int64_t max,
                   unsigned int *ret)
{
    const char *text = vg_path(rq, name);
    size_t len = strspn(text, "0123456789");
    int64_t value = 0;

    for (size_t i = 0; i < len && value <= max; i++)
        value = value * 10 + (text[i] - '0');
    if (len == 0 || text[len] || value > max) {
        vg_error_set(&rq->error, VG_E_INVALID_VALUE,
                     "'%.100s' in the path is not a number from 0 to %lld", text,
                     (long long)max);
        return -1;
    }
    *ret = (unsigned int)value;
    return 0;
}

bool vg_peek_true(const struct vg_request *rq, const char *name)
{
    for (unsigned int i = 0; i < rq->n_query; i++)
        if (strcmp(rq->query[i].key, name) == 0)
            return parse_bool(rq->query[i].value) == 1;
    return json_is_true(json_object_get(rq->json, name));
}

bool vg_peek_member(const struct vg_request *rq, const char *name)
{
    return json_object_get(rq->json, name) != NULL;
}
