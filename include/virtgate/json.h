/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writing JSON: a streaming writer (twenty times as fast as building a tree first), and
 * the conversion of jansson trees through it, so that every number and every string of
 * every answer goes through one place.
 *
 * The writer never fails half-way: out of memory is remembered and found at the end.
 */
#pragma once

#include "virtgate/enum.h"
#include "virtgate/text.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vg_json {
    struct vg_text text;
    size_t passing, passing_end; /* of vg_json_volatile(); 0: none */
    uint64_t depends;            /* of vg_json_etag_extra(); 0: none */
    bool comma;                  /* the next item needs a comma before it */
    bool number_strings; /* ?numbers=string: integers beyond 2^53 become strings */
};

/* In an object `key` is the member's name; in an array it is NULL. */
void vg_json_begin_object(struct vg_json *w, const char *key);
void vg_json_end_object(struct vg_json *w);
/* Takes back the end of the object that was written last, for more members. */
void vg_json_reopen_object(struct vg_json *w);
void vg_json_begin_array(struct vg_json *w, const char *key);
void vg_json_end_array(struct vg_json *w);

/* NULL is null. Invalid UTF-8 is repaired: each bad byte becomes U+FFFD. */
void vg_json_string(struct vg_json *w, const char *key, const char *value);
void vg_json_int(struct vg_json *w, const char *key, int64_t value);
/* Above INT64_MAX always a string of digits. */
void vg_json_uint(struct vg_json *w, const char *key, uint64_t value);
/* A figure that is another at every read though nobody changed anything. The first one of
 * an answer is left out of what If-Match depends on. */
void vg_json_volatile(struct vg_json *w, const char *key, uint64_t value);
/* The answer's entity tag depends on this hash, too, of what it does not show. */
void vg_json_etag_extra(struct vg_json *w, uint64_t hash);
/* A counter of libvirt's: -1, "not known", is null. */
void vg_json_count(struct vg_json *w, const char *key, int64_t value);
/* Seconds since 1970, as RFC 3339 in UTC: "2026-02-01T12:00:00Z". */
void vg_json_time(struct vg_json *w, const char *key, int64_t seconds);
/* The number of hundredths as a decimal: 1234 is 12.34. */
void vg_json_hundredths(struct vg_json *w, const char *key, uint64_t value);
void vg_json_bool(struct vg_json *w, const char *key, bool value);
void vg_json_null(struct vg_json *w, const char *key);
/* An enum constant's name; its number when it is newer than this build. */
void vg_json_enum(struct vg_json *w, const char *key, const struct vg_enum *e,
                  int64_t value);
/* A whole jansson tree. */
void vg_json_value(struct vg_json *w, const char *key, const json_t *value);
/* Bytes as they are: already JSON. */
void vg_json_raw(struct vg_json *w, const char *key, const char *json, size_t len);

/* NUL-terminated text, owned by the caller, its length in *ret_len; NULL when out of
 * memory. The writer is empty afterwards. */
char *vg_json_finish(struct vg_json *w, size_t *ret_len);
void vg_json_free(struct vg_json *w);
#define vg_auto_json __attribute__((cleanup(vg_json_free))) struct vg_json

/* jansson goes on with half a string when it has no memory, or blames its input. From
 * vg_json_watch_memory() on (before any thread), vg_json_lost_memory() says whether it
 * had none on this thread since it was last asked. A request begins without such a loss,
 * and vg_xml_from_json() looks itself. */
void vg_json_watch_memory(void);
bool vg_json_lost_memory(void);

/* A new JSON string from text of unknown encoding, repaired to valid UTF-8; null for
 * NULL. (jansson's own json_string() returns NULL for invalid UTF-8.) */
json_t *vg_json_text(const char *s);

/* The member `key` of the object that is the member `child`, and its text. Borrowed;
 * NULL: it is not there, or is no text. */
json_t *vg_json_inner(const json_t *object, const char *child, const char *key);
const char *vg_json_inner_text(const json_t *object, const char *child, const char *key);

/* The whole number that a text of a document says: "1500", "-7". New reference; NULL: it
 * is none, or there is no text. */
json_t *vg_json_digits(const json_t *text);

/* What vg_json_enum() writes, as a value; the number with `e` NULL. New reference; NULL
 * when out of memory. */
json_t *vg_json_enum_value(const struct vg_enum *e, int64_t value);
