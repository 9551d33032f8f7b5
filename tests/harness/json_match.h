/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Matching a JSON value against a pattern, which is JSON as well:
 *
 *   {"a": P}        an object with at least member a, matching P; others are not looked
 * at
 *   {"a": "<absent>"}  an object without member a
 *   [P, Q]          an array of exactly these; "..." stands for any number of elements
 *   "<string>" "<int>" "<number>" "<bool>" "<object>" "<array>" "<any>" "<uuid>" "<time>"
 *                   a value of that kind
 *   "~*glob*"       a string matching the glob (fnmatch)
 *   "$name"         any value: captured as `name`; when `name` is captured already, that
 * value anything else   itself
 *
 * Pattern text may use ' for " (a ' itself cannot be written then).
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Matches and adds to `captures` (an object). On failure false, and `why` (size bytes)
 * says where and what; captures may have grown. */
bool json_match(json_t *pattern, json_t *value, json_t *captures, char *why, size_t size);

/* Pattern text (with ' for ") to JSON; NULL when it is not JSON, `why` says where. New
 * reference. */
json_t *json_pattern(const char *text, char *why, size_t size);

/* Copy of text with each ' made ". Owned by the caller. */
char *json_quotes(const char *text);

/* Copy of text with each ${name} replaced by the captured scalar; an unknown name stays.
 * Owned by the caller. */
char *json_substitute(const char *text, const json_t *captures);
