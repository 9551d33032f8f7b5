/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Events as JSON.
 */
#pragma once

#include "server/core/event.h"

/* Begins an event's JSON in an empty writer; what is particular to it follows. */
void vg_event_begin(struct vg_json *w, const struct vg_event_source *source);

/* The JSON of a "reset" of one stream, which has missed something: "too-slow",
 * "gone". Owned by the caller; NULL: out of memory. */
char *vg_event_make_reset(const char *reason, size_t *ret_size);

/* When it happened, RFC 3339, as its JSON says. */
#define VG_EVENT_TIME_SIZE 40
void vg_event_write_time(const struct vg_event *event, char ret[VG_EVENT_TIME_SIZE]);
