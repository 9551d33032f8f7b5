/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Events of all hosts in one ring, in one order, and subscribers. Knows neither
 * libvirt nor HTTP.
 *
 * A revision is "EPOCH-NUMBER": the epoch is of this run of the gateway, the number that
 * of an event. "After revision R" is every event with a greater number.
 */
#pragma once

#include "virtgate/event.h"
#include "virtgate/json.h"

#include <stdatomic.h>

#define VG_REVISION_SIZE 40

/* Immutable once published; counted. */
struct vg_event {
    atomic_uint refs;
    uint64_t number;
    int64_t at_ns; /* CLOCK_MONOTONIC, when the gateway learned of it */
    enum vg_event_object object;
    const char *name; /* static */
    const char *type; /* static; NULL: its name says all */
    const char *host; /* lives as long as the program */
    const char *domain, *uuid;
    const struct vg_rights *rights; /* whose operation it is about; NULL: none's */
    const char *monitor; /* QEMU's name of an event of its monitor; NULL: of no monitor */
    int id;              /* of the domain; -1: inactive, or not about a domain */
    size_t frame_size;   /* of `text`: "id: REVISION\ndata: {...}\n\n" */
    const char *json;    /* in it */
    size_t json_size;
    char text[];
};

/* The event after which everything may be different: the subscriber is to list again. */
#define VG_EVENT_RESET "reset"
bool vg_event_is_reset(const struct vg_event *event);

struct vg_event *vg_event_ref(struct vg_event *event);
void vg_event_unref(struct vg_event *event);

/* What happened, and to whom. */
struct vg_event_source {
    const char *host; /* lives as long as the program */
    enum vg_event_object object;
    const char *name;    /* static: "lifecycle" */
    const char *domain;  /* NULL: not about a domain */
    const char *uuid;    /* of whatever it is about; a node device has its name there */
    const char *monitor; /* NULL: not of a monitor */
    int id;              /* -1: none */
    const char *type;    /* static: "started"; NULL: its name says all */
    const struct vg_rights *rights; /* of an operation: its caller's */
};

/* Starts the thread that wakes subscribers; keeps up to `capacity` events. -1: failed, as
 * the log says. */
int vg_events_start(size_t capacity);

/* Ends every subscription: each subscriber is woken and told so, and none sleeps again.
 */
void vg_events_end_all(bool for_ever);

/* Ends the thread, when no subscriber is left. */
void vg_events_stop(void);

/* Ends an event's JSON (event_text.h) and appends the event. Any thread; does not block.
 */
void vg_event_publish(const struct vg_event_source *source, struct vg_json *w);

/* The number of the newest event. Whatever is read from a host after this call reflects
 * at least the events up to it. */
uint64_t vg_event_head(void);

/* Shows `visit` the events that are kept, the newest first, until it returns false or one
 * is missing. No lock is held meanwhile. */
void vg_event_walk_back(bool (*visit)(struct vg_event *event, void *data), void *data);

void vg_event_write_revision(char ret[VG_REVISION_SIZE], uint64_t number);

/* How a revision stands to what is kept. */
enum vg_revision_state {
    VG_REVISION_GOOD,
    VG_REVISION_MALFORMED,
    VG_REVISION_GONE, /* another epoch, or no longer kept */
};
enum vg_revision_state vg_event_read_revision(const char *text, uint64_t *ret_number);

/* ---- subscribers ------------------------------------------------------------------- */

/* One subscriber. Its functions are called by one thread at a time; `wake` is called by
 * the waking thread, once for each successful vg_subscriber_sleep(), and must not block.
 */
struct vg_subscriber;

/* Subscribes to the events after a number. `filter` is copied. NULL: out of memory, or
 * its expression is none. */
struct vg_subscriber *vg_subscriber_new(const struct vg_event_filter *filter,
                                        uint64_t after, bool admin);
void vg_subscriber_on_wake(struct vg_subscriber *subscriber, void (*wake)(void *data),
                           void *data);

enum vg_subscriber_state {
    VG_SUBSCRIBER_EVENT, /* *ret_event is the next one; counted */
    VG_SUBSCRIBER_NONE,
    VG_SUBSCRIBER_LOST,  /* too slow: events it has not seen are gone */
    VG_SUBSCRIBER_ENDED, /* the gateway ends it */
};
enum vg_subscriber_state vg_subscriber_next(struct vg_subscriber *subscriber,
                                            struct vg_event **ret_event);

/* Lets one that has not begun begin with the last `n` events that it wants to see and
 * that are kept. Returns the number after which it begins. */
uint64_t vg_subscriber_rewind(struct vg_subscriber *subscriber, unsigned int n);

/* The number up to which it has seen what it wants to see. */
uint64_t vg_subscriber_seen(struct vg_subscriber *subscriber);

/* `wake` is called for the next event that it wants, for its end, or at `due_ns`. False:
 * there is something to see already, and `wake` is not called. */
bool vg_subscriber_sleep(struct vg_subscriber *subscriber, int64_t due_ns);

/* Ends one subscriber, as vg_events_end_all() does: when it sleeps, it is woken. */
void vg_subscriber_end(struct vg_subscriber *subscriber);

/* Not while it sleeps. Accepts NULL. */
void vg_subscriber_free(struct vg_subscriber *subscriber);

struct vg_event_counts {
    unsigned int subscribers;
    uint64_t published, lost;
};
void vg_event_count(struct vg_event_counts *ret);
