/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names that a client asks for: a list, or a regular expression as libvirt takes it
 * (GRegex, which is PCRE2). What a pattern may cost is bounded, whatever it is.
 */
#pragma once

#include "virtgate/event.h"

#include <stdbool.h>
#include <stddef.h>

/* Whether `item` is in a list separated by commas. */
bool vg_list_has(const char *list, const char *item, bool nocase);

/* Immutable but for its scratch memory: one thread at a time. */
struct vg_pattern;

/* `text` is copied. NULL: `why` says what is wrong with it, and is "" when there was no
 * memory. */
struct vg_pattern *vg_pattern_new(const char *text, unsigned int vg_match_flags,
                                  char *why, size_t size);

/* Whether the expression matches anywhere in the name, or the list has it. An expression
 * that gives up, because it tries too much, does not match. */
bool vg_pattern_has(const struct vg_pattern *pattern, const char *name);

/* Accepts NULL. */
void vg_pattern_free(struct vg_pattern *pattern);
