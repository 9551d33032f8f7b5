/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The pattern language of json_match.h. Arrays are matched with backtracking, so "..."
 * may stand anywhere; the values tested are small.
 */
#include "json_match.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct match {
    json_t *captures;
    char *why;
    size_t size;
    char path[512];
};

static bool match_value(struct match *m, json_t *pattern, json_t *value);

__attribute__((format(printf, 3, 4))) static bool refuse(struct match *m, json_t *value,
                                                         const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    char *is = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    snprintf(m->why, m->size, "at %s: %s, but is %.300s", m->path[0] ? m->path : "/",
             text, is ? is : "absent");
    free(is);
    return false;
}

static bool looks_like_uuid(const char *s)
{
    for (int i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? s[i] != '-' : !isxdigit((unsigned char)s[i]))
            return false;
    }
    return s[36] == '\0';
}

static bool is_kind(const char *kind, json_t *value)
{
    if (strcmp(kind, "<any>") == 0)
        return true;
    if (strcmp(kind, "<string>") == 0)
        return json_is_string(value);
    if (strcmp(kind, "<int>") == 0)
        return json_is_integer(value);
    if (strcmp(kind, "<number>") == 0)
        return json_is_number(value);
    if (strcmp(kind, "<bool>") == 0)
        return json_is_boolean(value);
    if (strcmp(kind, "<object>") == 0)
        return json_is_object(value);
    if (strcmp(kind, "<array>") == 0)
        return json_is_array(value);
    if (strcmp(kind, "<uuid>") == 0)
        return json_is_string(value) && looks_like_uuid(json_string_value(value));
    if (strcmp(kind, "<time>") == 0) /* RFC 3339, UTC or with an offset */
        return json_is_string(value) &&
               fnmatch("[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T*",
                       json_string_value(value), 0) == 0;
    return false;
}

static bool match_string(struct match *m, const char *pattern, json_t *value)
{
    if (pattern[0] == '$' && pattern[1] && pattern[1] != '{') {
        json_t *known = json_object_get(m->captures, pattern + 1);
        if (!known) {
            json_object_set(m->captures, pattern + 1, value);
            return true;
        }
        return json_equal(known, value) ||
               refuse(m, value, "should be the captured %s", pattern);
    }
    if (pattern[0] == '<' && pattern[strlen(pattern) - 1] == '>')
        return is_kind(pattern, value) || refuse(m, value, "should be %s", pattern);
    if (pattern[0] == '~')
        return (json_is_string(value) &&
                fnmatch(pattern + 1, json_string_value(value), 0) == 0) ||
               refuse(m, value, "should match %s", pattern + 1);
    return (json_is_string(value) && strcmp(pattern, json_string_value(value)) == 0) ||
           refuse(m, value, "should be \"%s\"", pattern);
}

static bool match_object(struct match *m, json_t *pattern, json_t *value)
{
    if (!json_is_object(value))
        return refuse(m, value, "should be an object");
    size_t len = strlen(m->path);
    const char *key;
    json_t *p;
    json_object_foreach (pattern, key, p) {
        json_t *v = json_object_get(value, key);
        snprintf(m->path + len, sizeof(m->path) - len, "/%s", key);
        const char *text = json_string_value(p);
        if (text && strcmp(text, "<absent>") == 0) {
            if (v)
                return refuse(m, v, "should be absent");
        } else if (!v) {
            return refuse(m, NULL, "should be there");
        } else if (!match_value(m, p, v)) {
            return false;
        }
        m->path[len] = '\0';
    }
    return true;
}

static bool match_array(struct match *m, json_t *pattern, size_t p, json_t *value,
                        size_t v)
{
    if (p == json_array_size(pattern))
        return v == json_array_size(value) ||
               refuse(m, value, "should have %zu elements", v);
    json_t *first = json_array_get(pattern, p);
    if (json_is_string(first) && strcmp(json_string_value(first), "...") == 0) {
        for (size_t skip = v; skip <= json_array_size(value); skip++) {
            if (match_array(m, pattern, p + 1, value, skip))
                return true;
        }
        return refuse(m, value, "no element matches pattern element %zu", p + 1);
    }
    if (v == json_array_size(value))
        return refuse(m, value, "should have more than %zu elements", v);
    size_t len = strlen(m->path);
    snprintf(m->path + len, sizeof(m->path) - len, "/%zu", v);
    bool ok = match_value(m, first, json_array_get(value, v));
    if (ok)
        m->path[len] = '\0';
    ok = ok && match_array(m, pattern, p + 1, value, v + 1);
    m->path[len] = '\0';
    return ok;
}

static bool match_value(struct match *m, json_t *pattern, json_t *value)
{
    if (json_is_string(pattern))
        return match_string(m, json_string_value(pattern), value);
    if (json_is_object(pattern))
        return match_object(m, pattern, value);
    if (json_is_array(pattern)) {
        if (!json_is_array(value))
            return refuse(m, value, "should be an array");
        return match_array(m, pattern, 0, value, 0);
    }
    if (json_equal(pattern, value))
        return true;
    char *want = json_dumps(pattern, JSON_ENCODE_ANY);
    refuse(m, value, "should be %s", want ? want : "?");
    free(want);
    return false;
}

bool json_match(json_t *pattern, json_t *value, json_t *captures, char *why, size_t size)
{
    struct match m = {.captures = captures, .why = why, .size = size};
    if (!value)
        return refuse(&m, NULL, "should be JSON");
    return match_value(&m, pattern, value);
}

char *json_quotes(const char *text)
{
    char *copy = strdup(text);
    for (char *c = copy; c && *c; c++) {
        if (*c == '\'')
            *c = '"';
    }
    return copy;
}

json_t *json_pattern(const char *text, char *why, size_t size)
{
    json_error_t error;
    char *json = json_quotes(text);
    json_t *pattern = json ? json_loads(json, JSON_DECODE_ANY, &error) : NULL;
    if (!pattern)
        snprintf(why, size, "the pattern is not JSON: %s: %s", error.text, text);
    free(json);
    return pattern;
}

char *json_substitute(const char *text, const json_t *captures)
{
    char *out = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&out, &size);
    if (!f)
        return NULL;
    while (*text) {
        const char *end = strncmp(text, "${", 2) == 0 ? strchr(text, '}') : NULL;
        char *name = end ? strndup(text + 2, (size_t)(end - text - 2)) : NULL;
        json_t *value = name ? json_object_get(captures, name) : NULL;
        free(name);
        if (!value) {
            fputc(*text++, f);
            continue;
        }
        char *scalar = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY);
        fputs(scalar ? scalar : json_string_value(value), f);
        free(scalar);
        text = end + 1;
    }
    fclose(f);
    return out;
}
