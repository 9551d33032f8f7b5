/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The streaming JSON writer and the repair of text that is not UTF-8 (guests and files
 * hold anything). See include/virtgate/json.h.
 */
#include "virtgate/json.h"

#include "server/base/clock.h"
#include "server/base/digits.h"
#include "server/base/utf8.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Integers beyond this lose digits in JavaScript. */
#define EXACT_IN_DOUBLE ((uint64_t)1 << 53)

static inline void put(struct vg_json *w, const char *s, size_t n)
{
    vg_text_add(&w->text, s, n);
}

static inline void put_char(struct vg_json *w, char c)
{
    vg_text_add(&w->text, &c, 1);
}

static void put_escaped(struct vg_json *w, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    switch (c) {
    case '"':
        put(w, "\\\"", 2);
        break;
    case '\\':
        put(w, "\\\\", 2);
        break;
    case '\n':
        put(w, "\\n", 2);
        break;
    case '\t':
        put(w, "\\t", 2);
        break;
    case '\r':
        put(w, "\\r", 2);
        break;
    default: {
        const char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        put(w, text, sizeof(text));
    }
    }
}

static inline bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
}

/* The same of 8 bytes at once: the high bit of a byte is set below if it is not plain (or
 * stands behind one that is not). */
static inline bool are_plain(const unsigned char *s)
{
    const uint64_t ones = UINT64_MAX / 255;
    uint64_t x;
    memcpy(&x, s, sizeof(x));
    uint64_t quote = (x ^ ones * '"') - ones, backslash = (x ^ ones * '\\') - ones;
    return ((x | (x + ones) | (x - ones * ' ') | quote | backslash) & ones * 0x80) == 0;
}

static size_t put_odd(struct vg_json *w, const unsigned char *s, size_t n)
{
    size_t len = vg_utf8_length(s, n);
    if (len == 0)
        put(w, VG_UTF8_REPLACEMENT, strlen(VG_UTF8_REPLACEMENT));
    else if (len == 1)
        put_escaped(w, *s);
    else
        put(w, (const char *)s, len);
    return len ? len : 1;
}

static void put_string(struct vg_json *w, const char *value)
{
    const unsigned char *s = (const unsigned char *)value;
    size_t n = strlen(value);

    put_char(w, '"');
    while (n) {
        char *p = vg_text_room(&w->text, n);
        if (!p)
            return;
        size_t run = 0;
        for (; n - run >= 8 && are_plain(s + run); run += 8)
            memcpy(p + run, s + run, 8);
        for (; is_plain(s[run]); run++) /* the NUL is not */
            p[run] = (char)s[run];
        w->text.len += run;
        if (run < n)
            run += put_odd(w, s + run, n - run);
        s += run;
        n -= run;
    }
    put_char(w, '"');
}

/* The comma before an item and, in an object, its key. */
static void begin_item(struct vg_json *w, const char *key)
{
    if (w->comma)
        put_char(w, ',');
    w->comma = true;
    if (key) {
        put_string(w, key);
        put_char(w, ':');
    }
}

static void begin_group(struct vg_json *w, const char *key, char c)
{
    begin_item(w, key);
    put_char(w, c);
    w->comma = false;
}

static void end_group(struct vg_json *w, char c)
{
    put_char(w, c);
    w->comma = true;
}

void vg_json_begin_object(struct vg_json *w, const char *key)
{
    begin_group(w, key, '{');
}

void vg_json_end_object(struct vg_json *w)
{
    end_group(w, '}');
}

void vg_json_reopen_object(struct vg_json *w)
{
    if (w->text.failed)
        return;
    w->comma = w->text.data[w->text.len - 2] != '{';
    w->text.len--;
}

void vg_json_begin_array(struct vg_json *w, const char *key)
{
    begin_group(w, key, '[');
}

void vg_json_end_array(struct vg_json *w)
{
    end_group(w, ']');
}

void vg_json_string(struct vg_json *w, const char *key, const char *value)
{
    begin_item(w, key);
    if (value)
        put_string(w, value);
    else
        put(w, "null", 4);
}

static void put_digits(struct vg_json *w, uint64_t value, bool negative, bool quoted)
{
    char text[VG_DIGITS_MAX], *end = text + sizeof(text), *last = end;

    if (quoted)
        *--last = '"';
    char *p = vg_digits_before(last, value);
    if (negative)
        *--p = '-';
    if (quoted)
        *--p = '"';
    put(w, p, (size_t)(end - p));
}

void vg_json_int(struct vg_json *w, const char *key, int64_t value)
{
    uint64_t size = vg_magnitude(value);
    begin_item(w, key);
    put_digits(w, size, value < 0, w->number_strings && size > EXACT_IN_DOUBLE);
}

void vg_json_uint(struct vg_json *w, const char *key, uint64_t value)
{
    begin_item(w, key);
    put_digits(w, value, false,
               value > INT64_MAX || (w->number_strings && value > EXACT_IN_DOUBLE));
}

void vg_json_etag_extra(struct vg_json *w, uint64_t hash)
{
    w->depends = hash;
}

void vg_json_volatile(struct vg_json *w, const char *key, uint64_t value)
{
    size_t begin = w->text.len;

    vg_json_uint(w, key, value);
    if (w->passing_end)
        return;
    w->passing = begin;
    w->passing_end = w->text.len;
}

void vg_json_count(struct vg_json *w, const char *key, int64_t value)
{
    if (value == -1)
        vg_json_null(w, key);
    else
        vg_json_int(w, key, value);
}

void vg_json_time(struct vg_json *w, const char *key, int64_t seconds)
{
    char text[40];

    vg_write_date(text, sizeof(text), seconds);
    vg_json_string(w, key, *text ? text : NULL);
}

void vg_json_hundredths(struct vg_json *w, const char *key, uint64_t value)
{
    char text[32];
    int n = snprintf(text, sizeof(text), "%llu.%02u", (unsigned long long)(value / 100),
                     (unsigned int)(value % 100));
    vg_json_raw(w, key, text, (size_t)n);
}

void vg_json_bool(struct vg_json *w, const char *key, bool value)
{
    begin_item(w, key);
    put(w, value ? "true" : "false", value ? 4 : 5);
}

void vg_json_null(struct vg_json *w, const char *key)
{
    vg_json_string(w, key, NULL);
}

void vg_json_enum(struct vg_json *w, const char *key, const struct vg_enum *e,
                  int64_t value)
{
    const struct vg_enum_value *known = vg_enum_find(e, value);
    if (known)
        vg_json_string(w, key, known->name);
    else
        vg_json_int(w, key, value);
}

void vg_json_raw(struct vg_json *w, const char *key, const char *json, size_t len)
{
    begin_item(w, key);
    put(w, json, len);
}

static void write_real(struct vg_json *w, const char *key, const json_t *value)
{
    char text[40];
    begin_item(w, key);
    size_t n =
        json_dumpb(value, text, sizeof(text), JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    if (n == 0 || n > sizeof(text))
        w->text.failed = true;
    else
        put(w, text, n);
}

void vg_json_value(struct vg_json *w, const char *key, const json_t *value)
{
    const json_t *item;
    size_t i;

    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_OBJECT:
        vg_json_begin_object(w, key);
        /* jansson's iterators take a non-const object but do not change it */
        for (void *it = json_object_iter((json_t *)(uintptr_t)value); it;
             it = json_object_iter_next((json_t *)(uintptr_t)value, it))
            vg_json_value(w, json_object_iter_key(it), json_object_iter_value(it));
        vg_json_end_object(w);
        break;
    case JSON_ARRAY:
        vg_json_begin_array(w, key);
        json_array_foreach (value, i, item)
            vg_json_value(w, NULL, item);
        vg_json_end_array(w);
        break;
    case JSON_STRING:
        vg_json_string(w, key, json_string_value(value));
        break;
    case JSON_INTEGER:
        vg_json_int(w, key, json_integer_value(value));
        break;
    case JSON_REAL:
        write_real(w, key, value);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        vg_json_bool(w, key, json_is_true(value));
        break;
    case JSON_NULL:
        vg_json_null(w, key);
        break;
    }
}

char *vg_json_finish(struct vg_json *w, size_t *ret_len)
{
    w->comma = false;
    w->passing = w->passing_end = 0;
    w->depends = 0;
    return vg_text_finish(&w->text, ret_len);
}

void vg_json_free(struct vg_json *w)
{
    w->comma = false;
    w->passing = w->passing_end = 0;
    w->depends = 0;
    vg_text_free(&w->text);
}

json_t *vg_json_text(const char *s)
{
    if (!s)
        return json_null();
    json_t *text = json_string(s);
    if (text)
        return text;
    /* Not UTF-8 (or out of memory): repair through the writer, then read it back. */
    vg_auto_json w = {0};
    put_string(&w, s);
    return w.text.failed ? NULL
                         : json_loadb(w.text.data, w.text.len, JSON_DECODE_ANY, NULL);
}

json_t *vg_json_enum_value(const struct vg_enum *e, int64_t value)
{
    const struct vg_enum_value *known = e ? vg_enum_find(e, value) : NULL;
    return known ? json_string(known->name) : json_integer(value);
}

static _Thread_local bool lost_memory;

static void *watched_malloc(size_t n)
{
    void *p = malloc(n);
    lost_memory |= !p;
    return p;
}

void vg_json_watch_memory(void)
{
    json_set_alloc_funcs(watched_malloc, free);
}

bool vg_json_lost_memory(void)
{
    bool lost = lost_memory;
    lost_memory = false;
    return lost;
}

json_t *vg_json_inner(const json_t *object, const char *child, const char *key)
{
    return json_object_get(json_object_get(object, child), key);
}

const char *vg_json_inner_text(const json_t *object, const char *child, const char *key)
{
    return json_string_value(vg_json_inner(object, child, key));
}

json_t *vg_json_digits(const json_t *text)
{
    const char *digits = json_string_value(text);
    char *end;

    if (!digits || !isdigit((unsigned char)digits[*digits == '-']))
        return NULL;
    errno = 0;
    long long value = strtoll(digits, &end, 10);
    return errno || *end ? NULL : json_integer(value);
}
